/* Batch norm, alone or with what follows it: activation, then pooling by 2 or upsampling by 2 with a skip added.
 *
 *   y = scale (x - mean) / sqrt(variance + epsilon) + bias, over all axes but 1
 *
 * mean and variance are those of the batch in training (biased), and the running ones otherwise.  Running statistics
 * follow with a momentum of max(momentum, 1 / (step + 1)), so that they are an average from the first step on.
 * The activated map before pooling or upsampling is never stored; the backward pass recomputes it from x. */
#include "Layers/norm_act.h"

extern const cw_operator_info cw_layer_norm_act;

cw_norm cw_norm_of(const cw_call *call, bool plain) {
  const cw_shape *x = &call->in_shape[X];
  cw_norm s = {0};
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

cw_norm_chain cw_norm_chain_of(const cw_call *call, const float *mean, const float *inverse_sd, int c) {
  cw_norm_chain k;
  k.factor = call->in[SCALE][c] * inverse_sd[c];
  k.offset = call->in[BIAS][c] - mean[c] * k.factor;
  return k;
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
  const cw_norm s = cw_norm_of(call, plain);
  return 2 * sizeof(float) * s.channels + (s.pool ? (size_t)s.batch * s.channels * (s.volume / 8) : 0);
}

/* workspace: two sums for each sample and channel; with upsampling the gathered gradient of the activated map */
static size_t workspace_bytes_of(const cw_call *call, bool plain) {
  const cw_norm s = cw_norm_of(call, plain);
  const size_t maps = (size_t)s.batch * s.channels;
  return 2 * sizeof(double) * (maps + s.channels) + (s.up && call->gradients ? maps * s.volume * sizeof(float) : 0);
}

/* ---- the two operators ---- */

static size_t norm_saved(const cw_call *call) {
  return saved_bytes_of(call, true);
}

static size_t norm_workspace(const cw_call *call) {
  return workspace_bytes_of(call, true);
}

static void norm_forward(const cw_call *call) {
  cw_norm_forward(call, true);
}

static void norm_backward(const cw_call *call) {
  cw_norm_backward(call, true);
}

static size_t chain_saved(const cw_call *call) {
  return saved_bytes_of(call, false);
}

static size_t chain_workspace(const cw_call *call) {
  return workspace_bytes_of(call, false);
}

static void chain_forward(const cw_call *call) {
  cw_norm_forward(call, false);
}

static void chain_backward(const cw_call *call) {
  cw_norm_backward(call, false);
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
    .keep_inputs = 1u << X | 1u << SCALE | 1u << BIAS | 1u << MEAN | 1u << VARIANCE,
};

const cw_operator_info cw_layer_norm_act = {
    .name = "BatchNormalization chain",
    .min_inputs = 5,
    .max_inputs = 6,
    .saved_bytes = chain_saved,
    .workspace_bytes = chain_workspace,
    .forward = chain_forward,
    .backward = chain_backward,
    .keep_inputs = 1u << X | 1u << SCALE | 1u << BIAS | 1u << MEAN | 1u << VARIANCE,
};
