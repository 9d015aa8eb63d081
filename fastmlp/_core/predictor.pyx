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
from libc.math cimport exp
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport real
from fastmlp._core.network cimport Layers
from fastmlp._core.row cimport brief, data_of, is_plain, run_row
from fastmlp._core.tape cimport Tape, Tape32, Tape64, forward, predict, tape_t

from fastmlp._core.tape import TAPES, hold

cnp.import_array()


cdef class Packed:
    """A network's parameters, as they are and in panels.

    Parameters
    ----------
    layers : Layers
    products : list of int
        As a tape takes them.
    rows : int
        That go through all layers together.
    theta : ndarray of shape (n_params,), float32 or float64, contiguous
        Copied.
    x_scales, y_scales : (mean, scale), float64 ndarrays, or None
        Of n_features: the network sees (x - mean) / scale. Of n_targets: what comes out is
        output * scale + mean. Copied.
    logs : float64 ndarray of shape (k,), or None
        The last k of what comes out so far are logarithms: instead come their exponentials, of the
        logarithm at least that is given here. Copied.
    """
    cdef readonly Layers layers
    cdef readonly Py_ssize_t rows
    cdef readonly bint single             # float32
    cdef int type_num                     # NumPy's number of the type
    cdef object theta_                    # a copy of what was given
    cdef const void **W                   # (n_layers,) into theta
    cdef const void **b
    cdef list products
    cdef Tape packed                      # holds theta
    cdef list tapes                       # its followers that no call uses at the time
    cdef double *x_mean                   # (n_features,) or NULL
    cdef double *x_scale
    cdef double *y_mean                   # (n_targets,) or NULL
    cdef double *y_scale
    cdef Py_ssize_t n_logs                # of the last outputs, and their least values
    cdef double *logs_

    def __cinit__(self, Layers layers, list products, Py_ssize_t rows, theta, x_scales=None,
                  y_scales=None, logs=None):
        cdef Py_ssize_t l, n = layers.n_layers
        self.single = is_plain(theta, cnp.NPY_FLOAT)
        self.type_num = cnp.NPY_FLOAT if self.single else cnp.NPY_DOUBLE
        if not is_plain(theta, self.type_num) or theta.shape != (layers.n_params,):
            raise ValueError(f"theta must be a plain vector of {layers.n_params} floats")
        self.layers, self.products, self.rows, self.tapes = layers, products, rows, []
        self.W = <const void **> calloc(n, sizeof(void *))
        self.b = <const void **> calloc(n, sizeof(void *))
        if not (self.W and self.b):
            raise MemoryError("no room for the packed network")
        self.theta_ = theta.copy()
        for l in range(n):
            self.W[l] = self.at(layers.offset[l])
            self.b[l] = self.at(layers.offset[l + 1] - layers.width[l + 1])
        self.packed = self.tape(1)
        hold(self.packed, self.theta_, False)
        if x_scales is not None:
            self.x_mean = copied(x_scales[0], layers.n_features)
            self.x_scale = copied(x_scales[1], layers.n_features)
        if y_scales is not None:
            self.y_mean = copied(y_scales[0], layers.n_targets)
            self.y_scale = copied(y_scales[1], layers.n_targets)
        if logs is not None:
            if not 1 <= len(logs) <= layers.n_targets:
                raise ValueError(f"logs must have 1 to {layers.n_targets} entries, got {len(logs)}")
            self.n_logs = len(logs)
            self.logs_ = copied(logs, self.n_logs)

    cdef const void *at(self, Py_ssize_t k):
        """The k-th parameter's place."""
        return <const char *> cnp.PyArray_DATA(self.theta_) + k * cnp.PyArray_ITEMSIZE(self.theta_)

    cdef Tape tape(self, Py_ssize_t rows):
        return TAPES[cnp.PyArray_ITEMSIZE(self.theta_)](
            self.layers, None, self.products, rows, self.packed)

    def __dealloc__(self):
        free(self.W)
        free(self.b)
        free(self.x_mean)
        free(self.x_scale)
        free(self.y_mean)
        free(self.y_scale)
        free(self.logs_)

    @property
    def theta(self):
        """A copy of the parameters."""
        return self.theta_.copy()

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
            (n, n_targets) or (n_targets,). None where x or out is not plain, has another shape, or
            where x has no rows or holds NaN or infinity: that needs a closer look.
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
        finite = run(self, cnp.PyArray_DATA(<cnp.ndarray> x), self.layers.n_features, n,
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
                return run(self, rows.buf, stride, n, result.buf) == 1
            finally:
                PyBuffer_Release(&result)
        finally:
            PyBuffer_Release(&rows)

    def holds(self, coefs, intercepts, x_scales=None):
        """Whether these plain arrays and scales are what was packed, bit by bit."""
        cdef Py_ssize_t l, n = self.layers.n_layers
        cdef Py_ssize_t *width = self.layers.width
        if not len(coefs) == len(intercepts) == n:
            return False
        for l in range(n):
            if not (same(coefs[l], self.type_num, self.W[l], width[l], width[l + 1])
                    and same(intercepts[l], self.type_num, self.b[l], -1, width[l + 1])):
                return False
        if x_scales is None:
            return self.x_mean == NULL
        return (self.x_mean != NULL
                and same(x_scales[0], cnp.NPY_DOUBLE, self.x_mean, -1, width[0])
                and same(x_scales[1], cnp.NPY_DOUBLE, self.x_scale, -1, width[0]))

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


cdef bint same(x, int type_num, const void *kept, Py_ssize_t rows, Py_ssize_t cols) noexcept:
    """Whether a plain array of this type and shape is what is kept, bit by bit."""
    cdef const void *data = data_of(x, type_num, rows, cols)
    return data != NULL and memcmp(data, kept, cnp.PyArray_NBYTES(<cnp.ndarray> x)) == 0


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


cdef int run(Packed self, const void *x, Py_ssize_t stride, Py_ssize_t n,
             void *out) except -1:
    """All rows into out, (n, n_targets): 1, or 0 where x is not finite."""
    cdef Tape tape = self.packed
    cdef int finite
    if n > 1:
        try:
            tape = self.tapes.pop()
        except IndexError:
            tape = self.tape(self.rows)
    finite = (swept(<Tape32> tape, self, x, stride, n, out) if self.single
              else swept(<Tape64> tape, self, x, stride, n, out))
    if n > 1:
        self.tapes.append(tape)
    if finite < 0:
        raise MemoryError("no room for the activations of a row")
    return finite


cdef int swept(tape_t tape, Packed self, const void *x, Py_ssize_t stride, Py_ssize_t n,
               void *out) noexcept:
    """`run` without the GIL, where that pays; -1 without memory."""
    cdef int finite
    if n * self.layers.n_params < brief:
        return run_tiles(tape, self, x, stride, n, out)
    with nogil:
        finite = run_tiles(tape, self, x, stride, n, out)
    return finite


cdef int run_tiles(tape_t tape, Packed self, const void *x, Py_ssize_t stride, Py_ssize_t n,
                   void *out) noexcept nogil:
    """All rows, tile by tile; a single one on the weights where they lie."""
    cdef Py_ssize_t rows, start = 0, cols = self.layers.n_targets
    cdef int finite = 1
    at = tape.spare
    to = tape.spare
    while start < n and finite == 1:
        rows = min(self.rows, n - start)
        use(&at, <const char *> x + start * stride * tape.itemsize)
        use(&to, <const char *> out + start * cols * tape.itemsize)
        if rows == 1:
            finite = run_row(self.layers, self.W, self.b, at, self.x_mean, self.x_scale, to)
        else:
            finite = load(tape, tape.a[0], at, stride, rows, self.x_mean, self.x_scale)
            forward(tape, rows, False)
            predict(tape, to, tape.spare, tape.a[self.layers.n_layers], rows)
        if self.y_mean != NULL:
            unscale(to, self.y_mean, self.y_scale, rows, cols)
        if self.n_logs:
            exponentiate(to, self.logs_, rows, cols, self.n_logs)
        start += rows
    return finite


cdef bint load(Tape tape, real *a, const real *x, Py_ssize_t stride, Py_ssize_t rows,
               const double *mean, const double *scale) noexcept nogil:
    """Rows of x as the network sees them; False if they are not finite."""
    cdef Py_ssize_t r, width = tape.layers.width[0], ld = tape.ld[0]
    for r in range(rows):
        memcpy(a + r * ld, x + r * stride, width * sizeof(real))
    if mean != NULL:
        kernels.standardise(a, mean, scale, rows, width, ld)
    return kernels.all_finite(a, rows * ld)


cdef void use(real **at, const void *array) noexcept nogil:
    at[0] = <real *> array


cdef void unscale(real *y, const double *mean, const double *scale, Py_ssize_t rows,
                  Py_ssize_t cols) noexcept nogil:
    """y[rows, cols] = y scale[cols] + mean[cols], in double."""
    cdef Py_ssize_t r, c
    for r in range(rows):
        for c in range(cols):
            y[r * cols + c] = <real> (<double> y[r * cols + c] * scale[c] + mean[c])


cdef void exponentiate(real *y, const double *least, Py_ssize_t rows, Py_ssize_t cols,
                       Py_ssize_t n) noexcept nogil:
    """The last n columns of y[rows, cols] = exp(max(y, least[n])), in double."""
    cdef Py_ssize_t r, c
    for r in range(rows):
        for c in range(n):
            y[(r + 1) * cols - n + c] = <real> exp(max(<double> y[(r + 1) * cols - n + c],
                                                       least[c]))
