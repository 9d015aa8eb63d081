/* Losses in raw space: value, gradient, second derivative per row. losses.def says of each which
 * functions it has here, raw_NAME or at_NAME.
 *
 * Three families of one raw output per target, and those of likelihoods_body.h and many_body.h:
 *   canonical pairs (logistic + log_loss, exp + poisson, exp + gamma) evaluated from raw, stably;
 *   any other element-wise output activation a = g(raw): the loss as a function of a, and the
 *     chain rule  dl/draw = l' g',  d2l/draw2 = l'' g'^2 + l' g''  (exact),  l'' g'^2 (GGN);
 *   softmax over each row. */

/* What one entry of the loss gives; a caller's unused members cost nothing once inlined. */
typedef struct {
    vec value, grad, hess, curv;
} point;

static inline vec y_log_y(vec y) { return select_(y > 0, y * vlog(vmax(y, 0)), splat(0)); }

/* ---- canonical, from raw ---------------------------------------------------------------- */

/* max(raw, 0) - y raw + log1p(e^-|raw|) */
static inline point raw_log_loss(vec raw, vec y, params p) {
    (void)p;
    const logistic_pair l = vlogistic_pair(raw);
    const vec hess = l.s * l.r;
    return (point){vmax(raw, 0) - y * raw + vlog1p_unit(l.e), l.s - y, hess, hess};
}

/* y log(y / mu) - y + mu, mu = e^raw */
static inline point raw_poisson(vec raw, vec y, params p) {
    const vec mu = value_exp(raw, p);
    return (point){y_log_y(y) - y * raw - y + mu, mu - y, mu, mu};
}

/* y / mu - log(y / mu) - 1, mu = e^raw */
static inline point raw_gamma(vec raw, vec y, params p) {
    const vec ratio = y * value_exp(-raw, p);
    return (point){ratio - vlog(y) + raw - 1, 1 - ratio, ratio, ratio};
}

/* ---- as functions of the prediction a ---------------------------------------------------- */

static inline point at_squared_error(vec a, vec y, params p) {
    (void)p;
    const vec r = a - y;
    return (point){(real)0.5 * r * r, r, splat(1), splat(1)};
}

static inline point at_poisson(vec a, vec y, params p) {
    (void)p;
    const vec mu = vmax(a, SMALLEST_NORMAL), ratio = y / mu;
    return (point){y_log_y(y) - y * vlog(mu) - y + mu, 1 - ratio, ratio / mu, ratio / mu};
}

/* l'' = (2 y - mu) / mu^3 changes sign; curv is its expectation, the Fisher information. */
static inline point at_gamma(vec a, vec y, params p) {
    (void)p;
    const vec mu = vmax(a, SMALLEST_NORMAL), ratio = y / mu, inverse = 1 / mu;
    return (point){ratio - vlog(y) + vlog(mu) - 1, (1 - ratio) * inverse,
                   (2 * ratio - 1) * inverse * inverse, inverse * inverse};
}

static inline point at_absolute_error(vec a, vec y, params p) {
    (void)p;
    const vec r = a - y;
    const vec sign = select_(r == 0, r, vcopysign(splat(1), r));
    return (point){vabs(r), sign, splat(0), splat(0)};
}

/* r^2 / 2 for |r| <= epsilon, epsilon (|r| - epsilon / 2) beyond (Huber 1964) */
static inline point at_huber(vec a, vec y, params p) {
    const vec r = a - y, size = vabs(r);
    const ivec inside = size <= p[0];
    const vec hess = select_(inside, splat(1), splat(0));
    return (point){select_(inside, (real)0.5 * r * r, p[0] * (size - (real)0.5 * p[0])),
                   select_(inside, r, vcopysign(splat(p[0]), r)), hess, hess};
}

/* pinball: q (y - a) for a < y, (1 - q) (a - y) for a > y (Koenker & Bassett 1978) */
static inline point at_quantile(vec a, vec y, params p) {
    const vec r = a - y;
    const vec side = select_(r > 0, splat(1 - p[0]), splat(-p[0]));
    return (point){side * r, select_(r == 0, r, side), splat(0), splat(0)};
}

/* max(0, -y a); at a = 0 the gradient is -y, so that zero weights start to learn (Rosenblatt). */
static inline point at_perceptron(vec a, vec y, params p) {
    (void)p;
    const vec margin = y * a;
    return (point){vmax(-margin, 0), select_(margin > 0, splat(0), -y), splat(0), splat(0)};
}

/* ---- element-wise losses over blocks of entries ------------------------------------------ */

enum { ENTRIES = 512 };

/* body for block first .. first + n of `all`, each of `most` but the last. */
#define FM_BLOCKS(first, n, all, most, ...)                                                      \
    for (ptrdiff_t first = 0; first < (all); first += (most)) {                                  \
        const ptrdiff_t n = (all)-first < (most) ? (all)-first : (most);                         \
        __VA_ARGS__                                                                              \
    }

/* body for each entry i of first .. first + n in rows of `cols`: where it lies, `row` and `col`. */
#define FM_PLACES(first, n, cols, ...)                                                           \
    for (ptrdiff_t i = 0, row = (first) / (cols), col = (first) % (cols); i < (n); i++) {        \
        __VA_ARGS__                                                                              \
        if (++col == (cols)) col = 0, row++;                                                     \
    }

/* x where w counts; a row of weight 0 is no row at all, also where its loss is infinite. */
static inline vec weighted(vec w, vec x) { return select_(w != 0, w * x, splat(0)); }

/* One block: inputs by entry, slope and curvature of the output activation where they matter. */
typedef struct {
    const real *raw, *a, *slope, *curv, *y, *w;
    ptrdiff_t n;
} entries;

typedef double sums __attribute__((vector_size(LANES * sizeof(double))));

/* out = w l' g' and the sum of w l if with_grad, else out = w l'' rraw. */
#define FM_LOSS_CASE(name, f, from)                                                              \
    case FM_LOSS_##name:                                                                         \
        FM_EACH(e->n, {                                                                          \
            const point t = f(load(from + i, k, 1), load(e->y + i, k, 1), p);                    \
            const vec w = load(e->w + i, k, 0);                                                  \
            const vec g1 = chained ? load(e->slope + i, k, 0) : splat(1);                        \
            if (with_grad) {                                                                     \
                total += __builtin_convertvector(weighted(w, t.value), sums);                    \
                store(out + i, weighted(w, chained ? t.grad * g1 : t.grad), k);                  \
            } else {                                                                             \
                vec second = exact ? t.hess : t.curv;                                            \
                if (chained) second = second * g1 * g1;                                          \
                if (chained && exact) second += t.grad * load(e->curv + i, k, 0);                \
                store(out + i, weighted(w, load(rraw + i, k, 0) * second), k);                   \
            }                                                                                    \
        });                                                                                      \
        break;

/* One loop for each loss and set of constants; from: where the predictions are. */
static inline __attribute__((always_inline)) double
evaluate(real *out, const real *rraw, const entries *e, const real *from, const fm_loss_t *loss,
         const int canonical, const int chained, const int with_grad, int exact) {
    FM_PARAMS(loss);
    sums total = {0};
    if (canonical) switch (loss->kind) {
#define OF_RAW(name) FM_LOSS_CASE(name, raw_##name, e->raw)
#include "families.h"
        }
    else
        switch (loss->kind) {
#define OF_A(name) FM_LOSS_CASE(name, at_##name, from)
#include "families.h"
        }
    double value = 0;
    for (int i = 0; i < LANES; i++) value += total[i];
    return value;
}

enum { FM_FORM_AT, FM_FORM_RAW, FM_FORM_BOTH };
enum { FM_RAWS_1, FM_RAWS_2, FM_RAWS_1_EACH, FM_RAWS_3_EACH };
static const struct {
    int raws, canonical, form;
} heads[] = {
#define LOSS(name, raws, targets, domain, curvature, canonical, forms, ...)                      \
    {FM_RAWS_##raws, FM_##canonical, FM_FORM_##forms},
#include "losses.def"
#undef LOSS
};
static int has_two(const fm_loss_t *loss) { return heads[loss->kind].raws == FM_RAWS_2; }
static int has_many(const fm_loss_t *loss) { return heads[loss->kind].raws > FM_RAWS_2; }

/* Whether a loss is evaluated from raw; under softmax, whether it is the cross-entropy. */
static int is_canonical(const fm_loss_t *loss) {
    const int form = heads[loss->kind].form;
    return form == FM_FORM_RAW ||
           (form == FM_FORM_BOTH && loss->output.kind == heads[loss->kind].canonical);
}

static inline __attribute__((always_inline)) double
evaluate_from(real *out, const real *rraw, const entries *e, const fm_loss_t *loss,
              const int with_grad, int exact) {
    if (is_canonical(loss)) return evaluate(out, rraw, e, e->raw, loss, 1, 0, with_grad, exact);
    if (!e->slope) return evaluate(out, rraw, e, e->raw, loss, 0, 0, with_grad, exact);
    return evaluate(out, rraw, e, e->a, loss, 0, 1, with_grad, exact);
}

/* The gradient and the sum of values, or with rraw the product; out may be rraw. */
static double entries_block(real *out, const real *rraw, const entries *e, const fm_loss_t *loss,
                    int curvature) {
    if (!rraw) return evaluate_from(out, NULL, e, loss, 1, 0);
    return evaluate_from(out, rraw, e, loss, 0, curvature == FM_HESS);
}

/* ---- softmax ------------------------------------------------------------------------------ */

/* l, l' and l'' of entry (a, y) of an element-wise loss under a softmax output. */
static inline point under_softmax(real a, real y, const fm_loss_t *loss) {
    FM_PARAMS(loss);
    switch (loss->kind) {
#define OF_A(name)                                                                               \
    case FM_LOSS_##name: return at_##name(splat(a), splat(y), p);
#include "families.h"
    }
    return (point){splat(0), splat(0), splat(0), splat(0)};
}

/* Cross-entropy of at most SOFTMAX_ROWS rows: value sum_k y_k (log sum exp(raw) - raw_k), gradient
 * w (p - y); p is in delta. */
static double cross_entropy(real *delta, const real *raw, const real *y, const real *w,
                            const real *log_sum, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t ld) {
    vec value = splat(0);
    for (ptrdiff_t r = 0; r < rows; r++, delta += ld, raw += ld, y += n) {
        const vec weight = splat(w ? w[r] : 1);
        for (ptrdiff_t c = 0; c < n; c += LANES) {
            const vec t = load(y + c, n - c, 0);
            const vec wrong = log_sum[r] - load(raw + c, ld - c, 0);
            value += weighted(weight, select_(t != 0, t * wrong, splat(0)));
            store(delta + c, weighted(weight, load(delta + c, ld - c, 0) - t), ld - c);
        }
    }
    return sum_of(value, LANES);
}

/* Any other loss under softmax: gradient w p o (l' - <p, l'>); p is in delta. */
static double softmax_loss_row(real *delta, const real *y, real w, ptrdiff_t n,
                               const fm_loss_t *loss) {
    if (w == 0) {
        memset(delta, 0, (size_t)n * sizeof(real));
        return 0;
    }
    double value = 0;
    real inner = 0; /* <p, l'> */
    for (ptrdiff_t c = 0; c < n; c++) {
        const point t = under_softmax(delta[c], y[c], loss);
        value += (double)t.value[0];
        inner += delta[c] * t.grad[0];
    }
    for (ptrdiff_t c = 0; c < n; c++)
        delta[c] *= w * (under_softmax(delta[c], y[c], loss).grad[0] - inner);
    return (double)w * value;
}

static double softmax_loss(real *delta, const real *raw, const real *y, const real *w,
                           ptrdiff_t rows, ptrdiff_t n, ptrdiff_t ld, const fm_loss_t *loss) {
    real log_sum[SOFTMAX_ROWS];
    double value = 0;
    FM_BLOCKS(first, m, rows, SOFTMAX_ROWS, {
        softmax(delta, log_sum, raw, m, n, ld);
        if (is_canonical(loss))
            value += cross_entropy(delta, raw, y, w ? w + first : NULL, log_sum, m, n, ld);
        else
            for (ptrdiff_t r = 0; r < m; r++)
                value += softmax_loss_row(delta + r * ld, y + r * n, w ? w[first + r] : 1, n, loss);
        delta += m * ld, raw += m * ld, y += m * n;
    });
    return value;
}

/* Where a row is largest. */
static ptrdiff_t highest_entry(const real *row, ptrdiff_t n) {
    ptrdiff_t top = 0;
    for (ptrdiff_t c = 1; c < n; c++)
        if (row[c] > row[top]) top = c;
    return top;
}

/* Q r with J = diag(p) - p p':  cross-entropy: J r.  Any other loss: J diag(l'') J r and, exact,
 * rp o (l' - <p, l'>) - p <rp, l'>  with rp = J r.
 *
 * J 1 = 0: r is counted from its value at the highest p, so that rounding stays relative to what
 * the other p leave of J where that p is nearly 1. */
static void softmax_mul_row(real *rdelta, const real *rraw, const real *raw, const real *y, real w,
                            ptrdiff_t n, const fm_loss_t *loss, int curvature) {
    if (w == 0) {
        memset(rdelta, 0, (size_t)n * sizeof(real));
        return;
    }
    real *const a = rdelta; /* p until the last pass */
    real log_sum;
    softmax(a, &log_sum, raw, 1, n, n);
    const real shift = rraw[highest_entry(a, n)];
    real p_r = 0;
    for (ptrdiff_t c = 0; c < n; c++) p_r += a[c] * (rraw[c] - shift);
    if (is_canonical(loss)) {
        for (ptrdiff_t c = 0; c < n; c++) rdelta[c] = w * a[c] * (rraw[c] - shift - p_r);
        return;
    }
    const int exact = curvature == FM_HESS;
    real p_t = 0, p_g = 0, rp_g = 0;
    for (ptrdiff_t c = 0; c < n; c++) {
        const point t = under_softmax(a[c], y[c], loss);
        const real rp = a[c] * (rraw[c] - shift - p_r);
        p_t += a[c] * (exact ? t.hess[0] : t.curv[0]) * rp;
        p_g += a[c] * t.grad[0];
        rp_g += rp * t.grad[0];
    }
    for (ptrdiff_t c = 0; c < n; c++) {
        const point t = under_softmax(a[c], y[c], loss);
        const real rp = a[c] * (rraw[c] - shift - p_r);
        real q = a[c] * ((exact ? t.hess[0] : t.curv[0]) * rp - p_t);
        if (exact) q += rp * (t.grad[0] - p_g) - a[c] * rp_g;
        rdelta[c] = w * q;
    }
}

#include "likelihoods_body.h"

/* many_body.h: the gradient and the sum of values, or with rraw the product */
static double many(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                   ptrdiff_t rows, ptrdiff_t n_raw, ptrdiff_t ld, const fm_loss_t *loss,
                   int exact);

/* ---- the kernels --------------------------------------------------------------------------- */

static void output(real *a, const real *raw, ptrdiff_t rows, ptrdiff_t n_raw,
                   const fm_activation_t *g) {
    if (g->kind != FM_softmax) {
        value(a, raw, rows * n_raw, g);
        return;
    }
    real log_sum[SOFTMAX_ROWS];
    FM_BLOCKS(r, n, rows, SOFTMAX_ROWS, softmax(a + r * n_raw, log_sum, raw + r * n_raw, n, n_raw,
                                                n_raw););
}

/* Lays out block `first .. first + n` of an element-wise loss: weights by entry, and where the
 * output activation asks for them a, g', g''. */
typedef struct {
    real w[ENTRIES], a[ENTRIES], slope[ENTRIES], curv[ENTRIES];
} buffers;

static entries lay_out(buffers *b, const real *raw, const real *y, const real *w, ptrdiff_t first,
                       ptrdiff_t n, ptrdiff_t n_raw, const fm_loss_t *loss) {
    entries e = {.raw = raw + first, .y = y + first, .w = b->w, .n = n};
    if (w && n_raw == 1)
        e.w = w + first;
    else
        for (ptrdiff_t i = 0; i < n; i++) b->w[i] = w ? w[(first + i) / n_raw] : 1;
    if (loss->output.kind != FM_identity && !is_canonical(loss)) {
        value(b->a, e.raw, n, &loss->output);
        slope(b->slope, e.raw, b->a, n, &loss->output);
        curv(b->curv, e.raw, b->a, n, &loss->output);
        e.a = b->a, e.slope = b->slope, e.curv = b->curv;
    }
    return e;
}

/* Rows without gaps of element-wise losses and of two raw outputs per target: as `many`. */
static double close_rows(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                         ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss, int curvature) {
    if (has_two(loss)) {
        const int second = curvature == FM_HESS ? PAIR_HESS : PAIR_GGN;
        return likelihood(out, rraw, raw, y, w, rows, n_raw, loss, rraw ? second : PAIR_GRAD);
    }
    buffers b;
    double value = 0;
    FM_BLOCKS(first, n, rows * n_raw, ENTRIES, {
        const entries e = lay_out(&b, raw, y, w, first, n, n_raw, loss);
        value += entries_block(out + first, rraw ? rraw + first : NULL, &e, loss, curvature);
    });
    return value;
}

static void clear_between(real *out, ptrdiff_t rows, ptrdiff_t n_raw, ptrdiff_t ld) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = n_raw; c < ld; c++) out[r * ld + c] = 0;
}

/* By whole vectors: what a row has too much, the next one overwrites. */
static void close_up(real *close, const real *apart, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < ld; c += LANES)
            store(close + r * cols + c, load(apart + r * ld + c, LANES, 0), cols - c);
}

static void open_out(real *apart, const real *close, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < ld; c += LANES) {
            const vec x = load(close + r * cols + c, LANES, 0);
            store(apart + r * ld + c, select_(before(cols - c), x, splat(0)), LANES);
        }
}

/* The same with rows ld apart: narrow ones meet in buffers. */
static double narrow_rows(real *out, const real *rraw, const real *raw, const real *y,
                          const real *w, ptrdiff_t rows, ptrdiff_t n_raw, ptrdiff_t ld,
                          const fm_loss_t *loss, int curvature) {
    if (n_raw == ld) return close_rows(out, rraw, raw, y, w, rows, n_raw, loss, curvature);
    real entry[ENTRIES + LANES], along[ENTRIES + LANES], result[ENTRIES + LANES];
    const ptrdiff_t most = n_raw < ENTRIES ? ENTRIES / n_raw : 1, n_targets = n_raw / loss->raws;
    double value = 0;
    for (ptrdiff_t r = 0; r < rows; r += most) {
        const ptrdiff_t n = rows - r < most ? rows - r : most, at = r * ld;
        const real *const y_r = y + r * n_targets, *const w_r = w ? w + r : NULL;
        const real *const rraw_r = rraw ? rraw + at : NULL;
        if (n_raw >= ENTRIES) {
            value += close_rows(out + at, rraw_r, raw + at, y_r, w_r, 1, n_raw, loss, curvature);
            clear_between(out + at, 1, n_raw, ld);
            continue;
        }
        close_up(entry, raw + at, n, n_raw, ld);
        if (rraw) close_up(along, rraw_r, n, n_raw, ld);
        value += close_rows(result, rraw ? along : NULL, entry, y_r, w_r, n, n_raw, loss, curvature);
        open_out(out + at, result, n, n_raw, ld);
    }
    return value;
}

static double loss(real *delta, const real *raw, const real *y, const real *w, ptrdiff_t rows,
                   ptrdiff_t n_raw, ptrdiff_t ld, const fm_loss_t *loss) {
    if (loss->output.kind == FM_softmax)
        return softmax_loss(delta, raw, y, w, rows, n_raw, ld, loss);
    if (!has_many(loss))
        return narrow_rows(delta, NULL, raw, y, w, rows, n_raw, ld, loss, FM_GGN);
    const double value = many(delta, NULL, raw, y, w, rows, n_raw, ld, loss, 0);
    clear_between(delta, rows, n_raw, ld);
    return value;
}

static void loss_mul(real *rdelta, const real *rraw, const real *raw, const real *y, const real *w,
                     ptrdiff_t rows, ptrdiff_t n_raw, ptrdiff_t ld, const fm_loss_t *loss,
                     int curvature) {
    if (loss->output.kind != FM_softmax && !has_many(loss)) {
        narrow_rows(rdelta, rraw, raw, y, w, rows, n_raw, ld, loss, curvature);
        return;
    }
    if (has_many(loss))
        many(rdelta, rraw, raw, y, w, rows, n_raw, ld, loss, curvature == FM_HESS);
    else
        for (ptrdiff_t r = 0; r < rows; r++)
            softmax_mul_row(rdelta + r * ld, rraw + r * ld, raw + r * ld, y + r * n_raw,
                            w ? w[r] : 1, n_raw, loss, curvature);
    clear_between(rdelta, rows, n_raw, ld);
}
