"""Special functions without cancellation: what densities with large parameters need.

Loader, C. (2000), Fast and accurate computation of binomial probabilities: a mass function is a
saddle-point value times Stirling errors, all of which are small where lgamma is huge.
"""

import numpy as np
from scipy import special

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

# Bernoulli numbers B_2k / (2k (2k - 1)): the series of Stirling's error in 1 / x^(2k - 1).
_STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)


def stirling_error(x):
    """Return ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2) for x > 0.

    The series is used from 16 on, where its first omitted term is below 1e-18.
    """
    x = np.asarray(x, dtype=np.float64)
    large = x >= 16
    small_x = np.where(large, 1.0, x)
    direct = special.gammaln(small_x) - ((small_x - 0.5) * np.log(small_x) - small_x + HALF_LOG_2PI)
    inverse = 1 / np.where(large, x, 16.0)
    series = inverse * np.polynomial.polynomial.polyval(inverse * inverse, _STIRLING)
    return np.where(large, series, direct)


def softplus(x):
    """Return ln(1 + e^x)."""
    with np.errstate(under="ignore"):
        return np.logaddexp(0.0, x)


def deviance(x, mean):
    """Return x ln(x / mean) + mean - x for x >= 0 and mean > 0; accurate where they are close.

    With v = (x - mean) / (x + mean), x ln(x / mean) = 2 x artanh(v), whose first term takes
    away what cancels: (x - mean) v + 2 x (v^3 / 3 + v^5 / 5 + ...).
    """
    v = (x - mean) / (x + mean)
    close = np.abs(v) < 0.1
    u = np.where(close, v, 0.0)
    odd = np.polynomial.polynomial.polyval(u * u, [1 / (2 * j + 3) for j in range(9)])
    near = (x - mean) * u + 2 * x * u**3 * odd
    x_far = np.where(close, 2.0, x)
    mean_far = np.where(close, 1.0, mean)
    far = special.xlogy(x_far, x_far / mean_far) + mean_far - x_far
    return np.where(close, near, far)


def log_poisson(x, mean):
    """Return x ln(mean) - mean - ln Gamma(x + 1) for real x >= 0 and mean > 0."""
    positive = np.where(x > 0, x, 1.0)
    log = -deviance(positive, mean) - stirling_error(positive) - HALF_LOG_2PI
    # Gamma(x + 1) = x Gamma(x), and Stirling's error is that of Gamma(x).
    return np.where(x > 0, log - 0.5 * np.log(positive), -mean)


def log_half_rising(a):
    """Return ln Gamma(a + 1/2) - ln Gamma(a) for a > 0."""
    gap = stirling_error(a + 0.5) - stirling_error(a)
    # (a ln(a + 1/2) - (a + 1/2)) - ((a - 1/2) ln a - a)
    return gap + a * np.log1p(0.5 / a) - 0.5 + 0.5 * np.log(a)


def log_beta(a, b):
    """Return ln B(a, b) for a, b > 0.

    The leading terms of Stirling's formula are written as logarithms of a / (a + b) and
    b / (a + b), so that nothing of the size of ln Gamma remains.
    """
    total = a + b
    gap = stirling_error(a) + stirling_error(b) - stirling_error(total)
    return (
        gap
        + HALF_LOG_2PI
        - 0.5 * np.log(total)
        - (a - 0.5) * np.log1p(b / a)
        - (b - 0.5) * np.log1p(a / b)
    )
