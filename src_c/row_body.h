/* One row through one layer, on weights as theta holds them: z = b + a W, W row-major.
 *
 * A single row reads every weight once, so that no other layout pays for itself. The sums of a
 * block of columns stay in registers; where there are few, several partial sums per column keep
 * the multiply-adds from waiting for each other. */

enum { NAME(ROW_VECTORS) = 8, NAME(ROW_AHEAD) = 4 };
#define ROW_VECTORS NAME(ROW_VECTORS)
#define ROW_AHEAD NAME(ROW_AHEAD)

/* Columns [0, vectors * LANES); a full block asks for the rows to come, whose addresses are too far
 * apart for the CPU to guess them. */
static inline __attribute__((always_inline)) void
NAME(row_columns)(real *z, const real *a, const real *W, const real *b, ptrdiff_t depth,
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
            if (chains == 1)
#pragma GCC unroll 8
                for (int v = 0; v < vectors; v += 64 / (int)sizeof(vec))
                    __builtin_prefetch(row + ROW_AHEAD * ldw + v * LANES);
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
static real NAME(row_dot)(const real *a, const real *w, ptrdiff_t n) {
    vec acc[4] = {splat(0), splat(0), splat(0), splat(0)};
    ptrdiff_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            acc[c] += load(a + k + c * LANES, LANES, 0) * load(w + k + c * LANES, LANES, 0);
    for (; k < n; k += LANES) acc[0] += load(a + k, n - k, 0) * load(w + k, n - k, 0);
    const vec total = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    real sum = 0;
    for (int i = 0; i < LANES; i++) sum += total[i];
    return sum;
}

/* Fewer columns than lanes: a vector takes in the beginning of the next row, whose lanes are not
 * stored; near the end of W there is no next row. */
static void NAME(row_narrow)(real *z, const real *a, const real *W, const real *b, ptrdiff_t depth,
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

static void NAME(row_forward)(real *z, const real *a, const real *W, const real *b,
                              ptrdiff_t fan_in, ptrdiff_t fan_out, int relu) {
    if (fan_out == 1) {
        const real t = b[0] + NAME(row_dot)(a, W, fan_in);
        z[0] = relu && t <= 0 ? 0 : t;
        return;
    }
    if (fan_out < LANES) {
        NAME(row_narrow)(z, a, W, b, fan_in, fan_out, relu);
        return;
    }
    ptrdiff_t c = 0;
    for (; fan_out - c >= 8 * LANES; c += 8 * LANES)
        NAME(row_columns)(z + c, a, W + c, b + c, fan_in, fan_out, relu, 8);
    for (; fan_out - c >= 4 * LANES; c += 4 * LANES)
        NAME(row_columns)(z + c, a, W + c, b + c, fan_in, fan_out, relu, 4);
    for (; fan_out - c >= 2 * LANES; c += 2 * LANES)
        NAME(row_columns)(z + c, a, W + c, b + c, fan_in, fan_out, relu, 2);
    /* The last vector may overlap the one before: the same sums, up to their order. */
    for (; c < fan_out; c += LANES) {
        if (fan_out - c < LANES) c = fan_out - LANES;
        NAME(row_columns)(z + c, a, W + c, b + c, fan_in, fan_out, relu, 1);
    }
}
