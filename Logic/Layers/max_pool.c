/* The maximum over a window of x[n][c][z][y][x]. */
#include <math.h>
#include <string.h>

#include "Layers/pool.h"

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

/* A further tap of each window: NaN wins, the first of equals counts. */
CW_CLONES static void max_tap(int64_t n, int64_t stride, const float *x, int32_t tap, float *best, int32_t *at) {
#define MAX_TAP(STRIDE) \
  _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { \
    const float v = x[i * (STRIDE)]; \
    const int take = !(v <= best[i]) & (best[i] == best[i]); \
    best[i] = take ? v : best[i]; \
    at[i] = take ? tap : at[i]; \
  }
  if (stride == 1)
    MAX_TAP(1)
  else if (stride == 2)
    MAX_TAP(2)
  else
    MAX_TAP(stride)
}

enum { COLUMNS = 128 }; /* of a piece of a row */

/* Neighbouring columns -> one row of maxima, and the voxel of the window that has each (unless arg is NULL). */
CW_CLONES static void max_pairs_2(int64_t out, const float *restrict best, const int32_t *restrict code,
                                  float *restrict y, uint8_t *restrict arg) {
  int32_t found[COLUMNS / 2]; /* whole words, so that the loop becomes vectors */
  for (int64_t i = 0; i < out; i++) {
    const float a = best[2 * i], b = best[2 * i + 1];
    const int32_t left = 2 * code[2 * i], right = 2 * code[2 * i + 1] + 1, first = left < right ? left : right;
    const int nan_a = a != a, nan_b = b != b, after = (b > a) | (nan_b & !nan_a), equal = (a == b) | (nan_a & nan_b);
    y[i] = after ? b : a;
    found[i] = equal ? first : after ? right : left;
  }
  for (int64_t i = 0; i < out && arg; i++)
    arg[i] = (uint8_t)found[i];
}

/* Two rows of two slices -> one row of maxima. */
static void max_row_2(int64_t out, const float *r0, const float *r1, const float *r2, const float *r3, float *y,
                      uint8_t *arg) {
  float best[COLUMNS];
  int32_t code[COLUMNS];
  for (int64_t i = 0; i < out; i += COLUMNS / 2) {
    const int64_t n = out - i < COLUMNS / 2 ? out - i : COLUMNS / 2;
    memcpy(best, r0 + 2 * i, 2 * (size_t)n * sizeof *best);
    memset(code, 0, 2 * (size_t)n * sizeof *code);
    max_tap(2 * n, 1, r1 + 2 * i, 1, best, code); /* the columns first, */
    max_tap(2 * n, 1, r2 + 2 * i, 2, best, code);
    max_tap(2 * n, 1, r3 + 2 * i, 3, best, code);
    max_pairs_2(n, best, code, y + i, arg ? arg + i : NULL); /* then pairs of them */
  }
}

static void max_plane_2(const cw_pool_view *view, const float *x, float *y, uint8_t *arg) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++) {
      const float *r = x + 2 * z * slice + 2 * j * row;
      max_row_2(view->x.out, r, r + row, r + slice, r + slice + row, y, arg);
      y += view->x.out;
      arg = arg ? arg + view->x.out : NULL;
    }
}

/* ---- rows of any window ---- */

/* The maxima of outputs i .. i + n - 1 of row j of slice z, and the first tap that has each. */
static void max_row(const cw_pool_view *view, const float *x, int64_t z, int64_t j, int64_t i, int64_t n, float *best,
                    int32_t *at) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  int64_t oz, oy, first, last;
  int z0, z1, y0, y1;
  cw_pool_taps(&view->z, z, &oz, &z0, &z1);
  cw_pool_taps(&view->y, j, &oy, &y0, &y1);
  for (int64_t k = 0; k < n; k++) {
    const int64_t before = view->x.pad - (i + k) * view->x.stride;
    best[k] = -INFINITY;
    at[k] = (z0 * view->y.kernel + y0) * view->x.kernel + (before > 0 ? (int)before : 0);
  }
  for (int a = z0; a < z1; a++)
    for (int b = y0; b < y1; b++)
      for (int c = 0; c < view->x.kernel; c++) {
        cw_pool_reach(&view->x, c, i, i + n, &first, &last);
        const int64_t from = (oz + a) * slice + (oy + b) * row + c - view->x.pad + first * view->x.stride;
        if (first < last)
          max_tap(last - first, view->x.stride, x + from, (a * view->y.kernel + b) * view->x.kernel + c,
                  best + (first - i), at + (first - i));
      }
}

/* Any window; NaN wins, the first of equals counts.  The tap is kept in a byte where all taps fit, else in 32 bits. */
static void max_plane(const cw_pool_view *view, const float *x, float *y, uint8_t *arg8, int32_t *arg32) {
  float best[CW_POOL_ROW];
  int32_t at[CW_POOL_ROW];
  int64_t o = 0;
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++)
      for (int64_t i = 0; i < view->x.out; i += CW_POOL_ROW) {
        const int64_t n = view->x.out - i < CW_POOL_ROW ? view->x.out - i : CW_POOL_ROW;
        max_row(view, x, z, j, i, n, best, at);
        memcpy(y + o, best, (size_t)n * sizeof *y);
        if (arg32)
          memcpy(arg32 + o, at, (size_t)n * sizeof *at);
        for (int64_t k = 0; k < n && arg8; k++)
          arg8[o + k] = (uint8_t)at[k];
        o += n;
      }
}

/* y = maximum over the window */
static void max_forward(const cw_call *call) {
  const cw_pool_view view = cw_pool_view_of(call);
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
static void max_plane_2_back(const cw_pool_view *view, const float *gy, const uint8_t *arg, float *gx) {
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

/* Distance of a tap from the window's first. */
static int64_t tap_offset(const cw_pool_view *view, int tap) {
  const int ab = tap / view->x.kernel;
  return ((int64_t)(ab / view->y.kernel) * view->y.in + ab % view->y.kernel) * view->x.in + tap % view->x.kernel;
}

static void max_plane_back(const cw_pool_view *view, const float *gy, const uint8_t *arg8, const int32_t *arg32,
                           float *gx) {
  const int64_t row = view->x.in, slice = row * view->y.in;
  const int taps = view->z.kernel * view->y.kernel * view->x.kernel;
  int64_t o = 0, offset[256];
  for (int t = 0; t < taps && t < 256; t++)
    offset[t] = tap_offset(view, t);
  for (int64_t z = 0; z < view->z.out; z++)
    for (int64_t j = 0; j < view->y.out; j++) {
      const int64_t corner = (z * view->z.stride - view->z.pad) * slice + (j * view->y.stride - view->y.pad) * row;
      for (int64_t i = 0; i < view->x.out; i++, o++)
        gx[corner + i * view->x.stride - view->x.pad + (arg8 ? offset[arg8[o]] : tap_offset(view, arg32[o]))] += gy[o];
    }
}

/* Each output's gradient goes to the voxel that was its maximum. */
static void max_backward(const cw_call *call) {
  const cw_pool_view view = cw_pool_view_of(call);
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

const cw_operator_info cw_layer_max_pool = {
    .name = "MaxPool",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = cw_pool_infer,
    .saved_bytes = max_saved_bytes,
    .forward = max_forward,
    .backward = max_backward,
};
