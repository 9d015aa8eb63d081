"""Families of counts: Poisson, negative binomial."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import POSITIVE, check, numbers
from fastmlp.distributions._special import HALF_LOG_2PI, deviance, log_poisson, stirling_error

# Gauss's rule on (0, 1), for the negative binomial's mean difference.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2
WHOLE = 2.0**53  # floats from here on have no fractions


class _Counts(Distribution):
    """On 0, 1, 2, ...; families give ``_log_mass`` of whole numbers and ``_cumulative``."""

    discrete = True

    def _logpdf(self, y):
        whole = (y >= 0) & (y == np.floor(y)) & (y < np.inf)
        return np.where(whole, self._log_mass(np.where(whole, np.minimum(y, 1e300), 0.0)), -np.inf)

    def _cdf(self, y):
        k = np.floor(y)
        below = self._cumulative(np.clip(k, 0, 1e300))
        return np.where(k < 0, 0.0, np.where(y == np.inf, 1.0, below))

    def _ppf(self, q):
        """Search from the Cornish-Fisher guess, in steps that double, then halve."""
        z = special.ndtri(np.clip(q, 1e-300, 1 - 1e-16))
        guess = self._mean() + np.sqrt(self._var()) * (z + self._skewness() * (z * z - 1) / 6)
        q = np.broadcast_to(q, np.broadcast_shapes(np.shape(q), self.shape))
        high = np.array(np.broadcast_to(np.maximum(np.round(guess), 0), q.shape))
        # Invariants: cdf(low) < q <= cdf(high), low = -1 being below all.
        step = np.maximum(np.floor(0.01 * np.sqrt(self._var())), 1) * np.ones(q.shape)
        low, grow = high - step, step.copy()
        while (short := (self._cdf(high) < q) & (q < 1)).any():
            low, high = np.where(short, high, low), np.where(short, high + grow, high)
            grow = np.where(short, 2 * grow, grow)
        grow = step.copy()
        while (far := (low >= 0) & (self._cdf(low) >= q)).any():
            low, high = np.where(far, low - grow, low), np.where(far, low, high)
            grow = np.where(far, 2 * grow, grow)
        low = np.maximum(low, -1)
        while (wide := high - low > 1).any():
            middle = np.floor((low + high) / 2)
            # Beyond 2^53 whole numbers are no longer next to each other.
            wide &= (middle > low) & (middle < high)
            if not wide.any():
                break
            reached = self._cdf(middle) >= q
            high = np.where(wide & reached, middle, high)
            low = np.where(wide & ~reached, middle, low)
        return np.where(q == 1, np.inf, np.maximum(high, 0))

    def _mean(self):
        return self.mu


class Poisson(_Counts):
    """Poisson distributions of mean ``mu``.

    p(k) = mu^k exp(-mu) / k!; with F the distribution function and I_0, I_1 Bessel functions,
    CRPS = (y - mu) (2 F(y) - 1) + 2 mu p(floor y) - mu exp(-2 mu) (I_0(2 mu) + I_1(2 mu)) [1]_.

    Parameters
    ----------
    mu : array-like
        Means, > 0.

    Raises
    ------
    ValueError
        A mean is not positive and finite.
    TypeError
        Means that are not real numbers.

    References
    ----------
    .. [1] Wei, W. and Held, L. (2014), Calibration tests for count data. TEST 23.

    Examples
    --------
    >>> from fastmlp.distributions import Poisson
    >>> Poisson(mu=[0.5, 5.0]).pdf([0, 5]).round(3)
    array([0.607, 0.175])
    """

    def __init__(self, mu: Any) -> None:
        mu = numbers("mu", mu)
        check("mu", mu, POSITIVE)
        self._set(mu=mu)

    def _log_mass(self, k):
        return log_poisson(k, self.mu)

    def _cumulative(self, k):
        return special.gammaincc(k + 1, self.mu)

    def _var(self):
        return self.mu

    def _skewness(self):
        return 1 / np.sqrt(self.mu)

    def _mode(self):
        return np.maximum(np.ceil(self.mu) - 1, 0)

    def _square_integral(self):
        return special.i0e(2 * self.mu)

    def _crps(self, y):
        spread = self.mu * (special.i0e(2 * self.mu) + special.i1e(2 * self.mu))
        mass = np.exp(self._logpdf(np.floor(y)))
        return (y - self.mu) * (2 * self._cdf(y) - 1) + 2 * self.mu * mass - spread

    def _sample(self, rng, shape):
        return _poisson(rng, self.mu, shape)

    def _scipy(self):
        return "poisson", {"mu": self.mu}


def _poisson(rng, mean, shape):
    """Draws; normal ones where all floats are whole, before NumPy's come to their end."""
    few = mean < WHOLE
    drawn = rng.poisson(np.where(few, mean, 0.0), shape).astype(np.float64)
    if few.all():
        return drawn
    return np.where(few, drawn, mean + np.sqrt(mean) * rng.standard_normal(shape))


class NegativeBinomial(_Counts):
    """Negative binomial distributions of mean ``mu`` and variance mu + mu^2 / n.

    A Poisson distribution whose mean is gamma distributed with shape ``n``; Poisson's own is the
    limit of large n. In SciPy's terms the probability is p = n / (n + mu).

    p(k) = Gamma(n + k) / (Gamma(n) k!) p^n (1 - p)^k; with F the distribution function and F+ that
    of n + 1 and the same p, CRPS = y (2 F(y) - 1) - mu (2 F+(y - 1) - 1) - E|Y - Y'| / 2 [1]_.

    Parameters
    ----------
    mu : array-like
        Means, > 0.
    n : array-like
        Shapes, > 0, not necessarily whole: the smaller, the more overdispersed.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    References
    ----------
    .. [1] Wei, W. and Held, L. (2014), Calibration tests for count data. TEST 23.

    Examples
    --------
    >>> from fastmlp.distributions import NegativeBinomial
    >>> NegativeBinomial(mu=4.0, n=[2.0, 1e6]).var().round(3)
    array([12.,  4.])
    """

    def __init__(self, mu: Any, n: Any) -> None:
        mu, n = numbers("mu", mu), numbers("n", n)
        check("mu", mu, POSITIVE)
        check("n", n, POSITIVE)
        self._set(mu=mu, n=n)

    @property
    def _p(self):
        return self.n / (self.n + self.mu)

    def _log_mass(self, k):
        n, mu = self.n, self.mu
        k_in = np.where(k > 0, k, 1.0)
        total = n + k_in
        log = 0.5 * (np.log(n) - np.log(total) - np.log(k_in)) - HALF_LOG_2PI
        log += stirling_error(total) - stirling_error(n) - stirling_error(k_in)
        log -= deviance(n, total * (n / (n + mu))) + deviance(k_in, total * (mu / (n + mu)))
        return np.where(k > 0, log, -n * np.log1p(mu / n))

    def _cumulative(self, k, n=None):
        # I_p(n, k + 1), by its complement where p is so near 1 that 1 - p would lose digits
        n = self.n if n is None else n
        rest = self.mu / (self.n + self.mu)
        small = rest < 0.5
        upper = 1 - special.betainc(k + 1, n, np.where(small, rest, 0.5))
        return np.where(small, upper, special.betainc(n, k + 1, np.where(small, 0.5, self._p)))

    def _var(self):
        return self.mu * (1 + self.mu / self.n)

    def _skewness(self):
        rest = self.mu / (self.n + self.mu)
        return (1 + rest) / np.sqrt(self.n * rest)

    def _mode(self):
        return np.maximum(np.ceil((self.n - 1) * (self.mu / self.n)) - 1, 0)

    def _integral(self, power):
        """The integral of cos(t)^(1 + power) (1 + c sin^2 t)^-m over t from 0 to pi / 2.

        c = 4 v / n with v the variance; m = n + 1 for power 1, n for power -1. With
        1 + c sin^2 t = exp(s^2) the integrand is a bell in s.
        """
        n, c = self.n, 4 * self._var() / self.n
        m = n + (power + 1) / 2
        end = np.sqrt(np.log1p(c))
        # The bell is exp(-(m - 1/2) s^2): nothing is left beyond 6.5 widths. s = top sin(angle)
        # smooths the root at the end of the range.
        top = np.minimum(end, 6.5 / np.sqrt(np.maximum(m - 0.5, 1e-300)))
        total = np.zeros(self.shape)
        for node, weight in zip(_NODES * np.pi / 2, _WEIGHTS * np.pi / 2, strict=True):
            s = top * np.sin(node)
            rise = np.expm1(s * s)
            cosine = np.sqrt(1 - rise / c)
            total += (
                (weight * np.cos(node) * s / np.sqrt(rise))
                * np.exp((1 - m) * s * s)
                * cosine**power
            )
        return total * top / np.sqrt(c)

    def _square_integral(self):
        return 2 / np.pi * self._integral(-1)  # Parseval: P(Y = Y')

    def _half_difference(self):
        # v 2F1(n + 1, 1/2; 2; -c), by Euler's integral
        return 4 / np.pi * self._var() * self._integral(1)

    def _crps(self, y):
        k = np.floor(y) - 1
        next_ = np.where(k < 0, 0.0, self._cumulative(np.maximum(k, 0), self.n + 1))
        own = y * (2 * self._cdf(y) - 1)
        return own - self.mu * (2 * next_ - 1) - self._half_difference()

    def _sample(self, rng, shape):
        mean = rng.standard_gamma(self.n, shape) * (self.mu / self.n)
        return _poisson(rng, mean, shape)

    def _scipy(self):
        return "nbinom", {"n": self.n, "p": self._p}
