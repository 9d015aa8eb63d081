#define ISA avx2
#define VECTOR_BYTES 32
#include "kernels_isa.h"
