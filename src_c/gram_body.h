/* The Gram matrix of rows, G += J' J, where J is a Jacobian whose rows are made on the spot.
 *
 * Row (i, k) of J holds for each layer the outer product of the activations a~ of sample i and the
 * delta of its k-th residual. Rows are held in strips, one vector wide, each strip row after row. A
 * tile of G stays in the registers while all rows pass by: TILE columns of one strip, broadcast,
 * beside three strips that stay in the first-level cache for all tiles below each other. */

/* Columns on the broadcast side, TILE x 3 accumulators; they divide a vector. */
enum { TILE = VECTOR_BYTES / 8 };

/* row[:(fan_in + 1) fan_out] = (a, 1) d', the one being part of a. Whole vectors are stored: the next
 * ones, and the row's end, take what sticks out. */
static inline void outer_row(real *row, const real *a, const real *d, ptrdiff_t fan_in,
                             ptrdiff_t fan_out) {
    if (fan_out == 1) {
        for (ptrdiff_t p = 0; p <= fan_in; p += LANES)
            store(row + p, d[0] * load(a + p, fan_in + 1 - p, 0), LANES);
        return;
    }
    for (ptrdiff_t p = 0; p <= fan_in; p++, row += fan_out)
        for (ptrdiff_t j = 0; j < fan_out; j += LANES)
            store(row + j, a[p] * load(d + j, LANES, 0), LANES);
}

static void jacobian_rows(real *strips, real *row, const fm_stretch *layers, ptrdiff_t n_layers,
                          ptrdiff_t n_raw, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t total) {
    strips += first * LANES;
    for (ptrdiff_t i = 0; i < rows; i++) {
        ptrdiff_t cols = 0;
        for (ptrdiff_t l = 0; l < n_layers; l++) {
            const fm_stretch s = layers[l];
            outer_row(row + cols, (const real *)s.a + i / n_raw * s.lda,
                      (const real *)s.delta + i * s.ld_delta, s.fan_in, s.fan_out);
            cols += (s.fan_in + 1) * s.fan_out;
        }
        store(row + cols, splat(0), LANES);
        for (ptrdiff_t c = 0; c < cols; c += LANES)
            store(strips + c * total + i * LANES, load(row + c, LANES, 0), LANES);
    }
}

/* G[:TILE, :vectors LANES] += A' B over `rows` rows; strips of B lie one after another. */
FM_INLINE void gram_tile(real *G, ptrdiff_t ldg, const real *A, const real *B, ptrdiff_t rows,
                         const int vectors) {
    vec acc[TILE][3];
#pragma GCC unroll 8
    for (int r = 0; r < TILE; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) {
            acc[r][v] = splat(0);
            __builtin_prefetch(G + r * ldg + v * LANES, 1);
        }
    for (ptrdiff_t k = 0; k < rows; k++) {
        vec b[3];
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) b[v] = load(B + (v * rows + k) * LANES, LANES, 0);
#pragma GCC unroll 8
        for (int r = 0; r < TILE; r++) {
            const vec a = splat(A[k * LANES + r]);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) acc[r][v] += a * b[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < TILE; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) {
            real *const g = G + r * ldg + v * LANES;
            store(g, load(g, LANES, 0) + acc[r][v], LANES);
        }
}

static void gram_add(real *G, const real *strips, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t share,
                     ptrdiff_t shares) {
    const ptrdiff_t n = (cols + LANES - 1) / LANES, ldg = n * LANES;
    /* Strips by threes; what is left over comes first, where there is the least beside it. */
    ptrdiff_t end = (n + 2) % 3 + 1;
    for (ptrdiff_t begin = 0, group = 0; begin < n; begin = end, end += 3, group++) {
        if (group % shares != share) continue;
        for (ptrdiff_t p = 0; p < end * LANES; p += TILE) {
            const ptrdiff_t strip = p / LANES, first = strip > begin ? strip : begin;
            const real *const A = strips + strip * LANES * rows + p % LANES;
            const real *const B = strips + first * LANES * rows;
            real *const g = G + p * ldg + first * LANES;
            switch (end - first) {
            case 1: gram_tile(g, ldg, A, B, rows, 1); break;
            case 2: gram_tile(g, ldg, A, B, rows, 2); break;
            case 3: gram_tile(g, ldg, A, B, rows, 3); break;
            }
        }
    }
}
