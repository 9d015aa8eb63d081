/* exp, expm1, log, log1p, tanh, erf, erfc on vectors; error bounds in README.md.
 * Coefficients: coefficients.h. */

#if REAL_IS_FLOAT
#define EXP_LOW (-104.0f)
#define EXP_HIGH 89.0f
#define LOG2_E 1.44269504f
#define LN2_HIGH 0.693145752f /* 15 significant bits: n LN2_HIGH is exact */
#define LN2_LOW 1.42860677e-6f
#define ROUND_MAGIC 12582912.0f /* 1.5 2^23 */
#define EXPONENT_BIAS 127
#define MANTISSA_BITS 23
#define SMALLEST_NORMAL 1.17549435e-38f
#define LARGEST 8e37f
#define TWO_TO_SCALE 16777216.0f /* 2^24 */
#define SCALE_EXPONENT 24
#define SQRT_HALF_BITS INT32_C(0x3f3504f3)
#define TANH_HIGH 9.2f
#define EXPM1_HIGH 20.0f
#define EXP_NORMAL (-87.0f) /* exp of it is a normal number */
#define SPLIT_MASK INT32_C(0xfffff000)
#define ERFC_HIGH 10.6f
#else
#define EXP_LOW (-746.0)
#define EXP_HIGH 710.0
#define LOG2_E 1.4426950408889634
#define LN2_HIGH 6.93147180369123816490e-01 /* 32 significant bits, as in fdlibm */
#define LN2_LOW 1.90821492927058770002e-10
#define ROUND_MAGIC 6755399441055744.0 /* 1.5 2^52 */
#define EXPONENT_BIAS 1023
#define MANTISSA_BITS 52
#define SMALLEST_NORMAL 2.2250738585072014e-308
#define LARGEST 4e307
#define TWO_TO_SCALE 18014398509481984.0 /* 2^54 */
#define SCALE_EXPONENT 54
#define SQRT_HALF_BITS INT64_C(0x3fe6a09e667f3bcd)
#define TANH_HIGH 20.0
#define EXPM1_HIGH 40.0
#define EXP_NORMAL (-708.0)
#define SPLIT_MASK INT64_C(0xfffffffff8000000)
#define ERFC_HIGH 28.0
#endif

/* c[0] + c[1] x + ...: even and odd powers by Horner's rule in x^2, side by side, since one chain
 * alone waits for itself; n is a constant, so the loops unroll. */
static inline vec poly(vec x, const real *c, int n) {
    const vec x2 = x * x;
    const int last_even = (n - 1) / 2 * 2, last_odd = (n - 2) / 2 * 2 + 1;
    vec even = splat(c[last_even]), odd = splat(c[last_odd]);
    for (int k = last_even - 2; k >= 0; k -= 2) even = even * x2 + c[k];
    for (int k = last_odd - 2; k >= 1; k -= 2) odd = odd * x2 + c[k];
    return even + odd * x;
}
#define POLY(x, c) poly(x, c, (int)(sizeof(c) / sizeof(real)))

/* 2^n for the integers n in the normal range. */
static inline vec power_of_two(ivec n) { return (vec)((n + EXPONENT_BIAS) << MANTISSA_BITS); }

/* x = n ln 2 + r, |r| <= ln(2)/2: returns exp(r) - 1 and n. NaN stays in the value. */
static inline vec exp_reduced(vec x, ivec *n) {
    const vec t = x * LOG2_E + ROUND_MAGIC;
    const vec k = t - ROUND_MAGIC;
    const vec r = (x - k * LN2_HIGH) - k * LN2_LOW;
    *n = (ivec)t - (ivec)splat(ROUND_MAGIC);
    return r + (r * r) * POLY(r, exp_poly);
}

static inline vec vexp(vec x) {
    ivec n;
    const vec p = exp_reduced(vmax(vmin(x, EXP_HIGH), EXP_LOW), &n);
    /* in two factors, so that denormal results and overflow come out right */
    const ivec half = n >> 1;
    const vec s = power_of_two(half);
    return (p * s + s) * power_of_two(n - half);
}

/* |x| <= EXPM1_HIGH */
static inline vec expm1_near(vec x) {
    ivec n;
    const vec p = exp_reduced(x, &n);
    const vec s = power_of_two(n);
    return p * s + (s - 1);
}

static inline vec vexpm1(vec x) {
    const vec near = expm1_near(vmax(vmin(x, EXPM1_HIGH), -EXPM1_HIGH));
    return select_(x > EXPM1_HIGH, vexp(x), select_(x == 0, x, near)); /* keeps -0 */
}

/* expm1(x) and exp(x), x <= 0 */
static inline vec vexpm1_and_exp(vec x, vec *e) {
    ivec n;
    const vec p = exp_reduced(vmax(x, EXP_NORMAL), &n);
    const vec s = power_of_two(n);
    *e = p * s + s;
    return p * s + (s - 1);
}

/* x = 2^k m, sqrt(1/2) <= m < sqrt(2), f = m - 1, s = f/(2+f):
 * log(m) = f - s (f - f^2/2 - ...) arranged so that the leading f is exact. */
static inline vec vlog(vec x) {
    const ivec tiny = x < SMALLEST_NORMAL;
    const vec scaled = select_(tiny, x * TWO_TO_SCALE, x);
    const ivec shifted = (ivec)scaled - SQRT_HALF_BITS;
    const ivec k = (shifted >> MANTISSA_BITS) - (tiny & SCALE_EXPONENT);
    const vec m = (vec)((ivec)scaled - (shifted & ~(((bits)1 << MANTISSA_BITS) - 1)));
    const vec f = m - 1;
    const vec s = f / (f + 2);
    const vec z = s * s;
    const vec half_f2 = (real)0.5 * f * f;
    const vec n = (vec)(k + (ivec)splat(ROUND_MAGIC)) - ROUND_MAGIC; /* k as real */
    const vec tail = s * (half_f2 + z * POLY(z, log_poly));
    vec y = n * LN2_HIGH - ((half_f2 - (tail + n * LN2_LOW)) - f);
    y = select_(x == splat((real)INFINITY), x, y);
    y = select_(x == 0, splat((real)-INFINITY), y);
    return select_((x < 0) | (x != x), splat((real)NAN), y);
}

/* log(u) corrected by the rounding of u = 1 + x (Goldberg 1991, theorem 4, in Kahan's form). */
static inline vec vlog1p(vec x) {
    const vec u = x + 1;
    const vec c = x - (u - 1);
    vec y = vlog(u) + c / u;
    y = select_(u == 1, x, y);
    return select_((u == splat((real)INFINITY)) | (u == 0), vlog(u), y);
}

static inline vec vsqrt(vec x) {
    vec y;
    for (int i = 0; i < LANES; i++) y[i] = REAL_IS_FLOAT ? sqrtf((float)x[i]) : sqrt((double)x[i]);
    return y;
}

/* Quotients and roots of 512 bits take the one unit that has them 16 to 36 cycles each; instead an
 * approximation to 14 bits is made one of 28, in float64 of 56, by Newton's method (its last step
 * on the result). */
#if VECTOR_BYTES == 64
/* a / b, b from SMALLEST_NORMAL to LARGEST, whose inverse is a normal number */
static inline vec quotient(vec a, vec b) {
    vec inverse = (vec)FM_INTRINSIC(rcp14)(b);
    if (!REAL_IS_FLOAT) inverse += inverse * (1 - b * inverse);
    const vec q = a * inverse;
    return q + inverse * (a - b * q);
}

/* m / (sqrt(v) + epsilon) for v >= 0 and epsilon >= SMALLEST_NORMAL; LARGEST stands for what is
 * larger, and 0 for denormal v. */
static inline vec over_root(vec m, vec v, real epsilon) {
    v = vmin(v, LARGEST);
    vec inverse = (vec)FM_INTRINSIC(rsqrt14)(v);
    if (!REAL_IS_FLOAT) inverse += (real)0.5 * inverse * (1 - v * inverse * inverse);
    const vec s = v * inverse, root = s + (real)0.5 * inverse * (v - s * s);
    return quotient(m, vmin(select_(v < SMALLEST_NORMAL, splat(0), root) + epsilon, LARGEST));
}
#else
static inline vec quotient(vec a, vec b) { return a / b; }
static inline vec over_root(vec m, vec v, real epsilon) { return m / (vsqrt(v) + epsilon); }
#endif

/* tanh|x| = e/(e+2), e = exp(2|x|) - 1. */
static inline vec vtanh(vec x) {
    const vec e = expm1_near(2 * vmin(vabs(x), TANH_HIGH));
    return vcopysign(e / (e + 2), x);
}

static inline vec vlogistic(vec x) { return 1 / (1 + vexp(-x)); }

/* What one exponential e = exp(-|x|) gives: s = logistic(x), r = logistic(-x), neither by
 * subtraction. */
typedef struct {
    vec e, s, r;
} logistic_pair;

static inline logistic_pair vlogistic_pair(vec x) {
    const vec e = vexp(-vabs(x)), inverse = 1 / (1 + e), smaller = e * inverse;
    const ivec negative = x < 0;
    return (logistic_pair){e, select_(negative, smaller, inverse),
                           select_(negative, inverse, smaller)};
}

/* log(1 + x) for 0 <= x <= 1: 2 artanh(s), s = x/(2+x) */
static inline vec vlog1p_unit(vec x) {
    const vec s = x / (2 + x), z = s * s;
    return 2 * s + s * z * POLY(z, log1p_poly);
}

/* erfc for x >= 0.5: exp(-x^2) C(t) / (1 + 2x), t = (x - 3.75)/(x + 3.75)
 * (Shepherd & Laframboise 1981); x^2 is split so that its rounding does not reach the exponent.
 * exp(-x^2) is right for any x >= 0. */
static inline vec erfc_large(vec x, vec *exp_minus_square) {
    const vec high = (vec)((ivec)x & SPLIT_MASK);
    const vec low = (x - high) * (x + high); /* x^2 = high^2 + low */
    const vec e = vexp(-high * high);
    const vec t = (x - (real)3.75) / (x + (real)3.75);
    /* exp(-low), |low| < 0.05, by its series */
    const vec correction =
        low * (1 - low * ((real)0.5 - low * ((real)(1.0 / 6) - low * (real)(1.0 / 24))));
    *exp_minus_square = e - e * correction;
    return *exp_minus_square * POLY(t, erfc_poly) / (1 + 2 * x);
}

static inline vec verf(vec x) {
    const vec size = vabs(x);
    const vec inner = x * POLY(x * x, erf_poly);
    vec e;
    const vec outer = 1 - erfc_large(vmax(vmin(size, ERFC_HIGH), 1), &e);
    return select_(size < 1, inner, vcopysign(outer, x));
}

/* erfc(x) and exp(-x^2) */
static inline vec verfc_and_exp(vec x, vec *e) {
    const vec size = vabs(x);
    const vec inner = 1 - x * POLY(x * x, erf_poly);
    const vec outer = erfc_large(vmin(size, ERFC_HIGH), e);
    return select_(size < (real)0.5, inner, select_(x < 0, 2 - outer, outer));
}

static inline vec verfc(vec x) {
    vec e;
    return verfc_and_exp(x, &e);
}

#include "special_body.h"

/* A loop of its own for each function, so that none pays for the constants of the others. */
#define FUNCTION(name)                                                                             \
    FM_APART void map_##name(real *out, const real *x, ptrdiff_t n) {                              \
        FM_EACH(n, store(out + i, v##name(load(x + i, k, 1)), k););                                \
    }
#include "functions.def"
#undef FUNCTION

static void map(real *out, const real *x, ptrdiff_t n, int function) {
    switch (function) {
#define FUNCTION(name)                                                                             \
    case FM_FUNCTION_##name: map_##name(out, x, n); break;
#include "functions.def"
#undef FUNCTION
    }
}
