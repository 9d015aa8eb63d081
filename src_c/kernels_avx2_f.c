#define KERNELS fm_avx2_f
#define VECTOR_BYTES 32
#define TILE_ROWS 6
#define REAL_IS_FLOAT 1
#include "kernels_body.h"
