/* Products of compressed sparse rows with the weights of a layer where they lie in theta: what is
 * not stored costs nothing. */

/* Rows of W lie anywhere: those of so many entries of the next row of X are asked for ahead. */
enum { CSR_AHEAD = 16 };

static inline void ask_for_rows(const real *W, const ptrdiff_t *columns, ptrdiff_t entries,
                                ptrdiff_t cols) {
    for (ptrdiff_t k = 0; k < entries && k < CSR_AHEAD; k++)
        for (ptrdiff_t c = 0; c < cols; c += 64 / (ptrdiff_t)sizeof(real))
            __builtin_prefetch(W + columns[k] * cols + c);
}

/* z[:vectors] = b + sum_k x_k W[columns[k]], all from the same column of W on */
FM_INLINE void csr_block(real *z, const real *x, const ptrdiff_t *columns, ptrdiff_t entries,
                         const real *W, const real *b, ptrdiff_t ldw, int relu, const int vectors) {
    vec acc[8];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) acc[v] = load(b + v * LANES, LANES, 0);
    for (ptrdiff_t k = 0; k < entries; k++) {
        const real *const w = W + columns[k] * ldw;
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) acc[v] += x[k] * load(w + v * LANES, LANES, 0);
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++)
        store(z + v * LANES, relu ? select_(acc[v] <= 0, splat(0), acc[v]) : acc[v], LANES);
}

/* One row; the last vector overlaps the one before it, so that none reaches beyond a row of W. */
static void csr_row(real *z, const real *x, const ptrdiff_t *columns, ptrdiff_t entries,
                    const real *W, const real *b, ptrdiff_t cols, int relu) {
    ptrdiff_t c = 0;
    if (cols < LANES) {
        for (; c < cols; c++) z[c] = b[c];
        for (ptrdiff_t k = 0; k < entries; k++)
            for (c = 0; c < cols; c++) z[c] += x[k] * W[columns[k] * cols + c];
        for (c = 0; relu && c < cols; c++)
            if (z[c] <= 0) z[c] = 0;
        return;
    }
    for (; c + 8 * LANES <= cols; c += 8 * LANES)
        csr_block(z + c, x, columns, entries, W + c, b + c, cols, relu, 8);
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        csr_block(z + c, x, columns, entries, W + c, b + c, cols, relu, 4);
    for (; c + 2 * LANES <= cols; c += 2 * LANES)
        csr_block(z + c, x, columns, entries, W + c, b + c, cols, relu, 2);
    for (; c < cols; c += LANES) {
        const ptrdiff_t at = c + LANES <= cols ? c : cols - LANES;
        csr_block(z + at, x, columns, entries, W + at, b + at, cols, relu, 1);
    }
}

static void csr_forward(real *z, const fm_csr *X, const real *W, ptrdiff_t rows, ptrdiff_t fan_in,
                        ptrdiff_t fan_out, ptrdiff_t ld, int relu) {
    const real *const data = X->data;
    for (ptrdiff_t r = 0; r < rows; r++, z += ld) {
        const ptrdiff_t first = X->indptr[X->index[r]], end = X->indptr[X->index[r] + 1];
        if (r + 1 < rows) {
            const ptrdiff_t next = X->indptr[X->index[r + 1]];
            ask_for_rows(W, X->indices + next, X->indptr[X->index[r + 1] + 1] - next, fan_out);
        }
        csr_row(z, data + first, X->indices + first, end - first, W, W + fan_in * fan_out, fan_out,
                relu);
        for (ptrdiff_t c = fan_out; c < ld; c++) z[c] = 0;
    }
}

/* grad[:cols] = x delta, added to what is there if asked; in whole vectors, or one column. */
static inline void csr_add(real *grad, real x, const real *delta, ptrdiff_t cols, int add) {
    if (cols == 1) {
        *grad = add ? *grad + x * *delta : x * *delta;
        return;
    }
    for (ptrdiff_t c = 0; c < cols; c += LANES) {
        const vec d = x * load(delta + c, LANES, 0);
        store(grad + c, add ? load(grad + c, LANES, 0) + d : d, LANES);
    }
}

static void csr_grad(real *grad, ptrdiff_t *place, const fm_csr *X, const real *delta,
                     ptrdiff_t rows, ptrdiff_t fan_in, ptrdiff_t fan_out, ptrdiff_t ld,
                     int accumulate) {
    const real *const data = X->data;
    const ptrdiff_t length = padded(fan_out);
    if (!accumulate) memset(place, 0, (size_t)(fan_in + 1) * sizeof *place);
    for (ptrdiff_t r = 0; r < rows; r++, delta += ld) {
        csr_add(grad, 1, delta, fan_out, accumulate || r > 0);
        for (ptrdiff_t k = X->indptr[X->index[r]]; k < X->indptr[X->index[r] + 1]; k++) {
            ptrdiff_t *const at = place + X->indices[k];
            const int met = *at > 0;
            if (!met) *at = ++place[fan_in];
            csr_add(grad + *at * length, data[k], delta, fan_out, met);
        }
    }
}
