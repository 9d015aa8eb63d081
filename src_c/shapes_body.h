/* Likelihoods with a shape: m the logarithm or logit of the mean, s the logarithm of what makes them
 * narrow. Written with what is left of lgamma and its derivatives once Stirling's formula is taken
 * out (gaps_of): the terms that remain do not cancel where shapes are large. A density grows without
 * bound with its shape: s counts as MOST_LOG_SHAPE at most. */

#define MOST_LOG_SHAPE (-(LEAST_LOG_SCALE))

/* ---- gamma of mean e^m and shape a = e^s: a (e^t - 1 - t) + Stirling's error of a - s / 2 + log y
 * + log(2 pi) / 2, t = log y - m ------------------------------------------------------------- */

#define MOST_gamma_shape MOST_LOG_SHAPE

static real log_norm_gamma_shape(params p) { return log_norm_normal(p); }

static inline pair raw_gamma_shape(vec m, vec s, vec y, params p) {
    const vec log_y = vlog(vmax(y, SMALLEST_NORMAL)), t = log_y - m, a = vexp(s);
    const vec grown = value_exp(t + s, p); /* a e^t */
    const ivec near = vabs(t) < (real)0.34;
    const vec r = select_(near, t, splat(0)), series = r * r * POLY(r, exp_poly); /* e^r - 1 - r */
    const vec excess = select_(near, a * series, grown - a - a * t);
    const vec pull = select_(near, a * (r + series), grown - a);
    const gamma_gaps g = gaps_of(a, s);
    return (pair){.value = excess + g.stirling - (real)0.5 * s + log_y,
                  .m = -pull,
                  .s = excess - g.P,
                  .mm = a + pull,
                  .ms = -pull,
                  .ss = excess - (g.P - g.T),
                  .root_m = vexp((real)0.5 * s),
                  .root_s = vsqrt(g.T)};
}

/* ---- negative binomial of mean mu = e^m and shape n = e^s, with d = m - s the log odds:
 * (n + y) softplus(d) - y m + lgamma(y + 1) - (lgamma(n + y) - lgamma(n) - y log n).
 *
 * The mean and n are orthogonal. The information on n has no closed form; n^2 times it, T(n) for
 * large mu and mu^2 / (2 n (n + 1)) for small, is taken as T / (1 + sqrt(2 n (n + 1) T) / mu)^2, which
 * has both limits, is not below it, and at most 1.2 times it for n >= 1, 3 times for n >= 1/7. --- */

#define MOST_negative_binomial MOST_LOG_SHAPE

static real log_norm_negative_binomial(params p) {
    (void)p;
    return 0;
}

static inline pair raw_negative_binomial(vec m, vec s, vec y, params p) {
    const vec d = m - s, n = vexp(s), total = n + y, ratio = y / n, grow = vlog1p(ratio);
    const logistic_pair l = vlogistic_pair(d);
    const vec soft = vmax(d, 0) + vlog1p_unit(l.e), share = n / total;
    const gamma_gaps g = gaps_of(n, s), h = gaps_of(total, s + grow);
    const vec rise = n * grow + (g.P - share * h.P); /* n (digamma(n + y) - digamma(n)) */
    const vec bend = y / (1 + ratio) + (g.T - share * share * h.T); /* - n^2 trigamma likewise */
    const vec risen = (total - (real)0.5) * grow - y + (h.stirling - g.stirling);
    const vec spread = total * l.s * l.r;
    const vec far = vsqrt(2 * n * (n + 1) * g.T) * value_exp(-m, p);
    return (pair){.value = total * soft - y * m + vlgamma(y + 1) - risen,
                  .m = n * l.s - y * l.r,
                  .s = n * (soft - l.s) + y * l.r - rise,
                  .mm = spread,
                  .ms = n * l.s - spread,
                  .ss = n * (soft - 2 * l.s) + spread - rise + bend,
                  .root_m = vsqrt(n * l.s),
                  .root_s = vsqrt(g.T) / (1 + far)};
}

/* ---- beta of mean p = logistic(m) and concentration c = e^s, a = c p and b = c q:
 * c KL(p, y) + the Stirling errors of a and b less that of c - s / 2 - log(p q) / 2 + log(y (1 - y))
 * + log(2 pi) / 2. Fisher information: q^2 T_a + p^2 T_b + c p q, q T_a - p T_b, T_a + T_b - T_c;
 * its determinant is written without what cancels. ------------------------------------------- */

#define MOST_beta MOST_LOG_SHAPE

static real log_norm_beta(params p) { return log_norm_normal(p); }

static inline pair raw_beta(vec m, vec s, vec y, params params_) {
    (void)params_;
    const real edge = 1 - (REAL_IS_FLOAT ? (real)FLT_EPSILON : (real)DBL_EPSILON) / 2;
    const vec inside = vmin(vmax(y, SMALLEST_NORMAL), edge);
    const vec log_y = vlog(inside), log_rest = vlog1p(-inside);
    const logistic_pair l = vlogistic_pair(m);
    const vec p = l.s, q = l.r, tail = vlog1p_unit(l.e);
    const vec log_p = vmin(m, 0) - tail, log_q = -vmax(m, 0) - tail;
    const vec c = vexp(s), a = c * p, b = c * q, spread = a * q;
    const gamma_gaps A = gaps_of(a, s + log_p), B = gaps_of(b, s + log_q), C = gaps_of(c, s);
    const vec gap = m - (log_y - log_rest), pull = spread * gap;
    const vec divergence = a * (log_p - log_y) + b * (log_q - log_rest);
    const vec fall_a = q * (A.P - A.T), fall_b = p * (B.P - B.T);
    const vec weighted_T = q * q * A.T + p * p * B.T, left = A.T + B.T - C.T;
    const vec root_m = vsqrt(weighted_T + spread);
    const vec determinant = spread * left + (A.T * B.T - C.T * weighted_T);
    return (pair){.value = divergence + (A.stirling + B.stirling - C.stirling) - (real)0.5 * s -
                           (real)0.5 * (log_p + log_q) + log_y + log_rest,
                  .m = pull - q * A.P + p * B.P,
                  .s = divergence - A.P - B.P + C.P,
                  .mm = spread * (1 + (q - p) * gap) + p * q * (A.P + B.P) - q * fall_a - p * fall_b,
                  .ms = pull - fall_a + fall_b,
                  .ss = divergence - (A.P - A.T) - (B.P - B.T) + (C.P - C.T),
                  .root_m = root_m,
                  .root_ms = (q * A.T - p * B.T) / root_m,
                  .root_s = vsqrt(vmax(determinant, 0)) / root_m};
}
