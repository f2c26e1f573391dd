/* Jacobian determinant of a displacement field. */
#include "Warp/jacobian.h"

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Warp/block.h"
#include "Warp/grid_cell.h"

enum { CHUNK = 64 };

/* The grid's matrix, the reciprocal of its determinant, and the field at one row. */
typedef struct row_view {
  float m[3][3], gain;
  const float *at[3]; /* components */
  ptrdiff_t low[3], high[3];
  float factor[3]; /* of the differences along x, y, z */
} row_view;

/* Neighbours of sample i along an axis: central, or one-sided at the border. */
static void set_difference(row_view *v, int axis, int i, int n, size_t step) {
  v->low[axis] = i > 0 ? -(ptrdiff_t)step : 0;
  v->high[axis] = i + 1 < n ? (ptrdiff_t)step : 0;
  v->factor[axis] = i > 0 && i + 1 < n ? 0.5f : 1;
}

/* Determinants of n samples from i on; all have the same kind of difference along x. */
CW_INLINE void determinants(const row_view *v, int i, int n, float *restrict out) {
  const float *a = v->at[0] + i, *b = v->at[1] + i, *c = v->at[2] + i;
  const float fx = v->factor[0], fy = v->factor[1], fz = v->factor[2], gain = v->gain;
  const ptrdiff_t xl = v->low[0], xh = v->high[0], yl = v->low[1], yh = v->high[1], zl = v->low[2], zh = v->high[2];
#pragma omp simd
  for (int l = 0; l < n; l++) {
    const float ax = v->m[0][0] + fx * (a[l + xh] - a[l + xl]), ay = v->m[0][1] + fy * (a[l + yh] - a[l + yl]),
                az = v->m[0][2] + fz * (a[l + zh] - a[l + zl]);
    const float bx = v->m[1][0] + fx * (b[l + xh] - b[l + xl]), by = v->m[1][1] + fy * (b[l + yh] - b[l + yl]),
                bz = v->m[1][2] + fz * (b[l + zh] - b[l + zl]);
    const float cx = v->m[2][0] + fx * (c[l + xh] - c[l + xl]), cy = v->m[2][1] + fy * (c[l + yh] - c[l + yl]),
                cz = v->m[2][2] + fz * (c[l + zh] - c[l + zl]);
    out[l] = gain * (ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx));
  }
}

CW_INLINE int count_folds(int n, const float *j) {
  int folded = 0;
#pragma omp simd reduction(+ : folded)
  for (int l = 0; l < n; l++)
    folded += j[l] <= 0;
  return folded;
}

/* ln x = e ln 2 + ln m with m in [sqrt(1/2), sqrt(2)): ln m = 2 artanh t, t = (m - 1) / (m + 1), |t| <= 0.172, whose
 * series to t^9 leaves 4e-9.  x > 0 normal, +Inf or NaN; smaller ones count as the smallest normal. */
CW_INLINE void logarithms(int n, float *restrict x) {
#pragma omp simd
  for (int l = 0; l < n; l++) {
    const float at_least = x[l] < FLT_MIN ? FLT_MIN : x[l];
    int32_t bits;
    memcpy(&bits, &at_least, sizeof bits);
    const int32_t shifted = bits - 0x3f3504f3; /* sqrt(1/2) */
    const float exponent = (float)(shifted >> 23);
    bits -= (int32_t)((uint32_t)(shifted >> 23) << 23);
    float m;
    memcpy(&m, &bits, sizeof m);
    const float t = (m - 1) / (m + 1), s = t * t;
    const float series = s * (0.333333333f + s * (0.2f + s * (0.142857143f + s * 0.111111111f)));
    const float value = exponent * 0.693147181f + 2 * (t + t * series);
    x[l] = at_least <= FLT_MAX ? value : at_least; /* Inf and NaN stay */
  }
}

/* One row of determinants or their logarithms; returns the number of folds. */
CW_CLONES static int jacobian_row(row_view v, int n, bool log_of, float *out) {
  int folded = 0;
  for (int i = 0; i < n; i += CHUNK) {
    const int end = i + CHUNK < n ? i + CHUNK : n;
    int from = i, to = end;
    if (from == 0) {
      set_difference(&v, 0, 0, n, 1);
      determinants(&v, 0, 1, out);
      from = 1;
    }
    if (to == n && n > 1) {
      set_difference(&v, 0, n - 1, n, 1);
      determinants(&v, n - 1, 1, out + n - 1);
      to = n - 1;
    }
    if (from < to) {
      set_difference(&v, 0, 1, 3, 1);
      determinants(&v, from, to - from, out + from);
    }
    folded += count_folds(end - i, out + i);
    if (log_of) {
#pragma omp simd
      for (int l = i; l < end; l++)
        out[l] = out[l] <= 0 ? 1e-3f : out[l];
      logarithms(end - i, out + i);
    }
  }
  return folded;
}

size_t cw_jacobian_on_grid(const int size[3], const double matrix[3][3], const float *field, bool log_of, float *out,
                           int threads) {
  const size_t samples = cw_samples(size), nx = (size_t)size[0], nxy = nx * size[1];
  const double(*m)[3] = matrix;
  const double determinant = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                             m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                             m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  size_t folded = 0;
  const int team = cw_team(threads, size[2]);
  (void)team; /* unused without OpenMP */
#pragma omp parallel for schedule(static) num_threads(team) reduction(+ : folded)
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++) {
      const size_t at = (size_t)k * nxy + (size_t)j * nx;
      row_view v = {.gain = (float)(1 / determinant)};
      for (int r = 0; r < 3; r++) {
        v.at[r] = field + r * samples + at;
        for (int c = 0; c < 3; c++)
          v.m[r][c] = (float)m[r][c];
      }
      set_difference(&v, 1, j, size[1], nx);
      set_difference(&v, 2, k, size[2], nxy);
      folded += (size_t)jacobian_row(v, size[0], log_of, out + at);
    }
  return folded;
}

size_t cw_jacobian_determinant(const int size[3], const float *u, bool log_of, float *out, int threads) {
  const double identity[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  return cw_jacobian_on_grid(size, identity, u, log_of, out, threads);
}
