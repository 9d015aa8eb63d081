#define KERNELS fm_baseline_d
#define REAL_IS_FLOAT 0
#include "kernels_body.h"
