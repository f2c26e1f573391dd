#include <math.h>
#include <string.h>

#include "Layers/norm_act.h"
#include "Tensor/dispatch.h"

/* ---- statistics ---- */

/* Sum of x, and of squares about the mean.  Blocks of 1024 are read twice from the cache, each about its own mean, and
 * merged in double (Chan et al. 1979): no pivot that an unusual voxel could spoil. */
CW_CLONES static void moments(const float *x, size_t count, double sums[2]) {
  double total = 0, squares = 0;
  for (size_t i = 0; i < count; i += 1024) {
    const size_t end = i + 1024 < count ? i + 1024 : count, whole = i + (end - i) / 16 * 16;
    float first[16] = {0}, second[16] = {0}, third[16] = {0};
    for (size_t k = i; k < whole; k += 16)
      for (int l = 0; l < 16; l++)
        first[l] += x[k + l];
    double block = 0;
    for (int l = 0; l < 16; l++)
      block += first[l];
    for (size_t k = whole; k < end; k++)
      block += x[k];
    const double n = (double)(end - i);
    const float mean = (float)(block / n);
    for (size_t k = i; k < whole; k += 16)
      for (int l = 0; l < 16; l++) {
        const float d = x[k + l] - mean;
        second[l] += d * d;
        third[l] += d;
      }
    double about = 0, rest = 0;
    for (int l = 0; l < 16; l++) {
      about += second[l];
      rest += third[l];
    }
    for (size_t k = whole; k < end; k++) {
      const double d = (double)x[k] - mean;
      about += d * d;
      rest += d;
    }
    block = n * mean + rest;
    about -= rest * rest / n;
    if (i) {
      const double apart = block / n - total / (double)i;
      squares += about + apart * apart * (double)i * n / ((double)i + n);
    } else {
      squares = about;
    }
    total += block;
  }
  sums[0] = total;
  sums[1] = squares;
}

static void batch_statistics(const cw_call *call, const cw_norm *s, float *mean, float *inverse_sd) {
  double(*sums)[2] = call->workspace;
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < s->batch * s->channels; i++)
    moments(call->in[X] + (size_t)i * s->volume, s->volume, sums[i]);
  const double count = (double)s->batch * (double)s->volume;
  double momentum = 1.0 / ((double)call->step + 1);
  if (momentum < call->attributes->momentum)
    momentum = call->attributes->momentum;
  for (int c = 0; c < s->channels; c++) {
    double centre = 0, variance = 0;
    for (int n = 0; n < s->batch; n++)
      centre += sums[n * s->channels + c][0] / count;
    for (int n = 0; n < s->batch; n++) {
      const double apart = sums[n * s->channels + c][0] / (double)s->volume - centre;
      variance += (sums[n * s->channels + c][1] + apart * apart * (double)s->volume) / count;
    }
    mean[c] = (float)centre;
    inverse_sd[c] = (float)(1 / sqrt(variance + call->attributes->epsilon));
    if (call->writable[MEAN]) {
      const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
      float *m = &call->writable[MEAN][c], *v = &call->writable[VARIANCE][c];
      *m = (float)((1 - momentum) * *m + momentum * centre);
      *v = (float)((1 - momentum) * *v + momentum * unbiased);
    }
  }
}

static void statistics(const cw_call *call, const cw_norm *s, float *mean, float *inverse_sd) {
  if (call->training) {
    batch_statistics(call, s, mean, inverse_sd);
    return;
  }
  for (int c = 0; c < s->channels; c++) {
    mean[c] = call->in[MEAN][c];
    inverse_sd[c] = 1 / sqrtf(call->in[VARIANCE][c] + call->attributes->epsilon);
  }
}

/* ---- forward ---- */

CW_CLONES static void plain_map(const float *x, size_t count, cw_norm_chain k, float slope, float *y) {
  for (size_t i = 0; i < count; i++) {
    const float v = k.factor * x[i] + k.offset;
    y[i] = v > 0 ? v : slope * v;
  }
}

/* Largest of each column over the four rows of a 2 x 2 x 2 window, and which row (dz * 2 + dy) it is. */
CW_CLONES static void column_maxima(const float *x, size_t row, size_t plane, int count, cw_norm_chain k,
                                    float *restrict best, int32_t *restrict code) {
  for (int i = 0; i < count; i++) {
    const float a = k.factor * x[i] + k.offset, b = k.factor * x[row + i] + k.offset;
    const float c = k.factor * x[plane + i] + k.offset, d = k.factor * x[plane + row + i] + k.offset;
    float value = a;
    int32_t which = 0;
    which = b > value ? 1 : which;
    value = b > value ? b : value;
    which = c > value ? 2 : which;
    value = c > value ? c : value;
    which = d > value ? 3 : which;
    value = d > value ? d : value;
    best[i] = value;
    code[i] = which;
  }
}

enum { CHUNK = 128 };

/* Of equal values the first one in the order z, y, x counts, as elsewhere. */
CW_CLONES static void pair_maxima(const float *restrict best, const int32_t *restrict code, int count, float slope,
                                  float *restrict y, uint8_t *restrict which) {
  int32_t found[CHUNK / 2]; /* whole words, so that the loop becomes vectors */
  for (int i = 0; i < count; i++) {
    const float a = best[2 * i], b = best[2 * i + 1];
    const int32_t left = 2 * code[2 * i], right = 2 * code[2 * i + 1] + 1;
    const int32_t tied = right < left ? right : left, lower = b > a ? right : left;
    const float value = b > a ? b : a;
    found[i] = b == a ? tied : lower;
    y[i] = value > 0 ? value : slope * value;
  }
  for (int i = 0; i < count; i++)
    which[i] = (uint8_t)found[i];
}

static void pool_map(const cw_norm *s, const float *x, cw_norm_chain k, float *y, uint8_t *which) {
  float best[CHUNK];
  int32_t code[CHUNK];
  const size_t row = (size_t)s->width, plane = row * s->height;
  for (int z = 0; z < s->depth; z += 2)
    for (int v = 0; v < s->height; v += 2)
      for (int i = 0; i < s->width; i += CHUNK) {
        const int count = s->width - i < CHUNK ? s->width - i : CHUNK;
        column_maxima(x + z * plane + v * row + i, row, plane, count, k, best, code);
        pair_maxima(best, code, count / 2, s->slope, y, which);
        y += count / 2;
        which += count / 2;
      }
}

/* y = upsampled activation (+ skip) */
CW_CLONES static void up_map(const cw_norm *s, const float *x, cw_norm_chain k, const float *skip, float *restrict y) {
  const int w = s->width;
  const size_t row = 2 * (size_t)w, plane = row * 2 * s->height;
  for (int z = 0; z < s->depth; z++)
    for (int v = 0; v < s->height; v++, x += w)
      for (int j = 0; j < 4; j++) {
        const size_t at = (2 * (size_t)z + (j >> 1)) * plane + (2 * (size_t)v + (j & 1)) * row;
        float *restrict out = y + at;
        for (int i = 0; i < w; i++) {
          const float value = k.factor * x[i] + k.offset, active = value > 0 ? value : s->slope * value;
          out[2 * i] = active;
          out[2 * i + 1] = active;
        }
        if (skip)
          for (size_t i = 0; i < row; i++)
            out[i] += skip[at + i];
      }
}

void cw_norm_forward(const cw_call *call, bool plain) {
  const cw_norm s = cw_norm_of(call, plain);
  float *mean = call->saved, *inverse_sd = mean + s.channels;
  uint8_t *which = (uint8_t *)(inverse_sd + s.channels);
  statistics(call, &s, mean, inverse_sd);
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < s.batch * s.channels; i++) {
    const float *x = call->in[X] + (size_t)i * s.volume;
    const cw_norm_chain k = cw_norm_chain_of(call, mean, inverse_sd, i % s.channels);
    if (s.pool)
      pool_map(&s, x, k, call->out + i * (s.volume / 8), which + i * (s.volume / 8));
    else if (s.up)
      up_map(&s, x, k, call->input_count > SKIP ? call->in[SKIP] + i * (s.volume * 8) : NULL,
             call->out + i * (s.volume * 8));
    else
      plain_map(x, s.volume, k, s.slope, call->out + (size_t)i * s.volume);
  }
}
