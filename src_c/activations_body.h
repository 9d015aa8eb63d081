/* Value, slope and curvature of each activation as functions of (z, a) and its parameters p. Where
 * the slope needs z (FROM_Z), it shares an exponential with the value and comes with it. */

typedef const real *params;
typedef struct {
    vec value, slope;
} value_slope;
#define SELU_SCALE ((real)1.0507009873554805)
#define SELU_ALPHA ((real)1.6732632423543772)

static inline vec value_identity(vec z, params p) { (void)p; return z; }
static inline vec slope_identity(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(1); }
static inline vec curv_identity(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(0); }

static inline vec value_logistic(vec z, params p) { (void)p; return vlogistic(z); }
static inline vec slope_logistic(vec z, vec a, params p) { (void)z, (void)p; return a * (1 - a); }
static inline vec curv_logistic(vec z, vec a, params p) {
    (void)z, (void)p;
    return a * (1 - a) * (1 - 2 * a);
}

static inline vec value_tanh(vec z, params p) { (void)p; return vtanh(z); }
static inline vec slope_tanh(vec z, vec a, params p) { (void)z, (void)p; return 1 - a * a; }
static inline vec curv_tanh(vec z, vec a, params p) { (void)z, (void)p; return -2 * a * (1 - a * a); }

/* NaN is kept, so that a diverged network shows it. */
static inline vec value_relu(vec z, params p) { (void)p; return select_(z <= 0, splat(0), z); }
static inline vec slope_relu(vec z, vec a, params p) {
    (void)z, (void)p;
    return select_(a > 0, splat(1), splat(0));
}
static inline vec curv_relu(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(0); }

/* log(1 + e^z) = max(z, 0) + log1p(e^-|z|) */
static inline value_slope value_slope_softplus(vec z, params p) {
    (void)p;
    const logistic_pair l = vlogistic_pair(z);
    return (value_slope){vmax(z, 0) + vlog1p_unit(l.e), l.s};
}
static inline vec curv_softplus(vec z, vec a, params p) {
    (void)a, (void)p;
    const logistic_pair l = vlogistic_pair(z);
    return l.s * l.r;
}

/* eps z + (1 - eps) max(0, z), 0 <= eps <= 1: a has the sign of z, or is 0 with it. */
static inline vec value_leaky_relu(vec z, params p) { return select_(z <= 0, p[0] * z, z); }
static inline vec slope_leaky_relu(vec z, vec a, params p) {
    (void)z;
    return select_(a > 0, splat(1), splat(p[0]));
}
static inline vec curv_leaky_relu(vec z, vec a, params p) { (void)z, (void)a, (void)p; return splat(0); }

/* z for z > 0, alpha (e^z - 1) below (Clevert et al. 2016) */
static inline value_slope value_slope_elu(vec z, params p) {
    vec e;
    const vec below = vexpm1_and_exp(vmin(z, 0), &e);
    return (value_slope){select_(z > 0, z, p[0] * below), select_(z > 0, splat(1), p[0] * e)};
}
static inline vec curv_elu(vec z, vec a, params p) {
    (void)a;
    return select_(z > 0, splat(0), p[0] * vexp(vmin(z, 0)));
}

/* Klambauer et al. 2017 */
static inline value_slope value_slope_selu(vec z, params p) {
    (void)p;
    const real alpha = SELU_ALPHA;
    const value_slope elu = value_slope_elu(z, &alpha);
    return (value_slope){SELU_SCALE * elu.value, SELU_SCALE * elu.slope};
}
static inline vec curv_selu(vec z, vec a, params p) {
    (void)p;
    const real alpha = SELU_ALPHA;
    return SELU_SCALE * curv_elu(z, a, &alpha);
}

/* z Phi(z), Phi the normal distribution function (Hendrycks & Gimpel 2016) */
#define NORMAL_PEAK ((real)0.3989422804014327) /* 1/sqrt(2 pi) */
static inline value_slope value_slope_gelu(vec z, params p) {
    (void)p;
    vec e; /* exp(-z^2/2) */
    const vec cdf = (real)0.5 * verfc_and_exp((real)-0.7071067811865476 * z, &e);
    return (value_slope){z * cdf, cdf + z * (NORMAL_PEAK * e)};
}
static inline vec curv_gelu(vec z, vec a, params p) {
    (void)a, (void)p;
    return (2 - z * z) * (NORMAL_PEAK * vexp((real)-0.5 * z * z));
}

/* z s(z), s the logistic function */
static inline value_slope value_slope_silu(vec z, params p) {
    (void)p;
    const vec e = vexp(-z), s = 1 / (1 + e);
    const vec rest = select_(z > 0, e * s, 1 - s); /* s(-z), without cancellation */
    return (value_slope){z * s, s * (1 + z * rest)};
}
static inline vec curv_silu(vec z, vec a, params p) {
    (void)a, (void)p;
    const logistic_pair l = vlogistic_pair(z);
    return l.s * l.r * (2 + z * (l.r - l.s));
}

/* z t, t = tanh(log(1 + e^z)) = n/(n + 2) with e = e^z, n = e (e + 2) (Misra 2019), and
 * dt/dz = 4 e (e + 1)/(n + 2)^2. Past z = 20, t is 1 to the last bit. */
typedef struct {
    vec e, t, slope;
} mish_parts;

static inline mish_parts mish_at(vec z) {
    const vec e = vexp(vmin(z, 20)), n = e * (e + 2), inverse = 1 / (n + 2);
    return (mish_parts){e, n * inverse, 4 * e * (e + 1) * inverse * inverse};
}
static inline value_slope value_slope_mish(vec z, params p) {
    (void)p;
    const mish_parts m = mish_at(z);
    return (value_slope){z * m.t, m.t + z * m.slope};
}
/* 2 dt/dz + z d2t/dz2 = dt/dz (2 + z (1 - s - 2 t s)), s = logistic(z) = e/(1 + e) */
static inline vec curv_mish(vec z, vec a, params p) {
    (void)a, (void)p;
    const mish_parts m = mish_at(z);
    return m.slope * (2 + z * (1 - 2 * m.t * m.e) / (1 + m.e));
}

/* Saturated at EXP_SAFE: a mean over rows stays finite whatever raw is, and the gradient still
 * points back. */
#if REAL_IS_FLOAT
#define EXP_SAFE 80.0f
#else
#define EXP_SAFE 700.0
#endif
static inline vec value_exp(vec z, params p) { (void)p; return vexp(vmin(z, EXP_SAFE)); }
static inline vec slope_exp(vec z, vec a, params p) { (void)z, (void)p; return a; }
static inline vec curv_exp(vec z, vec a, params p) { (void)z, (void)p; return a; }

#define FM_PARAMS(g) const real p[2] = {(real)(g)->param[0], (real)(g)->param[1]}

/* Value and slope of those, one by one; the compiler drops the arithmetic of the other. */
#define ROW_ACTIVATION(name, tape, range, n_params)
#define EACH_FROM_A(name)
#define EACH_FROM_Z(name)                                                                        \
    static inline vec value_##name(vec z, params p) { return value_slope_##name(z, p).value; }   \
    static inline vec slope_##name(vec z, vec a, params p) {                                     \
        (void)a;                                                                                 \
        return value_slope_##name(z, p).slope;                                                   \
    }
#define ACTIVATION(name, tape, range, n_params) EACH_##tape(name)
#include "activations.def"
#undef ACTIVATION
#undef EACH_FROM_A
#undef EACH_FROM_Z

/* Rows of entries: after each `cols` of them a gap, `whole` vectors in all, and then a part of one. */
typedef struct {
    ptrdiff_t whole, cols, gap, part;
} block;

/* Rows ld apart. The gap is passed over between rows of whole vectors, behind which the column of
 * ones has a vector of its own; elsewhere it is less, and belongs to the run. */
static inline block block_of(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld) {
    const ptrdiff_t run = (rows - 1) * ld + cols;
    if (cols % LANES == 0) return (block){rows * cols / LANES, cols, ld - cols, 0};
    return (block){run / LANES, run, 0, run % LANES};
}

#define FM_EACH_OF(b, ...)                                                                       \
    do {                                                                                         \
        ptrdiff_t i = 0, col = 0;                                                                \
        for (ptrdiff_t left = (b).whole; left > 0; left--) {                                     \
            const ptrdiff_t k = LANES;                                                           \
            __VA_ARGS__                                                                          \
            i += LANES, col += LANES;                                                            \
            if (col == (b).cols) col = 0, i += (b).gap;                                          \
        }                                                                                        \
        if ((b).part > 0) {                                                                      \
            const ptrdiff_t k = (b).part;                                                        \
            __VA_ARGS__                                                                          \
        }                                                                                        \
    } while (0)

/* A loop of its own for each activation, so that none pays for the constants of the others. */
#define VALUES_SLOPES_FROM_A(name)
#define VALUES_SLOPES_FROM_Z(name)                                                               \
    FM_APART void values_slopes_##name(real *a, real *z, block b, params p) {                    \
        FM_EACH_OF(b, {                                                                          \
            const value_slope g = value_slope_##name(load(z + i, k, 0), p);                      \
            store(a + i, g.value, k);                                                            \
            store(z + i, g.slope, k);                                                            \
        });                                                                                      \
    }
#define SLOPES_MUL_FROM_Z(name)
#define SLOPES_MUL_FROM_A(name)                                                                  \
    FM_APART void slopes_mul_##name(real *delta, const real *a, block b, params p) {             \
        FM_EACH_OF(b, {                                                                          \
            const vec x = load(a + i, k, 0);                                                     \
            store(delta + i, load(delta + i, k, 0) * slope_##name(x, x, p), k);                  \
        });                                                                                      \
    }
#define ACTIVATION(name, tape, range, n_params)                                                  \
    VALUES_SLOPES_##tape(name)                                                                   \
    SLOPES_MUL_##tape(name)                                                                      \
    FM_APART void values_##name(real *a, const real *z, block b, params p) {                     \
        FM_EACH_OF(b, store(a + i, value_##name(load(z + i, k, 0), p), k););                     \
    }                                                                                            \
    FM_APART void slopes_##name(real *out, const real *z, const real *a, ptrdiff_t n,            \
                                params p) {                                                      \
        FM_EACH(n, {                                                                             \
            store(out + i, slope_##name(load(z + i, k, 0), load(a + i, k, 0), p), k);            \
        });                                                                                      \
    }                                                                                            \
    FM_APART void curvs_##name(real *out, const real *z, const real *a, ptrdiff_t n, params p) { \
        FM_EACH(n, {                                                                             \
            store(out + i, curv_##name(load(z + i, k, 0), load(a + i, k, 0), p), k);             \
        });                                                                                      \
    }
#include "activations.def"
#undef ACTIVATION
#undef VALUES_SLOPES_FROM_A
#undef VALUES_SLOPES_FROM_Z
#undef SLOPES_MUL_FROM_A
#undef SLOPES_MUL_FROM_Z

/* delta *= slopes */
static void times(real *delta, const real *slopes, block b) {
    FM_EACH_OF(b, store(delta + i, load(delta + i, k, 0) * load(slopes + i, k, 0), k););
}

static void values(real *a, const real *z, block b, const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: values_##name(a, z, b, p); break;
#include "activations.def"
#undef ACTIVATION
    }
}

static void value(real *a, const real *z, ptrdiff_t n, const fm_activation_t *g) {
    values(a, z, block_of(1, n, n), g);
}

static void slope(real *out, const real *z, const real *a, ptrdiff_t n,
                        const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: slopes_##name(out, z, a, n, p); break;
#include "activations.def"
#undef ACTIVATION
    }
}

static void curv(real *out, const real *z, const real *a, ptrdiff_t n,
                       const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: curvs_##name(out, z, a, n, p); break;
#include "activations.def"
#undef ACTIVATION
    }
}

/* a = g(z), and z = g'(z) where the slope needs z */
static void values_and_slopes(real *a, real *z, block b, const fm_activation_t *g) {
    FM_PARAMS(g);
    switch (g->kind) {
#define BOTH_FROM_A(name) values_##name(a, z, b, p)
#define BOTH_FROM_Z(name) values_slopes_##name(a, z, b, p)
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: BOTH_##tape(name); break;
#include "activations.def"
#undef ACTIVATION
#undef BOTH_FROM_A
#undef BOTH_FROM_Z
    }
}

/* delta *= g', from a or from the slopes that values_and_slopes has left */
static void backward(real *delta, const real *slopes, const real *a, ptrdiff_t rows, ptrdiff_t cols,
                     ptrdiff_t ld, const fm_activation_t *g) {
    FM_PARAMS(g);
    const block b = block_of(rows, cols, ld);
    if (g->kind == FM_identity) return;
    switch (g->kind) {
#define MUL_FROM_A(name) slopes_mul_##name(delta, a, b, p)
#define MUL_FROM_Z(name) times(delta, slopes, b)
#define ACTIVATION(name, tape, range, n_params)                                                  \
    case FM_##name: MUL_##tape(name); break;
#include "activations.def"
#undef ACTIVATION
#undef ROW_ACTIVATION
#undef MUL_FROM_A
#undef MUL_FROM_Z
    }
}

static void activate(real *a, real *z, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld, int slopes,
                     const fm_activation_t *g) {
    const block b = block_of(rows, cols, ld);
    if (a == z && g->kind == FM_identity) return;
    if (slopes)
        values_and_slopes(a, z, b, g);
    else
        values(a, z, b, g);
}
