/* Maps that know nothing of the classifier. */
#include <math.h>
#include <string.h>

#include "counterwarp/random.h"
#include "counterwarp/saliency.h"
#include "counterwarp/volume.h"

void cw_baseline_random(uint64_t seed, uint64_t stream, const int size[3], float *map) {
  const size_t samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  for (size_t i = 0; i < samples; i++)
    map[i] = cw_random_at(seed, stream, i);
}

cw_status cw_baseline_edges(cw_context *context, const float *image, const int size[3], float *map) {
  cw_volume smooth = {0};
  const double center[3] = {0, 0, 0};
  cw_grid grid = cw_grid_cube(1, 1, center);
  memcpy(grid.size, size, sizeof grid.size);
  CW_TRY(cw_volume_create(context, &grid, 1, &smooth));
  memcpy(smooth.data, image, cw_grid_samples(&grid) * sizeof(float));
  const cw_status status = cw_volume_smooth(context, &smooth, 1);
  const size_t step[3] = {1, (size_t)size[0], (size_t)size[0] * (size_t)size[1]};
  for (int k = 0; k < size[2] && status == CW_OK; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const int at[3] = {i, j, k};
        const size_t here = (size_t)k * step[2] + (size_t)j * step[1] + (size_t)i;
        double square = 0;
        for (int a = 0; a < 3; a++) {
          const float above = smooth.data[here + (at[a] + 1 < size[a] ? step[a] : 0)];
          const float below = smooth.data[here - (at[a] > 0 ? step[a] : 0)];
          square += 0.25 * ((double)above - below) * ((double)above - below);
        }
        map[here] = (float)sqrt(square);
      }
  cw_volume_free(context, &smooth);
  return status;
}

cw_status cw_baseline_group(cw_context *context, const float *images, const int *label, int count, size_t samples,
                            float *map) {
  int n[2] = {0, 0};
  for (int s = 0; s < count; s++)
    n[label[s] != 0]++;
  if (n[0] < 2 || n[1] < 2)
    return cw_fail(context, CW_ERROR_ARGUMENT, "group map: %d controls and %d patients, expected two of each at least",
                   n[0], n[1]);
#pragma omp parallel for schedule(static) num_threads(cw_context_threads(context))
  for (size_t i = 0; i < samples; i++) {
    double mean[2] = {0, 0}, square[2] = {0, 0};
    for (int s = 0; s < count; s++)
      mean[label[s] != 0] += (double)images[(size_t)s * samples + i] / n[label[s] != 0];
    for (int s = 0; s < count; s++) {
      const double d = images[(size_t)s * samples + i] - mean[label[s] != 0];
      square[label[s] != 0] += d * d;
    }
    const double error = square[0] / ((double)n[0] * (n[0] - 1)) + square[1] / ((double)n[1] * (n[1] - 1));
    map[i] = error > 0 ? (float)((mean[1] - mean[0]) / sqrt(error)) : 0;
  }
  return CW_OK;
}
