/* Likelihoods of a location m and a log scale s, the two raw outputs of a target: minus the logarithm
 * of the density, whole, its gradient, its Hessian, and its Fisher information, which is diagonal.
 * Raw output 0 of target j is column j, raw output 1 is column n_targets + j. Of each loss here
 * there are log_norm_NAME, what the value has besides, and raw_NAME.
 *
 * A density at its location grows without bound as its scale shrinks: s counts as LEAST_LOG_SCALE
 * where it is less, and has no derivative there, so that e^(-2 s) stays finite. */

#if REAL_IS_FLOAT
#define LEAST_LOG_SCALE (-40.0f)
#define SQUARE_ALONE 1e4f /* from here on 1 + x^2 is x^2 */
#else
#define LEAST_LOG_SCALE (-300.0)
#define SQUARE_ALONE 1e9
#endif

typedef struct {
    vec value, m, s, mm, ms, ss, fisher_m, fisher_s;
} pair;

/* ---- normal: z^2 / 2 + s + log(2 pi) / 2, z = (y - m) e^-s (Nix & Weigend 1994) ------------ */

static real log_norm_normal(params p) {
    (void)p;
    return (real)0.91893853320467274178;
}

static inline pair raw_normal(vec m, vec s, vec y, params p) {
    (void)p;
    const vec inverse = vexp(-s), z = (y - m) * inverse, square = z * z;
    return (pair){.value = (real)0.5 * square + s,
                  .m = -z * inverse,
                  .s = 1 - square,
                  .mm = inverse * inverse,
                  .ms = 2 * z * inverse,
                  .ss = 2 * square,
                  .fisher_m = inverse * inverse,
                  .fisher_s = splat(2)};
}

/* ---- Student's t: (df + 1) / 2 log(1 + x^2) + s + constant, x = (y - m) e^-s / sqrt(df); Fisher
 * information by Lange, Little & Taylor (1989) ------------------------------------------------ */

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
                  .fisher_m = n / (df + 3) * inverse * inverse,
                  .fisher_s = splat(2 * (df / (df + 3)))};
}

/* ---- over rows ----------------------------------------------------------------------------- */

enum { PAIRS = 128 };

/* A block of targets: their raw outputs, tangents of these, results. */
typedef struct {
    real m[PAIRS], s[PAIRS], w[PAIRS], rm[PAIRS], rs[PAIRS], out_m[PAIRS], out_s[PAIRS];
} pairs;

#define FM_PAIR_1_AT(name)
#define FM_PAIR_1_RAW(name)
#define FM_PAIR_1_BOTH(name)
#define FM_PAIR_2_RAW(name)                                                                      \
    case FM_LOSS_##name: {                                                                       \
        const real constant = log_norm_##name(p);                                                \
        FM_EACH(n, {                                                                             \
            const vec given = load(b->s + i, k, 0);                                              \
            const ivec free = given >= LEAST_LOG_SCALE;                                          \
            const pair t = raw_##name(load(b->m + i, k, 0), vmax(given, LEAST_LOG_SCALE),        \
                                      load(y + i, k, 0), p);                                     \
            const vec w = load(b->w + i, k, 0);                                                  \
            vec out_m = t.m, out_s = t.s;                                                        \
            if (with_grad) {                                                                     \
                value += sum_of(weighted(w, t.value + constant), k);                             \
            } else {                                                                             \
                const vec rm = load(b->rm + i, k, 0);                                            \
                const vec rs = select_(free, load(b->rs + i, k, 0), splat(0));                   \
                out_m = exact ? t.mm * rm + t.ms * rs : t.fisher_m * rm;                         \
                out_s = exact ? t.ms * rm + t.ss * rs : t.fisher_s * rs;                         \
            }                                                                                    \
            store(b->out_m + i, weighted(w, out_m), k);                                          \
            store(b->out_s + i, weighted(w, select_(free, out_s, splat(0))), k);                 \
        });                                                                                      \
        break;                                                                                   \
    }

static double pairs_block(pairs *b, const real *y, ptrdiff_t n, const fm_loss_t *loss,
                          int with_grad, int exact) {
    FM_PARAMS(loss);
    double value = 0;
    switch (loss->kind) {
#define LOSS(name, raws, targets, domain, curvature, canonical, forms, ...)                      \
    FM_PAIR_##raws##_##forms(name)
#include "losses.def"
#undef LOSS
    }
    return value;
}

/* The kernel `loss` if with_grad, else `loss_mul`; out may be rraw. */
static double likelihood(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                         ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss, int with_grad,
                         int exact) {
    const ptrdiff_t n_targets = n_raw / 2;
    pairs b;
    double value = 0;
    for (ptrdiff_t first = 0; first < rows * n_targets; first += PAIRS) {
        const ptrdiff_t left = rows * n_targets - first, n = left < PAIRS ? left : PAIRS;
        ptrdiff_t row = first / n_targets, target = first % n_targets;
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t at = row * n_raw + target;
            b.m[i] = raw[at], b.s[i] = raw[at + n_targets], b.w[i] = w ? w[row] : 1;
            if (!with_grad) b.rm[i] = rraw[at], b.rs[i] = rraw[at + n_targets];
            if (++target == n_targets) target = 0, row++;
        }
        value += pairs_block(&b, y + first, n, loss, with_grad, exact);
        row = first / n_targets, target = first % n_targets;
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t at = row * n_raw + target;
            out[at] = b.out_m[i], out[at + n_targets] = b.out_s[i];
            if (++target == n_targets) target = 0, row++;
        }
    }
    return value;
}
