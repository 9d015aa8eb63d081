/* Likelihoods of two raw outputs of a target, m and s, mostly a location and a log scale: minus the
 * logarithm of the density, whole, its gradient, its Hessian, and a root of its Fisher information:
 * lower triangular, by columns (root_m, root_ms) and (0, root_s). Of each loss here there are
 * log_norm_NAME, what the value has besides, raw_NAME, and MOST_NAME.
 *
 * A density at its location grows without bound as its scale shrinks: s counts as LEAST_LOG_SCALE
 * where it is less, and has no derivative there, so that e^(-2 s) stays finite; above MOST_NAME
 * likewise. */

#if REAL_IS_FLOAT
#define LEAST_LOG_SCALE (-40.0f)
#define SQUARE_ALONE 1e4f /* from here on 1 + x^2 is x^2 */
#define MOST_SCALES 1e18f /* a residual counts as so many scales at most: squares stay finite */
#else
#define LEAST_LOG_SCALE (-300.0)
#define SQUARE_ALONE 1e9
#define MOST_SCALES 1e150
#endif

typedef struct {
    vec value, m, s, mm, ms, ss, root_m, root_ms, root_s;
} pair;

/* ---- normal: z^2 / 2 + s + log(2 pi) / 2, z = (y - m) e^-s (Nix & Weigend 1994) ------------ */

#define MOST_normal INFINITY

static real log_norm_normal(params p) {
    (void)p;
    return (real)0.91893853320467274178;
}

static inline pair raw_normal(vec m, vec s, vec y, params p) {
    (void)p;
    const vec inverse = vexp(-s);
    const vec z = vmax(vmin((y - m) * inverse, MOST_SCALES), -MOST_SCALES), square = z * z;
    return (pair){.value = (real)0.5 * square + s,
                  .m = -z * inverse,
                  .s = 1 - square,
                  .mm = inverse * inverse,
                  .ms = 2 * z * inverse,
                  .ss = 2 * square,
                  .root_m = inverse,
                  .root_s = splat((real)1.4142135623730950488)};
}

/* ---- Student's t: (df + 1) / 2 log(1 + x^2) + s + constant, x = (y - m) e^-s / sqrt(df); Fisher
 * information by Lange, Little & Taylor (1989) ------------------------------------------------ */

#define MOST_student_t INFINITY

/* log(gamma(h) / gamma(h + 1/2) sqrt(2 h pi)), h = df / 2: the quotient is raised to where Stirling's
 * series holds, gamma(h) / gamma(h + 1/2) = (h + 1/2) / h gamma(h + 1) / gamma(h + 3/2). */
static real log_norm_student_t(params p) {
    real h = p[0] / 2, raised = 1;
    const real from = h;
    for (; h < 16; h++) raised *= (h + (real)0.5) / h;
    const real u = 1 / (h * h);
    const real series = (real)(1.0 / 8) - u * ((real)(1.0 / 192) - u * (real)(1.0 / 640));
    const real tail = u * u * u * ((real)(17.0 / 14336) - u * (real)(31.0 / 18432));
    const vec logs = vlog(splat((real)6.2831853071795864769 * (from / h))) / 2 + vlog(splat(raised));
    return logs[0] + (series - tail) / h;
}

static inline pair raw_student_t(vec m, vec s, vec y, params p) {
    const real df = p[0], n = df + 1;
    const vec inverse = vexp(-s), scale = inverse / vsqrt(splat(df));
    const vec x = (y - m) * scale, square = x * x, size = vabs(x);
    /* 1 / (1 + x^2), x^2 / (1 + x^2) and x / (1 + x^2), also where x^2 overflows */
    const vec rest = 1 / (1 + square), share = 1 / (1 + 1 / square), d = 1 / (x + 1 / x);
    const ivec alone = size > SQUARE_ALONE;
    const vec log_half = vlog1p(select_(alone, size - 1, square));
    return (pair){.value = n * select_(alone, log_half, (real)0.5 * log_half) + s,
                  .m = -n * (d * scale),
                  .s = 1 - n * share,
                  .mm = n * (1 - 2 * share) * (rest * scale) * scale,
                  .ms = 2 * n * (d * scale) * rest,
                  .ss = 2 * n * d * d,
                  .root_m = vsqrt(splat(n / (df + 3))) * inverse,
                  .root_s = vsqrt(splat(2 * (df / (df + 3))))};
}

/* ---- Laplace: |z| + s + log 2, z = (y - m) e^-s; at z = 0 the slope in m is 0 ------------------ */

#define MOST_laplace INFINITY

static real log_norm_laplace(params p) {
    (void)p;
    return (real)0.69314718055994530942;
}

static inline pair raw_laplace(vec m, vec s, vec y, params p) {
    (void)p;
    const vec inverse = vexp(-s), r = y - m;
    const vec size = vmin(vabs(r) * inverse, MOST_SCALES);
    const vec slope = select_(r == 0, r, vcopysign(inverse, r));
    return (pair){.value = size + s,
                  .m = -slope,
                  .s = 1 - size,
                  .ms = slope,
                  .ss = size,
                  .root_m = inverse,
                  .root_s = splat(1)};
}

/* ---- log-normal: that log y is normal, m its mean, s the logarithm of its deviation ----------- */

#define MOST_lognormal INFINITY

static real log_norm_lognormal(params p) { return log_norm_normal(p); }

static inline pair raw_lognormal(vec m, vec s, vec y, params p) {
    const vec log_y = vlog(vmax(y, SMALLEST_NORMAL));
    pair t = raw_normal(m, s, log_y, p);
    t.value += log_y;
    return t;
}

/* ---- normal in natural parameters: eta = m and P = softplus(s), the precision, mean eta / P:
 * (P y - eta)^2 / (2 P) - log(P) / 2 + log(2 pi) / 2. Minus the log-density is convex in (eta, P).
 * The sufficient statistics y and -y^2 / 2 have the covariance
 *   [1 / P, -mean / P; ., mean^2 / P + 1 / (2 P^2)],
 * the Fisher information in eta and P, whose root is [1, 0; -mean, (2 P)^(-1/2)] / sqrt(P) ------ */

#define MOST_normal_natural INFINITY

static real log_norm_normal_natural(params p) { return log_norm_normal(p); }

static inline pair raw_normal_natural(vec m, vec s, vec y, params p) {
    (void)p;
    const logistic_pair l = vlogistic_pair(s);
    const vec P = vmax(s, 0) + vlog1p_unit(l.e), inverse = 1 / P, slope = l.s * inverse;
    const vec mean = m * inverse, off = P * y - m, gap = off * inverse;
    const vec by_s = (real)0.5 * slope * (off * (y + mean) - 1);
    const vec root = 1 / vsqrt(P);
    return (pair){.value = (real)0.5 * (off * gap - vlog(P)),
                  .m = -gap,
                  .s = by_s,
                  .mm = inverse,
                  .ms = -mean * slope,
                  .ss = slope * slope * (m * mean + (real)0.5) + by_s * l.r,
                  .root_m = root,
                  .root_ms = -mean * slope * vsqrt(P),
                  .root_s = slope * (real)0.70710678118654752440};
}

#include "shapes_body.h"

/* ---- over rows ----------------------------------------------------------------------------- */

enum { PAIRS = 128 };

/* What is asked of a block: value and gradient, Q r by FM_GGN or FM_HESS, or the root of Q. */
enum { PAIR_GRAD, PAIR_GGN, PAIR_HESS, PAIR_ROOT };

/* A block of targets: their raw outputs, tangents of these, results; of a root: root_m in out_m,
 * root_ms in out_s, root_s in rs. */
typedef struct {
    real m[PAIRS], s[PAIRS], w[PAIRS], rm[PAIRS], rs[PAIRS], out_m[PAIRS], out_s[PAIRS];
} pairs;

#define FM_PAIR_CASE(name)                                                                       \
    case FM_LOSS_##name: {                                                                       \
        const real constant = log_norm_##name(p), most = (real)MOST_##name;                      \
        FM_EACH(n, {                                                                             \
            const vec given = load(b->s + i, k, 0);                                              \
            const ivec free = (given >= LEAST_LOG_SCALE) & (given <= most);                      \
            const vec s = vmin(vmax(given, LEAST_LOG_SCALE), most);                              \
            pair t = raw_##name(load(b->m + i, k, 0), s, load(y + i, k, 1), p);                  \
            vec w = load(b->w + i, k, 0);                                                        \
            vec out_m = t.m, out_s = t.s;                                                        \
            if (what == PAIR_GRAD) {                                                             \
                value += sum_of(weighted(w, t.value + constant), k);                             \
            } else if (what == PAIR_ROOT) {                                                      \
                w = vsqrt(w), out_m = t.root_m, out_s = t.root_ms;                               \
                store(b->rs + i, weighted(w, select_(free, t.root_s, splat(0))), k);             \
            } else {                                                                             \
                const vec rm = load(b->rm + i, k, 0);                                            \
                const vec rs = select_(free, load(b->rs + i, k, 0), splat(0));                   \
                const vec across = t.root_m * rm + t.root_ms * rs;                               \
                const int exact = what == PAIR_HESS;                                             \
                out_m = exact ? t.mm * rm + t.ms * rs : t.root_m * across;                       \
                out_s = exact ? t.ms * rm + t.ss * rs                                            \
                              : t.root_ms * across + t.root_s * (t.root_s * rs);                 \
            }                                                                                    \
            store(b->out_m + i, weighted(w, out_m), k);                                          \
            store(b->out_s + i, weighted(w, select_(free, out_s, splat(0))), k);                 \
        });                                                                                      \
        break;                                                                                   \
    }

static double pairs_block(pairs *b, const real *y, ptrdiff_t n, const fm_loss_t *loss, int what) {
    FM_PARAMS(loss);
    double value = 0;
    switch (loss->kind) {
#define OF_TWO(name) FM_PAIR_CASE(name)
#include "families.h"
    }
    return value;
}

/* Block `first .. first + n` of the targets of raw. */
static void load_pairs(pairs *b, const real *raw, const real *w, ptrdiff_t first, ptrdiff_t n,
                       ptrdiff_t n_targets) {
    FM_PLACES(first, n, n_targets, {
        const ptrdiff_t at = 2 * row * n_targets + col;
        b->m[i] = raw[at], b->s[i] = raw[at + n_targets], b->w[i] = w ? w[row] : 1;
    });
}

/* The kernel `loss` by PAIR_GRAD, else `loss_mul`; out may be rraw. */
static double likelihood(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                         ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss, int what) {
    const ptrdiff_t n_targets = n_raw / 2;
    pairs b;
    double value = 0;
    FM_BLOCKS(first, n, rows * n_targets, PAIRS, {
        load_pairs(&b, raw, w, first, n, n_targets);
        if (what != PAIR_GRAD)
            FM_PLACES(first, n, n_targets, {
                const ptrdiff_t at = row * n_raw + col;
                b.rm[i] = rraw[at], b.rs[i] = rraw[at + n_targets];
            });
        value += pairs_block(&b, y + first, n, loss, what);
        FM_PLACES(first, n, n_targets, {
            const ptrdiff_t at = row * n_raw + col;
            out[at] = b.out_m[i], out[at + n_targets] = b.out_s[i];
        });
    });
    return value;
}

/* Rows of large scale are held back less (beta-NLL: Seitzer, Tavakoli, Antic & Martius 2022). */
static void discount(real *delta, const real *raw, ptrdiff_t rows, ptrdiff_t n_targets,
                     ptrdiff_t ld, double beta) {
    real factor[PAIRS];
    FM_BLOCKS(first, n, rows * n_targets, PAIRS, {
        FM_PLACES(first, n, n_targets, factor[i] = raw[row * ld + n_targets + col];);
        FM_EACH(n, {
            const vec s = vmax(load(factor + i, k, 0), LEAST_LOG_SCALE);
            store(factor + i, vexp(vmin((real)(2 * beta) * s, EXP_SAFE)), k);
        });
        FM_PLACES(first, n, n_targets, {
            real *const at = delta + row * ld + col;
            at[0] *= factor[i], at[n_targets] *= factor[i];
        });
    });
}
