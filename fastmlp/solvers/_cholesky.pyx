"""Cholesky factors by LAPACK without the GIL, which SciPy's own wrappers hold: folds and starts are
fitted in threads, and factors are a large part of a fit.

L is lower triangular, in Fortran's order, zero above the diagonal.
"""

from libc.math cimport isfinite
from libc.string cimport memcpy, memset
from scipy.linalg.cython_lapack cimport dpotrf, dpotri, dpotrs, dtrtri

import numpy as np

cdef char LOWER = b"L", NOT_UNIT = b"N"


def factor(const double[:, ::1] matrix, diagonal):
    """L with L L' = matrix + diag(diagonal).

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        Symmetric, of which the upper triangle is read.
    diagonal : float or ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, n)
    None
        Where the matrix is not finite or not positive definite.
    """
    cdef Py_ssize_t n = matrix.shape[0], i
    cdef int order = <int> n, info
    cdef bint finite = True
    if matrix.shape[1] != n:
        raise ValueError(f"the matrix must be square, got {n} x {matrix.shape[1]}")
    added = np.ascontiguousarray(diagonal, dtype=np.float64)
    if np.ndim(diagonal) == 0:
        added = np.full(n, diagonal, dtype=np.float64)
    if added.shape != (n,):
        raise ValueError(f"the diagonal must have {n} entries, got shape {added.shape}")
    cdef const double[::1] more = added
    # A row from the diagonal on is a column of the lower triangle as LAPACK sees it.
    turned = np.empty((n, n))
    cdef double[:, ::1] L = turned
    with nogil:
        for i in range(n):
            memset(&L[i, 0], 0, i * sizeof(double))
            memcpy(&L[i, i], &matrix[i, i], (n - i) * sizeof(double))
            L[i, i] += more[i]
        dpotrf(&LOWER, &order, &L[0, 0], &order, &info)
        for i in range(n):  # NaN anywhere has come to the diagonal of its row
            finite = finite and isfinite(L[i, i])
    return turned.T if info == 0 and finite else None


def solve(double[::1, :] factor, rhs):
    """x with L L' x = rhs, of shape (n,) or (n, k)."""
    cdef int n = <int> factor.shape[0], k, info
    x = np.array(rhs, dtype=np.float64, order="F")
    if factor.shape[1] != n or x.ndim not in (1, 2) or x.shape[0] != n:
        raise ValueError(f"a factor of {n} rows does not fit a right-hand side of {x.shape}")
    cdef double[::1] flat = x.reshape(-1, order="F")
    k = <int> (1 if x.ndim == 1 else x.shape[1])
    if flat.shape[0]:
        with nogil:
            dpotrs(&LOWER, &n, &k, &factor[0, 0], &n, &flat[0], &n, &info)
    return x


def inverse_diagonal(double[::1, :] factor):
    """The diagonal of (L L')^-1, (n,); L becomes its inverse."""
    cdef Py_ssize_t n = _side(factor), i, j
    cdef int order = <int> n, info
    cdef double total
    out = np.empty(n)
    cdef double[::1] squares = out
    with nogil:
        dtrtri(&LOWER, &NOT_UNIT, &order, &factor[0, 0], &order, &info)
        for j in range(n):
            total = 0
            for i in range(j, n):
                total += factor[i, j] * factor[i, j]
            squares[j] = total
    return out


def inverse(double[::1, :] factor):
    """(L L')^-1, (n, n)."""
    cdef Py_ssize_t n = _side(factor), i, j
    cdef int order = <int> n, info
    out = np.array(factor, order="F")
    cdef double[::1, :] R = out
    with nogil:
        dpotri(&LOWER, &order, &R[0, 0], &order, &info)
        for j in range(n):
            for i in range(j):
                R[i, j] = R[j, i]
    return out


cdef Py_ssize_t _side(double[::1, :] factor) except -1:
    if factor.shape[0] != factor.shape[1] or factor.shape[0] == 0:
        raise ValueError(f"a factor is square, got {factor.shape[0]} x {factor.shape[1]}")
    return factor.shape[0]
