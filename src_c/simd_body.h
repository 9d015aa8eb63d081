/* Vectors of `real`: GNU vector extensions, VECTOR_BYTES wide. */

#if REAL_IS_FLOAT
typedef int32_t NAME(bits);
#else
typedef int64_t NAME(bits);
#endif
#define bits NAME(bits)

typedef real NAME(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef bits NAME(ivec) __attribute__((vector_size(VECTOR_BYTES)));
#define vec NAME(vec)
#define ivec NAME(ivec)

enum { NAME(LANES) = VECTOR_BYTES / sizeof(real) };
#define LANES NAME(LANES)

static inline vec NAME(splat)(real x) { return x - (vec){0}; }
#define splat NAME(splat)

/* m ? a : b, lane by lane; m is all ones or all zeros per lane. */
static inline vec NAME(select)(ivec m, vec a, vec b) {
    return (vec)((m & (ivec)a) | (~m & (ivec)b));
}
#define select_ NAME(select)

static inline vec NAME(vabs)(vec x) {
#if REAL_IS_FLOAT
    return (vec)((ivec)x & INT32_C(0x7fffffff));
#else
    return (vec)((ivec)x & INT64_C(0x7fffffffffffffff));
#endif
}
#define vabs NAME(vabs)

/* The magnitude of x with the sign of s. */
static inline vec NAME(vcopysign)(vec x, vec s) {
    const ivec sign = (ivec)splat((real)-0.0);
    return (vec)(((ivec)x & ~sign) | ((ivec)s & sign));
}
#define vcopysign NAME(vcopysign)

/* NaN in x stays NaN: the comparison is false and x is kept. */
static inline vec NAME(vmin)(vec x, real bound) { return select_(x > bound, splat(bound), x); }
static inline vec NAME(vmax)(vec x, real bound) { return select_(x < bound, splat(bound), x); }
#define vmin_ NAME(vmin)
#define vmax_ NAME(vmax)

/* The first k entries (k >= LANES: a whole vector); lanes past them hold `fill`. */
static inline vec NAME(load)(const real *p, ptrdiff_t k, real fill) {
    vec x;
    if (k >= LANES) {
        memcpy(&x, p, sizeof x);
    } else {
        x = splat(fill);
        memcpy(&x, p, (size_t)k * sizeof(real));
    }
    return x;
}
#define load NAME(load)

static inline void NAME(store)(real *p, vec x, ptrdiff_t k) {
    if (k >= LANES)
        memcpy(p, &x, sizeof x);
    else
        memcpy(p, &x, (size_t)k * sizeof(real));
}
#define store NAME(store)

/* Sums of at most k lanes, in double: a loss over many rows keeps its digits in float32. */
static inline double NAME(sum)(vec x, ptrdiff_t k) {
    double s = 0;
    if (k >= LANES)
        for (int i = 0; i < LANES; i++) s += (double)x[i];
    else
        for (int i = 0; i < k; i++) s += (double)x[i];
    return s;
}
#define sum_ NAME(sum)
