#include <math.h>
#include <string.h>

#include "Layers/norm_act.h"
#include "Tensor/dispatch.h"

/* dz: gradient before the activation.  Sums over a map: of dz, and of dz times x. */
CW_CLONES static void plain_sums(const float *x, const float *dy, size_t count, cw_norm_chain k, float slope,
                                 double sums[2]) {
  sums[0] = sums[1] = 0;
  for (size_t i = 0; i < count; i += 1024) {
    const size_t end = i + 1024 < count ? i + 1024 : count;
    float first[16] = {0}, second[16] = {0};
    size_t j = i;
    for (; j + 16 <= end; j += 16)
      for (int l = 0; l < 16; l++) {
        const float g = k.factor * x[j + l] + k.offset > 0 ? dy[j + l] : slope * dy[j + l];
        first[l] += g;
        second[l] += g * x[j + l];
      }
    for (; j < end; j++) {
      const float g = k.factor * x[j] + k.offset > 0 ? dy[j] : slope * dy[j];
      first[0] += g;
      second[0] += g * x[j];
    }
    for (int l = 0; l < 16; l++) {
      sums[0] += first[l];
      sums[1] += second[l];
    }
  }
}

/* One row of pooled values: x points to the row's first window. */
CW_CLONES static void pool_row_sums(const float *x, int row, int plane, const float *dy, const uint8_t *which,
                                    int count, cw_norm_chain k, float slope, double sums[2]) {
  float first[16] = {0}, second[16] = {0};
  int i = 0;
  for (; i + 16 <= count; i += 16)
    for (int l = 0; l < 16; l++) {
      const int w = which[i + l], at = (w >> 2) * plane + ((w >> 1) & 1) * row + 2 * (i + l) + (w & 1);
      const float g = k.factor * x[at] + k.offset > 0 ? dy[i + l] : slope * dy[i + l];
      first[l] += g;
      second[l] += g * x[at];
    }
  for (; i < count; i++) {
    const int w = which[i], at = (w >> 2) * plane + ((w >> 1) & 1) * row + 2 * i + (w & 1);
    const float g = k.factor * x[at] + k.offset > 0 ? dy[i] : slope * dy[i];
    first[0] += g;
    second[0] += g * x[at];
  }
  for (int l = 0; l < 16; l++) {
    sums[0] += first[l];
    sums[1] += second[l];
  }
}

static void pool_sums(const cw_norm *s, const float *x, const float *dy, const uint8_t *which, cw_norm_chain k,
                      double sums[2]) {
  const int half = s->width / 2, plane = s->height * s->width;
  sums[0] = sums[1] = 0;
  for (int z = 0; z < s->depth / 2; z++)
    for (int v = 0; v < s->height / 2; v++, dy += half, which += half)
      pool_row_sums(x + (size_t)(2 * z) * plane + 2 * v * s->width, s->width, plane, dy, which, half, k, s->slope,
                    sums);
}

/* Gathers dz of an upsampled map. */
CW_CLONES static void up_gather(const cw_norm *s, const float *x, const float *dy, cw_norm_chain k,
                                float *restrict dz) {
  const int w = s->width;
  const size_t row = 2 * (size_t)w, plane = row * 2 * s->height;
  for (int z = 0; z < s->depth; z++)
    for (int v = 0; v < s->height; v++, x += w, dz += w) {
      const float *g = dy + 2 * (size_t)z * plane + 2 * (size_t)v * row;
      for (int i = 0; i < w; i++) {
        const float sum = (g[2 * i] + g[2 * i + 1]) + (g[row + 2 * i] + g[row + 2 * i + 1]) +
                          (g[plane + 2 * i] + g[plane + 2 * i + 1]) +
                          (g[plane + row + 2 * i] + g[plane + row + 2 * i + 1]);
        dz[i] = k.factor * x[i] + k.offset > 0 ? sum : s->slope * sum;
      }
    }
}

/* dx (+)= level + tilt x + factor dz, where dz comes from dy through the activation */
CW_CLONES static void plain_gradient(const float *x, const float *dy, size_t count, cw_norm_chain k, float slope,
                                     float level, float tilt, bool accumulate, float *dx) {
  for (size_t i = 0; i < count; i++) {
    const float g = k.factor * x[i] + k.offset > 0 ? dy[i] : slope * dy[i];
    const float d = level + tilt * x[i] + k.factor * g;
    dx[i] = accumulate ? dx[i] + d : d;
  }
}

CW_CLONES static void dense_part(const float *x, size_t count, float level, float tilt, bool accumulate, float *dx) {
  if (accumulate)
    for (size_t i = 0; i < count; i++)
      dx[i] += level + tilt * x[i];
  else
    for (size_t i = 0; i < count; i++)
      dx[i] = level + tilt * x[i];
}

/* One row of windows: x and dx point to the first of them. */
static void pool_row_gradient(const float *x, const int offsets[8], int count, const float *dy, const uint8_t *which,
                              cw_norm_chain k, float slope, float *dx) {
  for (int i = 0; i < count; i++) {
    const int at = 2 * i + offsets[which[i]];
    const float g = slope == 1 || k.factor * x[at] + k.offset > 0 ? dy[i] : slope * dy[i];
    dx[at] += k.factor * g;
  }
}

/* Two planes at a time, so that the sparse part finds the dense one in cache. */
static void pool_gradient(const cw_norm *s, const float *x, const float *dy, const uint8_t *which, cw_norm_chain k,
                          float level, float tilt, bool accumulate, float *dx) {
  const size_t pair = 2 * (size_t)s->height * s->width;
  const int plane = s->height * s->width, half = s->width / 2;
  int offsets[8];
  for (int w = 0; w < 8; w++)
    offsets[w] = (w >> 2) * plane + ((w >> 1) & 1) * s->width + (w & 1);
  const bool sparse = level == 0 && tilt == 0;
  for (int z = 0; z < s->depth / 2; z++) {
    if (sparse && !accumulate)
      memset(dx + z * pair, 0, pair * sizeof *dx);
    else if (!sparse)
      dense_part(x + z * pair, pair, level, tilt, accumulate, dx + z * pair);
    for (int v = 0; v < s->height / 2; v++, dy += half, which += half) {
      const size_t at = z * pair + 2 * (size_t)v * s->width;
      pool_row_gradient(x + at, offsets, half, dy, which, k, s->slope, dx + at);
    }
  }
}

static void add_map(const float *from, size_t count, bool accumulate, float *to) {
  if (!accumulate)
    memcpy(to, from, count * sizeof *to);
  else
    for (size_t i = 0; i < count; i++)
      to[i] += from[i];
}

void cw_norm_backward(const cw_call *call, bool plain) {
  const cw_norm s = cw_norm_of(call, plain);
  const int maps = s.batch * s.channels;
  /* With running statistics the sums are the gradients of scale and bias and nothing else. */
  const bool summed = call->training || call->grad_in[SCALE] || call->grad_in[BIAS];
  const float *mean = call->saved, *inverse_sd = mean + s.channels;
  const uint8_t *which = (const uint8_t *)(inverse_sd + s.channels);
  double(*sums)[2] = call->workspace, (*total)[2] = sums + maps;
  float *gathered = (float *)(total + s.channels);
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < maps; i++) {
    const float *x = call->in[X] + (size_t)i * s.volume;
    const cw_norm_chain k = cw_norm_chain_of(call, mean, inverse_sd, i % s.channels);
    if (s.up)
      up_gather(&s, x, call->grad_out + i * (s.volume * 8), k, gathered + i * s.volume);
    if (!summed) {
      sums[i][0] = sums[i][1] = 0;
    } else if (s.pool) {
      pool_sums(&s, x, call->grad_out + i * (s.volume / 8), which + i * (s.volume / 8), k, sums[i]);
    } else if (s.up) {
      plain_sums(x, gathered + i * s.volume, s.volume, k, 1, sums[i]);
    } else {
      plain_sums(x, call->grad_out + i * s.volume, s.volume, k, s.slope, sums[i]);
    }
  }
  for (int c = 0; c < s.channels; c++) {
    total[c][0] = total[c][1] = 0;
    for (int n = 0; n < s.batch; n++) {
      total[c][0] += sums[n * s.channels + c][0];
      total[c][1] += sums[n * s.channels + c][1];
    }
    /* sum of dz times the normalised x */
    total[c][1] = (total[c][1] - mean[c] * total[c][0]) * inverse_sd[c];
    if (call->grad_in[SCALE])
      call->grad_in[SCALE][c] = (call->accumulate[SCALE] ? call->grad_in[SCALE][c] : 0) + (float)total[c][1];
    if (call->grad_in[BIAS])
      call->grad_in[BIAS][c] = (call->accumulate[BIAS] ? call->grad_in[BIAS][c] : 0) + (float)total[c][0];
  }
  const double count = (double)s.batch * (double)s.volume;
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < maps; i++) {
    const int c = i % s.channels;
    const float *x = call->in[X] + (size_t)i * s.volume;
    const cw_norm_chain k = cw_norm_chain_of(call, mean, inverse_sd, c);
    float level = 0, tilt = 0;
    if (call->training) {
      const double slope = -k.factor * total[c][1] / count * inverse_sd[c];
      tilt = (float)slope;
      level = (float)(-k.factor * total[c][0] / count - slope * mean[c]);
    }
    float *dx = call->grad_in[X] ? call->grad_in[X] + (size_t)i * s.volume : NULL;
    if (dx && s.pool)
      pool_gradient(&s, x, call->grad_out + i * (s.volume / 8), which + i * (s.volume / 8), k, level, tilt,
                    call->accumulate[X], dx);
    else if (dx && s.up)
      plain_gradient(x, gathered + i * s.volume, s.volume, k, 1, level, tilt, call->accumulate[X], dx);
    else if (dx)
      plain_gradient(x, call->grad_out + (size_t)i * s.volume, s.volume, k, s.slope, level, tilt, call->accumulate[X],
                     dx);
    if (s.up && call->input_count > SKIP && call->grad_in[SKIP])
      add_map(call->grad_out + i * (s.volume * 8), s.volume * 8, call->accumulate[SKIP],
              call->grad_in[SKIP] + i * (s.volume * 8));
  }
}
