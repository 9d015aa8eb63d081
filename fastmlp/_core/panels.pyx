"""The sweeps for layers that fit the caches, on panels; see panels_body.h.

theta, its moments and its gradient live in panels from the start of an epoch to its end. Each
row of activations carries a one behind its last real column, so that biases need no code of their
own: W~ is W with the biases as its last row.
"""

from libc.math cimport INFINITY, sqrt
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport FM_relu, fm_update_t, real
from fastmlp._core.network cimport Layers, Source, check_signals, load_rows


cdef class PanelTape:
    """Room for one tile of rows and for the parameters in panels.

    Parameters
    ----------
    layers : Layers
    rows : int
        The largest tile.
    itemsize : int
        4 or 8.
    leader : PanelTape, optional
        Whose parameters and moments this tape uses, with a gradient of its own.
    """

    def __cinit__(self, Layers layers, Py_ssize_t rows, Py_ssize_t itemsize,
                  PanelTape leader=None):
        cdef Py_ssize_t l, n = layers.n_layers, widest = 0
        cdef size_t used = 0
        cdef char *base
        self.rows = rows
        self.z = <void **> calloc(n + 1, sizeof(void *))
        self.a = <void **> calloc(n + 1, sizeof(void *))
        self.ld = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.offset = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.turned_at = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        if not (self.z and self.a and self.ld and self.offset and self.turned_at):
            raise MemoryError("no room for the tape")
        self.ld[0] = layers.width[0] + 1
        for l in range(1, n + 1):
            self.ld[l] = padded(layers.width[l] + (l < n), itemsize)
            self.offset[l] = self.offset[l - 1] + (
                (layers.width[l - 1] + 1) * padded(layers.width[l], itemsize))
            widest = max(widest, self.ld[l])
            self.turned_at[l] = self.turned_at[l - 1]
            if l > 1:
                self.turned_at[l] += layers.width[l] * padded(layers.width[l - 1], itemsize)
        # A dry pass that counts, then the same pass that hands out.
        for dry in (True, False):
            if not dry:
                self.memory = calloc(used + 64, 1)
                if not self.memory:
                    raise MemoryError(f"no room for a tape of {used} bytes")
                base = <char *> ((<uintptr_t> self.memory + 63) & ~<uintptr_t> 63)
                used = 0
            for l in range(n + 1):
                self.a[l] = take(base, &used, rows * self.ld[l] * itemsize, dry)
                self.z[l] = self.a[l]
                if l > 0 and layers.keeps_z[l - 1]:
                    self.z[l] = take(base, &used, rows * self.ld[l] * itemsize, dry)
            self.delta = take(base, &used, rows * widest * itemsize, dry)
            self.spare = take(base, &used, rows * widest * itemsize, dry)
            self.y = take(base, &used, rows * layers.n_targets * itemsize, dry)
            self.w = take(base, &used, rows * itemsize, dry)
            self.grad = take(base, &used, self.offset[n] * itemsize, dry)
            if leader is None:
                self.theta = take(base, &used, self.offset[n] * itemsize, dry)
                self.first = take(base, &used, self.offset[n] * itemsize, dry)
                self.second = take(base, &used, self.offset[n] * itemsize, dry)
                self.turned = take(base, &used, self.turned_at[n] * itemsize, dry)
            else:
                self.leader = leader
                self.theta, self.first = leader.theta, leader.first
                self.second, self.turned = leader.second, leader.turned
        if itemsize == sizeof(float):
            write_ones(layers, self, <float *> NULL, 0, rows)
        else:
            write_ones(layers, self, <double *> NULL, 0, rows)

    def __dealloc__(self):
        free(self.z)
        free(self.a)
        free(self.ld)
        free(self.offset)
        free(self.turned_at)
        free(self.memory)


cdef Py_ssize_t padded(Py_ssize_t cols, Py_ssize_t itemsize) noexcept:
    if itemsize == sizeof(float):
        return kernels.table.f.padded(cols)
    return kernels.table.d.padded(cols)


cdef void *take(char *base, size_t *used, Py_ssize_t n_bytes, bint dry) noexcept:
    """The next n_bytes of the arena, from a new cache line on."""
    cdef size_t at = used[0]
    used[0] += <size_t> ((n_bytes + 63) & ~<Py_ssize_t> 63)
    return NULL if dry else base + at


cdef void write_ones(Layers layers, PanelTape tape, real *dummy, Py_ssize_t layer,
                     Py_ssize_t rows) noexcept nogil:
    """The one behind the last real column of each row."""
    cdef Py_ssize_t r, ld = tape.ld[layer]
    cdef real *a = <real *> tape.a[layer] + layers.width[layer]
    for r in range(rows):
        a[r * ld] = 1


cdef void pack(Layers layers, PanelTape tape, void *panels, real *flat, int back) noexcept nogil:
    """A vector laid out as theta into panels, or out of them."""
    cdef Py_ssize_t l
    for l in range(layers.n_layers):
        kernels.panel_copy(<real *> panels + tape.offset[l], flat + layers.offset[l],
                           layers.width[l] + 1, layers.width[l + 1], back)


cdef void turn(Layers layers, PanelTape tape, real *dummy) noexcept nogil:
    """Panels of W' of every layer but the first, from the panels of W~."""
    cdef Py_ssize_t l
    for l in range(1, layers.n_layers):
        kernels.panel_turn(<real *> tape.turned + tape.turned_at[l],
                           <const real *> tape.theta + tape.offset[l], layers.width[l],
                           layers.width[l + 1])


cdef void load_tile(Layers layers, Source source, PanelTape tape, const Py_ssize_t *index,
                    Py_ssize_t rows, Py_ssize_t left, real *dummy) noexcept nogil:
    """Rows, targets and weights by index, which goes on for left >= rows entries."""
    cdef Py_ssize_t cols = layers.n_targets
    load_rows(<real *> tape.a[0], source, index, rows, left, tape.ld[0])
    if source.y != NULL:
        kernels.gather(<real *> tape.y, <const real *> source.y, index, rows, left, cols,
                       cols, cols, 1)
    if source.w != NULL:
        kernels.gather(<real *> tape.w, <const real *> source.w, index, rows, rows, 1, 1, 1, 1)


cdef void forward(Layers layers, PanelTape tape, Py_ssize_t rows, bint slopes,
                  real *dummy) noexcept nogil:
    """z_l = (a_(l-1), 1) W~_l, a_l = g_l(z_l); relu happens before the store.

    slopes: what a backward sweep needs is to be kept, z_l = g_l'(z_l) where a_l does not tell.
    """
    cdef Py_ssize_t l, L = layers.n_layers
    cdef bint relu
    for l in range(1, L + 1):
        relu = l < L and layers.activation[l - 1].kind == FM_relu
        kernels.panel_forward(<real *> tape.z[l], <const real *> tape.a[l - 1],
                              <const real *> tape.theta + tape.offset[l - 1], rows,
                              layers.width[l - 1], layers.width[l], tape.ld[l], tape.ld[l - 1],
                              relu)
        if l < L:
            if not relu:
                kernels.activate(<real *> tape.a[l], <real *> tape.z[l], <real *> NULL, rows,
                                 tape.ld[l], slopes, &layers.activation[l - 1])
            write_ones(layers, tape, dummy, l, rows)


cdef double tile_loss(Layers layers, Source source, PanelTape tape, const Py_ssize_t *index,
                      Py_ssize_t rows, Py_ssize_t left, bint slopes,
                      real *dummy) noexcept nogil:
    """Forward over one tile: its loss; d loss / d raw is left in tape.delta."""
    cdef Py_ssize_t L = layers.n_layers
    load_tile(layers, source, tape, index, rows, left, dummy)
    forward(layers, tape, rows, slopes, dummy)
    return kernels.panel_loss(<real *> tape.delta, <const real *> tape.a[L],
                              <const real *> tape.y,
                              <const real *> (tape.w if source.w != NULL else NULL), rows,
                              layers.n_raw, tape.ld[L], &layers.loss)


cdef double tile_gradient(Layers layers, Source source, PanelTape tape, const Py_ssize_t *index,
                          Py_ssize_t rows, Py_ssize_t left, bint accumulate,
                          real *dummy) noexcept nogil:
    """Forward and backward over one tile: its loss; grad (in panels) overwritten or added to."""
    cdef double value = tile_loss(layers, source, tape, index, rows, left, True, dummy)
    backward(layers, tape, rows, accumulate, dummy)
    return value


cdef void backward(Layers layers, PanelTape tape, Py_ssize_t rows, bint accumulate,
                   real *dummy) noexcept nogil:
    """grad_l (+)= (a_(l-1), 1)' delta_l of every layer, after a forward sweep with slopes, from
    tape.delta = d loss / d raw."""
    cdef Py_ssize_t l, L = layers.n_layers
    cdef real *delta = <real *> tape.delta
    cdef real *spare = <real *> tape.spare
    cdef real *swap
    cdef const real *gate
    for l in range(L, 0, -1):
        kernels.panel_grad(<real *> tape.grad + tape.offset[l - 1], <const real *> tape.a[l - 1],
                           delta, rows, layers.width[l - 1], layers.width[l], tape.ld[l - 1],
                           tape.ld[l], accumulate)
        if l == 1:
            break
        gate = NULL
        if layers.activation[l - 2].kind == FM_relu:
            gate = <const real *> tape.a[l - 1]
        kernels.panel_delta(spare, delta, <const real *> tape.turned + tape.turned_at[l - 1],
                            gate, rows, layers.width[l - 1], layers.width[l], tape.ld[l - 1],
                            tape.ld[l])
        if gate == NULL:
            kernels.backward(spare, <real *> NULL, <const real *> tape.z[l - 1],
                             <const real *> tape.a[l - 1], rows, tape.ld[l - 1],
                             &layers.activation[l - 2])
        swap = delta
        delta = spare
        spare = swap


cdef const double *slopes_of(Layers layers, PanelTape tape, Py_ssize_t l, Py_ssize_t rows,
                             double *room) noexcept nogil:
    """g_l'(z_l) after a forward sweep with slopes: where it lies, or worked out in room."""
    if layers.keeps_z[l - 1]:
        return <const double *> tape.z[l]
    kernels.slope(room, <const double *> tape.a[l], <const double *> tape.a[l], rows * tape.ld[l],
                  &layers.activation[l - 1])
    return room


def value_grad(Layers layers, Source source, PanelTape tape, const real[::1] theta,
               real[::1] grad, const Py_ssize_t[::1] index):
    """As ``network.value_grad``, over the rows of index."""
    cdef Py_ssize_t start = 0, rows, n = index.shape[0]
    cdef real *theta_ = <real *> &theta[0]
    cdef real *grad_ = NULL if grad is None else &grad[0]
    cdef double value = 0, last = 0
    with nogil:
        pack(layers, tape, tape.theta, theta_, False)
        turn(layers, tape, theta_)
        while start < n:
            rows = min(tape.rows, n - start)
            check_signals(&last)
            if grad_ == NULL:
                value += tile_loss(layers, source, tape, &index[start], rows, n - start, False,
                                   theta_)
            else:
                value += tile_gradient(layers, source, tape, &index[start], rows, n - start,
                                       start > 0, theta_)
            start += rows
        if grad_ != NULL:
            pack(layers, tape, tape.grad, grad_, True)
    return value


cdef double step(Layers layers, PanelTape tape, fm_update_t *u, double scale, double l2,
                 double max_norm, real *dummy) noexcept nogil:
    """One optimiser step from grad; returns ||W||^2 before it."""
    cdef Py_ssize_t l, at
    cdef double norm2 = 0
    cdef double[2] sums
    sums[0] = sums[1] = 0
    if max_norm < INFINITY:
        for l in range(layers.n_layers):
            at = tape.offset[l]
            kernels.panel_regularise(<real *> tape.grad + at, sums, <const real *> tape.theta + at,
                                     layers.width[l], layers.width[l + 1], l2, scale)
        l2 = 0
        scale = 1 if sums[1] <= max_norm * max_norm else max_norm / sqrt(sums[1])
    u.l2, u.scale = l2, scale
    for l in range(layers.n_layers):
        at = tape.offset[l]
        norm2 += kernels.panel_update(<real *> tape.theta + at, <real *> tape.first + at,
                                      <real *> tape.second + at, <const real *> tape.grad + at,
                                      layers.width[l], layers.width[l + 1], u)
    return norm2
