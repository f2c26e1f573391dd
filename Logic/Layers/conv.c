/* Conv: y = x * W + b for N C D H W, as ONNX's Conv with explicit pads. */
#include <string.h>

#include "Layers/conv_columns.h"
#include "Layers/conv_sparse.h"
#include "Layers/layer.h"

static cw_status infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  const cw_shape *x = &in[0], *w = &in[1];
  if (x->rank != 5 || w->rank != 5)
    return cw_fail(context, CW_ERROR_SHAPE, "expected x and W of rank 5, got %d and %d", x->rank, w->rank);
  CW_TRY(cw_expect_volume(context, x, 0));
  if (a->groups < 1 || w->d[0] % a->groups || x->d[1] != w->d[1] * a->groups)
    return cw_fail(context, CW_ERROR_SHAPE, "%lld input channels and %d groups do not fit W of %lld x %lld channels",
                   (long long)x->d[1], a->groups, (long long)w->d[0], (long long)w->d[1]);
  if (count > 2 && (in[2].rank != 1 || in[2].d[0] != w->d[0]))
    return cw_fail(context, CW_ERROR_SHAPE, "expected a bias of %lld values", (long long)w->d[0]);
  *out = *x;
  out->d[1] = w->d[0];
  for (int i = 0; i < 3; i++) {
    if (a->kernel[i] != w->d[2 + i])
      return cw_fail(context, CW_ERROR_SHAPE, "attribute kernel %d differs from W's %lld along axis %d", a->kernel[i],
                     (long long)w->d[2 + i], i);
    if (a->stride[i] < 1 || a->dilation[i] < 1 || a->pads[i] < 0 || a->pads[3 + i] < 0)
      return cw_fail(context, CW_ERROR_SHAPE, "strides and dilations must be 1 or more and pads 0 or more");
    const int64_t extent = (int64_t)a->dilation[i] * (a->kernel[i] - 1) + 1;
    const int64_t padded = x->d[2 + i] + a->pads[i] + a->pads[3 + i];
    if (padded < extent)
      return cw_fail(context, CW_ERROR_SHAPE, "the kernel reaches over %lld voxels, the padded axis has %lld",
                     (long long)extent, (long long)padded);
    out->d[2 + i] = (padded - extent) / a->stride[i] + 1;
  }
  return cw_expect_reach(context, a, x->d[1]);
}

static size_t round_up(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/* Workspace: packed kernels, or the per-sample kernel gradients; then the engine's scratch. */
static size_t workspace_bytes(const cw_call *call) {
  const cw_conv_problem p = cw_conv_forward_problem(&call->in_shape[0], &call->out_shape, call->attributes);
  const cw_conv_problem g = cw_conv_gradient_problem(&p);
  const size_t packed = round_up(cw_conv_packed_floats(&p) * sizeof(float));
  size_t bytes = packed + cw_conv_run_workspace(&p, call->threads);
  if (!call->gradients)
    return bytes;
  const size_t input = cw_conv_strided(&p) ? cw_conv_strided_workspace(&p, call->threads)
                                           : packed + cw_conv_run_workspace(&g, call->threads);
  if (cw_conv_sparse_suits(&p)) {
    const size_t sparse = cw_conv_sparse_workspace(&p, call->threads);
    bytes = bytes > sparse ? bytes : sparse;
  }
  const size_t weight = packed * p.batch + cw_conv_weight_workspace(&p, call->threads);
  bytes = bytes > input ? bytes : input;
  return bytes > weight ? bytes : weight;
}

static void forward(const cw_call *call) {
  const cw_conv_problem p = cw_conv_forward_problem(&call->in_shape[0], &call->out_shape, call->attributes);
  const float *kernels = cw_conv_prepare(&p, call->in[1], call->workspace, call->threads);
  cw_conv_run(&p, call->in[0], kernels, 0, call->in[2], 0, call->out, false,
              (char *)call->workspace + round_up(cw_conv_packed_floats(&p) * sizeof(float)), call->threads,
              call->report);
}

static void backward(const cw_call *call) {
  const cw_conv_problem p = cw_conv_forward_problem(&call->in_shape[0], &call->out_shape, call->attributes);
  if (call->grad_in[0] && cw_conv_strided(&p)) {
    cw_conv_strided_gradient(&p, call->in[1], call->grad_out, call->grad_in[0], call->accumulate[0], call->workspace,
                             call->threads);
  } else if (call->grad_in[0] && cw_conv_sparse_suits(&p) && cw_conv_is_sparse(&p, call->grad_out, call->threads)) {
    cw_conv_sparse_gradient(&p, call->in[1], call->grad_out, call->grad_in[0], call->accumulate[0], call->workspace,
                            call->threads);
  } else if (call->grad_in[0]) {
    const cw_conv_problem g = cw_conv_gradient_problem(&p);
    const float *kernels = cw_conv_prepare(&g, call->in[1], call->workspace, call->threads);
    cw_conv_run(&g, call->grad_out, kernels, 0, NULL, 0, call->grad_in[0], call->accumulate[0],
                (char *)call->workspace + round_up(cw_conv_packed_floats(&g) * sizeof(float)), call->threads,
                call->report);
  }
  if (call->grad_in[1])
    cw_conv_weight_gradient_sum(&p, call->in[0], call->grad_out, call->grad_in[1], call->accumulate[1], call->workspace,
                                call->threads);
  if (call->input_count > 2 && call->grad_in[2])
    cw_conv_bias_gradient(&call->out_shape, call->grad_out, call->grad_in[2], call->accumulate[2], call->threads);
}

const cw_operator_info cw_layer_conv = {
    .name = "Conv",
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = infer,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward = backward,
    .keep_inputs = 3u,
};
