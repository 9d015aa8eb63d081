"""The data that users pass: X, y, weights, which rows count; checked once, laid out for sweeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from fastmlp._core import kernels
from fastmlp._numbers import check_unmasked
from fastmlp._sparse import sound_csr


@dataclass(frozen=True)
class Data:
    """Checked rows; :func:`check_data` makes it.

    Attributes
    ----------
    X : ndarray or parts of a CSR matrix
        As ``check_rows`` returns it.
    y : ndarray
        Targets (n_samples, n_targets); for a loss of the user's what they gave, by rows.
    w : ndarray of shape (n_samples,) or None
        Weights.
    index : ndarray of intp or None
        The rows that count; None: all.
    scales : tuple (mean, scale) or None
        The network sees (X - mean) / scale.
    """

    X: Any
    y: np.ndarray
    w: np.ndarray | None
    index: np.ndarray | None
    scales: tuple[np.ndarray, np.ndarray] | None

    @property
    def n_samples(self) -> int:
        """Rows that count."""
        return n_rows(self.X) if self.index is None else self.index.size

    @property
    def weight(self) -> float:
        """The sum of their weights."""
        _, w = self.selected
        return float(self.n_samples) if w is None else float(w.sum(dtype=np.float64))

    @property
    def selected(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Targets and weights of the rows that count."""
        if self.index is None:
            return self.y, self.w
        return self.y[self.index], None if self.w is None else self.w[self.index]

    def take(self, positions: np.ndarray) -> Data:
        """Some of the rows that count; nothing is copied."""
        index = positions if self.index is None else self.index[positions]
        return _counting(replace(self, index=index))

    def reweighted(self, factors: np.ndarray) -> Data:
        """Weights times factors >= 0 of the rows that count; those of 0 count no longer."""
        kept = np.flatnonzero(factors)
        index = kept if self.index is None else self.index[kept]
        w = np.zeros(n_rows(self.X), self.y.dtype if self.w is None else self.w.dtype)
        w[index] = factors[kept] if self.w is None else self.w[index] * factors[kept]
        return _counting(replace(self, w=w, index=index))

    def wide(self) -> Data:
        """Targets and weights in float64; the rows of X as they are."""
        y = self.y.astype(np.float64) if self.y.dtype.kind == "f" else self.y
        return replace(self, y=y, w=None if self.w is None else self.w.astype(np.float64))


def check_data(network, X, y, sample_weight=None, rows=None, scales=None) -> Data:
    """What :meth:`fastmlp.Network.objective` is given, as the sweeps read it.

    Raises
    ------
    ValueError
        Wrong shape or type, NaN or infinity; weights that sum to zero over the rows.
    """
    dtype = network.dtype
    X = check_rows(X, network.n_features, dtype)
    n = n_rows(X)
    return _counting(
        Data(
            X,
            network._targets(y, n),
            check_weights(sample_weight, n, dtype),
            check_rows_index(rows, n),
            check_scales(scales, network.n_features),
        )
    )


def _counting(data: Data) -> Data:
    if data.weight <= 0:
        raise ValueError("sample_weight sums to zero over the rows: none would count.")
    return data


def check_rows(X: Any, n_features: int, dtype: np.dtype):
    """X as Source reads it: an aligned ndarray of this dtype, or the parts of a CSR matrix.

    Numbers are not copied where dtype and layout fit; strides may be any. Indices always are: what
    was checked here is what the sweeps follow, whatever happens to X meanwhile.
    """
    if sparse.issparse(X):
        return _check_csr(X, n_features, dtype)
    check_unmasked("X", X)
    X = np.asarray(X)
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must be numeric, got dtype {X.dtype}.")
    if X.ndim != 2:
        raise ValueError(f"X must be 2-D, (n_samples, {n_features}); got shape {X.shape}.")
    _check_shape(X.shape, n_features)
    with np.errstate(over="ignore"):  # found below, as infinity
        X = X.astype(dtype, copy=False)
    if not X.flags.aligned or any(stride % X.itemsize for stride in X.strides):
        X = X.copy()
    if not all_finite(X):
        raise ValueError("X holds NaN or infinity (or values too large for its dtype).")
    return X


def _check_csr(X, n_features: int, dtype: np.dtype):
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must be numeric, got dtype {X.dtype}.")
    X = sound_csr(X)
    _check_shape(X.shape, n_features)
    with np.errstate(over="ignore"):
        data = plain(X.data, dtype)
        if not X.has_canonical_format:  # an entry once, so that it can be squared
            X = type(X)((data.copy(), X.indices, X.indptr), shape=X.shape)
            X.sum_duplicates()
            data = X.data
    if not all_finite(data):
        raise ValueError("X holds NaN or infinity (or values too large for its dtype).")
    return data, plain(X.indices, np.intp), plain(X.indptr, np.intp), X.shape


def _check_shape(shape: tuple[int, ...], n_features: int) -> None:
    if shape[0] == 0:
        raise ValueError(f"X is empty: shape {shape}.")
    if shape[1] != n_features:
        raise ValueError(f"X has {shape[1]} features, the network takes {n_features}.")


def check_scales(scales: Any, n_features: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and scale of each column, as Source reads them; None stays None."""
    if scales is None:
        return None
    mean, scale = (
        check_vector(part, n_features, np.dtype(np.float64), f"{what} of the scales")
        for part, what in zip(scales, ("mean", "scale"), strict=True)
    )
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError("scales must be a finite mean and a finite scale > 0 of each column.")
    return mean, scale


def n_rows(X) -> int:
    """Number of rows of what check_rows returned."""
    return X[3][0] if isinstance(X, tuple) else X.shape[0]


def as_given(X):
    """What check_rows returned, as an ndarray or a CSR matrix."""
    if not isinstance(X, tuple):
        return X
    data, indices, indptr, shape = X
    return sparse.csr_matrix((data, indices, indptr), shape=shape)


def plain(array: np.ndarray, dtype: Any) -> np.ndarray:
    """An array as C reads it: contiguous, aligned, of this dtype; a copy only where it is not."""
    array = np.ascontiguousarray(array, dtype)
    return array if array.flags.aligned else array.copy()


def all_finite(X: np.ndarray) -> bool:
    """Whether no entry of float data is NaN or infinite, as a rule without a temporary like X."""
    if X.flags.forc:
        return kernels.finite(X.ravel(order="K"))
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(X)
    return bool(np.isfinite(total) or np.isfinite(X).all())


def check_weights(sample_weight: Any, n: int, dtype: np.dtype) -> np.ndarray | None:
    """Non-negative finite weights of n rows, not all zero; None stays None."""
    if sample_weight is None:
        return None
    check_unmasked("sample_weight", sample_weight)
    w = np.asarray(sample_weight)
    if w.dtype.kind not in "fiub":
        raise ValueError(f"sample_weight must be numeric, got dtype {w.dtype}.")
    if w.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), got {w.shape}.")
    if not np.isfinite(w).all() or (w < 0).any():
        row = int(np.argmax(~np.isfinite(w) | (w < 0)))
        raise ValueError(f"sample_weight must be finite and >= 0; entry {row} is {w[row]}.")
    if not w.any():
        raise ValueError("sample_weight sums to zero: no row would count.")
    with np.errstate(over="ignore"):
        cast = plain(w, dtype)
        total, most = float(cast.sum(dtype=np.float64)), float(np.finfo(dtype).max)
    if not 1 / most < total < most:
        raise ValueError(
            f"sample_weight sums to {total:.3g}, which {np.dtype(dtype).name} does not hold with "
            "its inverse; multiply the weights by a constant."
        )
    return cast


def check_vector(v: Any, size: int, dtype: np.dtype, what: str) -> np.ndarray:
    """A contiguous, aligned vector of this size."""
    if type(v) is np.ndarray and v.dtype is dtype and v.shape == (size,) and v.flags.forc:
        return v if v.flags.aligned else v.copy()  # as at every step of a solver
    v = np.asarray(v)
    if v.dtype.kind not in "fiub":
        raise ValueError(f"{what} must be numeric, got dtype {v.dtype}.")
    if v.shape != (size,):
        raise ValueError(f"{what} must have shape ({size},), got {v.shape}.")
    with np.errstate(over="ignore"):
        return plain(v, dtype)


def check_rows_index(rows: Any, n: int, what: str = "rows") -> np.ndarray | None:
    """A copy of indices of rows, each from 0 to n - 1; None stays None."""
    if rows is None:
        return None
    index = np.array(rows)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
        raise ValueError(
            f"{what} must be a non-empty 1-D array of integers, got an array of shape "
            f"{index.shape} and dtype {index.dtype}."
        )
    if index.min() < 0 or index.max() >= n:
        raise ValueError(f"{what} must be from 0 to {n - 1}, got {index.min()} to {index.max()}.")
    return plain(index, np.intp)
