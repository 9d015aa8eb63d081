#define KERNELS fm_baseline_d
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#define REAL_IS_FLOAT 0
#include "kernels_body.h"
