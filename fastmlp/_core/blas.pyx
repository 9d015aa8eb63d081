"""The one door to BLAS: SciPy's, called on row-major matrices.

A row-major C = A B is the column-major C' = B' A', so the operands change places.
"""

from scipy.linalg.cython_blas cimport dgemm, sgemm


cdef void gemm(real *C, const real *A, const real *B, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
               bint trans_a, bint trans_b, real beta, Py_ssize_t lda, Py_ssize_t ldb,
               Py_ssize_t ldc) noexcept nogil:
    cdef char ta = b"T" if trans_a else b"N"
    cdef char tb = b"T" if trans_b else b"N"
    cdef int m_ = <int> m, n_ = <int> n, k_ = <int> k
    cdef int lda_ = <int> lda, ldb_ = <int> ldb, ldc_ = <int> ldc
    cdef real one = 1
    if real is float:
        sgemm(&tb, &ta, &n_, &m_, &k_, &one, <float *> B, &ldb_, <float *> A, &lda_, &beta, C,
              &ldc_)
    else:
        dgemm(&tb, &ta, &n_, &m_, &k_, &one, <double *> B, &ldb_, <double *> A, &lda_, &beta, C,
              &ldc_)
