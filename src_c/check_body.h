/* The checks for one element type `real`. EPSILON: 1 and the next number's distance. */

enum { MOST = 80 }; /* columns of a row */

static real *filled(ptrdiff_t n) {
    real *const x = taken((size_t)n * sizeof(real));
    for (ptrdiff_t i = 0; i < n; i++) x[i] = (real)draw();
    return x;
}

static real *copied(const real *x, ptrdiff_t n) {
    return memcpy(taken((size_t)n * sizeof(real)), x, (size_t)n * sizeof(real));
}

static real *made_of(real value, ptrdiff_t n) {
    real *const x = taken((size_t)n * sizeof(real));
    for (ptrdiff_t i = 0; i < n; i++) x[i] = value;
    return x;
}

/* A sum of n terms, whose sizes add up to `size`, in any order: n roundings (Higham 2002, 3.1) of
 * half an EPSILON each, and that of the result. */
static void compare_sum(real got, wide expected, ptrdiff_t n, wide size) {
    compare(got, expected, (wide)(n + 1) / 2 * EPSILON * size);
}

static void compare_same(real got, real expected) { compare(got, expected, 0); }

static long pair(ptrdiff_t a, ptrdiff_t b) { return (long)(a * 1000 + b); }

#include "check_losses.h"
#include "check_panels.h"

#include "check_csr.h"

/* The vector functions are within 5 ULP (README.md); about as much again for what is reckoned with
 * them, and the condition of gelu's exp(-z^2/2), z^2 <= 16. Between rows of whole
 * vectors all stays as it was. */
static void check_activations(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t gap) {
    const wide allowed = 16 * EPSILON;
    const ptrdiff_t ld = cols + gap, n = (rows - 1) * ld + cols;
    for (int g = 0; g < FM_softmax; g++, free_taken()) {
        const fm_activation_t act = {.kind = g, .param = {0.1, 0}};
        real *z = filled(n), *z0 = filled(n), *a = filled(n), *a0 = copied(a, n);
        real *delta = filled(n), *d0 = copied(delta, n);
        real *slope = filled(n), *curv = filled(n);
        for (int slopes = 0; slopes < 2; slopes++) {
            memcpy(z, z0, (size_t)n * sizeof(real));
            k->activate(a, z, rows, cols, ld, slopes, &act);
            for (ptrdiff_t i = 0; i < n; i++) {
                if (i % ld >= cols) {
                    compare_same(a[i], a0[i]), compare_same(z[i], z0[i]);
                    continue;
                }
                const wide_activation at = activation_at(g, z0[i]);
                compare(a[i], at.value, allowed * fabsl(at.value));
                if (!slopes) compare_same(z[i], z0[i]);
            }
        }
        verdict(CHECK_activate, "", pair(rows, cols));
        k->backward(delta, z, a, rows, cols, ld, &act);
        for (ptrdiff_t i = 0; i < n; i++) {
            if (i % ld >= cols) {
                compare_same(delta[i], d0[i]);
                continue;
            }
            const wide_activation at = activation_at(g, z0[i]);
            compare(delta[i], d0[i] * at.slope, allowed * at.slope_size * fabsl((wide)d0[i]));
        }
        verdict(CHECK_backward, "", pair(rows, cols));
        k->activate(a, z0, 1, n, n, 0, &act);
        k->slope(slope, z0, a, n, &act);
        k->curv(curv, z0, a, n, &act);
        for (ptrdiff_t i = 0; i < n; i++) {
            const wide_activation at = activation_at(g, z0[i]);
            compare(slope[i], at.slope, allowed * at.slope_size);
        }
        verdict(CHECK_slope, "", (long)n);
        for (ptrdiff_t i = 0; i < n; i++) {
            const wide_activation at = activation_at(g, z0[i]);
            compare(curv[i], at.curv, allowed * at.curv_size);
        }
        verdict(CHECK_curv, "", (long)n);
    }
}

/* The bounds of README.md, and for log the rounding of x beside 1; near the zero of digamma also the
 * rounding of the reference, a sum of some forty terms. */
static void check_map(const fm_kernels *k, ptrdiff_t n) {
    for (int f = 0; f < FM_N_FUNCTIONS; f++, free_taken()) {
        real *x = filled(n), *y = filled(n);
        const int gammas = f >= FM_FUNCTION_lgamma; /* of positive numbers */
        if (f == FM_FUNCTION_log || f == FM_FUNCTION_log1p || gammas)
            for (ptrdiff_t i = 0; i < n; i++) x[i] = x[i] < 0 ? -x[i] / 3 : x[i];
        k->map(y, x, n, f);
        for (ptrdiff_t i = 0; i < n; i++)
            compare(y[i], function_at(f, x[i]),
                    (gammas ? 8 : 5) * EPSILON * fabsl(function_at(f, x[i])) +
                        (gammas ? 32 * LDBL_EPSILON : 0));
        verdict(CHECK_map, "", (long)n);
    }
}

/* A handful of roundings for each number. */
static void check_updates(const fm_kernels *k, ptrdiff_t n) {
    const wide allowed = 4 * EPSILON;
    for (int kind = 0; kind < FM_N_UPDATES; kind++, free_taken()) {
        const fm_update_t u = {.kind = kind,
                               .rate = 0.125,
                               .momentum = 0.75,
                               .beta_1 = 0.875,
                               .beta_2 = 0.96875,
                               .epsilon = 0x1p-20,
                               .decay = 0.0625,
                               .l2 = 0.5,
                               .scale = 0.25};
        real *theta = filled(n), *grad = filled(n), *m = filled(n), *v = filled(n);
        for (ptrdiff_t i = 0; i < n; i++) v[i] = v[i] < 0 ? -v[i] : v[i];
        real *t0 = copied(theta, n), *m0 = copied(m, n), *v0 = copied(v, n);
        const double got = k->update(theta, m, v, grad, n, &u);
        wide norm2 = 0;
        for (ptrdiff_t i = 0; i < n; i++) {
            const wide g = (grad[i] + 0.5L * t0[i]) / 4, size = 1 + fabsl(g);
            wide first = 0.75L * m0[i] - g / 8, second = v0[i], step = first;
            if (kind == FM_UPDATE_nesterov) step = 0.75L * first - g / 8;
            if (kind == FM_UPDATE_adam) {
                first = 0.875L * m0[i] + g / 8, second = 0.96875L * v0[i] + g * g / 32;
                step = -first / (sqrtl(second) + 0x1p-20L) / 8;
            }
            norm2 += (wide)t0[i] * t0[i];
            compare(m[i], first, allowed * (size + fabsl((wide)m0[i])));
            compare(v[i], second, allowed * second);
            compare(theta[i], 0.9375L * t0[i] + step,
                    allowed * (fabsl((wide)t0[i]) + fabsl(step) * (1 + (size + 2) / fabsl(first))));
        }
        compare_sum((real)got, norm2, n, norm2);
        verdict(CHECK_update, "", (long)n);
        memcpy(grad, m0, (size_t)n * sizeof(real));
        double sums[2] = {1, 2};
        wide theta2 = 1, grad2 = 2;
        k->regularise(grad, sums, t0, n, 0.5, 0.25);
        for (ptrdiff_t i = 0; i < n; i++) {
            compare(grad[i], (m0[i] + 0.5L * t0[i]) / 4, EPSILON);
            theta2 += (wide)t0[i] * t0[i], grad2 += (wide)grad[i] * grad[i];
        }
        compare_sum((real)sums[0], theta2, n, theta2);
        compare_sum((real)sums[1], grad2, n, grad2);
        verdict(CHECK_regularise, "", (long)n);
        memcpy(grad, m0, (size_t)n * sizeof(real));
        k->add(grad, t0, n / 2, n);
        for (ptrdiff_t i = 0; i < n; i++)
            compare(grad[i], (wide)m0[i] + (i < n / 2 ? t0[i] : 0), EPSILON * fabsl((wide)m0[i] + t0[i]));
        verdict(CHECK_add, "", (long)n);
    }
}

/* Copies are exact, and so are sums of two. Rows of the result lie ld apart, and what is between
 * them stays as it was. */
static void check_gathers(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t cols) {
    const ptrdiff_t ld = cols + 2, n = (rows - 1) * ld + cols, n_X = 3 * rows;
    real *X = filled(n_X * cols), *out = filled(n), *old = copied(out, n);
    ptrdiff_t *index = taken((size_t)rows * sizeof *index);
    for (ptrdiff_t r = 0; r < rows; r++) index[r] = (7 * r + 3) % n_X;
    for (int by_columns = 0; by_columns < 2; by_columns++) {
        const ptrdiff_t row = by_columns ? 1 : cols, col = by_columns ? n_X : 1;
        k->gather(out, X, index, rows, rows, cols, ld, row, col);
        for (ptrdiff_t i = 0; i < n; i++)
            compare_same(out[i], i % ld < cols ? X[index[i / ld] * row + i % ld * col] : old[i]);
    }
    verdict(CHECK_gather, "", pair(rows, cols));
    /* row r holds columns 0, r and r again (modulo cols) */
    ptrdiff_t *indptr = taken((size_t)(n_X + 1) * sizeof *indptr);
    ptrdiff_t *indices = taken((size_t)(3 * n_X) * sizeof *indices);
    real *data = filled(3 * n_X);
    for (ptrdiff_t r = 0; r <= n_X; r++) indptr[r] = 3 * r;
    for (ptrdiff_t i = 0; i < 3 * n_X; i++) indices[i] = i % 3 ? i / 3 % cols : 0;
    k->gather_csr(out, data, indices, indptr, index, rows, cols, ld);
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t r = index[i / ld];
        real sum = 0;
        if (i % ld == 0) sum = data[3 * r];
        if (i % ld == r % cols) sum += data[3 * r + 1], sum += data[3 * r + 2];
        compare_same(out[i], i % ld < cols ? sum : old[i]);
    }
    verdict(CHECK_gather_csr, "", pair(rows, cols)), free_taken();
}

static void check_columns(const fm_kernels *k, ptrdiff_t rows, ptrdiff_t cols) {
    const ptrdiff_t ld = cols + 2, n = (rows - 1) * ld + cols;
    /* means far from zero: the difference is rounded in double, the quotient in double and real */
    real *tile = filled(n);
    double *mean = taken((size_t)cols * sizeof *mean), *scale = taken((size_t)cols * sizeof *scale);
    for (ptrdiff_t c = 0; c < cols; c++) mean[c] = 1e6 * draw(), scale[c] = 3 + draw();
    for (ptrdiff_t i = 0; i < n; i++) tile[i] += (real)mean[i % ld % cols];
    real *old = copied(tile, n);
    k->standardise(tile, mean, scale, rows, cols, ld);
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t c = i % ld;
        if (c >= cols) {
            compare_same(tile[i], old[i]);
            continue;
        }
        const wide expected = ((wide)old[i] - mean[c]) / scale[c];
        compare(tile[i], expected, (EPSILON / 2 + DBL_EPSILON) * fabsl(expected));
    }
    verdict(CHECK_standardise, "", pair(rows, cols)), free_taken();
}

static void check_finite(const fm_kernels *k, ptrdiff_t n) {
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    real *x = filled(n);
    compare(k->all_finite(x, n), 1, 0);
    for (ptrdiff_t i = 0; i < n; i++) {
        const real kept = x[i];
        x[i] = (real)odd[i % 3];
        compare(k->all_finite(x, n), 0, 0);
        x[i] = kept;
    }
    verdict(CHECK_all_finite, "", (long)n), free_taken();
}

void CHECK(const fm_kernels *k) {
    for (ptrdiff_t n = 1; n <= 70; n++) {
        check_activations(k, 3, n, 0), check_activations(k, n, 1, 0);
        if (n % k->padded(2) == 0) check_activations(k, 3, n, k->padded(2));
        check_map(k, n), check_updates(k, n), check_finite(k, n);
        check_gathers(k, 19, n), check_columns(k, 19, n), check_csr(k, 9, 1 + n % 14, n);
        check_losses(k, n, 1), check_losses(k, 3, n), check_discount(k, 3, n);
        if (n > 1 && n <= 20) check_softmax(k, 1 + n % 7, n);
        if (n <= 26) check_many(k, 1 + n * 5 % 19, 1, (int)n), check_many(k, 3, 1 + n % 3, 1 + n % 9);
        check_rows_apart(k, n, 1), check_rows_apart(k, 67, n);
        check_padded(k, n);
        check_panels(k, 1 + n % 14, n, 1 + n * 7 % 70), check_panels(k, n, 3, 9);
        check_panels(k, 1, n, n), check_panels(k, n, n, 1);
        check_panels(k, 5, 1, n), check_panels(k, n, 1, 1);
        for (ptrdiff_t in = 1; in <= 20; in++) check_row(k, in, n);
        check_row(k, n, 1), check_row(k, 70, 3 * n);
        if (n <= 20) check_gram(k, 1 + n % 5, n, 1 + n * 7 % 20, 1 + n % 3);
        if (n <= 20) check_gram(k, n, 1, n, 1), check_gram(k, n, n, 1, 2);
    }
    check_softmax(k, 3, 33), check_softmax(k, 130, 3);
    check_activations(k, 900, 40, 0), check_losses(k, 1700, 1), check_updates(k, 100003);
}
