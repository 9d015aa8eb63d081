"""Sweeps along a direction v, on panels, in float64: tangents of the outputs go forward, what the
loss makes of them goes back.

    rz_l  = (a_(l-1), 1) V~_l + (ra_(l-1), 0) W~_l,         ra_l  = g' rz_l,
    rrz_l = 2 (ra_(l-1), 0) V~_l + (rra_(l-1), 0) W~_l,     rra_l = g'' rz_l^2 + g' rrz_l
"""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.curvature cimport Second
from fastmlp._core.gauss_newton cimport Workspace, add_gradient, begin, compact_raw, spread
from fastmlp._core.network cimport Layers, Source, check_signals
from fastmlp._core.panels cimport PanelTape, backward, forward, load_tile, pack, slopes_of

import numpy as np


def ggn_mul(double[::1] out, Layers layers, Source source, Workspace s, const double[::1] theta,
            const double[::1] v, const Py_ssize_t[::1] index, Py_ssize_t begin_row,
            Py_ssize_t end_row, Second second):
    """out += J' Q J v over rows begin_row .. end_row (Schraudolph 2002)."""
    cdef PanelTape tape = s.tape
    cdef Py_ssize_t start = begin_row, rows, l, L = layers.n_layers, n = s.slopes.shape[0]
    cdef double[::1] panels = np.empty(tape.offset[L])
    cdef double[:, ::1] work = np.empty((4, n))
    cdef double *along = &work[0, 0]      # (a, 1) V~
    cdef double *moved = &work[1, 0]      # (ra, 0) W~
    cdef double *ra = &work[2, 0]
    cdef double *room = &work[3, 0]
    cdef double last = 0
    with nogil:
        begin(s, layers, &theta[0])
        pack(layers, tape, &panels[0], <double *> &v[0], False)
        while start < end_row:
            rows = min(tape.rows, end_row - start)
            check_signals(&last)
            load_tile(layers, source, tape, &index[start], rows, end_row - start,
                      <double *> NULL)
            forward(layers, tape, rows, True, <double *> NULL)
            for l in range(1, L + 1):
                product(along, <const double *> tape.a[l - 1], &panels[tape.offset[l - 1]], layers,
                        tape, l, rows)
                if l == 1:
                    memset(moved, 0, rows * tape.ld[l] * sizeof(double))
                else:
                    product(moved, ra, <const double *> tape.theta + tape.offset[l - 1], layers,
                            tape, l, rows)
                if l < L:
                    tangent_layer(ra, along, moved, slopes_of(layers, tape, l, rows, room), rows,
                                  layers.width[l], tape.ld[l])
            tangent_loss(s, layers, second, along, moved, 1, source.w != NULL, start, rows)
            backward(layers, tape, rows, True, <double *> NULL)
            start += rows
        add_gradient(out, layers, s)


def bend(double[::1] out, Layers layers, Source source, Workspace s, const double[::1] theta,
         const double[::1] v, const Py_ssize_t[::1] index, Py_ssize_t begin_row,
         Py_ssize_t end_row, Second second):
    """out += J' Q d2 raw / dv2 over rows begin_row .. end_row: how the residuals bend."""
    cdef PanelTape tape = s.tape
    cdef Py_ssize_t start = begin_row, rows, l, L = layers.n_layers, n = s.slopes.shape[0]
    cdef double[::1] panels = np.empty(tape.offset[L])
    cdef double[:, ::1] work = np.empty((8, n))
    cdef double *along = &work[0, 0]      # (a, 1) V~
    cdef double *moved = &work[1, 0]      # (ra, 0) W~
    cdef double *turned = &work[2, 0]     # (ra, 0) V~
    cdef double *bent = &work[3, 0]       # (rra, 0) W~
    cdef double *ra = &work[4, 0]
    cdef double *rra = &work[5, 0]
    cdef double *slope = &work[6, 0]
    cdef double *curv = &work[7, 0]
    cdef const double *W
    cdef const double *V
    cdef double last = 0
    with nogil:
        begin(s, layers, &theta[0])
        pack(layers, tape, &panels[0], <double *> &v[0], False)
        while start < end_row:
            rows = min(tape.rows, end_row - start)
            check_signals(&last)
            load_tile(layers, source, tape, &index[start], rows, end_row - start,
                      <double *> NULL)
            forward(layers, tape, rows, False, <double *> NULL)
            for l in range(1, L + 1):
                W = <const double *> tape.theta + tape.offset[l - 1]
                V = &panels[tape.offset[l - 1]]
                product(along, <const double *> tape.a[l - 1], V, layers, tape, l, rows)
                if l == 1:
                    memset(moved, 0, rows * tape.ld[l] * sizeof(double))
                    memset(turned, 0, rows * tape.ld[l] * sizeof(double))
                    memset(bent, 0, rows * tape.ld[l] * sizeof(double))
                else:
                    product(moved, ra, W, layers, tape, l, rows)
                    product(turned, ra, V, layers, tape, l, rows)
                    product(bent, rra, W, layers, tape, l, rows)
                if l < L:
                    kernels.slope(slope, <const double *> tape.z[l], <const double *> tape.a[l],
                                  rows * tape.ld[l], &layers.activation[l - 1])
                    kernels.curv(curv, <const double *> tape.z[l], <const double *> tape.a[l],
                                 rows * tape.ld[l], &layers.activation[l - 1])
                    if layers.keeps_z[l - 1]:  # as the backward sweep takes it
                        memcpy(tape.z[l], slope, rows * tape.ld[l] * sizeof(double))
                    bend_layer(ra, rra, along, moved, turned, bent, slope, curv, rows,
                               layers.width[l], tape.ld[l])
            tangent_loss(s, layers, second, turned, bent, 2, source.w != NULL, start, rows)
            backward(layers, tape, rows, True, <double *> NULL)
            start += rows
        add_gradient(out, layers, s)


cdef void product(double *z, const double *a, const double *W, Layers layers, PanelTape tape,
                  Py_ssize_t l, Py_ssize_t rows) noexcept nogil:
    """z = a W~_l, a as wide as the tape's rows, the column for biases included."""
    kernels.panel_forward(z, a, W, rows, layers.width[l - 1], layers.width[l], tape.ld[l],
                          tape.ld[l - 1], False)


cdef void tangent_layer(double *ra, const double *along, const double *moved, const double *slope,
                        Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t ld) noexcept nogil:
    """ra = g' rz; zero in the column for biases, which do not move."""
    cdef Py_ssize_t i, j
    for i in range(rows):
        for j in range(i * ld, i * ld + cols):
            ra[j] = slope[j] * (along[j] + moved[j])
        ra[i * ld + cols] = 0


cdef void bend_layer(double *ra, double *rra, const double *along, const double *moved,
                     const double *turned, const double *bent, const double *slope,
                     const double *curv, Py_ssize_t rows, Py_ssize_t cols,
                     Py_ssize_t ld) noexcept nogil:
    """ra and rra from the products; zero in the column for biases, which do not move."""
    cdef Py_ssize_t i, j
    cdef double rz
    for i in range(rows):
        for j in range(i * ld, i * ld + cols):
            rz = along[j] + moved[j]
            ra[j] = slope[j] * rz
            rra[j] = curv[j] * rz * rz + slope[j] * (2 * turned[j] + bent[j])
        ra[i * ld + cols] = 0
        rra[i * ld + cols] = 0


cdef void tangent_loss(Workspace s, Layers layers, Second second, const double *first,
                       const double *other, double factor, bint weighted, Py_ssize_t start,
                       Py_ssize_t rows) noexcept nogil:
    """tape.delta = w_i Q_i (factor first_i + other_i)."""
    cdef Py_ssize_t i, j, n_raw = layers.n_raw, ld = s.tape.ld[layers.n_layers]
    cdef const double *w = <const double *> (s.tape.w if weighted else NULL)
    compact_raw(s, layers, rows)
    for i in range(rows):
        for j in range(n_raw):
            s.units[i * n_raw + j] = factor * first[i * ld + j] + other[i * ld + j]
    second.mul(&s.products[0], &s.units[0], layers, &s.raw[0], <const double *> s.tape.y, w, start,
               rows)
    spread(<double *> s.tape.delta, &s.products[0], rows, n_raw, ld)
