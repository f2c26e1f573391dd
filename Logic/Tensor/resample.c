/* Resampling between grids and Gaussian smoothing.
 *
 * Each output sample is computed by one thread in a fixed order, so results have the same bits on any number of
 * threads. */
#include <math.h>
#include <string.h>

#include "counterwarp/volume.h"
#include "Tensor/dispatch.h"

/* Sub-samples along one axis of an output voxel; a bound on the cost where voxel sizes differ wildly. */
enum { MAX_SUBSAMPLES = 32 };

/* Output index -> input index. */
static cw_status map_indices(cw_context *context, const cw_volume *in, const cw_affine *between, const cw_volume *out,
                             cw_affine *map) {
  if (!in->data || !out->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "resample: expected two volumes with samples");
  if (in->components != out->components)
    return cw_fail(context, CW_ERROR_SHAPE, "resample: the output has %d components, expected the input's %d",
                   out->components, in->components);
  CW_TRY(cw_grid_check(context, &in->grid));
  CW_TRY(cw_grid_check(context, &out->grid));
  cw_affine to_index;
  CW_TRY(cw_affine_invert(context, &in->grid.to_world, &to_index));
  *map = between ? cw_affine_compose(between, &out->grid.to_world) : out->grid.to_world;
  *map = cw_affine_compose(&to_index, map);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      if (!isfinite(map->m[r][c]))
        return cw_fail(context, CW_ERROR_NUMERIC, "resample: the affine between the volumes is not finite");
  return CW_OK;
}

static int thread_count(const cw_context *context, long long work) {
  const int threads = cw_context_threads(context);
  return work < threads ? (int)work : threads;
}

/* The range [*begin, *end) of i in [0, n) with low <= start + i * step < high, narrowed further.  start + i * step
 * is monotone in i under rounding, so testing the ends is enough. */
static void narrow(double start, double step, double low, double high, int *begin, int *end) {
  if (*begin >= *end)
    return;
  double first = *begin, last = *end; /* guesses by division, corrected below */
  if (step > 0) {
    first = fmax(first, floor((low - start) / step) - 1);
    last = fmin(last, ceil((high - start) / step) + 2);
  } else if (step < 0) {
    first = fmax(first, floor((high - start) / step) - 1);
    last = fmin(last, ceil((low - start) / step) + 2);
  }
  if (!(first < last)) {
    *end = *begin;
    return;
  }
  int b = (int)first, e = (int)last;
  while (b < e && !(start + b * step >= low && start + b * step < high))
    b++;
  while (e > b && !(start + (e - 1) * step >= low && start + (e - 1) * step < high))
    e--;
  *begin = b;
  *end = e;
}

/* One row of output points in input index space: point(i) = start + i * step. */
typedef struct row {
  double start[3], step[3];
  int touch_begin, touch_end;   /* i of points with a neighbour inside */
  int inside_begin, inside_end; /* i of points with all eight neighbours inside */
} row;

static row row_at(const cw_affine *map, const int size[3], int n, double i, double j, double k) {
  row r;
  const double index[3] = {i, j, k};
  cw_affine_apply(map, index, r.start);
  r.touch_begin = 0, r.touch_end = n;
  for (int axis = 0; axis < 3; axis++) {
    r.step[axis] = map->m[axis][0];
    /* nextafter: strictly above -1 */
    narrow(r.start[axis], r.step[axis], nextafter(-1, 0), size[axis], &r.touch_begin, &r.touch_end);
  }
  r.inside_begin = r.touch_begin, r.inside_end = r.touch_end;
  for (int axis = 0; axis < 3; axis++)
    narrow(r.start[axis], r.step[axis], 0, size[axis] - 1, &r.inside_begin, &r.inside_end);
  return r;
}

/* Trilinear sample at a point where some neighbours lie outside and count as zero. */
static float sample_border(const float *in, const int size[3], const double p[3]) {
  int base[3];
  float weight[3];
  for (int axis = 0; axis < 3; axis++) {
    const double below = floor(p[axis]);
    base[axis] = (int)below;
    weight[axis] = (float)(p[axis] - below);
  }
  float sum = 0;
  for (int corner = 0; corner < 8; corner++) {
    const int x = base[0] + (corner & 1), y = base[1] + (corner >> 1 & 1), z = base[2] + (corner >> 2);
    if (x < 0 || x >= size[0] || y < 0 || y >= size[1] || z < 0 || z >= size[2])
      continue;
    const float wx = corner & 1 ? weight[0] : 1 - weight[0], wy = corner >> 1 & 1 ? weight[1] : 1 - weight[1],
                wz = corner >> 2 ? weight[2] : 1 - weight[2];
    sum += wx * wy * wz * in[((size_t)z * size[1] + y) * size[0] + x];
  }
  return sum;
}

static void row_border(const row *r, const float *in, const int size[3], int begin, int end, float gain, float *out) {
  for (int i = begin; i < end; i++) {
    double p[3];
    for (int axis = 0; axis < 3; axis++)
      p[axis] = r->start[axis] + i * r->step[axis];
    out[i] += gain * sample_border(in, size, p);
  }
}

/* Truncation that stays below `limit` even where the compiler rounds start + i * step another way than narrow() saw. */
static inline int whole_below(double value, int limit) {
  const int whole = (int)value;
  return whole < limit ? whole : limit - 1;
}

static inline float mix(float a, float b, float w) {
  return a + w * (b - a);
}

/* out[i] += gain * in(point(i)) where all eight neighbours lie inside.  Positions and values in loops of their own, so
 * that the former become vectors. */
CW_CLONES static void row_inside(const row *r, const float *restrict in, const int size[3], float gain,
                                 float *restrict out) {
  enum { BLOCK = 64 };
  const double x0 = r->start[0], y0 = r->start[1], z0 = r->start[2];
  const double dx = r->step[0], dy = r->step[1], dz = r->step[2];
  const int nx = size[0] - 1, ny = size[1] - 1, nz = size[2] - 1;
  const int64_t line = size[0], plane = line * size[1];
  for (int begin = r->inside_begin; begin < r->inside_end; begin += BLOCK) {
    const int n = r->inside_end - begin < BLOCK ? r->inside_end - begin : BLOCK;
    int64_t offset[BLOCK];
    float wx[BLOCK], wy[BLOCK], wz[BLOCK];
    for (int i = 0; i < n; i++) {
      const double x = x0 + (begin + i) * dx, y = y0 + (begin + i) * dy, z = z0 + (begin + i) * dz;
      const int xi = whole_below(x, nx), yi = whole_below(y, ny), zi = whole_below(z, nz);
      wx[i] = (float)(x - xi), wy[i] = (float)(y - yi), wz[i] = (float)(z - zi);
      offset[i] = zi * plane + yi * line + xi;
    }
    for (int i = 0; i < n; i++) {
      const float *p = in + offset[i], *q = p + plane;
      const float near = mix(mix(p[0], p[1], wx[i]), mix(p[line], p[line + 1], wx[i]), wy[i]);
      const float far = mix(mix(q[0], q[1], wx[i]), mix(q[line], q[line + 1], wx[i]), wy[i]);
      out[begin + i] += gain * mix(near, far, wz[i]);
    }
  }
}

/* out[i] += gain * in(point(i)) along a row. */
static void row_linear(const row *r, const float *in, const int size[3], float gain, float *out) {
  row_border(r, in, size, r->touch_begin, r->inside_begin, gain, out);
  row_inside(r, in, size, gain, out);
  row_border(r, in, size, r->inside_end, r->touch_end, gain, out);
}

/* Slices that make up about four million points, so that progress is heard of every now and then; one for each thread
 * at least. */
static int slices_at_once(const cw_volume *out, int points, int threads) {
  const double slice = (double)out->grid.size[0] * out->grid.size[1] * out->components * points;
  return (int)fmax(threads, fmin(out->grid.size[2], 4e6 / slice));
}

/* Mean over parts[0] x parts[1] x parts[2] points of each voxel of slices [begin, end); one point is plain trilinear
 * sampling. */
static void resample_slices(const cw_volume *in, const cw_affine *map, const int parts[3], int begin, int end,
                            cw_volume *out, int threads) {
  (void)threads; /* unused without OpenMP */
  const int *n = out->grid.size, *size = in->grid.size;
  const size_t in_samples = cw_grid_samples(&in->grid), out_samples = cw_grid_samples(&out->grid);
  const float gain = 1.0f / (float)(parts[0] * parts[1] * parts[2]);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int k = begin; k < end; k++) {
    for (int j = 0; j < n[1]; j++) {
      const size_t at = ((size_t)k * n[1] + j) * n[0];
      for (int c = 0; c < out->components; c++)
        memset(out->data + c * out_samples + at, 0, (size_t)n[0] * sizeof(float));
      for (int part = 0; part < parts[0] * parts[1] * parts[2]; part++) {
        const int a = part % parts[0], b = part / parts[0] % parts[1], d = part / parts[0] / parts[1];
        const row r = row_at(map, size, n[0], (a + 0.5) / parts[0] - 0.5, j + (b + 0.5) / parts[1] - 0.5,
                             k + (d + 0.5) / parts[2] - 0.5);
        for (int c = 0; c < out->components; c++)
          row_linear(&r, in->data + c * in_samples, size, gain, out->data + c * out_samples + at);
      }
    }
  }
}

static cw_status resample_linear(cw_context *context, const cw_volume *in, const cw_affine *map, const int parts[3],
                                 cw_volume *out) {
  const int slices = out->grid.size[2], points = parts[0] * parts[1] * parts[2];
  const int at_once = slices_at_once(out, points, cw_context_threads(context));
  for (int begin = 0; begin < slices; begin += at_once) {
    const int end = slices - begin < at_once ? slices : begin + at_once;
    resample_slices(in, map, parts, begin, end, out, thread_count(context, end - begin));
    CW_TRY(cw_progress(context, "resample", (double)end / slices));
  }
  return CW_OK;
}

cw_status cw_volume_resample(cw_context *context, const cw_volume *in, const cw_affine *between, cw_volume *out) {
  cw_affine map;
  CW_TRY(map_indices(context, in, between, out, &map));
  const int parts[3] = {1, 1, 1};
  return resample_linear(context, in, &map, parts, out);
}

cw_status cw_volume_resample_mean(cw_context *context, const cw_volume *in, const cw_affine *between, cw_volume *out) {
  cw_affine map;
  CW_TRY(map_indices(context, in, between, out, &map));
  int parts[3];
  for (int axis = 0; axis < 3; axis++) {
    /* Length of the output voxel's edge in input voxels; a hair of tolerance keeps equal sizes at one. */
    const double length = hypot(hypot(map.m[0][axis], map.m[1][axis]), map.m[2][axis]);
    parts[axis] = (int)fmax(1, fmin(MAX_SUBSAMPLES, ceil(length - 1e-3)));
  }
  return resample_linear(context, in, &map, parts, out);
}

cw_status cw_volume_resample_labels(cw_context *context, const cw_volume *in, const cw_affine *between,
                                    cw_volume *out) {
  cw_affine map;
  CW_TRY(map_indices(context, in, between, out, &map));
  for (int axis = 0; axis < 3; axis++)
    map.m[axis][3] += 0.5; /* truncation then rounds to the nearest sample */
  const int *n = out->grid.size, *size = in->grid.size;
  const size_t in_samples = cw_grid_samples(&in->grid), out_samples = cw_grid_samples(&out->grid);
#pragma omp parallel for schedule(dynamic) num_threads(thread_count(context, n[2]))
  for (int k = 0; k < n[2]; k++) {
    for (int j = 0; j < n[1]; j++) {
      const double index[3] = {0, j, k};
      double p[3];
      cw_affine_apply(&map, index, p);
      int begin = 0, end = n[0];
      for (int axis = 0; axis < 3; axis++)
        narrow(p[axis], map.m[axis][0], 0, size[axis], &begin, &end);
      const size_t at = ((size_t)k * n[1] + j) * n[0];
      for (int c = 0; c < out->components; c++) {
        const float *from = in->data + c * in_samples;
        float *to = out->data + c * out_samples + at;
        memset(to, 0, (size_t)n[0] * sizeof(float));
        for (int i = begin; i < end; i++) {
          const int x = whole_below(p[0] + i * map.m[0][0], size[0]), y = whole_below(p[1] + i * map.m[1][0], size[1]),
                    z = whole_below(p[2] + i * map.m[2][0], size[2]);
          to[i] = from[((size_t)z * size[1] + y) * size[0] + x];
        }
      }
    }
  }
  return CW_OK;
}
