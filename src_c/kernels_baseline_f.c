#define KERNELS fm_baseline_f
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#define REAL_IS_FLOAT 1
#include "kernels_body.h"
