#define KERNELS fm_avx512_d
#define VECTOR_BYTES 64
#define TILE_ROWS 12
#define REAL_IS_FLOAT 0
#include "kernels_body.h"
