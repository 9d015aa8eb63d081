/* Rows into columns, by sixteen bytes: what every instruction set shuffles well. */

typedef real few __attribute__((vector_size(16)));
enum { FEW = 16 / sizeof(real) };

/* r[j][i] = r[i][j] of FEW vectors */
static inline void turn(few *r) {
#if REAL_IS_FLOAT /* by pairs of pairs */
    const few low_01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    const few high_01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    const few low_23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const few high_23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
#else
    const few low = __builtin_shufflevector(r[0], r[1], 0, 2);
    r[1] = __builtin_shufflevector(r[0], r[1], 1, 3);
    r[0] = low;
#endif
}

static inline few joined(few a, few b, const int highest) {
    const __typeof__(a > b) higher = a > b;
    return highest ? (few)((higher & (__typeof__(higher))a) | (~higher & (__typeof__(higher))b))
                   : a + b;
}

/* The sum, or the highest lane, of each of four vectors: FEW at a time are turned, and joined lane by
 * lane. */
FM_INLINE void across_four(real *out, const vec *x, const int highest) {
    for (int first = 0; first < 4; first += FEW) {
        few q[FEW], part;
        for (int r = 0; r < FEW; r++) {
            memcpy(&q[r], &x[first + r], sizeof part);
            for (int i = FEW; i < LANES; i += FEW) {
                memcpy(&part, (const real *)&x[first + r] + i, sizeof part);
                q[r] = joined(q[r], part, highest);
            }
        }
        turn(q);
        for (int r = 1; r < FEW; r++) q[0] = joined(q[0], q[r], highest);
        memcpy(out + first, &q[0], sizeof part);
    }
}
static inline void four_sums(real *sums, const vec *x) { across_four(sums, x, 0); }

/* to[j, i] = from[i, j] for FEW rows and columns */
static inline void turn_few(real *to, ptrdiff_t ld_to, const real *from, ptrdiff_t ld) {
    few r[FEW];
    for (int i = 0; i < FEW; i++) memcpy(&r[i], from + i * ld, sizeof r[i]);
    turn(r);
    for (int i = 0; i < FEW; i++) memcpy(to + i * ld_to, &r[i], sizeof r[i]);
}

/* to[cols, rows] = from[rows, cols]' */
FM_INLINE void turn_block(real *to, const ptrdiff_t ld_to, const real *from, const ptrdiff_t ld,
                          ptrdiff_t rows, ptrdiff_t cols) {
    const ptrdiff_t whole_rows = rows - rows % FEW, whole_cols = cols - cols % FEW;
    for (ptrdiff_t j = 0; j < whole_cols; j += FEW)
        for (ptrdiff_t i = 0; i < whole_rows; i += FEW)
            turn_few(to + j * ld_to + i, ld_to, from + i * ld + j, ld);
    for (ptrdiff_t i = whole_rows; i < rows; i++)
        for (ptrdiff_t j = 0; j < whole_cols; j++) to[j * ld_to + i] = from[i * ld + j];
    for (ptrdiff_t j = whole_cols; j < cols; j++)
        for (ptrdiff_t i = 0; i < rows; i++) to[j * ld_to + i] = from[i * ld + j];
}
