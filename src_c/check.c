/* The kernels against naive loops, in buffers of exactly the right size, for every instruction set
 * that runs here. Built with sanitizers: an access past an end stops the program. */
#include "check_csr.h"
#include "check_roots.h"
#include "fastmlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_passed, n_failed;
static const char *isa;

static void expect(int ok, const char *what, const char *detail, long n) {
    if (ok) {
        n_passed++;
        return;
    }
    n_failed++;
    printf("FAILED %s: %s %s, size %ld\n", isa, what, detail, n);
}

/* Uniform on [-2, 2), reproducible. */
static double draw(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0 * 4 - 2;
}

static void *filled(size_t n, size_t size) {
    char *p = malloc(n * size + (n == 0));
    for (size_t i = 0; i < n; i++) {
        if (size == sizeof(float))
            ((float *)(void *)p)[i] = (float)draw();
        else
            ((double *)(void *)p)[i] = draw();
    }
    return p;
}

/* Central difference of the value of an activation. */
static double value_at(int kind, double z) {
    switch (kind) {
    case FM_identity: return z;
    case FM_logistic: return 1 / (1 + exp(-z));
    case FM_tanh: return tanh(z);
    case FM_relu: return z > 0 ? z : 0;
    case FM_softplus: return log1p(exp(z));
    case FM_leaky_relu: return z > 0 ? z : 0.1 * z;
    case FM_elu: return z > 0 ? z : 0.1 * expm1(z);
    case FM_selu: return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z));
    case FM_gelu: return 0.5 * z * erfc(-z / sqrt(2));
    case FM_silu: return z / (1 + exp(-z));
    case FM_mish: return z * tanh(log1p(exp(z)));
    case FM_exp: return exp(z);
    }
    return NAN;
}

static double slope_at(int kind, double z) {
    const double h = 1e-5;
    return (value_at(kind, z + h) - value_at(kind, z - h)) / (2 * h);
}

#include "check_losses.h"

#define CHECKS(real, s, tolerance, kernels_t)                                                    \
    static int near##s(double got, double expected) {                                            \
        return fabs(got - expected) <= tolerance * (1 + fabs(expected));                         \
    }                                                                                            \
                                                                                                 \
    static void check_activations##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t cols) {       \
        const size_t n = (size_t)(rows * cols);                                                  \
        for (int g = 0; g < FM_N_ACTIVATIONS; g++) {                                             \
            if (g == FM_softmax) continue;                                                       \
            const fm_activation_t act = {.kind = g, .param = {0.1, 0}};                          \
            real *z = filled(n, sizeof(real)), *a = filled(n, sizeof(real));                     \
            real *bias = filled((size_t)cols, sizeof(real)), *delta = filled(n, sizeof(real));   \
            real *z0 = malloc(n * sizeof(real)), *d0 = malloc(n * sizeof(real)), *sums = calloc((size_t)cols, sizeof(real)); \
            memcpy(z0, z, n * sizeof(real)), memcpy(d0, delta, n * sizeof(real));                \
            k->activate(a, z, bias, rows, cols, 0, &act);                                        \
            int ok = 1;                                                                          \
            for (size_t i = 0; i < n; i++) {                                                     \
                const double zi = (double)z0[i] + bias[i % (size_t)cols];                        \
                ok &= near##s(z[i], zi) && near##s(a[i], value_at(g, z[i]));                     \
            }                                                                                    \
            memcpy(z, z0, n * sizeof(real));                                                     \
            k->activate(a, z, bias, rows, cols, 1, &act);                                        \
            k->backward(delta, sums, z, a, rows, cols, &act);                                    \
            for (size_t i = 0; i < n; i++) {                                                     \
                const double zi = (double)z0[i] + bias[i % (size_t)cols];                        \
                ok &= near##s(a[i], value_at(g, zi));                                            \
                if (fabs(zi) > 1e-3) ok &= near##s(delta[i], d0[i] * slope_at(g, zi));           \
            }                                                                                    \
            for (ptrdiff_t c = 0; c < cols; c++) {                                               \
                double total = 0;                                                                \
                for (ptrdiff_t r = 0; r < rows; r++) total += delta[r * cols + c];               \
                ok &= near##s(sums[c], total);                                                   \
            }                                                                                    \
            expect(ok, "activation", #real, (long)(rows * 1000 + cols));                         \
            free(z), free(z0), free(a), free(bias), free(delta), free(d0), free(sums);           \
        }                                                                                        \
    }                                                                                            \
                                                                                                 \
    ROOT_SQUARES(real, s, kernels_t) CSR_CHECK(real, s, kernels_t)                               \
    LIKELIHOODS(real, s, kernels_t)                                                              \
                                                                                                 \
    static void check_losses##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t n_raw) {           \
        const size_t n = (size_t)(rows * n_raw);                                                 \
        for (int l = 0; l < FM_N_LOSSES; l++) {                                                  \
            if (fm_loss_at(l)->raws != 1) continue;                                              \
            const fm_loss_t loss = canonical(l);                                                 \
            real *raw = filled(n, sizeof(real)), *y = filled(n, sizeof(real));                   \
            real *w = filled((size_t)rows, sizeof(real)), *delta = filled(n, sizeof(real));      \
            real *up = filled(n, sizeof(real)), *q = filled(n, sizeof(real));                    \
            real *room = filled(n * ((size_t)n_raw + 2), sizeof(real));                          \
            for (size_t i = 0; i < n; i++) y[i] = (real)target_for(l);                           \
            for (ptrdiff_t r = 0; r < rows; r++) w[r] = (real)fabs((double)w[r]);                \
            const double value = k->loss(delta, raw, y, w, rows, n_raw, &loss);                  \
            k->loss_mul(q, up, raw, y, w, rows, n_raw, &loss, FM_HESS);                          \
            expect(root_squares##s(k, raw, y, w, rows, n_raw, &loss, room), "root", #real,       \
                   (long)(rows * 1000 + n_raw));                                                 \
            double expected = 0;                                                                 \
            int ok = 1;                                                                          \
            for (size_t i = 0; i < n; i++) {                                                     \
                const double wi = w[i / (size_t)n_raw], h = 1e-5, x = raw[i];                    \
                expected += wi * loss_at(l, x, y[i]);                                            \
                if (fabs(x - y[i]) < 1e-3 || fabs(fabs(x - y[i]) - 0.3) < 1e-3) continue;        \
                const double slope = (loss_at(l, x + h, y[i]) - loss_at(l, x - h, y[i])) / 2 / h;\
                if (fabs(x) > 1e-3) ok &= near##s(delta[i], wi * slope);                         \
            }                                                                                    \
            expect(ok && near##s(value, expected), "loss", #real, (long)(rows * 1000 + n_raw));  \
            free(raw), free(y), free(w), free(delta), free(up), free(q), free(room);             \
        }                                                                                        \
    }                                                                                            \
                                                                                                 \
    static void check_softmax##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t n_raw) {          \
        const size_t n = (size_t)(rows * n_raw);                                                 \
        const int kinds[] = {FM_LOSS_log_loss, FM_LOSS_squared_error};                           \
        for (int t = 0; t < 2; t++) {                                                            \
            const fm_loss_t loss = {.kind = kinds[t], .output = {.kind = FM_softmax}};           \
            real *raw = filled(n, sizeof(real)), *y = calloc(n + 1, sizeof(real));               \
            real *delta = filled(n, sizeof(real)), *a = filled(n, sizeof(real));                 \
            real *q = filled(n, sizeof(real));                                                   \
            real *room = filled(n * ((size_t)n_raw + 2), sizeof(real));                          \
            for (ptrdiff_t r = 0; r < rows; r++) y[r * n_raw + r % n_raw] = 1;                   \
            k->loss(delta, raw, y, NULL, rows, n_raw, &loss);                                    \
            k->loss_mul(q, delta, raw, y, NULL, rows, n_raw, &loss, FM_GGN);                     \
            k->output(a, raw, rows, n_raw, &loss.output);                                        \
            expect(root_squares##s(k, raw, y, NULL, rows, n_raw, &loss, room), "softmax root", #real,\
                   (long)(rows * 1000 + n_raw));                                                 \
            int ok = 1;                                                                          \
            for (ptrdiff_t r = 0; r < rows; r++) {                                               \
                double total = 0, slopes = 0;                                                    \
                for (ptrdiff_t c = 0; c < n_raw; c++) {                                          \
                    total += a[r * n_raw + c], slopes += delta[r * n_raw + c];                   \
                    if (t == 0) ok &= near##s(delta[r * n_raw + c],                              \
                                              (double)a[r * n_raw + c] - y[r * n_raw + c]);      \
                }                                                                                \
                ok &= near##s(total, 1) && near##s(slopes, 0);                                   \
            }                                                                                    \
            expect(ok, "softmax", #real, (long)(rows * 1000 + n_raw));                           \
            free(raw), free(y), free(delta), free(a), free(q), free(room);                       \
        }                                                                                        \
    }                                                                                            \
                                                                                                 \
    static void check_updates##s(const kernels_t *k, ptrdiff_t n) {                              \
        for (int kind = 0; kind < FM_N_UPDATES; kind++) {                                        \
            const fm_update_t u = {.kind = kind, .rate = 0.1, .momentum = 0.9, .beta_1 = 0.9,    \
                                   .beta_2 = 0.99, .epsilon = 1e-8, .decay = 0.01, .l2 = 0.5,    \
                                   .scale = 0.25};                                               \
            real *theta = filled((size_t)n, sizeof(real)), *grad = filled((size_t)n, sizeof(real));\
            real *m = filled((size_t)n, sizeof(real)), *v = filled((size_t)n, sizeof(real));     \
            real *t0 = filled((size_t)n, sizeof(real)), *m0 = filled((size_t)n, sizeof(real));   \
            for (ptrdiff_t i = 0; i < n; i++) {                                                  \
                v[i] = (real)fabs((double)v[i]), t0[i] = theta[i], m0[i] = m[i];                 \
            }                                                                                    \
            const double norm2 = k->update(theta, m, v, grad, n, &u);                            \
            double expected = 0;                                                                 \
            int ok = 1;                                                                          \
            for (ptrdiff_t i = 0; i < n; i++) {                                                  \
                const double g = (grad[i] + 0.5 * t0[i]) * 0.25;                                 \
                double mi = 0.9 * m0[i] - 0.1 * g, step = mi;                                    \
                if (kind == FM_UPDATE_nesterov) step = 0.9 * mi - 0.1 * g;                       \
                if (kind == FM_UPDATE_adam)                                                      \
                    mi = 0.9 * m0[i] + 0.1 * g, step = -0.1 * mi / (sqrt((double)v[i]) + 1e-8);  \
                expected += (double)t0[i] * t0[i];                                               \
                ok &= near##s(theta[i], 0.99 * t0[i] + step) && near##s(m[i], mi);               \
            }                                                                                    \
            expect(ok && near##s(norm2, expected), "update", #real, (long)n);                    \
            free(theta), free(grad), free(m), free(v), free(t0), free(m0);                       \
        }                                                                                        \
    }                                                                                            \
                                                                                                 \
    static void check_arrays##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t cols) {            \
        real *X = filled((size_t)(3 * rows * cols), sizeof(real));                               \
        real *out = filled((size_t)(rows * cols), sizeof(real));                                 \
        ptrdiff_t *index = malloc((size_t)rows * sizeof(ptrdiff_t) + 1), ok = 1;                 \
        for (ptrdiff_t r = 0; r < rows; r++) index[r] = (7 * r + 3) % (3 * rows);                \
        for (int order = 0; order < 2; order++) {                                                \
            const ptrdiff_t row = order ? 1 : cols, col = order ? 3 * rows : 1;                  \
            k->gather(out, X, index, rows, rows, cols, cols, row, col);                          \
            for (ptrdiff_t r = 0; r < rows; r++)                                                 \
                for (ptrdiff_t c = 0; c < cols; c++)                                             \
                    ok &= out[r * cols + c] == X[index[r] * row + c * col];                      \
        }                                                                                        \
        expect((int)ok, "gather", #real, (long)(rows * 1000 + cols)), free(X), free(out), free(index); \
        /* rows two entries apart, which stay as they are; means far from zero */                \
        const ptrdiff_t ld = cols + 2, n = (rows - 1) * ld + cols;                               \
        real *tile = filled((size_t)n, sizeof(real)), *old = filled((size_t)n, sizeof(real));    \
        double mean[70], scale[70]; /* of the most columns that check_all asks for */            \
        for (int c = 0; c < cols; c++) mean[c] = 1e6 * draw(), scale[c] = 3 + draw();            \
        for (ptrdiff_t i = 0; i < n; i++) old[i] = tile[i] += (real)mean[i % ld % cols];         \
        k->standardise(tile, mean, scale, rows, cols, ld);                                       \
        for (ptrdiff_t i = 0; i < n; i++)                                                        \
            ok &= near##s(tile[i], i % ld < cols ? (old[i] - mean[i % ld]) / scale[i % ld] : old[i]); \
        expect((int)ok, "standardise", #real, (long)(rows * 1000 + cols)), free(tile), free(old);     \
    }                                                                                            \
                                                                                                 \
    /* The three products of a layer and their inverse copies, against plain loops; padding of   \
     * activations and deltas is NaN and must reach nothing but padding. */                      \
    static void check_panels##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out) {\
        const ptrdiff_t lda = k->padded(in + 1), ldd = k->padded(out), ldb = k->padded(in);      \
        real *theta = filled((size_t)((in + 1) * out), sizeof(real));                            \
        real *back = filled((size_t)((in + 1) * out), sizeof(real));                             \
        real *W = filled((size_t)((in + 1) * ldd), sizeof(real));                                \
        real *turned = filled((size_t)(out * ldb), sizeof(real));                                \
        real *grad = filled((size_t)((in + 1) * ldd), sizeof(real));                             \
        real *A = filled((size_t)(rows * lda), sizeof(real));                                    \
        real *D = filled((size_t)(rows * ldd), sizeof(real));                                    \
        real *Z = filled((size_t)(rows * ldd), sizeof(real));                                    \
        real *B = filled((size_t)(rows * ldb), sizeof(real));                                    \
        real *G = filled((size_t)(rows * ldb), sizeof(real));                                    \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                   \
            A[r * lda + in] = 1;                                                                 \
            for (ptrdiff_t c = in + 1; c < lda; c++) A[r * lda + c] = NAN;                       \
            for (ptrdiff_t c = out; c < ldd; c++) D[r * ldd + c] = NAN;                          \
        }                                                                                        \
        k->panel_copy(W, theta, in + 1, out, 0);                                                 \
        k->panel_copy(W, back, in + 1, out, 1);                                                  \
        int ok = memcmp(theta, back, (size_t)((in + 1) * out) * sizeof(real)) == 0;              \
        k->panel_turn(turned, W, in, out);                                                       \
        for (int relu = 0; relu < 2; relu++) {                                                   \
            k->panel_forward(Z, A, W, rows, in, out, ldd, lda, relu);                            \
            for (ptrdiff_t r = 0; r < rows; r++)                                                 \
                for (ptrdiff_t o = 0; o < out; o++) {                                            \
                    double z = 0;                                                                \
                    for (ptrdiff_t i = 0; i <= in; i++)                                          \
                        z += (double)A[r * lda + i] * theta[i * out + o];                        \
                    ok &= near##s(Z[r * ldd + o], relu && z < 0 ? 0 : z);                        \
                }                                                                                \
        }                                                                                        \
        for (int gated = 0; gated < 2; gated++) {                                                \
            k->panel_delta(B, D, turned, gated ? G : NULL, rows, in, out, ldb, ldd);             \
            for (ptrdiff_t r = 0; r < rows; r++)                                                 \
                for (ptrdiff_t i = 0; i < in; i++) {                                             \
                    double d = 0;                                                                \
                    for (ptrdiff_t o = 0; o < out; o++)                                          \
                        d += (double)D[r * ldd + o] * theta[i * out + o];                        \
                    ok &= near##s(B[r * ldb + i], gated && G[r * ldb + i] <= 0 ? 0 : d);         \
                }                                                                                \
        }                                                                                        \
        k->panel_grad(grad, A, D, rows, in, out, lda, ldd, 0);                                   \
        k->panel_grad(grad, A, D, rows, in, out, lda, ldd, 1);                                   \
        k->panel_copy(grad, back, in + 1, out, 1);                                               \
        for (ptrdiff_t i = 0; i <= in; i++)                                                      \
            for (ptrdiff_t o = 0; o < out; o++) {                                                \
                double g = 0;                                                                    \
                for (ptrdiff_t r = 0; r < rows; r++)                                             \
                    g += 2 * (double)A[r * lda + i] * D[r * ldd + o];                            \
                ok &= near##s(back[i * out + o], g);                                             \
            }                                                                                    \
        expect(ok, "panels", #real, (long)(rows * 1000000 + in * 1000 + out));                   \
        free(theta), free(back), free(W), free(turned), free(grad);                              \
        free(A), free(D), free(Z), free(B), free(G);                                             \
    }                                                                                            \
                                                                                                 \
    /* Rows that lie apart: the loss and gradient of rows that do not, and padding of zero. */   \
    static void check_panel_loss##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t n) {           \
        const ptrdiff_t ld = k->padded(n);                                                       \
        real *raw = filled((size_t)(rows * n), sizeof(real));                                    \
        real *y = filled((size_t)(rows * n), sizeof(real));                                      \
        real *w = filled((size_t)rows, sizeof(real));                                            \
        real *delta = filled((size_t)(rows * n), sizeof(real));                                  \
        real *apart = filled((size_t)(rows * ld), sizeof(real));                                 \
        real *delta_apart = filled((size_t)(rows * ld), sizeof(real));                           \
        for (ptrdiff_t r = 0; r < rows; r++)                                                     \
            for (ptrdiff_t c = 0; c < ld; c++) apart[r * ld + c] = c < n ? raw[r * n + c] : NAN; \
        for (int softmax = 0; softmax < (n > 1 ? 2 : 1); softmax++) {                            \
            const fm_loss_t loss = {softmax ? FM_LOSS_log_loss : FM_LOSS_squared_error,          \
                                    {0},                                                         \
                                    {softmax ? FM_softmax : FM_identity, {0}}};                  \
            const double there = k->panel_loss(delta_apart, apart, y, w, rows, n, ld, &loss);    \
            int ok = near##s(there, k->loss(delta, raw, y, w, rows, n, &loss));                  \
            for (ptrdiff_t r = 0; r < rows; r++)                                                 \
                for (ptrdiff_t c = 0; c < ld; c++)                                               \
                    ok &= near##s(delta_apart[r * ld + c], c < n ? delta[r * n + c] : 0);        \
            expect(ok, "panel_loss", #real, (long)(rows * 1000 + n));                            \
        }                                                                                        \
        free(raw), free(y), free(w), free(delta), free(apart), free(delta_apart);                \
    }                                                                                            \
                                                                                                 \
    /* Buffers of exactly the size needed: the sanitizer sees whatever is read past them. */     \
    static void check_row##s(const kernels_t *k, ptrdiff_t in, ptrdiff_t out) {                  \
        real *W = filled((size_t)(in * out), sizeof(real));                                      \
        real *b = filled((size_t)out, sizeof(real)), *z = filled((size_t)out, sizeof(real));     \
        real *a = filled((size_t)in, sizeof(real));                                              \
        int ok = 1;                                                                              \
        for (int relu = 0; relu < 2; relu++) {                                                   \
            k->row_forward(z, a, W, b, in, out, relu);                                           \
            for (ptrdiff_t o = 0; o < out; o++) {                                                \
                double t = b[o];                                                                 \
                for (ptrdiff_t i = 0; i < in; i++) t += (double)a[i] * W[i * out + o];           \
                ok &= near##s(z[o], relu && t < 0 ? 0 : t);                                      \
            }                                                                                    \
        }                                                                                        \
        expect(ok, "row", #real, (long)(in * 1000 + out));                                       \
        free(W), free(b), free(z), free(a);                                                      \
    }                                                                                            \
                                                                                                 \
    /* Rows of a Jacobian of two layers, n_raw to a sample, their deltas padded by NaN, and their\
     * Gram matrix in two shares, on top of ones. */                                             \
    static void check_gram##s(const kernels_t *k, ptrdiff_t rows, ptrdiff_t in, ptrdiff_t width, \
                              ptrdiff_t n_raw) {                                                 \
        const ptrdiff_t lanes = k->padded(2), ldd = k->padded(width), total = rows * n_raw;      \
        const ptrdiff_t cols = (in + 1) * width + (width + 1);                                   \
        const ptrdiff_t side = (cols + lanes - 1) / lanes * lanes;                               \
        real *a = filled((size_t)(rows * (in + 1)), sizeof(real));                               \
        real *b = filled((size_t)(rows * (width + 1)), sizeof(real));                            \
        real *d = filled((size_t)(total * ldd), sizeof(real));                                   \
        real *e = filled((size_t)total, sizeof(real));                                           \
        real *row = filled((size_t)(cols + 2 * lanes), sizeof(real));                            \
        real *strips = malloc((size_t)(total * side) * sizeof(real));                            \
        real *G = malloc((size_t)(side * side) * sizeof(real));                                  \
        double *J = malloc((size_t)(total * cols) * sizeof(double));                             \
        for (ptrdiff_t r = 0; r < rows; r++)                                                     \
            a[r * (in + 1) + in] = b[r * (width + 1) + width] = 1;                               \
        for (ptrdiff_t i = 0; i < total; i++) {                                                  \
            for (ptrdiff_t j = width; j < ldd; j++) d[i * ldd + j] = NAN;                        \
            for (ptrdiff_t p = 0; p <= in; p++)                                                  \
                for (ptrdiff_t j = 0; j < width; j++)                                            \
                    J[i * cols + p * width + j] =                                                \
                        (double)a[i / n_raw * (in + 1) + p] * d[i * ldd + j];                    \
            for (ptrdiff_t p = 0; p <= width; p++)                                               \
                J[i * cols + (in + 1) * width + p] =                                             \
                    (double)b[i / n_raw * (width + 1) + p] * e[i];                               \
        }                                                                                        \
        for (ptrdiff_t r = 0, n = rows / 3; r < rows; r += n, n = rows - r) {                    \
            const fm_stretch layers[] = {                                                        \
                {a + r * (in + 1), d + r * n_raw * ldd, in + 1, ldd, in, width},                 \
                {b + r * (width + 1), e + r * n_raw, width + 1, 1, width, 1}};                   \
            k->jacobian_rows(strips, row, layers, 2, n_raw, n * n_raw, r * n_raw, total);        \
        }                                                                                        \
        for (ptrdiff_t i = 0; i < side * side; i++) G[i] = 1;                                    \
        for (int share = 0; share < 2; share++) k->gram_add(G, strips, total, cols, share, 2);   \
        int ok = 1;                                                                              \
        for (ptrdiff_t i = 0; i < cols; i++)                                                     \
            for (ptrdiff_t j = i; j < cols; j++) {                                               \
                double g = 1;                                                                    \
                for (ptrdiff_t r = 0; r < total; r++) g += J[r * cols + i] * J[r * cols + j];    \
                ok &= near##s(G[i * side + j], g);                                               \
            }                                                                                    \
        expect(ok, "gram", #real, (long)(rows * 1000000 + in * 1000 + width));                   \
        free(a), free(b), free(d), free(e), free(row), free(strips), free(G), free(J);           \
    }                                                                                            \
                                                                                                 \
    static void check_all##s(const kernels_t *k) {                                               \
        for (ptrdiff_t n = 1; n <= 70; n++) {                                                    \
            check_activations##s(k, 3, n), check_activations##s(k, n, 1);                        \
            check_losses##s(k, n, 1), check_losses##s(k, 3, n);                                  \
            if (n > 1) check_softmax##s(k, 4, n);                                                \
            check_likelihoods##s(k, n, 1), check_likelihoods##s(k, 3, n);                        \
            check_updates##s(k, n), check_arrays##s(k, 19, n), check_csr##s(k, 9, 1 + n % 14, n);\
            check_panels##s(k, 1 + n % 14, n, 1 + n * 7 % 70);                                   \
            check_panels##s(k, n, 3, 9), check_panels##s(k, 1, n, n);                            \
            check_panels##s(k, n, n, 1), check_panels##s(k, 5, 1, n), check_panels##s(k, n, 1, 1);\
            check_panel_loss##s(k, n, 1), check_panel_loss##s(k, 67, n);                         \
            for (ptrdiff_t in = 1; in <= 20; in++) check_row##s(k, in, n);                       \
            check_row##s(k, n, 1), check_row##s(k, 70, 3 * n);                                   \
            if (n <= 20) check_gram##s(k, 1 + n % 5, n, 1 + n * 7 % 20, 1 + n % 3);              \
            if (n <= 20) check_gram##s(k, n, 1, n, 1), check_gram##s(k, n, n, 1, 2);             \
        }                                                                                        \
        check_activations##s(k, 900, 40), check_losses##s(k, 1700, 1);                           \
        check_likelihoods##s(k, 700, 1);                                                         \
        check_updates##s(k, 100003);                                                             \
    }

CHECKS(float, _f, 2e-3, fm_kernels_f)
CHECKS(double, _d, 1e-7, fm_kernels_d)

int main(void) {
    const fm_table *t;
    for (int k = 0; (t = fm_table_at(k)); k++) {
        isa = t->isa;
        check_all_f(t->f);
        check_all_d(t->d);
    }
    printf("%d passed, %d failed\n", n_passed, n_failed);
    return n_failed != 0;
}
