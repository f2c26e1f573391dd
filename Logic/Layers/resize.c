/* Upsampling of x[n][c][z][y][x] by integer factors: nearest, and trilinear with half-pixel centres clamped to the
 * border (ONNX half_pixel; PyTorch align_corners=False). */
#include <string.h>

#include "Layers/layer.h"

typedef struct resize_view {
  int64_t planes, nz, ny, nx; /* n * c; input sizes */
  int sz, sy, sx;             /* factors */
} resize_view;

static resize_view view_of(const cw_call *call) {
  const int64_t *d = call->in_shape[0].d;
  const int *s = call->attributes->scale;
  const resize_view view = {d[0] * d[1], d[2], d[3], d[4], s[0], s[1], s[2]};
  return view;
}

static cw_status resize_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)count;
  CW_TRY(cw_expect_volume(context, &in[0], 0));
  *out = in[0];
  for (int i = 0; i < 3; i++) {
    if (attributes->scale[i] < 1 || attributes->scale[i] > 1024)
      return cw_fail(context, CW_ERROR_ARGUMENT, "scale is %d on axis %d, expected 1 to 1024", attributes->scale[i],
                     2 + i);
    out->d[2 + i] = in[0].d[2 + i] * attributes->scale[i];
  }
  return CW_OK;
}

/* ---- nearest ---- */

CW_CLONES static void repeat_row(int64_t nx, int s, const float *x, float *y) {
  if (s == 2) {
#pragma omp simd
    for (int64_t i = 0; i < nx; i++) {
      y[2 * i] = x[i];
      y[2 * i + 1] = x[i];
    }
    return;
  }
  for (int64_t i = 0; i < nx; i++)
    for (int k = 0; k < s; k++)
      y[i * s + k] = x[i];
}

/* y(p) = x(p / scale) */
static void nearest_forward(const cw_call *call) {
  const resize_view v = view_of(call);
  const int64_t row = v.nx * v.sx, slice = row * v.ny * v.sy, slices = v.planes * v.nz;
  CW_PARALLEL(slices, call->threads)
  for (int64_t z = 0; z < slices; z++) {
    float *y = call->out + z * v.sz * slice;
    for (int64_t j = 0; j < v.ny; j++) {
      float *first = y + j * v.sy * row;
      repeat_row(v.nx, v.sx, call->in[0] + (z * v.ny + j) * v.nx, first);
      for (int k = 1; k < v.sy; k++)
        memcpy(first + k * row, first, (size_t)row * sizeof *first);
    }
    for (int k = 1; k < v.sz; k++)
      memcpy(y + k * slice, y, (size_t)slice * sizeof *y);
  }
}

CW_CLONES static void gather_row(int64_t nx, int s, const float *gy, float *gx) {
  if (s == 2) {
#pragma omp simd
    for (int64_t i = 0; i < nx; i++)
      gx[i] += gy[2 * i] + gy[2 * i + 1];
    return;
  }
  for (int64_t i = 0; i < nx; i++) {
    float sum = 0;
    for (int k = 0; k < s; k++)
      sum += gy[i * s + k];
    gx[i] += sum;
  }
}

/* gx(q) = sum of gy over q's block */
static void nearest_backward(const cw_call *call) {
  const resize_view v = view_of(call);
  const int64_t row = v.nx * v.sx, slice = row * v.ny * v.sy, slices = v.planes * v.nz;
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(slices, call->threads)
  for (int64_t z = 0; z < slices; z++)
    for (int64_t j = 0; j < v.ny; j++) {
      float *gx = call->grad_in[0] + (z * v.ny + j) * v.nx;
      if (!call->accumulate[0])
        memset(gx, 0, (size_t)v.nx * sizeof *gx);
      for (int a = 0; a < v.sz; a++)
        for (int b = 0; b < v.sy; b++)
          gather_row(v.nx, v.sx, call->grad_out + (z * v.sz + a) * slice + (j * v.sy + b) * row, gx);
    }
}

/* ---- trilinear ---- */

enum { CHUNK = 256 }; /* input columns at a time: the blended row stays on the stack */

typedef struct tap {
  int64_t first, second; /* indices, clamped */
  float weight;          /* of the second */
} tap;

/* Output o lies at (o + 1/2) / s - 1/2; phase o % s alone gives the weight. */
static void phase_of(int s, int phase, int *offset, float *weight) {
  const double at = (phase + 0.5) / s - 0.5;
  *offset = at < 0 ? -1 : 0;
  *weight = (float)(at - *offset);
}

static tap tap_of(int64_t size, int s, int64_t o) {
  int offset;
  tap t;
  phase_of(s, (int)(o % s), &offset, &t.weight);
  t.first = o / s + offset;
  t.second = t.first + 1 < size ? t.first + 1 : size - 1;
  t.first = t.first < 0 ? 0 : t.first;
  return t;
}

CW_CLONES static void blend_rows(int64_t n, const float *const rows[4], const float w[4], float *to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    to[i] = w[0] * rows[0][i] + w[1] * rows[1][i] + w[2] * rows[2][i] + w[3] * rows[3][i];
}

/* from[-1 .. n] -> s * n outputs */
CW_CLONES static void expand_row(int64_t n, int s, int phase, int offset, float weight, const float *from, float *y) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    y[i * s + phase] = (1 - weight) * from[i + offset] + weight * from[i + offset + 1];
}

/* Adjoint of expand_row. */
CW_CLONES static void contract_row(int64_t n, int s, int phase, int offset, float weight, const float *gy, float *to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    to[i + offset] += (1 - weight) * gy[i * s + phase];
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    to[i + offset + 1] += weight * gy[i * s + phase];
}

CW_CLONES static void add_row(int64_t n, float w, const float *from, float *to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    to[i] += w * from[i];
}

static void corner_weights(const tap *z, const tap *y, float w[4]) {
  w[0] = (1 - z->weight) * (1 - y->weight);
  w[1] = (1 - z->weight) * y->weight;
  w[2] = z->weight * (1 - y->weight);
  w[3] = z->weight * y->weight;
}

/* Columns at .. at + n - 1 of one output row, from the four input rows around it. */
static void linear_columns(const resize_view *v, const float *const rows[4], const float w[4], int64_t at, int64_t n,
                           float *y) {
  float buffer[CHUNK + 2], *blended = buffer + 1, weight;
  const int64_t before = at > 0 ? 1 : 0, after = at + n < v->nx ? 1 : 0;
  const float *const shifted[4] = {rows[0] + at - before, rows[1] + at - before, rows[2] + at - before,
                                   rows[3] + at - before};
  blend_rows(n + before + after, shifted, w, blended - before);
  if (!before)
    blended[-1] = blended[0];
  if (!after)
    blended[n] = blended[n - 1];
  for (int phase = 0; phase < v->sx; phase++) {
    int offset;
    phase_of(v->sx, phase, &offset, &weight);
    expand_row(n, v->sx, phase, offset, weight, blended, y + at * v->sx);
  }
}

static void linear_columns_back(const resize_view *v, float *const rows[4], const float w[4], int64_t at, int64_t n,
                                const float *gy) {
  float buffer[CHUNK + 2], *sums = buffer + 1, weight;
  const int64_t before = at > 0 ? 1 : 0, after = at + n < v->nx ? 1 : 0;
  memset(buffer, 0, sizeof buffer);
  for (int phase = 0; phase < v->sx; phase++) {
    int offset;
    phase_of(v->sx, phase, &offset, &weight);
    contract_row(n, v->sx, phase, offset, weight, gy + at * v->sx, sums);
  }
  if (!before)
    sums[0] += sums[-1];
  if (!after)
    sums[n - 1] += sums[n];
  for (int k = 0; k < 4; k++)
    add_row(n + before + after, w[k], sums - before, rows[k] + at - before);
}

/* y(p) = trilinear sample of x at (p + 1/2) / scale - 1/2, clamped */
static void linear_forward(const cw_call *call) {
  const resize_view v = view_of(call);
  const int64_t oz = v.nz * v.sz, oy = v.ny * v.sy, ox = v.nx * v.sx, slices = v.planes * oz;
  CW_PARALLEL(slices, call->threads)
  for (int64_t s = 0; s < slices; s++) {
    const float *x = call->in[0] + s / oz * v.nz * v.ny * v.nx;
    const tap tz = tap_of(v.nz, v.sz, s % oz);
    for (int64_t j = 0; j < oy; j++) {
      const tap ty = tap_of(v.ny, v.sy, j);
      const float *const rows[4] = {x + (tz.first * v.ny + ty.first) * v.nx, x + (tz.first * v.ny + ty.second) * v.nx,
                                    x + (tz.second * v.ny + ty.first) * v.nx,
                                    x + (tz.second * v.ny + ty.second) * v.nx};
      float w[4];
      corner_weights(&tz, &ty, w);
      for (int64_t at = 0; at < v.nx; at += CHUNK)
        linear_columns(&v, rows, w, at, v.nx - at < CHUNK ? v.nx - at : CHUNK, call->out + (s * oy + j) * ox);
    }
  }
}

/* Adjoint; one plane a thread, since neighbouring rows add to the same voxels. */
static void linear_backward(const cw_call *call) {
  const resize_view v = view_of(call);
  const int64_t oz = v.nz * v.sz, oy = v.ny * v.sy, ox = v.nx * v.sx, size = v.nz * v.ny * v.nx;
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(v.planes, call->threads)
  for (int64_t p = 0; p < v.planes; p++) {
    float *gx = call->grad_in[0] + p * size;
    if (!call->accumulate[0])
      memset(gx, 0, (size_t)size * sizeof *gx);
    for (int64_t row = 0; row < oz * oy; row++) {
      const tap tz = tap_of(v.nz, v.sz, row / oy), ty = tap_of(v.ny, v.sy, row % oy);
      float *const rows[4] = {gx + (tz.first * v.ny + ty.first) * v.nx, gx + (tz.first * v.ny + ty.second) * v.nx,
                              gx + (tz.second * v.ny + ty.first) * v.nx, gx + (tz.second * v.ny + ty.second) * v.nx};
      float w[4];
      corner_weights(&tz, &ty, w);
      for (int64_t at = 0; at < v.nx; at += CHUNK)
        linear_columns_back(&v, rows, w, at, v.nx - at < CHUNK ? v.nx - at : CHUNK,
                            call->grad_out + (p * oz * oy + row) * ox);
    }
  }
}

const cw_operator_info cw_layer_resize_nearest = {
    .name = "Resize",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = resize_infer,
    .forward = nearest_forward,
    .backward = nearest_backward,
};

const cw_operator_info cw_layer_resize_linear = {
    .name = "Resize",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = resize_infer,
    .forward = linear_forward,
    .backward = linear_backward,
};
