/* Which instruction sets this build and this CPU have, and the tables of names. */
#include "fastmlp.h"

#include <math.h>

#define ISA(name, ...)                                                                           \
    extern const fm_kernels_f fm_##name##_f;                                                     \
    extern const fm_kernels_d fm_##name##_d;                                                     \
    static const fm_table name = {#name, &fm_##name##_f, &fm_##name##_d};
#include "isas.def"

const fm_table *fm_table_at(int k) {
#define X86(feature) &&__builtin_cpu_supports(#feature)
#define ISA(name, features, flags)                                                               \
    if (1 features && k-- == 0) return &name;
#include "isas.def"
    return NULL;
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
#define NONE {NULL, NULL, 0, 0, 0}
#define PARAMETER(name, value, low, high) {#name, "REAL", value, low, high}
#define DISCOUNT(name, value) {#name, "DISCOUNT", value, 0, 1}
#define COUNT(name, value, low, high) {#name, "COUNT", value, low, high}
#define LEVELS(name, most) {#name, "LEVELS", NAN, 1, most}
#define WIDTHS(name, most) {#name, "WIDTHS", NAN, 1, most}
#define RAWS_1 1, 0
#define RAWS_2 2, 0
#define RAWS_1_EACH 1, 1
#define RAWS_3_EACH 3, 1
#define LOSS(name, raws, targets, domain, curvature, canonical, forms, constant, noise, ...)     \
    {#name,      RAWS_##raws, #targets,  #domain, #curvature,                                    \
     #canonical, #forms,      #constant, #noise,  {__VA_ARGS__}},
#include "losses.def"
#undef LOSS
#undef RAWS_3_EACH
#undef RAWS_1_EACH
#undef RAWS_2
#undef RAWS_1
#undef WIDTHS
#undef LEVELS
#undef COUNT
#undef DISCOUNT
#undef PARAMETER
#undef NONE
};
const fm_loss_row *fm_loss_at(int k) {
    return k >= 0 && k < FM_N_LOSSES ? &loss_rows[k] : NULL;
}

static const fm_update_row update_rows[] = {
#define UPDATE(name, n_moments) {#name, n_moments},
#include "updates.def"
#undef UPDATE
};
const fm_update_row *fm_update_at(int k) {
    return k >= 0 && k < FM_N_UPDATES ? &update_rows[k] : NULL;
}

static const char *const function_names[] = {
#define FUNCTION(name) #name,
#include "functions.def"
#undef FUNCTION
};
const char *fm_function_at(int k) {
    return k >= 0 && k < FM_N_FUNCTIONS ? function_names[k] : NULL;
}
