/* Pooling of x[n][c][z][y][x]: maximum, average, global average. */
#include <string.h>

#include "Layers/layer.h"

typedef struct pool_axis {
  int64_t in, out;
  int kernel, stride, pad, pad_end;
} pool_axis;

typedef struct pool_view {
  int64_t planes, in_size, out_size; /* n * c; voxels of a plane */
  pool_axis z, y, x;
} pool_view;

static pool_view view_of(const cw_call *call) {
  pool_view view;
  pool_axis *axes[3] = {&view.z, &view.y, &view.x};
  for (int i = 0; i < 3; i++) {
    const pool_axis axis = {call->in_shape[0].d[2 + i],  call->out_shape.d[2 + i],  call->attributes->kernel[i],
                            call->attributes->stride[i], call->attributes->pads[i], call->attributes->pads[3 + i]};
    *axes[i] = axis;
  }
  view.planes = call->in_shape[0].d[0] * call->in_shape[0].d[1];
  view.in_size = view.z.in * view.y.in * view.x.in;
  view.out_size = view.z.out * view.y.out * view.x.out;
  return view;
}

static cw_status pool_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                            cw_shape *out) {
  (void)count;
  const cw_attributes *a = attributes;
  CW_TRY(cw_expect_rank(context, &in[0], 0, 5));
  *out = in[0];
  int64_t window = 1;
  for (int i = 0; i < 3; i++) {
    if (a->dilation[i] != 1)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "dilation is %d on axis %d, pooling expects 1", a->dilation[i],
                     2 + i);
    if (a->kernel[i] < 1 || a->stride[i] < 1)
      return cw_fail(context, CW_ERROR_ARGUMENT, "kernel %d and stride %d on axis %d, expected at least 1",
                     a->kernel[i], a->stride[i], 2 + i);
    if (a->pads[i] < 0 || a->pads[i + 3] < 0 || a->pads[i] >= a->kernel[i] || a->pads[i + 3] >= a->kernel[i])
      return cw_fail(context, CW_ERROR_ARGUMENT, "pads %d and %d on axis %d, expected 0 <= pad < kernel (%d)",
                     a->pads[i], a->pads[i + 3], 2 + i, a->kernel[i]);
    const int64_t room = in[0].d[2 + i] + a->pads[i] + a->pads[i + 3] - a->kernel[i];
    if (room < 0)
      return cw_fail(context, CW_ERROR_SHAPE, "axis %d has %lld samples, fewer than the kernel of %d", 2 + i,
                     (long long)in[0].d[2 + i], a->kernel[i]);
    out->d[2 + i] = (a->ceil_mode ? room + a->stride[i] - 1 : room) / a->stride[i] + 1;
    /* No window starts behind the last sample. */
    if (a->ceil_mode && (out->d[2 + i] - 1) * a->stride[i] >= in[0].d[2 + i] + a->pads[i])
      out->d[2 + i]--;
    window *= a->kernel[i];
    if (window > INT32_MAX)
      return cw_fail(context, CW_ERROR_ARGUMENT, "the kernel %d x %d x %d is too large", a->kernel[0], a->kernel[1],
                     a->kernel[2]);
  }
  return CW_OK;
}

/* The part of output o's window that lies inside: taps first .. last - 1. */
static void taps(const pool_axis *axis, int64_t o, int64_t *origin, int *first, int *last) {
  *origin = o * axis->stride - axis->pad;
  *first = *origin < 0 ? (int)-*origin : 0;
  *last = *origin + axis->kernel > axis->in ? (int)(axis->in - *origin) : axis->kernel;
}

/* ---- maximum ---- */

static int64_t window_of(const cw_attributes *a) {
  return (int64_t)a->kernel[0] * a->kernel[1] * a->kernel[2];
}

static bool halves(const cw_call *call) {
  const cw_attributes *a = call->attributes;
  for (int i = 0; i < 3; i++)
    if (a->kernel[i] != 2 || a->stride[i] != 2 || a->pads[i] || a->pads[i + 3] ||
        2 * call->out_shape.d[2 + i] > call->in_shape[0].d[2 + i])
      return false;
  return true;
}

static size_t max_saved_bytes(const cw_call *call) {
  return (size_t)cw_elements(&call->out_shape) * (window_of(call->attributes) <= 256 ? 1 : sizeof(int32_t));
}

/* Two rows of two slices -> one row of maxima; NaN wins, the first of equals counts. */
CW_CLONES static void max_row_2(int64_t out, const float *r0, const float *r1, const float *r2, const float *r3,
                                float *y, uint8_t *arg) {
#pragma omp simd
  for (int64_t i = 0; i < out; i++) {
    const float v[8] = {r0[2 * i], r0[2 * i + 1], r1[2 * i], r1[2 * i + 1],
                        r2[2 * i], r2[2 * i + 1], r3[2 * i], r3[2 * i + 1]};
    float best = v[0];
    int32_t at = 0;
    for (int k = 1; k < 8; k++) {
      const int take = !(v[k] <= best) & (best == best);
      best = take ? v[k] : best;
      at = take ? k : at;
    }
    y[i] = best;
    arg[i] = (uint8_t)at;
  }
}

CW_CLONES static void max_row_2_only(int64_t out, const float *r0, const float *r1, const float *r2, const float *r3,
                                     float *y) {
#pragma omp simd
  for (int64_t i = 0; i < out; i++) {
    const float v[8] = {r0[2 * i], r0[2 * i + 1], r1[2 * i], r1[2 * i + 1],
                        r2[2 * i], r2[2 * i + 1], r3[2 * i], r3[2 * i + 1]};
    float best = v[0];
    for (int k = 1; k < 8; k++)
      best = (!(v[k] <= best) & (best == best)) ? v[k] : best;
    y[i] = best;
  }
}

static void max_plane_2(const pool_view *view, const float *x, float *y, uint8_t *arg) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++) {
      const float *r = x + 2 * z * slice + 2 * j * row;
      if (arg)
        max_row_2(view->x.out, r, r + row, r + slice, r + slice + row, y, arg);
      else
        max_row_2_only(view->x.out, r, r + row, r + slice, r + slice + row, y);
      y += view->x.out;
      arg = arg ? arg + view->x.out : NULL;
    }
}

/* Any window.  The tap is kept in a byte where all taps fit, else in 32 bits. */
static void max_plane(const pool_view *view, const float *x, float *y, uint8_t *arg8, int32_t *arg32) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  int64_t o = 0, oz, oy, ox;
  int z0, z1, y0, y1, x0, x1;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i++, o++) {
        taps(&view->z, z, &oz, &z0, &z1);
        taps(&view->y, j, &oy, &y0, &y1);
        taps(&view->x, i, &ox, &x0, &x1);
        float best = x[(oz + z0) * slice + (oy + y0) * row + ox + x0];
        int at = (z0 * view->y.kernel + y0) * view->x.kernel + x0;
        for (int a = z0; a < z1; a++)
          for (int b = y0; b < y1; b++)
            for (int c = x0; c < x1; c++) {
              const float v = x[(oz + a) * slice + (oy + b) * row + ox + c];
              if (!(v <= best) && best == best) {
                best = v;
                at = (a * view->y.kernel + b) * view->x.kernel + c;
              }
            }
        y[o] = best;
        if (arg8)
          arg8[o] = (uint8_t)at;
        if (arg32)
          arg32[o] = at;
      }
}

/* y = maximum over the window */
static void max_forward(const cw_call *call) {
  const pool_view view = view_of(call);
  const bool half = halves(call), keep = call->gradients && call->saved, bytes = window_of(call->attributes) <= 256;
  CW_PARALLEL(view.planes, call->threads)
  for (int64_t p = 0; p < view.planes; p++) {
    const float *x = call->in[0] + p * view.in_size;
    float *y = call->out + p * view.out_size;
    uint8_t *arg8 = keep && bytes ? (uint8_t *)call->saved + p * view.out_size : NULL;
    int32_t *arg32 = keep && !bytes ? (int32_t *)call->saved + p * view.out_size : NULL;
    if (half)
      max_plane_2(&view, x, y, arg8);
    else
      max_plane(&view, x, y, arg8, arg32);
  }
}

/* Rows r0 .. r3 of grad_in from one row of grad_out: every voxel is written once. */
CW_CLONES static void max_row_2_back(int64_t out, const float *gy, const uint8_t *arg, float *r0, float *r1, float *r2,
                                     float *r3) {
  float *const rows[4] = {r0, r1, r2, r3};
  for (int k = 0; k < 4; k++) {
    float *r = rows[k];
#pragma omp simd
    for (int64_t i = 0; i < out; i++) {
      r[2 * i] = arg[i] == 2 * k ? gy[i] : 0;
      r[2 * i + 1] = arg[i] == 2 * k + 1 ? gy[i] : 0;
    }
  }
}

/* The plane of an odd size has voxels outside all windows. */
static void max_plane_2_back(const pool_view *view, const float *gy, const uint8_t *arg, float *gx) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  if (view->z.in % 2 || view->y.in % 2 || view->x.in % 2)
    memset(gx, 0, (size_t)view->in_size * sizeof *gx);
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++) {
      float *r = gx + 2 * z * slice + 2 * j * row;
      max_row_2_back(view->x.out, gy, arg, r, r + row, r + slice, r + slice + row);
      gy += view->x.out;
      arg += view->x.out;
    }
}

static void max_plane_back(const pool_view *view, const float *gy, const uint8_t *arg8, const int32_t *arg32,
                           float *gx) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  int64_t o = 0;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i++, o++) {
        const int at = arg8 ? arg8[o] : arg32[o], c = at % view->x.kernel, ab = at / view->x.kernel;
        const int64_t iz = z * view->z.stride - view->z.pad + ab / view->y.kernel;
        const int64_t iy = j * view->y.stride - view->y.pad + ab % view->y.kernel;
        gx[iz * slice + iy * row + i * view->x.stride - view->x.pad + c] += gy[o];
      }
}

/* Each output's gradient goes to the voxel that was its maximum. */
static void max_backward(const cw_call *call) {
  const pool_view view = view_of(call);
  const bool half = halves(call), bytes = window_of(call->attributes) <= 256, add = call->accumulate[0];
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(view.planes, call->threads)
  for (int64_t p = 0; p < view.planes; p++) {
    const float *gy = call->grad_out + p * view.out_size;
    float *gx = call->grad_in[0] + p * view.in_size;
    const uint8_t *arg8 = bytes ? (const uint8_t *)call->saved + p * view.out_size : NULL;
    const int32_t *arg32 = bytes ? NULL : (const int32_t *)call->saved + p * view.out_size;
    if (half && !add) {
      max_plane_2_back(&view, gy, arg8, gx);
    } else {
      if (!add)
        memset(gx, 0, (size_t)view.in_size * sizeof *gx);
      max_plane_back(&view, gy, arg8, arg32, gx);
    }
  }
}

/* ---- average ---- */

/* Samples of output o's window along an axis: those inside, or with count_pads those of the padded axis. */
static int counted(const pool_axis *axis, int64_t o, int first, int last, bool count_pads) {
  const int64_t origin = o * axis->stride - axis->pad, end = axis->in + axis->pad_end;
  return count_pads ? (int)(origin + axis->kernel > end ? end - origin : axis->kernel) : last - first;
}

/* y = sum over the window's voxels that exist / their number */
static void average_plane(const pool_view *view, bool count_pads, const float *x, float *y) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  int64_t oz, oy, ox;
  int z0, z1, y0, y1, x0, x1;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i++) {
        taps(&view->z, z, &oz, &z0, &z1);
        taps(&view->y, j, &oy, &y0, &y1);
        taps(&view->x, i, &ox, &x0, &x1);
        double sum = 0;
        for (int a = z0; a < z1; a++)
          for (int b = y0; b < y1; b++)
            for (int c = x0; c < x1; c++)
              sum += x[(oz + a) * slice + (oy + b) * row + ox + c];
        *y++ = (float)(sum / ((double)counted(&view->z, z, z0, z1, count_pads) *
                              counted(&view->y, j, y0, y1, count_pads) * counted(&view->x, i, x0, x1, count_pads)));
      }
}

static void average_plane_back(const pool_view *view, bool count_pads, const float *gy, float *gx) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  int64_t oz, oy, ox;
  int z0, z1, y0, y1, x0, x1;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i++) {
        taps(&view->z, z, &oz, &z0, &z1);
        taps(&view->y, j, &oy, &y0, &y1);
        taps(&view->x, i, &ox, &x0, &x1);
        const float share =
            *gy++ / ((float)counted(&view->z, z, z0, z1, count_pads) * (float)counted(&view->y, j, y0, y1, count_pads) *
                     (float)counted(&view->x, i, x0, x1, count_pads));
        for (int a = z0; a < z1; a++)
          for (int b = y0; b < y1; b++)
            for (int c = x0; c < x1; c++)
              gx[(oz + a) * slice + (oy + b) * row + ox + c] += share;
      }
}

static void average_forward(const cw_call *call) {
  const pool_view view = view_of(call);
  CW_PARALLEL(view.planes, call->threads)
  for (int64_t p = 0; p < view.planes; p++)
    average_plane(&view, call->attributes->count_pads, call->in[0] + p * view.in_size, call->out + p * view.out_size);
}

static void average_backward(const cw_call *call) {
  const pool_view view = view_of(call);
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
  for (int i = 2; i < out->rank; i++)
    out->d[i] = 1;
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

const cw_operator_info cw_layer_max_pool = {
    .name = "MaxPool",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pool_infer,
    .saved_bytes = max_saved_bytes,
    .forward = max_forward,
    .backward = max_backward,
};

const cw_operator_info cw_layer_average_pool = {
    .name = "AveragePool",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pool_infer,
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
