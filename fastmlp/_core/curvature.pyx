"""Second-order sweeps, in float64: Jacobians, curvature products, curvature matrices."""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm
from fastmlp._core.kernels cimport FM_GGN, FM_HESS
from fastmlp._core.network cimport (
    Layers,
    Source,
    Tape,
    check_signals,
    first_of,
    forward,
    load,
    tiles,
)

import numpy as np

from fastmlp._core.network import check_count

GGN = FM_GGN
HESS = FM_HESS


cdef Py_ssize_t widest(Layers layers) noexcept:
    cdef Py_ssize_t l, w = 0
    for l in range(layers.n_layers + 1):
        w = max(w, layers.width[l])
    return w


cdef Py_ssize_t total_width(Layers layers) noexcept:
    cdef Py_ssize_t l, w = 0
    for l in range(layers.n_layers + 1):
        w += layers.width[l]
    return w


def jacobian(Layers layers, Source source, Tape tape, const double[::1] theta,
             double[:, :, ::1] out, const Py_ssize_t[::1] index, bint of_inputs):
    """d raw / d theta into out (n, n_raw, n_params), or d raw / d x into (n, n_raw, n_features).

    One backward sweep carries all outputs: G_l[i, k, :] = d raw_k / d z_l of row i.
    """
    cdef Py_ssize_t n = out.shape[0], n_raw = layers.n_raw, L = layers.n_layers
    cdef Py_ssize_t tile, start, rows, l, i, k, fan_in, fan_out, stride
    cdef const Py_ssize_t *rows_of = first_of(index)
    check_count(2, tape.rows, n_raw, widest(layers))
    cdef double[::1] room = np.empty(2 * tape.rows * n_raw * widest(layers))
    cdef double[::1] slopes = np.empty(tape.rows * widest(layers))
    cdef double *G
    cdef double *next_G
    cdef double *swap
    cdef const double *W
    cdef double last = 0
    with nogil:
        for tile in range(tiles(n, tape)):
            start = tile * tape.rows
            rows = min(tape.rows, n - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_targets, <double *> NULL)
            forward(layers, &theta[0], tape, rows, False)
            G, next_G = &room[0], &room[room.shape[0] // 2]
            memset(G, 0, rows * n_raw * n_raw * sizeof(double))
            for i in range(rows):
                for k in range(n_raw):
                    G[(i * n_raw + k) * n_raw + k] = 1
            for l in range(L, 0, -1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                W = &theta[layers.offset[l - 1]]
                if not of_inputs:
                    for i in range(rows):
                        for k in range(n_raw):
                            outer(&out[start + i, k, layers.offset[l - 1]],
                                  <const double *> tape.a[l - 1] + i * stride,
                                  G + (i * n_raw + k) * fan_out, fan_in, fan_out)
                    if l == 1:
                        break
                gemm(next_G, G, W, rows * n_raw, fan_in, fan_out, False, True, 0, fan_out,
                     fan_out, fan_in)
                if l == 1:
                    memcpy(&out[start, 0, 0], next_G, rows * n_raw * fan_in * sizeof(double))
                    break
                kernels.slope(&slopes[0], <const double *> tape.z[l - 1],
                              <const double *> tape.a[l - 1], rows * fan_in,
                              &layers.activation[l - 2])
                scale_rows(next_G, &slopes[0], rows, n_raw, fan_in)
                swap = G
                G = next_G
                next_G = swap


cdef void outer(double *block, const double *a, const double *g, Py_ssize_t fan_in,
                Py_ssize_t fan_out) noexcept nogil:
    """One layer's stretch of a Jacobian row: a g' for the weights, then g for the biases."""
    cdef Py_ssize_t p, j
    for p in range(fan_in):
        for j in range(fan_out):
            block[p * fan_out + j] = a[p] * g[j]
    memcpy(block + fan_in * fan_out, g, fan_out * sizeof(double))


cdef void scale_rows(double *m, const double *s, Py_ssize_t rows, Py_ssize_t depth,
                     Py_ssize_t cols) noexcept nogil:
    """m[i, d, c] *= s[i, c]"""
    cdef Py_ssize_t i, d, c
    for i in range(rows):
        for d in range(depth):
            for c in range(cols):
                m[(i * depth + d) * cols + c] *= s[i * cols + c]


cdef class Second:
    """The loss's derivatives for a tile: from the kernels, or given for a loss of the user's.

    delta : (n, n_raw) w_i dl/draw and Q : (n, n_raw, n_raw) w_i d2l/draw2, both or neither; for
    the Gauss-Newton matrix also root : (n, n_raw, n_raw), in row k column k of R_i, R_i R_i' = Q_i.
    """

    def __cinit__(self, int curvature, delta=None, Q=None, root=None):
        self.curvature = curvature
        self.given = Q is not None
        self.given_delta, self.given_Q, self.given_root = delta, Q, root

    cdef void gradient(self, double *delta, Layers layers, Tape tape, Py_ssize_t start,
                       Py_ssize_t rows) noexcept nogil:
        if self.given:
            memcpy(delta, &self.given_delta[start, 0], rows * layers.n_raw * sizeof(double))
        else:
            kernels.loss(delta, <const double *> tape.a[layers.n_layers],
                         <const double *> tape.y, <const double *> tape.w, rows, layers.n_raw,
                         &layers.loss)

    cdef void mul(self, double *rdelta, const double *rraw, Layers layers, const double *raw,
                  const double *y, const double *w, Py_ssize_t start,
                  Py_ssize_t rows) noexcept nogil:
        """rdelta_i = w_i Q_i rraw_i, i from start on; raw, y, w of these rows without gaps."""
        cdef Py_ssize_t i, k, j, n_raw = layers.n_raw
        cdef double total
        if not self.given:
            kernels.loss_mul(rdelta, rraw, raw, y, w, rows, n_raw, &layers.loss, self.curvature)
            return
        for i in range(rows):
            for k in range(n_raw):
                total = 0
                for j in range(n_raw):
                    total += self.given_Q[start + i, k, j] * rraw[i * n_raw + j]
                rdelta[i * n_raw + k] = total

    cdef void root(self, double *roots, Layers layers, const double *raw, const double *y,
                   const double *w, Py_ssize_t start, Py_ssize_t rows) noexcept nogil:
        """roots[i, k, :] = column k of R_i, R_i R_i' = w_i Q_i, where Q_i is that of the GGN."""
        cdef Py_ssize_t n_raw = layers.n_raw
        if self.given:
            memcpy(roots, &self.given_root[start, 0, 0], rows * n_raw * n_raw * sizeof(double))
        else:
            kernels.loss_root(roots, raw, y, w, rows, n_raw, &layers.loss)

    cdef void root_mul(self, double *out, const double *z, Layers layers, const double *raw,
                       const double *y, const double *w, Py_ssize_t start, Py_ssize_t rows,
                       Py_ssize_t depth, double *room) noexcept nogil:
        """out[i, d, :] = R_i z[i, d, :], (rows, depth, n_raw); room: 2 n_raw."""
        cdef Py_ssize_t i, d, k, j, at, n_raw = layers.n_raw
        if not self.given:
            kernels.loss_root_mul(out, z, raw, y, w, rows, depth, n_raw, &layers.loss, room)
            return
        memset(out, 0, rows * depth * n_raw * sizeof(double))
        for i in range(rows):
            for d in range(depth):
                at = (i * depth + d) * n_raw
                for k in range(n_raw):
                    for j in range(n_raw):
                        out[at + j] += self.given_root[start + i, k, j] * z[at + k]


def product(double[::1] out, Layers layers, Source source, Tape tape, const double[::1] theta,
            const double[::1] v, const Py_ssize_t[::1] index, Py_ssize_t begin, Py_ssize_t end,
            Second second):
    """out += H v or G v of the summed loss over rows begin .. end, without the matrix.

    (Pearlmutter 1994; Schraudolph 2002.)

    Tangents along v go forward, the loss's second derivative turns them into rdelta, and the
    ordinary backward sweep carries them home; the exact product adds the terms in which v moves
    the weights and the slopes of that sweep.
    """
    cdef Py_ssize_t L = layers.n_layers, n_raw = layers.n_raw, wide = widest(layers)
    cdef Py_ssize_t start, rows, l, i, fan_in, fan_out, stride
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef bint exact = second.curvature == FM_HESS
    cdef double[::1] rz_room = np.empty(tape.rows * total_width(layers))
    cdef double[::1] ra_room = np.empty(tape.rows * total_width(layers))
    cdef double[:, ::1] work = np.empty((6, tape.rows * wide))
    cdef Py_ssize_t[::1] at = np.concatenate(
        [[0], np.cumsum([layers.width[l] for l in range(L + 1)])]) * tape.rows
    cdef double *delta
    cdef double *rdelta
    cdef double *da
    cdef double *rda
    cdef double *s = &work[4, 0]
    cdef double *c = &work[5, 0]
    cdef const double *W
    cdef const double *V
    cdef double *swap
    cdef double last = 0
    with nogil:
        start = begin
        while start < end:
            rows = min(tape.rows, end - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_targets, <double *> NULL)
            forward(layers, &theta[0], tape, rows, False)
            delta, rdelta, da, rda = &work[0, 0], &work[1, 0], &work[2, 0], &work[3, 0]
            for l in range(1, L + 1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                W, V = &theta[layers.offset[l - 1]], &v[layers.offset[l - 1]]
                gemm(&rz_room[at[l]], <const double *> tape.a[l - 1], V, rows, fan_out, fan_in,
                     False, False, 0, stride, fan_out, fan_out)
                if l > 1:
                    gemm(&rz_room[at[l]], &ra_room[at[l - 1]], W, rows, fan_out, fan_in, False,
                         False, 1, fan_in, fan_out, fan_out)
                add_rows(&rz_room[at[l]], V + fan_in * fan_out, rows, fan_out)
                if l < L:
                    kernels.slope(s, <const double *> tape.z[l], <const double *> tape.a[l],
                                  rows * fan_out, &layers.activation[l - 1])
                    for i in range(rows * fan_out):
                        ra_room[at[l] + i] = s[i] * rz_room[at[l] + i]
            second.mul(rdelta, &rz_room[at[L]], layers, <const double *> tape.a[L],
                       <const double *> tape.y, <const double *> tape.w, start, rows)
            if exact:
                second.gradient(delta, layers, tape, start, rows)
            for l in range(L, 0, -1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                W, V = &theta[layers.offset[l - 1]], &v[layers.offset[l - 1]]
                gemm(&out[layers.offset[l - 1]], <const double *> tape.a[l - 1], rdelta, fan_in,
                     fan_out, rows, True, False, 1, stride, fan_out, fan_out)
                kernels.column_sums(&out[layers.offset[l] - fan_out], rdelta, rows, fan_out)
                if l == 1:
                    break
                gemm(rda, rdelta, W, rows, fan_in, fan_out, False, True, 0, fan_out, fan_out,
                     fan_in)
                kernels.slope(s, <const double *> tape.z[l - 1], <const double *> tape.a[l - 1],
                              rows * fan_in, &layers.activation[l - 2])
                if exact:
                    gemm(&out[layers.offset[l - 1]], &ra_room[at[l - 1]], delta, fan_in, fan_out,
                         rows, True, False, 1, fan_in, fan_out, fan_out)
                    gemm(rda, delta, V, rows, fan_in, fan_out, False, True, 1, fan_out, fan_out,
                         fan_in)
                    gemm(da, delta, W, rows, fan_in, fan_out, False, True, 0, fan_out, fan_out,
                         fan_in)
                    kernels.curv(c, <const double *> tape.z[l - 1],
                                 <const double *> tape.a[l - 1], rows * fan_in,
                                 &layers.activation[l - 2])
                    for i in range(rows * fan_in):
                        rda[i] = s[i] * rda[i] + c[i] * rz_room[at[l - 1] + i] * da[i]
                        da[i] = s[i] * da[i]
                    swap = delta
                    delta = da
                    da = swap
                else:
                    for i in range(rows * fan_in):
                        rda[i] = s[i] * rda[i]
                swap = rdelta
                rdelta = rda
                rda = swap
            start += rows


cdef void add_rows(double *m, const double *row, Py_ssize_t rows, Py_ssize_t cols) noexcept nogil:
    cdef Py_ssize_t i, c
    for i in range(rows):
        for c in range(cols):
            m[i * cols + c] += row[c]
