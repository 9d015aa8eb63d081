"""Families on the real line: normal, Student's t, Laplace."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import POSITIVE, REAL, check, numbers
from fastmlp.distributions._special import HALF_LOG_2PI, log_half_rising

SQRT_PI = np.sqrt(np.pi)


class _LocationScale(Distribution):
    """Y = loc + scale Z: families give the formulas of Z, of mean 0 where it has one."""

    _located = ("loc",)
    _scaled = ("scale",)

    def _place(self, loc, scale, **more):
        parameters = {"loc": numbers("loc", loc), "scale": numbers("scale", scale)}
        check("loc", parameters["loc"], REAL)
        check("scale", parameters["scale"], POSITIVE)
        self._set(**more, **parameters)

    def _z(self, y):
        return (y - self.loc) / self.scale

    def _logpdf(self, y):
        return self._log_density(self._z(y)) - np.log(self.scale)

    def _cdf(self, y):
        return self._probability(self._z(y))

    def _ppf(self, q):
        return self.loc + self.scale * self._quantile(q)

    def _crps(self, y):
        return self.scale * self._score(self._z(y))

    def _mean(self):
        return self.loc

    def _mode(self):
        return self.loc

    def _sample(self, rng, shape):
        return self.loc + self.scale * self._draw(rng, shape)


class Normal(_LocationScale):
    """Normal distributions of mean ``loc`` and standard deviation ``scale``.

    p(y) = exp(-z^2 / 2) / (scale sqrt(2 pi)), z = (y - loc) / scale;
    CRPS = scale (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)).

    Parameters
    ----------
    loc : array-like
        Means.
    scale : array-like
        Standard deviations, > 0; broadcast against ``loc``.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Normal
    >>> dist = Normal(loc=[0.0, 1.0], scale=[1.0, 2.0])
    >>> dist.interval(0.95)[1].round(2)
    array([1.96, 4.92])
    """

    def __init__(self, loc: Any, scale: Any) -> None:
        self._place(loc, scale)

    def _log_density(self, z):
        return -0.5 * z * z - HALF_LOG_2PI

    def _probability(self, z):
        return special.ndtr(z)

    def _quantile(self, q):
        return special.ndtri(q)

    def _score(self, z):
        density = np.exp(self._log_density(z))
        return z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / SQRT_PI

    def _var(self):
        return self.scale**2

    def _square_integral(self):
        return 0.5 / (SQRT_PI * self.scale)

    def _draw(self, rng, shape):
        return rng.standard_normal(shape)

    def _scipy(self):
        return "norm", {"loc": self.loc, "scale": self.scale}


class StudentT(_LocationScale):
    """Student's t distributions: heavier tails than the normal one's, which is df -> infinity.

    p(y) = (1 + z^2 / df)^(-(df + 1) / 2) / (scale sqrt(df) B(1/2, df/2)), z = (y - loc) / scale.

    Parameters
    ----------
    df : array-like
        Degrees of freedom, > 0. The mean exists above 1, the variance above 2.
    loc : array-like
        Medians.
    scale : array-like
        > 0; the standard deviation is scale sqrt(df / (df - 2)).

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import StudentT
    >>> StudentT(df=[3.0, 30.0], loc=0.0, scale=1.0).interval(0.95)[1].round(2)
    array([3.18, 2.04])
    """

    def __init__(self, df: Any, loc: Any, scale: Any) -> None:
        df = numbers("df", df)
        check("df", df, POSITIVE)
        self._place(loc, scale, df=df)

    def _log_density(self, z):
        root = np.abs(z) / np.sqrt(self.df)
        grows = np.where(root > 1e8, 2 * np.log(root), np.log1p(root * root))
        constant = log_half_rising(self.df / 2) - 0.5 * np.log(np.pi * self.df)
        return constant - 0.5 * (self.df + 1) * grows

    def _probability(self, z):
        return special.stdtr(self.df, z)

    def _quantile(self, q):
        # The lower tail alone, by symmetry, where q has all its digits.
        low = np.minimum(q, 1 - q)
        z = special.stdtrit(self.df, low)
        if not np.isfinite(z).all():  # SciPy's is +inf for levels as small as 1e-300
            share = special.betaincinv(self.df / 2, 0.5, 2 * low)  # df / (df + z^2)
            z = np.where(np.isfinite(z), z, -np.sqrt(self.df * (1 / share - 1)))
        z = np.where(q == 0.5, 0.0, np.where((q == 0) | (q == 1), -np.inf, z))
        return np.where(q > 0.5, -z, z)

    def _score(self, z):
        df = self.df
        # B(1/2, df - 1/2) / B(1/2, df / 2)^2, with B(1/2, x) = sqrt(pi) Gamma(x) / Gamma(x + 1/2)
        ratio = np.exp(2 * log_half_rising(df / 2) - log_half_rising(np.maximum(df - 0.5, 0.5)))
        spread = 2 * np.sqrt(df) * ratio / (SQRT_PI * (df - 1))
        density = np.exp(self._log_density(z))
        far = np.where(density > 0, density * (df + z * z), 0.0)
        score = z * (2 * special.stdtr(df, z) - 1) + 2 * far / (df - 1) - spread
        return np.where(df > 1, score, np.inf)

    def _mean(self):
        return np.where(self.df > 1, self.loc, np.nan)

    def _var(self):
        return np.where(self.df > 2, self.scale**2 * self.df / (self.df - 2), np.inf)

    def _square_integral(self):
        # B(1/2, df + 1/2) / (sqrt(df) B(1/2, df / 2)^2)
        ratio = np.exp(2 * log_half_rising(self.df / 2) - log_half_rising(self.df + 0.5))
        return ratio / (SQRT_PI * np.sqrt(self.df) * self.scale)

    def _draw(self, rng, shape):
        return rng.standard_t(self.df, shape)

    def _scipy(self):
        return "t", {"df": self.df, "loc": self.loc, "scale": self.scale}


class Laplace(_LocationScale):
    """Laplace distributions: exponential on both sides of ``loc``.

    ``p(y) = exp(-|z|) / (2 scale)``, ``z = (y - loc) / scale``;
    ``CRPS = scale (|z| + exp(-|z|) - 3/4)``.

    Parameters
    ----------
    loc : array-like
        Means.
    scale : array-like
        Mean absolute deviations, > 0.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Laplace
    >>> Laplace(loc=[0.0, 1.0], scale=1.0).crps([0.0, 1.0])
    array([0.25, 0.25])
    """

    def __init__(self, loc: Any, scale: Any) -> None:
        self._place(loc, scale)

    def _log_density(self, z):
        return -np.abs(z) - np.log(2)

    def _probability(self, z):
        half = 0.5 * np.exp(-np.abs(z))
        return np.where(z > 0, 1 - half, half)

    def _quantile(self, q):
        return np.where(q > 0.5, -np.log(2 * (1 - q)), np.log(2 * q))

    def _score(self, z):
        size = np.abs(z)
        return size + np.exp(-size) - 0.75

    def _var(self):
        return 2 * self.scale**2

    def _square_integral(self):
        return 0.25 / self.scale

    def _draw(self, rng, shape):
        return rng.laplace(size=shape)

    def _scipy(self):
        return "laplace", {"loc": self.loc, "scale": self.scale}
