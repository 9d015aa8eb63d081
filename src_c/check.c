/* The kernels against plain loops in long double, in buffers of exactly the right size, for every
 * instruction set that runs here; a kernel of kernels.def that is not checked is a failure. Built
 * with sanitizers: an access past an end stops the program. */
#include "check.h"

static const char *const names[] = {
#define KERNEL(returns, name, ...) #name,
#include "kernels.def"
#undef KERNEL
};

static const char *isa, *type;
static int n_passed, n_failed, n_verdicts[N_CHECKED];
static double worst, worst_of[N_CHECKED];

double draw(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0 * 4 - 2;
}

static void *buffers[64];
static int n_buffers;

void *taken(size_t bytes) {
    if (n_buffers == 64) abort();
    return buffers[n_buffers++] = malloc(bytes);
}

void free_taken(void) {
    while (n_buffers > 0) free(buffers[--n_buffers]);
}

void compare(wide got, wide expected, wide allowed) {
    if (got == expected) return;
    const double part = (double)(fabsl(got - expected) / allowed);
    if (!(part <= worst)) worst = isnan(part) ? INFINITY : part;
}

void verdict(enum check_kernel kernel, const char *detail, long size) {
    n_verdicts[kernel]++;
    if (worst > worst_of[kernel]) worst_of[kernel] = worst;
    if (worst <= 1) {
        n_passed++;
    } else {
        n_failed++;
        printf("FAILED %s, %s, %s %s, size %ld: %.3g times what is allowed\n", isa, type,
               names[kernel], detail, size, worst);
    }
    worst = 0;
}

static void all_checked(void) {
    for (int k = 0; k < N_CHECKED; k++) {
        if (n_verdicts[k] == 0)
            printf("FAILED %s, %s, %s: no check\n", isa, type, names[k]), n_failed++;
        n_verdicts[k] = 0;
    }
}

int main(void) {
    const fm_table *table;
    for (int k = 0; (table = fm_table_at(k)); k++) {
        isa = table->isa;
        type = "float", check_f(table->f), all_checked();
        type = "double", check_d(table->d), all_checked();
    }
    printf("largest errors as a part of what is allowed:");
    for (int k = 0; k < N_CHECKED; k++) printf(" %s %.2g", names[k], worst_of[k]);
    printf("\n%d passed, %d failed\n", n_passed, n_failed);
    return n_failed != 0;
}
