/* Internal: where a displaced voxel falls in the grid of samples. */
#ifndef COUNTERWARP_WARP_GRID_CELL_H
#define COUNTERWARP_WARP_GRID_CELL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "Tensor/dispatch.h"

CW_INLINE size_t cw_samples(const int size[3]) {
  return (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
}

/* Threads for `rows` independent pieces of work. */
static inline int cw_team(int threads, int rows) {
  const int team = threads < rows ? threads : rows;
  return team < 1 ? 1 : team;
}

/* i + u = base + weight with 0 <= weight <= 1.  The sum is never formed in float, which would lose bits of u.
 * False where no sample of the axis has a part in it (u may be NaN or Inf): base and weight are then unset. */
CW_INLINE bool cw_cell(int i, int n, float u, int *base, float *weight) {
  if (!(u > (float)(-1 - i) && u < (float)(n - i)))
    return false;
  const float below = floorf(u);
  *base = i + (int)below;
  *weight = u - below;
  if (*base == n - 1 && *weight == 0 && n > 1) { /* on the last sample: the upper end of the last cell */
    *base = n - 2;
    *weight = 1;
  }
  return true;
}

/* The same with i + u clamped to the axis: 0 <= base and base + step <= n - 1, where step is 0 on an axis of one
 * sample. free: 1 where the point moves with u, 0 where it is held at the border.  NaN is held at 0. */
CW_INLINE void cw_cell_clamped(int i, int n, float u, int *base, float *weight, float *free) {
  const float low = (float)-i, high = (float)(n - 1 - i);
  const float held = u >= low ? (u <= high ? u : high) : low;
  const float below = floorf(held);
  int at = i + (int)below;
  float w = held - below;
  if (at >= n - 1) { /* the last sample: the upper end of the last cell */
    at = n > 1 ? n - 2 : 0;
    w = n > 1 ? 1 : 0;
  }
  *base = at;
  *weight = w;
  *free = held == u && n > 1 ? 1 : 0;
}

/* Slopes of the trilinear interpolant of corner values v[x + 2 y + 4 z] at weights w. */
CW_INLINE float cw_slope_x(const float v[8], const float w[3]) {
  const float near = (1 - w[1]) * (v[1] - v[0]) + w[1] * (v[3] - v[2]);
  const float far = (1 - w[1]) * (v[5] - v[4]) + w[1] * (v[7] - v[6]);
  return (1 - w[2]) * near + w[2] * far;
}

CW_INLINE float cw_slope_y(const float v[8], const float w[3]) {
  const float near = (1 - w[0]) * (v[2] - v[0]) + w[0] * (v[3] - v[1]);
  const float far = (1 - w[0]) * (v[6] - v[4]) + w[0] * (v[7] - v[5]);
  return (1 - w[2]) * near + w[2] * far;
}

CW_INLINE float cw_slope_z(const float v[8], const float w[3]) {
  const float left = (1 - w[0]) * (v[4] - v[0]) + w[0] * (v[5] - v[1]);
  const float right = (1 - w[0]) * (v[6] - v[2]) + w[0] * (v[7] - v[3]);
  return (1 - w[1]) * left + w[1] * right;
}

/* Exact at both ends. */
CW_INLINE float cw_mix(float a, float b, float w) {
  return (1 - w) * a + w * b;
}

#endif
