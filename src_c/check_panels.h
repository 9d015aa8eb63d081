/* Products of layers, in panels and for one row, updates of panels, and Gram matrices. */

static void check_padded(const fm_kernels *k, ptrdiff_t n) {
    const ptrdiff_t lanes = k->padded(2);
    compare(k->padded(n), n == 1 ? 1 : (n + lanes - 1) / lanes * lanes, 0);
    verdict(CHECK_padded, "", (long)n);
}

/* Padding of activations and deltas is NaN and must reach nothing but padding. */
static void check_panels(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out) {
    const ptrdiff_t lda = k->padded(in + 1), ldd = k->padded(out), ldb = k->padded(in);
    const ptrdiff_t n = (in + 1) * out, lanes = k->padded(2);
    const long label = (long)(rows * 1000000 + in * 1000 + out);
    real *theta = filled(n), *back = filled(n), *W = filled((in + 1) * ldd);
    real *turned = filled(out * ldb), *transposed = filled(in * out),
         *grad = filled((in + 1) * ldd);
    real *A = filled(rows * lda), *D = filled(rows * ldd), *Z = filled(rows * ldd);
    real *B = filled(rows * ldb), *gate = filled(rows * ldb);
    for (ptrdiff_t r = 0; r < rows; r++) {
        A[r * lda + in] = 1;
        for (ptrdiff_t c = in + 1; c < lda; c++) A[r * lda + c] = NAN;
        for (ptrdiff_t c = out; c < ldd; c++) D[r * ldd + c] = NAN;
    }
    k->panel_copy(W, theta, in + 1, out, 0);
    k->panel_copy(W, back, in + 1, out, 1);
    for (ptrdiff_t i = 0; i < n; i++) compare_same(back[i], theta[i]);
    verdict(CHECK_panel_copy, "", label);
    for (ptrdiff_t first = 0; first < out; first += 2 * lanes)
        k->panel_turn(turned, W, in, out, first, first + 2 * lanes);
    k->panel_copy(turned, transposed, out, in, 1);
    for (ptrdiff_t i = 0; i < in * out; i++)
        compare_same(transposed[i % out * in + i / out], theta[i]);
    verdict(CHECK_panel_turn, "", label);
    for (int relu = 0; relu < 2; relu++) {
        k->panel_forward(Z, A, W, rows, in, out, ldd, lda, relu);
        for (ptrdiff_t i = 0; i < rows * out; i++) {
            const ptrdiff_t r = i / out, o = i % out;
            wide z = 0, size = 0;
            for (ptrdiff_t j = 0; j <= in; j++) {
                const wide term = (wide)A[r * lda + j] * theta[j * out + o];
                z += term, size += fabsl(term);
            }
            compare_sum(Z[r * ldd + o], relu && z < 0 ? 0 : z, in + 1, size);
        }
        verdict(CHECK_panel_forward, relu ? "relu" : "", label);
    }
    for (int gated = 0; gated < 2; gated++) {
        k->panel_delta(B, D, turned, gated ? gate : NULL, rows, in, out, ldb, ldd);
        for (ptrdiff_t i = 0; i < rows * in; i++) {
            const ptrdiff_t r = i / in, j = i % in;
            wide d = 0, size = 0;
            for (ptrdiff_t o = 0; o < out; o++) {
                const wide term = (wide)D[r * ldd + o] * theta[j * out + o];
                d += term, size += fabsl(term);
            }
            compare_sum(B[r * ldb + j], gated && gate[r * ldb + j] <= 0 ? 0 : d, out, size);
        }
        verdict(CHECK_panel_delta, gated ? "gated" : "", label);
    }
    k->panel_grad(grad, A, D, rows, in, out, lda, ldd, 0);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        if (accumulate) k->panel_grad(grad, A, D, rows, in, out, lda, ldd, 1);
        k->panel_copy(grad, back, in + 1, out, 1);
        for (ptrdiff_t i = 0; i < n; i++) {
            wide g = 0, size = 0;
            for (ptrdiff_t r = 0; r < rows; r++) {
                const wide term = (wide)A[r * lda + i / out] * D[r * ldd + i % out];
                g += (1 + accumulate) * term, size += (1 + accumulate) * fabsl(term);
            }
            compare_sum(back[i], g, rows + accumulate, size);
        }
        verdict(CHECK_panel_grad, accumulate ? "added" : "", label);
    }
    free_taken();
}

static void check_row(const fm_kernels *k, ptrdiff_t in, ptrdiff_t out) {
    real *W = filled(in * out), *b = filled(out), *z = filled(out), *a = filled(in);
    for (int relu = 0; relu < 2; relu++) {
        k->row_forward(z, a, W, b, in, out, relu);
        for (ptrdiff_t o = 0; o < out; o++) {
            wide t = b[o], size = fabsl(t);
            for (ptrdiff_t i = 0; i < in; i++)
                t += (wide)a[i] * W[i * out + o], size += fabsl((wide)a[i] * W[i * out + o]);
            compare_sum(z[o], relu && t < 0 ? 0 : t, in + 1, size);
        }
        verdict(CHECK_row_forward, relu ? "relu" : "", pair(in, out));
    }
    free_taken();
}

/* Rows of a Jacobian of two layers, n_raw to a sample, their deltas padded by NaN: single products.
 * Then their Gram matrix in two shares, on top of ones. */
static void check_gram(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t in, ptrdiff_t width,
                       ptrdiff_t n_raw) {
    const ptrdiff_t lanes = k->padded(2), ldd = k->padded(width), total = rows * n_raw;
    const ptrdiff_t split = (in + 1) * width, cols = split + width + 1;
    const ptrdiff_t side = (cols + lanes - 1) / lanes * lanes;
    const long label = (long)(rows * 1000000 + in * 1000 + width);
    real *a = filled(rows * (in + 1)), *b = filled(rows * (width + 1)), *d = filled(total * ldd);
    real *e = filled(total), *row = filled(cols + 2 * lanes), *strips = filled(total * side);
    real *G = made_of(1, side * side), *J = filled(total * side);
    for (ptrdiff_t r = 0; r < rows; r++) a[r * (in + 1) + in] = b[r * (width + 1) + width] = 1;
    for (ptrdiff_t i = 0; i < total; i++)
        for (ptrdiff_t j = width; j < ldd; j++) d[i * ldd + j] = NAN;
    for (ptrdiff_t i = 0; i < total * side; i++) {
        const ptrdiff_t r = i / side, p = i % side;
        const real *const a_r = a + r / n_raw * (in + 1), *const b_r = b + r / n_raw * (width + 1);
        J[i] = p >= cols   ? 0
               : p < split ? a_r[p / width] * d[r * ldd + p % width]
                           : b_r[p - split] * e[r];
    }
    for (ptrdiff_t r = 0, n = rows / 3; r < rows; r += n, n = rows - r) {
        const fm_stretch layers[] = {
            {a + r * (in + 1), d + r * n_raw * ldd, in + 1, ldd, in, width},
            {b + r * (width + 1), e + r * n_raw, width + 1, 1, width, 1}};
        k->jacobian_rows(strips, row, layers, 2, n_raw, n * n_raw, r * n_raw, total);
    }
    for (ptrdiff_t i = 0; i < total * side; i++)
        compare_same(strips[i % side / lanes * lanes * total + i / side * lanes + i % lanes], J[i]);
    verdict(CHECK_jacobian_rows, "", label);
    for (int share = 0; share < 2; share++) k->gram_add(G, strips, total, cols, share, 2);
    for (ptrdiff_t i = 0; i < cols; i++)
        for (ptrdiff_t j = i; j < cols; j++) {
            wide g = 1, size = 1;
            for (ptrdiff_t r = 0; r < total; r++) {
                const wide term = (wide)J[r * side + i] * J[r * side + j];
                g += term, size += fabsl(term);
            }
            compare_sum(G[i * side + j], g, total + 1, size);
        }
    verdict(CHECK_gram_add, "", label), free_taken();
}
