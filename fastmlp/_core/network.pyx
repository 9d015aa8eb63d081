"""What the sweeps share: the layers and the data."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free

from fastmlp._core.kernels cimport FM_identity, FM_softmax

import math

from fastmlp._sizes import MOST_PARAMS, check_sizes
from fastmlp.segments import WEIGHTS, segments_of
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
    loss : (code, raws, params, table)
        Code -1: the loss is not one of the table's. raws: of each target; params: those that are
        numbers; table: the one that is a sequence, an array of so many float64, or None.
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
        self.weights = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.biases = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.activation = <fm_activation_t *> calloc(n, sizeof(fm_activation_t))
        self.keeps_z = <bint *> calloc(n, sizeof(bint))
        if not (self.width and self.offset and self.weights and self.biases and self.activation
                and self.keeps_z):
            raise MemoryError("no room for the description of the layers")
        self.n_layers = n
        self.widths, self.widest = list(widths), max(widths[1:])
        self.width[0] = widths[0]
        for k, segment in enumerate(segments_of(tuple(widths))):
            l = segment.layer
            if segment.group == WEIGHTS:
                self.weights[l], self.width[l], self.offset[l - 1] = k, segment.cols, segment.at
            else:
                self.biases[l], self.offset[l] = k, segment.end
        for l in range(n):
            code, params = activations[l] if l < n - 1 else (FM_identity, ())
            if code == FM_softmax:
                raise ValueError("softmax is no hidden activation")
            self.activation[l] = activation_of(code, params)
            self.keeps_z[l] = l < n - 1 and row_of(ACTIVATIONS, code, params)["keeps_z"]
        self.loss.kind, self.loss.raws, params, self.table = loss
        if self.loss.raws * n_targets != widths[n] or len(params) > 2:
            raise ValueError(f"{widths[n]} raw outputs are not {self.loss.raws} for each target")
        if self.loss.kind != CUSTOM:
            row = list(LOSSES.values())[self.loss.kind]
            check_loss(row, self.loss.raws, params, self.table)
            for (kind, *_), value in zip(row["parameters"].values(), params, strict=False):
                if kind == "DISCOUNT":
                    self.discount = value
        for l, value in enumerate(params):
            self.loss.param[l] = value
        self.loss.table = NULL if self.table is None else <const double *> address(self.table)
        self.loss.output = activation_of(output[0], output[1])
        self.n_params = self.offset[n]
        self.n_features, self.n_raw = self.width[0], self.width[n]
        self.n_targets = n_targets

    def __dealloc__(self):
        free(self.width)
        free(self.offset)
        free(self.weights)
        free(self.biases)
        free(self.activation)
        free(self.keeps_z)


def check_loss(row, raws, params, table):
    """Raise ValueError unless a row of losses.def goes with these: C reads what they say."""
    kinds = [kind for kind, *_ in row["parameters"].values()]
    sequences = sum(kind in ("LEVELS", "WIDTHS") for kind in kinds)
    most = next(iter(row["parameters"].values()))[3] if row["counted"] else 1
    whole = raws % row["raws"] == 0 and 1 <= raws // row["raws"] <= most
    if len(params) != len(kinds) - sequences or not whole or (table is None) == bool(sequences):
        raise ValueError(f"no loss has {raws} raw outputs, parameters {params} and {table}")
    if table is not None and (table.dtype != "f8" or table.shape != (raws,)):
        raise ValueError(f"the table of a loss has {raws} numbers of type float64, got {table}")


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
        Aligned; indices and indptr of type intp.
    y : ndarray of shape (n_samples, n_targets), C-contiguous, or None
    w : ndarray of shape (n_samples,), contiguous, or None
        Each is of the sweep's element type, or float32 where that is float64: tiles are converted.
    scales : (mean, scale), float64 ndarrays of shape (n_features,), contiguous, or None
        The network sees (X - mean) / scale.
    index : ndarray of intp, contiguous, or None
        The rows that count, in the order of the sweeps; None: all of them.
    """

    def __cinit__(self, X, y=None, w=None, scales=None, index=None):
        self.arrays = (X, y, w, scales, index)
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
        self.itemsize = (X[0] if self.sparse else X).itemsize
        self.n_features = shape[1]
        self.n_samples = shape[0] if index is None else index.size
        self.index = NULL if index is None else <const Py_ssize_t *> address(index)
        if y is not None:
            self.y, self.y_itemsize = address(y), y.itemsize
        if w is not None:
            self.w, self.w_itemsize = address(w), w.itemsize


def check_count(*factors):
    """Raise MemoryError for so many numbers that C could not count their bytes.

    The factors are multiplied as Python's integers, which do not overflow.
    """
    if math.prod(factors) > MOST_PARAMS:
        raise MemoryError(f"no memory holds {' x '.join(map(str, factors))} numbers")


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
