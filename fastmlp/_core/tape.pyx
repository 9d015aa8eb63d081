"""The tape: one tile of rows on its way through the layers, and the sweeps over it.

theta holds W_l (fan_in x fan_out, row-major) and b_l behind it: W~_l, which is W_l with b_l as its
last row. Each row of activations carries a one behind its last real column, so that
z_l = (a_(l-1), 1) W~_l and grad_l = (a_(l-1), 1)' delta_l: biases need no code of their own. A
product is a field of a layer: own tiles on panels, BLAS on theta itself, or for sparse rows, which
are the first layer's, a product with what they store; these have no a_0.
"""

cimport numpy as cnp
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm
from fastmlp._core.csr cimport add_rows, clear_rows, places, sparse_grad, spread_rows
from fastmlp._core.kernels cimport FM_identity, FM_relu, padded
from fastmlp._core.network cimport check_signals

from fastmlp._core.network import check_count

cnp.import_array()

cdef enum:
    N_ARRAYS = 8    # by layer, of a tape


cdef class Tape:
    """Room for one tile of rows, for the gradient, and for the parameters where they are packed.

    Parameters
    ----------
    layers : Layers
    source : Source or None
        The data, in the tape's type; dense rows, targets and weights of float64's may be float32.
    products : list of int
        PANELS or BLAS, for each layer; CSR for the first.
    rows : int
        The largest tile.
    leader : Tape, optional
        Whose parameters and moments this tape uses, with a gradient of its own.
    apart : bool
        Whether z is kept beside a in any case.
    """

    def __cinit__(self, Layers layers, Source source, list products, Py_ssize_t rows,
                  Tape leader=None, bint apart=False):
        cdef Py_ssize_t n = layers.n_layers + 1
        self.layers, self.source, self.rows, self.leader = layers, source, rows, leader
        self.pointers = calloc(N_ARRAYS * n, sizeof(void *))
        self.product = <int *> calloc(n, sizeof(int))
        self.ld = <Py_ssize_t *> calloc(n, sizeof(Py_ssize_t))
        self.size = <Py_ssize_t *> calloc(n, sizeof(Py_ssize_t))
        if not (self.pointers and self.product and self.ld and self.size):
            raise MemoryError("no room for the tape")
        for l, product in enumerate(products, start=1):
            self.product[l] = product
        check_count(rows, 4, sum(layers.widths) + 16 * n)

    def __dealloc__(self):
        free(self.pointers)
        free(self.product)
        free(self.ld)
        free(self.size)
        free(self.memory)


cdef class Tape32(Tape):
    """A tape of float32."""

    def __cinit__(self, Layers layers, Source source, list products, Py_ssize_t rows,
                  Tape leader=None, bint apart=False):
        lay_out(self, apart)


cdef class Tape64(Tape):
    """A tape of float64."""

    def __cinit__(self, Layers layers, Source source, list products, Py_ssize_t rows,
                  Tape leader=None, bint apart=False):
        lay_out(self, apart)


TAPES = {4: Tape32, 8: Tape64}    # by the size of an entry


cdef int lay_out(tape_t tape, bint apart) except -1:
    """Every array its place: a dry pass that counts, then the same pass that hands out."""
    cdef Layers layers = tape.layers
    cdef Source source = tape.source
    cdef Py_ssize_t l, L = layers.n_layers, rows = tape.rows, fan_in, fan_out
    cdef Py_ssize_t *place
    tape.itemsize = sizeof(tape.delta[0])
    if source is not None:
        sizes = {source.itemsize, source.y_itemsize or 4, source.w_itemsize or 4}
        if not sizes <= {4, tape.itemsize} or (
                source.sparse and source.itemsize != <size_t> tape.itemsize):
            raise TypeError(f"a tape of {tape.itemsize} bytes a number cannot read {sizes}")
    tape.lanes = padded(2, tape.itemsize)
    slots(tape, 0, &tape.z)
    slots(tape, 1, &tape.slope)
    slots(tape, 2, &tape.a)
    slots(tape, 3, &tape.grad)
    tape.own_grad = tape.grad
    slots(tape, 4, &tape.W)
    slots(tape, 5, &tape.turned)
    slots(tape, 6, &tape.first)
    slots(tape, 7, &tape.second)
    if tape.leader is not None:
        follow(tape, <tape_t?> tape.leader)
    tape.ld[0] = layers.width[0] + 1
    if tape.product[1] == CSR:
        tape.sparse = sparse_grad(layers.width[0], layers.width[1], tape.itemsize)
        if source is not None:
            tape.X.data, tape.X.indices, tape.X.indptr = source.data, source.indices, source.indptr
    for dry in (True, False):
        if not dry:
            tape.memory = calloc(tape.used + 64, 1)
            if not tape.memory:
                raise MemoryError(f"no room for a tape of {tape.used} bytes")
            tape.base = <char *> ((<uintptr_t> tape.memory + 63) & ~<uintptr_t> 63)
            tape.used = tape.length = 0
        if tape.product[1] == CSR:
            take(tape, &place, tape.sparse.places // sizeof(Py_ssize_t))
            take(tape, &tape.grad[1], (layers.width[0] + 1) * tape.sparse.ld)
        else:
            take(tape, &tape.a[0], rows * tape.ld[0])
        for l in range(1, L + 1):
            fan_in, fan_out = layers.width[l - 1], layers.width[l]
            tape.ld[l] = padded(fan_out + (l < L), tape.itemsize)
            tape.widest = max(tape.widest, tape.ld[l])
            tape.length += tape.ld[l]
            take(tape, &tape.a[l], rows * tape.ld[l])
            tape.z[l] = tape.a[l]
            if apart or layers.keeps_z[l - 1]:
                take(tape, &tape.z[l], rows * tape.ld[l])
            tape.slope[l] = tape.z[l]
            tape.size[l] = (fan_in + 1) * fan_out
            if tape.product[l] == PANELS:
                tape.size[l] = (fan_in + 1) * padded(fan_out, tape.itemsize)
            if tape.product[l] != CSR:
                take(tape, &tape.grad[l], tape.size[l])
            if tape.leader is None and tape.product[l] == PANELS:
                take(tape, &tape.W[l], tape.size[l])
                take(tape, &tape.first[l], tape.size[l])
                take(tape, &tape.second[l], tape.size[l])
                if l > 1:
                    take(tape, &tape.turned[l], fan_out * padded(fan_in, tape.itemsize))
        take(tape, &tape.delta, rows * tape.widest)
        take(tape, &tape.spare, rows * tape.widest)
        if source is not None and source.y != NULL:
            take(tape, &tape.y, rows * layers.n_targets)
        if source is not None and source.w != NULL:
            take(tape, &tape.w, rows)
        take(tape, &tape.order, rows)
        if tape_t is Tape64 and source is not None:
            take(tape, &tape.narrow, rows * max(tape.ld[0], layers.n_targets))
    if tape.a[0] != NULL:
        set_last(tape, 0, tape.a[0], rows, 1)
    return 0


ctypedef fused entry:
    float
    double
    Py_ssize_t


cdef void take(Tape tape, entry **at, Py_ssize_t n) noexcept:
    """The next n entries of the arena, from a new cache line on."""
    if tape.base != NULL:
        at[0] = <entry *> (tape.base + tape.used)
    tape.used += (n * sizeof(entry) + 63) & ~<size_t> 63


cdef void slots(Tape tape, Py_ssize_t k, real ***at) noexcept:
    """The k-th array of pointers."""
    at[0] = <real **> tape.pointers + k * (tape.layers.n_layers + 1)


cdef void use(real ***at, void *arrays) noexcept nogil:
    """Pointers by layer of another tape of the same type."""
    at[0] = <real **> arrays


cdef void follow(tape_t tape, tape_t leader) noexcept:
    """Share the leader's parameters and moments."""
    tape.W, tape.turned = leader.W, leader.turned
    tape.first, tape.second = leader.first, leader.second


# ---- parameters ----

def hold(tape_t tape, theta, bint back):
    """Take theta, (n_params,) of the tape's type, as the parameters of the sweeps to come; back:
    also of those that go back.

    Where BLAS multiplies it is read in place, so it has to stay as it is meanwhile.
    """
    tape.theta = theta
    pack(tape, tape.W, theta, False)
    if back:
        with nogil:
            turn(tape)


def collect(tape_t tape, list others, out):
    """The gradients that the sweeps left in this tape and others added up, into out."""
    cdef Py_ssize_t l
    cdef tape_t other
    for other in others:
        with nogil:
            for l in range(1, tape.layers.n_layers + 1):
                if tape.product[l] == CSR:
                    add_rows(tape.sparse, tape.grad[l], other.grad[l])
                    continue
                kernels.add(tape.grad[l], other.grad[l], tape.size[l], tape.size[l])
    pack(tape, tape.grad, out, True)


cdef int pack(Tape tape, real **parts, array, bint back) except -1:
    """A vector laid out as theta into one part per layer, or out of them; to BLAS it is its parts,
    unless these have memory of their own, as a gradient's have."""
    if not (cnp.PyArray_Check(array) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray> array)
            and cnp.PyArray_ISFLOAT(<cnp.ndarray> array)
            and cnp.PyArray_ITEMSIZE(<cnp.ndarray> array) == sizeof(real)
            and cnp.PyArray_SIZE(<cnp.ndarray> array) == tape.layers.n_params):
        raise TypeError("parameters and gradients are contiguous vectors of the tape's type")
    pack_flat(tape, parts, <real *> cnp.PyArray_DATA(<cnp.ndarray> array), back)
    return 0


cdef void pack_flat(Tape tape, real **parts, real *flat, bint back) noexcept nogil:
    """`pack` of what is known to be (n_params,)."""
    cdef Py_ssize_t l
    for l in range(1, tape.layers.n_layers + 1):
        if tape.product[l] == PANELS:
            kernels.panel_copy(parts[l], flat + tape.layers.offset[l - 1],
                               tape.layers.width[l - 1] + 1, tape.layers.width[l], back)
        elif not back:
            parts[l] = flat + tape.layers.offset[l - 1]
        elif parts[l] == flat + tape.layers.offset[l - 1]:
            continue
        elif tape.product[l] == CSR:
            spread_rows(tape.sparse, flat + tape.layers.offset[l - 1], parts[l])
        else:
            memcpy(flat + tape.layers.offset[l - 1], parts[l], tape.size[l] * sizeof(real))


cdef void turn(tape_t tape) noexcept nogil:
    """W' of every layer but the first; BLAS reads W across."""
    cdef Py_ssize_t l
    for l in range(2, tape.layers.n_layers + 1):
        if tape.product[l] == PANELS:
            kernels.panel_turn(tape.turned[l], tape.W[l], tape.layers.width[l - 1],
                               tape.layers.width[l], 0, tape.layers.width[l])
        else:
            tape.turned[l] = tape.W[l]


cdef void clear(tape_t tape) noexcept nogil:
    """An empty gradient."""
    cdef Py_ssize_t l
    for l in range(1, tape.layers.n_layers + 1):
        if tape.product[l] == CSR:
            clear_rows(tape.sparse, tape.grad[l])
        else:
            memset(tape.grad[l], 0, tape.size[l] * tape.itemsize)


# ---- the three products of a layer ----

cdef void multiply(Tape tape, Py_ssize_t l, real *z, const real *a, const real *W,
                   Py_ssize_t rows, bint relu) noexcept nogil:
    """z = a W~_l, a as wide as the tape's rows below, the column for biases included; of sparse
    rows a is the tile.

    relu is not for BLAS.
    """
    cdef Py_ssize_t fan_in = tape.layers.width[l - 1], fan_out = tape.layers.width[l]
    if tape.product[l] == PANELS:
        kernels.panel_forward(z, a, W, rows, fan_in, fan_out, tape.ld[l], tape.ld[l - 1], relu)
    elif tape.product[l] == CSR:
        kernels.csr_forward(z, &tape.X, W, rows, fan_in, fan_out, tape.ld[l], relu)
    else:
        gemm(z, a, W, rows, fan_out, fan_in + 1, False, False, 0, tape.ld[l - 1], fan_out,
             tape.ld[l])
        clear_padding(z, rows, fan_out, tape.ld[l])


cdef void multiply_back(Tape tape, Py_ssize_t l, real *below, const real *delta,
                        const real *turned, const real *gate, Py_ssize_t rows) noexcept nogil:
    """below = delta W_l', kept where gate is positive: for panels alone."""
    cdef Py_ssize_t fan_in = tape.layers.width[l - 1], fan_out = tape.layers.width[l]
    if tape.product[l] == PANELS:
        kernels.panel_delta(below, delta, turned, gate, rows, fan_in, fan_out, tape.ld[l - 1],
                            tape.ld[l])
    else:
        gemm(below, delta, turned, rows, fan_in, fan_out, False, True, 0, tape.ld[l], fan_out,
             tape.ld[l - 1])
        clear_padding(below, rows, fan_in, tape.ld[l - 1])


cdef void multiply_grad(Tape tape, Py_ssize_t l, real *grad, const real *a, const real *delta,
                        Py_ssize_t rows, bint accumulate) noexcept nogil:
    """grad (+)= a' delta, a as in `multiply`."""
    cdef Py_ssize_t fan_in = tape.layers.width[l - 1], fan_out = tape.layers.width[l]
    if tape.product[l] == PANELS:
        kernels.panel_grad(grad, a, delta, rows, fan_in, fan_out, tape.ld[l - 1], tape.ld[l],
                           accumulate)
    elif tape.product[l] == CSR:
        kernels.csr_grad(grad, places(tape.sparse, grad), &tape.X, delta, rows, fan_in, fan_out,
                         tape.ld[l], accumulate)
    else:
        gemm(grad, a, delta, fan_in + 1, fan_out, rows, True, False, accumulate, tape.ld[l - 1],
             tape.ld[l], fan_out)


cdef void clear_padding(real *m, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t ld) noexcept nogil:
    """Zeros behind the real columns, where BLAS writes nothing."""
    cdef Py_ssize_t i, c
    for i in range(rows):
        for c in range(i * ld + cols, (i + 1) * ld):
            m[c] = 0


# ---- a tile of rows ----

cdef bint next_tile(tape_t tape, tile_t *t) except -1 nogil:
    """Load the next rows of those that count; False where there are none. Signals are handled."""
    cdef Py_ssize_t i
    t.start += t.rows
    t.rows = min(tape.rows, t.end - t.start)
    if t.rows <= 0:
        return False
    check_signals(&t.last)
    if tape.source.index != NULL:
        load(tape, tape.source.index + t.start, t.rows, t.end - t.start)
        return True
    for i in range(t.rows):
        tape.order[i] = t.start + i
    load(tape, tape.order, t.rows, t.rows)
    return True


cdef void load(tape_t tape, const Py_ssize_t *index, Py_ssize_t rows,
               Py_ssize_t left) noexcept nogil:
    """Rows, targets and weights by index, which goes on for left >= rows entries."""
    cdef Py_ssize_t n_targets = tape.layers.n_targets
    if tape.product[1] == CSR:
        tape.X.index = index
    else:
        load_rows(tape, tape.a[0], tape.source, index, rows, left, tape.ld[0])
    if tape.y != NULL:
        gather(tape, tape.y, tape.source.y, tape.source.y_itemsize, index, rows, left, n_targets,
               n_targets, n_targets, 1)
    if tape.w != NULL:
        gather(tape, tape.w, tape.source.w, tape.source.w_itemsize, index, rows, rows, 1, 1, 1, 1)


cdef void load_rows(Tape tape, real *out, Source source, const Py_ssize_t *index,
                    Py_ssize_t rows, Py_ssize_t left, Py_ssize_t ld) noexcept nogil:
    """Rows of X by index, as the network sees them, into out, ld apart."""
    cdef Py_ssize_t cols = source.n_features
    if source.sparse:
        kernels.gather_csr(out, <const real *> source.data, source.indices, source.indptr, index,
                           rows, cols, ld)
    else:
        gather(tape, out, source.X, source.itemsize, index, rows, left, cols, ld,
               source.row_stride, source.col_stride)
    if source.mean != NULL:
        kernels.standardise(out, source.mean, source.scale, rows, cols, ld)


cdef void gather(Tape tape, real *out, const void *m, size_t itemsize, const Py_ssize_t *index,
                 Py_ssize_t rows, Py_ssize_t left, Py_ssize_t cols, Py_ssize_t ld,
                 Py_ssize_t row_stride, Py_ssize_t col_stride) noexcept nogil:
    """Rows of a matrix by index, in the tape's type, ld apart."""
    cdef Py_ssize_t i, c
    if itemsize == sizeof(real):
        kernels.gather(out, <const real *> m, index, rows, left, cols, ld, row_stride, col_stride)
        return
    kernels.gather(tape.narrow, <const float *> m, index, rows, left, cols, ld, row_stride,
                   col_stride)
    for i in range(rows):
        for c in range(i * ld, i * ld + cols):
            out[c] = tape.narrow[c]


cdef void set_last(Tape tape, Py_ssize_t l, real *a, Py_ssize_t rows, real value) noexcept nogil:
    """What the biases are multiplied by, behind the last real column of each row of a_l."""
    cdef Py_ssize_t i, ld = tape.ld[l]
    a += tape.layers.width[l]
    for i in range(rows):
        a[i * ld] = value


cdef void spread(real *apart, const real *compact, Py_ssize_t rows, Py_ssize_t cols,
                 Py_ssize_t ld) noexcept nogil:
    """Rows without gaps into rows ld apart, with zeros between."""
    cdef Py_ssize_t i
    for i in range(rows):
        memcpy(apart + i * ld, compact + i * cols, cols * sizeof(real))
    clear_padding(apart, rows, cols, ld)


cdef void compact(real *out, const real *apart, Py_ssize_t rows, Py_ssize_t cols,
                  Py_ssize_t ld) noexcept nogil:
    """Rows ld apart without the gaps between them."""
    cdef Py_ssize_t i
    for i in range(rows):
        memcpy(out + i * cols, apart + i * ld, cols * sizeof(real))


cdef void forward(tape_t tape, Py_ssize_t rows, bint slopes) noexcept nogil:
    """z_l = (a_(l-1), 1) W~_l, a_l = g_l(z_l); relu happens before the store, but by BLAS.

    slopes: what a backward sweep needs is to be kept, slope_l in place of z_l where a_l does not
    tell it.
    """
    cdef Py_ssize_t l, L = tape.layers.n_layers
    cdef bint relu
    for l in range(1, L + 1):
        relu = (l < L and tape.layers.activation[l - 1].kind == FM_relu
                and tape.product[l] != BLAS)
        multiply(tape, l, tape.z[l], tape.a[l - 1], tape.W[l], rows, relu)
        if l == L:
            break
        if not relu:
            kernels.activate(tape.a[l], tape.z[l], rows, tape.layers.width[l], tape.ld[l], slopes,
                             &tape.layers.activation[l - 1])
        set_last(tape, l, tape.a[l], rows, 1)


cdef double loss(tape_t tape, Py_ssize_t rows) noexcept nogil:
    """After a forward sweep, the loss of the tile: d loss / d raw is left in delta."""
    cdef Py_ssize_t L = tape.layers.n_layers
    return kernels.loss(tape.delta, tape.a[L], tape.y, tape.w, rows, tape.layers.n_raw, tape.ld[L],
                        &tape.layers.loss)


cdef void predict(Tape tape, real *out, real *room, const real *raw,
                  Py_ssize_t rows) noexcept nogil:
    """out[rows, n_targets] = the output activation of the first raw of each target."""
    cdef Py_ssize_t cols = tape.layers.n_targets, ld = tape.ld[tape.layers.n_layers]
    if tape.layers.loss.output.kind == FM_identity:
        compact(out, raw, rows, cols, ld)
    else:
        compact(room, raw, rows, cols, ld)
        kernels.output(out, room, rows, cols, &tape.layers.loss.output)


cdef void backward(tape_t tape, Py_ssize_t rows, bint accumulate) noexcept nogil:
    """After a forward sweep with slopes, from delta = d loss / d raw:
    grad_l (+)= (a_(l-1), 1)' delta_l, delta_(l-1) = delta_l W_l' o g'(z_(l-1))."""
    cdef Py_ssize_t l, L = tape.layers.n_layers
    cdef bint relu
    delta, below = tape.delta, tape.spare
    for l in range(L, 0, -1):
        multiply_grad(tape, l, tape.grad[l], tape.a[l - 1], delta, rows, accumulate)
        if l == 1:
            break
        relu = (tape.layers.activation[l - 2].kind == FM_relu and tape.product[l] == PANELS)
        multiply_back(tape, l, below, delta, tape.turned[l], tape.a[l - 1] if relu else NULL,
                      rows)
        if not relu:
            kernels.backward(below, tape.slope[l - 1], tape.a[l - 1], rows,
                             tape.layers.width[l - 1], tape.ld[l - 1],
                             &tape.layers.activation[l - 2])
        delta, below = below, delta


cdef const double *slopes(Tape64 tape, Py_ssize_t l, Py_ssize_t rows, double *room) noexcept nogil:
    """g_l'(z_l) after a forward sweep with slopes: where it lies, or worked out in room."""
    if tape.layers.keeps_z[l - 1]:
        return tape.slope[l]
    kernels.slope(room, tape.a[l], tape.a[l], rows * tape.ld[l], &tape.layers.activation[l - 1])
    return room
