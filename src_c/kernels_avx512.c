#define ISA avx512
#define VECTOR_BYTES 64
#define TILE_ROWS 12
#include "kernels_isa.h"
