/* Inverted dropout: y = x / (1 - ratio) where a random number is at least ratio, else 0; identity outside training.
 * The mask is a function of (seed + step, stream, element): the backward pass draws it again instead of keeping it. */
#include "counterwarp/random.h"
#include "Layers/layer.h"

static cw_status dropout_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                               cw_shape *out) {
  (void)count;
  if (!(attributes->ratio >= 0 && attributes->ratio < 1))
    return cw_fail(context, CW_ERROR_ARGUMENT, "ratio is %g, expected 0 <= ratio < 1", (double)attributes->ratio);
  *out = in[0];
  return CW_OK;
}

static void apply(const cw_call *call, const float *from, bool accumulate, float *to) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  const float ratio = call->attributes->ratio;
  if (!call->training || ratio == 0) {
    cw_pass(n, from, accumulate, to, call->threads);
    return;
  }
  const float scale = 1 / (1 - ratio);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t end = p * CW_PART + cw_part_length(n, p);
    for (int64_t i = p * CW_PART; i < end; i++) {
      const bool keep = cw_random_at(call->seed + call->step, call->stream, (uint64_t)i) >= ratio;
      const float value = keep ? from[i] * scale : 0;
      to[i] = accumulate ? to[i] + value : value;
    }
  }
}

static void dropout_forward(const cw_call *call) {
  apply(call, call->in[0], false, call->out);
}

static void dropout_backward(const cw_call *call) {
  if (call->grad_in[0])
    apply(call, call->grad_out, call->accumulate[0], call->grad_in[0]);
}

const cw_operator_info cw_layer_dropout = {
    .name = "Dropout",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = dropout_infer,
    .forward = dropout_forward,
    .backward = dropout_backward,
};
