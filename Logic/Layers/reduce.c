/* Mean, sum and maximum over some axes.  The result repeats along them, so its gradient is that of a broadcast. */
#include <math.h>

#include "Layers/broadcast.h"

enum { MEAN, SUM, MAX };

/* The output's shape with every reduced axis in place. */
static cw_shape kept_shape(const cw_shape *in, unsigned axes) {
  cw_shape shape = *in;
  for (int i = 0; i < in->rank; i++)
    if (axes >> i & 1)
      shape.d[i] = 1;
  return shape;
}

static cw_status infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  (void)count;
  for (int i = 0; i < in[0].rank; i++)
    if ((a->axes >> i & 1) && in[0].d[i] == CW_BATCH)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "axis %d is the batch, expected a reduction within each sample", i);
  if (!a->axes || a->axes >> in[0].rank)
    return cw_fail(context, CW_ERROR_SHAPE, "expected axes of the input's %d", in[0].rank);
  *out = kept_shape(&in[0], a->axes);
  if (a->keep_axes)
    return CW_OK;
  int rank = 0;
  for (int i = 0; i < in[0].rank; i++)
    if (!(a->axes >> i & 1))
      out->d[rank++] = in[0].d[i];
  out->rank = rank;
  if (!rank)
    out->d[out->rank++] = 1;
  return CW_OK;
}

static cw_broadcast view_of(const cw_call *call) {
  const cw_shape kept = kept_shape(&call->in_shape[0], call->attributes->axes);
  return cw_broadcast_of(&call->in_shape[0], &kept, 1);
}

static float share_of(const cw_call *call) {
  return (float)((double)cw_elements(&call->out_shape) / (double)cw_elements(&call->in_shape[0]));
}

static void forward(const cw_call *call, bool mean) {
  const cw_broadcast b = view_of(call);
  cw_broadcast_reduce(&b, 0, call->in[0], false, call->out, call->threads);
  if (!mean)
    return;
  const float share = share_of(call);
  const int64_t n = cw_elements(&call->out_shape);
  for (int64_t i = 0; i < n; i++)
    call->out[i] *= share;
}

static void backward_run(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                         const int64_t at[3]) {
  const float share = *(const float *)user;
  const int64_t step = b->stride[0][b->rank - 1];
  float *gx = call->grad_in[0];
  for (int64_t k = 0; k < run; k++)
    gx[i + k] = (call->accumulate[0] ? gx[i + k] : 0) + share * call->grad_out[at[0] + k * step];
}

/* gx = gy of its sum, times `share` */
static void backward(const cw_call *call, float share) {
  const cw_broadcast b = view_of(call);
  if (call->grad_in[0])
    cw_broadcast_each(call, &b, cw_elements(&call->in_shape[0]), backward_run, &share);
}

static void mean_forward(const cw_call *call) {
  forward(call, true);
}

static void mean_backward(const cw_call *call) {
  backward(call, share_of(call));
}

static void sum_forward(const cw_call *call) {
  forward(call, false);
}

static void sum_backward(const cw_call *call) {
  backward(call, 1);
}

/* ---- maximum ---- */

static size_t max_saved_bytes(const cw_call *call) {
  return (size_t)cw_elements(&call->out_shape) * sizeof(int64_t);
}

/* The first of equals counts; NaN wins. */
static void max_forward(const cw_call *call) {
  const cw_broadcast b = view_of(call);
  const int64_t n = cw_elements(&call->in_shape[0]), outs = cw_elements(&call->out_shape);
  int64_t *index = call->saved;
  for (int64_t i = 0; i < outs; i++)
    index[i] = -1;
  for (int64_t i = 0, run; i < n; i += run) {
    int64_t at[3];
    run = cw_broadcast_run(&b, i, n - i);
    cw_broadcast_at(&b, i, at);
    for (int64_t k = 0; k < run; k++) {
      const int64_t o = at[0] + k * b.stride[0][b.rank - 1];
      const float v = call->in[0][i + k];
      if (index[o] < 0 || (!(v <= call->out[o]) && call->out[o] == call->out[o])) {
        call->out[o] = v;
        index[o] = i + k;
      }
    }
  }
}

static void max_backward(const cw_call *call) {
  const int64_t outs = cw_elements(&call->out_shape), *index = call->saved;
  float *gx = call->grad_in[0];
  if (!gx)
    return;
  if (!call->accumulate[0])
    cw_clear(cw_elements(&call->in_shape[0]), gx, call->threads);
  for (int64_t i = 0; i < outs; i++)
    gx[index[i]] += call->grad_out[i];
}

const cw_operator_info cw_layer_reduce_mean = {
    .name = "ReduceMean",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = mean_forward,
    .backward = mean_backward,
};

const cw_operator_info cw_layer_reduce_sum = {
    .name = "ReduceSum",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = sum_forward,
    .backward = sum_backward,
};

const cw_operator_info cw_layer_reduce_max = {
    .name = "ReduceMax",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .saved_bytes = max_saved_bytes,
    .forward = max_forward,
    .backward = max_backward,
};
