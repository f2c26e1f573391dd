/* Element-wise activations.  The backward passes read the output, so the forward pass may run in place. */
#include <math.h>

#include "Layers/layer.h"

/* y = x > 0 ? x : alpha x; NaN stays NaN. */
CW_CLONES static void rectify_part(int64_t n, float alpha, const float *x, float *y) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] <= 0 ? alpha * x[i] : x[i];
}

/* ReLU apart from the above: 0, not -0 or 0 * inf. */
CW_CLONES static void clip_part(int64_t n, const float *x, float *y) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] <= 0 ? 0 : x[i];
}

/* With alpha >= 0, y has x's sign (or is 0 where x < 0). */
CW_CLONES static void rectify_back_part(int64_t n, float alpha, const float *y, const float *gy, float *gx) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    gx[i] = y[i] <= 0 ? alpha * gy[i] : gy[i];
}

CW_CLONES static void rectify_back_add_part(int64_t n, float alpha, const float *y, const float *gy, float *gx) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    gx[i] += y[i] <= 0 ? alpha * gy[i] : gy[i];
}

static void rectify_backward(const cw_call *call, float alpha) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  float *gx = call->grad_in[0];
  if (!gx)
    return;
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART, length = cw_part_length(n, p);
    if (call->accumulate[0])
      rectify_back_add_part(length, alpha, call->out + at, call->grad_out + at, gx + at);
    else
      rectify_back_part(length, alpha, call->out + at, call->grad_out + at, gx + at);
  }
}

/* y = max(x, 0) */
static void relu_forward(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++)
    clip_part(cw_part_length(n, p), call->in[0] + p * CW_PART, call->out + p * CW_PART);
}

static void relu_backward(const cw_call *call) {
  rectify_backward(call, 0);
}

static cw_status leaky_relu_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                                  cw_shape *out) {
  (void)count;
  if (!(attributes->alpha >= 0) || !isfinite(attributes->alpha))
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "alpha is %g, expected a finite number of at least 0",
                   (double)attributes->alpha);
  *out = in[0];
  return CW_OK;
}

/* y = x > 0 ? x : alpha x */
static void leaky_relu_forward(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++)
    rectify_part(cw_part_length(n, p), call->attributes->alpha, call->in[0] + p * CW_PART, call->out + p * CW_PART);
}

static void leaky_relu_backward(const cw_call *call) {
  rectify_backward(call, call->attributes->alpha);
}

/* y = 1 / (1 + exp(-x)); the exponential may overflow to Inf, which gives 0. */
static void sigmoid_forward(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t end = p * CW_PART + cw_part_length(n, p);
    for (int64_t i = p * CW_PART; i < end; i++)
      call->out[i] = 1 / (1 + expf(-call->in[0][i]));
  }
}

CW_CLONES static void sigmoid_back_part(int64_t n, bool add, const float *y, const float *gy, float *gx) {
  if (add) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      gx[i] += gy[i] * y[i] * (1 - y[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      gx[i] = gy[i] * y[i] * (1 - y[i]);
  }
}

static void sigmoid_backward(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  float *gx = call->grad_in[0];
  if (!gx)
    return;
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART;
    sigmoid_back_part(cw_part_length(n, p), call->accumulate[0], call->out + at, call->grad_out + at, gx + at);
  }
}

const cw_operator_info cw_layer_relu = {
    .name = "Relu",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = cw_infer_same,
    .forward = relu_forward,
    .backward = relu_backward,
    .keep_output = true,
};

const cw_operator_info cw_layer_leaky_relu = {
    .name = "LeakyRelu",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = leaky_relu_infer,
    .forward = leaky_relu_forward,
    .backward = leaky_relu_backward,
    .keep_output = true,
};

const cw_operator_info cw_layer_sigmoid = {
    .name = "Sigmoid",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = cw_infer_same,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
    .keep_output = true,
};
