/* Internal: the inner products of convolution, compiled once for each instruction set.
 *
 * Rows are packed with their halo (see conv_engine.c), so every tap is a shifted load of a contiguous row. */
#ifndef COUNTERWARP_LAYERS_CONV_KERNEL_H
#define COUNTERWARP_LAYERS_CONV_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#define CW_CONV_MAX_BLOCK 8   /* output channels of one kernel call */
#define CW_CONV_MAX_VECTORS 4 /* vectors of output positions of one kernel call */

/* y[o][j][lane] (+)= bias[o] + sum over channels c and taps t of w[c][t][o] x[c * channel_stride + base[j] + tap[t] +
 * lane], for o < block and j < vectors (1 up to the table's); lanes at and beyond valid[j] are not stored. */
typedef struct cw_conv_tile {
  const float *x;
  ptrdiff_t channel_stride;
  int channels, taps;
  const ptrdiff_t *tap;
  const float *w;
  const float *bias; /* NULL: zero */
  ptrdiff_t base[CW_CONV_MAX_VECTORS];
  float *y[CW_CONV_MAX_VECTORS];
  int valid[CW_CONV_MAX_VECTORS];
  ptrdiff_t y_channel_stride;
  bool accumulate;
} cw_conv_tile;

/* dw[o * dw_stride + k] += sum over rows and positions of dy[o][row][x] x[row][x + k * step], for o < block, k < taps
 * (taps is 1 or 3).  dy rows are padded with zeros to whole vectors. */
typedef struct cw_conv_product {
  const float *dy, *x;
  ptrdiff_t dy_channel_stride, dy_row_stride, x_row_stride, step;
  int rows, vectors; /* vectors of a row */
  float *dw;
  ptrdiff_t dw_stride;
} cw_conv_product;

typedef struct cw_conv_kernels {
  int lanes;                          /* floats of a vector */
  int block;                          /* preferred number of output channels */
  int vectors[CW_CONV_MAX_BLOCK + 1]; /* vectors that a block makes the best of */
  void (*tile[CW_CONV_MAX_BLOCK + 1][CW_CONV_MAX_VECTORS + 1])(const cw_conv_tile *);
  void (*product1[CW_CONV_MAX_BLOCK + 1])(const cw_conv_product *);
  void (*product3[CW_CONV_MAX_BLOCK + 1])(const cw_conv_product *);
  int product_block;
} cw_conv_kernels;

extern const cw_conv_kernels cw_conv_kernels_generic;
#ifdef CW_HAVE_X86_KERNELS
extern const cw_conv_kernels cw_conv_kernels_avx2, cw_conv_kernels_avx512;
#endif

/* The best table for this processor. */
const cw_conv_kernels *cw_conv_kernels_select(void);

#endif
