"""The sweeps for layers that fit the caches, on panels; see panels_body.h."""

from fastmlp._core.kernels cimport fm_update_t, real
from fastmlp._core.network cimport Layers, Source


cdef class PanelTape:
    cdef readonly Py_ssize_t rows         # of a tile
    cdef PanelTape leader                 # keeps the memory alive that this tape shares
    cdef void *memory
    cdef void **z                         # (n_layers + 1,) as in Tape, rows of length ld
    cdef void **a
    cdef Py_ssize_t *ld                   # (n_layers + 1,)
    cdef Py_ssize_t *offset               # (n_layers + 1,) where the panels of W~_l begin
    cdef Py_ssize_t *turned_at            # (n_layers + 1,) [l]: where those of W_(l+1)' begin
    cdef void *delta
    cdef void *spare
    cdef void *y
    cdef void *w
    cdef void *theta                      # panels of every layer
    cdef void *grad
    cdef void *first
    cdef void *second
    cdef void *turned                     # panels of W', layer by layer


cdef void pack(Layers layers, PanelTape tape, void *panels, real *flat, int back) noexcept nogil
cdef void turn(Layers layers, PanelTape tape, real *dummy) noexcept nogil
cdef void load_tile(Layers layers, Source source, PanelTape tape, const Py_ssize_t *index,
                    Py_ssize_t rows, Py_ssize_t left, real *dummy) noexcept nogil
cdef void forward(Layers layers, PanelTape tape, Py_ssize_t rows, bint slopes,
                  real *dummy) noexcept nogil
cdef double tile_loss(Layers layers, Source source, PanelTape tape, const Py_ssize_t *index,
                      Py_ssize_t rows, Py_ssize_t left, bint slopes,
                      real *dummy) noexcept nogil
cdef const double *slopes_of(Layers layers, PanelTape tape, Py_ssize_t l, Py_ssize_t rows,
                             double *room) noexcept nogil
cdef void backward(Layers layers, PanelTape tape, Py_ssize_t rows, bint accumulate,
                   real *dummy) noexcept nogil
cdef double tile_gradient(Layers layers, Source source, PanelTape tape, const Py_ssize_t *index,
                          Py_ssize_t rows, Py_ssize_t left, bint accumulate,
                          real *dummy) noexcept nogil
cdef double step(Layers layers, PanelTape tape, fm_update_t *u, double scale, double l2,
                 double max_norm, real *dummy) noexcept nogil
