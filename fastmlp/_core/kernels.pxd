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
        double param[2]
        fm_activation_t output

    ctypedef struct fm_update_t:
        int kind
        double rate, momentum, beta_1, beta_2, epsilon, decay, l2, scale

    ctypedef struct fm_stretch:
        const void *a
        const void *delta
        Py_ssize_t lda, ld_delta, fan_in, fan_out

    ctypedef struct fm_kernels_f:
        void (*activate)(float *, float *, const float *, Py_ssize_t, Py_ssize_t, int,
                         const fm_activation_t *) noexcept nogil
        void (*backward)(float *, float *, const float *, const float *, Py_ssize_t, Py_ssize_t,
                         const fm_activation_t *) noexcept nogil
        void (*slope)(float *, const float *, const float *, Py_ssize_t,
                      const fm_activation_t *) noexcept nogil
        void (*curv)(float *, const float *, const float *, Py_ssize_t,
                     const fm_activation_t *) noexcept nogil
        void (*output)(float *, const float *, Py_ssize_t, Py_ssize_t,
                       const fm_activation_t *) noexcept nogil
        double (*loss)(float *, const float *, const float *, const float *, Py_ssize_t,
                       Py_ssize_t, const fm_loss_t *) noexcept nogil
        void (*loss_mul)(float *, const float *, const float *, const float *, const float *,
                         Py_ssize_t, Py_ssize_t, const fm_loss_t *, int) noexcept nogil
        void (*loss_root)(float *, const float *, const float *, const float *, Py_ssize_t,
                          Py_ssize_t, const fm_loss_t *) noexcept nogil
        void (*loss_root_mul)(float *, const float *, const float *, const float *, const float *,
                              Py_ssize_t, Py_ssize_t, Py_ssize_t, const fm_loss_t *,
                              float *) noexcept nogil
        double (*update)(float *, float *, float *, const float *, Py_ssize_t,
                         const fm_update_t *) noexcept nogil
        void (*regularise)(float *, double *, const float *, Py_ssize_t, double,
                           double) noexcept nogil
        void (*column_sums)(float *, const float *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*gather)(float *, const float *, const Py_ssize_t *, Py_ssize_t, Py_ssize_t,
                       Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*gather_csr)(float *, const float *, const Py_ssize_t *, const Py_ssize_t *,
                           const Py_ssize_t *, Py_ssize_t, Py_ssize_t,
                           Py_ssize_t) noexcept nogil
        void (*standardise)(float *, const double *, const double *, Py_ssize_t, Py_ssize_t,
                            Py_ssize_t) noexcept nogil
        int (*all_finite)(const float *, Py_ssize_t) noexcept nogil
        Py_ssize_t (*padded)(Py_ssize_t) noexcept nogil
        void (*panel_copy)(float *, float *, Py_ssize_t, Py_ssize_t, int) noexcept nogil
        void (*panel_turn)(float *, const float *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*panel_forward)(float *, const float *, const float *, Py_ssize_t, Py_ssize_t,
                              Py_ssize_t, Py_ssize_t, Py_ssize_t, int) noexcept nogil
        void (*panel_delta)(float *, const float *, const float *, const float *, Py_ssize_t,
                            Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*panel_grad)(float *, const float *, const float *, Py_ssize_t, Py_ssize_t,
                           Py_ssize_t,
                           Py_ssize_t, Py_ssize_t, int) noexcept nogil
        double (*panel_loss)(float *, const float *, const float *, const float *,
                             Py_ssize_t, Py_ssize_t, Py_ssize_t, const fm_loss_t *) noexcept nogil
        double (*panel_update)(float *, float *, float *, const float *, Py_ssize_t, Py_ssize_t,
                               const fm_update_t *) noexcept nogil
        void (*panel_regularise)(float *, double *, const float *, Py_ssize_t, Py_ssize_t, double,
                                 double) noexcept nogil
        void (*jacobian_rows)(float *, float *, const fm_stretch *, Py_ssize_t, Py_ssize_t,
                              Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*gram_add)(float *, const float *, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                         Py_ssize_t) noexcept nogil
        void (*row_forward)(float *, const float *, const float *, const float *, Py_ssize_t,
                            Py_ssize_t, int) noexcept nogil
        void (*map)(float *, const float *, Py_ssize_t, int) noexcept nogil

    ctypedef struct fm_kernels_d:
        void (*activate)(double *, double *, const double *, Py_ssize_t, Py_ssize_t, int,
                         const fm_activation_t *) noexcept nogil
        void (*backward)(double *, double *, const double *, const double *, Py_ssize_t,
                         Py_ssize_t, const fm_activation_t *) noexcept nogil
        void (*slope)(double *, const double *, const double *, Py_ssize_t,
                      const fm_activation_t *) noexcept nogil
        void (*curv)(double *, const double *, const double *, Py_ssize_t,
                     const fm_activation_t *) noexcept nogil
        void (*output)(double *, const double *, Py_ssize_t, Py_ssize_t,
                       const fm_activation_t *) noexcept nogil
        double (*loss)(double *, const double *, const double *, const double *, Py_ssize_t,
                       Py_ssize_t, const fm_loss_t *) noexcept nogil
        void (*loss_mul)(double *, const double *, const double *, const double *,
                         const double *, Py_ssize_t, Py_ssize_t, const fm_loss_t *,
                         int) noexcept nogil
        void (*loss_root)(double *, const double *, const double *, const double *, Py_ssize_t,
                          Py_ssize_t, const fm_loss_t *) noexcept nogil
        void (*loss_root_mul)(double *, const double *, const double *, const double *,
                              const double *, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                              const fm_loss_t *, double *) noexcept nogil
        double (*update)(double *, double *, double *, const double *, Py_ssize_t,
                         const fm_update_t *) noexcept nogil
        void (*regularise)(double *, double *, const double *, Py_ssize_t, double,
                           double) noexcept nogil
        void (*column_sums)(double *, const double *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*gather)(double *, const double *, const Py_ssize_t *, Py_ssize_t, Py_ssize_t,
                       Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*gather_csr)(double *, const double *, const Py_ssize_t *, const Py_ssize_t *,
                           const Py_ssize_t *, Py_ssize_t, Py_ssize_t,
                           Py_ssize_t) noexcept nogil
        void (*standardise)(double *, const double *, const double *, Py_ssize_t, Py_ssize_t,
                            Py_ssize_t) noexcept nogil
        int (*all_finite)(const double *, Py_ssize_t) noexcept nogil
        Py_ssize_t (*padded)(Py_ssize_t) noexcept nogil
        void (*panel_copy)(double *, double *, Py_ssize_t, Py_ssize_t, int) noexcept nogil
        void (*panel_turn)(double *, const double *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*panel_forward)(double *, const double *, const double *, Py_ssize_t, Py_ssize_t,
                              Py_ssize_t, Py_ssize_t, Py_ssize_t, int) noexcept nogil
        void (*panel_delta)(double *, const double *, const double *, const double *, Py_ssize_t,
                            Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*panel_grad)(double *, const double *, const double *, Py_ssize_t, Py_ssize_t,
                           Py_ssize_t,
                           Py_ssize_t, Py_ssize_t, int) noexcept nogil
        double (*panel_loss)(double *, const double *, const double *, const double *,
                             Py_ssize_t, Py_ssize_t, Py_ssize_t, const fm_loss_t *) noexcept nogil
        double (*panel_update)(double *, double *, double *, const double *, Py_ssize_t, Py_ssize_t,
                               const fm_update_t *) noexcept nogil
        void (*panel_regularise)(double *, double *, const double *, Py_ssize_t, Py_ssize_t, double,
                                 double) noexcept nogil
        void (*jacobian_rows)(double *, double *, const fm_stretch *, Py_ssize_t, Py_ssize_t,
                              Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil
        void (*gram_add)(double *, const double *, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                         Py_ssize_t) noexcept nogil
        void (*row_forward)(double *, const double *, const double *, const double *, Py_ssize_t,
                            Py_ssize_t, int) noexcept nogil
        void (*map)(double *, const double *, Py_ssize_t, int) noexcept nogil

    ctypedef struct fm_table:
        const char *isa
        const fm_kernels_f *f
        const fm_kernels_d *d

    ctypedef struct fm_activation_row:
        const char *name
        const char *tape
        const char *range
        int n_params

    ctypedef struct fm_loss_row:
        const char *name
        const char *domain
        const char *curvature
        int n_params

    const fm_table *fm_find(const char *isa)
    const char *const *fm_available()
    const fm_activation_row *fm_activation_at(int k)
    const fm_loss_row *fm_loss_at(int k)
    const char *fm_update_at(int k)
    const char *fm_function_at(int k)

cdef extern from "flush.h" nogil:
    uint64_t fm_flush_begin()
    void fm_flush_end(uint64_t mode)

# The table chosen at import.
cdef const fm_table *table

cdef void activate(real *a, real *z, const real *bias, Py_ssize_t rows, Py_ssize_t cols,
                   int slopes, const fm_activation_t *g) noexcept nogil
cdef void backward(real *delta, real *grad_b, const real *slopes, const real *a,
                   Py_ssize_t rows, Py_ssize_t cols, const fm_activation_t *g) noexcept nogil
cdef void slope(real *out, const real *z, const real *a, Py_ssize_t n,
                const fm_activation_t *g) noexcept nogil
cdef void curv(real *out, const real *z, const real *a, Py_ssize_t n,
               const fm_activation_t *g) noexcept nogil
cdef void output(real *a, const real *raw, Py_ssize_t rows, Py_ssize_t n_raw,
                 const fm_activation_t *g) noexcept nogil
cdef double loss(real *delta, const real *raw, const real *y, const real *w, Py_ssize_t rows,
                 Py_ssize_t n_raw, const fm_loss_t *loss_) noexcept nogil
cdef void loss_mul(real *rdelta, const real *rraw, const real *raw, const real *y, const real *w,
                   Py_ssize_t rows, Py_ssize_t n_raw, const fm_loss_t *loss_,
                   int curvature) noexcept nogil
cdef void loss_root(real *roots, const real *raw, const real *y, const real *w, Py_ssize_t rows,
                    Py_ssize_t n_raw, const fm_loss_t *loss_) noexcept nogil
cdef void loss_root_mul(real *out, const real *z, const real *raw, const real *y, const real *w,
                        Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t n_raw,
                        const fm_loss_t *loss_, real *room) noexcept nogil
cdef double update(real *theta, real *first, real *second, const real *grad, Py_ssize_t n,
                   const fm_update_t *u) noexcept nogil
cdef void regularise(real *grad, double *sums, const real *theta, Py_ssize_t n, double l2,
                     double scale) noexcept nogil
cdef void column_sums(real *sums, const real *m, Py_ssize_t rows, Py_ssize_t cols) noexcept nogil
cdef void gather(real *out, const real *X, const Py_ssize_t *index, Py_ssize_t rows,
                 Py_ssize_t left, Py_ssize_t cols, Py_ssize_t ld, Py_ssize_t row_stride,
                 Py_ssize_t col_stride) noexcept nogil
cdef void gather_csr(real *out, const real *data, const Py_ssize_t *indices,
                     const Py_ssize_t *indptr, const Py_ssize_t *index, Py_ssize_t rows,
                     Py_ssize_t cols, Py_ssize_t ld) noexcept nogil
cdef void standardise(real *x, const double *mean, const double *scale, Py_ssize_t rows,
                      Py_ssize_t cols, Py_ssize_t ld) noexcept nogil
cdef int all_finite(const real *x, Py_ssize_t n) noexcept nogil
cdef void panel_copy(real *panels, real *m, Py_ssize_t rows, Py_ssize_t cols,
                     int back) noexcept nogil
cdef void panel_turn(real *turned, const real *W, Py_ssize_t fan_in,
                     Py_ssize_t fan_out) noexcept nogil
cdef void panel_forward(real *Z, const real *A, const real *W, Py_ssize_t rows, Py_ssize_t fan_in,
                        Py_ssize_t fan_out, Py_ssize_t ldz, Py_ssize_t lda,
                        int relu) noexcept nogil
cdef void panel_delta(real *below, const real *delta, const real *W_turned, const real *gate,
                      Py_ssize_t rows, Py_ssize_t fan_in, Py_ssize_t fan_out,
                      Py_ssize_t ld_below, Py_ssize_t ld_delta) noexcept nogil
cdef void panel_grad(real *grad, const real *A, const real *delta, Py_ssize_t rows,
                     Py_ssize_t fan_in, Py_ssize_t fan_out, Py_ssize_t lda, Py_ssize_t ld_delta,
                     int accumulate) noexcept nogil
cdef double panel_loss(real *delta, const real *raw, const real *y, const real *w, Py_ssize_t rows,
                       Py_ssize_t n_raw, Py_ssize_t ld, const fm_loss_t *loss_) noexcept nogil
cdef double panel_update(real *theta, real *first, real *second, const real *grad,
                         Py_ssize_t fan_in, Py_ssize_t fan_out,
                         const fm_update_t *u) noexcept nogil
cdef void panel_regularise(real *grad, double *sums, const real *theta, Py_ssize_t fan_in,
                           Py_ssize_t fan_out, double l2, double scale) noexcept nogil
cdef void jacobian_rows(real *strips, real *row, const fm_stretch *layers, Py_ssize_t n_layers,
                        Py_ssize_t n_raw, Py_ssize_t rows, Py_ssize_t first,
                        Py_ssize_t total) noexcept nogil
cdef void gram_add(real *G, const real *strips, Py_ssize_t rows, Py_ssize_t cols,
                   Py_ssize_t share, Py_ssize_t shares) noexcept nogil
cdef void row_forward(real *z, const real *a, const real *W, const real *b, Py_ssize_t fan_in,
                      Py_ssize_t fan_out, int relu) noexcept nogil
