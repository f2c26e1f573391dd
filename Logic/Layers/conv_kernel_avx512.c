/* 32 registers of 16 floats. */
#define CW_LANES 16
#define CW_TABLE cw_conv_kernels_avx512
#define CW_BLOCK 8
#define CW_PRODUCT_BLOCK 8
#define CW_VECTORS(block) ((block) > 6 ? 3 : 4)
#include "Layers/conv_kernel_template.h"
