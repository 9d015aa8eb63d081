"""The one door to BLAS: SciPy's, called on row-major matrices."""

from fastmlp._core.kernels cimport real

# Sizes and strides are below 2**31, which BLAS counts up to: `Layers` and `Source` see to it for
# widths and rows, who multiplies sizes checks the product.

# C[m, n] = op(A)[m, k] op(B)[k, n] + beta C; lda, ldb, ldc are the row strides as stored.
cdef void gemm(real *C, const real *A, const real *B, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
               bint trans_a, bint trans_b, real beta, Py_ssize_t lda, Py_ssize_t ldb,
               Py_ssize_t ldc) noexcept nogil
