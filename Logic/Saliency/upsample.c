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

void cw_upsample_add(const float *from, const int from_size[3], float share, const int size[3], float *map,
                     int threads) {
  (void)threads; /* without OpenMP */
  const size_t row = (size_t)from_size[0], plane = row * (size_t)from_size[1];
  const int rows = size[1] * size[2];
  CW_PARALLEL(rows, threads)
  for (int r = 0; r < rows; r++) {
    const neighbours y = place(r % size[1], from_size[1], size[1]), z = place(r / size[1], from_size[2], size[2]);
    const float *a = from + (size_t)z.low * plane + (size_t)y.low * row;
    const float *b = from + (size_t)z.low * plane + (size_t)y.high * row;
    const float *c = from + (size_t)z.high * plane + (size_t)y.low * row;
    const float *d = from + (size_t)z.high * plane + (size_t)y.high * row;
    float *out = map + (size_t)r * (size_t)size[0];
    for (int i = 0; i < size[0]; i++) {
      const neighbours x = place(i, from_size[0], size[0]);
      const float low =
          (1 - z.t) * ((1 - y.t) * a[x.low] + y.t * b[x.low]) + z.t * ((1 - y.t) * c[x.low] + y.t * d[x.low]);
      const float high =
          (1 - z.t) * ((1 - y.t) * a[x.high] + y.t * b[x.high]) + z.t * ((1 - y.t) * c[x.high] + y.t * d[x.high]);
      out[i] += share * ((1 - x.t) * low + x.t * high);
    }
  }
}
