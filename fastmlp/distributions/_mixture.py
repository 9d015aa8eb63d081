"""Mixtures of normal distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import POSITIVE, REAL, check, event, simplex
from fastmlp.distributions._special import HALF_LOG_2PI

NEWTON_STEPS = 100
MODE_STEPS = 500


class NormalMixture(Distribution):
    """Mixtures of k normal distributions.

    p(y) = sum_i w_i phi((y - m_i) / s_i) / s_i. With A(m, s) = E|N(m, s^2)|
    = 2 s phi(m / s) + m (2 Phi(m / s) - 1) [1]_,
    CRPS = sum_i w_i A(y - m_i, s_i) - sum_ij w_i w_j A(m_i - m_j, sqrt(s_i^2 + s_j^2)) / 2.

    Parameters
    ----------
    weights : array-like of shape (..., k)
        At least 0; each row sums to 1 (to 1e-4; what is missing by rounding is added).
    loc : array-like of shape (..., k)
        Means of the components.
    scale : array-like of shape (..., k)
        Standard deviations of the components, > 0.

    Raises
    ------
    ValueError
        A parameter is out of range, or the shapes do not fit together.
    TypeError
        A parameter is not made of real numbers.

    References
    ----------
    .. [1] Grimit, E. P. et al. (2006), The continuous ranked probability score for circular
       variables and its application to mesoscale forecast ensemble verification. QJRMS 132.

    Examples
    --------
    >>> from fastmlp.distributions import NormalMixture
    >>> dist = NormalMixture(weights=[[0.5, 0.5]], loc=[[-2.0, 2.0]], scale=[[1.0, 1.0]])
    >>> dist.mean(), dist.var(), dist.crps([0.0]).round(3)
    (array([0.]), array([5.]), array([0.734]))
    """

    _events = ("weights", "loc", "scale")
    _located = ("loc",)
    _scaled = ("scale",)

    def __init__(self, weights: Any, loc: Any, scale: Any) -> None:
        weights = simplex("weights", event("weights", weights, 1))
        loc, scale = event("loc", loc, 1), event("scale", scale, 1)
        check("loc", loc, REAL)
        check("scale", scale, POSITIVE)
        if not weights.shape[-1] == loc.shape[-1] == scale.shape[-1]:
            raise ValueError(
                "weights, loc and scale need the same number of components, got "
                f"{weights.shape[-1]}, {loc.shape[-1]} and {scale.shape[-1]}."
            )
        self._set(weights=weights, loc=loc, scale=scale)

    def _z(self, y):
        return (np.asarray(y)[..., None] - self.loc) / self.scale

    def _log_parts(self, y):
        """ln w_i p_i(y): of shape (..., k)."""
        return np.log(self.weights / self.scale) - 0.5 * self._z(y) ** 2 - HALF_LOG_2PI

    def _logpdf(self, y):
        parts = self._log_parts(y)
        largest = parts.max(-1, keepdims=True)
        largest = np.where(np.isfinite(largest), largest, 0)
        return np.log(np.exp(parts - largest).sum(-1)) + largest[..., 0]

    def _cdf(self, y):
        return (self.weights * special.ndtr(self._z(y))).sum(-1)

    def _ppf(self, q):
        """Newton's method between the least and the largest quantile of the components."""
        each = self.loc + self.scale * special.ndtri(np.asarray(q))[..., None]
        used = self.weights > 0
        low = np.where(used, each, np.inf).min(-1)
        high = np.where(used, each, -np.inf).max(-1)
        y, limit = (low + high) / 2, np.where(q == 1, high, low)
        finite = np.isfinite(low) & np.isfinite(high)
        y, q, going = np.where(finite, y, 0.0), np.broadcast_to(q, y.shape), finite
        for _ in range(NEWTON_STEPS):
            reached = self._cdf(y)
            gap = reached - q
            low, high = np.where(gap < 0, y, low), np.where(gap < 0, high, y)
            trial = y - log_gap(reached, q) / np.exp(self._logpdf(y))
            inside = (trial > low) & (trial < high)
            trial = np.where(inside, trial, (low + high) / 2)
            moves = np.abs(trial - y) > 4e-16 * (np.abs(low) + np.abs(high))
            y, going = np.where(going & (gap != 0), trial, y), going & moves & (gap != 0)
            if not going.any():
                break
        return np.where(finite, y, limit)

    def _mean(self):
        return (self.weights * self.loc).sum(-1)

    def _var(self):
        away = self.loc - self._mean()[..., None]
        return (self.weights * (self.scale**2 + away**2)).sum(-1)

    def _mode(self):
        """The highest of the peaks that are reached from the components' means.

        Each step goes to the mean of the components, weighted by their share in p(y) and their
        precision, which never lowers p(y).
        """
        starts = [self._climb(self.loc[..., i]) for i in range(self.loc.shape[-1])]
        heights = np.stack([self._logpdf(y) for y in starts])
        best = np.argmax(heights > heights.max(0) - 1e-12, axis=0)
        return np.take_along_axis(np.stack(starts), best[None], 0)[0]

    def _climb(self, y):
        precision, going = self.scale**-2, np.True_
        for _ in range(MODE_STEPS):
            parts = self._log_parts(y)
            share = np.exp(parts - parts.max(-1, keepdims=True)) * precision
            next_ = (share * self.loc).sum(-1) / share.sum(-1)
            moves = np.abs(next_ - y) > 1e-13 * self.scale.min(-1)
            y, going = np.where(going, next_, y), going & moves
            if not going.any():
                break
        return y

    def _square_integral(self):
        total = 0.0
        for i in range(self.loc.shape[-1]):
            spread = np.hypot(self.scale, self.scale[..., i, None])
            z = (self.loc - self.loc[..., i, None]) / spread
            pairs = self.weights * np.exp(-0.5 * z * z - HALF_LOG_2PI) / spread
            total = total + self.weights[..., i] * pairs.sum(-1)
        return total

    def _crps(self, y):
        far = (self.weights * _mean_size(np.asarray(y)[..., None] - self.loc, self.scale)).sum(-1)
        for i in range(self.loc.shape[-1]):
            spread = np.hypot(self.scale, self.scale[..., i, None])
            pairs = self.weights * _mean_size(self.loc - self.loc[..., i, None], spread)
            far = far - 0.5 * self.weights[..., i] * pairs.sum(-1)
        return far

    def _sample(self, rng, shape):
        at = np.zeros(shape, dtype=np.intp)
        uniform, level = rng.random(shape), np.cumsum(self.weights, -1)
        for i in range(level.shape[-1] - 1):
            at += uniform > level[..., i]
        out = rng.standard_normal(shape)
        for i in range(level.shape[-1]):
            chosen = at == i
            out = np.where(chosen, self.loc[..., i] + self.scale[..., i] * out, out)
        return out

    def _qp(self):
        return "mixmod", {}, {"weights": self.weights, "means": self.loc, "stds": self.scale}


def log_gap(reached, q):
    """What Newton's method for ln F(y) = ln q divides by the density; for F(y) = q in upper halves.

    In a lower tail ln F is nearly straight; F is not, and each step would gain a factor of e alone.
    """
    deep = (q < 0.5) & (reached > 0)
    return np.where(deep, reached * (np.log(reached) - np.log(q)), reached - q)


def _mean_size(mean, scale):
    """E|N(mean, scale^2)|."""
    z = mean / scale
    return 2 * scale * np.exp(-0.5 * z * z - HALF_LOG_2PI) + mean * (2 * special.ndtr(z) - 1)
