/* Losses, their second derivatives and the roots of these. Everything is of order one: 32 roundings
 * are what functions, quotients and their products take; a row's sums add n. Differences leave
 * 1e-15 of a loss in its gradient's reference, and up to 1e-13 of that in the second derivative's.
 */

enum { N_OUTPUTS = 4 };
static const int outputs[N_OUTPUTS] = {FM_identity, FM_logistic, FM_exp, FM_tanh};

/* Whether check_losses asks for this pair: the loss's domain has the output's range. */
static int is_pair(int loss, int output) {
    const fm_loss_row *const row = fm_loss_at(loss);
    if (row->counted) return 0;
    if (row->raws == 2 || strcmp(row->domain, "REAL") == 0)
        return row->raws == 1 || output == FM_identity;
    if (strcmp(row->forms, "RAW") == 0) return output == FM_logistic;
    return output == FM_logistic || output == FM_exp;
}

static double target_for(int loss) {
    const double u = (draw() + 2) / 4;
    const char *const rule = fm_loss_at(loss)->targets;
    if (strcmp(rule, "SIGN") == 0) return u < 0.5 ? -1 : 1;
    if (strcmp(rule, "UNIT") == 0) return u < 0.5 ? 0 : 1;
    if (strcmp(rule, "OPEN") == 0) return 0.05 + 0.9 * u;
    if (strcmp(rule, "WHOLE") == 0) return (double)(int)(5 * u);
    return u + 0.1;
}

/* n numbers, `stride` apart */
static void widen(wide *to, const real *from, int n, ptrdiff_t stride) {
    for (int i = 0; i < n; i++) to[i] = from[i * stride];
}

/* Every kernel of a loss on rows of raw. What belongs together is a unit: a row under softmax, the
 * raw outputs of a target otherwise; its raws are as many apart as a row has units. */
static void check_loss(const fm_kernels *k, const fm_loss_t *loss, ptrdiff_t rows, ptrdiff_t n_raw,
                       const real *y, int weighted) {
    const int softmax = loss->output.kind == FM_softmax, raws = loss->raws;
    const int n = softmax ? (int)n_raw : raws;
    const ptrdiff_t size = rows * n_raw, square = n_raw * n_raw, units = n_raw / n;
    const long label = pair(rows, n_raw);
    char pairing[80];
    snprintf(pairing, sizeof pairing, "of %s, %s", fm_loss_at(loss->kind)->name,
             fm_activation_at(loss->output.kind)->name);
    real *raw = filled(size), *w = filled(rows), *delta = filled(size), *up = filled(size);
    real *q[2] = {filled(size), filled(size)}, *a = filled(size), *roots = filled(rows * square);
    real *twice = filled(2 * size), *z = filled(2 * size), *room = filled(2 * n_raw);
    wide x[MOST], t[MOST], r[MOST], out[MOST], total = 0, sizes = 0;
    for (ptrdiff_t i = 0; i < size; i++) raw[i] /= (real)raws; /* no smaller scale than exp(-1) */
    for (ptrdiff_t i = 0; i < rows; i++) w[i] = i % 5 == 3 ? 0 : w[i] < 0 ? -w[i] : w[i];
    const real *const weights = weighted ? w : NULL;
    k->output(a, raw, rows, n_raw, &loss->output);
    for (ptrdiff_t u = 0; u < rows * units; u++) {
        const ptrdiff_t at = u / units * n_raw + u % units;
        widen(x, raw + at, n, units), output_at(out, x, n, loss->output.kind);
        for (int c = 0; c < n; c++)
            compare(a[at + c * units], out[c], 16 * EPSILON * fabsl(out[c]));
    }
    verdict(CHECK_output, pairing, label);
    const double value = k->loss(delta, raw, y, weights, rows, n_raw, n_raw, loss);
    for (int pass = -1; pass < 2; pass++) { /* the gradient, Q by FM_GGN and by FM_HESS */
        if (pass >= 0) k->loss_mul(q[pass], up, raw, y, weights, rows, n_raw, n_raw, loss, pass);
        for (ptrdiff_t u = 0; u < rows * units; u++) {
            const ptrdiff_t at = u / units * n_raw + u % units;
            const wide wi = weighted ? w[u / units] : 1;
            widen(x, raw + at, n, units), widen(r, up + at, n, units);
            widen(t, y + (softmax ? at : u), softmax ? n : 1, 1);
            const wide l = loss_at(loss, x, t, n),
                       scale = n + fabsl(l); /* differences leave a part of l */
            if (pass < 0) total += wi * l, sizes += wi * scale;
            if (!smooth_at(loss, x, t, n)) continue;
            if (pass < 0) loss_grad_at(out, loss, x, t, n);
            if (pass >= 0) loss_mul_at(out, r, loss, x, t, n, pass);
            for (int c = 0; c < n; c++)
                compare(pass < 0 ? delta[at + c * units] : q[pass][at + c * units], wi * out[c],
                        (pass < 0 ? 64 : 1024) * EPSILON * wi * (scale + fabsl(out[c])));
        }
        if (pass < 0) compare((real)value, total, (32 + n) * EPSILON * sizes);
        verdict(pass < 0 ? CHECK_loss : CHECK_loss_mul, pairing, label);
    }
    /* R R' e_c = Q e_c, which is checked above; R (e_c, 2 e_c) = column c, twice it */
    memset(up, 0, (size_t)size * sizeof(real)), memset(z, 0, (size_t)(2 * size) * sizeof(real));
    k->loss_root(roots, NULL, raw, y, weights, rows, n_raw, n_raw, loss, room);
    for (ptrdiff_t c = 0; c < n_raw; c++) {
        for (ptrdiff_t i = c; i < size; i += n_raw) up[i] = 1;
        for (ptrdiff_t i = c; i < 2 * size; i += n_raw) z[i] = (real)(1 + i / n_raw % 2);
        k->loss_mul(q[0], up, raw, y, weights, rows, n_raw, n_raw, loss, FM_GGN);
        k->loss_root(twice, z, raw, y, weights, rows, 2, n_raw, loss, room);
        for (ptrdiff_t i = c; i < size; i += n_raw) up[i] = 0;
        for (ptrdiff_t i = c; i < 2 * size; i += n_raw) z[i] = 0;
        for (ptrdiff_t i = 0; i < size; i++) {
            const real *const R =
                roots + i / n_raw * square + i % n_raw; /* row j of R, by columns */
            wide sum = 0, terms = 0;
            for (ptrdiff_t m = 0; m < n_raw; m++) {
                const wide term = (wide)R[m * n_raw] * R[m * n_raw + c - i % n_raw];
                sum += term, terms += fabsl(term);
            }
            /* entries of R are sums themselves, where there are many raw outputs */
            compare(q[0][i], sum, (32 + 4 * n) * EPSILON * (terms + fabsl((wide)q[0][i])));
        }
        verdict(CHECK_loss_root, pairing, label);
        for (ptrdiff_t i = 0; i < size; i++) {
            const ptrdiff_t row = i / n_raw, j = i % n_raw;
            const real column = roots[row * square + c * n_raw + j];
            const real *const got = twice + 2 * row * n_raw + j;
            compare(got[0], column, (8 + n) * EPSILON * fabsl((wide)column));
            compare(got[n_raw], 2 * column, (16 + n) * EPSILON * fabsl((wide)column));
        }
        verdict(CHECK_loss_root, pairing, label);
    }
}

static void check_losses(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t n_targets) {
    for (int l = 0; l < FM_N_LOSSES; l++)
        for (int o = 0; o < N_OUTPUTS; o++, free_taken()) {
            const int raws = fm_loss_at(l)->raws;
            const fm_loss_t loss = {.kind = l,
                                    .raws = raws,
                                    .param = {raws == 2 ? 3 : 0.3},
                                    .output = {.kind = outputs[o]}};
            if (!is_pair(l, outputs[o])) continue;
            real *y = filled(rows * n_targets);
            for (ptrdiff_t i = 0; i < rows * n_targets; i++) y[i] = (real)target_for(l);
            check_loss(k, &loss, rows, n_targets * raws, y, o != 2);
        }
}

/* Losses of as many raw outputs as a count says; the count's own parameter, and a table for each. */
static void check_many(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t n_targets, int count) {
    double table[MOST];
    for (int l = 0; l < FM_N_LOSSES; l++, free_taken()) {
        const fm_loss_row *const row = fm_loss_at(l);
        const int bins = strcmp(row->targets, "BINS") == 0;
        if (!row->counted || count < row->parameters[0].low) continue;
        for (int c = 0; c < count; c++) table[c] = bins ? 1 + (c * 5) % 3 : (c + 1.0) / (count + 1);
        const fm_loss_t loss = {.kind = l,
                                .raws = row->raws * count,
                                .param = {count, 0.3},
                                .table = table,
                                .output = {.kind = FM_identity}};
        real *y = filled(rows * n_targets);
        for (ptrdiff_t i = 0; bins && i < rows * n_targets; i++)
            y[i] = i % 7 ? (real)(count * (draw() + 2) / 4) : (real)(i % 2 * count);
        check_loss(k, &loss, rows, n_targets * loss.raws, y, n_targets > 1);
    }
}

/* exp(2 beta s) times each delta, padding left alone */
static void check_discount(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t n_targets) {
    const ptrdiff_t n_raw = 2 * n_targets, ld = k->padded(n_raw);
    real *raw = filled(rows * ld), *delta = filled(rows * ld), *before = filled(rows * ld);
    memcpy(before, delta, (size_t)(rows * ld) * sizeof(real));
    k->discount(delta, raw, rows, n_targets, ld, 0.25);
    for (ptrdiff_t i = 0; i < rows * ld; i++) {
        const ptrdiff_t c = i % ld;
        const wide s = raw[i - c + n_targets + c % n_targets];
        const wide expected = c < n_raw ? before[i] * expl(s / 2) : before[i];
        compare(delta[i], expected, 4 * EPSILON * fabsl(expected));
    }
    verdict(CHECK_discount, "", pair(rows, n_targets));
    free_taken();
}

static void check_softmax(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t n_raw) {
    for (int l = 0; l < FM_N_LOSSES; l++, free_taken()) {
        const fm_loss_t loss = {
            .kind = l, .raws = 1, .param = {0.3, 0}, .output = {.kind = FM_softmax}};
        if (fm_loss_at(l)->raws == 2 || fm_loss_at(l)->counted) continue;
        real *y = made_of(0, rows * n_raw);
        for (ptrdiff_t r = 0; r < rows; r++) y[r * n_raw + r % n_raw] = 1;
        if (l != FM_LOSS_log_loss)
            for (ptrdiff_t i = 0; i < rows * n_raw; i++) y[i] = (real)target_for(l);
        check_loss(k, &loss, rows, n_raw, y, l % 2);
    }
}

/* Rows that lie apart: what rows that do not have, and padding of zero. */
static void check_rows_apart(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t n) {
    static const int cases[][2] = {{FM_LOSS_squared_error, FM_identity},
                                   {FM_LOSS_log_loss, FM_softmax},
                                   {FM_LOSS_squared_error, FM_softmax},
                                   {FM_LOSS_normal, FM_identity},
                                   {FM_LOSS_histogram_crps, FM_identity},
                                   {FM_LOSS_mixture, FM_identity}};
    const ptrdiff_t ld = k->padded(n);
    double table[MOST];
    for (int c = 0; c < n; c++) table[c] = 1 + c % 3;
    for (int i = 0; i < 6; i++, free_taken()) {
        const fm_loss_row *const row = fm_loss_at(cases[i][0]);
        const fm_loss_t loss = {.kind = cases[i][0],
                                .raws = row->counted ? (int)n : row->raws,
                                .param = {(double)n / row->raws, 0.3},
                                .table = table,
                                .output = {.kind = cases[i][1]}};
        if (n % row->raws || (i && n == 1)) continue;
        real *raw = filled(rows * n), *y = filled(rows * n / loss.raws);
        real *w = filled(rows), *delta = filled(rows * n);
        real *apart = made_of(NAN, rows * ld), *delta_apart = filled(rows * ld);
        for (ptrdiff_t j = 0; j < rows * n; j++) apart[j / n * ld + j % n] = raw[j];
        const double value = k->loss(delta, raw, y, w, rows, n, n, &loss);
        const double there = k->loss(delta_apart, apart, y, w, rows, n, ld, &loss);
        wide size = 0;
        for (ptrdiff_t j = 0; j < rows * n; j++) size += 1 + fabsl((wide)delta[j]);
        compare((real)there, value, 32 * EPSILON * size);
        for (ptrdiff_t j = 0; j < rows * ld; j++) {
            const wide expected = j % ld < n ? delta[j / ld * n + j % ld] : 0;
            compare(delta_apart[j], expected, 32 * EPSILON * (j % ld < n) * (1 + fabsl(expected)));
        }
        verdict(CHECK_loss, row->name, pair(rows, n));
        real *up = filled(rows * n), *up_apart = made_of(NAN, rows * ld);
        for (ptrdiff_t j = 0; j < rows * n; j++) up_apart[j / n * ld + j % n] = up[j];
        for (int exact = 0; exact < 2; exact++) {
            k->loss_mul(delta, up, raw, y, w, rows, n, n, &loss, exact);
            k->loss_mul(delta_apart, up_apart, apart, y, w, rows, n, ld, &loss, exact);
            for (ptrdiff_t j = 0; j < rows * ld; j++) {
                const wide expected = j % ld < n ? delta[j / ld * n + j % ld] : 0;
                compare(delta_apart[j], expected, 32 * EPSILON * (j % ld < n) * (1 + fabsl(expected)));
            }
            verdict(CHECK_loss_mul, row->name, pair(rows, n));
        }
    }
}
