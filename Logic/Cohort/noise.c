/* Smooth Gaussian random fields.
 *
 * White noise filtered with a Gaussian has independent normal Fourier coefficients of standard deviation
 * exp(-2 pi^2 sigma^2 f^2).  Only the lowest few matter, so they are drawn directly and summed up axis by axis. */
#include <math.h>
#include <string.h>

#include "cohort_internal.h"

/* One axis of the synthesis: out[o][j] = sum_k in[o][k] exp(2 pi i j k / n) for complex in, k = -K..K. */
static void synthesise(int outer, int modes, int n, const float *wave, const float *in, float *out) {
  for (int o = 0; o < outer; o++) {
    float *re = out + (size_t)o * 2 * n, *im = re + n;
    memset(re, 0, 2 * (size_t)n * sizeof *re);
    for (int k = 0; k < modes; k++) {
      const float a = in[2 * ((size_t)o * modes + k)], b = in[2 * ((size_t)o * modes + k) + 1];
      const float *c = wave + (size_t)k * 2 * n, *s = c + n;
      for (int j = 0; j < n; j++) {
        re[j] += a * c[j] - b * s[j];
        im[j] += a * s[j] + b * c[j];
      }
    }
  }
}

/* in[a][b] planes of (real, imaginary) -> out[b][a] interleaved, so that the next axis comes last. */
static void turn(int a, int b, const float *in, float *out) {
  for (int i = 0; i < a; i++)
    for (int j = 0; j < b; j++) {
      out[2 * ((size_t)j * a + i)] = in[(size_t)i * 2 * b + j];
      out[2 * ((size_t)j * a + i) + 1] = in[(size_t)i * 2 * b + b + j];
    }
}

static void scale_to_unit(float *out, size_t n) {
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++)
    sum += out[i];
  const double mean = sum / (double)n;
  for (size_t i = 0; i < n; i++)
    squares += (out[i] - mean) * (out[i] - mean);
  const double scale = squares > 0 ? 1 / sqrt(squares / (double)n) : 0;
  for (size_t i = 0; i < n; i++)
    out[i] = (float)(out[i] * scale);
}

cw_status cw_noise_smooth(cw_context *context, cw_random *random, int n, double sigma, float *out) {
  const double pi = 3.141592653589793;
  /* Beyond this frequency the filter passes less than 1e-4. */
  int highest = (int)ceil(n * sqrt(log(1e4) / (2 * pi * pi)) / sigma);
  highest = highest < 1 ? 1 : highest > n / 2 - 1 ? n / 2 - 1 : highest;
  const int modes = 2 * highest + 1;
  const size_t plane = (size_t)n * n;
  float *wave = cw_allocate(context, (size_t)modes * 2 * n, sizeof *wave);
  float *a = cw_allocate(context, 2 * plane * modes, sizeof *a),
        *b = cw_allocate(context, 2 * plane * modes, sizeof *b);
  if (!wave || !a || !b) {
    cw_release(context, wave);
    cw_release(context, a);
    cw_release(context, b);
    return CW_ERROR_MEMORY;
  }
  for (int k = 0; k < modes; k++)
    for (int j = 0; j < n; j++) {
      const double angle = 2 * pi * (double)((long)(k - highest) * j % n) / n;
      wave[(size_t)k * 2 * n + j] = (float)cos(angle);
      wave[(size_t)k * 2 * n + n + j] = (float)sin(angle);
    }
  const double fall = -2 * pi * pi * sigma * sigma / ((double)n * n);
  float *to = a;
  for (int z = -highest; z <= highest; z++)
    for (int y = -highest; y <= highest; y++)
      for (int x = -highest; x <= highest; x++) {
        const double weight = exp(fall * (double)(x * x + y * y + z * z));
        *to++ = (float)(weight * cw_random_normal(random));
        *to++ = (float)(weight * cw_random_normal(random));
      }
  synthesise(modes * modes, modes, n, wave, a, b); /* [z][y][i] */
  turn(modes * modes, n, b, a);                    /* [i][z][y] */
  synthesise(n * modes, modes, n, wave, a, b);     /* [i][z][j] */
  turn(n * modes, n, b, a);                        /* [j][i][z] */
  /* Last axis: the real part alone. */
  memset(out, 0, plane * (size_t)n * sizeof *out);
  for (size_t line = 0; line < plane; line++)
    for (int k = 0; k < modes; k++) {
      const float re = a[2 * (line * modes + k)], im = a[2 * (line * modes + k) + 1];
      const float *c = wave + (size_t)k * 2 * n, *s = c + n;
      float *row = out + line * n;
      for (int j = 0; j < n; j++)
        row[j] += re * c[j] - im * s[j];
    }
  scale_to_unit(out, plane * n);
  cw_release(context, wave);
  cw_release(context, a);
  cw_release(context, b);
  return CW_OK;
}
