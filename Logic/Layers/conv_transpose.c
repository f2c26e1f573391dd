/* ConvTranspose: the map that carries a convolution's dy to its dx.  W is [ci][co / groups][k], the weights of that
 * convolution from y to x. */
#include "Layers/conv_engine.h"
#include "Layers/layer.h"

static cw_status infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  const cw_shape *x = &in[0], *w = &in[1];
  if (x->rank != 5 || w->rank != 5)
    return cw_fail(context, CW_ERROR_SHAPE, "expected x and W of rank 5, got %d and %d", x->rank, w->rank);
  CW_TRY(cw_expect_volume(context, x, 0));
  if (a->groups < 1 || w->d[0] % a->groups || x->d[1] != w->d[0] || w->d[1] > INT32_MAX / a->groups)
    return cw_fail(context, CW_ERROR_SHAPE, "%lld input channels and %d groups do not fit W of %lld x %lld channels",
                   (long long)x->d[1], a->groups, (long long)w->d[0], (long long)w->d[1]);
  if (count > 2 && (in[2].rank != 1 || in[2].d[0] != w->d[1] * a->groups))
    return cw_fail(context, CW_ERROR_SHAPE, "expected a bias of %lld values", (long long)w->d[1] * a->groups);
  *out = *x;
  out->d[1] = w->d[1] * a->groups;
  for (int i = 0; i < 3; i++) {
    if (a->kernel[i] != w->d[2 + i])
      return cw_fail(context, CW_ERROR_SHAPE, "attribute kernel %d differs from W's %lld along axis %d", a->kernel[i],
                     (long long)w->d[2 + i], i);
    if (a->stride[i] < 1 || a->dilation[i] < 1 || a->pads[i] < 0 || a->pads[3 + i] < 0 || a->more[i] < 0 ||
        (a->more[i] >= a->stride[i] && a->more[i] >= a->dilation[i]))
      return cw_fail(context, CW_ERROR_SHAPE,
                     "strides and dilations must be 1 or more, pads 0 or more and output_padding below the stride");
    const int64_t extent = (int64_t)a->dilation[i] * (a->kernel[i] - 1) + 1;
    out->d[2 + i] = (x->d[2 + i] - 1) * a->stride[i] + extent + a->more[i] - a->pads[i] - a->pads[3 + i];
    if (out->d[2 + i] < 1 || out->d[2 + i] > INT32_MAX)
      return cw_fail(context, CW_ERROR_SHAPE, "axis %d would have %lld samples", 2 + i, (long long)out->d[2 + i]);
  }
  return cw_expect_reach(context, a, w->d[0]);
}

/* The convolution from y to x. */
static cw_conv_problem problem_of(const cw_call *call) {
  return cw_conv_forward_problem(&call->out_shape, &call->in_shape[0], call->attributes);
}

static size_t packed_bytes(const cw_conv_problem *p) {
  return (cw_conv_packed_floats(p) * sizeof(float) + 63) / 64 * 64;
}

static size_t workspace_bytes(const cw_call *call) {
  const cw_conv_problem p = problem_of(call), g = cw_conv_gradient_problem(&p);
  const size_t packed = packed_bytes(&p);
  size_t bytes = packed + cw_conv_run_workspace(&g, call->threads);
  if (!call->gradients)
    return bytes;
  const size_t input = packed + cw_conv_run_workspace(&p, call->threads);
  const size_t weight = packed * p.batch + cw_conv_weight_workspace(&p, call->threads);
  bytes = bytes > input ? bytes : input;
  return bytes > weight ? bytes : weight;
}

static void run(const cw_call *call, const cw_conv_problem *p, const float *x, const float *bias, bool accumulate,
                float *y) {
  const float *kernels = cw_conv_prepare(p, call->in[1], call->workspace, call->threads);
  cw_conv_run(p, x, kernels, 0, bias, 0, y, accumulate, (char *)call->workspace + packed_bytes(p), call->threads,
              call->report);
}

static void forward(const cw_call *call) {
  const cw_conv_problem p = problem_of(call), g = cw_conv_gradient_problem(&p);
  run(call, &g, call->in[0], call->input_count > 2 ? call->in[2] : NULL, false, call->out);
}

static void backward(const cw_call *call) {
  const cw_conv_problem p = problem_of(call);
  if (call->grad_in[0])
    run(call, &p, call->grad_out, NULL, call->accumulate[0], call->grad_in[0]);
  if (call->grad_in[1])
    cw_conv_weight_gradient_sum(&p, call->grad_out, call->in[0], call->grad_in[1], call->accumulate[1], call->workspace,
                                call->threads);
  if (call->input_count > 2 && call->grad_in[2])
    cw_conv_bias_gradient(&call->out_shape, call->grad_out, call->grad_in[2], call->accumulate[2], call->threads);
}

const cw_operator_info cw_layer_conv_transpose = {
    .name = "ConvTranspose",
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = infer,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward = backward,
    .keep_inputs = 3u,
};
