/* Rows into columns, by sixteen bytes: what every instruction set shuffles well. */

typedef real NAME(few) __attribute__((vector_size(16)));
enum { NAME(FEW) = 16 / sizeof(real) };

/* r[j][i] = r[i][j] of FEW vectors */
static inline void NAME(turn)(NAME(few) *r) {
#if REAL_IS_FLOAT /* by pairs of pairs */
    const NAME(few) low_01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    const NAME(few) high_01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    const NAME(few) low_23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const NAME(few) high_23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
#else
    const NAME(few) low = __builtin_shufflevector(r[0], r[1], 0, 2);
    r[1] = __builtin_shufflevector(r[0], r[1], 1, 3);
    r[0] = low;
#endif
}

static inline NAME(few) NAME(joined)(NAME(few) a, NAME(few) b, const int highest) {
    const __typeof__(a > b) higher = a > b;
    return highest ? (NAME(few))((higher & (__typeof__(higher))a) | (~higher & (__typeof__(higher))b))
                   : a + b;
}

/* The sum, or the highest lane, of each of four vectors: FEW at a time are turned, and joined lane by
 * lane. */
static inline __attribute__((always_inline)) void NAME(across_four)(real *out, const vec *x,
                                                                    const int highest) {
    for (int first = 0; first < 4; first += NAME(FEW)) {
        NAME(few) q[NAME(FEW)], part;
        for (int r = 0; r < NAME(FEW); r++) {
            memcpy(&q[r], &x[first + r], sizeof part);
            for (int i = NAME(FEW); i < LANES; i += NAME(FEW)) {
                memcpy(&part, (const real *)&x[first + r] + i, sizeof part);
                q[r] = NAME(joined)(q[r], part, highest);
            }
        }
        NAME(turn)(q);
        for (int r = 1; r < NAME(FEW); r++) q[0] = NAME(joined)(q[0], q[r], highest);
        memcpy(out + first, &q[0], sizeof part);
    }
}
static inline void NAME(four_sums)(real *sums, const vec *x) { NAME(across_four)(sums, x, 0); }

/* to[j, i] = from[i, j] for FEW rows and columns */
static inline void NAME(turn_few)(real *to, ptrdiff_t ld_to, const real *from, ptrdiff_t ld) {
    NAME(few) r[NAME(FEW)];
    for (int i = 0; i < NAME(FEW); i++) memcpy(&r[i], from + i * ld, sizeof r[i]);
    NAME(turn)(r);
    for (int i = 0; i < NAME(FEW); i++) memcpy(to + i * ld_to, &r[i], sizeof r[i]);
}

/* to[cols, rows] = from[rows, cols]' */
static inline __attribute__((always_inline)) void
NAME(turn_block)(real *to, const ptrdiff_t ld_to, const real *from, const ptrdiff_t ld,
                 ptrdiff_t rows, ptrdiff_t cols) {
    const ptrdiff_t whole_rows = rows - rows % NAME(FEW), whole_cols = cols - cols % NAME(FEW);
    for (ptrdiff_t j = 0; j < whole_cols; j += NAME(FEW))
        for (ptrdiff_t i = 0; i < whole_rows; i += NAME(FEW))
            NAME(turn_few)(to + j * ld_to + i, ld_to, from + i * ld + j, ld);
    for (ptrdiff_t i = whole_rows; i < rows; i++)
        for (ptrdiff_t j = 0; j < whole_cols; j++) to[j * ld_to + i] = from[i * ld + j];
    for (ptrdiff_t j = whole_cols; j < cols; j++)
        for (ptrdiff_t i = 0; i < rows; i++) to[j * ld_to + i] = from[i * ld + j];
}
