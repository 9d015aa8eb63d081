"""What happens to the data before the network sees it: weights, scales, validation split."""

from __future__ import annotations

import math
import numbers

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_array

_CHUNK = 4096


def check_weights(weights, n_samples: int, name: str = "sample_weight", may_vanish: bool = False):
    """Sample weights as a float vector, or None.

    Raises
    ------
    ValueError
        If they are not one finite, non-negative number per sample, or all zero, unless they
        may vanish.
    """
    if weights is None:
        return None
    if isinstance(weights, numbers.Number):
        weights = np.full(n_samples, weights, dtype=np.float64)
    weights = check_array(
        weights, ensure_2d=False, dtype=(np.float64, np.float32), input_name=name, order="C"
    )
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    if weights.shape != (n_samples,):
        raise ValueError(f"{name}.shape == {weights.shape}, expected {(n_samples,)}!")
    negative = np.flatnonzero(weights < 0)
    if negative.size:
        raise ValueError(
            f"Negative values in data passed to `{name}`: {name}[{negative[0]}] = "
            f"{weights[negative[0]]}."
        )
    if not (may_vanish or weights.any()):
        raise ValueError(f"Sample weights must contain at least one non-zero number ({name}).")
    return weights


def split(n_samples: int, fraction: float, rng, stratify=None, weights=None, balance=None):
    """Rows to train on and rows to validate on, drawn as scikit-learn's MLP draws them.

    Parameters
    ----------
    n_samples : int
    fraction : float
        Of the rows that count: those with a weight.
    rng : RandomState
    stratify : ndarray of shape (n_samples,) or None
        Both parts have its values in equal shares.
    weights : ndarray of shape (n_samples,) or None
    balance : ndarray of shape (n_samples,) or None
        As ``stratify``, where there are enough of each.
    """
    rows = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
    if stratify is not None and len(rows) < n_samples:
        stratify, balance = None, stratify  # as scikit-learn's error would not be of this data
    if balance is not None and _can_be_balanced(balance[rows], fraction):
        stratify = balance
    counted = "" if len(rows) == n_samples else f", {len(rows)} of them with a weight"
    too_small = ValueError(
        "The validation set is too small. Increase 'validation_fraction' or the size of your "
        f"dataset ({n_samples} samples{counted}, validation_fraction={fraction})."
    )
    if counted and len(rows) < 2:
        raise too_small
    train, validation = train_test_split(
        rows,
        random_state=rng,
        test_size=fraction,
        stratify=None if stratify is None else stratify[rows],
    )
    if len(validation) < 2:
        raise too_small
    return train, validation


def _can_be_balanced(values, fraction):
    """Whether ``train_test_split`` can give both parts some of each value."""
    counts = np.unique(values, return_counts=True)[1]
    n_validation = math.ceil(fraction * len(values))
    room = min(n_validation, len(values) - n_validation)
    return len(counts) > 0 and counts.min() > 1 and room >= len(counts)


def rows_as_given(given, checked, rows=None):
    """Rows of data (None: all), as the user's own frame or series where it is one."""
    if hasattr(given, "iloc") or type(given).__module__.startswith("polars"):
        return given if rows is None else _safe_indexing(given, rows)
    return checked if rows is None else checked[rows]


def take(rows, *arrays):
    """The rows of several arrays, some of which may be None."""
    return tuple(None if array is None else array[rows] for array in arrays)


def scales(X, weights, rows=None):
    """Mean and standard deviation of each column; sparse data has no mean taken off.

    As scikit-learn's ``StandardScaler`` has them, a constant column's deviation being 1.
    """
    if rows is not None:
        X, weights = take(rows, X, weights)
    n_samples = X.shape[0]
    w = np.ones(n_samples) if weights is None else weights.astype(np.float64)
    w /= w.sum()
    mean = np.asarray(X.T @ w, dtype=np.float64)
    variance = np.zeros_like(mean)
    if sp.issparse(X):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        stored = np.repeat(w, np.diff(X.indptr))
        squares = stored * (X.data - mean[X.indices]) ** 2
        variance += np.bincount(X.indices, squares, minlength=len(mean))
        zeros = 1.0 - np.bincount(X.indices, stored, minlength=len(mean))  # their weight
        variance += np.where(zeros > n_samples * np.finfo(np.float64).eps, zeros, 0.0) * mean**2
    else:
        for start in range(0, n_samples, _CHUNK):  # not to hold a second X
            part = slice(start, start + _CHUNK)
            variance += w[part] @ (X[part] - mean) ** 2
    eps = np.finfo(X.dtype).eps
    constant = variance <= n_samples * eps * variance + (n_samples * mean * eps) ** 2
    scale = np.where(constant, 1.0, np.sqrt(np.maximum(variance, 0.0)))
    return (np.zeros_like(mean) if sp.issparse(X) else mean), scale


def apply_scales(X, mean, scale):
    """(X - mean) / scale in X's own dtype; a sparse X stays sparse if there is no mean."""
    dtype = X.dtype
    if sp.issparse(X):
        if not mean.any():
            data = (X.data / scale[X.indices]).astype(dtype, copy=False)
            return sp.csr_matrix((data, X.indices, X.indptr), shape=X.shape)
        X = X.toarray()
    return ((X - mean) / scale).astype(dtype, copy=False)
