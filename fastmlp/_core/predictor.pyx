"""Prediction on packed weights: one row in well under a microsecond of arithmetic, or many.

A `Packed` network never changes; each call works in memory of its own, on the stack where that is
enough, so that any number of threads may share one.
"""

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

import numpy as np

cdef enum:
    TILE = 48          # rows that go through all layers together
    STACK = 16384      # bytes of scratch that are taken from the stack


cdef class Packed:
    """A network's parameters in panels.

    Parameters
    ----------
    layers : Layers
    theta : ndarray of shape (n_params,), float32 or float64
    """
    cdef readonly Layers layers
    cdef readonly object theta            # a copy, to compare with
    cdef readonly bint single             # float32
    cdef void *memory
    cdef void *panels                     # W~ of every layer
    cdef Py_ssize_t *offset               # (n_layers + 1,) in elements
    cdef Py_ssize_t *ld                   # (n_layers + 1,)
    cdef Py_ssize_t scratch               # bytes for a tile, and for a single row
    cdef Py_ssize_t scratch_row

    def __cinit__(self, Layers layers, theta):
        cdef Py_ssize_t l, n = layers.n_layers, itemsize, widest = 0
        cdef const float[::1] of_floats
        cdef const double[::1] of_doubles
        self.layers = layers
        self.theta = theta.copy()
        self.single = theta.dtype == np.float32
        itemsize = sizeof(float) if self.single else sizeof(double)
        self.offset = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.ld = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        if not (self.offset and self.ld):
            raise MemoryError("no room for the packed network")
        self.ld[0] = layers.width[0] + 1
        for l in range(1, n + 1):
            self.ld[l] = self.padded(layers.width[l] + (l < n))
            self.offset[l] = self.offset[l - 1] + (
                (layers.width[l - 1] + 1) * self.padded(layers.width[l]))
        for l in range(n + 1):
            widest = max(widest, self.ld[l])
        # two activations and one pre-activation, a line of cache apart
        self.scratch_row = 3 * (widest * itemsize + 64)
        self.scratch = 3 * (TILE * widest * itemsize + 64)
        self.memory = malloc(self.offset[n] * itemsize + 64)
        if not self.memory:
            raise MemoryError("no room for the packed network")
        self.panels = <void *> ((<uintptr_t> self.memory + 63) & ~<uintptr_t> 63)
        if self.single:
            of_floats = theta
            fill(self, &of_floats[0])
        else:
            of_doubles = theta
            fill(self, &of_doubles[0])

    cdef Py_ssize_t padded(self, Py_ssize_t cols) noexcept:
        if self.single:
            return kernels.table.f.padded(cols)
        return kernels.table.d.padded(cols)

    def __dealloc__(self):
        free(self.offset)
        free(self.ld)
        free(self.memory)

    def forward(self, x, out, bint apply_output=True):
        """Fill out (n, n_raw) for rows x (n, n_features) of the packed type.

        Parameters
        ----------
        x : ndarray of shape (n, n_features) or (n_features,)
            Rows; unit stride within a row.
        out : ndarray of shape (n, n_raw) or (n_raw,), C-contiguous
            Where the outputs go.
        apply_output : bool
            Whether the output activation is applied.

        Returns
        -------
        bool
            False if some entry of x is NaN or infinite; out is then meaningless.
        """
        cdef Py_buffer rows, result
        cdef Py_ssize_t n, stride, itemsize = sizeof(float) if self.single else sizeof(double)
        cdef int finite
        PyObject_GetBuffer(x, &rows, PyBUF_STRIDES | PyBUF_FORMAT)
        try:
            PyObject_GetBuffer(out, &result, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)
            try:
                n = rows.shape[0] if rows.ndim == 2 else 1
                stride = rows.strides[0] // itemsize if rows.ndim == 2 else 0
                self.check(&rows, "x", n, self.layers.n_features, itemsize)
                self.check(&result, "out", n, self.layers.n_raw, itemsize)
                if result.ndim == 2 and n > 1 and result.strides[0] != self.layers.n_raw * itemsize:
                    raise ValueError("out must be C-contiguous.")
                with nogil:
                    if self.single:
                        finite = run(self, self.layers, <float *> rows.buf, stride, n,
                                     <float *> result.buf, apply_output)
                    else:
                        finite = run(self, self.layers, <double *> rows.buf, stride, n,
                                     <double *> result.buf, apply_output)
            finally:
                PyBuffer_Release(&result)
        finally:
            PyBuffer_Release(&rows)
        if finite < 0:
            raise MemoryError(f"no room for {self.scratch} bytes of scratch")
        return finite == 1

    def holds(self, theta):
        """Whether these are the parameters that were packed, bit by bit."""
        cdef Py_buffer now, then
        cdef bint same
        PyObject_GetBuffer(theta, &now, PyBUF_STRIDES)
        PyObject_GetBuffer(self.theta, &then, PyBUF_STRIDES)
        same = (now.len == then.len and now.itemsize == then.itemsize and now.ndim == 1
                and now.strides[0] == now.itemsize
                and memcmp(now.buf, then.buf, now.len) == 0)
        PyBuffer_Release(&now)
        PyBuffer_Release(&then)
        return same

    cdef int check(self, Py_buffer *b, str what, Py_ssize_t n, Py_ssize_t cols,
                   Py_ssize_t itemsize) except -1:
        """The right type, n rows of cols, unit stride within a row, aligned."""
        cdef char kind = b"f" if self.single else b"d"
        cdef Py_ssize_t last = b.ndim - 1
        if b.format[0] != kind or b.format[1] != 0:
            raise ValueError(f"{what} must be {'float32' if self.single else 'float64'}.")
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


cdef void fill(Packed self, const real *theta) noexcept:
    """Weights and biases into their panels."""
    cdef Py_ssize_t l
    cdef Layers layers = self.layers
    for l in range(layers.n_layers):
        kernels.panel_copy(<real *> self.panels + self.offset[l],
                           <real *> theta + layers.offset[l], layers.width[l] + 1,
                           layers.width[l + 1], False)


cdef int run(Packed self, Layers layers, const real *x, Py_ssize_t stride, Py_ssize_t n,
             real *out, bint apply_output) noexcept nogil:
    """All rows, tile by tile: 1, or 0 where x is not finite, or -1 without memory."""
    cdef char[STACK] near
    cdef void *far = NULL
    cdef char *base = near
    cdef Py_ssize_t needed = self.scratch_row if n == 1 else self.scratch
    cdef Py_ssize_t start, rows = TILE if n > 1 else 1, result = 1
    if needed + 64 > STACK:
        far = malloc(needed + 64)
        if far == NULL:
            return -1
        base = <char *> far
    base = <char *> ((<uintptr_t> base + 63) & ~<uintptr_t> 63)
    start = 0
    while start < n:
        if not run_tile(self, layers, x + start * stride, stride, min(rows, n - start),
                        out + start * layers.n_raw, base, needed // 3, apply_output):
            result = 0
            break
        start += rows
    free(far)
    return <int> result


cdef bint run_tile(Packed self, Layers layers, const real *x, Py_ssize_t stride,
                   Py_ssize_t rows, real *out, char *scratch, Py_ssize_t third,
                   bint apply_output) noexcept nogil:
    """One tile through all layers; False if x is not finite."""
    cdef Py_ssize_t l, r, c, width, ld, L = layers.n_layers
    cdef real *a = <real *> scratch
    cdef real *z = <real *> (scratch + (third & ~<Py_ssize_t> 63))
    cdef real *spare = <real *> (scratch + 2 * (third & ~<Py_ssize_t> 63))
    cdef real *swap
    cdef bint relu
    width = layers.width[0]
    for r in range(rows):
        for c in range(width):
            a[r * (width + 1) + c] = x[r * stride + c]
        a[r * (width + 1) + width] = 1
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
            kernels.activate(spare, z, <real *> NULL, rows, ld, &layers.activation[l - 1])
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
        memcpy(out + r * layers.n_raw, z + r * self.ld[L], layers.n_raw * sizeof(real))
    if apply_output:
        if layers.loss.output.kind == kernels.FM_softmax:
            memcpy(spare, out, rows * layers.n_raw * sizeof(real))
            kernels.output(out, spare, rows, layers.n_raw, &layers.loss.output)
        elif layers.loss.output.kind != kernels.FM_identity:
            kernels.output(out, out, rows, layers.n_raw, &layers.loss.output)
    return True
