#define CHECK check_f
#define EPSILON FLT_EPSILON
typedef float real;
#include "check.h"
typedef fm_kernels_f fm_kernels;
#include "check_body.h"
