/* One instruction set: every kernel body, once for float and once for double, and their table. */
#include "coefficients.h"
#include "fastmlp.h"

#include <float.h>
#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define FM_PASTE_(a, b) a##b
#define FM_PASTE(a, b) FM_PASTE_(a, b)
#define FM_STRING_(a) #a
#define FM_STRING(a) FM_STRING_(a)

#define real float
#define REAL_IS_FLOAT 1
#define NAME(x) FM_PASTE(x, _f)
#include "kernels_body.h"
#undef real
#undef REAL_IS_FLOAT
#undef NAME

#define real double
#define REAL_IS_FLOAT 0
#define NAME(x) FM_PASTE(x, _d)
#include "kernels_body.h"
#undef real
#undef REAL_IS_FLOAT
#undef NAME

#define FM_TABLE(s)                                                                              \
    {                                                                                            \
        .activate = activate##s, .backward = backward##s, .slope = slope##s, .curv = curv##s,    \
        .output = output##s, .loss = loss##s, .loss_mul = loss_mul##s,                        \
        .loss_root = loss_root##s, .loss_root_mul = loss_root_mul##s, .update = update##s,       \
        .regularise = regularise##s, .column_sums = column_sums##s, .gather = gather##s,         \
        .gather_csr = gather_csr##s, .all_finite = all_finite##s, .padded = padded##s,           \
        .panel_copy = panel_copy##s, .standardise = standardise##s,                              \
        .panel_turn = panel_turn##s, .panel_forward = panel_forward##s,                          \
        .panel_loss = panel_loss##s, .panel_delta = panel_delta##s, .panel_grad = panel_grad##s, \
        .panel_update = panel_update##s, .panel_regularise = panel_regularise##s,                \
        .jacobian_rows = jacobian_rows##s, .gram_add = gram_add##s,                              \
        .row_forward = row_forward##s, .map = map##s                                             \
    }

const fm_table FM_PASTE(fm_table_, ISA) = {
    .isa = FM_STRING(ISA),
    .f = FM_TABLE(_f),
    .d = FM_TABLE(_d),
};
