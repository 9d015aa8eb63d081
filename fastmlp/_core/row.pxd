"""One row through a network, on weights where they lie."""

from fastmlp._core.kernels cimport real
from fastmlp._core.network cimport Layers

cdef enum:
    STACK = 16384      # bytes of workspace that are taken from the stack

cdef Py_ssize_t brief  # fastmlp.threads.BRIEF

cdef bint is_plain(x, int type_num) noexcept
cdef const void *data_of(x, int type_num, Py_ssize_t rows, Py_ssize_t cols) noexcept
cdef int run_row(Layers layers, const void **W, const void **b, const real *x,
                 const double *mean, const double *scale, real *out) noexcept nogil
