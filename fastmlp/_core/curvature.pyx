"""The derivatives of the loss in raw, in float64: from the kernels, or given."""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport FM_GGN, FM_HESS
from fastmlp._core.tape cimport compact, loss, spread

GGN = FM_GGN
HESS = FM_HESS


cdef class LossCurvature:
    """The loss's derivatives for a tile: from the kernels, or given for a loss of the user's.

    delta : (n, n_raw) w_i dl/draw and Q : (n, n_raw, n_raw) w_i d2l/draw2, both or neither; for
    the Gauss-Newton matrix also root : (n, n_raw, n_raw), in row k column k of R_i, R_i R_i' = Q_i.

    Its methods are for rows from start on, after a forward sweep; they use the tape's spare.
    Vectors in raw are without gaps where nothing else is said.
    """

    def __cinit__(self, int kind, delta=None, Q=None, root=None):
        self.kind = kind
        self.given = Q is not None
        self.given_delta, self.given_Q, self.given_root = delta, Q, root

    cdef double gradient(self, Tape64 tape, Py_ssize_t start, Py_ssize_t rows) noexcept nogil:
        """tape.delta = w_i dl/draw; the sum of the losses, 0 where it is given."""
        if not self.given:
            return loss(tape, rows)
        spread(tape.delta, &self.given_delta[start, 0], rows, tape.layers.n_raw,
               tape.ld[tape.layers.n_layers])
        return 0

    cdef void mul(self, double *rdelta, const double *rraw, Tape64 tape, Py_ssize_t start,
                  Py_ssize_t rows, Py_ssize_t ld) noexcept nogil:
        """rdelta_i = w_i Q_i rraw_i, ld apart: as the tape's rows are, or without gaps."""
        cdef Py_ssize_t i, k, j, n_raw = tape.layers.n_raw, L = tape.layers.n_layers
        cdef double total
        cdef const double *raw
        if not self.given:
            raw = tape.a[L] if ld == tape.ld[L] else <double *> raw_of(tape, rows)
            kernels.loss_mul(rdelta, rraw, raw, tape.y, tape.w, rows, n_raw, ld,
                             &tape.layers.loss, self.kind)
            return
        for i in range(rows):
            for k in range(n_raw):
                total = 0
                for j in range(n_raw):
                    total += self.given_Q[start + i, k, j] * rraw[i * ld + j]
                rdelta[i * ld + k] = total
            for k in range(n_raw, ld):
                rdelta[i * ld + k] = 0

    cdef void root(self, double *out, const double *z, Tape64 tape, Py_ssize_t start,
                   Py_ssize_t rows, Py_ssize_t depth, double *room) noexcept nogil:
        """out[i, d, :] = R_i z[i, d, :], (rows, depth, n_raw), or without z column d of R_i:
        R_i R_i' = w_i Q_i, where Q_i is that of the GGN. room: 2 n_raw."""
        cdef Py_ssize_t i, d, k, j, at, n_raw = tape.layers.n_raw
        if not self.given:
            kernels.loss_root(out, z, raw_of(tape, rows), tape.y, tape.w, rows, depth, n_raw,
                              &tape.layers.loss, room)
            return
        if z == NULL:
            memcpy(out, &self.given_root[start, 0, 0], rows * n_raw * n_raw * sizeof(double))
            return
        memset(out, 0, rows * depth * n_raw * sizeof(double))
        for i in range(rows):
            for d in range(depth):
                at = (i * depth + d) * n_raw
                for k in range(n_raw):
                    for j in range(n_raw):
                        out[at + j] += self.given_root[start + i, k, j] * z[at + k]


cdef void scale(double *m, const double *factors, Py_ssize_t rows, Py_ssize_t depth,
                Py_ssize_t cols, Py_ssize_t ld, Py_ssize_t ld_factors) noexcept nogil:
    """m[(i, d), j] *= factors[i, j]"""
    cdef Py_ssize_t _i, _d, j
    for _i in range(rows):
        for _d in range(depth):
            for j in range(cols):
                m[j] *= factors[j]
            m += ld
        factors += ld_factors


cdef void paired(double *out, const double *left, Py_ssize_t ld_left, const double *right,
                 Py_ssize_t ld_right, Py_ssize_t rows, Py_ssize_t n_left,
                 Py_ssize_t n_right) noexcept nogil:
    """out[i, (p, q)] = left[i, p] right[i, q]"""
    cdef Py_ssize_t _i, p, q
    for _i in range(rows):
        for p in range(n_left):
            for q in range(n_right):
                out[q] = left[p] * right[q]
            out += n_right
        left += ld_left
        right += ld_right


cdef const double *raw_of(Tape64 tape, Py_ssize_t rows) noexcept nogil:
    """The raw outputs without gaps, in the tape's spare."""
    cdef Py_ssize_t L = tape.layers.n_layers
    compact(tape.spare, tape.a[L], rows, tape.layers.n_raw, tape.ld[L])
    return tape.spare
