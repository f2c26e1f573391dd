/* Means over a window of x[n][c][z][y][x], and over all of space. */
#include <string.h>

#include "Layers/pool.h"

/* Samples of output o's window along an axis: those inside, or with count_pads those of the padded axis. */
static int counted(const cw_pool_axis *axis, int64_t o, int first, int last, bool count_pads) {
  const int64_t origin = o * axis->stride - axis->pad, end = axis->in + axis->pad_end;
  return count_pads ? (int)(origin + axis->kernel > end ? end - origin : axis->kernel) : last - first;
}

/* Number of samples of a row's windows, as a divisor of each. */
static void row_counts(const cw_pool_view *view, int64_t z, int64_t j, int64_t i, int64_t n, bool count_pads,
                       double *divisor) {
  int64_t origin;
  int first, last;
  cw_pool_taps(&view->z, z, &origin, &first, &last);
  double outer = counted(&view->z, z, first, last, count_pads);
  cw_pool_taps(&view->y, j, &origin, &first, &last);
  outer *= counted(&view->y, j, first, last, count_pads);
  for (int64_t k = 0; k < n; k++) {
    cw_pool_taps(&view->x, i + k, &origin, &first, &last);
    divisor[k] = outer * counted(&view->x, i + k, first, last, count_pads);
  }
}

CW_CLONES static void add_tap(int64_t n, int64_t stride, const float *x, double *sum) {
  if (stride == 2) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      sum[i] += x[2 * i];
  } else {
    for (int64_t i = 0; i < n; i++)
      sum[i] += x[i * stride];
  }
}

CW_CLONES static void spread_tap(int64_t n, int64_t stride, const float *share, float *gx) {
  if (stride == 2) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      gx[2 * i] += share[i];
  } else {
    for (int64_t i = 0; i < n; i++)
      gx[i * stride] += share[i];
  }
}

/* Adds a row's windows up, or (gx) spreads its shares over them. */
static void average_row(const cw_pool_view *view, int64_t z, int64_t j, int64_t i, int64_t n, const float *x,
                        double *sum, const float *share, float *gx) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  int64_t oz, oy, first, last;
  int z0, z1, y0, y1;
  cw_pool_taps(&view->z, z, &oz, &z0, &z1);
  cw_pool_taps(&view->y, j, &oy, &y0, &y1);
  for (int a = z0; a < z1; a++)
    for (int b = y0; b < y1; b++)
      for (int c = 0; c < view->x.kernel; c++) {
        cw_pool_reach(&view->x, c, i, i + n, &first, &last);
        const int64_t at = (oz + a) * slice + (oy + b) * row + c - view->x.pad + first * view->x.stride;
        if (first < last && gx)
          spread_tap(last - first, view->x.stride, share + (first - i), gx + at);
        else if (first < last)
          add_tap(last - first, view->x.stride, x + at, sum + (first - i));
      }
}

/* y = sum over the window's voxels that exist / their number */
static void average_plane(const cw_pool_view *view, bool count_pads, const float *x, float *y) {
  double sum[CW_POOL_ROW], divisor[CW_POOL_ROW];
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i += CW_POOL_ROW) {
        const int64_t n = view->x.out - i < CW_POOL_ROW ? view->x.out - i : CW_POOL_ROW;
        memset(sum, 0, sizeof sum);
        average_row(view, z, j, i, n, x, sum, NULL, NULL);
        row_counts(view, z, j, i, n, count_pads, divisor);
        for (int64_t k = 0; k < n; k++)
          *y++ = (float)(sum[k] / divisor[k]);
      }
}

static void average_plane_back(const cw_pool_view *view, bool count_pads, const float *gy, float *gx) {
  double divisor[CW_POOL_ROW];
  float share[CW_POOL_ROW];
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i += CW_POOL_ROW) {
        const int64_t n = view->x.out - i < CW_POOL_ROW ? view->x.out - i : CW_POOL_ROW;
        row_counts(view, z, j, i, n, count_pads, divisor);
        for (int64_t k = 0; k < n; k++)
          share[k] = (float)(*gy++ / divisor[k]);
        average_row(view, z, j, i, n, NULL, NULL, share, gx);
      }
}

static void average_forward(const cw_call *call) {
  const cw_pool_view view = cw_pool_view_of(call);
  CW_PARALLEL(view.planes, call->threads)
  for (int64_t p = 0; p < view.planes; p++)
    average_plane(&view, call->attributes->count_pads, call->in[0] + p * view.in_size, call->out + p * view.out_size);
}

static void average_backward(const cw_call *call) {
  const cw_pool_view view = cw_pool_view_of(call);
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(view.planes, call->threads)
  for (int64_t p = 0; p < view.planes; p++) {
    float *gx = call->grad_in[0] + p * view.in_size;
    if (!call->accumulate[0])
      memset(gx, 0, (size_t)view.in_size * sizeof *gx);
    average_plane_back(&view, call->attributes->count_pads, call->grad_out + p * view.out_size, gx);
  }
}

/* ---- global average ---- */

static cw_status global_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)attributes, (void)count;
  if (in[0].rank < 3)
    return cw_fail(context, CW_ERROR_SHAPE, "the input has %d dimension(s), expected at least 3", in[0].rank);
  *out = in[0];
  for (int i = 2; i < out->rank; i++) {
    if (in[0].d[i] == CW_BATCH)
      return cw_fail(context, CW_ERROR_SHAPE, "axis %d is the batch, expected a mean within each sample", i);
    out->d[i] = 1;
  }
  return CW_OK;
}

/* y[n][c] = mean of x[n][c] */
static void global_forward(const cw_call *call) {
  const int64_t planes = call->in_shape[0].d[0] * call->in_shape[0].d[1],
                size = cw_elements_from(&call->in_shape[0], 2);
  CW_PARALLEL(planes, call->threads)
  for (int64_t p = 0; p < planes; p++)
    call->out[p] = (float)(cw_sum(size, call->in[0] + p * size) / (double)size);
}

static void global_backward(const cw_call *call) {
  const int64_t planes = call->in_shape[0].d[0] * call->in_shape[0].d[1],
                size = cw_elements_from(&call->in_shape[0], 2);
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(planes, call->threads)
  for (int64_t p = 0; p < planes; p++) {
    const float share = (float)(call->grad_out[p] / (double)size);
    float *gx = call->grad_in[0] + p * size;
    if (call->accumulate[0])
      for (int64_t i = 0; i < size; i++)
        gx[i] += share;
    else
      for (int64_t i = 0; i < size; i++)
        gx[i] = share;
  }
}

const cw_operator_info cw_layer_average_pool = {
    .name = "AveragePool",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = cw_pool_infer,
    .forward = average_forward,
    .backward = average_backward,
};

const cw_operator_info cw_layer_global_average_pool = {
    .name = "GlobalAveragePool",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = global_infer,
    .forward = global_forward,
    .backward = global_backward,
};
