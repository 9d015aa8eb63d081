"""Prediction: one row on the weights as theta holds them, or many on packed weights.

A `Packed` network never changes; each call works in memory of its own, on the stack where that is
enough, so that any number of threads may share one.
"""

cimport numpy as cnp
from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport FM_relu, real
from fastmlp._core.network cimport Layers
from fastmlp._core.row cimport BRIEF, STACK, is_plain, run_row

cnp.import_array()

cdef enum:
    TILE = 48          # rows that go through all layers together

TILE_ROWS = TILE


cdef class Packed:
    """A network's parameters, as they are and in panels.

    Parameters
    ----------
    layers : Layers
    theta : ndarray of shape (n_params,), float32 or float64, contiguous
        Copied.
    x_scales, y_scales : (mean, scale), float64 ndarrays, or None
        Of n_features: the network sees (x - mean) / scale. Of n_targets: what comes out is
        output * scale + mean. Copied.
    """
    cdef readonly Layers layers
    cdef readonly bint single             # float32
    cdef int type_num                     # NumPy's number of the type
    cdef void *memory
    cdef void *theta_at
    cdef const void **W                   # (n_layers,) into theta
    cdef const void **b
    cdef void *panels                     # W~ of every layer
    cdef Py_ssize_t *offset               # (n_layers + 1,) in elements
    cdef Py_ssize_t *ld                   # (n_layers + 1,)
    cdef Py_ssize_t widest                # row of a tile, in bytes
    cdef double *x_mean                   # (n_features,) or NULL
    cdef double *x_scale
    cdef double *y_mean                   # (n_targets,) or NULL
    cdef double *y_scale

    def __cinit__(self, Layers layers, theta, x_scales=None, y_scales=None):
        cdef Py_ssize_t l, n = layers.n_layers, itemsize, theta_bytes, widest = 0
        cdef const float[::1] of_floats
        cdef const double[::1] of_doubles
        self.single = is_plain(theta, cnp.NPY_FLOAT)
        self.type_num = cnp.NPY_FLOAT if self.single else cnp.NPY_DOUBLE
        if not is_plain(theta, self.type_num) or theta.shape != (layers.n_params,):
            raise ValueError(f"theta must be a plain vector of {layers.n_params} floats")
        self.layers = layers
        itemsize = sizeof(float) if self.single else sizeof(double)
        self.offset = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.ld = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.W = <const void **> calloc(n, sizeof(void *))
        self.b = <const void **> calloc(n, sizeof(void *))
        if not (self.offset and self.ld and self.W and self.b):
            raise MemoryError("no room for the packed network")
        self.ld[0] = layers.width[0] + 1
        for l in range(1, n + 1):
            self.ld[l] = self.padded(layers.width[l] + (l < n))
            self.offset[l] = self.offset[l - 1] + (
                (layers.width[l - 1] + 1) * self.padded(layers.width[l]))
        for l in range(n + 1):
            widest = max(widest, self.ld[l])
        self.widest = widest * itemsize
        theta_bytes = lines(layers.n_params * itemsize)
        self.memory = malloc(theta_bytes + self.offset[n] * itemsize + 64)
        if not self.memory:
            raise MemoryError("no room for the packed network")
        self.theta_at = <void *> ((<uintptr_t> self.memory + 63) & ~<uintptr_t> 63)
        self.panels = <char *> self.theta_at + theta_bytes
        if self.single:
            of_floats = theta
            pack(self, &of_floats[0])
        else:
            of_doubles = theta
            pack(self, &of_doubles[0])
        if x_scales is not None:
            self.x_mean = copied(x_scales[0], layers.n_features)
            self.x_scale = copied(x_scales[1], layers.n_features)
        if y_scales is not None:
            self.y_mean = copied(y_scales[0], layers.n_targets)
            self.y_scale = copied(y_scales[1], layers.n_targets)

    cdef Py_ssize_t padded(self, Py_ssize_t cols) noexcept:
        if self.single:
            return kernels.table.f.padded(cols)
        return kernels.table.d.padded(cols)

    def __dealloc__(self):
        free(self.offset)
        free(self.ld)
        free(self.W)
        free(self.b)
        free(self.memory)
        free(self.x_mean)
        free(self.x_scale)
        free(self.y_mean)
        free(self.y_scale)

    @property
    def theta(self):
        """A copy of the parameters."""
        cdef cnp.npy_intp n = self.layers.n_params
        cdef cnp.ndarray copy = cnp.PyArray_SimpleNew(1, &n, self.type_num)
        memcpy(cnp.PyArray_DATA(copy), self.theta_at, cnp.PyArray_NBYTES(copy))
        return copy

    @property
    def x_scales(self):
        """Mean and scale of the inputs, as a tuple of copies, or None."""
        return scales_of(self.x_mean, self.x_scale, self.layers.n_features)

    @property
    def y_scales(self):
        """Mean and scale of the outputs, as a tuple of copies, or None."""
        return scales_of(self.y_mean, self.y_scale, self.layers.n_targets)

    def outputs(self, x, bint flat=False, out=None):
        """Outputs for a plain x: an exact, aligned, C-contiguous ndarray of the packed type.

        Parameters
        ----------
        x : ndarray of shape (n, n_features) or (n_features,)
        flat : bool
            Leave out the last axis of the result, which has length 1.
        out : ndarray, optional
            Where the result goes, if it is as plain as x, of the result's shape and apart from x.

        Returns
        -------
        ndarray or None
            (n, n_targets) or (n_targets,). None where x or out is not plain, has another shape, or where x
            has no rows or holds NaN or infinity: that needs a closer look.
        """
        cdef int ndim, finite
        cdef cnp.npy_intp shape[2]
        cdef Py_ssize_t n
        if not is_plain(x, self.type_num):
            return None
        ndim = cnp.PyArray_NDIM(<cnp.ndarray> x)
        if not 1 <= ndim <= 2:
            return None
        if cnp.PyArray_DIM(<cnp.ndarray> x, ndim - 1) != self.layers.n_features:
            return None
        shape[0] = n = cnp.PyArray_DIM(<cnp.ndarray> x, 0) if ndim == 2 else 1
        if n == 0 or (flat and self.layers.n_targets != 1):
            return None
        shape[ndim - 1] = self.layers.n_targets
        if out is None:
            out = cnp.PyArray_SimpleNew(ndim - flat, shape, self.type_num)
        elif not takes(out, self.type_num, ndim - flat, shape, <cnp.ndarray> x):
            return None
        finite = forward(self, cnp.PyArray_DATA(<cnp.ndarray> x), self.layers.n_features, n,
                         cnp.PyArray_DATA(<cnp.ndarray> out))
        return out if finite else None

    def fill(self, x, out):
        """Fill out (n, n_targets) for rows x (n, n_features) of the packed type.

        Parameters
        ----------
        x : ndarray of shape (n, n_features) or (n_features,)
            Rows; unit stride within a row.
        out : ndarray of shape (n, n_targets) or (n_targets,), C-contiguous
            Where the outputs go: memory that x has no part in.

        Returns
        -------
        bool
            False if some entry of x is NaN or infinite; out is then meaningless.
        """
        cdef Py_buffer rows, result
        cdef Py_ssize_t n, stride, itemsize = sizeof(float) if self.single else sizeof(double)
        PyObject_GetBuffer(x, &rows, PyBUF_STRIDES | PyBUF_FORMAT)
        try:
            PyObject_GetBuffer(out, &result, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)
            try:
                n = rows.shape[0] if rows.ndim == 2 else 1
                stride = rows.strides[0] // itemsize if rows.ndim == 2 else 0
                self.check(&rows, "x", n, self.layers.n_features, itemsize)
                self.check(&result, "out", n, self.layers.n_targets, itemsize)
                if result.ndim != rows.ndim or (
                        n > 1 and result.strides[0] != self.layers.n_targets * itemsize):
                    raise ValueError("out must be C-contiguous and have as many axes as x.")
                return forward(self, rows.buf, stride, n, result.buf) == 1
            finally:
                PyBuffer_Release(&result)
        finally:
            PyBuffer_Release(&rows)

    def holds(self, theta, x_scales=None):
        """Whether this plain vector and these scales are what was packed, bit by bit."""
        if not same(theta, self.type_num, self.theta_at, self.layers.n_params):
            return False
        if x_scales is None:
            return self.x_mean == NULL
        return (self.x_mean != NULL
                and same(x_scales[0], cnp.NPY_DOUBLE, self.x_mean, self.layers.n_features)
                and same(x_scales[1], cnp.NPY_DOUBLE, self.x_scale, self.layers.n_features))

    cdef int check(self, Py_buffer *b, str what, Py_ssize_t n, Py_ssize_t cols,
                   Py_ssize_t itemsize) except -1:
        """The right type, n rows of cols, unit stride within a row, aligned."""
        cdef char kind = b"f" if self.single else b"d"
        cdef Py_ssize_t last = b.ndim - 1
        if b.format[0] != kind or b.format[1] != 0:
            raise ValueError(f"{what} must be {'float32' if self.single else 'float64'} in native "
                             f"byte order, got format {b.format.decode()!r}.")
        if b.ndim not in (1, 2) or b.shape[last] != cols or (b.ndim == 2 and b.shape[0] != n):
            raise ValueError(
                f"{what} must have {cols} columns"
                + (f" and {n} rows" if what == "out" else "")
                + f", got shape {tuple(b.shape[k] for k in range(b.ndim))}."
            )
        if b.strides[last] != itemsize and cols > 1:
            raise ValueError(f"{what} must have contiguous rows.")
        if <uintptr_t> b.buf % <uintptr_t> itemsize or (
                b.ndim == 2 and b.strides[0] % itemsize):
            raise ValueError(f"{what} must be aligned.")
        return 0


cdef bint takes(out, int type_num, int ndim, const cnp.npy_intp *shape, cnp.ndarray x) noexcept:
    """Whether out is plain and writeable, of this shape, and shares no memory with a plain x."""
    cdef int axis
    cdef uintptr_t at, x_at = <uintptr_t> cnp.PyArray_DATA(x)
    if not (is_plain(out, type_num) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray> out)
            and cnp.PyArray_NDIM(<cnp.ndarray> out) == ndim):
        return False
    for axis in range(ndim):
        if cnp.PyArray_DIM(<cnp.ndarray> out, axis) != shape[axis]:
            return False
    at = <uintptr_t> cnp.PyArray_DATA(<cnp.ndarray> out)
    return (at + <uintptr_t> cnp.PyArray_NBYTES(<cnp.ndarray> out) <= x_at
            or x_at + <uintptr_t> cnp.PyArray_NBYTES(x) <= at)


cdef bint same(x, int type_num, const void *kept, Py_ssize_t n) noexcept:
    """Whether a plain array of n entries of this type is what is kept, bit by bit."""
    return (is_plain(x, type_num) and cnp.PyArray_SIZE(<cnp.ndarray> x) == n
            and memcmp(cnp.PyArray_DATA(<cnp.ndarray> x), kept,
                       cnp.PyArray_NBYTES(<cnp.ndarray> x)) == 0)


cdef double *copied(const double[::1] v, Py_ssize_t n) except NULL:
    """A copy of n entries, to be freed."""
    cdef double *copy
    if v.shape[0] != n:
        raise ValueError(f"scales must have {n} entries, got {v.shape[0]}.")
    copy = <double *> malloc(n * sizeof(double))
    if not copy:
        raise MemoryError("no room for the scales")
    memcpy(copy, &v[0], n * sizeof(double))
    return copy


cdef tuple scales_of(const double *mean, const double *scale, Py_ssize_t n):
    """Copies of mean and scale; None for NULL."""
    return None if mean == NULL else (vector_of(mean, n), vector_of(scale, n))


cdef vector_of(const double *v, cnp.npy_intp n):
    """A copy of n entries as an ndarray."""
    copy = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_DOUBLE)
    memcpy(cnp.PyArray_DATA(<cnp.ndarray> copy), v, n * sizeof(double))
    return copy


cdef Py_ssize_t lines(Py_ssize_t size) noexcept nogil:
    """Bytes of whole lines of cache."""
    return (size + 63) & ~<Py_ssize_t> 63


cdef void pack(Packed self, const real *theta) noexcept:
    """theta as it is, and its weights and biases in panels: of the copy, whatever another thread
    does to theta meanwhile."""
    cdef Py_ssize_t l
    cdef Layers layers = self.layers
    memcpy(self.theta_at, theta, layers.n_params * sizeof(real))
    for l in range(layers.n_layers):
        self.W[l] = <real *> self.theta_at + layers.offset[l]
        self.b[l] = <real *> self.W[l] + layers.width[l] * layers.width[l + 1]
        kernels.panel_copy(<real *> self.panels + self.offset[l], <real *> self.W[l],
                           layers.width[l] + 1, layers.width[l + 1], False)


cdef int forward(Packed self, const void *x, Py_ssize_t stride, Py_ssize_t n,
                 void *out) except -1:
    """All rows into out, (n, n_targets): 1, or 0 where x is not finite."""
    cdef int finite
    if n * self.layers.n_params < BRIEF:
        finite = run(self, x, stride, n, out)
    else:
        with nogil:
            finite = run(self, x, stride, n, out)
    if finite < 0:
        raise MemoryError("no room for the activations of a tile of rows")
    return finite


cdef int run(Packed self, const void *x, Py_ssize_t stride, Py_ssize_t n,
             void *out) noexcept nogil:
    """`forward` for either type; -1 without memory."""
    if self.single:
        return run_tiles(self, self.layers, <const float *> x, stride, n, <float *> out)
    return run_tiles(self, self.layers, <const double *> x, stride, n, <double *> out)


cdef int run_tiles(Packed self, Layers layers, const real *x, Py_ssize_t stride, Py_ssize_t n,
                   real *out) noexcept nogil:
    """All rows, tile by tile: 1, or 0 where x is not finite, or -1 without memory."""
    cdef char[STACK] near
    cdef void *far = NULL
    cdef char *base = near
    cdef Py_ssize_t rows, start = 0
    cdef int finite = 1
    # two activations and one pre-activation, a line of cache apart
    cdef Py_ssize_t room = lines(min(n, TILE) * self.widest) + 64
    if 3 * room + 64 > STACK:
        far = malloc(3 * room + 64)
        if far == NULL:
            return -1
        base = <char *> far
    base = <char *> ((<uintptr_t> base + 63) & ~<uintptr_t> 63)
    while start < n and finite == 1:
        rows = min(TILE, n - start)
        if rows == 1:
            finite = run_row(layers, self.W, self.b, x + start * stride, self.x_mean,
                             self.x_scale, out + start * layers.n_targets)
        else:
            finite = run_tile(self, layers, x + start * stride, stride, rows,
                              out + start * layers.n_targets, base, room)
        if self.y_mean != NULL:
            unscale(out + start * layers.n_targets, self.y_mean, self.y_scale, rows, layers.n_targets)
        start += rows
    free(far)
    return finite


cdef void unscale(real *y, const double *mean, const double *scale, Py_ssize_t rows,
                  Py_ssize_t cols) noexcept nogil:
    """y[rows, cols] = y scale[cols] + mean[cols], in double."""
    cdef Py_ssize_t r, c
    for r in range(rows):
        for c in range(cols):
            y[r * cols + c] = <real> (<double> y[r * cols + c] * scale[c] + mean[c])


cdef bint run_tile(Packed self, Layers layers, const real *x, Py_ssize_t stride,
                   Py_ssize_t rows, real *out, char *workspace, Py_ssize_t room) noexcept nogil:
    """One tile through all layers; False if x is not finite."""
    cdef Py_ssize_t l, r, c, width, ld, L = layers.n_layers
    cdef real *a = <real *> workspace
    cdef real *z = <real *> (workspace + room)
    cdef real *spare = <real *> (workspace + 2 * room)
    cdef real *swap
    cdef bint relu
    width = layers.width[0]
    for r in range(rows):
        for c in range(width):
            a[r * (width + 1) + c] = x[r * stride + c]
        a[r * (width + 1) + width] = 1
    if self.x_mean != NULL:
        kernels.standardise(a, self.x_mean, self.x_scale, rows, width, width + 1)
    if not kernels.all_finite(a, rows * (width + 1)):
        return False
    for l in range(1, L + 1):
        ld = self.ld[l]
        relu = l < L and layers.activation[l - 1].kind == FM_relu
        kernels.panel_forward(z, a, <const real *> self.panels + self.offset[l - 1], rows,
                              layers.width[l - 1], layers.width[l], ld, self.ld[l - 1], relu)
        if l == L:
            break
        if not relu:
            kernels.activate(spare, z, <real *> NULL, rows, ld, False,
                             &layers.activation[l - 1])
            swap = spare
            spare = z
            z = swap
        width = layers.width[l]
        for r in range(rows):
            z[r * ld + width] = 1
        swap = a
        a = z
        z = swap
    for r in range(rows):
        memcpy(out + r * layers.n_targets, z + r * self.ld[L], layers.n_targets * sizeof(real))
    if layers.loss.output.kind == kernels.FM_softmax:
        memcpy(spare, out, rows * layers.n_targets * sizeof(real))
        kernels.output(out, spare, rows, layers.n_targets, &layers.loss.output)
    elif layers.loss.output.kind != kernels.FM_identity:
        kernels.output(out, out, rows, layers.n_targets, &layers.loss.output)
    return True
