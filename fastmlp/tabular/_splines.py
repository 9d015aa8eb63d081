"""Numbers as cubic splines: what an additive model of smooth effects is linear in."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import SplineTransformer

from fastmlp.tabular._piecewise import sums

FEW_VALUES = 5  # of a column that stays as it is


class SplineEncoder(TransformerMixin, BaseEstimator):
    """Columns as B-splines, those of few values as they are.

    Parameters
    ----------
    splines : SplineTransformer
        Cubic, linear beyond its knots; is cloned.

    Attributes
    ----------
    smooth_ : ndarray of shape (n_features,)
        Which columns become splines; theirs come first.
    splines_ : SplineTransformer or None
        Of these columns.
    knots_ : ndarray of shape (n_smooth, n_knots)
        Where pieces begin, but for the first, which goes on below; the last goes on above.
    pieces_ : ndarray of shape (n_smooth, n_knots + 1, n_splines, 4)
        Each spline's polynomial in each piece: coefficients of the powers of the distance from its
        first knot.
    """

    smooth_: np.ndarray
    splines_: SplineTransformer | None
    knots_: np.ndarray
    pieces_: np.ndarray

    def __init__(self, splines: SplineTransformer) -> None:
        self.splines = splines

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the knots of X, an ndarray of shape (n_samples, n_features); y is ignored."""
        self.smooth_ = np.array([len(np.unique(x)) > FEW_VALUES for x in X.T])
        self.splines_, self.knots_, self.pieces_ = None, np.zeros((0, 1)), np.zeros((0, 2, 1, 4))
        if self.smooth_.any():
            self.splines_ = clone(self.splines).fit(X[:, self.smooth_])
            found = [_pieces(spline) for spline in self.splines_.bsplines_]
            self.knots_, self.pieces_ = (np.stack(each) for each in zip(*found, strict=True))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The splines of each row, then its other columns."""
        values = _powers_sum(self.pieces_, *self._places(X))
        return np.hstack([values.reshape(len(X), -1), X[:, ~self.smooth_]])

    def effects(self, X: np.ndarray, coef: np.ndarray) -> np.ndarray:
        """``transform(X) @ coef.T``, by one polynomial for each column and piece.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
        coef : ndarray of shape (n_outputs, n_features_out)
        """
        n_smooth, _, n_splines, _ = self.pieces_.shape
        of_splines, others = np.split(coef, [n_smooth * n_splines], axis=1)
        of_splines = of_splines.reshape(-1, n_smooth, n_splines)
        found = np.ascontiguousarray(others @ X[:, ~self.smooth_].T)
        for each, out in zip(of_splines, found, strict=True):
            pieces = np.einsum("js,jpsk->jpk", each, self.pieces_)
            sums(X[:, self.smooth_], self.knots_, pieces, out)
        return found.T

    def _places(self, X):
        """The piece of each number, (n, n_smooth), and its distance from the piece's knot."""
        X = X[:, self.smooth_]
        piece = np.zeros(X.shape, dtype=np.intp)
        for knot in self.knots_.T:
            piece += X >= knot
        columns = np.arange(X.shape[1])
        return piece, X - self.knots_[columns, np.maximum(piece - 1, 0)]

    def pull_back(self, slopes: np.ndarray, X: np.ndarray) -> np.ndarray:
        """d answer / d x, (n, n_outputs, n_features), from that by new columns."""
        n_smooth, _, n_splines, _ = self.pieces_.shape
        derivatives = self.pieces_ * np.arange(4.0)
        derivatives = np.roll(derivatives, -1, axis=-1)  # the constant's zero comes last
        steepness = _powers_sum(derivatives, *self._places(X))
        found = np.empty((*slopes.shape[:2], X.shape[1]))
        of_splines, others = np.split(slopes, [n_smooth * n_splines], axis=2)
        of_splines = of_splines.reshape(*slopes.shape[:2], n_smooth, n_splines)
        found[:, :, self.smooth_] = np.einsum("nojs,njs->noj", of_splines, steepness)
        found[:, :, ~self.smooth_] = others
        return found


def _pieces(spline):
    """Knots of a cubic spline, and its polynomials between them and, linear, beyond the ends."""
    knots = spline.t[3:-3]
    orders = [spline(knots, nu=order) / math.factorial(order) for order in range(4)]
    within = np.stack(orders, axis=-1)  # (n_knots, n_splines, 4)
    within[-1, :, 2:] = 0.0
    below = within[:1].copy()
    below[..., 2:] = 0.0
    return knots, np.concatenate([below, within])


def _powers_sum(pieces, piece, distance):
    """Of pieces, (n_columns, n_pieces, ..., 4): the value of each number's, (n, n_columns, ...)."""
    n_columns, n_pieces = pieces.shape[:2]
    at = piece + n_pieces * np.arange(n_columns)
    distance = distance.reshape(*distance.shape, *[1] * (pieces.ndim - 3))
    total = 0.0
    for power in reversed(range(4)):
        flat = np.ascontiguousarray(pieces[..., power]).reshape(
            n_columns * n_pieces, *pieces.shape[2:-1]
        )
        total = total * distance + flat[at]
    return total
