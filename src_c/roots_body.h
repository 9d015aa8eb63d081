/* Square roots of the losses' curvature: per row R with R R' = w Q, Q the positive semi-definite
 * second derivative (FM_GGN). Closed forms, which nothing that rounding does can make indefinite:
 *
 *   element by element        diag(sqrt(w q))
 *   two raws of a target      sqrt(w) times the triangle of its row in likelihoods_body.h
 *   softmax, cross-entropy    sqrt(w) (I - p 1') diag(sqrt p)
 *   softmax, any other loss   sqrt(w) (diag(p) - p p') diag(sqrt l'')
 *   many raws per target      many_body.h */

/* The length of column k but for that of (I - p 1')'s, p the outputs of softmax; a canonical loss
 * needs no y. */
static real softmax_root_size(real p_k, const real *y, ptrdiff_t k, real w, const fm_loss_t *loss) {
    const vec squared = is_canonical(loss)
                            ? splat(w * p_k)
                            : splat(w * p_k * p_k) * under_softmax(p_k, y[k], loss).curv;
    return vsqrt(squared)[0];
}

/* R[k] = column k. 1 - p_k is the sum of the others where p_k is the highest: p_k may round to 1. */
static void softmax_root_row(real *R, const real *raw, const real *y, real w, ptrdiff_t n,
                             const fm_loss_t *loss) {
    if (w == 0) {
        memset(R, 0, (size_t)(n * n) * sizeof(real));
        return;
    }
    real *const p = R + (n - 1) * n; /* until the last column */
    real log_sum, others = 0;
    softmax(p, &log_sum, raw, 1, n, n);
    const ptrdiff_t top = highest_entry(p, n);
    for (ptrdiff_t c = 0; c < n; c++) others += c == top ? 0 : p[c];
    for (ptrdiff_t k = 0; k < n; k++) {
        const real p_k = p[k], rest = k == top ? others : 1 - p_k;
        const real size = softmax_root_size(p_k, y, k, w, loss);
        for (ptrdiff_t j = 0; j < n; j++) R[k * n + j] = (j == k ? rest : -p[j]) * size;
    }
}

/* many_body.h: identity, with z NULL, gives all columns */
static void many_root_mul(real *out, const real *z, const real *raw, const real *y, const real *w,
                          ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss);

static void loss_root(real *roots, const real *raw, const real *y, const real *w, ptrdiff_t rows,
                      ptrdiff_t n_raw, const fm_loss_t *loss) {
    if (loss->output.kind == FM_softmax) {
        for (ptrdiff_t r = 0; r < rows; r++)
            softmax_root_row(roots + r * n_raw * n_raw, raw + r * n_raw, y + r * n_raw,
                             w ? w[r] : 1, n_raw, loss);
        return;
    }
    if (has_many(loss)) {
        many_root_mul(roots, NULL, raw, y, w, rows, n_raw, n_raw, loss);
        return;
    }
    const ptrdiff_t n = rows * n_raw;
    if (has_two(loss)) {
        const ptrdiff_t square = n_raw * n_raw, T = n_raw / 2;
        memset(roots, 0, (size_t)(rows * square) * sizeof(real));
        likelihood_root(roots, roots + T, roots + (n_raw + 1) * T, square, n_raw + 1, raw, y, w,
                        rows, T, loss);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) roots[i] = 1;
    loss_mul(roots, roots, raw, y, w, rows, n_raw, n_raw, loss, FM_GGN); /* the diagonals */
    for (ptrdiff_t i = n - 1; i >= 0; i--) {
        const real size = vsqrt(splat(roots[i]))[0];
        memset(roots + i * n_raw, 0, (size_t)n_raw * sizeof(real));
        roots[i * n_raw + i % n_raw] = size;
    }
}

/* out = (I - p 1') u with u = diag(sizes) z; others: the sum of all p but that of the top. As in R,
 * neither 1 - p_top nor the sum of all u but that of the top is a difference. */
static void centre(real *out, const real *z, const real *sizes, const real *p, real others,
                   ptrdiff_t top, ptrdiff_t n) {
    real rest = 0;
    for (ptrdiff_t c = 0; c < n; c++) {
        out[c] = sizes[c] * z[c];
        rest += c == top ? 0 : out[c];
    }
    const real total = rest + out[top];
    for (ptrdiff_t c = 0; c < n; c++)
        out[c] = c == top ? others * out[c] - p[c] * rest : out[c] - p[c] * total;
}

/* The same R times depth vectors; room: 2 n. */
static void softmax_root_mul_row(real *out, const real *z, const real *raw, const real *y, real w,
                                 ptrdiff_t depth, ptrdiff_t n, const fm_loss_t *loss, real *room) {
    if (w == 0) {
        memset(out, 0, (size_t)(depth * n) * sizeof(real));
        return;
    }
    real *const p = room, *const sizes = room + n;
    real log_sum, others = 0;
    softmax(p, &log_sum, raw, 1, n, n);
    const ptrdiff_t top = highest_entry(p, n);
    for (ptrdiff_t c = 0; c < n; c++) others += c == top ? 0 : p[c];
    for (ptrdiff_t c = 0; c < n; c++) sizes[c] = softmax_root_size(p[c], y, c, w, loss);
    for (ptrdiff_t d = 0; d < depth; d++)
        centre(out + d * n, z + d * n, sizes, p, others, top, n);
}

static void loss_root_mul(real *out, const real *z, const real *raw, const real *y, const real *w,
                          ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss,
                          real *room) {
    if (has_many(loss)) {
        many_root_mul(out, z, raw, y, w, rows, depth, n_raw, loss);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t at = r * n_raw, first = at * depth;
        const real *const y_r = y + r * (n_raw / loss->raws);
        const real *const w_r = w ? w + r : NULL;
        if (loss->output.kind == FM_softmax) {
            softmax_root_mul_row(out + first, z + first, raw + at, y_r, w_r ? *w_r : 1, depth,
                                 n_raw, loss, room);
            continue;
        }
        if (has_two(loss)) {
            const ptrdiff_t T = n_raw / 2;
            likelihood_root(room, room + T, room + n_raw, 0, 1, raw + at, y_r, w_r, 1, T, loss);
            for (ptrdiff_t d = first; d < first + depth * n_raw; d += n_raw)
                for (ptrdiff_t j = 0; j < T; j++) {
                    out[d + T + j] = room[T + j] * z[d + j] + room[n_raw + j] * z[d + T + j];
                    out[d + j] = room[j] * z[d + j];
                }
            continue;
        }
        for (ptrdiff_t c = 0; c < n_raw; c++) room[n_raw + c] = 1;
        loss_mul(room, room + n_raw, raw + at, y_r, w_r, 1, n_raw, n_raw, loss, FM_GGN);
        for (ptrdiff_t c = 0; c < n_raw; c++) room[c] = vsqrt(splat(room[c]))[0];
        for (ptrdiff_t d = 0; d < depth; d++)
            for (ptrdiff_t c = 0; c < n_raw; c++)
                out[first + d * n_raw + c] = room[c] * z[first + d * n_raw + c];
    }
}
