"""Sparse matrices of users, believed in nothing.

SciPy's conversions and products, and the kernels, follow ``indptr`` and ``indices`` wherever these
lead. SciPy's own check looks at them only where ``indptr[-1] > 0``, and at some formats not at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

_SWAPPED = {"csc": True, "csr": False, "bsr": False}


def sound_csr(X: Any):
    """A sparse matrix of any format as CSR whose structure holds and which nobody else can change.

    Parameters
    ----------
    X : sparse matrix or array of shape (n_samples, n_columns)

    Returns
    -------
    csr_matrix or csr_array
        With index arrays of its own and no entries past ``indptr[-1]``; its numbers may be X's.

    Raises
    ------
    ValueError
        Not 2-D, or X points outside of itself.
    """
    if X.ndim != 2:
        raise ValueError(f"A sparse X must be 2-D; got shape {X.shape}.")
    if X.format in _SWAPPED:
        _check_compressed(X, np.asarray(X.indptr), np.asarray(X.indices), np.asarray(X.data))
    elif X.format == "coo":
        _check_coo(X, np.asarray(X.row), np.asarray(X.col), np.asarray(X.data))
    elif X.format == "dia" and (X.data.ndim != 2 or X.offsets.shape != X.data.shape[:1]):
        raise _broken(X, "it needs one offset for each row of data")
    X = X.tocsr()
    indptr, indices, data = np.array(X.indptr), np.array(X.indices), np.asarray(X.data)
    _check_compressed(X, indptr, indices, data)
    stored = int(indptr[-1])
    return type(X)((data[:stored], indices[:stored], indptr), shape=X.shape)


def _check_compressed(X, indptr, indices, data) -> None:
    """The structure of CSR, CSC and BSR matrices."""
    major, minor = X.shape[::-1] if _SWAPPED[X.format] else X.shape
    if X.format == "bsr":
        if data.ndim != 3 or 0 in data.shape[1:] or major % data.shape[1] or minor % data.shape[2]:
            raise _broken(X, f"shape {X.shape} does not consist of blocks {data.shape[1:]}")
        major, minor = major // data.shape[1], minor // data.shape[2]
    elif data.ndim != 1:
        raise _broken(X, f"data must be 1-D, got shape {data.shape}")
    if indptr.ndim != 1 or indptr.dtype.kind not in "iu":
        raise _broken(X, "indptr must be a vector of integers")
    if indptr.size != major + 1:
        raise _broken(X, f"indptr must have {major + 1} entries, got {indptr.size}")
    if indices.ndim != 1 or len(data) != indices.size:
        raise _broken(
            X,
            f"indices must be a vector of {len(data)} entries, one for each of data; got shape "
            f"{indices.shape}",
        )
    if indptr[0] != 0:
        raise _broken(X, f"indptr must begin with 0, got {indptr[0]}")
    if (indptr[1:] < indptr[:-1]).any():
        raise _broken(X, f"indptr falls at entry {int(np.argmax(indptr[1:] < indptr[:-1])) + 1}")
    if indptr[-1] > indices.size:
        raise _broken(X, f"indptr ends at {indptr[-1]}, but there are {indices.size} entries")
    _check_range(X, "indices", indices[: int(indptr[-1])], minor)


def _check_coo(X, row, col, data) -> None:
    if not data.ndim == row.ndim == col.ndim == 1:
        raise _broken(X, "data, row and col must be 1-D")
    if not data.size == row.size == col.size:
        raise _broken(X, f"data, row and col have {data.size}, {row.size} and {col.size} entries")
    _check_range(X, "row", row, X.shape[0])
    _check_range(X, "col", col, X.shape[1])


def _check_range(X, what, index, size) -> None:
    if index.dtype.kind not in "iu":
        raise _broken(X, f"{what} must be integers, got dtype {index.dtype}")
    if index.size and not (index.min() >= 0 and index.max() < size):
        raise _broken(X, f"{what} must be from 0 to {size - 1}, got {index.min()} to {index.max()}")


def _broken(X, why) -> ValueError:
    return ValueError(f"A sparse {X.format.upper()} matrix is broken: {why}.")


def sound(X: Any):
    """Whatever is no sparse matrix as it is; a sparse one as :func:`sound_csr` returns it."""
    return sound_csr(X) if sparse.issparse(X) else X
