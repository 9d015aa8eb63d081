/* Softmax over rows that lie ld apart. Where ld leaves room for whole vectors, rows are read and
 * written in those, and a result's padding is zero. */

enum { SOFTMAX_ROWS = 64 };

/* The lanes at and after column `last` of a row of n that count; the others hold `fill`. */
static inline vec row_end(const real *row, ptrdiff_t last, ptrdiff_t n, ptrdiff_t ld, real fill) {
    return select_(before(n - last), load(row + last, ld - last, fill), splat(fill));
}

/* The highest entry, or the sum, of each of four rows. */
FM_INLINE void rows_across(real *out, const real *const *from, ptrdiff_t last, ptrdiff_t n,
                           ptrdiff_t ld, const int highest) {
    vec across[4];
    for (int i = 0; i < 4; i++) {
        across[i] = row_end(from[i], last, n, ld, highest ? (real)-INFINITY : 0);
        for (ptrdiff_t c = 0; c < last; c += LANES) {
            const vec x = load(from[i] + c, LANES, 0);
            across[i] = highest ? higher(x, across[i]) : across[i] + x;
        }
    }
    across_four(out, across, highest);
}

/* p = softmax(raw) of at most SOFTMAX_ROWS rows; log_sum[r] = log sum exp(raw) of each. The rows are
 * shifted, exponentiated and scaled in passes of their own: within a row, each step waits for the
 * one before. Four rows at a time; where less are left, the last one stands in for the others. */
static void softmax(real *a, real *log_sum, const real *raw, ptrdiff_t rows, ptrdiff_t n,
                    ptrdiff_t ld) {
    real top[SOFTMAX_ROWS], sum[SOFTMAX_ROWS], inverse[SOFTMAX_ROWS];
    const real *from[4];
    const ptrdiff_t last = (n - 1) / LANES * LANES;
    for (ptrdiff_t r = 0; r < rows; r += 4) {
        for (ptrdiff_t i = 0; i < 4; i++) from[i] = raw + (r + i < rows ? r + i : rows - 1) * ld;
        rows_across(top + r, from, last, n, ld, 1);
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < n; c += LANES)
            store(a + r * ld + c, load(raw + r * ld + c, ld - c, 0) - top[r], ld - c);
    map_exp(a, a, rows * ld);
    for (ptrdiff_t r = 0; r < rows; r += 4) {
        for (ptrdiff_t i = 0; i < 4; i++) from[i] = a + (r + i < rows ? r + i : rows - 1) * ld;
        rows_across(sum + r, from, last, n, ld, 0);
    }
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        const vec sums = load(sum + r, rows - r, 1);
        store(inverse + r, 1 / sums, rows - r);
        store(log_sum + r, load(top + r, rows - r, 0) + vlog(sums), rows - r);
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        real *const p = a + r * ld;
        for (ptrdiff_t c = 0; c < last; c += LANES)
            store(p + c, load(p + c, LANES, 0) * inverse[r], LANES);
        store(p + last, row_end(p, last, n, ld, 0) * inverse[r], ld - last);
    }
}
