"""One step of an optimiser on the parameters of a tape."""

from fastmlp._core.kernels cimport fm_update_t, real
from fastmlp._core.tape cimport Tape, tape_t


cdef class Step:
    cdef fm_update_t *segment             # (n_segments,)
    cdef const double[::1] rate_factors   # (n_segments,) or None
    cdef Py_ssize_t n_segments
    cdef const double[::1] strengths, decays    # (n_segments,)
    cdef double weight_decay, max_norm
    cdef bint turns                       # whether W' is wanted after the step

    cdef void rate(self, double rate, long long t) noexcept nogil
    cdef void scale(self, double scale, bint penalised) noexcept nogil


cdef double one_step(tape_t tape, Step step, double scale) noexcept nogil
cdef double share_of_step(tape_t tape, Step step, void **grads, int share,
                          int shares) noexcept nogil
