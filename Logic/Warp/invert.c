/* Inverse of a displacement field by fixed-point iteration. */
#include <string.h>

#include "counterwarp/warp.h"
#include "Warp/grid_cell.h"

/* next(p) = -u(p + w(p)), given sum = w + u o w; returns the largest |sum| where p + w(p) lies inside the box. */
static double step(const int size[3], const float *w, float *next, int threads) {
  const size_t samples = cw_samples(size);
  double largest = 0;
  const int team = cw_team(threads, size[2]);
  (void)team; /* unused without OpenMP */
#pragma omp parallel for schedule(static) num_threads(team) reduction(max : largest)
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const size_t p = ((size_t)k * size[1] + j) * size[0] + i;
        const int at[3] = {i, j, k};
        double square = 0;
        bool inside = true;
        for (int axis = 0; axis < 3; axis++) {
          const float residual = next[axis * samples + p], own = w[axis * samples + p];
          square += (double)residual * residual;
          inside = inside && own >= (float)-at[axis] && own <= (float)(size[axis] - 1 - at[axis]);
          next[axis * samples + p] = own - residual;
        }
        if (inside && square > largest)
          largest = square;
      }
  return sqrt(largest);
}

double cw_invert_field(const int size[3], const float *u, int iterations, double tolerance, float *w, float *scratch,
                       int threads) {
  const size_t field = 3 * cw_samples(size);
  float *now = w, *next = scratch;
  for (size_t i = 0; i < field; i++)
    now[i] = -u[i];
  double residual;
  for (int n = 0;; n++) {
    cw_compose_forward(size, u, now, next, threads);
    residual = step(size, now, next, threads);
    if (n >= iterations || residual < tolerance)
      break;
    float *const swap = now;
    now = next;
    next = swap;
  }
  if (now != w)
    memcpy(w, now, field * sizeof *w);
  return residual;
}
