"""Sweeps over the layers: forward, backward, and the loss over tiles of rows.

theta holds W_l (fan_in x fan_out, row-major) then b_l for each layer, so that W_l with b_l below
it is one (fan_in + 1) x fan_out matrix.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm
from fastmlp._core.kernels cimport FM_identity, FM_softmax, real

import math

from fastmlp._sizes import MOST_FOR_BLAS, MOST_PARAMS, check_sizes
from fastmlp.segments import segments_of
from fastmlp._core.kernels import ACTIVATIONS, LOSSES

cdef extern from "<time.h>" nogil:
    struct timespec:
        long long tv_sec
        long tv_nsec
    int TIME_UTC
    int timespec_get(timespec *t, int base)

cdef enum:
    CUSTOM = -1                # code of a loss that is not in the table


cdef class Layers:
    """The shape of a network: widths, activations, loss.

    Parameters
    ----------
    widths : sequence of int
        n_features, hidden widths, n_raw.
    activations : sequence of (code, params)
        One per hidden layer; codes are those of ``kernels.ACTIVATIONS``.
    loss : (code, params)
        Code -1: the loss is not one of the table's.
    output : (code, params)
        The output activation.
    n_targets : int
        Columns of y: raw k of target j is column k n_targets + j of raw.

    Raises
    ------
    ValueError
        What is given does not make a network.
    """

    def __cinit__(self, widths, activations, loss, output, Py_ssize_t n_targets):
        cdef Py_ssize_t l, n = len(widths) - 1
        if n < 1 or len(activations) != n - 1:
            raise ValueError(
                f"{len(activations)} hidden activations do not make layers of {len(widths)} widths"
            )
        if min(widths) < 1:
            raise ValueError(f"widths must be positive, got {min(widths)}")
        if n_targets < 1 or widths[n] % n_targets:
            raise ValueError(f"{widths[n]} raw outputs do not belong to {n_targets} targets")
        check_sizes(widths)
        self.width = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.offset = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.activation = <fm_activation_t *> calloc(n, sizeof(fm_activation_t))
        self.keeps_z = <bint *> calloc(n, sizeof(bint))
        if not (self.width and self.offset and self.activation and self.keeps_z):
            raise MemoryError("no room for the description of the layers")
        self.n_layers = n
        for l in range(n + 1):
            self.width[l] = widths[l]
        segments = segments_of(tuple(widths))
        for l in range(n):
            self.offset[l] = segments[2 * l].at
        self.offset[n] = segments[2 * n - 1].end
        for l in range(n - 1):
            code, params = activations[l]
            if code == FM_softmax:
                raise ValueError("softmax is no hidden activation")
            self.activation[l] = activation_of(code, params)
            self.keeps_z[l] = row_of(ACTIVATIONS, code, params)["keeps_z"]
        self.activation[n - 1] = activation_of(FM_identity, ())
        self.loss.kind, params = loss
        if self.loss.kind != CUSTOM:
            row_of(LOSSES, self.loss.kind, params)
            for l, value in enumerate(params):
                self.loss.param[l] = value
        self.loss.output = activation_of(output[0], output[1])
        self.n_params = self.offset[n]
        self.n_features, self.n_raw = self.width[0], self.width[n]
        self.n_targets = n_targets

    @property
    def widths(self):
        """n_features, hidden widths, n_raw."""
        cdef Py_ssize_t l
        return [self.width[l] for l in range(self.n_layers + 1)]

    def __dealloc__(self):
        free(self.width)
        free(self.offset)
        free(self.activation)
        free(self.keeps_z)


def row_of(table, int code, params):
    """The row with this code of a table of `kernels`; it has as many parameters as are given."""
    rows = list(table.values())
    if not (0 <= code < len(rows) and len(params) == rows[code]["n_params"]):
        raise ValueError(f"no row of the table has code {code} and {len(params)} parameters")
    return rows[code]


cdef fm_activation_t activation_of(int code, params) except *:
    cdef fm_activation_t g
    row_of(ACTIVATIONS, code, params)
    g.kind = code
    g.param[0] = g.param[1] = 0
    for k, value in enumerate(params):
        g.param[k] = value
    return g


cdef void *address(array) except? NULL:
    return <void *> <uintptr_t> array.ctypes.data


cdef class Source:
    """Rows of data, read where they lie: X dense with any strides or CSR, y, weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or (data, indices, indptr, shape)
        Aligned and of the element type of the sweep; indices and indptr of type intp.
    y : ndarray of shape (n_samples, n_targets), C-contiguous, or None
    w : ndarray of shape (n_samples,), contiguous, or None
    scales : (mean, scale), float64 ndarrays of shape (n_features,), contiguous, or None
        The network sees (X - mean) / scale.
    """

    def __cinit__(self, X, y=None, w=None, scales=None):
        self.arrays = (X, y, w, scales)
        if scales is not None:
            self.mean = <const double *> address(scales[0])
            self.scale = <const double *> address(scales[1])
        if isinstance(X, tuple):
            data, indices, indptr, shape = X
            self.sparse = True
            self.data = address(data)
            self.indices = <const Py_ssize_t *> address(indices)
            self.indptr = <const Py_ssize_t *> address(indptr)
        else:
            shape = X.shape
            self.X = address(X)
            self.row_stride = X.strides[0] // X.itemsize
            self.col_stride = X.strides[1] // X.itemsize
            self.direct = (scales is None and (self.col_stride == 1 or shape[1] == 1)
                           and shape[1] <= self.row_stride <= MOST_FOR_BLAS)
        self.n_samples, self.n_features = shape
        self.y = NULL if y is None else address(y)
        self.w = NULL if w is None else address(w)


cdef class Tape:
    """Room for one tile: activations of every layer, deltas, gathered rows.

    Parameters
    ----------
    layers : Layers
    rows : int
        The largest tile.
    itemsize : int
        4 or 8.
    gathers : bool
        Whether rows have to be copied in: False only for a direct source read in order.
    """

    def __cinit__(self, Layers layers, Py_ssize_t rows, Py_ssize_t itemsize, bint gathers):
        cdef Py_ssize_t l, n = layers.n_layers, widest = 0
        cdef size_t used = 0
        cdef char *base
        self.rows = rows
        self.z = <void **> calloc(n + 1, sizeof(void *))
        self.a = <void **> calloc(n + 1, sizeof(void *))
        if not (self.z and self.a):
            raise MemoryError("no room for the tape")
        # A dry pass that counts, then the same pass that hands out.
        for dry in (True, False):
            if not dry:
                self.memory = malloc(used + 64)
                if not self.memory:
                    raise MemoryError(f"no room for a tape of {used} bytes")
                base = <char *> ((<uintptr_t> self.memory + 63) & ~<uintptr_t> 63)
                used = 0
            if gathers:
                self.input = NULL if dry else base + used
                used += room(rows * layers.width[0] * itemsize)
                self.y_room = NULL if dry else base + used
                used += room(rows * layers.n_targets * itemsize)
                self.w_room = NULL if dry else base + used
                used += room(rows * itemsize)
                self.order = NULL if dry else <Py_ssize_t *> (base + used)
                used += room(rows * sizeof(Py_ssize_t))
            for l in range(1, n + 1):
                widest = max(widest, layers.width[l])
                self.a[l] = NULL if dry else base + used
                used += room(rows * layers.width[l] * itemsize)
                self.z[l] = self.a[l]
                if layers.keeps_z[l - 1]:
                    self.z[l] = NULL if dry else base + used
                    used += room(rows * layers.width[l] * itemsize)
            self.delta = NULL if dry else base + used
            used += room(rows * widest * itemsize)
            self.spare = NULL if dry else base + used
            used += room(rows * widest * itemsize)

    def __dealloc__(self):
        free(self.z)
        free(self.a)
        free(self.memory)


def check_count(*factors):
    """Raise MemoryError for so many numbers that C could not count their bytes.

    The factors are multiplied as Python's integers, which do not overflow.
    """
    if math.prod(factors) > MOST_PARAMS:
        raise MemoryError(f"no memory holds {' x '.join(map(str, factors))} numbers")


cdef size_t room(Py_ssize_t n_bytes) noexcept nogil:
    """Bytes rounded up to whole cache lines."""
    return <size_t> ((n_bytes + 63) & ~<Py_ssize_t> 63)


cdef const Py_ssize_t *first_of(const Py_ssize_t[::1] index) noexcept:
    """The index as a pointer; NULL for None, which means every row in order."""
    if index is None:
        return NULL
    return &index[0]


cdef Py_ssize_t tiles(Py_ssize_t n, Tape tape) noexcept nogil:
    """How many tiles n rows take."""
    return (n + tape.rows - 1) // tape.rows


cdef double seconds() noexcept nogil:
    """A clock."""
    cdef timespec t
    timespec_get(&t, TIME_UTC)
    return <double> t.tv_sec + 1e-9 * <double> t.tv_nsec


cdef int check_signals(double *last) except -1 nogil:
    """Raise what a signal handler raises (Ctrl-C); looks at most every 50 ms."""
    cdef double now = seconds()
    if 0 <= now - last[0] < 0.05:
        return 0
    last[0] = now
    with gil:
        PyErr_CheckSignals()
    return 0


cdef void load(Source source, Tape tape, const Py_ssize_t *index, Py_ssize_t start,
               Py_ssize_t rows, Py_ssize_t n_targets, real *dummy) noexcept nogil:
    """Rows index[start : start + rows] into the tape; without an index, rows from start on, in
    place if the source is direct.

    dummy fixes the element type.
    """
    cdef Py_ssize_t i
    if index == NULL and source.direct:
        tape.a[0] = <real *> source.X + start * source.row_stride
        tape.stride = source.row_stride
        tape.y = NULL if source.y == NULL else <real *> source.y + start * n_targets
        tape.w = NULL if source.w == NULL else <real *> source.w + start
        return
    if index == NULL:
        for i in range(rows):
            tape.order[i] = start + i
        index = tape.order
    else:
        index += start
    tape.a[0] = tape.input
    tape.stride = source.n_features
    load_rows(<real *> tape.input, source, index, rows, rows, source.n_features)
    tape.y = tape.w = NULL
    if source.y != NULL:
        kernels.gather(<real *> tape.y_room, <const real *> source.y, index, rows, rows,
                       n_targets, n_targets, n_targets, 1)
        tape.y = tape.y_room
    if source.w != NULL:
        kernels.gather(<real *> tape.w_room, <const real *> source.w, index, rows, rows, 1, 1, 1,
                       1)
        tape.w = tape.w_room


cdef void load_rows(real *out, Source source, const Py_ssize_t *index, Py_ssize_t rows,
                    Py_ssize_t left, Py_ssize_t ld) noexcept nogil:
    """Rows of X by index, as the network sees them, into out, ld apart.

    The index goes on for left >= rows entries, which are wanted next.
    """
    cdef Py_ssize_t cols = source.n_features
    if source.sparse:
        kernels.gather_csr(out, <const real *> source.data, source.indices, source.indptr, index,
                           rows, cols, ld)
    else:
        kernels.gather(out, <const real *> source.X, index, rows, left, cols, ld,
                       source.row_stride, source.col_stride)
    if source.mean != NULL:
        kernels.standardise(out, source.mean, source.scale, rows, cols, ld)


cdef void forward(Layers layers, const real *theta, Tape tape, Py_ssize_t rows,
                  bint slopes) noexcept nogil:
    """z_l = a_(l-1) W_l + b_l, a_l = g_l(z_l); the last z is raw.

    slopes: what a backward sweep needs is to be kept, z_l = g_l'(z_l) where a_l does not tell.
    """
    cdef Py_ssize_t l, fan_in, fan_out, stride
    cdef const real *W
    for l in range(1, layers.n_layers + 1):
        fan_in, fan_out = layers.width[l - 1], layers.width[l]
        stride = tape.stride if l == 1 else fan_in
        W = theta + layers.offset[l - 1]
        gemm(<real *> tape.z[l], <const real *> tape.a[l - 1], W, rows, fan_out, fan_in, False,
             False, 0, stride, fan_out, fan_out)
        kernels.activate(<real *> tape.a[l], <real *> tape.z[l], W + fan_in * fan_out, rows,
                         fan_out, slopes, &layers.activation[l - 1])


cdef void backward_sweep(Layers layers, const real *theta, real *grad, Tape tape,
                         Py_ssize_t rows, bint accumulate) noexcept nogil:
    """After a forward sweep with slopes, from tape.delta = d loss / d raw:
    grad_W_l = a_(l-1)' delta_l, grad_b_l = sum delta_l, delta_(l-1) = delta_l W_l' o g'(z_(l-1)).
    grad is overwritten unless accumulate."""
    cdef Py_ssize_t l, fan_in, fan_out, stride
    cdef const real *W
    cdef real *grad_W
    cdef real *grad_b
    cdef real *delta = <real *> tape.delta
    cdef real *spare = <real *> tape.spare
    cdef real *swap
    cdef real beta = 1 if accumulate else 0
    for l in range(layers.n_layers, 0, -1):
        fan_in, fan_out = layers.width[l - 1], layers.width[l]
        stride = tape.stride if l == 1 else fan_in
        W = theta + layers.offset[l - 1]
        grad_W = grad + layers.offset[l - 1]
        grad_b = grad_W + fan_in * fan_out
        if l == layers.n_layers:
            if not accumulate:
                memset(grad_b, 0, fan_out * sizeof(real))
            kernels.column_sums(grad_b, delta, rows, fan_out)
        gemm(grad_W, <const real *> tape.a[l - 1], delta, fan_in, fan_out, rows, True, False,
             beta, stride, fan_out, fan_out)
        if l > 1:
            gemm(spare, delta, W, rows, fan_in, fan_out, False, True, 0, fan_out, fan_out,
                 fan_in)
            grad_b = grad + layers.offset[l - 1] - fan_in
            if not accumulate:
                memset(grad_b, 0, fan_in * sizeof(real))
            kernels.backward(spare, grad_b, <const real *> tape.z[l - 1],
                             <const real *> tape.a[l - 1], rows, fan_in,
                             &layers.activation[l - 2])
            swap = delta
            delta = spare
            spare = swap


def raw(Layers layers, Source source, Tape tape, const real[::1] theta, real[:, ::1] out,
        const Py_ssize_t[::1] index, bint apply_output):
    """For every row its raw outputs, or (n_targets columns) its prediction: the output activation
    of the first raw of each target."""
    cdef Py_ssize_t tile, start, rows, r, n = out.shape[0], cols = out.shape[1]
    cdef const real *z
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef double last = 0
    with nogil:
        for tile in range(tiles(n, tape)):
            start = tile * tape.rows
            rows = min(tape.rows, n - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_targets, &out[0, 0])
            forward(layers, &theta[0], tape, rows, False)
            z = <const real *> tape.a[layers.n_layers]
            for r in range(rows):
                memcpy(&out[start + r, 0], z + r * layers.n_raw, cols * sizeof(real))
            if apply_output and layers.n_targets == layers.n_raw:
                kernels.output(&out[start, 0], z, rows, cols, &layers.loss.output)
            elif apply_output:
                kernels.output(&out[start, 0], &out[start, 0], rows, cols, &layers.loss.output)


def value_grad(Layers layers, Source source, Tape tape, const real[::1] theta, real[::1] grad,
               const Py_ssize_t[::1] index, Py_ssize_t n):
    """sum_i w_i l_i over n rows; its gradient unless grad is None."""
    cdef Py_ssize_t tile, start, rows, n_raw = layers.n_raw
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef const real *theta_ = &theta[0]
    cdef real *grad_ = NULL if grad is None else &grad[0]
    cdef double value = 0, last = 0
    with nogil:
        for tile in range(tiles(n, tape)):
            start = tile * tape.rows
            rows = min(tape.rows, n - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_targets, <real *> NULL)
            forward(layers, theta_, tape, rows, grad_ != NULL)
            value += kernels.loss(<real *> tape.delta, <const real *> tape.a[layers.n_layers],
                                  <const real *> tape.y, <const real *> tape.w, rows, n_raw,
                                  &layers.loss)
            if grad_ != NULL:
                backward_sweep(layers, theta_, grad_, tape, rows, start > 0)
    return value


def backprop(Layers layers, Source source, Tape tape, const real[::1] theta, real[::1] grad,
             const real[:, ::1] delta, const Py_ssize_t[::1] index):
    """The gradient for d loss / d raw given as delta, one row per row of data."""
    cdef Py_ssize_t tile, start, rows, n = delta.shape[0], n_raw = layers.n_raw
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef double last = 0
    with nogil:
        for tile in range(tiles(n, tape)):
            start = tile * tape.rows
            rows = min(tape.rows, n - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_targets, &grad[0])
            forward(layers, &theta[0], tape, rows, True)
            memcpy(tape.delta, &delta[start, 0], rows * n_raw * sizeof(real))
            backward_sweep(layers, &theta[0], &grad[0], tape, rows, start > 0)
