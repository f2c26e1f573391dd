/* Expand, gather and pad: layers that may read an element several times. */
#include <math.h>
#include <string.h>

#include "Layers/broadcast.h"

/* ---- expand ---- */

static cw_status expand_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)count;
  const cw_shape both[2] = {a->shape, in[0]};
  CW_TRY(cw_broadcast_infer(context, both, 2, out));
  return cw_shape_equal(out, &a->shape)
             ? CW_OK
             : cw_fail(context, CW_ERROR_SHAPE, "the input has more samples than the shape that it should grow to");
}

static void expand_run(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                       const int64_t at[3]) {
  const int64_t step = b->stride[0][b->rank - 1];
  (void)user;
  for (int64_t k = 0; k < run; k++)
    call->out[i + k] = call->in[0][at[0] + k * step];
}

static void expand_forward(const cw_call *call) {
  const cw_broadcast b = cw_broadcast_of(&call->out_shape, call->in_shape, 1);
  cw_broadcast_each(call, &b, cw_elements(&call->out_shape), expand_run, NULL);
}

static void expand_backward(const cw_call *call) {
  const cw_broadcast b = cw_broadcast_of(&call->out_shape, call->in_shape, 1);
  if (call->grad_in[0])
    cw_broadcast_reduce(&b, 0, call->grad_out, call->accumulate[0], call->grad_in[0], call->threads);
}

/* ---- gather ---- */

static cw_status gather_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)count;
  if (a->axis < 0 || a->axis >= in[0].rank || in[0].d[a->axis] == CW_BATCH)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "axis %d, expected one of the input's %d and not the batch", a->axis,
                   in[0].rank);
  CW_TRY(cw_expect_rank(context, &in[1], 1, 1));
  *out = in[0];
  out->d[a->axis] = in[1].d[0];
  return CW_OK;
}

/* x[outer][size][inner]; indices out of range take the nearest sample, so that no file reads past an array. */
typedef struct gather_view {
  int64_t outer, size, inner, count;
} gather_view;

static gather_view gather_view_of(const cw_call *call) {
  const int axis = call->attributes->axis;
  gather_view v = {1, call->in_shape[0].d[axis], cw_elements_from(&call->in_shape[0], axis + 1),
                   call->out_shape.d[axis]};
  for (int i = 0; i < axis; i++)
    v.outer *= call->in_shape[0].d[i];
  return v;
}

static int64_t index_at(const cw_call *call, const gather_view *v, int64_t i) {
  const float index = call->in[1][i];
  return !(index > 0) ? 0 : index >= (float)v->size ? v->size - 1 : (int64_t)index;
}

static void gather_forward(const cw_call *call) {
  const gather_view v = gather_view_of(call);
  CW_PARALLEL(v.outer, call->threads)
  for (int64_t o = 0; o < v.outer; o++)
    for (int64_t i = 0; i < v.count; i++)
      memcpy(call->out + (o * v.count + i) * v.inner, call->in[0] + (o * v.size + index_at(call, &v, i)) * v.inner,
             (size_t)v.inner * sizeof(float));
}

static void gather_backward(const cw_call *call) {
  const gather_view v = gather_view_of(call);
  if (call->grad_in[1] && !call->accumulate[1])
    memset(call->grad_in[1], 0, (size_t)v.count * sizeof(float));
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(v.outer, call->threads)
  for (int64_t o = 0; o < v.outer; o++) {
    float *gx = call->grad_in[0] + o * v.size * v.inner;
    if (!call->accumulate[0])
      memset(gx, 0, (size_t)(v.size * v.inner) * sizeof *gx);
    for (int64_t i = 0; i < v.count; i++)
      cw_pass(v.inner, call->grad_out + (o * v.count + i) * v.inner, true, gx + index_at(call, &v, i) * v.inner, 1);
  }
}

/* ---- pad ---- */

static cw_status pad_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  (void)count;
  *out = in[0];
  for (int i = 0; i < in[0].rank; i++) {
    if (!a->begin[i] && !a->end[i])
      continue;
    if (in[0].d[i] == CW_BATCH)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "axis %d is the batch, which cannot be padded", i);
    const int64_t most = a->fill == CW_FILL_REFLECT ? in[0].d[i] - 1 : INT32_MAX;
    out->d[i] = in[0].d[i] + a->begin[i] + a->end[i];
    if (out->d[i] < 1 || a->begin[i] > most || a->end[i] > most)
      return cw_fail(context, CW_ERROR_SHAPE, "pads %d and %d do not fit axis %d of %lld samples", a->begin[i],
                     a->end[i], i, (long long)in[0].d[i]);
  }
  return CW_OK;
}

/* The input's sample behind the output's, -1 where the constant stands. */
static int64_t source(const cw_call *call, int axis, int64_t at) {
  const int64_t size = call->in_shape[0].d[axis];
  at -= call->attributes->begin[axis];
  if (at >= 0 && at < size)
    return at;
  switch (call->attributes->fill) {
    case CW_FILL_REFLECT:
      return at < 0 ? -at : 2 * (size - 1) - at;
    case CW_FILL_EDGE:
      return at < 0 ? 0 : size - 1;
    default:
      return -1;
  }
}

/* Offset of the input's row behind output row `row`, -1 where it is all constant. */
static int64_t source_row(const cw_call *call, int64_t row) {
  const int rank = call->out_shape.rank;
  int64_t offset = 0, next = call->in_shape[0].d[rank - 1];
  for (int i = rank - 2; i >= 0; i--) {
    const int64_t at = source(call, i, row % call->out_shape.d[i]);
    if (at < 0)
      return -1;
    offset += at * next;
    next *= call->in_shape[0].d[i];
    row /= call->out_shape.d[i];
  }
  return offset;
}

static void pad_forward(const cw_call *call) {
  const int last = call->out_shape.rank - 1;
  const int64_t width = call->out_shape.d[last], rows = cw_elements(&call->out_shape) / width;
  CW_PARALLEL(rows, call->threads)
  for (int64_t r = 0; r < rows; r++) {
    const int64_t offset = source_row(call, r);
    float *y = call->out + r * width;
    for (int64_t i = 0; i < width; i++) {
      const int64_t at = offset < 0 ? -1 : source(call, last, i);
      y[i] = at < 0 ? call->attributes->alpha : call->in[0][offset + at];
    }
  }
}

/* Rows of one leading index reach only that index's gradient unless that axis is padded too. */
static void pad_backward(const cw_call *call) {
  const int last = call->out_shape.rank - 1;
  const int64_t width = call->out_shape.d[last], rows = cw_elements(&call->out_shape) / width;
  float *gx = call->grad_in[0];
  int64_t tasks = 1;
  for (int i = 0; i < last && !call->attributes->begin[i] && !call->attributes->end[i]; i++)
    tasks *= call->out_shape.d[i];
  if (!gx)
    return;
  if (!call->accumulate[0])
    cw_clear(cw_elements(&call->in_shape[0]), gx, call->threads);
  CW_PARALLEL(tasks, call->threads)
  for (int64_t t = 0; t < tasks; t++)
    for (int64_t r = t * (rows / tasks); r < (t + 1) * (rows / tasks); r++) {
      const int64_t offset = source_row(call, r);
      for (int64_t i = 0; i < width && offset >= 0; i++) {
        const int64_t at = source(call, last, i);
        if (at >= 0)
          gx[offset + at] += call->grad_out[r * width + i];
      }
    }
}

const cw_operator_info cw_layer_expand = {
    .name = "Expand",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = expand_infer,
    .forward = expand_forward,
    .backward = expand_backward,
};

const cw_operator_info cw_layer_gather = {
    .name = "Gather",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = gather_infer,
    .forward = gather_forward,
    .backward = gather_backward,
    .keep_inputs = 2u,
};

const cw_operator_info cw_layer_pad = {
    .name = "Pad",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pad_infer,
    .forward = pad_forward,
    .backward = pad_backward,
};
