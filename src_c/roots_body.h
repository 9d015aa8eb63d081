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

/* One row. 1 - p_k is the sum of the others where p_k is the highest: p_k may round to 1. */
static void softmax_root(real *out, const real *z, const real *raw, const real *y, real w,
                         ptrdiff_t depth, ptrdiff_t n, const fm_loss_t *loss, real *room) {
    if (w == 0) {
        memset(out, 0, (size_t)(depth * n) * sizeof(real));
        return;
    }
    real *const p = room, *const sizes = room + n;
    real log_sum, others = 0;
    softmax(p, &log_sum, raw, 1, n, n);
    const ptrdiff_t top = highest_entry(p, n);
    for (ptrdiff_t c = 0; c < n; c++) {
        others += c == top ? 0 : p[c];
        sizes[c] = softmax_root_size(p[c], y, c, w, loss);
    }
    for (ptrdiff_t d = 0; d < depth; d++, out += n)
        if (z)
            centre(out, z + d * n, sizes, p, others, top, n);
        else
            for (ptrdiff_t j = 0; j < n; j++)
                out[j] = (j != d ? -p[j] : d == top ? others : 1 - p[d]) * sizes[d];
}

static void pairs_root(real *out, const real *z, const real *raw, const real *y, const real *w,
                       ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss) {
    const ptrdiff_t T = n_raw / 2;
    pairs b;
    FM_BLOCKS(first, n, rows * T, PAIRS, {
        load_pairs(&b, raw, w, first, n, T);
        pairs_block(&b, y + first, n, loss, PAIR_ROOT);
        FM_PLACES(first, n, T, {
            const real m = b.out_m[i], ms = b.out_s[i], s = b.rs[i];
            for (ptrdiff_t d = 0; d < depth; d++) {
                const ptrdiff_t at = (row * depth + d) * n_raw + col;
                if (z) {
                    out[at] = m * z[at], out[at + T] = ms * z[at] + s * z[at + T];
                } else {
                    out[at] = d == col ? m : 0;
                    out[at + T] = d == col ? ms : d == col + T ? s : 0;
                }
            }
        });
    });
}

static void entries_root(real *out, const real *z, const real *raw, const real *y, const real *w,
                         ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss) {
    buffers b;
    real size[ENTRIES];
    FM_BLOCKS(first, n, rows * n_raw, ENTRIES, {
        const entries e = lay_out(&b, raw, y, w, first, n, n_raw, loss);
        for (ptrdiff_t i = 0; i < n; i++) size[i] = 1;
        entries_block(size, size, &e, loss, FM_GGN); /* the diagonals */
        FM_PLACES(first, n, n_raw, {
            const real root = vsqrt(splat(size[i]))[0];
            for (ptrdiff_t d = 0; d < depth; d++) {
                const ptrdiff_t at = (row * depth + d) * n_raw + col;
                out[at] = z ? root * z[at] : d == col ? root : 0;
            }
        });
    });
}

/* many_body.h */
static void many_root(real *out, const real *z, const real *raw, const real *y, const real *w,
                      ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss);

static void loss_root(real *out, const real *z, const real *raw, const real *y, const real *w,
                      ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss,
                      real *room) {
    const ptrdiff_t square = depth * n_raw;
    if (has_many(loss))
        many_root(out, z, raw, y, w, rows, depth, n_raw, loss);
    else if (has_two(loss))
        pairs_root(out, z, raw, y, w, rows, depth, n_raw, loss);
    else if (loss->output.kind != FM_softmax)
        entries_root(out, z, raw, y, w, rows, depth, n_raw, loss);
    else
        for (ptrdiff_t r = 0; r < rows; r++)
            softmax_root(out + r * square, z ? z + r * square : NULL, raw + r * n_raw,
                         y + r * n_raw, w ? w[r] : 1, depth, n_raw, loss, room);
}
