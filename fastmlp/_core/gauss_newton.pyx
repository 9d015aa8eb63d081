"""The Gauss-Newton matrix from a square root of the loss's curvature, in float64.

With w_i Q_i = R_i R_i' for the curvature of row i, the generalised Gauss-Newton matrix is J~' J~,
where row (i, k) of J~ is sum_j R_i[j, k] d raw_ij / d theta. Its stretch for layer l is the outer
product of a~_(l-1) and delta_l, from a backward sweep that starts with R_i' in place of the
identity. J~ is held for one tile of rows at a time, or not at all: the diagonal, and the products
J~ J~' that serve where there are fewer residuals than parameters, need the a and the delta alone.
"""

from libc.math cimport sqrt
from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm, syrk
from fastmlp._core.curvature cimport Second
from fastmlp._core.network cimport (
    Layers, Source, Tape, backward_sweep, check_signals, first_of, forward, load,
)

import numpy as np

# A pivot this far below zero, relative to the largest diagonal entry, is no rounding.
cdef double INDEFINITE = 1e-10


cdef class Scratch:
    """Room for one tile: delta of every residual in two layers, slopes, rows of J~.

    Parameters
    ----------
    layers : Layers
    rows : int
        The largest tile.
    panel : bool
        Whether rows of J~ are needed.
    """
    cdef Py_ssize_t rows
    cdef double[::1] deltas       # [row, k, j], twice
    cdef double[::1] slopes       # [row, j]
    cdef double[:, ::1] panel     # (rows x n_raw, n_params)
    cdef double *delta            # of the layer at hand
    cdef double *spare

    def __cinit__(self, Layers layers, Py_ssize_t rows, bint panel):
        cdef Py_ssize_t wide = max(layers.widths)
        self.rows = rows
        self.deltas = np.empty(2 * rows * layers.n_raw * wide)
        self.slopes = np.empty(rows * wide)
        self.panel = np.empty((rows * layers.n_raw if panel else 0, layers.n_params))
        self.delta = &self.deltas[0]
        self.spare = &self.deltas[self.deltas.shape[0] // 2]


cdef bint root(Scratch s, Layers layers, Tape tape, Second second, Py_ssize_t start,
               Py_ssize_t rows) noexcept nogil:
    """delta[i, k, :] = column k of R_i, the Cholesky factor of w_i Q_i; False: Q_i is indefinite.

    A zero pivot of a positive semi-definite matrix has zeros below it: the column is left empty.
    """
    cdef Py_ssize_t n_raw = layers.n_raw, i, j, k, c
    cdef double *R
    cdef double pivot, largest
    # Q_i e_k for all rows at once; Q_i is symmetric, so that row k is column k.
    for k in range(n_raw):
        memset(s.spare, 0, rows * n_raw * sizeof(double))
        for i in range(rows):
            s.spare[i * n_raw + k] = 1
        second.mul(&s.slopes[0], s.spare, layers, tape, start, rows)
        for i in range(rows):
            memcpy(s.delta + (i * n_raw + k) * n_raw, &s.slopes[i * n_raw],
                   n_raw * sizeof(double))
    for i in range(rows):
        R = s.delta + i * n_raw * n_raw
        largest = 0
        for k in range(n_raw):
            largest = max(largest, R[k * n_raw + k])
        for k in range(n_raw):
            pivot = R[k * n_raw + k]
            if pivot < -INDEFINITE * largest or (pivot < 0 and largest <= 0):
                return False
            for j in range(k):
                R[k * n_raw + j] = 0
            if pivot <= 1e-15 * largest:
                for j in range(k, n_raw):
                    R[k * n_raw + j] = 0
                continue
            pivot = sqrt(pivot)
            for j in range(k, n_raw):
                R[k * n_raw + j] /= pivot
            for j in range(k + 1, n_raw):
                for c in range(j, n_raw):
                    R[j * n_raw + c] -= R[k * n_raw + j] * R[k * n_raw + c]
    return True


cdef void down(Scratch s, Layers layers, const double *theta, Tape tape, Py_ssize_t l,
               Py_ssize_t rows) noexcept nogil:
    """delta of layer l -> delta of layer l - 1."""
    cdef Py_ssize_t fan_in = layers.width[l - 1], fan_out = layers.width[l], n_raw = layers.n_raw
    cdef Py_ssize_t i, _k, j
    cdef const double *slope
    cdef double *to
    cdef double *swap
    gemm(s.spare, s.delta, theta + layers.offset[l - 1], rows * n_raw, fan_in, fan_out, False,
         True, 0, fan_out, fan_out, fan_in)
    kernels.slope(&s.slopes[0], <const double *> tape.z[l - 1], <const double *> tape.a[l - 1],
                  rows * fan_in, &layers.activation[l - 2])
    to = s.spare
    for i in range(rows):
        slope = &s.slopes[i * fan_in]
        for _k in range(n_raw):
            for j in range(fan_in):
                to[j] *= slope[j]
            to += fan_in
    swap = s.delta
    s.delta = s.spare
    s.spare = swap


cdef double begin_tile(Layers layers, Source source, Tape tape, const double *theta,
                       const Py_ssize_t *index, Py_ssize_t start, Py_ssize_t rows,
                       Second second) noexcept nogil:
    """Forward; d loss / d raw into tape.delta; returns the tile's loss (0 for a custom one)."""
    load(source, tape, index, start, rows, layers.n_raw, <double *> NULL)
    forward(layers, theta, tape, rows)
    if second.given:
        second.gradient(<double *> tape.delta, layers, tape, start, rows)
        return 0
    return kernels.loss(<double *> tape.delta, <const double *> tape.a[layers.n_layers],
                        <const double *> tape.y, <const double *> tape.w, rows, layers.n_raw,
                        &layers.loss)


def panel_rows(Layers layers):
    """Rows per tile: the tile of J~ fits a cache where that leaves enough rows for BLAS."""
    cdef Py_ssize_t fitting = (1 << 16) // (layers.n_params * layers.n_raw)
    return max(1, 64 // layers.n_raw, min(256, fitting))


def accumulate(double[:, ::1] G, double[::1] grad, Layers layers, Source source, Tape tape,
               Scratch s, const double[::1] theta, const Py_ssize_t[::1] index, Py_ssize_t begin,
               Py_ssize_t end, Second second):
    """Upper triangle of G += J~' J~ and grad += gradient, over rows begin .. end.

    Returns
    -------
    float or None
        The sum of the losses; None where the curvature of a row is indefinite.
    """
    cdef Py_ssize_t start = begin, rows, l, i, P = layers.n_params, L = layers.n_layers
    cdef Py_ssize_t fan_in, fan_out, stride, n_raw = layers.n_raw
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef bint definite = True
    cdef double value = 0, last = 0
    with nogil:
        while start < end and definite:
            rows = min(s.rows, end - start)
            check_signals(&last)
            value += begin_tile(layers, source, tape, &theta[0], rows_of, start, rows, second)
            definite = root(s, layers, tape, second, start, rows)
            for l in range(L, 0, -1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                for i in range(rows * n_raw):
                    outer(&s.panel[i, layers.offset[l - 1]],
                          <const double *> tape.a[l - 1] + (i // n_raw) * stride,
                          s.delta + i * fan_out, fan_in, fan_out)
                if l > 1:
                    down(s, layers, &theta[0], tape, l, rows)
            syrk(&G[0, 0], &s.panel[0, 0], P, rows * n_raw, 1, P, P)
            backward_sweep(layers, &theta[0], &grad[0], tape, rows, True)
            start += rows
    return value if definite else None


cdef void outer(double *block, const double *a, const double *g, Py_ssize_t fan_in,
                Py_ssize_t fan_out) noexcept nogil:
    """One layer's stretch of a row of J~: a g' for the weights, then g for the biases."""
    cdef Py_ssize_t p, j
    for p in range(fan_in):
        for j in range(fan_out):
            block[p * fan_out + j] = a[p] * g[j]
    memcpy(block + fan_in * fan_out, g, fan_out * sizeof(double))


def collect(double[:, ::1] G, double[::1] grad, Layers layers, const double[::1] theta,
            double weight_sum, double l2):
    """Divide by weight_sum, add the l2 terms, mirror the upper triangle of G."""
    cdef Py_ssize_t l, i, k, bias
    cdef double scale = 1 / weight_sum
    with nogil:
        for l in range(layers.n_layers):
            bias = layers.offset[l + 1] - layers.width[l + 1]
            for i in range(layers.offset[l], layers.offset[l + 1]):
                for k in range(i):
                    G[k, i] *= scale
                    G[i, k] = G[k, i]
                G[i, i] *= scale
                grad[i] *= scale
                if i < bias:
                    G[i, i] += l2
                    grad[i] += l2 * theta[i]


def factors(double[::1] a, double[::1] deltas, double[::1] grad, Layers layers, Source source,
            Tape tape, Scratch s, const double[::1] theta, const Py_ssize_t[::1] index,
            Py_ssize_t n, Second second):
    """Keep a_(l-1) (n, fan_in) and delta_l (n x n_raw, fan_out) of every layer, one after another.

    Returns
    -------
    float or None
        The sum of the losses, whose gradient is added to grad; None where the curvature of a row
        is indefinite.
    """
    cdef Py_ssize_t start = 0, rows, l, i, n_raw = layers.n_raw, fan_in, fan_out, stride
    cdef Py_ssize_t at_a, at_delta
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef bint definite = True
    cdef double value = 0, last = 0
    with nogil:
        while start < n and definite:
            rows = min(s.rows, n - start)
            check_signals(&last)
            value += begin_tile(layers, source, tape, &theta[0], rows_of, start, rows, second)
            definite = root(s, layers, tape, second, start, rows)
            at_a, at_delta = a.shape[0], deltas.shape[0]
            for l in range(layers.n_layers, 0, -1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                at_a -= n * fan_in
                at_delta -= n * n_raw * fan_out
                for i in range(rows):
                    memcpy(&a[at_a + (start + i) * fan_in],
                           <const double *> tape.a[l - 1] + i * stride, fan_in * sizeof(double))
                memcpy(&deltas[at_delta + start * n_raw * fan_out], s.delta,
                       rows * n_raw * fan_out * sizeof(double))
                if l > 1:
                    down(s, layers, &theta[0], tape, l, rows)
            backward_sweep(layers, &theta[0], &grad[0], tape, rows, True)
            start += rows
    return value if definite else None


def diagonal(double[::1] out, Layers layers, Source source, Tape tape, Scratch s,
             const double[::1] theta, const Py_ssize_t[::1] index, Py_ssize_t n, Second second):
    """out += the diagonal of J~' J~; False where the curvature of a row is indefinite."""
    cdef Py_ssize_t start = 0, rows, l, i, j, k, n_raw = layers.n_raw, fan_in, fan_out, stride
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef double[::1] a2 = np.empty(s.slopes.shape[0])
    cdef double[::1] delta2 = np.empty(s.slopes.shape[0])
    cdef bint definite = True
    cdef double last = 0
    with nogil:
        while start < n and definite:
            rows = min(s.rows, n - start)
            check_signals(&last)
            begin_tile(layers, source, tape, &theta[0], rows_of, start, rows, second)
            definite = root(s, layers, tape, second, start, rows)
            for l in range(layers.n_layers, 0, -1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                for i in range(rows):
                    for j in range(fan_in):
                        a2[i * fan_in + j] = (<const double *> tape.a[l - 1])[i * stride + j] ** 2
                    for j in range(fan_out):
                        delta2[i * fan_out + j] = 0
                    for k in range(n_raw):
                        for j in range(fan_out):
                            delta2[i * fan_out + j] += s.delta[(i * n_raw + k) * fan_out + j] ** 2
                gemm(&out[layers.offset[l - 1]], &a2[0], &delta2[0], fan_in, fan_out, rows, True,
                     False, 1, fan_in, fan_out, fan_out)
                kernels.column_sums(&out[layers.offset[l] - fan_out], &delta2[0], rows, fan_out)
                if l > 1:
                    down(s, layers, &theta[0], tape, l, rows)
            start += rows
    return bool(definite)


def bend(double[::1] out, Layers layers, Source source, Tape tape, const double[::1] theta,
         const double[::1] v, const Py_ssize_t[::1] index, Py_ssize_t begin, Py_ssize_t end,
         Second second):
    """out += J' Q d2 raw / dv2, over rows begin .. end: how the residuals bend along theta + t v.

    Two tangents go forward, d/dt and d2/dt2; the ordinary backward sweep carries the second home.
    """
    cdef Py_ssize_t start = begin, rows, l, i, L = layers.n_layers, fan_in, fan_out, stride
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef double[:, ::1] work = np.empty((6, tape.rows * max(layers.widths)))
    cdef double *rz
    cdef double *rrz
    cdef double *ra
    cdef double *rra
    cdef double *s
    cdef double *c
    cdef const double *W
    cdef const double *V
    cdef double last = 0
    rz, rrz, ra, rra, s, c = (&work[0, 0], &work[1, 0], &work[2, 0], &work[3, 0], &work[4, 0],
                              &work[5, 0])
    with nogil:
        while start < end:
            rows = min(tape.rows, end - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_raw, <double *> NULL)
            forward(layers, &theta[0], tape, rows)
            for l in range(1, L + 1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                stride = tape.stride if l == 1 else fan_in
                W, V = &theta[layers.offset[l - 1]], &v[layers.offset[l - 1]]
                gemm(rz, <const double *> tape.a[l - 1], V, rows, fan_out, fan_in, False, False, 0,
                     stride, fan_out, fan_out)
                if l == 1:
                    memset(rrz, 0, rows * fan_out * sizeof(double))
                else:
                    gemm(rz, ra, W, rows, fan_out, fan_in, False, False, 1, fan_in, fan_out,
                         fan_out)
                    for i in range(rows * fan_in):
                        ra[i] *= 2
                    gemm(rrz, ra, V, rows, fan_out, fan_in, False, False, 0, fan_in, fan_out,
                         fan_out)
                    gemm(rrz, rra, W, rows, fan_out, fan_in, False, False, 1, fan_in, fan_out,
                         fan_out)
                if l == L:
                    break
                kernels.slope(s, <const double *> tape.z[l], <const double *> tape.a[l],
                              rows * fan_out, &layers.activation[l - 1])
                kernels.curv(c, <const double *> tape.z[l], <const double *> tape.a[l],
                             rows * fan_out, &layers.activation[l - 1])
                bend_layer(ra, rra, rz, rrz, V + fan_in * fan_out, s, c, rows, fan_out)
            second.mul(<double *> tape.delta, rrz, layers, tape, start, rows)
            backward_sweep(layers, &theta[0], &out[0], tape, rows, True)
            start += rows


cdef void bend_layer(double *ra, double *rra, const double *rz, const double *rrz,
                     const double *bias, const double *s, const double *c, Py_ssize_t rows,
                     Py_ssize_t cols) noexcept nogil:
    """ra = g' rz, rra = g'' rz^2 + g' rrz, with the bias's part of rz added here."""
    cdef Py_ssize_t _i, j
    cdef double r
    for _i in range(rows):
        for j in range(cols):
            r = rz[j] + bias[j]
            ra[j] = s[j] * r
            rra[j] = c[j] * r * r + s[j] * rrz[j]
        ra += cols
        rra += cols
        rz += cols
        rrz += cols
        s += cols
        c += cols
