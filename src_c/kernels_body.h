/* The kernels for one element type `real`; no include guard, included once per type. */
#include "simd_body.h"

#include "math_body.h"

#include "activations_body.h"

#include "turn_body.h"

#include "softmax_body.h"

#include "losses_body.h"

#include "arrays_body.h"

#include "updates_body.h"

#include "roots_body.h"

#include "panels_body.h"

#include "row_body.h"

#include "gram_body.h"

/* Names that the parts above share, given back for the next type. */
#undef bits
#undef vec
#undef ivec
#undef LANES
#undef FM_INTRINSIC
#undef FM_INTRINSIC_NAME
#undef splat
#undef select_
#undef vabs
#undef vcopysign
#undef vmin_
#undef vmax_
#undef load
#undef store
#undef sum_
#undef vexp
#undef vexpm1
#undef vlog
#undef vlog1p
#undef vlog1p_unit
#undef vtanh
#undef vlogistic
#undef vlogistic_pair
#undef logistic_pair
#undef verf
#undef verfc
#undef params
#undef value_slope
#undef point
#undef entries
#undef vsqrt
#undef SELU_SCALE
#undef SELU_ALPHA
#undef NORMAL_PEAK
#undef EXP_SAFE
#undef FM_PARAMS
#undef POLY
#undef FM_LOSS_BLOCK
#undef FM_LOSS_MUL_BLOCK
#undef FM_PREDICTION_LOSSES
#undef FM_CANONICAL_LOSSES
#undef FM_UPDATE_LOOP
#undef FM_EACH
#undef PANEL
#undef layout
#undef ROW_VECTORS
#undef ROW_BLOCK
#undef TILE
