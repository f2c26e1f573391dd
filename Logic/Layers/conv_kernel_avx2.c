/* 16 registers of 8 floats. */
#define CW_LANES 8
#define CW_TABLE cw_conv_kernels_avx2
#define CW_BLOCK 4
#define CW_PRODUCT_BLOCK 4
#define CW_VECTORS(block) ((block) > 4 ? 1 : (block) > 3 ? 3 : 4)
#include "Layers/conv_kernel_template.h"
