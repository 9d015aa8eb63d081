"""The derivatives of the loss in raw, shared by products and matrices."""

from fastmlp._core.tape cimport Tape64


cdef class LossCurvature:
    cdef const double[:, ::1] given_delta
    cdef const double[:, :, ::1] given_Q
    cdef const double[:, :, ::1] given_root
    cdef bint given
    cdef readonly int kind

    cdef double gradient(self, Tape64 tape, Py_ssize_t start, Py_ssize_t rows) noexcept nogil
    cdef void mul(self, double *rdelta, const double *rraw, Tape64 tape, Py_ssize_t start,
                  Py_ssize_t rows, Py_ssize_t ld) noexcept nogil
    cdef void root(self, double *out, const double *z, Tape64 tape, Py_ssize_t start,
                   Py_ssize_t rows, Py_ssize_t depth, double *room) noexcept nogil


cdef void scale(double *m, const double *factors, Py_ssize_t rows, Py_ssize_t depth,
                Py_ssize_t cols, Py_ssize_t ld, Py_ssize_t ld_factors) noexcept nogil
cdef void paired(double *out, const double *left, Py_ssize_t ld_left, const double *right,
                 Py_ssize_t ld_right, Py_ssize_t rows, Py_ssize_t n_left,
                 Py_ssize_t n_right) noexcept nogil
