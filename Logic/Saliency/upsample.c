/* Linear interpolation from a layer's grid to the image's. */
#include <math.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

typedef struct neighbours {
  int low, high;
  float t; /* weight of high */
} neighbours;

/* Half-pixel centres, clamped. */
static neighbours place(int index, int from, int to) {
  const double at = (index + 0.5) * from / to - 0.5, inside = fmin(fmax(at, 0), from - 1);
  neighbours n;
  n.low = (int)inside;
  n.high = n.low + 1 < from ? n.low + 1 : n.low;
  n.t = (float)(inside - n.low);
  return n;
}

CW_CLONES static void upsample_same(size_t n, const float *restrict from, float share, float *restrict out) {
  for (size_t i = 0; i < n; i++)
    out[i] += share * from[i];
}

/* Between rows 0 and 1 of one plane and 2 and 3 of the next. */
CW_CLONES static void upsample_row(int n, const neighbours *restrict x, const float *const rows[4], float y, float z,
                                   float share, float *restrict out) {
  const float *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2], *restrict d = rows[3];
  for (int i = 0; i < n; i++) {
    const int l = x[i].low, h = x[i].high;
    const float low = (1 - z) * ((1 - y) * a[l] + y * b[l]) + z * ((1 - y) * c[l] + y * d[l]);
    const float high = (1 - z) * ((1 - y) * a[h] + y * b[h]) + z * ((1 - y) * c[h] + y * d[h]);
    out[i] += share * ((1 - x[i].t) * low + x[i].t * high);
  }
}

enum { MOST_COLUMNS = 1024 };

void cw_upsample_add(const float *from, const int from_size[3], float share, const int size[3], float *map,
                     int threads) {
  (void)threads; /* without OpenMP */
  const size_t row = (size_t)from_size[0], plane = row * (size_t)from_size[1];
  const int rows = size[1] * size[2], width = size[0];
  if (from_size[0] == width && from_size[1] == size[1] && from_size[2] == size[2]) {
    CW_PARALLEL(rows, threads)
    for (int r = 0; r < rows; r++)
      upsample_same(row, from + (size_t)r * row, share, map + (size_t)r * row);
    return;
  }
  for (int first = 0; first < width; first += MOST_COLUMNS) {
    neighbours x[MOST_COLUMNS];
    const int n = width - first < MOST_COLUMNS ? width - first : MOST_COLUMNS;
    for (int i = 0; i < n; i++)
      x[i] = place(first + i, from_size[0], width);
    CW_PARALLEL(rows, threads)
    for (int r = 0; r < rows; r++) {
      const neighbours y = place(r % size[1], from_size[1], size[1]), z = place(r / size[1], from_size[2], size[2]);
      const float *low = from + (size_t)z.low * plane, *high = from + (size_t)z.high * plane;
      const float *const corners[4] = {low + (size_t)y.low * row, low + (size_t)y.high * row,
                                       high + (size_t)y.low * row, high + (size_t)y.high * row};
      upsample_row(n, x, corners, y.t, z.t, share, map + (size_t)r * (size_t)width + first);
    }
  }
}
