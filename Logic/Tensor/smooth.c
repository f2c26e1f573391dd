/* Separable Gaussian smoothing. */
#include <math.h>
#include <string.h>

#include "counterwarp/volume.h"
#ifdef _OPENMP
#include <omp.h>
#endif

static int thread_index(void) {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

static inline int clamp(int value, int limit) {
  return value < 0 ? 0 : value >= limit ? limit - 1 : value;
}

/* Smooths across the rows of a plane: plane[r][i] for r in [0, rows), rows `stride` floats apart.  copy: [rows][n]. */
static void smooth_rows(float *plane, size_t stride, int rows, int n, const float *weight, int radius, float *copy) {
  for (int r = 0; r < rows; r++)
    memcpy(copy + (size_t)r * n, plane + r * stride, (size_t)n * sizeof(float));
  for (int r = 0; r < rows; r++) {
    float *restrict out = plane + r * stride;
    for (int i = 0; i < n; i++)
      out[i] *= weight[0];
    for (int t = 1; t <= radius; t++) {
      const float *restrict below = copy + (size_t)clamp(r - t, rows) * n;
      const float *restrict above = copy + (size_t)clamp(r + t, rows) * n;
      const float w = weight[t];
      for (int i = 0; i < n; i++)
        out[i] += w * (below[i] + above[i]);
    }
  }
}

/* Smooths along one row; padded: [n + 2 radius]. */
static void smooth_along(float *restrict out, int n, const float *weight, int radius, float *restrict padded) {
  for (int i = 0; i < n + 2 * radius; i++)
    padded[i] = out[clamp(i - radius, n)];
  const float *center = padded + radius;
  for (int i = 0; i < n; i++)
    out[i] *= weight[0];
  for (int t = 1; t <= radius; t++) {
    const float w = weight[t];
    for (int i = 0; i < n; i++)
      out[i] += w * (center[i - t] + center[i + t]);
  }
}

cw_status cw_volume_smooth(cw_context *context, cw_volume *volume, double sigma) {
  if (!volume->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "smooth: expected a volume with samples");
  if (!(sigma >= 0 && sigma <= 1000))
    return cw_fail(context, CW_ERROR_ARGUMENT, "smooth: sigma is %g voxels, expected 0 to 1000", sigma);
  const int radius = (int)ceil(4 * sigma);
  if (radius == 0)
    return CW_OK;
  const int nx = volume->grid.size[0], ny = volume->grid.size[1], nz = volume->grid.size[2];
  const int most = ny > nz ? ny : nz, planes = volume->components * most;
  const int threads = cw_context_threads(context) < planes ? cw_context_threads(context) : planes;
  const size_t plane = (size_t)nx * most, line = (size_t)nx + 2 * (size_t)radius;
  const size_t each = plane > line ? plane : line;
  float *weight = cw_allocate(context, (size_t)radius + 1, sizeof *weight);
  float *scratch = cw_allocate(context, each, sizeof *scratch * (size_t)threads);
  if (!weight || !scratch) {
    cw_release(context, scratch);
    cw_release(context, weight);
    return CW_ERROR_MEMORY;
  }
  double total = 1;
  for (int t = 1; t <= radius; t++)
    total += 2 * exp(-0.5 * t * t / (sigma * sigma));
  for (int t = 0; t <= radius; t++)
    weight[t] = (float)(exp(-0.5 * t * t / (sigma * sigma)) / total);

  float *data = volume->data;
  const int slices = volume->components * nz, sheets = volume->components * ny;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int slice = 0; slice < slices; slice++) { /* along i and j, slice by slice */
    float *own = scratch + each * thread_index(), *at = data + (size_t)slice * ny * nx;
    for (int j = 0; j < ny; j++)
      smooth_along(at + (size_t)j * nx, nx, weight, radius, own);
    smooth_rows(at, (size_t)nx, ny, nx, weight, radius, own);
  }
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int sheet = 0; sheet < sheets; sheet++) { /* along k */
    float *own = scratch + each * thread_index();
    float *at = data + ((size_t)(sheet / ny) * nz * ny + sheet % ny) * nx;
    smooth_rows(at, (size_t)ny * nx, nz, nx, weight, radius, own);
  }
  cw_release(context, scratch);
  cw_release(context, weight);
  return CW_OK;
}
