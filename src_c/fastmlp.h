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
#define LOSS(name, ...) FM_LOSS_##name,
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

/* The most raw outputs of one target: of losses that work row by row, and of those that work on as
 * many rows at once as a vector has lanes. Their scratch lies on the stack. */
#define FM_MOST_BINS 2048
#define FM_MOST_ACROSS 512

/* A loss with its parameters and output activation. */
typedef struct {
    int kind;
    int raws; /* per target */
    double param[2];     /* those that are numbers */
    const double *table; /* the one that is a sequence, of `raws` numbers, or NULL */
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

/* Some rows of a matrix in compressed sparse rows: row r of these is row index[r] of it, which has
 * data[k] in column indices[k] for k from indptr[index[r]] to indptr[index[r] + 1]. */
typedef struct {
    const void *data;
    const ptrdiff_t *indices, *indptr, *index;
} fm_csr;

/* The kernels for one element type. */
#define KERNEL(returns, name, ...) returns (*name)(__VA_ARGS__);
#define real float
typedef struct {
#include "kernels.def"
} fm_kernels_f;
#undef real
#define real double
typedef struct {
#include "kernels.def"
} fm_kernels_d;
#undef real
#undef KERNEL

typedef struct {
    const char *isa;
    const fm_kernels_f *f;
    const fm_kernels_d *d;
} fm_table;

/* The tables that run here, the best first; NULL past the last. */
const fm_table *fm_table_at(int k);

/* Name, properties of row k of a .def table; NULL past its end. */
typedef struct {
    const char *name, *tape, *range;
    int n_params;
} fm_activation_row;
typedef struct {
    const char *name; /* NULL: there is none */
    const char *kind;
    double value, low, high;
} fm_parameter;
typedef struct {
    const char *name;
    int raws, counted; /* counted: for each that the first parameter counts */
    const char *targets, *domain, *curvature, *canonical, *forms, *constant, *noise;
    fm_parameter parameters[2];
} fm_loss_row;
typedef struct {
    const char *name;
    int n_moments;
} fm_update_row;
const fm_activation_row *fm_activation_at(int k);
const fm_loss_row *fm_loss_at(int k);
const fm_update_row *fm_update_at(int k);
const char *fm_function_at(int k);

#endif
