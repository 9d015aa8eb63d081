#define KERNELS fm_baseline_f
#define REAL_IS_FLOAT 1
#include "kernels_body.h"
