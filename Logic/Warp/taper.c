/* A window that takes a field to zero at the faces of its box. */
#include "Warp/taper.h"

#include <math.h>

#include "counterwarp/warp.h"
#include "Tensor/dispatch.h"
#include "Warp/grid_cell.h"

/* Raised cosine: 0 at distance 0 from the face, 1 from `margin` on. */
static float rise(int i, int n, int margin) {
  const int distance = i < n - 1 - i ? i : n - 1 - i;
  return distance >= margin ? 1 : (float)(0.5 - 0.5 * cos(3.14159265358979323846 * distance / margin));
}

CW_CLONES static void taper_scale_row(int n, float factor, const float *window, const float *in, bool add, float *out) {
  if (add) {
#pragma omp simd
    for (int i = 0; i < n; i++)
      out[i] += in[i] * (factor * window[i]);
  } else {
#pragma omp simd
    for (int i = 0; i < n; i++)
      out[i] = in[i] * (factor * window[i]);
  }
}

void cw_taper_field(const int size[3], int margin, const float *in, bool add, float *out) {
  enum { CHUNK = 256 }; /* the window along x is computed once for a chunk of columns */
  const size_t samples = cw_samples(size);
  float window[CHUNK];
  for (int from = 0; from < size[0]; from += CHUNK) {
    const int n = size[0] - from < CHUNK ? size[0] - from : CHUNK;
    for (int i = 0; i < n; i++)
      window[i] = rise(from + i, size[0], margin);
    for (int k = 0; k < size[2]; k++) {
      const float z = rise(k, size[2], margin);
      for (int j = 0; j < size[1]; j++) {
        const float yz = z * rise(j, size[1], margin);
        const size_t at = ((size_t)k * size[1] + j) * size[0] + from;
        for (int axis = 0; axis < 3; axis++)
          taper_scale_row(n, yz, window, in + axis * samples + at, add, out + axis * samples + at);
      }
    }
  }
}

void cw_taper(const int size[3], int margin, const float *in, float *out) {
  cw_taper_field(size, margin, in, false, out);
}
