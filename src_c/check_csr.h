/* Sparse rows against the dense ones: rows without entries, entries of zero, columns that recur;
 * what lies behind the last real column of delta is not zero and must reach no column. */
#define CSR_CHECK(real, s, kernels_t)                                                            \
    static void check_csr##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out) {  \
        const ptrdiff_t ld = k->padded(out + 1), ldg = k->padded(out), n = rows * in;            \
        real *X = calloc((size_t)(n + in), sizeof(real)), *data = filled((size_t)n, sizeof(real));\
        real *W = filled((size_t)((in + 1) * out), sizeof(real));                                \
        real *D = filled((size_t)(rows * ld), sizeof(real));                                     \
        real *Z = filled((size_t)(rows * ld), sizeof(real));                                     \
        real *grad = filled((size_t)((in + 1) * ldg), sizeof(real));                             \
        ptrdiff_t *indices = malloc((size_t)(n + 1) * sizeof(ptrdiff_t)), stored = 0;            \
        ptrdiff_t *indptr = calloc((size_t)(rows + 1), sizeof(ptrdiff_t));                       \
        ptrdiff_t *index = malloc((size_t)rows * sizeof(ptrdiff_t));                             \
        ptrdiff_t *place = malloc((size_t)(in + 1) * sizeof(ptrdiff_t));                         \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                   \
            index[r] = rows - 1 - r;                                                             \
            for (ptrdiff_t c = in - 1; c >= 0; c--) {                                            \
                if (r % 4 == 1 || draw() < 1) continue;                                          \
                if (c % 5 == 1) data[stored] = 0;                                                \
                X[r * in + c] = data[stored], indices[stored++] = c;                             \
            }                                                                                    \
            indptr[r + 1] = stored;                                                              \
        }                                                                                        \
        data = realloc(data, (size_t)stored * sizeof(real) + 1);                                 \
        indices = realloc(indices, (size_t)stored * sizeof(ptrdiff_t) + 1);                      \
        const fm_csr csr = {data, indices, indptr, index};                                       \
        int ok = 1;                                                                              \
        for (int relu = 0; relu < 2; relu++) {                                                   \
            k->csr_forward(Z, &csr, W, rows, in, out, ld, relu);                                 \
            for (ptrdiff_t r = 0; r < rows; r++)                                                 \
                for (ptrdiff_t o = 0; o < ld; o++) {                                             \
                    double z = o < out ? W[in * out + o] : 0;                                    \
                    for (ptrdiff_t i = 0; i < in && o < out; i++)                                \
                        z += (double)X[index[r] * in + i] * W[i * out + o];                      \
                    ok &= near##s(Z[r * ld + o], relu && z < 0 ? 0 : z);                         \
                }                                                                                \
        }                                                                                        \
        k->csr_grad(grad, place, &csr, D, rows, in, out, ld, 0);                                 \
        k->csr_grad(grad, place, &csr, D, rows, in, out, ld, 1);                                 \
        ptrdiff_t met = 0;                                                                       \
        for (ptrdiff_t i = 0; i <= in; i++) {                                                    \
            const ptrdiff_t at = i < in ? place[i] : 0;                                          \
            met += at > 0;                                                                       \
            for (ptrdiff_t o = 0; o < out; o++) {                                                \
                double g = 0;                                                                    \
                for (ptrdiff_t r = 0; r < rows; r++)                                             \
                    g += 2 * (i < in ? (double)X[index[r] * in + i] : 1) * D[r * ld + o];        \
                ok &= near##s(i < in && !at ? 0 : grad[at * ldg + o], g);                        \
            }                                                                                    \
        }                                                                                        \
        expect(ok && met == place[in], "csr", #real, (long)(rows * 1000000 + in * 1000 + out));  \
        free(X), free(data), free(W), free(D), free(Z), free(grad);                              \
        free(indices), free(indptr), free(index), free(place);                                   \
    }
