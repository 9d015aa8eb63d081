"""What the sweeps share: the layers, the data, the tape between forward and backward."""

from fastmlp._core.kernels cimport fm_activation_t, fm_loss_t, real


cdef class Layers:
    cdef readonly Py_ssize_t n_layers     # of weights: hidden layers + 1
    cdef readonly Py_ssize_t n_params, n_features, n_raw, n_targets
    cdef Py_ssize_t *width                # (n_layers + 1,) n_features, hidden widths, n_raw
    cdef Py_ssize_t *offset               # (n_layers + 1,) where W_l begins in theta; b_l follows
    cdef fm_activation_t *activation      # (n_layers,) hidden ones, then the identity of raw
    cdef bint *keeps_z                    # (n_layers,) slope needs z, not a alone
    cdef fm_loss_t loss                   # with the output activation


cdef class Source:
    cdef readonly Py_ssize_t n_samples, n_features
    cdef readonly bint sparse, direct     # direct: rows can be used where they lie
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


cdef class Tape:
    cdef readonly Py_ssize_t rows         # of a tile
    cdef void *memory
    cdef void **z                         # (n_layers + 1,) pre-activations, [0] unused
    cdef void **a                         # (n_layers + 1,) activations, [0] the input
    cdef Py_ssize_t stride                # of a[0], in elements
    cdef void *input                      # the tape's own room for gathered rows
    cdef void *y_room
    cdef void *w_room
    cdef Py_ssize_t *order                # (rows,) the numbers of rows that no index gives
    cdef const void *y                    # targets and weights of the tile
    cdef const void *w
    cdef void *delta                      # d loss / d z of the layer at hand
    cdef void *spare                      # the same of the next one


cdef const Py_ssize_t *first_of(const Py_ssize_t[::1] index) noexcept
cdef Py_ssize_t tiles(Py_ssize_t n, Tape tape) noexcept nogil
cdef double seconds() noexcept nogil
cdef int check_signals(double *last) except -1 nogil
cdef void load(Source source, Tape tape, const Py_ssize_t *index, Py_ssize_t start,
               Py_ssize_t rows, Py_ssize_t n_targets, real *dummy) noexcept nogil
cdef void load_rows(real *out, Source source, const Py_ssize_t *index, Py_ssize_t rows,
                    Py_ssize_t left, Py_ssize_t ld) noexcept nogil
cdef void forward(Layers layers, const real *theta, Tape tape, Py_ssize_t rows,
                  bint slopes) noexcept nogil
cdef void backward_sweep(Layers layers, const real *theta, real *grad, Tape tape,
                         Py_ssize_t rows, bint accumulate) noexcept nogil
