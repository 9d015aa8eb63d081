"""Sweeps over the rows that count: values, gradients, outputs."""

cimport numpy as cnp

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport loss as loss_rows, real
from fastmlp._core.network cimport Layers
from fastmlp._core.tape cimport (
    backward,
    compact,
    forward,
    loss,
    next_tile,
    predict,
    spread,
    tape_t,
    tile_t,
    tiles,
)

cnp.import_array()

cdef enum:
    BLOCK = 512    # squares that are added up in the type of theta, the rest in float64


def value_grad(tape_t tape, Py_ssize_t begin, Py_ssize_t end, bint with_grad, deltas=None):
    """The sum of the losses of rows begin .. end, whose gradient is left in the tape if asked.

    Parameters
    ----------
    deltas : ndarray of shape (end - begin, n_raw), contiguous, optional
        d loss / d raw of these rows, for a loss that is not the network's; the sum is 0 then.
    """
    cdef tile_t t = tiles(begin, end)
    cdef double total = 0
    given = tape.delta
    if deltas is not None:
        point(&given, deltas)
    with nogil:
        while next_tile(tape, &t):
            forward(tape, t.rows, with_grad)
            if given == tape.delta:
                total += loss(tape, t.rows)
            else:
                spread(tape.delta, given, t.rows, tape.layers.n_raw, tape.ld[tape.layers.n_layers])
                given += t.rows * tape.layers.n_raw
            if with_grad:
                backward(tape, t.rows, t.start > begin)
    return total


cdef int point(real **at, array) except -1:
    """Where a contiguous array of this type lies."""
    cdef const real[:, ::1] view = array
    at[0] = <real *> &view[0, 0]
    return 0


def raw(tape_t tape, out, Py_ssize_t begin, Py_ssize_t end, bint apply_output):
    """For rows begin .. end their raw outputs into these rows of out, or (n_targets columns) their
    prediction: the output activation of the first raw of each target."""
    cdef tile_t t = tiles(begin, end)
    cdef Py_ssize_t L = tape.layers.n_layers
    cdef Py_ssize_t cols = tape.layers.n_targets if apply_output else tape.layers.n_raw
    to = tape.delta
    point(&to, out)
    with nogil:
        while next_tile(tape, &t):
            forward(tape, t.rows, False)
            if apply_output:
                predict(tape, to + t.start * cols, tape.spare, tape.a[L], t.rows)
            else:
                compact(to + t.start * cols, tape.a[L], t.rows, cols, tape.ld[L])


def loss_of(Layers layers, const real[:, ::1] raw, const real[:, ::1] y, const real[::1] w,
            real[:, ::1] delta):
    """The sum of the losses of raw outputs, (n, n_raw); d loss / d raw into delta.

    y: (n, n_targets); w: (n,) or None.
    """
    cdef Py_ssize_t n = raw.shape[0]
    cdef const real *weights = NULL
    cdef double total
    if not (n > 0 and raw.shape[1] == delta.shape[1] == layers.n_raw and y.shape[0] == n
            and y.shape[1] == layers.n_targets and delta.shape[0] == n
            and (w is None or w.shape[0] == n)):
        raise ValueError("raw, targets, weights and delta are of different rows")
    if w is not None:
        weights = &w[0]
    with nogil:
        total = loss_rows(&delta[0, 0], &raw[0, 0], &y[0, 0], weights, n, layers.n_raw,
                          layers.n_raw, &layers.loss)
    return total


def penalise(cnp.ndarray grad, cnp.ndarray theta, const Py_ssize_t[::1] ends,
             const double[::1] strengths):
    """grad += strength theta, in place; returns the sum of strength theta^2.

    Parameters
    ----------
    grad, theta : ndarray of shape (n_params,)
        Contiguous, of the same type, float32 or float64.
    ends, strengths : ndarray
        Where the stretches of theta end that have a strength each; the last one with theta.
    """
    cdef Py_ssize_t n = ends[ends.shape[0] - 1]
    if not (cnp.PyArray_ISCARRAY(grad) and cnp.PyArray_ISCARRAY_RO(theta)
            and cnp.PyArray_SIZE(grad) == cnp.PyArray_SIZE(theta) == n
            and cnp.PyArray_TYPE(grad) == cnp.PyArray_TYPE(theta)):
        raise TypeError("a gradient and its theta are contiguous vectors of one type")
    if cnp.PyArray_TYPE(grad) == cnp.NPY_FLOAT:
        return penalised(<float *> cnp.PyArray_DATA(grad), <float *> cnp.PyArray_DATA(theta), ends,
                         strengths)
    if cnp.PyArray_TYPE(grad) == cnp.NPY_DOUBLE:
        return penalised(<double *> cnp.PyArray_DATA(grad), <double *> cnp.PyArray_DATA(theta),
                         ends, strengths)
    raise TypeError(f"a gradient is float32 or float64, got {grad.dtype}")


cdef double penalised(real *grad, const real *theta, const Py_ssize_t[::1] ends,
                      const double[::1] strengths) noexcept nogil:
    cdef Py_ssize_t k, at = 0, n
    cdef double[2] sums
    cdef double total = 0
    for k in range(ends.shape[0]):
        sums[0] = 0
        while at < ends[k]:
            n = min(BLOCK, ends[k] - at)
            if strengths[k] != 0:
                kernels.regularise(grad + at, sums, theta + at, n, strengths[k], 1)
            at += n
        total += strengths[k] * sums[0]
    return total
