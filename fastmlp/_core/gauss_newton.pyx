"""The Gauss-Newton matrix from a square root of the loss's curvature, in float64.

With w_i Q_i = R_i R_i' for the curvature of row i (roots_body.h has R_i in closed form), the
generalised Gauss-Newton matrix is J~' J~, where row (i, k) of J~ is sum_j R_i[j, k] d raw_ij / d
theta. Its stretch for layer l is the outer product of a~_(l-1) and delta_l, from a backward sweep
that starts with R_i' in place of the identity. J~ is held for one tile of rows at a time, or not
at all: the diagonal, and the products J~ J~' that serve where residuals are fewer than parameters,
need the a and the delta alone.

Where there are many raw outputs the diagonal is estimated from a few residuals per row in place of
n_raw: with s = R_i z, z of independent random signs, E[(J_i' s)^2] is the diagonal of J_i' Q_i J_i,
as E[z z'] = I (Chapelle and Erhan, Improved preconditioner for Hessian free optimization, NIPS
workshop, 2011; Martens, Sutskever and Swersky, Estimating the Hessian by back-propagating
curvature, ICML 2012).

J~' J~ is summed in strips (gram_body.h).
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm
from fastmlp._core.curvature cimport LossCurvature, paired, scale
from fastmlp._core.kernels cimport fm_stretch
from fastmlp._core.tape cimport (
    CSR,
    Tape64,
    backward,
    clear,
    compact,
    forward,
    multiply_back,
    multiply_grad,
    next_tile,
    slopes,
    spread,
    tile_t,
    tiles,
)

import numpy as np

from fastmlp._core.network import check_count


cdef class Residuals:
    """Deltas of every residual in every layer, for a tape's tile of samples.

    Parameters
    ----------
    tape : Tape64
    signs : ndarray of shape (rows, depth, n_raw), optional
        Combines the residuals of a sample: depth of them are swept, R_i times these vectors, in
        place of n_raw.
    """
    cdef readonly Tape64 tape
    cdef Py_ssize_t depth         # residuals per sample
    cdef const double[::1] signs  # [row, k, j]
    cdef double[::1] deltas       # layer by layer [(row, k), j], rows ld apart as in the tape
    cdef double[::1] slopes       # [row, j] of one layer
    cdef double[::1] room         # of root_mul
    cdef double[::1] roots        # [row, k, j]
    cdef double[::1] jacobian_row
    cdef fm_stretch *stretch      # (n_layers,)

    def __cinit__(self, Tape64 tape, signs=None):
        cdef Py_ssize_t l, at = 0, n_raw = tape.layers.n_raw, rows = tape.rows
        cdef fm_stretch *s
        if signs is not None and (signs.shape[0] != rows or signs.shape[2] != n_raw):
            raise ValueError(
                f"signs must have shape ({rows}, depth, {n_raw}), got {signs.shape}."
            )
        self.tape = tape
        self.depth = n_raw if signs is None else signs.shape[1]
        self.signs = None if signs is None else signs.reshape(-1)
        self.stretch = <fm_stretch *> calloc(tape.layers.n_layers, sizeof(fm_stretch))
        if not self.stretch:
            raise MemoryError("no room for the residuals")
        check_count(rows, self.depth, n_raw + tape.length)
        self.deltas = np.zeros(rows * self.depth * tape.length + tape.lanes)
        self.slopes = np.empty(rows * tape.widest)
        self.room = np.empty(2 * n_raw)
        self.roots = np.empty(rows * self.depth * n_raw)
        self.jacobian_row = np.empty(tape.layers.n_params + 2 * tape.lanes)
        for l in range(1, tape.layers.n_layers + 1):
            s = &self.stretch[l - 1]
            s.a, s.lda, s.ld_delta = tape.a[l - 1], tape.ld[l - 1], tape.ld[l]
            s.fan_in, s.fan_out = tape.layers.width[l - 1], tape.layers.width[l]
            s.delta = &self.deltas[at]
            at += rows * self.depth * tape.ld[l]

    def __dealloc__(self):
        free(self.stretch)

    cdef double *delta(self, Py_ssize_t l) noexcept nogil:
        """Deltas of layer l = 1 .. n_layers."""
        return <double *> self.stretch[l - 1].delta


cdef double tile(Residuals s, tile_t t, LossCurvature second, bint with_grad) noexcept nogil:
    """The samples loaded: delta of every residual in every layer; the sum of the losses.

    Their gradient is added to the tape's, if asked. Without `second` the residuals are the raw
    outputs.
    """
    cdef Py_ssize_t l, i, n_raw = s.tape.layers.n_raw, L = s.tape.layers.n_layers, rows = t.rows
    cdef const double *z = NULL if s.signs is None else &s.signs[0]
    cdef double value = 0
    forward(s.tape, rows, True)
    if second is None:
        memset(&s.roots[0], 0, rows * n_raw * n_raw * sizeof(double))
        for i in range(rows * n_raw):
            s.roots[i * n_raw + i % n_raw] = 1
    else:
        value = second.gradient(s.tape, t.start, rows)
        if with_grad:
            backward(s.tape, rows, True)
        second.root(&s.roots[0], z, s.tape, t.start, rows, s.depth, &s.room[0])
    spread(s.delta(L), &s.roots[0], rows * s.depth, n_raw, s.tape.ld[L])
    for l in range(L, 1, -1):
        multiply_back(s.tape, l, s.delta(l - 1), s.delta(l), s.tape.turned[l], NULL,
                      rows * s.depth)
        if s.depth == 1:
            kernels.backward(s.delta(l - 1), s.tape.slope[l - 1], s.tape.a[l - 1], rows,
                             s.tape.layers.width[l - 1], s.tape.ld[l - 1],
                             &s.tape.layers.activation[l - 2])
        else:
            scale(s.delta(l - 1), slopes(s.tape, l - 1, rows, &s.slopes[0]), rows, s.depth,
                  s.tape.layers.width[l - 1], s.tape.ld[l - 1], s.tape.ld[l - 1])
    return value


# ---- the outputs' own derivatives ----

def jacobian(Residuals s, double[:, :, ::1] out):
    """d raw / d theta of all rows that count into out, (n, n_raw, n_params)."""
    cdef tile_t t = tiles(0, out.shape[0])
    cdef Py_ssize_t l, i, k, n_raw = out.shape[1]
    cdef Tape64 tape = s.tape
    with nogil:
        while next_tile(tape, &t):
            tile(s, t, None, False)
            for i in range(t.rows):
                for k in range(n_raw):
                    for l in range(1, tape.layers.n_layers + 1):
                        paired(&out[t.start + i, k, tape.layers.offset[l - 1]],
                               tape.a[l - 1] + i * tape.ld[l - 1], 0,
                               s.delta(l) + (i * n_raw + k) * tape.ld[l], 0, 1,
                               tape.layers.width[l - 1] + 1, tape.layers.width[l])


def input_jacobian(Residuals s, double[:, :, ::1] out, const double[::1] theta):
    """d raw / d x of all rows that count into out, (n, n_raw, n_features)."""
    cdef tile_t t = tiles(0, out.shape[0])
    cdef Tape64 tape = s.tape
    with nogil:
        while next_tile(tape, &t):
            tile(s, t, None, False)
            gemm(&out[t.start, 0, 0], s.delta(1), &theta[0], t.rows * out.shape[1],
                 tape.layers.width[0], tape.layers.width[1], False, True, 0, tape.ld[1],
                 tape.layers.width[1], tape.layers.width[0])


# ---- the matrix ----

def padded(Py_ssize_t n_params):
    """The side of a matrix in the making: n_params in whole vectors."""
    cdef Py_ssize_t lanes = kernels.padded(2, sizeof(double))
    return (n_params + lanes - 1) // lanes * lanes


def start_gradient(Residuals s):
    """What the tape's gradient holds is for `jacobian_rows` to add to."""
    clear(s.tape)


def jacobian_rows(double[::1] strips, Residuals s, Py_ssize_t begin, Py_ssize_t end,
                  Py_ssize_t first, Py_ssize_t total, LossCurvature second,
                  double[:, ::1] G=None):
    """Rows of J~ for samples begin .. end, into strips for `total` samples from first on.

    With G they are those of one tile after another, and the upper triangle of G += J~' J~.

    Returns
    -------
    float
        The sum of the losses, whose gradient is added to the tape's.
    """
    cdef tile_t t = tiles(begin, end)
    cdef Py_ssize_t n_raw = s.tape.layers.n_raw
    cdef double value = 0
    with nogil:
        while next_tile(s.tape, &t):
            value += tile(s, t, second, True)
            if G is not None:
                first, total = t.start, t.rows
            kernels.jacobian_rows(&strips[0], &s.jacobian_row[0], s.stretch,
                                  s.tape.layers.n_layers, n_raw, t.rows * n_raw,
                                  (t.start - first) * n_raw, total * n_raw)
            if G is not None:
                kernels.gram_add(&G[0, 0], &strips[0], t.rows * n_raw, s.tape.layers.n_params, 0, 1)
    return value


def add_gram(double[:, ::1] G, const double[::1] strips, Residuals s, Py_ssize_t rows, int share,
             int shares):
    """Upper triangle of G += J~' J~ over the samples in the strips: one of `shares` parts."""
    with nogil:
        kernels.gram_add(&G[0, 0], &strips[0], rows * s.tape.layers.n_raw,
                         s.tape.layers.n_params, share, shares)


def collect(double[:, ::1] out, list parts):
    """out = the sum of the parts, which are upper triangles, with what lies below."""
    cdef Py_ssize_t i, k, n = out.shape[0]
    cdef double[:, ::1] G = parts[0]
    for part in parts[1:]:
        np.add(G, part, out=np.asarray(G))
    with nogil:
        for i in range(n):
            for k in range(i, n):
                out[i, k] = G[i, k]
                out[k, i] = G[i, k]


# ---- without the matrix ----

def factors(double[::1] a, double[::1] deltas, Residuals s, LossCurvature second):
    """Keep a_(l-1) (n, fan_in) and delta_l (n x n_raw, fan_out) of every layer, one after another;
    of sparse rows no a_0.

    Returns
    -------
    float
        The sum of the losses, whose gradient is left in the tape.
    """
    cdef Py_ssize_t n = s.tape.source.n_samples, l, n_raw = s.tape.layers.n_raw
    cdef Py_ssize_t fan_in, fan_out, at_a, at_delta
    cdef tile_t t = tiles(0, n)
    cdef double value = 0
    with nogil:
        clear(s.tape)
        while next_tile(s.tape, &t):
            value += tile(s, t, second, True)
            at_a = at_delta = 0
            for l in range(1, s.tape.layers.n_layers + 1):
                fan_in, fan_out = s.tape.layers.width[l - 1], s.tape.layers.width[l]
                if s.tape.product[l] == CSR:
                    fan_in = 0
                compact(&a[at_a + t.start * fan_in], s.tape.a[l - 1], t.rows, fan_in,
                        s.tape.ld[l - 1])
                compact(&deltas[at_delta + t.start * n_raw * fan_out], s.delta(l), t.rows * n_raw,
                        fan_out, s.tape.ld[l])
                at_a += n * fan_in
                at_delta += n * n_raw * fan_out
    return value


def diagonal(Residuals s, LossCurvature second):
    """The diagonal of J~' J~, left as the tape's gradient; divided by depth where s has signs: an
    estimate."""
    cdef Tape64 tape = s.tape
    cdef tile_t t = tiles(0, tape.source.n_samples)
    cdef Py_ssize_t l, i, j, k, depth = s.depth, ld
    cdef double[::1] a2 = np.empty(tape.rows * max(tape.ld[0], tape.widest))
    cdef double[::1] delta2 = np.empty(s.slopes.shape[0])
    cdef const double[::1] squares = None
    cdef const double *delta
    cdef double share = 1 if s.signs is None else 1.0 / depth
    if tape.product[1] == CSR:
        squares = np.square(tape.source.arrays[0][0])
    with nogil:
        clear(tape)
        while next_tile(tape, &t):
            tile(s, t, second, False)
            for l in range(tape.layers.n_layers, 0, -1):
                if tape.product[l] == CSR:
                    tape.X.data = &squares[0]
                else:
                    for i in range(t.rows * tape.ld[l - 1]):
                        a2[i] = tape.a[l - 1][i] ** 2
                ld = tape.ld[l]
                memset(&delta2[0], 0, t.rows * ld * sizeof(double))
                for i in range(t.rows):
                    for k in range(depth):
                        delta = s.delta(l) + (i * depth + k) * ld
                        for j in range(tape.layers.width[l]):
                            delta2[i * ld + j] += share * delta[j] ** 2
                multiply_grad(tape, l, tape.grad[l], &a2[0], &delta2[0], t.rows, True)
                tape.X.data = tape.source.data
