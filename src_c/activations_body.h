/* Value, slope and curvature of each activation as functions of (z, a) and its parameters p. */

typedef const real *NAME(params);
#define params NAME(params)
#define SELU_SCALE ((real)1.0507009873554805)
#define SELU_ALPHA ((real)1.6732632423543772)

static inline vec NAME(value_identity)(vec z, params p) { (void)p; return z; }
static inline vec NAME(slope_identity)(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(1); }
static inline vec NAME(curv_identity)(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(0); }

static inline vec NAME(value_logistic)(vec z, params p) { (void)p; return vlogistic(z); }
static inline vec NAME(slope_logistic)(vec z, vec a, params p) { (void)z, (void)p; return a * (1 - a); }
static inline vec NAME(curv_logistic)(vec z, vec a, params p) {
    (void)z, (void)p;
    return a * (1 - a) * (1 - 2 * a);
}

static inline vec NAME(value_tanh)(vec z, params p) { (void)p; return vtanh(z); }
static inline vec NAME(slope_tanh)(vec z, vec a, params p) { (void)z, (void)p; return 1 - a * a; }
static inline vec NAME(curv_tanh)(vec z, vec a, params p) { (void)z, (void)p; return -2 * a * (1 - a * a); }

/* NaN is kept, so that a diverged network shows it. */
static inline vec NAME(value_relu)(vec z, params p) { (void)p; return select_(z <= 0, splat(0), z); }
static inline vec NAME(slope_relu)(vec z, vec a, params p) {
    (void)z, (void)p;
    return select_(a > 0, splat(1), splat(0));
}
static inline vec NAME(curv_relu)(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(0); }

static inline vec NAME(value_softplus)(vec z, params p) { (void)p; return vsoftplus(z); }
static inline vec NAME(slope_softplus)(vec z, vec a, params p) { (void)a, (void)p; return vlogistic(z); }
static inline vec NAME(curv_softplus)(vec z, vec a, params p) {
    (void)a, (void)p;
    const logistic_pair l = vlogistic_pair(z);
    return l.s * l.r;
}

/* eps z + (1 - eps) max(0, z), 0 <= eps <= 1: a has the sign of z, or is 0 with it. */
static inline vec NAME(value_leaky_relu)(vec z, params p) { return select_(z <= 0, p[0] * z, z); }
static inline vec NAME(slope_leaky_relu)(vec z, vec a, params p) {
    (void)z;
    return select_(a > 0, splat(1), splat(p[0]));
}
static inline vec NAME(curv_leaky_relu)(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(0); }

/* z for z > 0, alpha (e^z - 1) below (Clevert et al. 2016) */
static inline vec NAME(value_elu)(vec z, params p) { return select_(z > 0, z, p[0] * vexpm1_below(z)); }
static inline vec NAME(slope_elu)(vec z, vec a, params p) {
    (void)a;
    return select_(z > 0, splat(1), p[0] * vexp(vmin_(z, 0)));
}
static inline vec NAME(curv_elu)(vec z, vec a, params p) {
    (void)a;
    return select_(z > 0, splat(0), p[0] * vexp(vmin_(z, 0)));
}

/* Klambauer et al. 2017 */
static inline vec NAME(value_selu)(vec z, params p) {
    (void)p;
    return SELU_SCALE * select_(z > 0, z, SELU_ALPHA * vexpm1_below(z));
}
static inline vec NAME(slope_selu)(vec z, vec a, params p) {
    (void)a, (void)p;
    return SELU_SCALE * select_(z > 0, splat(1), SELU_ALPHA * vexp(vmin_(z, 0)));
}
static inline vec NAME(curv_selu)(vec z, vec a, params p) {
    (void)a, (void)p;
    return SELU_SCALE * select_(z > 0, splat(0), SELU_ALPHA * vexp(vmin_(z, 0)));
}

/* z Phi(z), Phi the normal distribution function (Hendrycks & Gimpel 2016) */
static inline vec NAME(normal_cdf)(vec z) { return (real)0.5 * verfc((real)-0.7071067811865476 * z); }
static inline vec NAME(normal_pdf)(vec z) {
    return (real)0.3989422804014327 * vexp((real)-0.5 * z * z);
}
static inline vec NAME(value_gelu)(vec z, params p) { (void)p; return z * NAME(normal_cdf)(z); }
static inline vec NAME(slope_gelu)(vec z, vec a, params p) {
    (void)p;
    const vec cdf = select_(vabs(z) > (real)1e-30, a / z, splat((real)0.5));
    return cdf + z * NAME(normal_pdf)(z);
}
static inline vec NAME(curv_gelu)(vec z, vec a, params p) {
    (void)a, (void)p;
    return (2 - z * z) * NAME(normal_pdf)(z);
}

/* z s(z), s the logistic function */
static inline vec NAME(value_silu)(vec z, params p) { (void)p; return z * vlogistic(z); }
static inline vec NAME(slope_silu)(vec z, vec a, params p) {
    (void)a, (void)p;
    const logistic_pair l = vlogistic_pair(z);
    return l.s * (1 + z * l.r);
}
static inline vec NAME(curv_silu)(vec z, vec a, params p) {
    (void)a, (void)p;
    const logistic_pair l = vlogistic_pair(z);
    return l.s * l.r * (2 + z * (l.r - l.s));
}

/* z t, t = tanh(log(1 + e^z)) = n/(n + 2) with e = e^z, n = e (e + 2) (Misra 2019), and
 * dt/dz = 4 e (e + 1)/(n + 2)^2. Past z = 20, t is 1 to the last bit. */
typedef struct {
    vec e, t, slope;
} NAME(mish_parts);

static inline NAME(mish_parts) NAME(mish_at)(vec z) {
    const vec e = vexp(vmin_(z, 20)), n = e * (e + 2), inverse = 1 / (n + 2);
    return (NAME(mish_parts)){e, n * inverse, 4 * e * (e + 1) * inverse * inverse};
}
static inline vec NAME(value_mish)(vec z, params p) {
    (void)p;
    return z * NAME(mish_at)(z).t;
}
static inline vec NAME(slope_mish)(vec z, vec a, params p) {
    (void)a, (void)p;
    const NAME(mish_parts) m = NAME(mish_at)(z);
    return m.t + z * m.slope;
}
/* 2 dt/dz + z d2t/dz2 = dt/dz (2 + z (1 - s - 2 t s)), s = logistic(z) = e/(1 + e) */
static inline vec NAME(curv_mish)(vec z, vec a, params p) {
    (void)a, (void)p;
    const NAME(mish_parts) m = NAME(mish_at)(z);
    return m.slope * (2 + z * (1 - 2 * m.t * m.e) / (1 + m.e));
}

/* Saturated at EXP_SAFE: a mean over rows stays finite whatever raw is, and the gradient still
 * points back. */
#if REAL_IS_FLOAT
#define EXP_SAFE 80.0f
#else
#define EXP_SAFE 700.0
#endif
static inline vec NAME(value_exp)(vec z, params p) { (void)p; return vexp(vmin_(z, EXP_SAFE)); }
static inline vec NAME(slope_exp)(vec z, vec a, params p) { (void)z, (void)p; return a; }
static inline vec NAME(curv_exp)(vec z, vec a, params p) { (void)z, (void)p; return a; }

#define FM_PARAMS(g) const real p[2] = {(real)(g)->param[0], (real)(g)->param[1]}

/* A loop of its own for each activation, so that none pays for the constants of the others. */
#define FM_LOOP static __attribute__((noinline)) void
#define ROW_ACTIVATION(name, tape, range, n_params)
#define ACTIVATION(name, tape, range, n_params)                                                  \
    FM_LOOP NAME(values_##name)(real *a, const real *z, ptrdiff_t n, params p) {                 \
        FM_EACH(n, store(a + i, NAME(value_##name)(load(z + i, k, 0), p), k););                  \
    }                                                                                            \
    FM_LOOP NAME(slopes_##name)(real *out, const real *z, const real *a, ptrdiff_t n,            \
                                params p) {                                                      \
        FM_EACH(n, {                                                                             \
            store(out + i, NAME(slope_##name)(load(z + i, k, 0), load(a + i, k, 0), p), k);      \
        });                                                                                      \
    }                                                                                            \
    FM_LOOP NAME(curvs_##name)(real *out, const real *z, const real *a, ptrdiff_t n, params p) { \
        FM_EACH(n, {                                                                             \
            store(out + i, NAME(curv_##name)(load(z + i, k, 0), load(a + i, k, 0), p), k);       \
        });                                                                                      \
    }                                                                                            \
    FM_LOOP NAME(slopes_mul_##name)(real *delta, const real *z, const real *a, ptrdiff_t n,      \
                                    params p) {                                                  \
        FM_EACH(n, {                                                                             \
            const vec g1 = NAME(slope_##name)(load(z + i, k, 0), load(a + i, k, 0), p);          \
            store(delta + i, load(delta + i, k, 0) * g1, k);                                     \
        });                                                                                      \
    }
#include "activations.def"
#undef ACTIVATION
#undef FM_LOOP

static void NAME(value)(real *a, const real *z, ptrdiff_t n, const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: NAME(values_##name)(a, z, n, p); break;
#include "activations.def"
#undef ACTIVATION
    }
}

static void NAME(slope)(real *out, const real *z, const real *a, ptrdiff_t n,
                        const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: NAME(slopes_##name)(out, z, a, n, p); break;
#include "activations.def"
#undef ACTIVATION
    }
}

static void NAME(curv)(real *out, const real *z, const real *a, ptrdiff_t n,
                       const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: NAME(curvs_##name)(out, z, a, n, p); break;
#include "activations.def"
#undef ACTIVATION
    }
}

/* delta *= g'(z, a) */
static void NAME(slope_mul)(real *delta, const real *z, const real *a, ptrdiff_t n,
                            const fm_activation_t *g) {
    FM_PARAMS(g);
    if (g->kind == FM_identity) return;
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: NAME(slopes_mul_##name)(delta, z, a, n, p); break;
#include "activations.def"
#undef ACTIVATION
#undef ROW_ACTIVATION
    }
}

/* Rows are taken in blocks that stay in the first-level cache between the two passes. */
enum { NAME(BLOCK) = 16384 / sizeof(real) };

static ptrdiff_t NAME(block_rows)(ptrdiff_t cols) {
    return cols < NAME(BLOCK) ? NAME(BLOCK) / cols : 1;
}

static void NAME(activate)(real *a, real *z, const real *bias, ptrdiff_t rows, ptrdiff_t cols,
                           const fm_activation_t *g) {
    const ptrdiff_t block = NAME(block_rows)(cols);
    for (ptrdiff_t first = 0; first < rows; first += block) {
        const ptrdiff_t end = first + block < rows ? first + block : rows;
        if (bias)
            for (ptrdiff_t r = first; r < end; r++)
                for (ptrdiff_t c = 0; c < cols; c++) z[r * cols + c] += bias[c];
        if (a != z || g->kind != FM_identity)
            NAME(value)(a + first * cols, z + first * cols, (end - first) * cols, g);
    }
}

static void NAME(column_sums)(real *sums, const real *m, ptrdiff_t rows, ptrdiff_t cols) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++) sums[c] += m[r * cols + c];
}

static void NAME(backward)(real *delta, real *grad_b, const real *z, const real *a,
                           ptrdiff_t rows, ptrdiff_t cols, const fm_activation_t *g) {
    const ptrdiff_t block = NAME(block_rows)(cols);
    for (ptrdiff_t first = 0; first < rows; first += block) {
        const ptrdiff_t n = first + block < rows ? block : rows - first;
        const ptrdiff_t at = first * cols;
        NAME(slope_mul)(delta + at, z + at, a + at, n * cols, g);
        if (grad_b) NAME(column_sums)(grad_b, delta + at, n, cols);
    }
}
