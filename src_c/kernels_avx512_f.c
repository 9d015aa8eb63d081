#define KERNELS fm_avx512_f
#define VECTOR_BYTES 64
#define TILE_ROWS 12
#define REAL_IS_FLOAT 1
#include "kernels_body.h"
