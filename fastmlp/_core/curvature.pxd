"""The second derivative of the loss, shared by products and matrices."""

from fastmlp._core.network cimport Layers, Tape


cdef class Second:
    cdef const double[:, ::1] given_delta
    cdef const double[:, :, ::1] given_Q
    cdef const double[:, :, ::1] given_root
    cdef bint given
    cdef readonly int curvature

    cdef void gradient(self, double *delta, Layers layers, Tape tape, Py_ssize_t start,
                       Py_ssize_t rows) noexcept nogil
    cdef void mul(self, double *rdelta, const double *rraw, Layers layers, const double *raw,
                  const double *y, const double *w, Py_ssize_t start,
                  Py_ssize_t rows) noexcept nogil
    cdef void root_mul(self, double *out, const double *z, Layers layers, const double *raw,
                       const double *y, const double *w, Py_ssize_t start, Py_ssize_t rows,
                       Py_ssize_t depth, double *room) noexcept nogil
    cdef void root(self, double *roots, Layers layers, const double *raw, const double *y,
                   const double *w, Py_ssize_t start, Py_ssize_t rows) noexcept nogil
