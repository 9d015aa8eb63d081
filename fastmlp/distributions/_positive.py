"""Families with support of their own: log-normal, gamma, beta."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import POSITIVE, REAL, check, numbers
from fastmlp.distributions._special import (
    HALF_LOG_2PI,
    deviance,
    log_beta,
    log_half_rising,
    stirling_error,
)

SQRT_PI = np.sqrt(np.pi)
MOST = np.finfo(np.float64).max


def _edge(log_density, at_edge, a):
    """A log-density that behaves as (a - 1) ln t at an edge, t -> 0: -inf, finite or infinite."""
    return np.where(at_edge & (a > 1), -np.inf, np.where(at_edge & (a < 1), np.inf, log_density))


class LogNormal(Distribution):
    """Log-normal distributions: ln Y is normal with mean ``mu`` and standard deviation ``sigma``.

    CRPS = y (2 Phi(w) - 1) - 2 m (Phi(w - sigma) - Phi(-sigma / sqrt(2))), w = (ln y - mu) / sigma,
    m = exp(mu + sigma^2 / 2) the mean.

    Parameters
    ----------
    mu : array-like
        Means of ln Y.
    sigma : array-like
        Standard deviations of ln Y, > 0.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import LogNormal
    >>> LogNormal(mu=[0.0, 1.0], sigma=0.5).median().round(3)
    array([1.   , 2.718])
    """

    _scaled = ("mu",)

    def __init__(self, mu: Any, sigma: Any) -> None:
        mu, sigma = numbers("mu", mu), numbers("sigma", sigma)
        check("mu", mu, REAL)
        check("sigma", sigma, POSITIVE)
        self._set(mu=mu, sigma=sigma)

    def _affine(self, shift, scale):
        return self._map(lambda name, value: value + np.log(scale) if name == "mu" else value)

    def _z(self, y):
        return (np.log(np.maximum(y, 0)) - self.mu) / self.sigma

    def _logpdf(self, y):
        log = np.log(np.maximum(y, 0))
        density = -0.5 * self._z(y) ** 2 - HALF_LOG_2PI - np.log(self.sigma) - log
        return np.where((y > 0) & (y < np.inf), density, -np.inf)

    def _cdf(self, y):
        return special.ndtr(self._z(y))

    def _ppf(self, q):
        return np.exp(self.mu + self.sigma * special.ndtri(q))

    def _mean(self):
        return np.exp(self.mu + self.sigma**2 / 2)

    def _var(self):
        return np.expm1(self.sigma**2) * np.exp(2 * self.mu + self.sigma**2)

    def _mode(self):
        return np.exp(self.mu - self.sigma**2)

    def _square_integral(self):
        return np.exp(self.sigma**2 / 4 - self.mu) / (2 * SQRT_PI * self.sigma)

    def _crps(self, y):
        w, mean = self._z(y), self._mean()
        gap = special.ndtr(w - self.sigma) - special.ndtr(-self.sigma / np.sqrt(2))
        score = y * (2 * special.ndtr(w) - 1) - 2 * mean * gap
        return np.where(mean < np.inf, score, np.inf)

    def _sample(self, rng, shape):
        return np.exp(self.mu + self.sigma * rng.standard_normal(shape))

    def _scipy(self):
        return "lognorm", {"s": self.sigma, "scale": np.exp(self.mu)}


class Gamma(Distribution):
    """Gamma distributions with shape ``a`` and ``scale``: mean a scale, variance a scale^2.

    p(y) = y^(a - 1) exp(-y / scale) / (Gamma(a) scale^a); with P(y) the distribution function and
    P+(y) that of shape a + 1, CRPS = y (2 P(y) - 1) - a scale (2 P+(y) - 1) - scale / B(1/2, a).

    Parameters
    ----------
    a : array-like
        Shapes, > 0.
    scale : array-like
        Scales, > 0.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Gamma
    >>> dist = Gamma(a=[1.0, 4.0], scale=[2.0, 0.5])
    >>> dist.mean(), dist.std()
    (array([2., 2.]), array([2., 1.]))
    """

    _scaled = ("scale",)

    def __init__(self, a: Any, scale: Any) -> None:
        a, scale = numbers("a", a), numbers("scale", scale)
        check("a", a, POSITIVE)
        check("scale", scale, POSITIVE)
        self._set(a=a, scale=scale)

    def _logpdf(self, y):
        inside = (y > 0) & (y < np.inf)
        y_in = np.where(inside, y, self.scale)
        # (a - 1) ln z - z - ln Gamma(a) - ln scale, in what remains when Stirling is taken out
        log = 0.5 * np.log(self.a) - HALF_LOG_2PI - stirling_error(self.a)
        z = np.minimum(y_in / self.scale, MOST)
        log = log - deviance(self.a, z) - np.log(y_in)
        at_zero = np.where(y == 0, _edge(-np.log(self.scale), y == 0, self.a), -np.inf)
        return np.where(inside, log, at_zero)

    def _cdf(self, y):
        return special.gammainc(self.a, np.maximum(y, 0) / self.scale)

    def _ppf(self, q):
        return self.scale * special.gammaincinv(self.a, q)

    def _mean(self):
        return self.a * self.scale

    def _var(self):
        return self.a * self.scale**2

    def _mode(self):
        return np.maximum(self.a - 1, 0) * self.scale

    def _square_integral(self):
        # Gamma(2a - 1) / (2^(2a - 1) Gamma(a)^2), by Legendre's doubling: Gamma(a - 1/2) / Gamma(a)
        low = np.maximum(self.a - 0.5, 1e-300)
        value = np.exp(-log_half_rising(low)) / (2 * SQRT_PI * self.scale)
        return np.where(self.a > 0.5, value, np.inf)

    def _crps(self, y):
        z = np.maximum(y, 0) / self.scale
        own = y * (2 * special.gammainc(self.a, z) - 1)
        next_ = self.a * (2 * special.gammainc(self.a + 1, z) - 1)
        return own - self.scale * (next_ + np.exp(log_half_rising(self.a)) / SQRT_PI)

    def _sample(self, rng, shape):
        return self.scale * rng.standard_gamma(self.a, shape)

    def _scipy(self):
        return "gamma", {"a": self.a, "scale": self.scale}


class Beta(Distribution):
    """Beta distributions on (0, 1), of mean a / (a + b).

    p(y) = y^(a - 1) (1 - y)^(b - 1) / B(a, b); with I the distribution function and I+ that of
    a + 1, CRPS = y (2 I(y) - 1) + (a / (a + b)) (1 - 2 I+(y)) - 2 B(2a, 2b) / ((a + b) B(a, b)^2).

    Parameters
    ----------
    a, b : array-like
        Shapes at 0 and at 1, > 0.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Beta
    >>> Beta(a=[1.0, 2.0], b=[1.0, 6.0]).mean()
    array([0.5 , 0.25])
    """

    def __init__(self, a: Any, b: Any) -> None:
        a, b = numbers("a", a), numbers("b", b)
        check("a", a, POSITIVE)
        check("b", b, POSITIVE)
        self._set(a=a, b=b)

    def _logpdf(self, y):
        a, b, total = self.a, self.b, self.a + self.b
        inside = (y > 0) & (y < 1)
        t = np.where(inside, y, 0.5)
        log = -deviance(a, total * t) - deviance(b, total * (1 - t)) - np.log(t) - np.log1p(-t)
        log -= stirling_error(a) + stirling_error(b) - stirling_error(total) + HALF_LOG_2PI
        log += 0.5 * (np.log(a) + np.log(b) - np.log(total))
        edges = np.where(y == 0, _edge(np.log(b), y == 0, a), -np.inf)
        edges = np.where(y == 1, _edge(np.log(a), y == 1, b), edges)
        return np.where(inside, log, edges)

    def _cdf(self, y):
        return special.betainc(self.a, self.b, np.clip(y, 0, 1))

    def _ppf(self, q):
        found = special.betaincinv(self.a, self.b, q)
        # SciPy's is NaN for levels as small as 1e-300, where I(y) is y^a / (a B(a, b))
        first = np.exp((np.log(q) + np.log(self.a) + log_beta(self.a, self.b)) / self.a)
        return np.where(np.isnan(found), np.minimum(first, 1.0), found)

    def _mean(self):
        return self.a / (self.a + self.b)

    def _var(self):
        total = self.a + self.b
        return (self.a / total) * (self.b / total) / (total + 1)

    def _mode(self):
        a, b = self.a, self.b
        inner = (a - 1) / (a + b - 2)
        at_edge = np.where((a < 1) & (b < 1), a > b, a > 1)  # two poles: the stronger one
        return np.where((a > 1) & (b > 1), inner, np.where(at_edge, 1.0, 0.0))

    def _square_integral(self):
        a, b = np.maximum(2 * self.a - 1, 1e-300), np.maximum(2 * self.b - 1, 1e-300)
        value = np.exp(log_beta(a, b) - 2 * log_beta(self.a, self.b))
        return np.where((self.a > 0.5) & (self.b > 0.5), value, np.inf)

    def _crps(self, y):
        a, b, total = self.a, self.b, self.a + self.b
        t = np.clip(y, 0, 1)
        own = y * (2 * special.betainc(a, b, t) - 1)
        next_ = 1 - 2 * special.betainc(a + 1, b, t)
        # B(2a, 2b) / B(a, b)^2 = exp(gap) sqrt(a b / (4 pi (a + b))), gap of Stirling errors
        gap = stirling_error(2 * a) + stirling_error(2 * b) - stirling_error(2 * total)
        gap -= 2 * (stirling_error(a) + stirling_error(b) - stirling_error(total))
        spread = np.exp(gap) * np.sqrt(a / total * b) / SQRT_PI / total
        return own + a / total * next_ - spread

    def _sample(self, rng, shape):
        return rng.beta(self.a, self.b, shape)

    def _scipy(self):
        return "beta", {"a": self.a, "b": self.b}
