/* The mathematics that the kernels are checked against, in long double, from the definitions. */
#include "check.h"

enum { MOST = 80 }; /* raw outputs of a row */

wide_activation activation_at(int kind, wide z) {
    const wide e = expl(z), s = 1 / (1 + expl(-z)), r = 1 / (1 + e), t = tanhl(z), size = fabsl(z);
    const wide scale = 1.0507009873554805L, alpha = scale * 1.6732632423543772L;
    const wide pdf = expl(-z * z / 2) / sqrtl(2 * acosl(-1)), cdf = erfcl(-z / sqrtl(2)) / 2;
    const wide u = tanhl(log1pl(e)), du = (1 - u * u) * s, d2u = du * (1 - s - 2 * u * s);
    switch (kind) {
    case FM_identity: return (wide_activation){z, 1, 0, 1, 0};
    case FM_logistic: return (wide_activation){s, s * r, s * r * (r - s), s, s};
    case FM_tanh: return (wide_activation){t, 1 - t * t, -2 * t * (1 - t * t), 1, 2};
    case FM_relu: return (wide_activation){z > 0 ? z : 0, z > 0, 0, 1, 0};
    case FM_softplus: return (wide_activation){log1pl(e), s, s * r, s, s * r};
    case FM_leaky_relu: return (wide_activation){z > 0 ? z : 0.1L * z, z > 0 ? 1 : 0.1L, 0, 1, 0};
    case FM_elu:
        if (z > 0) return (wide_activation){z, 1, 0, 1, 0};
        return (wide_activation){0.1L * expm1l(z), 0.1L * e, 0.1L * e, e, e};
    case FM_selu:
        if (z > 0) return (wide_activation){scale * z, scale, 0, scale, 0};
        return (wide_activation){alpha * expm1l(z), alpha * e, alpha * e, alpha * e, alpha * e};
    case FM_gelu:
        return (wide_activation){z * cdf, cdf + z * pdf, (2 - z * z) * pdf, cdf + size * pdf,
                                 (2 + z * z) * pdf};
    case FM_silu:
        return (wide_activation){z * s, s * (1 + z * r), s * r * (2 + z * (r - s)),
                                 s * (1 + size * r), s * r * (2 + size)};
    case FM_mish:
        return (wide_activation){z * u, u + z * du, 2 * du + z * d2u, u + size * du,
                                 du * (2 + 3 * size)};
    case FM_exp: return (wide_activation){e, e, e, e, e};
    }
    return (wide_activation){NAN, NAN, NAN, NAN, NAN};
}

void output_at(wide *a, const wide *raw, int n, int output) {
    wide total = 0;
    for (int k = 0; k < n; k++) total += expl(raw[k]);
    for (int k = 0; k < n; k++)
        a[k] = output == FM_softmax ? expl(raw[k]) / total : activation_at(output, raw[k]).value;
}

/* The loss of one prediction, and its first and (for Gauss-Newton) second derivative. */
typedef struct {
    wide value, slope, curv;
} entry;

static entry entry_at(const fm_loss_t *loss, wide a, wide y) {
    const wide r = a - y, sign = r > 0 ? 1 : -1, size = fabsl(r);
    switch (loss->kind) {
    case FM_LOSS_squared_error: return (entry){r * r / 2, r, 1};
    case FM_LOSS_log_loss:
        if (loss->output.kind == FM_softmax) return (entry){-y * logl(a), -y / a, NAN};
        return (entry){-y * logl(a) - (1 - y) * log1pl(-a), r / (a * (1 - a)), NAN};
    case FM_LOSS_poisson: return (entry){y * logl(y / a) - y + a, 1 - y / a, y / a / a};
    case FM_LOSS_gamma: return (entry){y / a - logl(y / a) - 1, (1 - y / a) / a, 1 / a / a};
    case FM_LOSS_absolute_error: return (entry){size, sign, 0};
    case FM_LOSS_huber:
        if (size <= 0.3L) return (entry){r * r / 2, r, 1};
        return (entry){0.3L * (size - 0.15L), 0.3L * sign, 0};
    case FM_LOSS_quantile: return (entry){r > 0 ? 0.7L * r : -0.3L * r, r > 0 ? 0.7L : -0.3L, 0};
    case FM_LOSS_perceptron: return (entry){y * a < 0 ? -y * a : 0, y * a < 0 ? -y : 0, 0};
    }
    return (entry){NAN, NAN, NAN};
}

int is_canonical_pair(const fm_loss_t *loss) {
    const fm_loss_row *const row = fm_loss_at(loss->kind);
    return strcmp(row->forms, "RAW") == 0 ||
           (strcmp(row->forms, "BOTH") == 0 &&
            strcmp(row->canonical, fm_activation_at(loss->output.kind)->name) == 0);
}

/* digamma and trigamma by recurrence, and Stirling's series from 40 on */
static wide digammal(wide x) {
    wide sum = 0;
    for (; x < 40; x++) sum -= 1 / x;
    const wide u = 1 / (x * x);
    return sum + logl(x) - 1 / (2 * x) -
           u * (1 / 12.0L - u * (1 / 120.0L - u * (1 / 252.0L - u * (1 / 240.0L - u / 132))));
}

static wide trigammal(wide x) {
    wide sum = 0;
    for (; x < 40; x++) sum += 1 / (x * x);
    const wide u = 1 / (x * x);
    return sum + 1 / x + u / 2 +
           u / x * (1 / 6.0L - u * (1 / 30.0L - u * (1 / 42.0L - u * (1 / 30.0L - u * 5 / 66))));
}

/* Minus the log-density of a target at raw outputs m and s, its slopes by these, and the Fisher
 * information: the diagonal, and what is beside it. */
typedef struct {
    wide value, slope[2], curv[2], across;
} likelihood;

static likelihood likelihood_at(const fm_loss_t *loss, wide m, wide s, wide y) {
    const wide precision = expl(-s), z = (y - m) * precision, df = 3, pi = acosl(-1);
    const wide pull = (df + 1) * z / (df + z * z), sign = z > 0 ? 1 : -1;
    const wide half_log_2pi = logl(2 * pi) / 2, log_y = logl(y), u = (log_y - m) * precision;
    const wide mu = expl(m), shape = expl(s);
    const wide P = log1pl(expl(s)), dP = 1 / (1 + precision), mean = m / P;
    switch (loss->kind) {
    case FM_LOSS_normal:
        return (likelihood){z * z / 2 + s + half_log_2pi,
                            {-z * precision, 1 - z * z},
                            {precision * precision, 2},
                            0};
    case FM_LOSS_student_t:
        return (likelihood){(df + 1) / 2 * log1pl(z * z / df) + s + lgammal(df / 2) -
                                lgammal((df + 1) / 2) + logl(df * pi) / 2,
                            {-pull * precision, 1 - pull * z},
                            {(df + 1) / (df + 3) * precision * precision, 2 * df / (df + 3)},
                            0};
    case FM_LOSS_laplace:
        return (likelihood){fabsl(z) + s + logl(2),
                            {-sign * precision, 1 - fabsl(z)},
                            {precision * precision, 1},
                            0};
    case FM_LOSS_lognormal:
        return (likelihood){u * u / 2 + s + half_log_2pi + log_y,
                            {-u * precision, 1 - u * u},
                            {precision * precision, 2},
                            0};
    case FM_LOSS_normal_natural:
        return (likelihood){P * (y - mean) * (y - mean) / 2 - logl(P) / 2 + half_log_2pi,
                            {mean - y, dP * (y * y - mean * mean - 1 / P) / 2},
                            {1 / P, dP * dP * (mean * mean + 1 / (2 * P)) / P},
                            -dP * mean / P};
    case FM_LOSS_gamma_shape:
        return (likelihood){lgammal(shape) - shape * logl(shape / mu) - (shape - 1) * log_y + shape * y / mu,
                            {shape - shape * y / mu,
                             shape * (digammal(shape) - logl(shape / mu) - 1 - log_y + y / mu)},
                            {shape, shape * shape * trigammal(shape) - shape},
                            0};
    case FM_LOSS_negative_binomial: {
        const wide T = shape * shape * trigammal(shape) - shape;
        const wide far = 1 + sqrtl(2 * shape * (shape + 1) * T) / mu;
        return (likelihood){
            lgammal(shape) + lgammal(y + 1) - lgammal(shape + y) + (shape + y) * logl(shape + mu) -
                shape * s - y * m,
            {shape * (mu - y) / (shape + mu),
             shape * (digammal(shape) - digammal(shape + y) + logl((shape + mu) / shape) +
                      (y - mu) / (shape + mu))},
            {shape * mu / (shape + mu), T / (far * far)},
            0};
    }
    case FM_LOSS_beta: {
        const wide p = mu / (1 + mu), q = 1 / (1 + mu), a = shape * p, b = shape * q;
        const wide of_a = digammal(a) - digammal(shape) - log_y;
        const wide of_b = digammal(b) - digammal(shape) - log1pl(-y);
        const wide ta = trigammal(a), tb = trigammal(b), t = trigammal(shape);
        return (likelihood){lgammal(a) + lgammal(b) - lgammal(shape) - (a - 1) * log_y -
                                (b - 1) * log1pl(-y),
                            {a * q * (of_a - of_b), a * of_a + b * of_b},
                            {a * q * a * q * (ta + tb), a * a * ta + b * b * tb - shape * shape * t},
                            a * q * (a * ta - b * tb)};
    }
    }
    return (likelihood){NAN, {NAN, NAN}, {NAN, NAN}, NAN};
}

static int is_likelihood(const fm_loss_t *loss) { return fm_loss_at(loss->kind)->raws == 2; }
static int is_many(const fm_loss_t *loss) { return fm_loss_at(loss->kind)->counted; }

/* p = softmax(x); returns the log of the sum of exponentials */
static wide shares(wide *p, const wide *x, int n) {
    wide total = 0;
    for (int k = 0; k < n; k++) total += expl(x[k]);
    for (int k = 0; k < n; k++) p[k] = expl(x[k]) / total;
    return logl(total);
}

/* to = (diag(p) - p p') from */
static void through(wide *to, const wide *p, const wide *from, int n) {
    wide mean = 0;
    for (int k = 0; k < n; k++) mean += p[k] * from[k];
    for (int k = 0; k < n; k++) to[k] = p[k] * (from[k] - mean);
}

/* -log of a mixture's density; curv as if the component were known, by its responsibility */
static wide mixture_at(wide *grad, wide *q, const wide *r, const wide *x, wide y, int n, wide floor) {
    wide p[MOST], part[MOST], total = 0;
    shares(p, x, n), through(q, p, r, n);
    for (int k = 0; k < n; k++) {
        const wide sigma = floor + expl(x[2 * n + k]), z = (y - x[n + k]) / sigma;
        part[k] = p[k] * expl(-z * z / 2) / sigma / sqrtl(2 * acosl(-1)), total += part[k];
    }
    for (int k = 0; k < n; k++) {
        const wide sigma = floor + expl(x[2 * n + k]), z = (y - x[n + k]) / sigma;
        const wide share = part[k] / total, up = 1 - floor / sigma;
        grad[k] = p[k] - share;
        grad[n + k] = -share * z / sigma, grad[2 * n + k] = share * (1 - z * z) * up;
        q[n + k] = share / (sigma * sigma) * r[n + k];
        q[2 * n + k] = 2 * share * up * up * r[2 * n + k];
    }
    return -logl(total);
}

/* int (F - [x > y])^2 dx over bins of unit length times their widths: by Simpson's rule on either
 * side of y, which is exact. */
static wide crps_at(wide *grad, wide *q, const wide *r, const wide *x, wide y, int n,
                    const double *widths) {
    static const wide share[] = {1 / 6.0L, 4 / 6.0L, 1 / 6.0L};
    wide p[MOST], rp[MOST], slope[MOST] = {0}, rslope[MOST] = {0}, value = 0;
    shares(p, x, n), through(rp, p, r, n);
    for (int k = 0; k < n; k++) {
        const wide t = y < k ? 0 : y > k + 1 ? 1 : y - k;
        for (int i = 0; i < 6; i++) { /* three points below y, three above */
            const wide low = i < 3 ? 0 : t, high = i < 3 ? t : 1, at = low + (high - low) * (i % 3) / 2;
            const wide weight = (wide)widths[k] * share[i % 3] * (high - low);
            wide F = at * p[k] - (i >= 3), rF = at * rp[k];
            for (int j = 0; j < k; j++) F += p[j], rF += rp[j];
            value += weight * F * F;
            for (int j = 0; j <= k; j++) {
                const wide reach = j < k ? 1 : at;
                slope[j] += 2 * weight * F * reach, rslope[j] += 2 * weight * rF * reach;
            }
        }
    }
    through(grad, p, slope, n), through(q, p, rslope, n);
    return value;
}

/* The value, the gradient, and curv times r. */
static wide many_at(wide *grad, wide *q, const wide *r, const fm_loss_t *loss, const wide *x, wide y) {
    const int n = loss->raws;
    wide p[MOST], a = x[0], value = 0;
    const int bin = y < n - 1 ? (int)y : n - 1;
    switch (loss->kind) {
    case FM_LOSS_mixture: return mixture_at(grad, q, r, x, y, n / 3, (wide)loss->param[1]);
    case FM_LOSS_histogram_crps: return crps_at(grad, q, r, x, y, n, loss->table);
    case FM_LOSS_histogram:
        value = shares(p, x, n) - x[bin], through(q, p, r, n);
        for (int k = 0; k < n; k++) grad[k] = p[k] - (k == bin);
        return value;
    case FM_LOSS_quantiles:
        for (int k = 0; k < n; k++) {
            a += k ? log1pl(expl(x[k])) : 0;
            const wide side = a > y ? 1 - (wide)loss->table[k] : -(wide)loss->table[k];
            value += side * (a - y), grad[k] = q[k] = 0;
            for (int j = 0; j <= k; j++) grad[j] += side * (j ? 1 / (1 + expl(-x[j])) : 1);
        }
        return value;
    }
    return NAN;
}

int smooth_at(const fm_loss_t *loss, const wide *raw, const wide *y, int n) {
    wide a[MOST];
    output_at(a, raw, n, loss->output.kind);
    if (is_many(loss)) {
        for (int k = 1; k <= n && loss->kind == FM_LOSS_quantiles; k++) {
            if (fabsl(a[0] - y[0]) < 0.01L) return 0;
            a[0] += k < n ? log1pl(expl(raw[k])) : 0;
        }
        return 1;
    }
    if (is_likelihood(loss))
        return loss->kind != FM_LOSS_laplace || fabsl(raw[0] - y[0]) > 0.01L;
    for (int k = 0; k < n; k++) {
        const wide size = fabsl(a[k] - y[k]);
        if (size < 0.01L || fabsl(size - 0.3L) < 0.01L || fabsl(a[k]) < 0.001L) return 0;
    }
    return 1;
}

wide loss_at(const fm_loss_t *loss, const wide *raw, const wide *y, int n) {
    wide a[MOST], q[MOST], total = 0;
    if (is_many(loss)) return many_at(a, q, raw, loss, raw, y[0]);
    if (is_likelihood(loss)) return likelihood_at(loss, raw[0], raw[1], y[0]).value;
    output_at(a, raw, n, loss->output.kind);
    for (int k = 0; k < n; k++) total += entry_at(loss, a[k], y[k]).value;
    return total;
}

/* Central differences by five points. In long double, values that are smooth at the scale of one
 * leave an error of about 1e-15 of theirs. */
static const wide STEP = 1e-4L, AT[] = {-2, -1, 1, 2}, WEIGHT[] = {1, -8, 8, -1};

void loss_grad_at(wide *grad, const fm_loss_t *loss, const wide *raw, const wide *y, int n) {
    wide moved[MOST];
    memcpy(moved, raw, (size_t)n * sizeof *raw);
    for (int k = 0; k < n; k++) {
        grad[k] = 0;
        for (int i = 0; i < 4; i++) {
            moved[k] = raw[k] + AT[i] * STEP;
            grad[k] += WEIGHT[i] * loss_at(loss, moved, y, n) / (12 * STEP);
        }
        moved[k] = raw[k];
    }
}

/* J v, J = d output / d raw (symmetric) */
static void output_mul(wide *out, const wide *v, const wide *raw, int n, int output) {
    wide moved[MOST] = {0}, a[MOST], size = 1;
    for (int k = 0; k < n; k++) out[k] = 0, size = fmaxl(size, fabsl(v[k]));
    const wide step = STEP / size;
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < n; k++) moved[k] = raw[k] + AT[i] * step * v[k];
        output_at(a, moved, n, output);
        for (int k = 0; k < n; k++) out[k] += WEIGHT[i] * a[k] / (12 * step);
    }
}

/* d loss / d raw by the chain rule */
static void chain(wide *grad, const fm_loss_t *loss, const wide *raw, const wide *y, int n) {
    wide a[MOST], inner = 0;
    if (is_many(loss)) {
        many_at(grad, a, raw, loss, raw, y[0]);
        return;
    }
    if (is_likelihood(loss)) {
        memcpy(grad, likelihood_at(loss, raw[0], raw[1], y[0]).slope, 2 * sizeof *grad);
        return;
    }
    output_at(a, raw, n, loss->output.kind);
    for (int k = 0; k < n; k++) inner += a[k] * entry_at(loss, a[k], y[k]).slope;
    for (int k = 0; k < n; k++) {
        const wide slope = entry_at(loss, a[k], y[k]).slope;
        grad[k] = loss->output.kind == FM_softmax
                      ? a[k] * (slope - inner)
                      : slope * activation_at(loss->output.kind, raw[k]).slope;
    }
}

void loss_mul_at(wide *q, const wide *r, const fm_loss_t *loss, const wide *raw, const wide *y,
                 int n, int curvature) {
    wide moved[MOST] = {0}, grad[MOST], a[MOST];
    if (curvature == FM_GGN && is_many(loss)) {
        many_at(grad, q, r, loss, raw, y[0]);
        return;
    }
    if (curvature == FM_GGN && is_likelihood(loss)) {
        const likelihood l = likelihood_at(loss, raw[0], raw[1], y[0]);
        for (int k = 0; k < 2; k++) q[k] = l.curv[k] * r[k] + l.across * r[1 - k];
        return;
    }
    if (curvature == FM_GGN && !is_canonical_pair(loss)) {
        output_mul(moved, r, raw, n, loss->output.kind);
        output_at(a, raw, n, loss->output.kind);
        for (int k = 0; k < n; k++) moved[k] *= entry_at(loss, a[k], y[k]).curv;
        output_mul(q, moved, raw, n, loss->output.kind);
        return;
    }
    wide size = 4;
    for (int k = 0; k < n; k++) q[k] = 0, size = fmaxl(size, 4 * fabsl(r[k]));
    const wide step = STEP / size;
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < n; k++) moved[k] = raw[k] + AT[i] * step * r[k];
        chain(grad, loss, moved, y, n);
        for (int k = 0; k < n; k++) q[k] += WEIGHT[i] * grad[k] / (12 * step);
    }
}

wide function_at(int function, wide x) {
    switch (function) {
#define FUNCTION(name)                                                                             \
    case FM_FUNCTION_##name: return name##l(x);
#include "functions.def"
#undef FUNCTION
    }
    return NAN;
}
