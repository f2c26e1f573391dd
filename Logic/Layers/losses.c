/* Losses, one value a sample: y[n].  Sums run in double over parts that depend on the shapes alone. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"

static cw_status per_sample(cw_context *context, const cw_shape *in, cw_shape *out) {
  if (in->rank < 1)
    return cw_fail(context, CW_ERROR_SHAPE, "input 0 is a scalar, expected a batch");
  *out = cw_shape_of(1, in->d);
  return CW_OK;
}

/* ---- binary cross entropy with logits ---- */

static cw_status logits_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)attributes;
  for (int i = 0; i < count; i++) {
    if (in[i].rank != 2 || in[i].d[1] != 1) {
      char text[96];
      cw_shape_text(&in[i], text);
      return cw_fail(context, CW_ERROR_SHAPE, "input %d has shape %s, expected N x 1", i, text);
    }
    CW_TRY(cw_expect_same(context, in, 0, i));
  }
  return per_sample(context, &in[0], out);
}

/* y = max(x, 0) - x t + log(1 + exp(-|x|)) = -t log s(x) - (1 - t) log(1 - s(x)), without overflow */
static void bce_forward(const cw_call *call) {
  for (int64_t n = 0; n < call->out_shape.d[0]; n++) {
    const double x = call->in[0][n], t = call->in[1][n];
    call->out[n] = (float)((x > 0 ? x : 0) - x * t + log1p(exp(-fabs(x))));
  }
}

static void put(float *to, int64_t at, bool add, double value) {
  to[at] = add ? to[at] + (float)value : (float)value;
}

static void bce_backward(const cw_call *call) {
  for (int64_t n = 0; n < call->out_shape.d[0] && call->grad_in[0]; n++) {
    const double x = call->in[0][n], t = call->in[1][n];
    put(call->grad_in[0], n, call->accumulate[0], call->grad_out[n] * (1 / (1 + exp(-x)) - t));
  }
  for (int64_t n = 0; n < call->out_shape.d[0] && call->grad_in[1]; n++)
    put(call->grad_in[1], n, call->accumulate[1], -(double)call->grad_out[n] * call->in[0][n]);
}

/* ---- hinge on the logit's shift ---- */

/* The argument of the hinge: margin - o (y' - y). */
static double shortfall(const cw_call *call, int64_t n) {
  const double o = call->in[2][n];
  return call->shift_margin[o > 0 ? 0 : 1] - o * ((double)call->in[0][n] - call->in[1][n]);
}

/* y = max(margin - o (y' - y), 0) */
static void shift_forward(const cw_call *call) {
  for (int64_t n = 0; n < call->out_shape.d[0]; n++) {
    const double value = shortfall(call, n);
    call->out[n] = (float)(value <= 0 ? 0 : value);
  }
}

/* y and o are targets: their gradient is 0. */
static void shift_backward(const cw_call *call) {
  for (int64_t n = 0; n < call->out_shape.d[0] && call->grad_in[0]; n++)
    put(call->grad_in[0], n, call->accumulate[0],
        shortfall(call, n) <= 0 ? 0 : -(double)call->in[2][n] * call->grad_out[n]);
  for (int i = 1; i < 3; i++)
    if (call->grad_in[i] && !call->accumulate[i])
      memset(call->grad_in[i], 0, (size_t)call->out_shape.d[0] * sizeof(float));
}

/* ---- sums over a sample ---- */

/* Partial sums of each sample: workspace[n][part]. */
static int64_t sample_elements(const cw_call *call) {
  return cw_elements_from(&call->in_shape[0], 1);
}

static size_t element_sums_bytes(const cw_call *call) {
  return (size_t)(call->in_shape[0].d[0] * cw_parts(sample_elements(call))) * sizeof(double);
}

static void add_sums(const cw_call *call, int64_t parts, double divisor) {
  const double *sums = call->workspace;
  for (int64_t n = 0; n < call->out_shape.d[0]; n++) {
    double sum = 0;
    for (int64_t p = 0; p < parts; p++)
      sum += sums[n * parts + p];
    call->out[n] = (float)(sum / divisor);
  }
}

/* Sum of (a - b)^2, or of a^2 without b; blocks of 1024 in float, then double. */
CW_CLONES static double square_sum(int64_t n, const float *a, const float *b) {
  double total = 0;
  for (int64_t at = 0; at < n; at += 1024) {
    const int64_t end = n - at < 1024 ? n : at + 1024;
    float sum = 0;
    if (b) {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = at; i < end; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = at; i < end; i++)
        sum += a[i] * a[i];
    }
    total += sum;
  }
  return total;
}

/* to = or += s (a - b), or s a without b */
CW_CLONES static void difference_part(int64_t n, float s, const float *a, const float *b, bool add, float *to) {
  if (!add)
    memset(to, 0, (size_t)n * sizeof *to);
  if (b) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      to[i] += s * (a[i] - b[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      to[i] += s * a[i];
  }
}

static void square_forward(const cw_call *call) {
  const int64_t n = sample_elements(call), parts = cw_parts(n), all = parts * call->in_shape[0].d[0];
  double *sums = call->workspace;
  CW_PARALLEL(all, call->threads)
  for (int64_t q = 0; q < all; q++) {
    const int64_t at = q / parts * n + q % parts * CW_PART, length = cw_part_length(n, q % parts);
    sums[q] = square_sum(length, call->in[0] + at, call->input_count > 1 ? call->in[1] + at : NULL);
  }
  add_sums(call, parts, (double)n);
}

/* d y / d a = 2 (a - b) / n, d y / d b = -that */
static void square_backward(const cw_call *call) {
  const int64_t n = sample_elements(call), parts = cw_parts(n), all = parts * call->in_shape[0].d[0];
  for (int i = 0; i < call->input_count; i++) {
    if (!call->grad_in[i])
      continue;
    CW_PARALLEL(all, call->threads)
    for (int64_t q = 0; q < all; q++) {
      const int64_t at = q / parts * n + q % parts * CW_PART, length = cw_part_length(n, q % parts);
      const float s = (float)((i ? -2.0 : 2.0) * call->grad_out[q / parts] / (double)n);
      difference_part(length, s, call->in[0] + at, call->input_count > 1 ? call->in[1] + at : NULL, call->accumulate[i],
                      call->grad_in[i] + at);
    }
  }
}

static cw_status mse_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                           cw_shape *out) {
  (void)attributes, (void)count;
  CW_TRY(cw_expect_same(context, in, 0, 1));
  return per_sample(context, &in[0], out);
}

static cw_status magnitude_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                                 cw_shape *out) {
  (void)attributes, (void)count;
  return per_sample(context, &in[0], out);
}

const cw_operator_info cw_layer_loss_bce = {
    .name = "LossBce",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = logits_infer,
    .forward = bce_forward,
    .backward = bce_backward,
    .keep_inputs = 3,
};

const cw_operator_info cw_layer_loss_shift = {
    .name = "LossShift",
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = logits_infer,
    .forward = shift_forward,
    .backward = shift_backward,
    .keep_inputs = 7,
};

const cw_operator_info cw_layer_loss_mse = {
    .name = "LossMse",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = mse_infer,
    .workspace_bytes = element_sums_bytes,
    .forward = square_forward,
    .backward = square_backward,
    .keep_inputs = 3,
};

const cw_operator_info cw_layer_loss_magnitude = {
    .name = "LossMagnitude",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = magnitude_infer,
    .workspace_bytes = element_sums_bytes,
    .forward = square_forward,
    .backward = square_backward,
    .keep_inputs = 1,
};
