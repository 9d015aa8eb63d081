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

All sweeps run on panels (panels_body.h); J~' J~ is summed in strips (gram_body.h).
"""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.curvature cimport Second
from fastmlp._core.network cimport Layers, Source, check_signals
from fastmlp._core.panels cimport (
    PanelTape,
    backward,
    forward,
    load_tile,
    pack,
    slopes_of,
    tile_loss,
    turn,
)

import numpy as np

from fastmlp._core.network import check_count


cdef class Workspace:
    """Room for one tile of samples: their sweep, delta of every residual in every layer.

    Parameters
    ----------
    layers : Layers
    rows : int
        The largest tile, in samples.
    signs : ndarray of shape (rows, depth, n_raw), optional
        Combines the residuals of a sample: depth of them are swept, R_i times these vectors, in
        place of n_raw.
    """

    def __cinit__(self, Layers layers, Py_ssize_t rows, signs=None):
        cdef Py_ssize_t l, at = 0, wide = 0, n_raw = layers.n_raw, depth
        cdef Py_ssize_t lanes = kernels.padded(2, sizeof(double))
        if layers.n_layers > MOST_LAYERS:
            raise ValueError(
                f"Gauss-Newton matrices are for networks of at most {MOST_LAYERS} layers, got "
                f"{layers.n_layers}."
            )
        if signs is not None and (signs.shape[0] != rows or signs.shape[2] != n_raw):
            raise ValueError(
                f"signs must have shape ({rows}, depth, {n_raw}), got {signs.shape}."
            )
        self.depth = depth = n_raw if signs is None else signs.shape[1]
        self.signs = None if signs is None else signs.reshape(-1)
        self.tape = PanelTape(layers, rows, sizeof(double))
        for l in range(layers.n_layers + 1):
            wide = max(wide, self.tape.ld[l])
        check_count(rows, depth, n_raw + sum([self.tape.ld[l] for l in range(layers.n_layers + 1)]))
        for l in range(1, layers.n_layers + 1):
            at += rows * depth * self.tape.ld[l]
        self.deltas = np.zeros(at + lanes)
        self.slopes = np.empty(rows * wide)
        self.units = np.empty(max(rows, 2) * n_raw)
        self.products = np.empty(rows * n_raw)
        self.raw = np.empty(rows * n_raw)
        self.roots = np.empty(rows * depth * n_raw)
        self.jacobian_row = np.empty(layers.n_params + 2 * lanes)
        at = 0
        for l in range(1, layers.n_layers + 1):
            self.stretch[l - 1].a = self.tape.a[l - 1]
            self.stretch[l - 1].lda = self.tape.ld[l - 1]
            self.stretch[l - 1].delta = &self.deltas[at]
            self.stretch[l - 1].ld_delta = self.tape.ld[l]
            self.stretch[l - 1].fan_in = layers.width[l - 1]
            self.stretch[l - 1].fan_out = layers.width[l]
            at += rows * depth * self.tape.ld[l]

    cdef double *delta(self, Py_ssize_t l) noexcept nogil:
        """Deltas of layer l = 1 .. n_layers."""
        return <double *> self.stretch[l - 1].delta


cdef void compact_raw(Workspace s, Layers layers, Py_ssize_t rows) noexcept nogil:
    """The tape's raw outputs without the gaps between its rows."""
    cdef Py_ssize_t i, L = layers.n_layers, n_raw = layers.n_raw
    for i in range(rows):
        memcpy(&s.raw[i * n_raw], <const double *> s.tape.a[L] + i * s.tape.ld[L],
               n_raw * sizeof(double))


cdef void spread(double *apart, const double *compact, Py_ssize_t rows, Py_ssize_t cols,
                 Py_ssize_t ld) noexcept nogil:
    """Rows without gaps into rows ld apart, with zeros between."""
    cdef Py_ssize_t i, c
    for i in range(rows):
        memcpy(apart + i * ld, compact + i * cols, cols * sizeof(double))
        for c in range(cols, ld):
            apart[i * ld + c] = 0


cdef double tile(Workspace s, Layers layers, Source source, const Py_ssize_t *index,
                 Py_ssize_t start, Py_ssize_t rows, Second second,
                 bint with_grad) noexcept nogil:
    """One tile of samples: delta of every residual in every layer; the sum of the losses.

    The gradient is added to tape.grad, if asked. The loss of a custom one is 0.
    """
    cdef Py_ssize_t l, i, _k, j, n_raw = layers.n_raw, depth = s.depth, L = layers.n_layers, ld
    cdef double value = 0
    cdef double *to
    cdef const double *slopes
    cdef const double *slope
    cdef const double *w = <const double *> (s.tape.w if source.w != NULL else NULL)
    if second.given:
        load_tile(layers, source, s.tape, index + start, rows, rows, <double *> NULL)
        forward(layers, s.tape, rows, True, <double *> NULL)
        spread(<double *> s.tape.delta, &second.given_delta[start, 0], rows, n_raw, s.tape.ld[L])
    else:
        value = tile_loss(layers, source, s.tape, index + start, rows, rows, True,
                          <double *> NULL)
    if with_grad:
        backward(layers, s.tape, rows, True, <double *> NULL)
    compact_raw(s, layers, rows)
    if s.signs is None:
        second.root(&s.roots[0], layers, &s.raw[0], <const double *> s.tape.y, w, start, rows)
    else:
        second.root_mul(&s.roots[0], &s.signs[0], layers, &s.raw[0], <const double *> s.tape.y, w,
                        start, rows, depth, &s.units[0])
    spread(s.delta(L), &s.roots[0], rows * depth, n_raw, s.tape.ld[L])
    for l in range(L, 1, -1):
        ld = s.tape.ld[l - 1]
        kernels.panel_delta(s.delta(l - 1), s.delta(l),
                            <const double *> s.tape.turned + s.tape.turned_at[l - 1],
                            <const double *> NULL, rows * depth, layers.width[l - 1],
                            layers.width[l], ld, s.tape.ld[l])
        if depth == 1:
            kernels.backward(s.delta(l - 1), <double *> NULL, <const double *> s.tape.z[l - 1],
                             <const double *> s.tape.a[l - 1], rows, ld, &layers.activation[l - 2])
            continue
        slopes = slopes_of(layers, s.tape, l - 1, rows, &s.slopes[0])
        to = s.delta(l - 1)
        for i in range(rows):
            slope = slopes + i * ld
            for _k in range(depth):
                for j in range(layers.width[l - 1]):
                    to[j] *= slope[j]
                to += ld
    return value


cdef void begin(Workspace s, Layers layers, const double *theta) noexcept nogil:
    """theta into the tape's panels, an empty gradient."""
    pack(layers, s.tape, s.tape.theta, <double *> theta, False)
    turn(layers, s.tape, <double *> NULL)
    memset(s.tape.grad, 0, s.tape.offset[layers.n_layers] * sizeof(double))


cdef void add_gradient(double[::1] grad, Layers layers, Workspace s) noexcept nogil:
    """grad += what the sweeps since `begin` have summed; jacobian_row is overwritten."""
    cdef Py_ssize_t i
    pack(layers, s.tape, s.tape.grad, &s.jacobian_row[0], True)
    for i in range(layers.n_params):
        grad[i] += s.jacobian_row[i]


# ---- the matrix ----

def padded(Py_ssize_t n_params):
    """The side of a matrix in the making: n_params in whole vectors."""
    cdef Py_ssize_t lanes = kernels.padded(2, sizeof(double))
    return (n_params + lanes - 1) // lanes * lanes


def jacobian_rows(double[::1] strips, double[::1] grad, Layers layers, Source source, Workspace s,
                  const double[::1] theta, const Py_ssize_t[::1] index, Py_ssize_t begin_row,
                  Py_ssize_t end_row, Py_ssize_t first, Py_ssize_t total, Second second):
    """Rows of J~ for samples begin_row .. end_row, into strips for `total` samples from first on.

    Returns
    -------
    float
        The sum of the losses, whose gradient is added to grad.
    """
    cdef Py_ssize_t start = begin_row, rows, n_raw = layers.n_raw
    cdef double value = 0, last = 0
    with nogil:
        begin(s, layers, &theta[0])
        while start < end_row:
            rows = min(s.tape.rows, end_row - start)
            check_signals(&last)
            value += tile(s, layers, source, &index[0], start, rows, second, True)
            kernels.jacobian_rows(&strips[0], &s.jacobian_row[0], s.stretch, layers.n_layers,
                                  n_raw, rows * n_raw, (start - first) * n_raw, total * n_raw)
            start += rows
        add_gradient(grad, layers, s)
    return value


def add_gram(double[:, ::1] G, const double[::1] strips, Layers layers, Py_ssize_t rows, int share,
             int shares):
    """Upper triangle of G += J~' J~ over the samples in the strips: one of `shares` parts."""
    with nogil:
        kernels.gram_add(&G[0, 0], &strips[0], rows * layers.n_raw, layers.n_params, share, shares)


def accumulate(double[:, ::1] G, double[::1] strips, double[::1] grad, Layers layers,
               Source source, Workspace s, const double[::1] theta, const Py_ssize_t[::1] index,
               Py_ssize_t begin_row, Py_ssize_t end_row, Second second):
    """`jacobian_rows` and `add_gram`, tile by tile; returns what the former does."""
    cdef Py_ssize_t start = begin_row, rows, n_raw = layers.n_raw
    cdef double value = 0, last = 0
    with nogil:
        begin(s, layers, &theta[0])
        while start < end_row:
            rows = min(s.tape.rows, end_row - start)
            check_signals(&last)
            value += tile(s, layers, source, &index[0], start, rows, second, True)
            kernels.jacobian_rows(&strips[0], &s.jacobian_row[0], s.stretch, layers.n_layers,
                                  n_raw, rows * n_raw, 0, rows * n_raw)
            kernels.gram_add(&G[0, 0], &strips[0], rows * n_raw, layers.n_params, 0, 1)
            start += rows
        add_gradient(grad, layers, s)
    return value


def collect(double[:, ::1] out, list parts):
    """out = the sum of the parts, of which the upper triangles count."""
    cdef Py_ssize_t i, k, n = out.shape[0]
    cdef double[:, ::1] G = parts[0]
    for part in parts[1:]:
        np.add(G, part, out=np.asarray(G))
    with nogil:
        for i in range(n):
            for k in range(i, n):
                out[i, k] = out[k, i] = G[i, k]


# ---- without the matrix ----

def factors(double[::1] a, double[::1] deltas, double[::1] grad, Layers layers, Source source,
            Workspace s, const double[::1] theta, const Py_ssize_t[::1] index, Second second):
    """Keep a_(l-1) (n, fan_in) and delta_l (n x n_raw, fan_out) of every layer, one after another.

    Returns
    -------
    float
        The sum of the losses, whose gradient is added to grad.
    """
    cdef Py_ssize_t n = index.shape[0], start = 0, rows, l, i, n_raw = layers.n_raw
    cdef Py_ssize_t fan_in, fan_out, at_a, at_delta
    cdef double value = 0, last = 0
    with nogil:
        begin(s, layers, &theta[0])
        while start < n:
            rows = min(s.tape.rows, n - start)
            check_signals(&last)
            value += tile(s, layers, source, &index[0], start, rows, second, True)
            at_a = at_delta = 0
            for l in range(1, layers.n_layers + 1):
                fan_in, fan_out = layers.width[l - 1], layers.width[l]
                for i in range(rows):
                    memcpy(&a[at_a + (start + i) * fan_in],
                           <const double *> s.tape.a[l - 1] + i * s.tape.ld[l - 1],
                           fan_in * sizeof(double))
                for i in range(rows * n_raw):
                    memcpy(&deltas[at_delta + (start * n_raw + i) * fan_out],
                           s.delta(l) + i * s.tape.ld[l], fan_out * sizeof(double))
                at_a += n * fan_in
                at_delta += n * n_raw * fan_out
            start += rows
        add_gradient(grad, layers, s)
    return value


def diagonal(double[::1] out, Layers layers, Source source, Workspace s, const double[::1] theta,
             const Py_ssize_t[::1] index, Second second):
    """out += the diagonal of J~' J~, divided by depth where s has signs: an estimate."""
    cdef Py_ssize_t n = index.shape[0], start = 0, rows, l, i, j, k, depth = s.depth, ld
    cdef double[::1] a2 = np.empty(s.slopes.shape[0])
    cdef double[::1] delta2 = np.empty(s.slopes.shape[0])
    cdef PanelTape tape = s.tape
    cdef const double *delta
    cdef double last = 0, share = 1 if s.signs is None else 1.0 / depth
    with nogil:
        begin(s, layers, &theta[0])
        while start < n:
            rows = min(tape.rows, n - start)
            check_signals(&last)
            tile(s, layers, source, &index[0], start, rows, second, False)
            for l in range(layers.n_layers, 0, -1):
                ld = tape.ld[l - 1]
                for i in range(rows * ld):
                    a2[i] = (<const double *> tape.a[l - 1])[i] ** 2
                ld = tape.ld[l]
                memset(&delta2[0], 0, rows * ld * sizeof(double))
                for i in range(rows):
                    for k in range(depth):
                        delta = s.delta(l) + (i * depth + k) * ld
                        for j in range(layers.width[l]):
                            delta2[i * ld + j] += share * delta[j] ** 2
                kernels.panel_grad(<double *> tape.grad + tape.offset[l - 1], &a2[0], &delta2[0],
                                   rows, layers.width[l - 1], layers.width[l], tape.ld[l - 1], ld,
                                   True)
            start += rows
        add_gradient(out, layers, s)
