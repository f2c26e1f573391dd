/* The velocity of one structure.
 *
 * v = grad p with lap p = c (G_narrow - G_wide) * structure, solved by FFT: divergence 1 inside on average, and a ring
 * of negative divergence around that takes up the volume.  The source has no net mass, so v fades beyond the ring. */
#include <kiss_fftnd.h>
#include <math.h>
#include <string.h>

#include "effect_internal.h"

static const double narrow_mm = 2.5, wide_mm = 7; /* Gaussians of structure and ring */
static const double ring_mm = 24;                 /* beyond this distance the velocity is negligible */
static const double pi = 3.141592653589793;

static void place_patch(const cw_region *r, double spacing, const double centre[3], cw_patch *p) {
  p->samples = 1;
  for (int a = 0; a < 3; a++) {
    p->offset[a] = (int)floor((r->ras_low[a] - ring_mm - centre[a]) / spacing);
    const int last = (int)ceil((r->ras_high[a] + ring_mm - centre[a]) / spacing);
    p->size[a] = kiss_fft_next_fast_size(last - p->offset[a] + 1);
    p->samples *= (size_t)p->size[a];
  }
}

/* Share of the structure in each voxel of the patch, from 3 x 3 x 3 points. */
static cw_status fill_weight(cw_context *context, const cw_region *r, double spacing, const double centre[3],
                             cw_patch *p) {
  float map[3][4];
  CW_TRY(cw_effect_ras_to_index(context, &r->volume->grid, map));
  const int *n = r->volume->grid.size;
  int first[3], last[3];
  for (int a = 0; a < 3; a++) {
    first[a] = (int)floor((r->ras_low[a] - centre[a]) / spacing) - 2 - p->offset[a];
    last[a] = (int)ceil((r->ras_high[a] - centre[a]) / spacing) + 2 - p->offset[a];
  }
  for (int k = first[2]; k <= last[2]; k++)
    for (int j = first[1]; j <= last[1]; j++)
      for (int i = first[0]; i <= last[0]; i++) {
        int hits = 0;
        for (int part = 0; part < 27; part++) {
          const int s[3] = {part % 3 - 1, part / 3 % 3 - 1, part / 9 - 1}, g[3] = {i, j, k};
          float ras[3];
          int v[3];
          bool inside = true;
          for (int a = 0; a < 3; a++)
            ras[a] = (float)(centre[a] + (p->offset[a] + g[a] + s[a] / 3.0) * spacing);
          for (int a = 0; a < 3; a++) {
            v[a] = (int)floorf(map[a][0] * ras[0] + map[a][1] * ras[1] + map[a][2] * ras[2] + map[a][3] + 0.5f);
            inside = inside && v[a] >= 0 && v[a] < n[a];
          }
          hits += inside && r->volume->data[((size_t)v[2] * n[1] + v[1]) * n[0] + v[0]] == r->value;
        }
        p->weight[((size_t)k * p->size[1] + j) * p->size[0] + i] = (float)hits / 27;
      }
  return CW_OK;
}

/* Angular frequency of FFT bin i of n; 0 at the Nyquist bin, whose derivative has no real counterpart. */
static double frequency(int i, int n) {
  return 2 * i == n ? 0 : 2 * pi * (2 * i < n ? i : i - n) / n;
}

/* spectrum of the weight -> velocities; in and out are complex boxes of the patch. */
static void solve(const cw_patch *p, double spacing, double total, const kiss_fftnd_cfg inverse,
                  const kiss_fft_cpx *weight, kiss_fft_cpx *in, kiss_fft_cpx *out) {
  const int *n = p->size;
  const double narrow = narrow_mm / spacing, wide = wide_mm / spacing;
  double inside = 0; /* sum of divergence times weight, by Parseval */
  for (int part = 0; part < 2; part++) {
    size_t at = 0;
    for (int k = 0; k < n[2]; k++)
      for (int j = 0; j < n[1]; j++)
        for (int i = 0; i < n[0]; i++, at++) {
          const double x = frequency(i, n[0]), y = frequency(j, n[1]), z = frequency(k, n[2]);
          const double square = x * x + y * y + z * z;
          const double band = exp(-0.5 * square * narrow * narrow) - exp(-0.5 * square * wide * wide);
          const double re = weight[at].r, im = weight[at].i;
          if (part == 0)
            inside += band * (re * re + im * im);
          /* v_a = i k_a F / -k^2, that is (im, -re) k_a band / k^2; x and y travel as real and imaginary part. */
          const double s = square > 0 ? band / square : 0;
          in[at].r = (float)(part == 0 ? s * (x * im + y * re) : s * z * im);
          in[at].i = (float)(part == 0 ? s * (-x * re + y * im) : -s * z * re);
        }
    kiss_fftnd(inverse, in, out);
    /* Unit mean divergence; the inverse transform's 1/N and Parseval's cancel. */
    const double scale = total / inside;
    float *v = p->velocity + 2 * (size_t)part * p->samples;
    for (size_t s = 0; s < p->samples; s++) {
      v[s] = (float)(out[s].r * scale);
      if (part == 0)
        v[p->samples + s] = (float)(out[s].i * scale);
    }
  }
}

static cw_status find_velocity(cw_context *context, double spacing, cw_patch *p) {
  const int dims[3] = {p->size[2], p->size[1], p->size[0]};
  size_t forward_bytes = 0, inverse_bytes = 0;
  kiss_fftnd_alloc(dims, 3, 0, NULL, &forward_bytes);
  kiss_fftnd_alloc(dims, 3, 1, NULL, &inverse_bytes);
  void *forward = cw_allocate(context, forward_bytes, 1), *inverse = cw_allocate(context, inverse_bytes, 1);
  kiss_fft_cpx *a = cw_allocate(context, 3 * p->samples, sizeof *a);
  cw_status status = CW_ERROR_MEMORY;
  if (forward && inverse && a) {
    double total = 0;
    for (size_t s = 0; s < p->samples; s++) {
      a[s] = (kiss_fft_cpx){p->weight[s], 0};
      total += p->weight[s];
    }
    kiss_fft_cpx *b = a + p->samples, *c = b + p->samples;
    kiss_fftnd(kiss_fftnd_alloc(dims, 3, 0, forward, &forward_bytes), a, b);
    solve(p, spacing, total, kiss_fftnd_alloc(dims, 3, 1, inverse, &inverse_bytes), b, a, c);
    status = CW_OK;
  }
  cw_release(context, forward);
  cw_release(context, inverse);
  cw_release(context, a);
  return status;
}

void cw_patch_free(cw_context *context, cw_patch *patch) {
  cw_release(context, patch->weight);
  cw_release(context, patch->velocity);
  memset(patch, 0, sizeof *patch);
}

cw_status cw_patch_create(cw_context *context, const cw_region *region, double spacing, const double centre[3],
                          cw_patch *patch) {
  memset(patch, 0, sizeof *patch);
  place_patch(region, spacing, centre, patch);
  patch->weight = cw_allocate_zero(context, patch->samples, sizeof *patch->weight);
  patch->velocity = cw_allocate(context, 3 * patch->samples, sizeof *patch->velocity);
  cw_status status = patch->weight && patch->velocity ? CW_OK : CW_ERROR_MEMORY;
  if (status == CW_OK)
    status = fill_weight(context, region, spacing, centre, patch);
  if (status == CW_OK)
    status = find_velocity(context, spacing, patch);
  if (status != CW_OK)
    cw_patch_free(context, patch);
  return status;
}
