"""The one door to the C kernels: `fm_table` behind functions fused over the element type."""

from libc.stdint cimport uint64_t

ctypedef fused real:
    float
    double

cdef extern from "fastmlp.h" nogil:
    enum: FM_identity
    enum: FM_softmax
    enum: FM_GGN
    enum: FM_HESS
    enum: FM_UPDATE_adam
    enum: FM_relu

    ctypedef struct fm_activation_t:
        int kind
        double param[2]

    ctypedef struct fm_loss_t:
        int kind
        int raws
        double param[2]
        const double *table
        fm_activation_t output

    ctypedef struct fm_update_t:
        int kind
        double rate, momentum, beta_1, beta_2, epsilon, decay, l2, scale

    ctypedef struct fm_stretch:
        const void *a
        const void *delta
        Py_ssize_t lda, ld_delta, fan_in, fan_out

    ctypedef struct fm_csr:
        const void *data
        const Py_ssize_t *indices
        const Py_ssize_t *indptr
        const Py_ssize_t *index

include "kernels.pxi"  # a function for each row of src_c/kernels.def; setup.py writes it

cdef extern from "fastmlp.h" nogil:
    ctypedef struct fm_table:
        const char *isa
        const fm_kernels_f *f
        const fm_kernels_d *d

    ctypedef struct fm_activation_row:
        const char *name
        const char *tape
        const char *range
        int n_params

    ctypedef struct fm_parameter:
        const char *name
        const char *kind
        double value
        double low
        double high

    ctypedef struct fm_update_row:
        const char *name
        int n_moments

    ctypedef struct fm_loss_row:
        const char *name
        int raws
        int counted
        const char *targets
        const char *domain
        const char *curvature
        const char *canonical
        const char *forms
        const char *constant
        const char *noise
        fm_parameter parameters[2]

    const fm_table *fm_table_at(int k)
    const fm_activation_row *fm_activation_at(int k)
    const fm_loss_row *fm_loss_at(int k)
    const fm_update_row *fm_update_at(int k)
    const char *fm_function_at(int k)

cdef extern from "flush.h" nogil:
    uint64_t fm_flush_begin()
    void fm_flush_end(uint64_t mode)

# The table chosen at import.
cdef const fm_table *table

cdef inline Py_ssize_t padded(Py_ssize_t cols, size_t itemsize) noexcept nogil:
    return table.f.padded(cols) if itemsize == sizeof(float) else table.d.padded(cols)
