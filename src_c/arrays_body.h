/* Rows of the user's X, by index, into a contiguous tile. */

/* Rows lie anywhere: so many are asked for ahead, those of the next batch while this one is swept. */
enum { AHEAD = 8 };

static inline void copy_row(real *to, const real *from, ptrdiff_t cols) {
    for (; cols >= LANES; cols -= LANES, to += LANES, from += LANES)
        memcpy(to, from, sizeof(vec));
#pragma GCC unroll 4
    for (int piece = LANES / 2; piece > 0; piece /= 2)
        if (cols & piece) {
            memcpy(to, from, (size_t)piece * sizeof(real));
            to += piece, from += piece;
        }
}

static void gather(real *out, const real *X, const ptrdiff_t *index, ptrdiff_t rows, ptrdiff_t left,
                   ptrdiff_t cols, ptrdiff_t ld, ptrdiff_t row_stride, ptrdiff_t col_stride) {
    if (cols == 1) {
        for (ptrdiff_t r = 0; r < rows; r++) out[r * ld] = X[index[r] * row_stride];
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *const from = X + index[r] * row_stride;
        if (col_stride != 1) {
            for (ptrdiff_t c = 0; c < cols; c++) out[r * ld + c] = from[c * col_stride];
            continue;
        }
        if (r + AHEAD < left) {
            const real *const next = X + index[r + AHEAD] * row_stride;
            for (ptrdiff_t c = 0; c < cols; c += 64 / (ptrdiff_t)sizeof(real))
                __builtin_prefetch(next + c);
        }
        copy_row(out + r * ld, from, cols);
    }
}

static void gather_csr(real *out, const real *data, const ptrdiff_t *indices,
                       const ptrdiff_t *indptr, const ptrdiff_t *index, ptrdiff_t rows,
                       ptrdiff_t cols, ptrdiff_t ld) {
    for (ptrdiff_t r = 0; r < rows; r++) {
        memset(out + r * ld, 0, (size_t)cols * sizeof(real));
        for (ptrdiff_t k = indptr[index[r]]; k < indptr[index[r] + 1]; k++)
            out[r * ld + indices[k]] += data[k];
    }
}

/* x[r, c] = (x[r, c] - mean[c]) / scale[c], reckoned in double: a float32 column whose mean is large
 * beside its spread loses nothing but the rounding of the result. */
static void standardise(real *x, const double *mean, const double *scale, ptrdiff_t rows,
                        ptrdiff_t cols, ptrdiff_t ld) {
    for (ptrdiff_t r = 0; r < rows; r++) {
        real *const restrict row = x + r * ld;
        for (ptrdiff_t c = 0; c < cols; c++)
            row[c] = (real)(((double)row[c] - mean[c]) / scale[c]);
    }
}

static void add(real *sum, const real *more, ptrdiff_t n, ptrdiff_t left) {
    for (ptrdiff_t i = 0; i + n < left && i < n; i += 64 / (ptrdiff_t)sizeof(real))
        __builtin_prefetch(more + n + i);
    FM_EACH(n, store(sum + i, load(sum + i, k, 0) + load(more + i, k, 0), k););
}

/* 1 if every entry is finite: 0 x differs from 0 exactly where x is NaN or infinite. */
static int all_finite(const real *x, ptrdiff_t n) {
    ivec odd = (ivec)splat(0);
    for (ptrdiff_t i = 0; i < n; i += LANES) odd |= load(x + i, n - i, 0) * 0 != 0;
    for (int i = 0; i < LANES; i++)
        if (odd[i]) return 0;
    return 1;
}
