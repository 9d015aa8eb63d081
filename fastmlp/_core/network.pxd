"""What the sweeps share: the layers and the data."""

from fastmlp._core.kernels cimport fm_activation_t, fm_loss_t


cdef class Layers:
    cdef readonly Py_ssize_t n_layers     # of weights: hidden layers + 1
    cdef readonly Py_ssize_t n_params, n_features, n_raw, n_targets
    cdef readonly list widths             # n_features, hidden widths, n_raw
    cdef Py_ssize_t widest                # but for the input
    cdef Py_ssize_t *width                # (n_layers + 1,) n_features, hidden widths, n_raw
    cdef Py_ssize_t *offset               # (n_layers + 1,) where W_l begins in theta; b_l follows
    cdef Py_ssize_t *weights              # (n_layers + 1,) the numbers of W_l and b_l in the map
    cdef Py_ssize_t *biases               # of theta
    cdef fm_activation_t *activation      # (n_layers,) hidden ones, then the identity of raw
    cdef bint *keeps_z                    # (n_layers,) slope needs z, not a alone
    cdef fm_loss_t loss                   # with the output activation
    cdef object table                     # what the loss points at
    cdef double discount                  # of the loss, in mini-batches


cdef class Source:
    cdef readonly Py_ssize_t n_samples    # that count
    cdef readonly Py_ssize_t n_features
    cdef readonly bint sparse
    cdef const Py_ssize_t *index          # (n_samples,) the rows that count, or NULL: all
    cdef size_t itemsize                  # of X
    cdef size_t y_itemsize, w_itemsize
    cdef void *X                          # dense, strides in elements
    cdef Py_ssize_t row_stride, col_stride
    cdef void *data                       # compressed sparse rows
    cdef const Py_ssize_t *indices
    cdef const Py_ssize_t *indptr
    cdef void *y                          # (n_samples, n_targets) or NULL
    cdef void *w                          # (n_samples,) or NULL
    cdef const double *mean               # (n_features,) or NULL: rows are read as
    cdef const double *scale              # (x - mean) / scale
    cdef object arrays                    # the owners of the pointers


cdef double seconds() noexcept nogil
cdef int check_signals(double *last) except -1 nogil
