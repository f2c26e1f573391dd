/* Smoothness of a field u[n][c][z][y][x], one value a sample, from its forward differences (0 beyond the last voxel).
 *
 * norm 1, 2: mean |difference|^norm of each axis, summed over the axes (Liu et al. 2021).  Each component and axis is
 *            counted apart, so that norm 1 is cheapest where only one component moves.
 * norm 0:    mean over voxels of sqrt(|Du|^2 + epsilon^2) - epsilon, |Du| the Frobenius norm of all C x 3 differences:
 *            the same in every direction, quadratic for gentle strains and linear above epsilon (Charbonnier et al.
 *            1994, applied to the strain).
 *
 * Sums run in double over slices. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"

typedef struct field_view {
  int64_t batch, channels, nz, ny, nx;
  double scale[3]; /* 1 / number of differences along z, y, x in a sample; 0 if there are none */
} field_view;

static field_view field_of(const cw_call *call) {
  const int64_t *d = call->in_shape[0].d;
  field_view v = {d[0], d[1], d[2], d[3], d[4], {0, 0, 0}};
  for (int axis = 0; axis < 3; axis++) {
    const int64_t n = d[2 + axis], differences = v.channels * v.nz * v.ny * v.nx / n * (n - 1);
    v.scale[axis] = differences ? 1.0 / (double)differences : 0;
  }
  return v;
}

static cw_status smooth_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)count;
  CW_TRY(cw_expect_rank(context, &in[0], 0, 5));
  if (attributes->norm < 0 || attributes->norm > 2)
    return cw_fail(context, CW_ERROR_ARGUMENT, "norm is %d, expected 0, 1 or 2", attributes->norm);
  if (attributes->norm == 0 && !(attributes->epsilon > 0 && attributes->epsilon < INFINITY))
    return cw_fail(context, CW_ERROR_ARGUMENT, "epsilon is %g, expected a number above 0", attributes->epsilon);
  *out = cw_shape_of(1, in->d);
  return CW_OK;
}

static void sum_slices(const cw_call *call, int64_t slices) {
  const double *sums = call->workspace;
  for (int64_t n = 0; n < call->out_shape.d[0]; n++) {
    double sum = 0;
    for (int64_t s = 0; s < slices; s++)
      sum += sums[n * slices + s];
    call->out[n] = (float)sum;
  }
}

/* ---- axis by axis ---- */

CW_CLONES static float row_difference(int64_t n, int norm, const float *a, const float *b) {
  float sum = 0;
  if (norm == 1) {
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
      sum += fabsf(b[i] - a[i]);
  } else {
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
      sum += (b[i] - a[i]) * (b[i] - a[i]);
  }
  return sum;
}

static void axes_forward(const cw_call *call) {
  const field_view v = field_of(call);
  const int64_t row = v.nx, slice = v.ny * v.nx, slices = v.batch * v.channels * v.nz;
  const int norm = call->attributes->norm;
  double *sums = call->workspace;
  CW_PARALLEL(slices, call->threads)
  for (int64_t s = 0; s < slices; s++) {
    const float *u = call->in[0] + s * slice;
    double along_z = 0, along_y = 0, along_x = 0;
    for (int64_t j = 0; j < v.ny; j++, u += row) {
      if (s % v.nz + 1 < v.nz)
        along_z += row_difference(v.nx, norm, u, u + slice);
      if (j + 1 < v.ny)
        along_y += row_difference(v.nx, norm, u, u + row);
      along_x += row_difference(v.nx - 1, norm, u, u + 1);
    }
    sums[s] = along_z * v.scale[0] + along_y * v.scale[1] + along_x * v.scale[2];
  }
  sum_slices(call, v.channels * v.nz);
}

/* g += s f'(b - a), with f'(d) = sign(d) or 2 d: the gradient of a difference to its second point; -s for its first. */
CW_CLONES static void row_slope(int64_t n, int norm, float s, const float *a, const float *b, float *g) {
  if (norm == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
      const float d = b[i] - a[i];
      g[i] += d > 0 ? s : d < 0 ? -s : 0;
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      g[i] += 2 * s * (b[i] - a[i]);
  }
}

static void axes_backward(const cw_call *call) {
  const field_view v = field_of(call);
  const int64_t row = v.nx, slice = v.ny * v.nx, slices = v.batch * v.channels * v.nz;
  const int norm = call->attributes->norm;
  CW_PARALLEL(slices, call->threads)
  for (int64_t s = 0; s < slices; s++) {
    const float *u = call->in[0] + s * slice;
    float *g = call->grad_in[0] + s * slice;
    const double seed = call->grad_out[s / (v.channels * v.nz)];
    const float sz = (float)(seed * v.scale[0]), sy = (float)(seed * v.scale[1]), sx = (float)(seed * v.scale[2]);
    if (!call->accumulate[0])
      memset(g, 0, (size_t)slice * sizeof *g);
    for (int64_t j = 0; j < v.ny; j++, u += row, g += row) {
      if (s % v.nz > 0)
        row_slope(v.nx, norm, sz, u - slice, u, g);
      if (s % v.nz + 1 < v.nz)
        row_slope(v.nx, norm, -sz, u, u + slice, g);
      if (j > 0)
        row_slope(v.nx, norm, sy, u - row, u, g);
      if (j + 1 < v.ny)
        row_slope(v.nx, norm, -sy, u, u + row, g);
      row_slope(v.nx - 1, norm, sx, u, u + 1, g + 1);
      row_slope(v.nx - 1, norm, -sx, u, u + 1, g);
    }
  }
}

/* ---- all directions together ---- */

/* q += (b - a)^2 */
CW_CLONES static void row_square(int64_t n, const float *a, const float *b, float *q) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    q[i] += (b[i] - a[i]) * (b[i] - a[i]);
}

/* q = sqrt(q); the sum of it. */
CW_CLONES static float row_root(int64_t n, float *q) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) {
    q[i] = sqrtf(q[i]);
    sum += q[i];
  }
  return sum;
}

/* r = sqrt(|Du|^2 + epsilon^2) of a slice z of sample n; returns its sum over the slice. */
static double slice_strain(const cw_call *call, const field_view *v, int64_t n, int64_t z, float *r) {
  const int64_t row = v->nx, slice = v->ny * v->nx;
  const float start = call->attributes->epsilon * call->attributes->epsilon;
  double sum = 0;
  for (int64_t j = 0; j < v->ny; j++, r += row) {
    for (int64_t i = 0; i < row; i++)
      r[i] = start;
    for (int64_t c = 0; c < v->channels; c++) {
      const float *u = call->in[0] + ((n * v->channels + c) * v->nz + z) * slice + j * row;
      if (z + 1 < v->nz)
        row_square(row, u, u + slice, r);
      if (j + 1 < v->ny)
        row_square(row, u, u + row, r);
      row_square(row - 1, u, u + 1, r);
    }
    sum += row_root(row, r);
  }
  return sum;
}

/* Workspace: one sum for each slice, then r of every voxel. */
static float *strains(const cw_call *call, const field_view *v) {
  return (float *)((double *)call->workspace + v->batch * v->nz);
}

static size_t smooth_workspace_bytes(const cw_call *call) {
  const int64_t *d = call->in_shape[0].d;
  if (call->attributes->norm != 0)
    return (size_t)(d[0] * d[1] * d[2]) * sizeof(double);
  return (size_t)(d[0] * d[2]) * (sizeof(double) + (size_t)(d[3] * d[4]) * sizeof(float));
}

static void strain_forward(const cw_call *call) {
  const field_view v = field_of(call);
  const int64_t slice = v.ny * v.nx, slices = v.batch * v.nz;
  const double scale = 1.0 / (double)(v.nz * slice);
  double *sums = call->workspace;
  float *r = strains(call, &v);
  CW_PARALLEL(slices, call->threads)
  for (int64_t s = 0; s < slices; s++)
    sums[s] =
        scale * (slice_strain(call, &v, s / v.nz, s % v.nz, r + s * slice) - (double)slice * call->attributes->epsilon);
  sum_slices(call, v.nz);
}

/* g += s (b - a) / r */
CW_CLONES static void row_pull(int64_t n, float s, const float *a, const float *b, const float *r, float *g) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    g[i] += s * (b[i] - a[i]) / r[i];
}

/* d y / d u(p) = sum over axes of d(p - e) / r(p - e) - d(p) / r(p), d the forward differences */
static void strain_backward(const cw_call *call) {
  const field_view v = field_of(call);
  const int64_t row = v.nx, slice = v.ny * v.nx, slices = v.batch * v.nz;
  float *all = strains(call, &v);
  CW_PARALLEL(slices, call->threads)
  for (int64_t s = 0; s < slices; s++)
    slice_strain(call, &v, s / v.nz, s % v.nz, all + s * slice);
  CW_PARALLEL(slices * v.channels, call->threads)
  for (int64_t t = 0; t < slices * v.channels; t++) {
    const int64_t z = t % v.nz, n = t / v.nz / v.channels;
    const float *u = call->in[0] + t * slice, *r = all + (n * v.nz + z) * slice;
    float *g = call->grad_in[0] + t * slice;
    const float w = (float)(call->grad_out[n] / (double)(v.nz * slice));
    if (!call->accumulate[0])
      memset(g, 0, (size_t)slice * sizeof *g);
    for (int64_t j = 0; j < v.ny; j++, u += row, r += row, g += row) {
      if (z > 0)
        row_pull(row, w, u - slice, u, r - slice, g);
      if (z + 1 < v.nz)
        row_pull(row, -w, u, u + slice, r, g);
      if (j > 0)
        row_pull(row, w, u - row, u, r - row, g);
      if (j + 1 < v.ny)
        row_pull(row, -w, u, u + row, r, g);
      row_pull(row - 1, w, u, u + 1, r, g + 1);
      row_pull(row - 1, -w, u, u + 1, r, g);
    }
  }
}

static void smooth_forward(const cw_call *call) {
  if (call->attributes->norm == 0)
    strain_forward(call);
  else
    axes_forward(call);
}

static void smooth_backward(const cw_call *call) {
  if (!call->grad_in[0])
    return;
  if (call->attributes->norm == 0)
    strain_backward(call);
  else
    axes_backward(call);
}

const cw_operator_info cw_layer_loss_smooth = {
    .name = "LossSmooth",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = smooth_infer,
    .workspace_bytes = smooth_workspace_bytes,
    .forward = smooth_forward,
    .backward = smooth_backward,
    .keep_inputs = 1,
};
