/* Mixtures of n = k / 3 normals: n logits of the weights p, n means m, n logarithms s of what the
 * scales have above the floor: sigma = floor + e^s, so that no component collapses onto targets that
 * repeat (Bishop 1994).
 *
 *   -log sum_c p_c N(y; m_c, sigma_c),  r_c = p_c N_c / sum p N the responsibilities
 *
 * It is not convex, and the Fisher information has no closed form. curv is the information of the
 * complete data, as the EM algorithm has it, weighted by the responsibilities: diag(p) - p p' of the
 * logits, r / sigma^2 of the means, 2 r (d log sigma / ds)^2 (Louis 1982; Titterington 1984). The
 * Hessian is that minus the information that is missing, the covariance of the components' scores. */

#if REAL_IS_FLOAT
#define MOST_DEVIATIONS 1e18f /* of which the square is finite */
#else
#define MOST_DEVIATIONS 1e150
#endif

/* A component in as many units as a vector has lanes. up = d log sigma / ds. */
typedef struct {
    vec p, r, z, inverse, up, held; /* held = 1 - up */
} component;

/* The components, and -log of the density; n logits, means, log scales in x. */
static vec components(component *of, const vec *x, vec y, ptrdiff_t n, real log_floor) {
    vec top = x[0], sum = splat(0);
    for (ptrdiff_t c = 1; c < n; c++) top = higher(x[c], top);
    for (ptrdiff_t c = 0; c < n; c++) {
        of[c].p = vexp(x[c] - top);
        sum += of[c].p;
    }
    const vec log_sum = top + vlog(sum), share = 1 / sum;
    vec best = splat((real)-INFINITY);
    for (ptrdiff_t c = 0; c < n; c++) {
        const vec s = x[2 * n + c], above = vmax(s, log_floor);
        const logistic_pair l = vlogistic_pair(s - log_floor);
        of[c].p *= share;
        of[c].inverse = vexp(-above) * higher(l.s, l.r);
        const vec z = (y - x[n + c]) * of[c].inverse;
        of[c].z = vmin(vmax(z, -MOST_DEVIATIONS), MOST_DEVIATIONS);
        of[c].up = l.s, of[c].held = l.r;
        of[c].r = x[c] - log_sum - above - vlog1p_unit(l.e) - (real)0.5 * of[c].z * of[c].z;
        best = higher(of[c].r, best);
    }
    sum = splat(0);
    for (ptrdiff_t c = 0; c < n; c++) {
        of[c].r = vexp(of[c].r - best);
        sum += of[c].r;
    }
    const vec part = 1 / sum;
    for (ptrdiff_t c = 0; c < n; c++) of[c].r *= part;
    return (real)0.91893853320467274178 - best - vlog(sum); /* log(2 pi) / 2 */
}

static real log_floor_of(const fm_loss_t *loss) { return vlog(splat((real)loss->param[1]))[0]; }

static double loss_mixture(real *delta, const real *raw, const real *y, const real *w,
                           ptrdiff_t units, ptrdiff_t ld, const fm_loss_t *loss) {
    const ptrdiff_t k = loss->raws, n = k / 3;
    const real log_floor = log_floor_of(loss);
    vec x[ACROSS];
    component of[ACROSS / 3];
    double value = 0;
    FM_UNITS(units, {
        to_lanes(x, raw + u * ld, m, k, ld);
        const vec weight = weights_at(w, u, left);
        const vec lost = components(of, x, load(y + u, left, 0), n, log_floor);
        value += sum_of(weighted(weight, lost), m);
        for (ptrdiff_t c = 0; c < n; c++) {
            const component t = of[c];
            x[c] = weighted(weight, t.p - t.r);
            x[n + c] = weighted(weight, -t.r * t.z * t.inverse);
            x[2 * n + c] = weighted(weight, t.r * (1 - t.z * t.z) * t.up);
        }
        from_lanes(delta + u * ld, x, m, k, ld);
    });
    return value;
}

/* Tangents: rl of p's logits, centred; change = d log(p N) less its mean; rr = r change. */
static void mul_mixture(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                        ptrdiff_t units, const fm_loss_t *loss, int exact) {
    const ptrdiff_t k = loss->raws, n = k / 3;
    const real log_floor = log_floor_of(loss);
    vec x[ACROSS], rx[ACROSS], change[ACROSS / 3];
    component of[ACROSS / 3];
    FM_UNITS(units, {
        to_lanes(x, raw + u * k, m, k, k), to_lanes(rx, rraw + u * k, m, k, k);
        const vec weight = weights_at(w, u, left);
        components(of, x, load(y + u, left, 0), n, log_floor);
        vec top = of[0].p, shift = rx[0], mean = splat(0), drift = splat(0);
        for (ptrdiff_t c = 1; c < n; c++) {
            shift = select_(of[c].p > top, rx[c], shift);
            top = higher(of[c].p, top);
        }
        for (ptrdiff_t c = 0; c < n; c++) mean += of[c].p * (rx[c] - shift);
        for (ptrdiff_t c = 0; c < n; c++) {
            const component t = of[c];
            const vec along = t.z * t.inverse * rx[n + c] + (t.z * t.z - 1) * t.up * rx[2 * n + c];
            rx[c] = rx[c] - shift - mean;
            change[c] = rx[c] + along;
            drift += t.r * change[c];
        }
        for (ptrdiff_t c = 0; c < n; c++) {
            const component t = of[c];
            const vec rm = t.inverse * rx[n + c], rs = t.up * rx[2 * n + c];
            vec by_l = t.p * rx[c], by_m = t.r * rm, by_s = 2 * t.r * rs;
            if (exact) {
                const vec square = t.z * t.z, rr = t.r * (change[c] - drift);
                by_l -= rr;
                by_m += t.z * (2 * t.r * rs - rr);
                by_s = 2 * t.r * (t.z * rm + square * rs) +
                       (1 - square) * (rr + t.r * t.held * rx[2 * n + c]);
            }
            x[c] = weighted(weight, by_l);
            x[n + c] = weighted(weight, by_m * t.inverse);
            x[2 * n + c] = weighted(weight, by_s * t.up);
        }
        from_lanes(out + u * k, x, m, k, k);
    });
}

static void root_mixture(unit_root *R, const real *raw, real y, real w, const fm_loss_t *loss) {
    const ptrdiff_t k = loss->raws, n = k / 3;
    vec x[ACROSS];
    component of[ACROSS / 3];
    to_lanes(x, raw, 1, k, k);
    components(of, x, splat(y), n, log_floor_of(loss));
    lay_out_softmax(R, raw, n);
    for (ptrdiff_t c = 0; c < n; c++) {
        const vec size = vsqrt(w * of[c].r);
        R->sizes[c] = vsqrt(splat(w * R->p[c]))[0];
        R->more[c] = (size * of[c].inverse)[0];
        R->more[n + c] = (size * of[c].up)[0] * (real)1.41421356237309504880;
    }
}

static void along_mixture(real *out, const real *z, const unit_root *R, const fm_loss_t *loss) {
    const ptrdiff_t n = loss->raws / 3;
    centre(out, z, R->sizes, R->p, R->others, R->top, n);
    for (ptrdiff_t c = 0; c < 2 * n; c++) out[n + c] = R->more[c] * z[n + c];
}
