#define ISA baseline
#define VECTOR_BYTES 16
#include "kernels_isa.h"
