/* What check_f.c and check_d.c (check_body.h, once per element type) share with check.c. */
#include "fastmlp.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* References are reckoned in it. */
typedef long double wide;

enum check_kernel {
#define KERNEL(returns, name, ...) CHECK_##name,
#include "kernels.def"
#undef KERNEL
    N_CHECKED
};

/* Uniform on [-2, 2), reproducible. */
double draw(void);

/* A buffer of exactly `bytes`: the sanitizer sees whatever is touched past it. free_taken frees
 * all. */
void *taken(size_t bytes);
void free_taken(void);

/* One number of the kernel at hand: its error as a part of what is allowed. */
void compare(wide got, wide expected, wide allowed);
/* The verdict on all that was compared since the last one. */
void verdict(enum check_kernel kernel, const char *detail, long size);

/* check_formulas.c: the mathematics, parameter .1 of an activation, .3 of a loss, and 3 as df. */
typedef struct {
    wide value, slope, curv; /* and the sum of their terms' sizes, where these cancel */
    wide slope_size, curv_size;
} wide_activation;
wide_activation activation_at(int kind, wide z);
void output_at(wide *a, const wide *raw, int n, int output);
wide loss_at(const fm_loss_t *loss, const wide *raw, const wide *y, int n);
/* d loss / d raw, by differences of loss_at */
void loss_grad_at(wide *grad, const fm_loss_t *loss, const wide *raw, const wide *y, int n);
/* Q r: differences of the gradient's formula (FM_HESS), J' l'' J r (FM_GGN) */
void loss_mul_at(wide *q, const wide *r, const fm_loss_t *loss, const wide *raw, const wide *y,
                 int n, int curvature);
/* Whether raw lies far enough from the loss's kinks for differences. */
int smooth_at(const fm_loss_t *loss, const wide *raw, const wide *y, int n);
int is_canonical_pair(const fm_loss_t *loss);
wide function_at(int function, wide x);

void check_f(const fm_kernels_f *kernels);
void check_d(const fm_kernels_d *kernels);
