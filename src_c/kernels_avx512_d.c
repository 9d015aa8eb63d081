#define KERNELS fm_avx512_d
#define REAL_IS_FLOAT 0
#include "kernels_body.h"
