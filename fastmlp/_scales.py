"""Scales of columns: learned from blocks of rows, put together, and exchanged under a network."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse

_EPS = np.finfo(np.float64).eps
_TINY = np.finfo(np.float64).tiny
_BLOCK = 1 << 17  # entries that are looked at together: 1 MB, not to hold a second X
# So few rows say too little of a scale for weights to be tied to it: the deviation of ten is
# known to a quarter.
_SETTLED = 10
_MOST_STRETCH = 2.0


@dataclasses.dataclass(frozen=True)
class Moments:
    """Weighted mean and deviation of every column of some rows.

    Attributes
    ----------
    n : int
        Rows of a weight above zero.
    weight : float
        Sum of the weights.
    mean : ndarray of shape (n_columns,)
    root : ndarray of shape (n_columns,)
        sqrt(sum_i w_i (x_i - mean)^2): squares of 1e-200 would be zero, those of 1e200 infinite.
    """

    n: int
    weight: float
    mean: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, X, weights=None, rows=None) -> Moments:
        """Those of X, dense or CSR, or of some rows of it, in float64 and block by block."""
        n_rows, n_columns = X.shape
        entries = X.nnz if sparse.issparse(X) else n_rows * n_columns
        # A block costs some vectors of n_columns, too.
        step = max(1, n_rows * max(_BLOCK, n_columns) // max(1, entries))
        total = cls(0, 0.0, np.zeros(n_columns), np.zeros(n_columns))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for start in range(0, n_rows if rows is None else len(rows), step):
                part = slice(start, start + step)
                if rows is not None:
                    part = rows[part]
                block = X[part]
                w = np.ones(block.shape[0]) if weights is None else weights[part]
                total += cls._of_block(block, w.astype(np.float64, copy=False))
        return total

    @classmethod
    def _of_block(cls, X, w) -> Moments:
        counted = w > 0
        if not counted.all():
            X, w = X[counted], w[counted]
        weight = float(w.sum())
        if not weight:
            return cls(0, 0.0, np.zeros(X.shape[1]), np.zeros(X.shape[1]))
        parts = (_sparse_parts if sparse.issparse(X) else _dense_parts)(X, w / weight)
        return cls(len(w), weight, parts[0], parts[1] * np.sqrt(weight))

    def __add__(self, other: Moments) -> Moments:
        """Those of the rows of both (Chan, Golub & LeVeque 1983)."""
        if not self.n or not other.n:
            return self if self.n else other
        weight = self.weight + other.weight
        share = other.weight / weight
        apart = other.mean - self.mean
        with np.errstate(under="ignore"):
            between = np.abs(apart) * np.sqrt(self.weight * share)
            return Moments(
                self.n + other.n,
                weight,
                self.mean + share * apart,
                np.hypot(np.hypot(self.root, other.root), between),
            )

    @property
    def varies(self) -> np.ndarray:
        """Whether a column does, beyond rounding: by the rule of scikit-learn's StandardScaler."""
        with np.errstate(under="ignore"):
            rounding = self.n * np.abs(self.mean) * _EPS
        deviation = self._deviation() * np.sqrt(max(0.0, 1.0 - self.n * _EPS))
        return deviation > np.maximum(rounding, _TINY)

    @property
    def settled(self) -> np.ndarray:
        """Whether enough rows have been seen of a column that varies."""
        return self.varies & (self.n >= _SETTLED)

    def scales(self, centred: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """What is to be taken off each column, and the deviation to divide by; 1 if constant.

        Raises
        ------
        ValueError
            The values of a column are further apart than the largest float.
        """
        wide = np.flatnonzero(~np.isfinite(self.mean + self.root))
        if wide.size:
            raise ValueError(
                f"Column {wide[0]} has values too far apart for float64 to hold their differences, "
                "which standardize=True needs; divide them by a constant."
            )
        mean = self.mean if centred else np.zeros_like(self.mean)
        return mean, np.where(self.varies, self._deviation(), 1.0)

    def _deviation(self) -> np.ndarray:
        return self.root / np.sqrt(self.weight) if self.n else self.root


def _dense_parts(X, share):
    """Mean and deviation of the columns of a dense block, by weights that add up to one."""
    X = X.astype(np.float64)
    first = X[0].copy()  # from here differences are exact where the mean is large
    X -= first
    mean = share @ X
    X -= mean
    unit = _unit(np.maximum(X.max(axis=0), -X.min(axis=0)))
    X /= unit
    np.square(X, out=X)
    return first + mean, unit * np.sqrt(share @ X)


def _sparse_parts(X, share):
    """The same of a CSR block."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    n, columns = X.shape[1], X.indices
    values, stored = X.data.astype(np.float64), np.repeat(share, np.diff(X.indptr))
    mean = np.bincount(columns, stored * values, minlength=n)
    values -= mean[columns]
    largest = np.abs(mean)
    np.maximum.at(largest, columns, np.abs(values))
    unit = _unit(largest)
    zeros = 1.0 - np.bincount(columns, stored, minlength=n)  # the weight of what is not stored
    zeros[zeros <= len(share) * _EPS] = 0.0
    squares = np.bincount(columns, stored * (values / unit[columns]) ** 2, minlength=n)
    return mean, unit * np.sqrt(squares + zeros * (mean / unit) ** 2)


def _unit(largest):
    """What columns are divided by before they are squared."""
    return np.where(largest > 0, largest, 1.0)


def stretch(before, old_scale, new_scale, settled):
    """How far the weights of each column are stretched, all in all, once its scale is a new one.

    As far as the scale moved: then the network remains the same function. But no further than
    `_MOST_STRETCH` in total: a stream that outgrows its first scales is not well served by
    weights of a hundred times the size at which training works, nor by kinks that all lie where
    its first rows were. (Streams of 60 blocks, spread growing a thousandfold: R2 .21 without the
    limit, .79 with it, .87 with the scales known beforehand.) A column whose scale has not settled
    keeps its weights: it has taught them next to nothing.
    """
    moved = np.clip(before * new_scale / old_scale, 1 / _MOST_STRETCH, _MOST_STRETCH)
    return np.where(settled, moved, before)


def exchange_x_scales(network, theta, old, new, ratio) -> None:
    """Rewrite the first layer for other scales of X, the weights of a feature times its ratio.

    With ratio = new scale / old scale the network remains the same function of X; with another, it
    does where the feature is at its old mean.
    """
    (mean, _), (new_mean, new_scale) = old, new
    coefs, intercepts = network.unpack(theta)
    W = coefs[0] * ratio[:, None]
    coefs[0][...] = W
    intercepts[0][...] = intercepts[0] + ((new_mean - mean) / new_scale) @ W


def exchange_y_scales(network, theta, old, new, ratio) -> None:
    """Rewrite the last layer for other scales of the targets, its weights divided by the ratio.

    With ratio = new scale / old scale, raw scale + mean remains the same function of X.
    """
    (mean, _), (new_mean, new_scale) = old, new
    coefs, intercepts = network.unpack(theta)
    W, b = rescaled(coefs[-1], intercepts[-1], 1 / ratio, (mean - new_mean) / new_scale)
    coefs[-1][...], intercepts[-1][...] = W, b


def rescaled(W, b, scale, shift) -> tuple[np.ndarray, np.ndarray]:
    """The last layer for targets times scale plus shift, both of shape (n_targets,).

    The first n_targets outputs are locations of the targets, further ones logarithms of scales.
    """
    n = scale.size
    log_scales = b[n:] + np.tile(np.log(scale), b.size // n - 1)
    return (
        np.concatenate([W[:, :n] * scale, W[:, n:]], axis=1),
        np.concatenate([b[:n] * scale + shift, log_scales]),
    )
