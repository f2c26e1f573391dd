/* Internal: windows that move over x[n][c][z][y][x], for pooling. */
#ifndef COUNTERWARP_LAYERS_POOL_H
#define COUNTERWARP_LAYERS_POOL_H

#include "Layers/layer.h"

enum { CW_POOL_ROW = 256 }; /* outputs along x at a time: their sums or maxima stay in the first cache */

typedef struct cw_pool_axis {
  int64_t in, out;
  int kernel, stride, pad, pad_end;
} cw_pool_axis;

typedef struct cw_pool_view {
  int64_t planes, in_size, out_size; /* n * c; voxels of a plane */
  cw_pool_axis z, y, x;
} cw_pool_view;

cw_pool_view cw_pool_view_of(const cw_call *call);
/* Shape of the output; CW_ERROR_ARGUMENT or CW_ERROR_SHAPE where the window does not fit. */
cw_status cw_pool_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                        cw_shape *out);

/* The part of output o's window that lies inside: taps first .. last - 1. */
static inline void cw_pool_taps(const cw_pool_axis *axis, int64_t o, int64_t *origin, int *first, int *last) {
  *origin = o * axis->stride - axis->pad;
  *first = *origin < 0 ? (int)-*origin : 0;
  *last = *origin + axis->kernel > axis->in ? (int)(axis->in - *origin) : axis->kernel;
}

/* Outputs first .. last - 1 of those from `from` to `to` on whose tap c along x lies inside. */
static inline void cw_pool_reach(const cw_pool_axis *x, int c, int64_t from, int64_t to, int64_t *first,
                                 int64_t *last) {
  const int64_t before = x->pad - c, end = x->in + x->pad - c; /* before / stride <= output < end / stride */
  *first = before > 0 ? (before + x->stride - 1) / x->stride : 0;
  *last = end > 0 ? (end - 1) / x->stride + 1 : 0;
  *first = *first < from ? from : *first;
  *last = *last > to ? to : *last;
}

#endif
