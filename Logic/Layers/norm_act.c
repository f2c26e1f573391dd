/* Batch norm, alone or with what follows it: activation, then pooling by 2 or upsampling by 2 with a skip added.
 *
 *   y = scale (x - mean) / sqrt(variance + epsilon) + bias, over all axes but 1
 *
 * mean and variance are those of the batch in training (biased), and the running ones otherwise.  Running statistics
 * follow with a momentum of max(momentum, 1 / (step + 1)), so that they are an average from the first step on.
 * The activated map before pooling or upsampling is never stored; the backward pass recomputes it from x. */
#include <math.h>
#include <string.h>

#include "Graph/operator.h"
#include "Tensor/dispatch.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE, SKIP };

typedef struct norm {
  int batch, channels, depth, height, width; /* of x; a rank below 5 counts as width */
  size_t volume;
  float slope; /* below zero; 1: no activation */
  bool pool, up;
} norm;

typedef struct chain {
  float factor, offset; /* y = factor x + offset */
} chain;

extern const cw_operator_info cw_layer_norm_act;

static norm norm_of(const cw_call *call, bool plain) {
  const cw_shape *x = &call->in_shape[X];
  norm s = {0};
  s.batch = (int)x->d[0];
  s.channels = (int)x->d[1];
  s.depth = s.height = s.width = 1;
  if (x->rank == 5) {
    s.depth = (int)x->d[2];
    s.height = (int)x->d[3];
    s.width = (int)x->d[4];
  } else {
    for (int i = 2; i < x->rank; i++)
      s.width *= (int)x->d[i];
  }
  s.volume = (size_t)s.depth * s.height * s.width;
  s.slope = plain ? 1 : call->attributes->alpha;
  s.pool = !plain && call->attributes->kernel[0] == 2;
  s.up = !plain && call->attributes->scale[0] == 2;
  return s;
}

static cw_status infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  (void)a;
  (void)count;
  if (in[X].rank < 2)
    return cw_fail(context, CW_ERROR_SHAPE, "expected x of rank 2 or more, got %d", in[X].rank);
  for (int i = SCALE; i <= VARIANCE; i++)
    if (in[i].rank != 1 || in[i].d[0] != in[X].d[1])
      return cw_fail(context, CW_ERROR_SHAPE, "expected scale, bias, mean and variance of %lld values",
                     (long long)in[X].d[1]);
  *out = in[X];
  return CW_OK;
}

/* saved: mean[C], 1 / sd[C], then the index of each pooled maximum (0..7) */
static size_t saved_bytes_of(const cw_call *call, bool plain) {
  const norm s = norm_of(call, plain);
  return 2 * sizeof(float) * s.channels + (s.pool ? (size_t)s.batch * s.channels * (s.volume / 8) : 0);
}

/* workspace: two sums for each sample and channel; with upsampling the gathered gradient of the activated map */
static size_t workspace_bytes_of(const cw_call *call, bool plain) {
  const norm s = norm_of(call, plain);
  const size_t maps = (size_t)s.batch * s.channels;
  return 2 * sizeof(double) * (maps + s.channels) + (s.up && call->gradients ? maps * s.volume * sizeof(float) : 0);
}

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

static void batch_statistics(const cw_call *call, const norm *s, float *mean, float *inverse_sd) {
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

static void statistics(const cw_call *call, const norm *s, float *mean, float *inverse_sd) {
  if (call->training) {
    batch_statistics(call, s, mean, inverse_sd);
    return;
  }
  for (int c = 0; c < s->channels; c++) {
    mean[c] = call->in[MEAN][c];
    inverse_sd[c] = 1 / sqrtf(call->in[VARIANCE][c] + call->attributes->epsilon);
  }
}

static chain chain_of(const cw_call *call, const float *mean, const float *inverse_sd, int c) {
  chain k;
  k.factor = call->in[SCALE][c] * inverse_sd[c];
  k.offset = call->in[BIAS][c] - mean[c] * k.factor;
  return k;
}

/* ---- forward ---- */

CW_CLONES static void plain_map(const float *x, size_t count, chain k, float slope, float *y) {
  for (size_t i = 0; i < count; i++) {
    const float v = k.factor * x[i] + k.offset;
    y[i] = v > 0 ? v : slope * v;
  }
}

/* Largest of each column over the four rows of a 2 x 2 x 2 window, and which row (dz * 2 + dy) it is. */
CW_CLONES static void column_maxima(const float *x, size_t row, size_t plane, int count, chain k, float *restrict best,
                                    int32_t *restrict code) {
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

/* Of equal values the first one in the order z, y, x counts, as elsewhere. */
CW_CLONES static void pair_maxima(const float *restrict best, const int32_t *restrict code, int count, float slope,
                                  float *restrict y, uint8_t *restrict which) {
  for (int i = 0; i < count; i++) {
    const float a = best[2 * i], b = best[2 * i + 1];
    const bool right = b > a || (b == a && code[2 * i + 1] < code[2 * i]);
    const float value = right ? b : a;
    which[i] = (uint8_t)(right ? 2 * code[2 * i + 1] + 1 : 2 * code[2 * i]);
    y[i] = value > 0 ? value : slope * value;
  }
}

static void pool_map(const norm *s, const float *x, chain k, float *y, uint8_t *which) {
  enum { CHUNK = 128 };
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
CW_CLONES static void up_map(const norm *s, const float *x, chain k, const float *skip, float *restrict y) {
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

static void forward_as(const cw_call *call, bool plain) {
  const norm s = norm_of(call, plain);
  float *mean = call->saved, *inverse_sd = mean + s.channels;
  uint8_t *which = (uint8_t *)(inverse_sd + s.channels);
  statistics(call, &s, mean, inverse_sd);
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < s.batch * s.channels; i++) {
    const float *x = call->in[X] + (size_t)i * s.volume;
    const chain k = chain_of(call, mean, inverse_sd, i % s.channels);
    if (s.pool)
      pool_map(&s, x, k, call->out + i * (s.volume / 8), which + i * (s.volume / 8));
    else if (s.up)
      up_map(&s, x, k, call->input_count > SKIP ? call->in[SKIP] + i * (s.volume * 8) : NULL,
             call->out + i * (s.volume * 8));
    else
      plain_map(x, s.volume, k, s.slope, call->out + (size_t)i * s.volume);
  }
}

/* ---- backward ---- */

/* dz: gradient before the activation.  Sums over a map: of dz, and of dz times x. */
CW_CLONES static void plain_sums(const float *x, const float *dy, size_t count, chain k, float slope, double sums[2]) {
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

static size_t pooled_index(const norm *s, size_t z, size_t v, size_t i, unsigned which) {
  return ((2 * z + (which >> 2)) * s->height + 2 * v + ((which >> 1) & 1)) * s->width + 2 * i + (which & 1);
}

/* One row of pooled values: x points to the row's first window. */
CW_CLONES static void pool_row_sums(const float *x, int row, int plane, const float *dy, const uint8_t *which,
                                    int count, chain k, float slope, double sums[2]) {
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

static void pool_sums(const norm *s, const float *x, const float *dy, const uint8_t *which, chain k, double sums[2]) {
  const int half = s->width / 2, plane = s->height * s->width;
  sums[0] = sums[1] = 0;
  for (int z = 0; z < s->depth / 2; z++)
    for (int v = 0; v < s->height / 2; v++, dy += half, which += half)
      pool_row_sums(x + (size_t)(2 * z) * plane + 2 * v * s->width, s->width, plane, dy, which, half, k, s->slope,
                    sums);
}

/* Gathers dz of an upsampled map. */
CW_CLONES static void up_gather(const norm *s, const float *x, const float *dy, chain k, float *restrict dz) {
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
CW_CLONES static void plain_gradient(const float *x, const float *dy, size_t count, chain k, float slope, float level,
                                     float tilt, bool accumulate, float *dx) {
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

/* Two planes at a time, so that the sparse part finds the dense one in cache. */
static void pool_gradient(const norm *s, const float *x, const float *dy, const uint8_t *which, chain k, float level,
                          float tilt, bool accumulate, float *dx) {
  const size_t pair = 2 * (size_t)s->height * s->width;
  for (int z = 0; z < s->depth / 2; z++) {
    if (level != 0 || tilt != 0 || !accumulate)
      dense_part(x + z * pair, pair, level, tilt, accumulate, dx + z * pair);
    for (int v = 0; v < s->height / 2; v++)
      for (int i = 0; i < s->width / 2; i++, dy++, which++) {
        const size_t at = pooled_index(s, z, v, i, *which);
        dx[at] += k.factor * (k.factor * x[at] + k.offset > 0 ? *dy : s->slope * *dy);
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

static void backward_as(const cw_call *call, bool plain) {
  const norm s = norm_of(call, plain);
  const int maps = s.batch * s.channels;
  const float *mean = call->saved, *inverse_sd = mean + s.channels;
  const uint8_t *which = (const uint8_t *)(inverse_sd + s.channels);
  double(*sums)[2] = call->workspace, (*total)[2] = sums + maps;
  float *gathered = (float *)(total + s.channels);
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < maps; i++) {
    const float *x = call->in[X] + (size_t)i * s.volume;
    const chain k = chain_of(call, mean, inverse_sd, i % s.channels);
    if (s.pool) {
      pool_sums(&s, x, call->grad_out + i * (s.volume / 8), which + i * (s.volume / 8), k, sums[i]);
    } else if (s.up) {
      up_gather(&s, x, call->grad_out + i * (s.volume * 8), k, gathered + i * s.volume);
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
    const chain k = chain_of(call, mean, inverse_sd, c);
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

/* ---- the two operators ---- */

static size_t norm_saved(const cw_call *call) {
  return saved_bytes_of(call, true);
}

static size_t norm_workspace(const cw_call *call) {
  return workspace_bytes_of(call, true);
}

static void norm_forward(const cw_call *call) {
  forward_as(call, true);
}

static void norm_backward(const cw_call *call) {
  backward_as(call, true);
}

static size_t chain_saved(const cw_call *call) {
  return saved_bytes_of(call, false);
}

static size_t chain_workspace(const cw_call *call) {
  return workspace_bytes_of(call, false);
}

static void chain_forward(const cw_call *call) {
  forward_as(call, false);
}

static void chain_backward(const cw_call *call) {
  backward_as(call, false);
}

const cw_operator_info cw_layer_batch_norm = {
    .name = "BatchNormalization",
    .min_inputs = 5,
    .max_inputs = 5,
    .infer = infer,
    .saved_bytes = norm_saved,
    .workspace_bytes = norm_workspace,
    .forward = norm_forward,
    .backward = norm_backward,
    .keep_inputs = 1u << X,
};

const cw_operator_info cw_layer_norm_act = {
    .name = "BatchNormalization chain",
    .min_inputs = 5,
    .max_inputs = 6,
    .saved_bytes = chain_saved,
    .workspace_bytes = chain_workspace,
    .forward = chain_forward,
    .backward = chain_backward,
    .keep_inputs = 1u << X,
};
