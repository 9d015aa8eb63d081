"""Cholesky factors by LAPACK without the GIL, which SciPy's own wrappers hold: folds and starts are
fitted in threads, and factors are a large part of a fit.

L is lower triangular, in Fortran's order, zero above the diagonal.
"""

from libc.math cimport isfinite
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport dtrmm
from scipy.linalg.cython_lapack cimport dpotrf, dpotri, dpotrs, dtrtri

import numpy as np

cdef char LEFT = b"L", RIGHT = b"R", LOWER = b"L", PLAIN = b"N", NOT_UNIT = b"N"
cdef int SMALLEST_HALVED = 64  # larger triangles are inverted by halves


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
    cdef Py_ssize_t n = _side(factor), j
    out = np.empty(n)
    cdef double[::1] squares = out
    with nogil:
        _invert(&factor[0, 0], <int> n, <int> n)
        for j in range(n):
            squares[j] = _sum_of_squares(&factor[j, j], n - j)
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


cdef void _invert(double* L, int n, int stride) noexcept nogil:
    """L becomes its inverse: by halves, since LAPACK's own inverse makes half the speed of dtrmm.

    (A 0; B C)^-1 = (A^-1 0; -C^-1 B A^-1 C^-1)
    """
    cdef int half = n // 2, rest = n - half, info
    cdef double minus = -1, one = 1
    cdef double* B = L + half
    cdef double* C = L + half * (stride + 1)
    if n < SMALLEST_HALVED:
        dtrtri(&LOWER, &NOT_UNIT, &n, L, &stride, &info)
        return
    _invert(L, half, stride)
    _invert(C, rest, stride)
    dtrmm(&LEFT, &LOWER, &PLAIN, &NOT_UNIT, &rest, &half, &minus, C, &stride, B, &stride)
    dtrmm(&RIGHT, &LOWER, &PLAIN, &NOT_UNIT, &rest, &half, &one, L, &stride, B, &stride)


cdef double _sum_of_squares(const double* v, Py_ssize_t n) noexcept nogil:
    """In four sums side by side, none of which waits for another."""
    cdef double a = 0, b = 0, c = 0, d = 0
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        a += v[i] * v[i]
        b += v[i + 1] * v[i + 1]
        c += v[i + 2] * v[i + 2]
        d += v[i + 3] * v[i + 3]
        i += 4
    while i < n:
        a += v[i] * v[i]
        i += 1
    return (a + b) + (c + d)


cdef Py_ssize_t _side(double[::1, :] factor) except -1:
    if factor.shape[0] != factor.shape[1] or factor.shape[0] == 0:
        raise ValueError(f"a factor is square, got {factor.shape[0]} x {factor.shape[1]}")
    return factor.shape[0]
