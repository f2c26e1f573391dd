/* 32 registers of 16 floats. */
#define CW_LANES 16
#define CW_TABLE cw_conv_kernels_avx512
#define CW_BLOCK 8
#define CW_PRODUCT_BLOCK 8
/* One or two channels need more sums at a time than that, to hide how long a multiply-add takes. */
#define CW_VECTORS(block) ((block) > 6 ? 3 : (block) > 2 ? 4 : 8)
#include "Layers/conv_kernel_template.h"
