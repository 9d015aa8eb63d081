/* One row through one layer, on weights as theta holds them: z = b + a W, W row-major.
 *
 * A single row reads every weight once, so that no other layout pays for itself, and in the order in
 * which they lie, so that the CPU can fetch ahead. */

enum { ROW_VECTORS = 8, ROW_BLOCK = 8 };

/* Columns [0, vectors * LANES), their sums in registers. Where these are few, several partial sums
 * per column keep the multiply-adds from waiting for each other. */
FM_INLINE void row_columns(real *z, const real *a, const real *W, const real *b, ptrdiff_t depth,
                           ptrdiff_t ldw, int relu, const int vectors) {
    const int chains = ROW_VECTORS / vectors;
    vec acc[ROW_VECTORS][ROW_VECTORS];
#pragma GCC unroll 8
    for (int c = 0; c < chains; c++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) acc[c][v] = c ? splat(0) : load(b + v * LANES, LANES, 0);
    ptrdiff_t k = 0;
    for (; k + chains <= depth; k += chains)
#pragma GCC unroll 8
        for (int c = 0; c < chains; c++) {
            const real *const row = W + (k + c) * ldw;
            const vec x = splat(a[k + c]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) acc[c][v] += x * load(row + v * LANES, LANES, 0);
        }
    for (; k < depth; k++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            acc[0][v] += splat(a[k]) * load(W + k * ldw + v * LANES, LANES, 0);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
        vec t = acc[0][v];
#pragma GCC unroll 8
        for (int c = 1; c < chains; c++) t += acc[c][v];
        store(z + v * LANES, relu ? select_(t <= 0, splat(0), t) : t, LANES);
    }
}

/* A single column: a dot product. */
static real row_dot(const real *a, const real *w, ptrdiff_t n) {
    vec acc[4] = {splat(0), splat(0), splat(0), splat(0)};
    ptrdiff_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            acc[c] += load(a + k + c * LANES, LANES, 0) * load(w + k + c * LANES, LANES, 0);
    for (; k + LANES <= n; k += LANES) acc[0] += load(a + k, LANES, 0) * load(w + k, LANES, 0);
    const vec total = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    real sum = 0;
    for (int i = 0; i < LANES; i++) sum += total[i];
    for (; k < n; k++) sum += a[k] * w[k];
    return sum;
}

/* Fewer columns than lanes: a vector takes in the beginning of the next row, whose lanes are not
 * stored; near the end of W there is no next row. */
static void row_narrow(real *z, const real *a, const real *W, const real *b, ptrdiff_t depth,
                       ptrdiff_t cols, int relu) {
    const ptrdiff_t whole = depth * cols - LANES;
    vec acc[4] = {load(b, cols, 0), splat(0), splat(0), splat(0)};
    ptrdiff_t k = 0;
    for (; (k + 3) * cols <= whole; k += 4)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            acc[c] += splat(a[k + c]) * load(W + (k + c) * cols, LANES, 0);
    for (; k < depth; k++) acc[0] += splat(a[k]) * load(W + k * cols, cols, 0);
    const vec t = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    store(z, relu ? select_(t <= 0, splat(0), t) : t, cols);
}

/* z[cols] += a[rows] W[rows, cols], cols being whole vectors. */
FM_INLINE void row_add(real *z, const real *a, const real *W, ptrdiff_t cols, ptrdiff_t ldw,
                       const int rows) {
    vec x[ROW_BLOCK];
#pragma GCC unroll 8
    for (int k = 0; k < rows; k++) x[k] = splat(a[k]);
    for (ptrdiff_t c = 0; c < cols; c += LANES) {
        vec t = load(z + c, LANES, 0);
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++) t += x[k] * load(W + k * ldw + c, LANES, 0);
        store(z + c, t, LANES);
    }
}

/* Too many columns for the registers: some rows at a time, sums in z. */
static void row_wide(real *z, const real *a, const real *W, const real *b, ptrdiff_t depth,
                     ptrdiff_t cols, int relu) {
    const ptrdiff_t whole = cols / LANES * LANES;
    memcpy(z, b, (size_t)whole * sizeof(real));
    ptrdiff_t k = 0;
    for (; k + ROW_BLOCK <= depth; k += ROW_BLOCK)
        row_add(z, a + k, W + k * cols, whole, cols, ROW_BLOCK);
    for (; k < depth; k++) row_add(z, a + k, W + k * cols, whole, cols, 1);
    for (ptrdiff_t c = 0; relu && c < whole; c += LANES) {
        const vec t = load(z + c, LANES, 0);
        store(z + c, select_(t <= 0, splat(0), t), LANES);
    }
    const ptrdiff_t last = cols - LANES;
    if (whole < cols) row_columns(z + last, a, W + last, b + last, depth, cols, relu, 1);
}

static void row_forward(real *z, const real *a, const real *W, const real *b, ptrdiff_t fan_in,
                        ptrdiff_t fan_out, int relu) {
    if (fan_out == 1) {
        const real t = b[0] + row_dot(a, W, fan_in);
        z[0] = relu && t <= 0 ? 0 : t;
        return;
    }
    if (fan_out < LANES) {
        row_narrow(z, a, W, b, fan_in, fan_out, relu);
        return;
    }
    if (fan_out > 2 * ROW_VECTORS * LANES) {
        row_wide(z, a, W, b, fan_in, fan_out, relu);
        return;
    }
    ptrdiff_t c = 0;
    for (; fan_out - c >= 8 * LANES; c += 8 * LANES)
        row_columns(z + c, a, W + c, b + c, fan_in, fan_out, relu, 8);
    for (; fan_out - c >= 4 * LANES; c += 4 * LANES)
        row_columns(z + c, a, W + c, b + c, fan_in, fan_out, relu, 4);
    for (; fan_out - c >= 2 * LANES; c += 2 * LANES)
        row_columns(z + c, a, W + c, b + c, fan_in, fan_out, relu, 2);
    /* The last vector may overlap the one before: the same sums, up to their order. */
    for (; c < fan_out; c += LANES) {
        if (fan_out - c < LANES) c = fan_out - LANES;
        row_columns(z + c, a, W + c, b + c, fan_in, fan_out, relu, 1);
    }
}
