/* The roots of loss_root: R R' e_c against Q e_c, for every row and every unit vector, and those of
 * loss_root_mul: R e_c and 2 R e_c against column c. room: of rows * n_raw * (n_raw + 2) entries. */
#define ROOT_SQUARES(real, s, kernels_t)                                                         \
    static int root_squares##s(const kernels_t *k, const real *raw, const real *y, const real *w,\
                               ptrdiff_t rows, ptrdiff_t n_raw, const fm_loss_t *loss,         \
                               real *room) {                                                    \
        const ptrdiff_t n = rows * n_raw;                                                        \
        real *unit = room, *q = room + n, *roots = room + 2 * n;                                 \
        memset(unit, 0, (size_t)n * sizeof(real));                                               \
        real *const z = calloc((size_t)(2 * n), sizeof(real));                                   \
        real *const by_two = malloc((size_t)(2 * n) * sizeof(real));                             \
        real *const scratch = malloc((size_t)(2 * n_raw) * sizeof(real));                        \
        int ok = 1;                                                                              \
        k->loss_root(roots, raw, y, w, rows, n_raw, loss);                                       \
        for (ptrdiff_t c = 0; c < n_raw; c++) {                                                  \
            for (ptrdiff_t r = 0; r < rows; r++) unit[r * n_raw + c] = 1;                        \
            k->loss_mul(q, unit, raw, y, w, rows, n_raw, loss, FM_GGN);                          \
            for (ptrdiff_t i = c; i < 2 * n; i += n_raw) z[i] = (real)(1 + i / n_raw % 2);       \
            k->loss_root_mul(by_two, z, raw, y, w, rows, 2, n_raw, loss, scratch);               \
            for (ptrdiff_t i = c; i < 2 * n; i += n_raw) z[i] = 0;                               \
            for (ptrdiff_t r = 0; r < rows; r++) {                                               \
                const real *R = roots + r * n_raw * n_raw;                                       \
                unit[r * n_raw + c] = 0;                                                         \
                for (ptrdiff_t j = 0; j < n_raw; j++) {                                          \
                    const real *twice = by_two + 2 * r * n_raw, column = R[c * n_raw + j];       \
                    ok &= near##s(twice[j], column) && near##s(twice[n_raw + j], 2 * column);    \
                    double total = 0;                                                            \
                    for (ptrdiff_t m = 0; m < n_raw; m++)                                        \
                        total += (double)R[m * n_raw + j] * R[m * n_raw + c];                    \
                    ok &= near##s(q[r * n_raw + j], total);                                      \
                }                                                                                \
            }                                                                                    \
        }                                                                                        \
        free(z), free(by_two), free(scratch);                                                    \
        return ok;                                                                               \
    }
