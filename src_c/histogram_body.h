/* Histograms: the k raw outputs of a target are the logits of k bins, the target's coordinate y is
 * the number of its bin, from 0 on, and how far it lies within: 0 <= y <= k. Over units that lie ld
 * apart; the losses are bounded by what softmax bounds. */

static ptrdiff_t bin_of(real y, ptrdiff_t k) {
    return y >= 1 ? (y < (real)k ? (ptrdiff_t)y : k - 1) : 0;
}

/* ---- the logarithmic score: the cross-entropy of the bin, but for the bins' widths ----------- */

static double loss_histogram(real *delta, const real *raw, const real *y, const real *w,
                             ptrdiff_t units, ptrdiff_t ld, const fm_loss_t *loss) {
    const ptrdiff_t n = loss->raws;
    real log_sum[SOFTMAX_ROWS];
    double value = 0;
    FM_BLOCKS(first, m, units, SOFTMAX_ROWS, {
        softmax(delta + first * ld, log_sum, raw + first * ld, m, n, ld);
        for (ptrdiff_t u = first; u < first + m; u++) {
            const ptrdiff_t bin = bin_of(y[u], n);
            const real weight = w ? w[u] : 1;
            real *const out = delta + u * ld;
            if (weight != 0) value += (double)(weight * (log_sum[u - first] - raw[u * ld + bin]));
            if (weight != 1)
                FM_EACH(n, store(out + i, weighted(splat(weight), load(out + i, k, 0)), k););
            out[bin] -= weight;
        }
    });
    return value;
}

static void mul_histogram(real *out, const real *rraw, const real *raw, const real *y,
                          const real *w, ptrdiff_t units, const fm_loss_t *loss, int exact) {
    const ptrdiff_t n = loss->raws;
    (void)y, (void)exact;
    for (ptrdiff_t u = 0; u < units; u++, out += n, rraw += n, raw += n)
        softmax_mul_row(out, rraw, raw, NULL, w ? w[u] : 1, n, loss, FM_GGN);
}

static void root_histogram(unit_root *R, const real *raw, real y, real w, const fm_loss_t *loss) {
    (void)y;
    lay_out_softmax(R, raw, loss->raws);
    for (ptrdiff_t c = 0; c < loss->raws; c++) R->sizes[c] = vsqrt(splat(w * R->p[c]))[0];
}

static void along_histogram(real *out, const real *z, const unit_root *R, const fm_loss_t *loss) {
    centre(out, z, R->sizes, R->p, R->others, R->top, loss->raws);
}

/* ---- the continuous ranked probability score -------------------------------------------------
 *
 * The density is even within each bin, of width h; F rises in a bin from a to b, and y lies t of the
 * way through it: t = 1 in all bins below that of y, 0 in all above. With m = a + t (b - a),
 *
 *   int (F - [x > y])^2 dx = sum h (t (a^2 + a m + m^2)
 *                                   + (1 - t) ((1-m)^2 + (1-m)(1-b) + (1-b)^2)) / 3
 *
 * It is quadratic in F, with the second derivative of int F^2 dx = sum h (a^2 + a b + b^2) / 3
 * whatever y; and a convex function of p, whence curv = J (d2/dp2) J with the J of softmax. */

/* The sum of each lane and those before it. */
static inline vec running(vec x) {
    const vec none = splat(0);
#define FM_LANES (VECTOR_BYTES / (REAL_IS_FLOAT ? 4 : 8))
#if FM_LANES == 2
    x += __builtin_shufflevector(none, x, 0, 2);
#elif FM_LANES == 4
    x += __builtin_shufflevector(none, x, 0, 4, 5, 6);
    x += __builtin_shufflevector(none, x, 0, 0, 4, 5);
#elif FM_LANES == 8
    x += __builtin_shufflevector(none, x, 0, 8, 9, 10, 11, 12, 13, 14);
    x += __builtin_shufflevector(none, x, 0, 0, 8, 9, 10, 11, 12, 13);
    x += __builtin_shufflevector(none, x, 0, 0, 0, 0, 8, 9, 10, 11);
#else
    x += __builtin_shufflevector(none, x, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
                                 30);
    x += __builtin_shufflevector(none, x, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
                                 29);
    x += __builtin_shufflevector(none, x, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
                                 27);
    x += __builtin_shufflevector(none, x, 0, 0, 0, 0, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23);
#endif
#undef FM_LANES
    return x;
}

static inline vec lanes(void) {
    vec x;
    for (int i = 0; i < LANES; i++) x[i] = (real)i;
    return x;
}

static void widths_of(real *widths, const fm_loss_t *loss) {
    for (ptrdiff_t c = 0; c < loss->raws; c++) widths[c] = (real)loss->table[c];
}

/* slopes[n] = d score / d p but for a constant: that of F at the edges, summed from below. With
 * L = d/da and R = d/db of each bin, that at p_j is R_j - sum_(i <= j) (L_i + R_i). */
static double crps_row(real *slopes, const real *p, real y, const real *widths, ptrdiff_t n) {
    vec total = splat(0), level = splat(0), sum = splat(0);
    const vec lane = lanes();
    FM_EACH(n, {
        const vec mass = load(p + i, k, 0), third = load(widths + i, k, 0) / 3;
        const vec b = level + running(mass), a = b - mass;
        const vec t = vmin(vmax(y - (lane + (real)i), 0), 1), rest = 1 - t;
        const vec m = a + t * mass, c = 1 - m, d = 1 - b;
        const vec right = a + 2 * m, left = 2 * c + d;
        total += third * (t * (a * a + m * (a + m)) + rest * (c * c + d * (c + d)));
        const vec by_a = third * (t * (2 * a + m + rest * right) - rest * rest * left);
        const vec by_b = third * (t * t * right - rest * (t * left + c + 2 * d));
        const vec sums = sum + running(by_a + by_b);
        store(slopes + i, by_b - sums, k);
        level = splat(b[LANES - 1]), sum = splat(sums[LANES - 1]);
    });
    return sum_of(total, LANES);
}

/* The tangent of those slopes by tangents of p. */
static void crps_tangent(real *rslopes, const real *rp, const real *widths, ptrdiff_t n) {
    vec level = splat(0), sum = splat(0);
    FM_EACH(n, {
        const vec rise = load(rp + i, k, 0), third = load(widths + i, k, 0) / 3;
        const vec b = level + running(rise), a = b - rise;
        const vec sums = sum + running(3 * third * (a + b));
        store(rslopes + i, third * (a + 2 * b) - sums, k);
        level = splat(b[LANES - 1]), sum = splat(sums[LANES - 1]);
    });
}

static double loss_histogram_crps(real *delta, const real *raw, const real *y, const real *w,
                                  ptrdiff_t units, ptrdiff_t ld, const fm_loss_t *loss) {
    const ptrdiff_t n = loss->raws;
    real log_sum[SOFTMAX_ROWS], widths[MANY], slopes[MANY];
    double value = 0;
    widths_of(widths, loss);
    FM_BLOCKS(first, m, units, SOFTMAX_ROWS, {
        softmax(delta + first * ld, log_sum, raw + first * ld, m, n, ld);
        for (ptrdiff_t u = first; u < first + m; u++) {
            const real weight = w ? w[u] : 1;
            real *const p = delta + u * ld;
            if (weight == 0) {
                memset(p, 0, (size_t)n * sizeof(real));
                continue;
            }
            value += (double)weight * crps_row(slopes, p, y[u], widths, n);
            through_softmax(p, p, slopes, weight, bin_of(y[u], n), n);
        }
    });
    return value;
}

/* With rp = J rraw and slopes g:  J rg, and exact, rp o (g - <p, g>) - p <rp, g>. */
static void mul_histogram_crps(real *out, const real *rraw, const real *raw, const real *y,
                               const real *w, ptrdiff_t units, const fm_loss_t *loss, int exact) {
    const ptrdiff_t n = loss->raws;
    real p[MANY], widths[MANY], rp[MANY], slopes[MANY], rslopes[MANY], log_sum;
    widths_of(widths, loss);
    for (ptrdiff_t u = 0; u < units; u++, out += n, rraw += n, raw += n) {
        const real weight = w ? w[u] : 1;
        if (weight == 0) {
            memset(out, 0, (size_t)n * sizeof(real));
            continue;
        }
        softmax(p, &log_sum, raw, 1, n, n);
        const ptrdiff_t top = highest_entry(p, n);
        through_softmax(rp, p, rraw, 1, top, n);
        crps_tangent(rslopes, rp, widths, n);
        through_softmax(out, p, rslopes, weight, top, n);
        if (!exact) continue;
        crps_row(slopes, p, y[u], widths, n);
        const real shift = slopes[top];
        vec p_g = splat(0), rp_g = splat(0);
        FM_EACH(n, {
            const vec g = load(slopes + i, k, 0) - shift;
            p_g += load(p + i, k, 0) * g, rp_g += load(rp + i, k, 0) * g;
        });
        const real mean = shift + (real)sum_of(p_g, LANES), change = (real)sum_of(rp_g, LANES);
        FM_EACH(n, {
            const vec g = load(slopes + i, k, 0) - mean;
            const vec more = load(rp + i, k, 0) * g - load(p + i, k, 0) * change;
            store(out + i, load(out + i, k, 0) + weight * more, k);
        });
    }
}

/* d2/dF2 at the inner edges is tridiagonal, 2 (h_below + h_above) / 3 on its diagonal, h / 3 beside
 * it, and has the Cholesky factor of `sizes` on the diagonal, `more` below it. */
static void root_histogram_crps(unit_root *R, const real *raw, real y, real w,
                                const fm_loss_t *loss) {
    const ptrdiff_t n = loss->raws;
    (void)y;
    lay_out_softmax(R, raw, n);
    const vec size = vsqrt(splat(w));
    real below = 0;
    for (ptrdiff_t e = 0; e < n - 1; e++) {
        const real h = (real)loss->table[e], above = (real)loss->table[e + 1];
        const real diagonal = vsqrt(splat(2 * (h + above) / 3 - below * below))[0];
        below = above / (3 * diagonal);
        R->sizes[e] = size[0] * diagonal, R->more[e] = size[0] * below;
    }
}

/* R z = J S' L z: S' sums what belongs to edges above each bin; the last column is zero. */
static void along_histogram_crps(real *out, const real *z, const unit_root *R,
                                 const fm_loss_t *loss) {
    const ptrdiff_t n = loss->raws;
    real slopes[MANY];
    slopes[n - 1] = 0;
    for (ptrdiff_t e = n - 2; e >= 0; e--)
        slopes[e] = slopes[e + 1] + R->sizes[e] * z[e] + (e ? R->more[e - 1] * z[e - 1] : 0);
    through_softmax(out, R->p, slopes, 1, R->top, n);
}
