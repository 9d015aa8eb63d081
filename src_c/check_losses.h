/* Every loss as a formula, and the losses of two raw outputs per target against differences of
 * theirs, under loss and loss_mul; their roots. */

/* y as each loss takes it, and the loss as a function of raw under its canonical output. */
static double target_for(int loss) {
    const double u = (draw() + 2) / 4;
    const char *const rule = fm_loss_at(loss)->targets;
    if (strcmp(rule, "SIGN") == 0) return u < 0.5 ? -1 : 1;
    if (strcmp(rule, "UNIT") == 0) return u < 0.5 ? 0 : 1;
    return u + 0.1;
}

static double loss_at(int loss, double raw, double y) {
    const double r = raw - y;
    switch (loss) {
    case FM_LOSS_squared_error: return r * r / 2;
    case FM_LOSS_log_loss: return log1p(exp(raw)) - y * raw;
    case FM_LOSS_poisson: return y * log(y) - y * raw - y + exp(raw);
    case FM_LOSS_gamma: return y * exp(-raw) - log(y) + raw - 1;
    case FM_LOSS_absolute_error: return fabs(r);
    case FM_LOSS_huber: return fabs(r) <= 0.3 ? r * r / 2 : 0.3 * (fabs(r) - 0.15);
    case FM_LOSS_quantile: return r > 0 ? 0.7 * r : -0.3 * r;
    case FM_LOSS_perceptron: return y * raw < 0 ? -y * raw : 0;
    }
    return NAN;
}

static fm_loss_t canonical(int loss) {
    fm_loss_t l = {.kind = loss, .param = {0.3, 0}, .output = {.kind = FM_identity}};
    for (int k = 0; k < FM_N_ACTIVATIONS; k++)
        if (strcmp(fm_loss_at(loss)->canonical, fm_activation_at(k)->name) == 0) l.output.kind = k;
    return l;
}

/* Minus the log-density of a target at location m and log scale s; df as `canonical` has it. */
static double density_at(int kind, double m, double s, double y) {
    const double z = (y - m) * exp(-s), df = 0.3, pi = acos(-1);
    switch (kind) {
    case FM_LOSS_normal: return z * z / 2 + s + log(2 * pi) / 2;
    case FM_LOSS_student_t:
        return (df + 1) / 2 * log1p(z * z / df) + s + lgamma(df / 2) - lgamma((df + 1) / 2) +
               log(df * pi) / 2;
    }
    return NAN;
}

/* Its derivatives by differences: by m and s where i and j are 0 and 1; j = -1: the first ones. */
static double density_slope(int kind, double m, double s, double y, int i, int j) {
    const double h = 1e-4, dm = i ? 0 : h, ds = i ? h : 0;
    if (j < 0)
        return (density_at(kind, m + dm, s + ds, y) - density_at(kind, m - dm, s - ds, y)) / 2 / h;
    return (density_slope(kind, m + dm, s + ds, y, j, -1) -
            density_slope(kind, m - dm, s - ds, y, j, -1)) /
           2 / h;
}

#define LIKELIHOODS(real, s, kernels_t)                                                          \
    static void check_likelihoods##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t n_targets) {  \
        const ptrdiff_t n_raw = 2 * n_targets, n = rows * n_raw;                                 \
        for (int kind = 0; kind < FM_N_LOSSES; kind++) {                                         \
            if (fm_loss_at(kind)->raws != 2) continue;                                           \
            const fm_loss_t loss = canonical(kind);                                              \
            real *raw = filled((size_t)n, sizeof(real)), *delta = filled((size_t)n, sizeof(real)); \
            real *up = filled((size_t)n, sizeof(real)), *q = filled((size_t)n, sizeof(real));    \
            real *y = filled((size_t)(n / 2), sizeof(real));                                     \
            real *w = filled((size_t)rows, sizeof(real));                                        \
            real *room = filled((size_t)(n * (n_raw + 2)), sizeof(real));                        \
            for (ptrdiff_t i = 0; i < n; i++) raw[i] /= 2;                                       \
            for (ptrdiff_t r = 0; r < rows; r++) w[r] = (real)fabs((double)w[r]);                \
            double expected = 0;                                                                 \
            const double value = k->loss(delta, raw, y, w, rows, n_raw, &loss);                  \
            k->loss_mul(q, up, raw, y, w, rows, n_raw, &loss, FM_HESS);                          \
            int ok = 1;                                                                          \
            for (ptrdiff_t i = 0; i < n / 2; i++) {                                              \
                const ptrdiff_t r = i / n_targets, at = r * n_raw + i % n_targets;               \
                const double m = raw[at], t = raw[at + n_targets], yi = y[i], wi = w[r];         \
                expected += wi * density_at(kind, m, t, yi);                                     \
                for (int a = 0; a < 2; a++) {                                                    \
                    const double slope = density_slope(kind, m, t, yi, a, -1);                   \
                    const double second =                                                        \
                        density_slope(kind, m, t, yi, a, 0) * up[at] +                           \
                        density_slope(kind, m, t, yi, a, 1) * up[at + n_targets];                \
                    ok &= fabs(delta[at + a * n_targets] - wi * slope) < 2e-3 * (1 + fabs(slope)); \
                    ok &= fabs(q[at + a * n_targets] - wi * second) < 2e-3 * (1 + fabs(second)); \
                }                                                                                \
            }                                                                                    \
            expect(ok && near##s(value, expected), "likelihood", #real,                          \
                   (long)(rows * 1000 + n_targets));                                             \
            expect(root_squares##s(k, raw, y, w, rows, n_raw, &loss, room), "likelihood root",   \
                   #real, (long)(rows * 1000 + n_targets));                                      \
            free(raw), free(delta), free(up), free(q), free(y), free(w), free(room);             \
        }                                                                                        \
    }
