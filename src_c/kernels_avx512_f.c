#define KERNELS fm_avx512_f
#define REAL_IS_FLOAT 1
#include "kernels_body.h"
