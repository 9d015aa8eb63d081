/* Which instruction sets this build and this CPU have, and the tables of names. */
#include "fastmlp.h"

#include <string.h>

static int cpu_has(const char *isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(isa, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(isa, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return strcmp(isa, "baseline") == 0;
}

#define ISA(name)                                                                                \
    extern const fm_kernels_f fm_##name##_f;                                                     \
    extern const fm_kernels_d fm_##name##_d;                                                     \
    static const fm_table name = {#name, &fm_##name##_f, &fm_##name##_d};
#if defined(__x86_64__)
ISA(avx512)
ISA(avx2)
#endif
ISA(baseline)

static const fm_table *const tables[] = {
#if defined(__x86_64__)
    &avx512, &avx2,
#endif
    &baseline,
};
enum { N_TABLES = sizeof tables / sizeof tables[0] };

const fm_table *fm_find(const char *isa) {
    for (int k = 0; k < N_TABLES; k++)
        if (strcmp(tables[k]->isa, isa) == 0) return cpu_has(isa) ? tables[k] : NULL;
    return NULL;
}

const char *const *fm_available(void) {
    static const char *names[N_TABLES + 1];
    int n = 0;
    for (int k = 0; k < N_TABLES; k++)
        if (cpu_has(tables[k]->isa)) names[n++] = tables[k]->isa;
    names[n] = NULL;
    return names;
}

static const fm_activation_row activation_rows[] = {
#define ACTIVATION(name, tape, range, n_params) {#name, #tape, #range, n_params},
#define ROW_ACTIVATION ACTIVATION
#include "activations.def"
#undef ROW_ACTIVATION
#undef ACTIVATION
};
const fm_activation_row *fm_activation_at(int k) {
    return k >= 0 && k < FM_N_ACTIVATIONS ? &activation_rows[k] : NULL;
}

static const fm_loss_row loss_rows[] = {
#define LOSS(name, domain, curvature, n_params) {#name, #domain, #curvature, n_params},
#include "losses.def"
#undef LOSS
};
const fm_loss_row *fm_loss_at(int k) {
    return k >= 0 && k < FM_N_LOSSES ? &loss_rows[k] : NULL;
}

static const char *const update_names[] = {
#define UPDATE(name, n_moments) #name,
#include "updates.def"
#undef UPDATE
};
const char *fm_update_at(int k) {
    return k >= 0 && k < FM_N_UPDATES ? update_names[k] : NULL;
}

static const char *const function_names[] = {
#define FUNCTION(name) #name,
#include "functions.def"
#undef FUNCTION
};
const char *fm_function_at(int k) {
    return k >= 0 && k < FM_N_FUNCTIONS ? function_names[k] : NULL;
}
