/* Quantiles that never cross: the lowest, then what each has above the one before, through softplus.
 * The loss is the sum of their pinball losses (Koenker & Bassett 1978), q the levels:
 *
 *   sum_c max(q_c (y - a_c), (q_c - 1) (y - a_c)),  a_c = raw_0 + sum_(0 < i <= c) log(1 + e^raw_i)
 *
 * Their second derivative in a is zero, and so is curv; that in raw has softplus's bend. */

/* slopes[c] = the sum of d loss / d a_i from i = c on; returns the losses. */
static vec pinballs(vec *slopes, const vec *x, vec y, const fm_loss_t *loss) {
    vec a = x[0], total = splat(0), sum = splat(0);
    for (ptrdiff_t c = 0; c < loss->raws; c++) {
        if (c) a += vmax(x[c], 0) + vlog1p_unit(vexp(-vabs(x[c])));
        const vec r = a - y;
        const real level = (real)loss->table[c];
        const vec side = select_(r > 0, splat(1 - level), splat(-level));
        total += side * r;
        slopes[c] = select_(r == 0, r, side);
    }
    for (ptrdiff_t c = loss->raws - 1; c >= 0; c--) slopes[c] = sum += slopes[c];
    return total;
}

static double loss_quantiles(real *delta, const real *raw, const real *y, const real *w,
                             ptrdiff_t units, ptrdiff_t ld, const fm_loss_t *loss) {
    const ptrdiff_t k = loss->raws;
    vec x[ACROSS], slopes[ACROSS];
    double value = 0;
    FM_UNITS(units, {
        to_lanes(x, raw + u * ld, m, k, ld);
        const vec weight = weights_at(w, u, left);
        value += sum_of(weighted(weight, pinballs(slopes, x, load(y + u, left, 0), loss)), m);
        for (ptrdiff_t c = 0; c < k; c++)
            x[c] = weighted(weight, c ? slopes[c] * vlogistic_pair(x[c]).s : slopes[c]);
        from_lanes(delta + u * ld, x, m, k, ld);
    });
    return value;
}

static void mul_quantiles(real *out, const real *rraw, const real *raw, const real *y,
                          const real *w, ptrdiff_t units, const fm_loss_t *loss, int exact) {
    const ptrdiff_t k = loss->raws;
    vec x[ACROSS], rx[ACROSS], slopes[ACROSS];
    if (!exact) {
        memset(out, 0, (size_t)(units * k) * sizeof(real));
        return;
    }
    FM_UNITS(units, {
        to_lanes(x, raw + u * k, m, k, k), to_lanes(rx, rraw + u * k, m, k, k);
        const vec weight = weights_at(w, u, left);
        pinballs(slopes, x, load(y + u, left, 0), loss);
        for (ptrdiff_t c = 0; c < k; c++) {
            const logistic_pair l = vlogistic_pair(x[c]);
            x[c] = c ? weighted(weight, slopes[c] * l.s * l.r * rx[c]) : splat(0);
        }
        from_lanes(out + u * k, x, m, k, k);
    });
}

static void root_quantiles(unit_root *R, const real *raw, real y, real w, const fm_loss_t *loss) {
    (void)R, (void)raw, (void)y, (void)w, (void)loss;
}

static void along_quantiles(real *out, const real *z, const unit_root *R, const fm_loss_t *loss) {
    (void)z, (void)R;
    memset(out, 0, (size_t)loss->raws * sizeof(real));
}
