"""One row through a network, on weights where they lie: every one of them is read once."""

cimport numpy as cnp
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport FM_identity, FM_relu

from fastmlp.threads import BRIEF

cnp.import_array()

brief = BRIEF

cdef enum:
    DEEPEST = 64       # layers that `outputs_of_row` serves


def outputs_of_row(Layers layers, coefs, intercepts, x, mean=None, scale=None):
    """Outputs for a single row, by weights and biases as they are now.

    Parameters
    ----------
    layers : Layers
    coefs, intercepts : sequence of ndarray
        Shapes (fan_in, fan_out) and (fan_out,).
    x : ndarray of shape (1, n_features)
    mean, scale : ndarray of shape (n_features,), or None
        The network sees (x - mean) / scale.

    Returns
    -------
    ndarray of shape (1, n_targets) or None
        None where x is no single row or not finite, or where an array is not plain: an exact,
        aligned, C-contiguous ndarray of x's type (float32 or float64; float64 for mean and
        scale), in the layers' shape.
    """
    cdef const void *W[DEEPEST]
    cdef const void *b[DEEPEST]
    cdef const void *row
    cdef const double *mean_ = NULL
    cdef const double *scale_ = NULL
    cdef tuple held_coefs, held_intercepts  # whatever another thread does to the lists
    cdef cnp.npy_intp shape[2]
    cdef Py_ssize_t l
    cdef int type_num, finite
    type_num = cnp.NPY_FLOAT if is_plain(x, cnp.NPY_FLOAT) else cnp.NPY_DOUBLE
    row = data_of(x, type_num, 1, layers.n_features)
    if row == NULL or layers.n_layers > DEEPEST:
        return None
    if not isinstance(coefs, (list, tuple)) or not isinstance(intercepts, (list, tuple)):
        return None
    held_coefs, held_intercepts = tuple(coefs), tuple(intercepts)
    if len(held_coefs) != layers.n_layers or len(held_intercepts) != layers.n_layers:
        return None
    for l in range(layers.n_layers):
        W[l] = data_of(held_coefs[l], type_num, layers.width[l], layers.width[l + 1])
        b[l] = data_of(held_intercepts[l], type_num, -1, layers.width[l + 1])
        if W[l] == NULL or b[l] == NULL:
            return None
    if mean is not None:
        mean_ = <const double *> data_of(mean, cnp.NPY_DOUBLE, -1, layers.n_features)
        scale_ = <const double *> data_of(scale, cnp.NPY_DOUBLE, -1, layers.n_features)
        if mean_ == NULL or scale_ == NULL:
            return None
    shape[0], shape[1] = 1, layers.n_targets
    out = cnp.PyArray_SimpleNew(2, shape, type_num)
    if type_num == cnp.NPY_FLOAT:
        finite = row_of(layers, W, b, <const float *> row, mean_, scale_,
                        <float *> cnp.PyArray_DATA(out))
    else:
        finite = row_of(layers, W, b, <const double *> row, mean_, scale_,
                        <double *> cnp.PyArray_DATA(out))
    if finite < 0:
        raise MemoryError("no room for the activations of a row")
    return out if finite else None


cdef int row_of(Layers layers, const void **W, const void **b, const real *x, const double *mean,
                const double *scale, real *out) noexcept:
    """`run_row`, without the GIL where that pays."""
    cdef int finite
    if layers.n_params < brief:
        return run_row(layers, W, b, x, mean, scale, out)
    with nogil:
        finite = run_row(layers, W, b, x, mean, scale, out)
    return finite


cdef bint is_plain(x, int type_num) noexcept:
    """Whether x is an exact, aligned, C-contiguous ndarray of this type in native order."""
    return (cnp.PyArray_CheckExact(x) and cnp.PyArray_TYPE(<cnp.ndarray> x) == type_num
            and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray> x))


cdef const void *data_of(x, int type_num, Py_ssize_t rows, Py_ssize_t cols) noexcept:
    """Where a plain array of shape (rows, cols), or (cols,) for rows of -1, lies; else NULL."""
    cdef cnp.ndarray array
    cdef int ndim = 1 if rows < 0 else 2
    if not is_plain(x, type_num):
        return NULL
    array = <cnp.ndarray> x
    if cnp.PyArray_NDIM(array) != ndim or cnp.PyArray_DIM(array, ndim - 1) != cols:
        return NULL
    if ndim == 2 and cnp.PyArray_DIM(array, 0) != rows:
        return NULL
    return cnp.PyArray_DATA(array)


cdef int run_row(Layers layers, const void **W, const void **b, const real *x,
                 const double *mean, const double *scale, real *out) noexcept nogil:
    """out (n_targets,) for x (n_features,): 1, or 0 where x is not finite, or -1 without memory.

    The network sees (x - mean) / scale, unless mean is NULL.
    """
    cdef char[STACK] near
    cdef void *far = NULL
    cdef uintptr_t base = <uintptr_t> near
    cdef Py_ssize_t l, room, room_of_x = 0, L = layers.n_layers
    cdef real *z
    cdef real *spare
    cdef real *scaled
    cdef const real *a = x
    cdef bint relu
    room = (layers.widest * <Py_ssize_t> sizeof(real) + 63) & ~<Py_ssize_t> 63
    if mean != NULL:
        room_of_x = (layers.n_features * <Py_ssize_t> sizeof(real) + 63) & ~<Py_ssize_t> 63
    if 2 * room + room_of_x + 64 > STACK:
        far = malloc(2 * room + room_of_x + 64)
        if far == NULL:
            return -1
        base = <uintptr_t> far
    z = <real *> ((base + 63) & ~<uintptr_t> 63)
    spare = <real *> (<char *> z + room)
    if mean != NULL:
        scaled = <real *> (<char *> spare + room)
        memcpy(scaled, x, layers.n_features * sizeof(real))
        kernels.standardise(scaled, mean, scale, 1, layers.n_features, layers.n_features)
        a = scaled
    if not kernels.all_finite(a, layers.n_features):
        free(far)
        return 0
    for l in range(L):
        relu = l < L - 1 and layers.activation[l].kind == FM_relu
        kernels.row_forward(z, a, <const real *> W[l], <const real *> b[l], layers.width[l],
                            layers.width[l + 1], relu)
        if relu:
            a = z
            z = spare
            spare = <real *> a
        elif l < L - 1:
            kernels.activate(spare, z, 1, layers.width[l + 1], layers.width[l + 1], False,
                             &layers.activation[l])
            a = spare
    if layers.loss.output.kind == FM_identity:
        memcpy(out, z, layers.n_targets * sizeof(real))
    else:
        kernels.output(out, z, 1, layers.n_targets, &layers.loss.output)
    free(far)
    return 1
