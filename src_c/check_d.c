#define CHECK check_d
#define EPSILON DBL_EPSILON
typedef double real;
#include "check.h"
typedef fm_kernels_d fm_kernels;
#include "check_body.h"
