"""Drawn distributions of every family, and their log-densities in mpmath, from the formulas."""

import mpmath as mp
import numpy as np

from fastmlp.distributions import (
    Averaged,
    Bernoulli,
    Beta,
    Categorical,
    Gamma,
    Histogram,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    NormalMixture,
    Poisson,
    Quantiles,
    StudentT,
)

LEVELS = np.array([0.02, 0.1, 0.3, 0.5, 0.65, 0.9, 0.97])


def spread(rng, low, high, n):
    """Numbers that are even in their logarithm."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def mixture(rng, n):
    weights = rng.dirichlet(np.ones(3), n)
    return NormalMixture(weights, rng.normal(0, 3, (n, 3)), spread(rng, 0.2, 3, (n, 3)))


def histogram(rng, n):
    return Histogram(rng.dirichlet(np.ones(6), n), np.cumsum(spread(rng, 0.1, 3, 7)) - 5)


def quantile_set(rng, n):
    return Quantiles(np.cumsum(spread(rng, 0.05, 2, (n, 7)), axis=1) - 4, LEVELS)


# family -> what draws n rows of it
DRAWN = {
    "normal": lambda rng, n: Normal(rng.normal(0, 3, n), spread(rng, 0.01, 100, n)),
    "student_t": lambda rng, n: StudentT(
        spread(rng, 2.5, 300, n), rng.normal(0, 3, n), spread(rng, 0.1, 10, n)
    ),
    "laplace": lambda rng, n: Laplace(rng.normal(0, 3, n), spread(rng, 0.01, 100, n)),
    "lognormal": lambda rng, n: LogNormal(rng.normal(0, 1, n), spread(rng, 0.05, 1.2, n)),
    "gamma": lambda rng, n: Gamma(spread(rng, 0.6, 200, n), spread(rng, 0.1, 10, n)),
    "beta": lambda rng, n: Beta(spread(rng, 0.7, 50, n), spread(rng, 0.7, 50, n)),
    "mixture": mixture,
    "histogram": histogram,
    "quantiles": quantile_set,
    "averaged": lambda rng, n: Averaged(
        [Normal(rng.normal(0, 3, n), spread(rng, 0.3, 3, n)) for _ in range(2)], [0.7, 0.3]
    ),
    "averaged_counts": lambda rng, n: Averaged(
        [Poisson(spread(rng, 0.05, 20, n)), NegativeBinomial(spread(rng, 0.05, 5, n), 3.0)]
    ),
    "poisson": lambda rng, n: Poisson(spread(rng, 0.05, 100, n)),
    "negative_binomial": lambda rng, n: NegativeBinomial(
        spread(rng, 0.05, 50, n), spread(rng, 0.3, 100, n)
    ),
    "bernoulli": lambda rng, n: Bernoulli(rng.uniform(0, 1, n)),
    "categorical": lambda rng, n: Categorical(rng.dirichlet(np.ones(5), n), [-1, 0, 0.5, 2, 4]),
}
DISCRETE = ("poisson", "negative_binomial", "averaged_counts", "bernoulli", "categorical")
CONTINUOUS = tuple(name for name in DRAWN if name not in DISCRETE)
IN_SCIPY = ("normal", "student_t", "laplace", "lognormal", "gamma", "beta", "poisson")
IN_SCIPY += ("negative_binomial", "bernoulli")


def drawn(family, n=50, seed=0):
    dist = DRAWN[family](np.random.default_rng(seed), n)
    assert dist.shape == (n,) and np.ptp(dist.mean()) > 0
    return dist


def support(dist, tail=1e-4):
    """The values of all rows of a discrete distribution that have some probability."""
    if hasattr(dist, "values"):
        return dist.values
    return np.arange(np.max(dist.ppf(1 - tail**3)) + 1)


def normal(y, loc, scale):
    z = (y - loc) / scale
    return -z * z / 2 - mp.log(scale) - mp.log(2 * mp.pi) / 2


def student_t(y, df, loc, scale):
    z = (y - loc) / scale
    constant = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2
    return constant - mp.log(scale) - (df + 1) / 2 * mp.log1p(z * z / df)


def laplace(y, loc, scale):
    return -abs(y - loc) / scale - mp.log(2 * scale)


def lognormal(y, mu, sigma):
    return normal(mp.log(y), mu, sigma) - mp.log(y)


def gamma(y, a, scale):
    return (a - 1) * mp.log(y) - y / scale - mp.loggamma(a) - a * mp.log(scale)


def beta(y, a, b):
    constant = mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)
    return (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y) + constant


def poisson(y, mu):
    return y * mp.log(mu) - mu - mp.loggamma(y + 1)


def negative_binomial(y, mu, n):
    count = mp.loggamma(n + y) - mp.loggamma(n) - mp.loggamma(y + 1)
    return count + n * mp.log(n / (n + mu)) + y * mp.log(mu / (n + mu))


def bernoulli(y, p):
    return mp.log(p) if y == 1 else mp.log(1 - p)


# family -> (class, its log-density, extreme rows: y and parameters)
EXTREMES = {
    "normal": (Normal, normal, [
        (0, 0, 1), (40, 0, 1), (-1e8, 3, 1e-3), (1e-300, 0, 1e-300), (1e140, -1e140, 1e-5),
        (700, -700, 1e300), (1, 1, 5e-324),
    ]),
    "student_t": (StudentT, student_t, [
        (0, 3, 0, 1), (1e5, 0.1, 0, 1), (2, 1e4, 0, 1), (5, 1e8, 0, 1), (30, 1e12, 0, 1),
        (1e200, 2.5, 0, 1), (1e300, 1e-3, -1, 1e-3), (0.5, 1e-6, 0, 1), (-7, 123456.7, 1, 0.3),
        (1e9, 1e-300, 0, 1),
    ]),
    "laplace": (Laplace, laplace, [(0, 0, 1), (1e10, 0, 1e-4), (-3, -3, 1e-300), (5, 1e8, 1e7)]),
    "lognormal": (LogNormal, lognormal, [
        (1, 0, 1), (1e-300, 0, 1), (1e300, 700, 0.5), (5e-324, -744, 1e-3), (2, 700, 30),
    ]),
    "gamma": (Gamma, gamma, [
        (1, 2, 1), (1e-300, 0.5, 1), (1e-300, 3, 1), (1e10, 1e10, 1), (1.00001e10, 1e10, 1),
        (3e-8, 1e-8, 1), (1e6, 1e12, 1e-6), (700, 1, 1), (5e7, 1e8, 0.5), (1e300, 2, 1e299),
    ]),
    "beta": (Beta, beta, [
        (0.5, 2, 3), (1e-300, 0.5, 0.5), (1e-12, 1e-3, 1e-3), (1 - 1e-12, 1e-2, 3),
        (0.5, 1e10, 1e10), (0.50001, 1e10, 1e10), (1e-8, 1, 1e8), (0.3, 1e-8, 1e-8),
        (0.9999, 1e6, 100),
    ]),
    "poisson": (Poisson, poisson, [
        (0, 1e-300), (0, 1e5), (3, 1e-10), (10**10, 1e10), (10**10 + 10**6, 1e10), (10**15, 9e14),
        (1000, 1e-5), (7, 7.5),
    ]),
    "negative_binomial": (NegativeBinomial, negative_binomial, [
        (0, 1, 1), (3, 4, 1e12), (0, 1e6, 1e-6), (10**6, 1, 0.1), (5, 1e-8, 2), (10**9, 1e9, 1e9),
        (10**9, 1e9, 0.5), (10, 1e8, 30), (2, 5, 1e-9), (10**4, 1e4, 1e15),
    ]),
    "bernoulli": (Bernoulli, bernoulli, [(1, 1e-300), (0, 1e-300), (0, 1 - 1e-16), (1, 0.3)]),
}  # fmt: skip
