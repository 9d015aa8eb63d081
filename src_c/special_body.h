/* lgamma, digamma and trigamma of x > 0: infinite at 0, NaN below. From 8 on Stirling's series, which
 * alternate: Abramowitz & Stegun (1964), 6.1.40, 6.3.18, 6.4.12. Below, recurrence into an interval
 * where lgamma and digamma are their zero's distance times a polynomial, so that errors stay relative.
 */

#define STIRLING_FROM 8
#define HALF_LOG_2PI ((real)0.91893853320467274178)

/* Of 1 / x^2: what follows the leading terms, over 1 / x, 1 / x^2 and 1 / x^3. */
static const real stirling_series[] = {
    (real)(1.0 / 12),        (real)(-1.0 / 360), (real)(1.0 / 1260),      (real)(-1.0 / 1680),
    (real)(1.0 / 1188),      (real)(-691.0 / 360360), (real)(1.0 / 156),  (real)(-3617.0 / 122400),
};
static const real digamma_series[] = {
    (real)(1.0 / 12),  (real)(-1.0 / 120),     (real)(1.0 / 252), (real)(-1.0 / 240),
    (real)(1.0 / 132), (real)(-691.0 / 32760), (real)(1.0 / 12),  (real)(-3617.0 / 8160),
    (real)(43867.0 / 14364),
};
static const real trigamma_series[] = {
    (real)(1.0 / 6),  (real)(-1.0 / 30),     (real)(1.0 / 42), (real)(-1.0 / 30),
    (real)(5.0 / 66), (real)(-691.0 / 2730), (real)(7.0 / 6),  (real)(-3617.0 / 510),
    (real)(43867.0 / 798), (real)(-174611.0 / 330), (real)(854513.0 / 138),
};

/* NaN for x < 0 and NaN. */
static inline vec of_positive(vec x, vec y) {
    return select_((x < 0) | (x != x), splat((real)NAN), y);
}

static inline vec vlgamma(vec x) {
    const ivec large = x >= STIRLING_FROM, below = x < (real)1.5, tiny = x < (real)0.5;
    vec r = select_(large | below, splat(2), x), product = splat(1);
    for (int k = 0; k < 6; k++) { /* gamma(x) = product gamma(r), r in [1.5, 2.5] */
        const ivec more = r > (real)2.5;
        r = select_(more, r - 1, r);
        product = select_(more, product * r, product);
    }
    /* or gamma(x) = gamma(2 + u) / x, or that over x (1 + x) */
    const vec u = select_(tiny, x, select_(below, x - 1, r - 2));
    const vec of = select_(tiny, x * (1 + x), select_(below | large, x, product)), l = vlog(of);
    const vec near = u * POLY(u, lgamma_poly) + select_(below, -l, l);
    const vec y = 1 / select_(large, x, splat(STIRLING_FROM));
    const vec far = (x - (real)0.5) * (l - 1) +
                    (HALF_LOG_2PI - (real)0.5 + y * POLY(y * y, stirling_series));
    return of_positive(x, select_(large, far, near));
}

/* digamma's zero, in two parts */
#if REAL_IS_FLOAT
#define DIGAMMA_ZERO 1.46163213f
#define DIGAMMA_ZERO_REST 1.243815e-8f
#else
#define DIGAMMA_ZERO 1.4616321449683622
#define DIGAMMA_ZERO_REST 9.549995429965698e-17
#endif

static inline vec vdigamma(vec x) {
    const ivec large = x >= STIRLING_FROM, below = x < 1;
    vec r = select_(large, splat(1), select_(below, x + 1, x)), numerator = splat(0), product = splat(1);
    for (int k = 0; k < 6; k++) { /* digamma(x) = digamma(r) + 1 / r + ... + 1 / (x - 1) */
        const ivec more = r >= 2;
        r = select_(more & ~below, r - 1, r);
        numerator = select_(more & ~below, numerator * r + product, numerator);
        product = select_(more & ~below, product * r, product);
    }
    const vec more = select_(below, -1 / x, numerator / product);
    const vec base = ((r - DIGAMMA_ZERO) - DIGAMMA_ZERO_REST) * POLY(r - (real)1.5, digamma_poly);
    const vec y = 1 / select_(large, x, splat(STIRLING_FROM));
    const vec far = vlog(x) - y * ((real)0.5 + y * POLY(y * y, digamma_series));
    return of_positive(x, select_(large, far, base + more));
}

static inline vec vtrigamma(vec x) {
    vec r = x, first = splat(0), rest = splat(0);
    for (int k = 0; k < STIRLING_FROM; k++) { /* trigamma(x) = 1 / x^2 + trigamma(x + 1) */
        const ivec more = r < STIRLING_FROM;
        const vec inverse = 1 / r, term = select_(more, inverse * inverse, splat(0));
        if (k == 0)
            first = term;
        else
            rest += term;
        r = select_(more, r + 1, r);
    }
    const vec y = 1 / r, square = y * y;
    const vec tail = square * ((real)0.5 + y * POLY(square, trigamma_series));
    return of_positive(x, first + (rest + (tail + y)));
}

/* What likelihoods need of these, without what cancels in them where x is large: Stirling's error
 * lgamma(x) - (x - 1/2) log x + x - log(2 pi) / 2, and P = x (log x - digamma(x)) and
 * T = x (x trigamma(x) - 1), which fall from 1 at 0 to 1/2. By log x: x itself may have underflown.
 * dP / d log x = P - T. */
typedef struct {
    vec stirling, P, T;
} gamma_gaps;

FM_APART gamma_gaps gaps_of(vec x, vec log_x) {
    const ivec large = x >= STIRLING_FROM;
    const vec low = select_(large, splat(1), x), next = low + 1;
    const vec y = 1 / select_(large, x, splat(STIRLING_FROM)), square = y * y;
    const vec stirling = vlgamma(next) - (low + (real)0.5) * log_x + (low - HALF_LOG_2PI);
    const vec P = 1 + low * (log_x - vdigamma(next));
    const vec T = 1 - low + low * low * vtrigamma(next);
    return (gamma_gaps){
        .stirling = select_(large, y * POLY(square, stirling_series), stirling),
        .P = select_(large, (real)0.5 + y * POLY(square, digamma_series), P),
        .T = select_(large, (real)0.5 + y * POLY(square, trigamma_series), T)};
}
