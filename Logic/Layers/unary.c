/* Element-wise functions of one operand. */
#include <math.h>

#include "Layers/layer.h"

/* VALUE: of x, alpha, beta.  SLOPE: of v, which is y where keeps_output, else x. */
#define FUNCTION(lower, title, infer_it, keeps_output, VALUE, SLOPE) \
  CW_CLONES static void lower##_value(int64_t n, float alpha, float beta, const float *px, float *y) { \
    (void)alpha, (void)beta; \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { \
      const float x = px[i]; \
      y[i] = (VALUE); \
    } \
  } \
  CW_CLONES static void lower##_slope(int64_t n, float alpha, float beta, const float *pv, const float *gy, bool add, \
                                      float *g) { \
    (void)alpha, (void)beta; \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { \
      const float v = pv[i]; \
      (void)v; \
      g[i] = (add ? g[i] : 0) + gy[i] * (SLOPE); \
    } \
  } \
  static void lower##_forward(const cw_call *call) { \
    forward(call, lower##_value); \
  } \
  static void lower##_backward(const cw_call *call) { \
    backward(call, keeps_output ? call->out : call->in[0], lower##_slope); \
  } \
  const cw_operator_info cw_layer_##lower = { \
      .name = title, \
      .min_inputs = 1, \
      .max_inputs = 1, \
      .infer = infer_it, \
      .forward = lower##_forward, \
      .backward = lower##_backward, \
      .keep_inputs = keeps_output ? 0 : 1u, \
      .keep_output = keeps_output, \
  };

typedef void (*value_part)(int64_t n, float alpha, float beta, const float *x, float *y);
typedef void (*slope_part)(int64_t n, float alpha, float beta, const float *v, const float *gy, bool add, float *g);

static void forward(const cw_call *call, value_part part) {
  const cw_attributes *a = call->attributes;
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++)
    part(cw_part_length(n, p), a->alpha, a->beta, call->in[0] + p * CW_PART, call->out + p * CW_PART);
}

static void backward(const cw_call *call, const float *v, slope_part part) {
  const cw_attributes *a = call->attributes;
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  float *g = call->grad_in[0];
  if (!g)
    return;
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART;
    part(cw_part_length(n, p), a->alpha, a->beta, v + at, call->grad_out + at, call->accumulate[0], g + at);
  }
}

static cw_status finite_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                              cw_shape *out) {
  if (!isfinite(a->alpha) || !isfinite(a->beta))
    return cw_fail(context, CW_ERROR_ARGUMENT, "alpha %g and beta %g, expected finite numbers", (double)a->alpha,
                   (double)a->beta);
  return cw_infer_same(context, a, in, count, out);
}

static cw_status clip_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  if (!(a->alpha <= a->beta))
    return cw_fail(context, CW_ERROR_ARGUMENT, "the bounds are %g and %g, expected the lower one first",
                   (double)a->alpha, (double)a->beta);
  return cw_infer_same(context, a, in, count, out);
}

static float limit(float x, float low, float high) {
  return x < low ? low : x > high ? high : x;
}

/* log(1 + exp(x)) without overflow. */
static float softplus(float x) {
  return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
}

FUNCTION(abs, "Abs", cw_infer_same, false, fabsf(x), v > 0 ? 1.0f : v < 0 ? -1.0f : 0.0f)
FUNCTION(neg, "Neg", cw_infer_same, true, -x, -1.0f)
FUNCTION(reciprocal, "Reciprocal", cw_infer_same, true, 1 / x, -v *v)
FUNCTION(sqrt, "Sqrt", cw_infer_same, true, sqrtf(x), 0.5f / v)
FUNCTION(exp, "Exp", cw_infer_same, true, expf(x), v)
FUNCTION(log, "Log", cw_infer_same, false, logf(x), 1 / v)
FUNCTION(tanh, "Tanh", cw_infer_same, true, tanhf(x), 1 - v * v)
FUNCTION(erf, "Erf", cw_infer_same, false, erff(x), 1.12837917f * expf(-v * v))
FUNCTION(softplus, "Softplus", cw_infer_same, false, softplus(x), 1 / (1 + expf(-v)))
FUNCTION(softsign, "Softsign", cw_infer_same, false, x / (1 + fabsf(x)), 1 / ((1 + fabsf(v)) * (1 + fabsf(v))))
FUNCTION(elu, "Elu", finite_infer, false, x > 0 ? x : alpha * expm1f(x), v > 0 ? 1 : alpha * expf(v))
FUNCTION(selu, "Selu", finite_infer, false, beta *(x > 0 ? x : alpha * expm1f(x)), beta *(v > 0 ? 1 : alpha * expf(v)))
FUNCTION(hard_sigmoid, "HardSigmoid", finite_infer, false, limit(alpha *x + beta, 0, 1),
         alpha *v + beta > 0 && alpha * v + beta < 1 ? alpha : 0)
FUNCTION(hard_swish, "HardSwish", cw_infer_same, false, x *limit(x / 6 + 0.5f, 0, 1),
         v < -3   ? 0
         : v <= 3 ? v / 3 + 0.5f
                  : 1)
FUNCTION(clip, "Clip", clip_infer, false, limit(x, alpha, beta), v >= alpha && v <= beta ? 1 : 0)
