/* The kernels of fastmlp: pure functions on arrays, once per element type and instruction set.
 *
 * Outputs first, inputs next, sizes last. A kernel allocates nothing, cannot fail, prints nothing
 * and starts no thread; matrices are row-major and contiguous. */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stddef.h>
#include <stdint.h>

enum fm_activation {
#define ACTIVATION(name, tape, range, n_params) FM_##name,
#define ROW_ACTIVATION ACTIVATION
#include "activations.def"
#undef ROW_ACTIVATION
#undef ACTIVATION
    FM_N_ACTIVATIONS
};

enum fm_loss {
#define LOSS(name, domain, curvature, n_params) FM_LOSS_##name,
#include "losses.def"
#undef LOSS
    FM_N_LOSSES
};

enum fm_update {
#define UPDATE(name, n_moments) FM_UPDATE_##name,
#include "updates.def"
#undef UPDATE
    FM_N_UPDATES
};

enum fm_function {
#define FUNCTION(name) FM_FUNCTION_##name,
#include "functions.def"
#undef FUNCTION
    FM_N_FUNCTIONS
};

/* An activation with its parameters (eps of leaky_relu, alpha of elu). */
typedef struct {
    int kind;
    double param[2];
} fm_activation_t;

/* A loss with its parameters (epsilon of huber, the level of quantile) and output activation. */
typedef struct {
    int kind;
    double param[2];
    fm_activation_t output;
} fm_loss_t;

/* Hyper-parameters of one update; the gradient used is (grad + l2 theta) scale. */
typedef struct {
    int kind;
    double rate, momentum, beta_1, beta_2, epsilon;
    double decay; /* decoupled weight decay: theta *= 1 - decay (Loshchilov & Hutter 2019) */
    double l2, scale;
} fm_update_t;

/* Which second derivative: the exact one, or the positive semi-definite one of Gauss-Newton. */
enum fm_curvature { FM_GGN, FM_HESS };

/* One layer's part of the rows of a Jacobian: activations below it with their one, a row per sample,
 * and deltas, a row per residual. A delta may be read up to a whole vector. */
typedef struct {
    const void *a, *delta;
    ptrdiff_t lda, ld_delta, fan_in, fan_out;
} fm_stretch;

/* The table for one element type. */
#define FM_KERNELS(real, name)                                                                   \
    typedef struct {                                                                             \
        /* z[rows, cols] += bias[cols] unless bias is NULL; a = g(z); a may be z (FROM_A).       \
         * If slopes, z = g'(z) afterwards where g is FROM_Z */                                  \
        void (*activate)(real *a, real *z, const real *bias, ptrdiff_t rows, ptrdiff_t cols,     \
                         int slopes, const fm_activation_t *g);                                  \
        /* delta[rows, cols] *= g', taken from a (FROM_A) or from the slopes that activate left; \
         * grad_b[cols] += column sums of delta unless NULL */                                   \
        void (*backward)(real *delta, real *grad_b, const real *slopes, const real *a,           \
                         ptrdiff_t rows, ptrdiff_t cols, const fm_activation_t *g);              \
        void (*slope)(real *slope, const real *z, const real *a, ptrdiff_t n,                    \
                      const fm_activation_t *g);                                                 \
        void (*curv)(real *curv, const real *z, const real *a, ptrdiff_t n,                      \
                     const fm_activation_t *g);                                                  \
        /* a[rows, n_raw] = output activation of raw */                                          \
        void (*output)(real *a, const real *raw, ptrdiff_t rows, ptrdiff_t n_raw,                \
                       const fm_activation_t *g);                                                \
        /* returns sum_i w_i l_i; delta[rows, n_raw] = w_i dl/draw; w may be NULL */             \
        double (*loss)(real *delta, const real *raw, const real *y, const real *w,               \
                       ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss);                  \
        /* rdelta[rows, n_raw] = w_i Q_i rraw_i, Q the second derivative of the loss in raw */   \
        void (*loss_mul)(real *rdelta, const real *rraw, const real *raw, const real *y,         \
                         const real *w, ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss,  \
                         int curvature);                                                         \
        /* roots[row, k, :] = column k of R_i, (n_raw x n_raw), R_i R_i' = w_i Q_i by FM_GGN */  \
        void (*loss_root)(real *roots, const real *raw, const real *y, const real *w,            \
                          ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss);               \
        /* out[row, d, :] = R_i z[row, d, :], without R_i; room: 2 n_raw */                      \
        void (*loss_root_mul)(real *out, const real *z, const real *raw, const real *y,          \
                              const real *w, ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw,   \
                              const fm_loss_t *loss, real *room);                                \
        /* one optimiser step on n entries; returns the sum of squares of theta before it */     \
        double (*update)(real *theta, real *first, real *second, const real *grad, ptrdiff_t n,  \
                         const fm_update_t *u);                                                  \
        /* grad = (grad + l2 theta) scale; sums[0] += |theta|^2, sums[1] += |grad|^2 */          \
        void (*regularise)(real *grad, double *sums, const real *theta, ptrdiff_t n, double l2,  \
                           double scale);                                                        \
        /* sums[cols] += column sums of m[rows, cols] */                                         \
        void (*column_sums)(real *sums, const real *m, ptrdiff_t rows, ptrdiff_t cols);          \
        /* out[i, :] = X[index[i], :] of a strided X (strides in elements); ld of out;           \
         * index has left >= rows entries, those past rows being wanted next */                  \
        void (*gather)(real *out, const real *X, const ptrdiff_t *index, ptrdiff_t rows,         \
                       ptrdiff_t left, ptrdiff_t cols, ptrdiff_t ld, ptrdiff_t row_stride,       \
                       ptrdiff_t col_stride);                                                    \
        /* the same from compressed sparse rows; duplicates add up */                            \
        void (*gather_csr)(real *out, const real *data, const ptrdiff_t *indices,                \
                           const ptrdiff_t *indptr, const ptrdiff_t *index, ptrdiff_t rows,      \
                           ptrdiff_t cols, ptrdiff_t ld);                                        \
        /* x[rows, cols] = (x - mean[cols]) / scale[cols] in double; ld of x */                  \
        void (*standardise)(real *x, const double *mean, const double *scale, ptrdiff_t rows,    \
                            ptrdiff_t cols, ptrdiff_t ld);                                       \
        int (*all_finite)(const real *x, ptrdiff_t n);                                           \
        /* ---- layers in panels (panels_body.h); ld: row strides ---- */                        \
        ptrdiff_t (*padded)(ptrdiff_t cols);                                                     \
        /* panels of m[rows, cols]; from panels to m if back */                                  \
        void (*panel_copy)(real *panels, real *m, ptrdiff_t rows, ptrdiff_t cols, int back);     \
        /* panels of W' from panels of W~ */                                                     \
        void (*panel_turn)(real *turned, const real *W, ptrdiff_t fan_in, ptrdiff_t fan_out);    \
        /* Z[rows, fan_out] = (a, 1) W~, the column of ones being part of A; relu if asked */    \
        void (*panel_forward)(real *Z, const real *A, const real *W, ptrdiff_t rows,             \
                              ptrdiff_t fan_in, ptrdiff_t fan_out, ptrdiff_t ldz, ptrdiff_t lda, \
                              int relu);                                                         \
        /* the loss with rows of raw and delta ld = padded(n_raw) apart */                       \
        double (*panel_loss)(real *delta, const real *raw, const real *y, const real *w,         \
                             ptrdiff_t rows, ptrdiff_t n_raw, ptrdiff_t ld,                      \
                             const fm_loss_t *loss);                                             \
        /* below[rows, fan_in] = delta W', kept where gate (like below) is positive, if given */ \
        void (*panel_delta)(real *below, const real *delta, const real *W_turned,                \
                            const real *gate, ptrdiff_t rows, ptrdiff_t fan_in,                  \
                            ptrdiff_t fan_out, ptrdiff_t ld_below, ptrdiff_t ld_delta);          \
        /* panels of (a, 1)' delta, added to grad if asked */                                    \
        void (*panel_grad)(real *grad, const real *A, const real *delta, ptrdiff_t rows,         \
                           ptrdiff_t fan_in, ptrdiff_t fan_out, ptrdiff_t lda,                   \
                           ptrdiff_t ld_delta, int accumulate);                                  \
        /* update and regularise on panels, l2 and decay for all rows but the last */            \
        double (*panel_update)(real *theta, real *first, real *second, const real *grad,         \
                               ptrdiff_t fan_in, ptrdiff_t fan_out, const fm_update_t *u);       \
        void (*panel_regularise)(real *grad, double *sums, const real *theta, ptrdiff_t fan_in,  \
                                 ptrdiff_t fan_out, double l2, double scale);                    \
        /* ---- Gram matrices in strips (gram_body.h) ---- */                                    \
        /* rows of a Jacobian, n_raw to a sample, into strips of `total` rows from `first` on;   \
         * row has room for n_params + 2 padded(2) entries */                                    \
        void (*jacobian_rows)(real *strips, real *row, const fm_stretch *layers,                 \
                              ptrdiff_t n_layers, ptrdiff_t n_raw, ptrdiff_t rows,               \
                              ptrdiff_t first, ptrdiff_t total);                                 \
        /* upper triangle of G += J' J, G[cols, padded(cols)] with padded(cols) rows of room;    \
         * the share-th of `shares` disjoint parts */                                            \
        void (*gram_add)(real *G, const real *strips, ptrdiff_t rows, ptrdiff_t cols,            \
                         ptrdiff_t share, ptrdiff_t shares);                                     \
        /* z[fan_out] = b + a W for one row (row_body.h), W as in theta; relu if asked */        \
        void (*row_forward)(real *z, const real *a, const real *W, const real *b,                \
                            ptrdiff_t fan_in, ptrdiff_t fan_out, int relu);                      \
        /* out[i] = function(x[i]) */                                                            \
        void (*map)(real *out, const real *x, ptrdiff_t n, int function);                        \
    } name

FM_KERNELS(float, fm_kernels_f);
FM_KERNELS(double, fm_kernels_d);

typedef struct {
    const char *isa;
    fm_kernels_f f;
    fm_kernels_d d;
} fm_table;

/* A table by instruction set; NULL if this build or this CPU does not have it. */
const fm_table *fm_find(const char *isa);
/* Names of the instruction sets that run here, best first, ended by NULL. */
const char *const *fm_available(void);

/* Name, properties of row k of a .def table; NULL past its end. */
typedef struct {
    const char *name, *tape, *range;
    int n_params;
} fm_activation_row;
typedef struct {
    const char *name, *domain, *curvature;
    int n_params;
} fm_loss_row;
const fm_activation_row *fm_activation_at(int k);
const fm_loss_row *fm_loss_at(int k);
const char *fm_update_at(int k);
const char *fm_function_at(int k);

#endif
