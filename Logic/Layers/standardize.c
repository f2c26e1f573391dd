/* Layer norm and instance norm: y = scale (x - mean) / sqrt(variance + epsilon) + bias, with the biased moments of each
 * group of neighbouring elements, in every mode. */
#include <math.h>

#include "Layers/layer.h"

enum { X, SCALE, BIAS, COLUMNS = 256 };

/* x[groups][size].  each: a parameter for each element of a group; else one a group, repeating every `period`. */
typedef struct group_view {
  int64_t groups, size, period;
  bool each;
} group_view;

static group_view layer_view(const cw_call *call) {
  const int64_t size = cw_elements_from(&call->in_shape[X], call->attributes->axis);
  const group_view v = {cw_elements(&call->in_shape[X]) / size, size, 1, true};
  return v;
}

static group_view instance_view(const cw_call *call) {
  const int64_t size = cw_elements_from(&call->in_shape[X], 2), channels = call->in_shape[X].d[1];
  const group_view v = {call->in_shape[X].d[0] * channels, size, channels, false};
  return v;
}

static cw_status layer_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                             cw_shape *out) {
  bool fits = a->axis > 0 && a->axis < in[X].rank && a->epsilon >= 0;
  for (int i = a->axis; i < in[X].rank && fits; i++)
    fits = in[X].d[i] != CW_BATCH;
  for (int k = SCALE; k < count && fits; k++) {
    const int missing = in[X].rank - a->axis - in[k].rank;
    fits = missing == 0;
    for (int i = 0; i < in[k].rank && fits; i++)
      fits = in[k].d[i] == in[X].d[a->axis + i];
  }
  if (!fits)
    return cw_fail(context, CW_ERROR_SHAPE, "scale and bias do not have the input's shape from axis %d on", a->axis);
  *out = in[X];
  return CW_OK;
}

static cw_status instance_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                                cw_shape *out) {
  if (in[X].rank < 3 || in[X].d[0] != CW_BATCH || !(a->epsilon >= 0))
    return cw_fail(context, CW_ERROR_SHAPE, "the input has %d dimension(s), expected the batch and at least 2 more",
                   in[X].rank);
  for (int k = SCALE; k < count; k++)
    if (in[k].rank != 1 || in[k].d[0] != in[X].d[1])
      return cw_fail(context, CW_ERROR_SHAPE, "expected scale and bias of %lld values", (long long)in[X].d[1]);
  *out = in[X];
  return CW_OK;
}

/* saved: mean and 1 / sd of each group */
static size_t saved_bytes(group_view v) {
  return 2 * sizeof(float) * (size_t)v.groups;
}

CW_CLONES static float squares(int64_t n, const float *x, float mean) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++)
    sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

static void moments(int64_t n, const float *x, float epsilon, float *mean, float *inverse_sd) {
  double sum = 0;
  *mean = (float)(cw_sum(n, x) / (double)n);
  for (int64_t i = 0; i < n; i += 1024)
    sum += squares(n - i < 1024 ? n - i : 1024, x + i, *mean);
  *inverse_sd = (float)(1 / sqrt(sum / (double)n + epsilon));
}

static void forward(const cw_call *call, group_view v) {
  const float *scale = call->in[SCALE], *bias = call->input_count > BIAS ? call->in[BIAS] : NULL;
  float *saved = call->saved;
  CW_PARALLEL(v.groups, call->threads)
  for (int64_t g = 0; g < v.groups; g++) {
    const float *x = call->in[X] + g * v.size;
    float *y = call->out + g * v.size;
    moments(v.size, x, call->attributes->epsilon, &saved[2 * g], &saved[2 * g + 1]);
    const float mean = saved[2 * g], inverse = saved[2 * g + 1];
    if (v.each) {
      for (int64_t i = 0; i < v.size; i++)
        y[i] = (x[i] - mean) * inverse * scale[i] + (bias ? bias[i] : 0);
    } else {
      const int64_t c = g % v.period;
      const float factor = inverse * scale[c], offset = bias ? bias[c] : 0;
      for (int64_t i = 0; i < v.size; i++)
        y[i] = (x[i] - mean) * factor + offset;
    }
  }
}

/* gx = (g - mean(g) - h mean(g h)) / sd with g = gy scale and h = (x - mean) / sd */
static void input_gradient(const cw_call *call, group_view v) {
  const float *scale = call->in[SCALE], *saved = call->saved;
  const bool add = call->accumulate[X];
  CW_PARALLEL(v.groups, call->threads)
  for (int64_t g = 0; g < v.groups; g++) {
    const float *x = call->in[X] + g * v.size, *gy = call->grad_out + g * v.size;
    const float mean = saved[2 * g], inverse = saved[2 * g + 1], *s = v.each ? scale : scale + g % v.period;
    const int64_t step = v.each;
    float *gx = call->grad_in[X] + g * v.size;
    double sum = 0, product = 0;
    for (int64_t i = 0; i < v.size; i++) {
      const double each = (double)gy[i] * s[i * step];
      sum += each;
      product += each * (x[i] - mean);
    }
    const float shift = (float)(sum / (double)v.size), slope = (float)(product * inverse * inverse / (double)v.size);
    for (int64_t i = 0; i < v.size; i++)
      gx[i] = (add ? gx[i] : 0) + (gy[i] * s[i * step] - shift - (x[i] - mean) * slope) * inverse;
  }
}

/* One value of scale and bias gathers the elements that it stands for, group by group. */
static void parameter_gradient(const cw_call *call, group_view v) {
  const float *saved = call->saved;
  const int64_t values = v.each ? v.size : v.period, parts = (values + COLUMNS - 1) / COLUMNS;
  float *gs = call->grad_in[SCALE], *gb = call->input_count > BIAS ? call->grad_in[BIAS] : NULL;
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++)
    for (int64_t c = p * COLUMNS; c < values && c < (p + 1) * COLUMNS; c++) {
      double scale = 0, bias = 0;
      for (int64_t g = v.each ? 0 : c; g < v.groups; g += v.period) {
        const int64_t at = g * v.size + (v.each ? c : 0);
        for (int64_t i = at; i < at + (v.each ? 1 : v.size); i++) {
          scale += (double)call->grad_out[i] * (call->in[X][i] - saved[2 * g]) * saved[2 * g + 1];
          bias += call->grad_out[i];
        }
      }
      if (gs)
        gs[c] = (call->accumulate[SCALE] ? gs[c] : 0) + (float)scale;
      if (gb)
        gb[c] = (call->accumulate[BIAS] ? gb[c] : 0) + (float)bias;
    }
}

static void backward(const cw_call *call, group_view v) {
  if (call->grad_in[X])
    input_gradient(call, v);
  if (call->grad_in[SCALE] || (call->input_count > BIAS && call->grad_in[BIAS]))
    parameter_gradient(call, v);
}

static size_t layer_saved(const cw_call *call) {
  return saved_bytes(layer_view(call));
}

static void layer_forward(const cw_call *call) {
  forward(call, layer_view(call));
}

static void layer_backward(const cw_call *call) {
  backward(call, layer_view(call));
}

static size_t instance_saved(const cw_call *call) {
  return saved_bytes(instance_view(call));
}

static void instance_forward(const cw_call *call) {
  forward(call, instance_view(call));
}

static void instance_backward(const cw_call *call) {
  backward(call, instance_view(call));
}

const cw_operator_info cw_layer_layer_norm = {
    .name = "LayerNormalization",
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = layer_infer,
    .saved_bytes = layer_saved,
    .forward = layer_forward,
    .backward = layer_backward,
    .keep_inputs = 3u,
};

const cw_operator_info cw_layer_instance_norm = {
    .name = "InstanceNormalization",
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = instance_infer,
    .saved_bytes = instance_saved,
    .forward = instance_forward,
    .backward = instance_backward,
    .keep_inputs = 3u,
};
