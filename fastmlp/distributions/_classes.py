"""Families of classes: Bernoulli, categorical."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import PROBABILITY, check, event, numbers, simplex


class Bernoulli(Distribution):
    """Bernoulli distributions: 1 with probability ``p``, else 0.

    The CRPS of 0 and 1 is Brier's score (y - p)^2.

    Parameters
    ----------
    p : array-like
        Probabilities of 1.

    Raises
    ------
    ValueError
        A probability is not from 0 to 1.
    TypeError
        Probabilities that are not real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Bernoulli
    >>> Bernoulli([0.2, 0.9]).crps([0, 1]).round(3)
    array([0.04, 0.01])
    """

    discrete = True

    def __init__(self, p: Any) -> None:
        p = numbers("p", p)
        check("p", p, PROBABILITY)
        self._set(p=p)

    def _logpdf(self, y):
        return np.where(y == 1, np.log(self.p), np.where(y == 0, np.log1p(-self.p), -np.inf))

    def _cdf(self, y):
        return np.where(y < 0, 0.0, np.where(y < 1, 1 - self.p, 1.0))

    def _ppf(self, q):
        return np.where(q > 1 - self.p, 1.0, 0.0)

    def _mean(self):
        return self.p

    def _var(self):
        return self.p * (1 - self.p)

    def _mode(self):
        return np.where(self.p > 0.5, 1.0, 0.0)

    def _square_integral(self):
        return self.p**2 + (1 - self.p) ** 2

    def _crps(self, y):
        t = np.clip(y, 0, 1)
        return np.abs(y - t) + t * (1 - self.p) ** 2 + (1 - t) * self.p**2

    def _scipy(self):
        return "bernoulli", {"p": self.p}


class Categorical(Distribution):
    """Distributions over classes, given by their probabilities.

    Mean, quantiles and CRPS read the classes as numbers, ``values``, and so as ordered. The CRPS of
    the classes 0, 1, ... is the ranked probability score [1]_.

    Parameters
    ----------
    p : array-like of shape (..., n_classes)
        Probabilities; each row sums to 1 (to 1e-4; what is missing by rounding is added).
    values : array-like of shape (n_classes,), optional
        Increasing numbers that the classes stand for; 0, 1, ... by default.

    Raises
    ------
    ValueError
        Probabilities that are negative or do not sum to 1; values that do not increase.
    TypeError
        An argument is not made of real numbers.

    References
    ----------
    .. [1] Epstein, E. S. (1969), A scoring system for probability forecasts of ranked categories.
       J. Appl. Meteorol. 8.

    Examples
    --------
    >>> from fastmlp.distributions import Categorical
    >>> dist = Categorical([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    >>> dist.mode(), dist.pdf([0, 2]), dist.crps([0, 2])
    (array([0., 1.]), array([0.7, 0.5]), array([0.1 , 0.25]))
    """

    discrete = True
    _events = ("p",)

    def __init__(self, p: Any, values: Any = None) -> None:
        p = simplex("p", event("p", p, 1))
        values = np.arange(p.shape[-1]) if values is None else values
        values = numbers("values", values)
        if values.shape != p.shape[-1:]:
            raise ValueError(
                f"values must have shape {p.shape[-1:]}, one for each class; got {values.shape}."
            )
        if not (np.isfinite(values).all() and (np.diff(values) > 0).all()):
            raise ValueError("values must be finite and increase strictly.")
        self.values = values
        self._set(p=p)

    def _logpdf(self, y):
        at = np.clip(np.searchsorted(self.values, y), 0, len(self.values) - 1)
        at = np.broadcast_to(at, np.broadcast_shapes(at.shape, self.shape))
        p = np.broadcast_to(self.p, at.shape + self.values.shape)
        chosen = np.take_along_axis(p, at[..., None], -1)[..., 0]
        return np.where(self.values[at] == y, np.log(chosen), -np.inf)

    def _cdf(self, y):
        return (self.p * (self.values <= np.asarray(y)[..., None])).sum(-1)

    def _ppf(self, q):
        levels = np.cumsum(self.p, -1)
        # A level that equals a partial sum up to rounding belongs to the lower class.
        low = (levels[..., :-1] < np.asarray(q)[..., None] - 1e-15).sum(-1)
        return self.values[low]

    def _mean(self):
        return self.p @ self.values

    def _var(self):
        return (self.p * (self.values - self._mean()[..., None]) ** 2).sum(-1)

    def _mode(self):
        return self.values[np.argmax(self.p, -1)]

    def _square_integral(self):
        return (self.p**2).sum(-1)

    def _crps(self, y):
        y = np.asarray(y)
        values, levels = self.values, np.cumsum(self.p, -1)[..., :-1]
        below = np.clip(y[..., None], values[:-1], values[1:]) - values[:-1]
        above = np.diff(values) - below
        inside = (below * levels**2 + above * (1 - levels) ** 2).sum(-1)
        return inside + np.maximum(values[0] - y, 0) + np.maximum(y - values[-1], 0)

    def _edges(self):
        values = self.values
        if len(values) == 1:
            return values[0] + np.array([-0.5, 0.5])
        middle = (values[1:] + values[:-1]) / 2
        return np.r_[2 * values[0] - middle[0], middle, 2 * values[-1] - middle[-1]]
