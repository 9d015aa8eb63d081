"""Sweeps along a direction v, in float64: tangents of the outputs go forward, what the loss makes
of them comes back (the R-operator: Pearlmutter 1994; Schraudolph 2002).

    rz_l  = (a_(l-1), 1) V~_l + (ra_(l-1), 0) W~_l,         ra_l  = g' rz_l,
    rrz_l = 2 (ra_(l-1), 0) V~_l + (rra_(l-1), 0) W~_l,     rra_l = g'' rz_l^2 + g' rrz_l

and for the exact Hessian, in which v moves the weights and the slopes of the backward sweep, too,

    rgrad_l  = (a_(l-1), 1)' rdelta_l + (ra_(l-1), 0)' delta_l,
    rdelta_l = g' (rdelta_(l+1) W_(l+1)' + delta_(l+1) V_(l+1)') + g'' rz_l delta_(l+1) W_(l+1)'

v lies in the tape of the first tangents as theta does in that of the values.
"""

from fastmlp._core cimport kernels
from fastmlp._core.curvature cimport LossCurvature
from fastmlp._core.kernels cimport FM_HESS
from fastmlp._core.tape cimport (
    Tape64,
    backward,
    clear,
    forward,
    multiply,
    multiply_back,
    multiply_grad,
    next_tile,
    set_last,
    slopes,
    tile_t,
    tiles,
)


def sweep_along(Tape64 tape, Tape64 r, Tape64 rr, Py_ssize_t begin, Py_ssize_t end,
                LossCurvature second):
    """The product of v with the matrix of `second` over rows begin .. end, left as tape's gradient.

    Parameters
    ----------
    tape, r : Tape64
        Of values and of tangents along v; r keeps z beside a.
    rr : Tape64 or None
        Of second tangents, as r; then it is J' Q d2 raw / dv2: how the residuals bend.
    """
    cdef tile_t t = tiles(begin, end)
    cdef Py_ssize_t L = tape.layers.n_layers
    cdef bint exact = second.kind == FM_HESS and rr is None
    with nogil:
        clear(tape)
        while next_tile(tape, &t):
            forward(tape, t.rows, not exact and rr is None)
            tangents(tape, r, rr, t.rows, exact)
            second.mul(r.delta if exact else tape.delta, r.z[L] if rr is None else rr.z[L], tape,
                       t.start, t.rows, tape.ld[L])
            if exact:
                second.gradient(tape, t.start, t.rows)
                backward_exact(tape, r, t.rows)
            else:
                backward(tape, t.rows, True)


cdef void tangents(Tape64 tape, Tape64 r, Tape64 rr, Py_ssize_t rows, bint exact) noexcept nogil:
    """rz and ra of every layer, with rr also rrz and rra, those of layer 0 being zero.

    Slopes are left in the tape as by a forward sweep with slopes. exact: g'' rz is left in r.z.
    """
    cdef Py_ssize_t l, i, n, L = tape.layers.n_layers
    cdef double *curv = r.delta
    cdef double *rz
    cdef double *rrz
    cdef const double *slope
    for l in range(1, L + 1):
        n, rz = rows * tape.ld[l], r.z[l]
        multiply(tape, l, rz, tape.a[l - 1], r.W[l], rows, False)
        if l > 1:
            multiply(tape, l, tape.spare, r.a[l - 1], tape.W[l], rows, False)
            for i in range(n):
                rz[i] += tape.spare[i]
        if rr is not None and l > 1:
            rrz = rr.z[l]
            multiply(tape, l, rrz, r.a[l - 1], r.W[l], rows, False)
            multiply(tape, l, tape.spare, rr.a[l - 1], tape.W[l], rows, False)
            for i in range(n):
                rrz[i] = 2 * rrz[i] + tape.spare[i]
        if l == L:
            break
        if exact or rr is not None:
            kernels.curv(curv, tape.z[l], tape.a[l], n, &tape.layers.activation[l - 1])
            if tape.layers.keeps_z[l - 1]:
                kernels.slope(tape.slope[l], tape.z[l], tape.a[l], n,
                              &tape.layers.activation[l - 1])
        slope = slopes(tape, l, rows, r.spare)
        for i in range(n):
            r.a[l][i] = slope[i] * rz[i]
        set_last(tape, l, r.a[l], rows, 0)
        if rr is not None:
            rrz = rr.z[l]
            for i in range(n):
                rr.a[l][i] = curv[i] * rz[i] * rz[i] + slope[i] * rrz[i]
            set_last(tape, l, rr.a[l], rows, 0)
        elif exact:
            for i in range(n):
                rz[i] *= curv[i]


cdef void backward_exact(Tape64 tape, Tape64 r, Py_ssize_t rows) noexcept nogil:
    """tape.grad += rgrad, from tape.delta and r.delta after `tangents`."""
    cdef Py_ssize_t l, i, n
    cdef double *delta = tape.delta
    cdef double *below = tape.spare
    cdef double *rdelta = r.delta
    cdef double *rbelow = r.spare
    cdef const double *slope
    for l in range(tape.layers.n_layers, 0, -1):
        multiply_grad(tape, l, tape.grad[l], tape.a[l - 1], rdelta, rows, True)
        if l == 1:
            break
        n = rows * tape.ld[l - 1]
        multiply_grad(tape, l, tape.grad[l], r.a[l - 1], delta, rows, True)
        multiply_back(tape, l, rbelow, rdelta, tape.turned[l], NULL, rows)
        multiply_back(tape, l, below, delta, r.turned[l], NULL, rows)
        for i in range(n):
            rbelow[i] += below[i]
        multiply_back(tape, l, below, delta, tape.turned[l], NULL, rows)
        slope = slopes(tape, l - 1, rows, r.a[l - 1])
        for i in range(n):
            rbelow[i] = slope[i] * rbelow[i] + r.z[l - 1][i] * below[i]
            below[i] = slope[i] * below[i]
        delta, below = below, delta
        rdelta, rbelow = rbelow, rdelta
