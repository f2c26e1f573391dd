/* Jacobian determinant of a displacement field. */
#include "Warp/jacobian.h"

#include "counterwarp/warp.h"
#include "Warp/grid_cell.h"

/* Neighbours of sample i along an axis and the factor of their difference: central, or one-sided at the border. */
typedef struct difference {
  ptrdiff_t low, high;
  float factor;
} difference;

static difference difference_at(int i, int n, size_t step) {
  difference d;
  d.low = i > 0 ? -(ptrdiff_t)step : 0;
  d.high = i + 1 < n ? (ptrdiff_t)step : 0;
  d.factor = i > 0 && i + 1 < n ? 0.5f : 1;
  return d;
}

size_t cw_jacobian_on_grid(const int size[3], const double matrix[3][3], const float *field, bool log_of, float *out,
                           int threads) {
  const size_t samples = cw_samples(size), nx = (size_t)size[0], nxy = nx * size[1];
  const double(*m)[3] = matrix;
  const double determinant = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                             m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                             m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  const float gain = (float)(1 / determinant);
  size_t folded = 0;
#pragma omp parallel for schedule(static) num_threads(cw_team(threads, size[2])) reduction(+ : folded)
  for (int k = 0; k < size[2]; k++) {
    const difference z = difference_at(k, size[2], nxy);
    for (int j = 0; j < size[1]; j++) {
      const difference y = difference_at(j, size[1], nx);
      for (int i = 0; i < size[0]; i++) {
        const difference x = difference_at(i, size[0], 1);
        const size_t at = (size_t)k * nxy + (size_t)j * nx + i;
        float d[3][3];
        for (int r = 0; r < 3; r++) {
          const float *p = field + r * samples + at;
          d[r][0] = (float)m[r][0] + x.factor * (p[x.high] - p[x.low]);
          d[r][1] = (float)m[r][1] + y.factor * (p[y.high] - p[y.low]);
          d[r][2] = (float)m[r][2] + z.factor * (p[z.high] - p[z.low]);
        }
        const float value = gain * (d[0][0] * (d[1][1] * d[2][2] - d[1][2] * d[2][1]) -
                                    d[0][1] * (d[1][0] * d[2][2] - d[1][2] * d[2][0]) +
                                    d[0][2] * (d[1][0] * d[2][1] - d[1][1] * d[2][0]));
        folded += value <= 0;
        out[at] = log_of ? logf(value <= 0 ? 1e-3f : value) : value;
      }
    }
  }
  return folded;
}

size_t cw_jacobian_determinant(const int size[3], const float *u, bool log_of, float *out, int threads) {
  const double identity[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  return cw_jacobian_on_grid(size, identity, u, log_of, out, threads);
}
