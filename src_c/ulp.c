/* Largest error of the vector functions in units in the last place, as a Markdown table.
 * float: every `stride`-th bit pattern (default 1: all 2^32), against the C library in double;
 * double: 4 million points spread over the exponents, against the library in long double. */
#include "fastmlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4096 };

/* By recurrence, and Stirling's series from 40 on; infinite at 0, NaN below. */
static long double digamma_at(long double x) {
    long double sum = 0;
    if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
    if (isinf(x)) return x;
    for (; x < 40; x++) sum -= 1 / x;
    const long double u = 1 / (x * x);
    return sum + (logl(x) - 1 / (2 * x) -
                  u * (1 / 12.0L - u * (1 / 120.0L - u * (1 / 252.0L - u * (1 / 240.0L - u / 132)))));
}

static long double trigamma_at(long double x) {
    long double sum = 0;
    if (!(x > 0)) return x == 0 ? INFINITY : NAN;
    for (; x < 40; x++) sum += 1 / (x * x);
    const long double u = 1 / x / x;
    return sum + (1 / x + u / 2 +
                  u / x * (1 / 6.0L - u * (1 / 30.0L - u * (1 / 42.0L - u * (1 / 30.0L - u * 5 / 66)))));
}

static long double reference(int f, long double x) {
    switch (f) {
    case FM_FUNCTION_exp: return expl(x);
    case FM_FUNCTION_expm1: return expm1l(x);
    case FM_FUNCTION_log: return logl(x);
    case FM_FUNCTION_log1p: return log1pl(x);
    case FM_FUNCTION_tanh: return tanhl(x);
    case FM_FUNCTION_erf: return erfl(x);
    case FM_FUNCTION_erfc: return erfcl(x);
    case FM_FUNCTION_lgamma: return x < 0 ? NAN : lgammal(x);
    case FM_FUNCTION_digamma: return digamma_at(x);
    case FM_FUNCTION_trigamma: return trigamma_at(x);
    }
    return NAN;
}

static double reference_f(int f, double x) {
    switch (f) {
    case FM_FUNCTION_exp: return exp(x);
    case FM_FUNCTION_expm1: return expm1(x);
    case FM_FUNCTION_log: return log(x);
    case FM_FUNCTION_log1p: return log1p(x);
    case FM_FUNCTION_tanh: return tanh(x);
    case FM_FUNCTION_erf: return erf(x);
    case FM_FUNCTION_erfc: return erfc(x);
    case FM_FUNCTION_lgamma: return x < 0 ? (double)NAN : lgamma(x);
    case FM_FUNCTION_digamma: return (double)digamma_at(x);
    case FM_FUNCTION_trigamma: return (double)trigamma_at(x);
    }
    return NAN;
}

/* |got - expected| in units of the spacing at the expected value; denormal results count in units
 * of the smallest normal spacing. Wrong NaN or infinity: infinite. */
static double ulps(double error, double size, int digits, int least) {
    int exponent;
    frexp(size, &exponent);
    if (exponent < least) exponent = least;
    return error / ldexp(1, exponent - digits);
}

static double error_f(float got, double expected) {
    const float rounded = (float)expected;
    if (isnan(expected) || isinf(rounded))
        return (isnan(expected) ? isnan(got) : got == rounded) ? 0 : INFINITY;
    return ulps(fabs((double)got - expected), fabs(expected), 24, -125);
}

/* Near digamma's zero the sums of its reference have more error than the result has spacing. */
static int told_apart(int f, double x) {
    return f != FM_FUNCTION_digamma || fabs(x - 1.4616321449683622) > 0.01;
}

static double error_d(double got, long double expected) {
    const double rounded = (double)expected;
    if (isnan(rounded) || isinf(rounded))
        return (isnan(rounded) ? isnan(got) : got == rounded) ? 0 : INFINITY;
    return ulps((double)fabsl(got - expected), fabs(rounded), 53, -1021);
}

int main(int argc, char **argv) {
    const uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const fm_table *t;
    for (int k = 0; (t = fm_table_at(k)); k++) {
        printf("\n%s\n\n| function | float32, ULP | at | float64, ULP | at |\n|---|---|---|---|---|\n",
               t->isa);
        for (int f = 0; f < FM_N_FUNCTIONS; f++) {
            static float xf[N], yf[N];
            static double xd[N], yd[N];
            double worst_f = 0, at_f = 0, worst_d = 0, at_d = 0;
            for (uint64_t first = 0; first < (UINT64_C(1) << 32); first += stride * N) {
                for (int i = 0; i < N; i++) {
                    const uint32_t pattern = (uint32_t)(first + stride * (uint64_t)i);
                    memcpy(&xf[i], &pattern, 4);
                }
                t->f->map(yf, xf, N, f);
                for (int i = 0; i < N; i++) {
                    const double e = error_f(yf[i], reference_f(f, xf[i]));
                    if (e > worst_f) worst_f = e, at_f = xf[i];
                }
            }
            uint64_t state = 1;
            for (int block = 0; block < 1024; block++) {
                for (int i = 0; i < N; i++) {
                    state = state * 6364136223846793005u + 1442695040888963407u;
                    const double u = (double)(state >> 11) / 9007199254740992.0;
                    const double v = (double)((state * 2862933555777941757u) >> 11) / 9007199254740992.0;
                    /* half of the points within the working range, half over all exponents */
                    xd[i] = block % 2 ? (u - 0.5) * 80 : (v < 0.5 ? -1 : 1) * exp2((u - 0.5) * 2000);
                }
                t->d->map(yd, xd, N, f);
                for (int i = 0; i < N; i++) {
                    const double e = error_d(yd[i], reference(f, xd[i]));
                    if (e > worst_d && told_apart(f, xd[i])) worst_d = e, at_d = xd[i];
                }
            }
#define FUNCTION(x) #x,
            static const char *const names[] = {
#include "functions.def"
            };
#undef FUNCTION
            printf("| %s | %.2f | %.7g | %.2f | %.15g |\n", names[f], worst_f, at_f, worst_d, at_d);
            fflush(stdout);
        }
    }
    return 0;
}
