/* losses.def by families. Who includes this has defined what a row of some of them becomes: OF_A or
 * OF_RAW, one raw output per target and the loss by the prediction or by raw (BOTH is of both),
 * OF_TWO, OF_MANY. */
#ifndef OF_A
#define OF_A(name)
#endif
#ifndef OF_RAW
#define OF_RAW(name)
#endif
#ifndef OF_TWO
#define OF_TWO(name)
#endif
#ifndef OF_MANY
#define OF_MANY(name)
#endif
#define FM_1_AT(name) OF_A(name)
#define FM_1_RAW(name) OF_RAW(name)
#define FM_1_BOTH(name) OF_A(name) OF_RAW(name)
#define FM_2_RAW(name) OF_TWO(name)
#define FM_1_EACH_RAW(name) OF_MANY(name)
#define FM_3_EACH_RAW(name) OF_MANY(name)
#define LOSS(name, raws, targets, domain, curvature, canonical, forms, ...) FM_##raws##_##forms(name)
#include "losses.def"
#undef LOSS
#undef OF_MANY
#undef OF_TWO
#undef OF_RAW
#undef OF_A
