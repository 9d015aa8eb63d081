"""The tape: one tile of rows on its way through the layers, and the sweeps over it."""

from fastmlp._core.csr cimport SparseGrad
from fastmlp._core.kernels cimport fm_csr, real
from fastmlp._core.network cimport Layers, Source

cdef enum:
    # How the products of a layer are done, in the order of `fastmlp.plan.PRODUCTS`.
    PANELS    # by tiles of our own, on panels of W~ (panels_body.h)
    BLAS      # by BLAS, on W~ where it lies in theta
    CSR       # of the first layer, by the entries of sparse rows that are stored, on theta, too


cdef class Tape:
    cdef readonly Layers layers
    cdef readonly Source source           # or None
    cdef readonly Py_ssize_t rows         # of the largest tile
    cdef readonly Py_ssize_t itemsize
    cdef Py_ssize_t lanes                 # entries of a vector
    cdef Tape leader                      # whose parameters this tape uses
    cdef object theta                     # what was given as parameters
    cdef int *product                     # (n_layers + 1,) of layer l = 1 .. n_layers
    cdef Py_ssize_t *ld                   # (n_layers + 1,) length of the rows of layer l
    cdef Py_ssize_t *size                 # (n_layers + 1,) entries of W~_l as it is multiplied
    cdef float *narrow                    # room for rows that are to be converted, or NULL
    cdef fm_csr X                         # the tile's rows where the first product is CSR
    cdef SparseGrad sparse                # and the layout of grad[1]
    cdef Py_ssize_t widest                # ld of layers 1 .. n_layers: the largest, and their sum
    cdef Py_ssize_t length
    cdef Py_ssize_t *order                # (rows,) the numbers of rows that no index gives
    cdef void *pointers
    cdef void *own_grad                   # grad, of whatever type
    cdef void *memory
    cdef char *base
    cdef size_t used


# Arrays by layer, (n_layers + 1,), whose rows lie ld apart; memory of the arena, but where another
# owner is named.

cdef class Tape32(Tape):
    cdef float **z        # pre-activations
    cdef float **slope    # g'(z) where a alone does not tell it, in the memory of z
    cdef float **a        # activations, a one behind the last real column
    cdef float **W        # W~, as it is multiplied: panels, or theta itself
    cdef float **turned   # W' in panels, or W
    cdef float **grad     # laid out as W, as are the moments; a CSR layer's: see csr.pyx
    cdef float **first
    cdef float **second
    cdef float *delta     # d loss / d z of the layer at hand
    cdef float *spare     # of the next one
    cdef float *y         # targets and weights of the tile, or NULL
    cdef float *w


cdef class Tape64(Tape):
    cdef double **z
    cdef double **slope
    cdef double **a
    cdef double **W
    cdef double **turned
    cdef double **grad
    cdef double **first
    cdef double **second
    cdef double *delta
    cdef double *spare
    cdef double *y
    cdef double *w


ctypedef fused tape_t:
    Tape32
    Tape64


cdef struct tile_t:                       # start .. start + rows, on the way to end
    Py_ssize_t start, rows, end
    double last                           # when signals were looked at

cdef inline tile_t tiles(Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Before the first one of these rows: `next_tile` loads them."""
    return tile_t(begin, 0, end, 0)


cdef void multiply(Tape tape, Py_ssize_t l, real *z, const real *a, const real *W,
                   Py_ssize_t rows, bint relu) noexcept nogil
cdef void multiply_back(Tape tape, Py_ssize_t l, real *below, const real *delta,
                        const real *turned, const real *gate, Py_ssize_t rows) noexcept nogil
cdef void multiply_grad(Tape tape, Py_ssize_t l, real *grad, const real *a, const real *delta,
                        Py_ssize_t rows, bint accumulate) noexcept nogil
cdef int pack(Tape tape, real **parts, array, bint back) except -1
cdef void pack_flat(Tape tape, real **parts, real *flat, bint back) noexcept nogil
cdef void turn(tape_t tape) noexcept nogil
cdef void clear(tape_t tape) noexcept nogil
cdef void load(tape_t tape, const Py_ssize_t *index, Py_ssize_t rows,
               Py_ssize_t left) noexcept nogil
cdef bint next_tile(tape_t tape, tile_t *t) except -1 nogil
cdef void set_last(Tape tape, Py_ssize_t l, real *a, Py_ssize_t rows, real value) noexcept nogil
cdef const double *slopes(Tape64 tape, Py_ssize_t l, Py_ssize_t rows, double *room) noexcept nogil
cdef void spread(real *apart, const real *compact, Py_ssize_t rows, Py_ssize_t cols,
                 Py_ssize_t ld) noexcept nogil
cdef void compact(real *out, const real *apart, Py_ssize_t rows, Py_ssize_t cols,
                  Py_ssize_t ld) noexcept nogil
cdef void forward(tape_t tape, Py_ssize_t rows, bint slopes) noexcept nogil
cdef double loss(tape_t tape, Py_ssize_t rows) noexcept nogil
cdef void predict(Tape tape, real *out, real *room, const real *raw,
                  Py_ssize_t rows) noexcept nogil
cdef void backward(tape_t tape, Py_ssize_t rows, bint accumulate) noexcept nogil
cdef void use(real ***at, void *arrays) noexcept nogil
