/* Sparse rows against the dense ones: rows without entries, entries of zero, columns out of order;
 * what lies behind the last real column of delta is not zero and must reach no column. */
static void check_csr(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out) {
    const ptrdiff_t ld = k->padded(out + 1), ldg = k->padded(out), n = rows * in;
    const long label = (long)(rows * 1000000 + in * 1000 + out);
    real *X = made_of(0, n), *all = filled(n), *W = filled((in + 1) * out), *D = filled(rows * ld);
    real *Z = filled(rows * ld), *grad = filled((in + 1) * ldg);
    ptrdiff_t *columns = taken((size_t)n * sizeof *columns), stored = 0;
    ptrdiff_t *indptr = taken((size_t)(rows + 1) * sizeof *indptr);
    ptrdiff_t *index = taken((size_t)rows * sizeof *index);
    ptrdiff_t *place = taken((size_t)(in + 1) * sizeof *place);
    indptr[0] = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        index[r] = rows - 1 - r;
        for (ptrdiff_t c = in - 1; c >= 0; c--) {
            if (r % 4 == 1 || draw() < 1) continue;
            if (c % 5 == 1) all[stored] = 0;
            X[r * in + c] = all[stored], columns[stored++] = c;
        }
        indptr[r + 1] = stored;
    }
    const size_t bytes = (size_t)stored * sizeof *columns;
    const fm_csr csr = {copied(all, stored), memcpy(taken(bytes), columns, bytes), indptr, index};
    for (int relu = 0; relu < 2; relu++) {
        k->csr_forward(Z, &csr, W, rows, in, out, ld, relu);
        for (ptrdiff_t i = 0; i < rows * ld; i++) {
            const ptrdiff_t o = i % ld;
            wide z = o < out ? W[in * out + o] : 0, size = fabsl(z);
            for (ptrdiff_t j = 0; j < in && o < out; j++) {
                const wide term = (wide)X[index[i / ld] * in + j] * W[j * out + o];
                z += term, size += fabsl(term);
            }
            compare_sum(Z[i], relu && z < 0 ? 0 : z, in + 1, size);
        }
        verdict(CHECK_csr_forward, relu ? "relu" : "", label);
    }
    k->csr_grad(grad, place, &csr, D, rows, in, out, ld, 0);
    k->csr_grad(grad, place, &csr, D, rows, in, out, ld, 1);
    ptrdiff_t met = 0;
    for (ptrdiff_t i = 0; i <= in; i++) {
        const ptrdiff_t at = i < in ? place[i] : 0;
        met += at > 0;
        for (ptrdiff_t o = 0; o < out; o++) {
            wide g = 0, size = 0;
            for (ptrdiff_t r = 0; r < rows; r++) {
                const wide term = 2 * (i < in ? (wide)X[index[r] * in + i] : 1) * D[r * ld + o];
                g += term, size += fabsl(term);
            }
            compare_sum(i < in && !at ? 0 : grad[at * ldg + o], g, 2 * rows, size);
        }
    }
    compare(met, place[in], 0);
    verdict(CHECK_csr_grad, "", label), free_taken();
}
