/* Matrix products for layers that fit the caches: no packing, no call into BLAS.
 *
 * A matrix of `cols` columns is held in panels: strips of two vectors (the last of one, where that
 * is enough), each strip row after row. Columns past the end are padding: they are zero in weights,
 * and whatever they hold elsewhere only ever meets other padding, since every sum runs over real
 * columns alone. A single column is held without padding; its products run along the other side.
 *
 * All three products of a layer are C[m, :] = sum_k A(m, k) B[k, :] with a broadcast scalar of A and
 * contiguous vectors of B:
 *   forward   Z = (a, 1) W~       A = activations by rows, B = panels of W~
 *   delta     D_prev = D W'       A = deltas by rows,      B = panels of W'
 *   gradient  G = (a, 1)' D       A = activations by columns, B = deltas
 * where W~ is W with the biases as its last row. */

enum { PANEL = 2 * LANES };

/* How a tile is stored. GATE keeps what stands where `gate` is positive: the slope of relu. */
enum { STORE, ADD, RELU, GATE };

/* One operand: where its panel p and, within it, row k lie. */
typedef struct {
    ptrdiff_t panel, row;
} layout;

/* TILE_ROWS x 2 accumulators, the vectors of B and one broadcast fill the registers; a single
 * vector takes more rows, so that its sums do not wait for each other. */
enum { TALL_ROWS = 12 };

FM_INLINE void tile(real *C, ptrdiff_t ldc, const real *A, const ptrdiff_t a_row,
                    const ptrdiff_t a_k, const real *B, ptrdiff_t ldb, ptrdiff_t depth,
                    const real *gate, int mode, const int rows, const int vectors) {
    vec acc[TALL_ROWS][2];
    const real *lower = A + 6 * a_row; /* two pointers: few multiples of a_row to keep in registers */
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) acc[r][v] = splat(0);
    for (ptrdiff_t k = 0; k < depth; k++, A += a_k, lower += a_k) {
        vec b[2];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) b[v] = load(B + k * ldb + v * LANES, LANES, 0);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const vec a = splat(r < 6 ? A[r * a_row] : lower[(r - 6) * a_row]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++) acc[r][v] += a * b[v];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            real *const c = C + r * ldc + v * LANES;
            vec x = acc[r][v];
            if (mode == ADD) x += load(c, LANES, 0);
            if (mode == RELU) x = select_(x <= 0, splat(0), x);
            if (mode == GATE)
                x = select_(load(gate + r * ldc + v * LANES, LANES, 0) > 0, x, splat(0));
            store(c, x, LANES);
        }
}

FM_INLINE void tile_of(real *C, ptrdiff_t ldc, const real *A, const ptrdiff_t a_row,
                       const ptrdiff_t a_k, const real *B, ptrdiff_t ldb, ptrdiff_t depth,
                       const real *gate, int mode, int rows, int vectors) {
#define FM_ROWS(r, vectors)                                                                        \
    case r: tile(C, ldc, A, a_row, a_k, B, ldb, depth, gate, mode, r, vectors); break;
#define FM_SIX(first, vectors)                                                                   \
    FM_ROWS(first, vectors) FM_ROWS(first + 1, vectors) FM_ROWS(first + 2, vectors)              \
    FM_ROWS(first + 3, vectors) FM_ROWS(first + 4, vectors) FM_ROWS(first + 5, vectors)
    if (vectors == 1) {
        switch (rows) { FM_SIX(1, 1) FM_SIX(7, 1) }
        return;
    }
    switch (rows) {
        FM_SIX(1, 2)
#if TILE_ROWS > 6
        FM_SIX(7, 2)
#endif
    }
#undef FM_ROWS
#undef FM_SIX
}

/* With A by rows, and by columns: one of its strides is known to the compiler. */
FM_APART void tile_by_rows(real *C, ptrdiff_t ldc, const real *A, ptrdiff_t lda, const real *B,
                           ptrdiff_t ldb, ptrdiff_t depth, const real *gate, int mode, int rows,
                           int vectors) {
    tile_of(C, ldc, A, lda, 1, B, ldb, depth, gate, mode, rows, vectors);
}
FM_APART void tile_by_columns(real *C, ptrdiff_t ldc, const real *A, ptrdiff_t lda, const real *B,
                              ptrdiff_t ldb, ptrdiff_t depth, const real *gate, int mode, int rows,
                              int vectors) {
    tile_of(C, ldc, A, 1, lda, B, ldb, depth, gate, mode, rows, vectors);
}

/* Vectors in the panel that begins at column `first`. */
static inline int vectors_at(ptrdiff_t cols, ptrdiff_t first) {
    return cols - first > LANES ? 2 : 1;
}

/* Entries in each of its rows. */
static inline ptrdiff_t width_at(ptrdiff_t cols, ptrdiff_t first) {
    return cols == 1 ? 1 : vectors_at(cols, first) * LANES;
}

/* The layout of a panelled matrix of `rows` rows. */
static inline layout panelled(ptrdiff_t rows) { return (layout){rows * PANEL, 0}; }

/* Rows `begin .. end` of C by tiles; a row of 0 in a layout stands for "as wide as the panel". The
 * tiles of a panel are of even height, so that no thin one is left over. */
static void rows_of_product(real *C, layout lc, const real *A, ptrdiff_t lda, int by_columns,
                            const real *B, layout lb, ptrdiff_t begin, ptrdiff_t end,
                            ptrdiff_t depth, ptrdiff_t cols, const real *gate, int mode) {
    for (ptrdiff_t first = 0, p = 0; first < cols; first += PANEL, p++) {
        const int vectors = vectors_at(cols, first);
        const ptrdiff_t most = vectors == 1 ? TALL_ROWS : TILE_ROWS;
        const ptrdiff_t tiles = (end - begin + most - 1) / most;
        const ptrdiff_t height = (end - begin) / tiles, taller = (end - begin) % tiles;
        const ptrdiff_t ldc = lc.row ? lc.row : vectors * LANES;
        const ptrdiff_t ldb = lb.row ? lb.row : vectors * LANES;
        for (ptrdiff_t t = 0, r = begin; t < tiles; t++) {
            const int rows = (int)(height + (t < taller));
            real *const c = C + p * lc.panel + r * ldc;
            const real *const b = B + p * lb.panel;
            const real *const g = gate ? gate + p * lc.panel + r * ldc : NULL;
            if (by_columns)
                tile_by_columns(c, ldc, A + r, lda, b, ldb, depth, g, mode, rows, vectors);
            else
                tile_by_rows(c, ldc, A + r * lda, lda, b, ldb, depth, g, mode, rows, vectors);
            r += rows;
        }
    }
}

/* C[m, cols]. A by columns jumps from line to line: the rows of C are taken in blocks, whose part of
 * A stays close while all panels pass by. */
enum { BLOCK_BYTES = 65536 };

static void panel_product(real *C, layout lc, const real *A, ptrdiff_t lda, int by_columns,
                          const real *B, layout lb, ptrdiff_t m, ptrdiff_t depth, ptrdiff_t cols,
                          const real *gate, int mode) {
    const ptrdiff_t fit = BLOCK_BYTES / (depth * (ptrdiff_t)sizeof(real)) / TALL_ROWS;
    const ptrdiff_t block = by_columns ? TALL_ROWS * (fit ? fit : 1) : m;
    for (ptrdiff_t begin = 0; begin < m; begin += block)
        rows_of_product(C, lc, A, lda, by_columns, B, lb, begin,
                        begin + block < m ? begin + block : m, depth, cols, gate, mode);
}

/* z = a W~ for a single row: up to four panels at once, so that the sums of one do not wait for
 * each other. */
FM_INLINE void row_block(real *z, const real *a, const real *W, ptrdiff_t depth, int relu,
                         const int panels, const int vectors) {
    vec acc[4][2];
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) acc[p][v] = splat(0);
    for (ptrdiff_t k = 0; k < depth; k++) {
        const vec x = splat(a[k]);
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[p][v] +=
                    x * load(W + p * depth * PANEL + k * vectors * LANES + v * LANES, LANES, 0);
    }
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            const vec t = acc[p][v];
            store(z + p * PANEL + v * LANES, relu ? select_(t <= 0, splat(0), t) : t, LANES);
        }
}

static void panel_row(real *z, const real *a, const real *W, ptrdiff_t depth, ptrdiff_t cols,
                      int relu) {
    const ptrdiff_t wide = (cols + LANES - 1) / PANEL; /* panels of two vectors */
    ptrdiff_t p = 0;
    for (; p + 4 <= wide; p += 4)
        row_block(z + p * PANEL, a, W + p * depth * PANEL, depth, relu, 4, 2);
    for (; p + 2 <= wide; p += 2)
        row_block(z + p * PANEL, a, W + p * depth * PANEL, depth, relu, 2, 2);
    for (; p < wide; p++) row_block(z + p * PANEL, a, W + p * depth * PANEL, depth, relu, 1, 2);
    if (p * PANEL < cols) row_block(z + p * PANEL, a, W + p * depth * PANEL, depth, relu, 1, 1);
}

/* ---- a single column ---- */

/* out[r] = A[r, :] w for `rows` rows at once, kept as mode says; C has its rows ldc apart. */
FM_INLINE void dot_block(real *C, ptrdiff_t ldc, const real *A, ptrdiff_t lda, const real *w,
                         ptrdiff_t depth, const real *gate, int mode, const int rows) {
    vec acc[4] = {splat(0), splat(0), splat(0), splat(0)};
    real sums[4];
    for (ptrdiff_t k = 0; k < depth; k += LANES) {
        const vec b = load(w + k, depth - k, 0);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) acc[r] += load(A + r * lda + k, depth - k, 0) * b;
    }
    four_sums(sums, acc);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        real x = sums[r];
        if (mode == RELU && x <= 0) x = 0;
        if (mode == GATE && !(gate[r * ldc] > 0)) x = 0;
        C[r * ldc] = x;
    }
}

static void dots(real *C, ptrdiff_t ldc, const real *A, ptrdiff_t lda, const real *w,
                 ptrdiff_t rows, ptrdiff_t depth, const real *gate, int mode) {
    ptrdiff_t r = 0;
    for (; r + 4 <= rows; r += 4)
        dot_block(C + r * ldc, ldc, A + r * lda, lda, w, depth, gate ? gate + r * ldc : NULL, mode,
                  4);
    for (; r < rows; r++)
        dot_block(C + r * ldc, ldc, A + r * lda, lda, w, depth, gate ? gate + r * ldc : NULL, mode,
                  1);
}

/* below[r, :] = d[r] w, kept where gate is positive */
static void outer(real *below, ptrdiff_t ld, const real *d, ptrdiff_t ldd, const real *w,
                  ptrdiff_t rows, ptrdiff_t cols, const real *gate) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c += LANES) {
            const vec x = d[r * ldd] * load(w + c, LANES, 0);
            store(below + r * ld + c,
                  gate ? select_(load(gate + r * ld + c, LANES, 0) > 0, x, splat(0)) : x, LANES);
        }
}

/* out[:k] (+)= sum_r d[r] A[r, :k], k entries in `vectors` vectors */
FM_INLINE void column_block(real *out, const real *A, ptrdiff_t lda, const real *d, ptrdiff_t ldd,
                            ptrdiff_t rows, ptrdiff_t k, int accumulate, const int vectors) {
    vec acc[8];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) acc[v] = splat(0);
    for (ptrdiff_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            acc[v] += d[r * ldd] * load(A + r * lda + v * LANES, k - v * LANES, 0);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
        real *const at = out + v * LANES;
        const ptrdiff_t left = k - v * LANES;
        store(at, accumulate ? acc[v] + load(at, left, 0) : acc[v], left);
    }
}

static void weighted_sum(real *out, const real *A, ptrdiff_t lda, const real *d, ptrdiff_t ldd,
                         ptrdiff_t rows, ptrdiff_t cols, int accumulate) {
    ptrdiff_t c = 0;
    for (; c + 8 * LANES <= cols; c += 8 * LANES)
        column_block(out + c, A + c, lda, d, ldd, rows, 8 * LANES, accumulate, 8);
    for (; c + LANES <= cols; c += LANES)
        column_block(out + c, A + c, lda, d, ldd, rows, LANES, accumulate, 1);
    if (c < cols) column_block(out + c, A + c, lda, d, ldd, rows, cols - c, accumulate, 1);
}

/* ---- the three products of a layer ---- */

static void panel_forward(real *Z, const real *A, const real *W, ptrdiff_t rows, ptrdiff_t fan_in,
                          ptrdiff_t fan_out, ptrdiff_t ldz, ptrdiff_t lda, int relu) {
    const int mode = relu ? RELU : STORE;
    if (fan_out == 1)
        dots(Z, ldz, A, lda, W, rows, fan_in + 1, NULL, mode);
    else if (rows == 1)
        panel_row(Z, A, W, fan_in + 1, fan_out, relu);
    else
        panel_product(Z, (layout){PANEL, ldz}, A, lda, 0, W, panelled(fan_in + 1), rows, fan_in + 1,
                      fan_out, NULL, mode);
}

static void panel_delta(real *below, const real *delta, const real *W_turned, const real *gate,
                        ptrdiff_t rows, ptrdiff_t fan_in, ptrdiff_t fan_out, ptrdiff_t ld_below,
                        ptrdiff_t ld_delta) {
    const int mode = gate ? GATE : STORE;
    if (fan_in == 1)
        dots(below, ld_below, delta, ld_delta, W_turned, rows, fan_out, gate, mode);
    else if (fan_out == 1)
        outer(below, ld_below, delta, ld_delta, W_turned, rows, fan_in, gate);
    else
        panel_product(below, (layout){PANEL, ld_below}, delta, ld_delta, 0, W_turned,
                      panelled(fan_out), rows, fan_out, fan_in, gate, mode);
}

static void panel_grad(real *grad, const real *A, const real *delta, ptrdiff_t rows,
                       ptrdiff_t fan_in, ptrdiff_t fan_out, ptrdiff_t lda, ptrdiff_t ld_delta,
                       int accumulate) {
    if (fan_out == 1)
        weighted_sum(grad, A, lda, delta, ld_delta, rows, fan_in + 1, accumulate);
    else
        panel_product(grad, panelled(fan_in + 1), A, lda, 1, delta, (layout){PANEL, ld_delta},
                      fan_in + 1, rows, fan_out, NULL, accumulate ? ADD : STORE);
}

/* Columns of a row with its padding. */
static ptrdiff_t padded(ptrdiff_t cols) {
    return cols == 1 ? 1 : (cols + LANES - 1) / LANES * LANES;
}

/* Panels of m[rows, cols], row-major; and back, when `back` is set. */
static void panel_copy(real *panels, real *m, ptrdiff_t rows, ptrdiff_t cols, int back) {
    for (ptrdiff_t first = 0; first < cols; first += PANEL) {
        const ptrdiff_t width = width_at(cols, first);
        const ptrdiff_t real_cols = cols - first < width ? cols - first : width;
        for (ptrdiff_t r = 0; r < rows; r++, panels += width) {
            if (back) {
                memcpy(m + r * cols + first, panels, (size_t)real_cols * sizeof(real));
            } else {
                memcpy(panels, m + r * cols + first, (size_t)real_cols * sizeof(real));
                memset(panels + real_cols, 0, (size_t)(width - real_cols) * sizeof(real));
            }
        }
    }
}

/* Panels of W' (fan_out rows) from those of W~ (fan_in + 1 rows, the last left out): rows
 * begin .. end, which are columns of W~. */
static void panel_turn(real *turned, const real *W, ptrdiff_t fan_in, ptrdiff_t fan_out,
                       ptrdiff_t begin, ptrdiff_t end) {
    for (ptrdiff_t from = 0; from < fan_in; from += PANEL, turned += fan_out * PANEL) {
        const ptrdiff_t width = width_at(fan_in, from);
        const ptrdiff_t real_cols = fan_in - from < width ? fan_in - from : width;
        for (ptrdiff_t first = begin; first < end && first < fan_out; first += PANEL) {
            const ptrdiff_t w_width = width_at(fan_out, first);
            const ptrdiff_t rows = fan_out - first < w_width ? fan_out - first : w_width;
            const real *const block = W + first * (fan_in + 1) + from * w_width;
            real *const out = turned + first * width;
            if (width == PANEL && w_width == PANEL) /* most of them: strides known to the compiler */
                turn_block(out, PANEL, block, PANEL, real_cols, rows);
            else
                turn_block(out, width, block, w_width, real_cols, rows);
            for (ptrdiff_t i = real_cols; i < width; i++)
                for (ptrdiff_t o = 0; o < rows; o++) out[o * width + i] = 0;
        }
    }
}
