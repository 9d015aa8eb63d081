"""What sweeps over residuals share: the tile of samples at hand, in float64."""

from fastmlp._core.kernels cimport fm_stretch
from fastmlp._core.network cimport Layers
from fastmlp._core.panels cimport PanelTape

cdef enum:
    MOST_LAYERS = 64    # of a network whose residuals are swept


cdef class Workspace:
    cdef PanelTape tape
    cdef Py_ssize_t depth         # residuals per sample
    cdef const double[::1] signs  # [row, k, j]
    cdef double[::1] deltas       # layer by layer [(row, k), j], rows ld apart as in the tape
    cdef double[::1] slopes       # [row, j] of one layer
    cdef double[::1] units        # [row, j]
    cdef double[::1] products     # [row, j]
    cdef double[::1] roots        # [row, k, j]
    cdef double[::1] raw          # [row, j] without gaps
    cdef double[::1] jacobian_row
    cdef fm_stretch[MOST_LAYERS] stretch

    cdef double *delta(self, Py_ssize_t l) noexcept nogil


cdef void begin(Workspace s, Layers layers, const double *theta) noexcept nogil
cdef void add_gradient(double[::1] grad, Layers layers, Workspace s) noexcept nogil
cdef void compact_raw(Workspace s, Layers layers, Py_ssize_t rows) noexcept nogil
cdef void spread(double *apart, const double *compact, Py_ssize_t rows, Py_ssize_t cols,
                 Py_ssize_t ld) noexcept nogil
