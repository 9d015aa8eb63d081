"""The gradient of a first layer of sparse rows: rows for the features that occur (csr_body.h)."""

from fastmlp._core.kernels cimport fm_update_t, real


cdef struct SparseGrad:
    Py_ssize_t fan_in, fan_out, ld    # ld: length of its rows
    size_t places                     # bytes before the rows, where place[fan_in + 1] lies

cdef SparseGrad sparse_grad(Py_ssize_t fan_in, Py_ssize_t fan_out, size_t itemsize) noexcept nogil
cdef Py_ssize_t *places(SparseGrad g, const real *grad) noexcept nogil
cdef void clear_rows(SparseGrad g, real *grad) noexcept nogil
cdef void fill_rows(SparseGrad g, real *grad) noexcept nogil
cdef void add_rows(SparseGrad g, real *grad, const real *other) noexcept nogil
cdef void spread_rows(SparseGrad g, real *flat, const real *grad) noexcept nogil
cdef double update_rows(SparseGrad g, real *W, real *first, real *second, const fm_update_t *u,
                        const fm_update_t *u_biases, double l2, double l2_biases, real ***grads,
                        int share, int shares) noexcept nogil
cdef void regularise_rows(SparseGrad g, real *grad, const real *W, double *sums,
                          const fm_update_t *u, const fm_update_t *u_biases) noexcept nogil
