"""Numbers as cubic splines: what an additive model of smooth effects is linear in."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import SplineTransformer

FEW_VALUES = 5  # of a column that stays as it is


class SplineEncoder(TransformerMixin, BaseEstimator):
    """Columns as B-splines, those of few values as they are.

    Parameters
    ----------
    splines : SplineTransformer
        Linear beyond its knots; is cloned.

    Attributes
    ----------
    smooth_ : ndarray of shape (n_features,)
        Which columns become splines; theirs come first.
    splines_ : SplineTransformer or None
        Of these columns.
    """

    smooth_: np.ndarray
    splines_: SplineTransformer | None

    def __init__(self, splines: SplineTransformer) -> None:
        self.splines = splines

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the knots of X, an ndarray of shape (n_samples, n_features); y is ignored."""
        self.smooth_ = np.array([len(np.unique(x)) > FEW_VALUES for x in X.T])
        self.splines_ = None
        if self.smooth_.any():
            self.splines_ = clone(self.splines).fit(X[:, self.smooth_])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The splines of each row, then its other columns."""
        others = X[:, ~self.smooth_]
        if self.splines_ is None:
            return others
        return np.hstack([self.splines_.transform(X[:, self.smooth_]), others])

    def pull_back(self, slopes: np.ndarray, X: np.ndarray) -> np.ndarray:
        """d answer / d x, (n, n_outputs, n_features), from that by new columns."""
        found = np.empty((*slopes.shape[:2], X.shape[1]))
        columns = np.flatnonzero(self.smooth_)
        splines = [] if self.splines_ is None else self.splines_.bsplines_
        at = 0
        for j, spline in zip(columns, splines, strict=True):
            end = at + spline.c.shape[1]
            within = np.clip(X[:, j], *spline.t[[spline.k, -1 - spline.k]])
            steepness = spline(within, nu=1)[:, np.newaxis]
            found[:, :, j] = (slopes[:, :, at:end] * steepness).sum(axis=2)
            at = end
        found[:, :, ~self.smooth_] = slopes[:, :, at:]
        return found
