/* The kernels of one instruction set for one element type. KERNELS, the name of their table, and
 * REAL_IS_FLOAT come from the file that includes this, VECTOR_BYTES and TILE_ROWS from isas.def. */
#include "fastmlp.h"

#include <float.h>
#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "simd_body.h"

#include "coefficients.h"

#include "math_body.h"

#include "activations_body.h"

#include "turn_body.h"

#include "softmax_body.h"

#include "losses_body.h"

#include "arrays_body.h"

#include "updates_body.h"

#include "roots_body.h"

#include "many_body.h"

#include "panels_body.h"

#include "csr_body.h"

#include "row_body.h"

#include "gram_body.h"

const fm_kernels KERNELS = {
#define KERNEL(returns, name, ...) .name = name,
#include "kernels.def"
};
