/* Optimiser steps: one pass over the parameters, their moments and their gradient.
 * The gradient is g = (grad + l2 theta) scale; each returns |theta|^2 before the step. */

#define FM_UPDATE_LOOP(...)                                                                        \
    FM_EACH(n, {                                                                                   \
        vec t = load(theta + i, k, 0);                                                             \
        vec m = load(first + i, k, 0);                                                             \
        const vec g = (load(grad + i, k, 0) + l2 * t) * scale;                                     \
        norm2 += t * t;                                                                            \
        __VA_ARGS__;                                                                               \
        store(theta + i, t, k);                                                                    \
        store(first + i, m, k);                                                                    \
        if (++since == 4096) total += sum_of(norm2, LANES), norm2 = splat(0), since = 0;           \
    });                                                                                            \
    break;

static double update(real *theta, real *first, real *second, const real *grad, ptrdiff_t n,
                     const fm_update_t *u) {
    const real rate = (real)u->rate, momentum = (real)u->momentum, l2 = (real)u->l2;
    const real scale = (real)u->scale, keep = (real)(1 - u->decay);
    const real b1 = (real)u->beta_1, b2 = (real)u->beta_2;
    /* not 0 in this type: padding, and whatever has never had a gradient, would step by 0/0 */
    const real smallest = REAL_IS_FLOAT ? (real)FLT_MIN : (real)DBL_MIN;
    const real epsilon = (real)u->epsilon > smallest ? (real)u->epsilon : smallest;
    const real c1 = (real)(1 - u->beta_1), c2 = (real)(1 - u->beta_2);
    vec norm2 = splat(0);
    double total = 0;
    int since = 0; /* vectors since norm2 was emptied into the double total */
    switch (u->kind) {
    case FM_UPDATE_sgd:
        FM_UPDATE_LOOP(m = momentum * m - rate * g; t = keep * t + m)
    case FM_UPDATE_nesterov:
        FM_UPDATE_LOOP(m = momentum * m - rate * g; t = keep * t + (momentum * m - rate * g))
    case FM_UPDATE_adam: /* Kingma & Ba 2015; rate holds the bias correction */
        FM_UPDATE_LOOP(const vec v = b2 * load(second + i, k, 0) + c2 * (g * g);
                       m = b1 * m + c1 * g;
                       t = keep * t - over_root(rate * m, v, epsilon);
                       store(second + i, v, k))
    }
    return total + sum_of(norm2, LANES);
}

static void regularise(real *grad, double *sums, const real *theta, ptrdiff_t n, double l2,
                       double scale) {
    vec theta2 = splat(0), grad2 = splat(0);
    int since = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t k = n - i;
        const vec t = load(theta + i, k, 0);
        const vec g = (load(grad + i, k, 0) + (real)l2 * t) * (real)scale;
        store(grad + i, g, k);
        theta2 += t * t;
        grad2 += g * g;
        if (++since == 4096) {
            sums[0] += sum_of(theta2, LANES), sums[1] += sum_of(grad2, LANES);
            theta2 = grad2 = splat(0), since = 0;
        }
    }
    sums[0] += sum_of(theta2, LANES), sums[1] += sum_of(grad2, LANES);
}
