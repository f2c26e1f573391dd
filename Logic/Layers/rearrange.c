/* Transpose and slice: the output is a strided view of the input that touches each element at most once. */
#include "Layers/layer.h"

typedef struct strided {
  int rank;
  int64_t d[CW_MAX_RANK], stride[CW_MAX_RANK]; /* of the output's axes; distances in the input */
  int64_t start;
} strided;

static void input_strides(const cw_shape *in, int64_t stride[CW_MAX_RANK]) {
  int64_t next = 1;
  for (int i = in->rank - 1; i >= 0; i--) {
    stride[i] = next;
    next *= in->d[i];
  }
}

static int64_t offset_of_row(const strided *view, int64_t row) {
  int64_t offset = view->start;
  for (int i = view->rank - 2; i >= 0; i--) {
    offset += row % view->d[i] * view->stride[i];
    row /= view->d[i];
  }
  return offset;
}

/* Rows of a task: about CW_PART elements. */
static int64_t rows_of(const strided *view) {
  const int64_t width = view->d[view->rank - 1];
  return width >= CW_PART ? 1 : CW_PART / width;
}

static void gather(const cw_call *call, const strided *view) {
  const int64_t width = view->d[view->rank - 1], step = view->stride[view->rank - 1];
  const int64_t rows = cw_elements(&call->out_shape) / width, each = rows_of(view), tasks = (rows + each - 1) / each;
  CW_PARALLEL(tasks, call->threads)
  for (int64_t t = 0; t < tasks; t++)
    for (int64_t r = t * each; r < rows && r < (t + 1) * each; r++) {
      const float *x = call->in[0] + offset_of_row(view, r);
      float *y = call->out + r * width;
      for (int64_t i = 0; i < width; i++)
        y[i] = x[i * step];
    }
}

static void scatter(const cw_call *call, const strided *view, bool everything) {
  const int64_t width = view->d[view->rank - 1], step = view->stride[view->rank - 1];
  const int64_t rows = cw_elements(&call->out_shape) / width, each = rows_of(view), tasks = (rows + each - 1) / each;
  const bool add = call->accumulate[0];
  if (!call->grad_in[0])
    return;
  if (!add && !everything)
    cw_clear(cw_elements(&call->in_shape[0]), call->grad_in[0], call->threads);
  CW_PARALLEL(tasks, call->threads)
  for (int64_t t = 0; t < tasks; t++)
    for (int64_t r = t * each; r < rows && r < (t + 1) * each; r++) {
      float *gx = call->grad_in[0] + offset_of_row(view, r);
      const float *gy = call->grad_out + r * width;
      for (int64_t i = 0; i < width; i++)
        gx[i * step] = (add ? gx[i * step] : 0) + gy[i];
    }
}

/* ---- transpose ---- */

static cw_status transpose_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                                 cw_shape *out) {
  (void)count;
  unsigned seen = 0;
  *out = in[0];
  for (int i = 0; i < in[0].rank; i++) {
    if (a->order[i] < 0 || a->order[i] >= in[0].rank || (seen >> a->order[i] & 1))
      return cw_fail(context, CW_ERROR_SHAPE, "expected an order of the input's %d axes", in[0].rank);
    seen |= 1u << a->order[i];
    out->d[i] = in[0].d[a->order[i]];
  }
  return CW_OK;
}

static strided transpose_view(const cw_call *call) {
  int64_t stride[CW_MAX_RANK];
  strided view = {0};
  input_strides(&call->in_shape[0], stride);
  view.rank = call->out_shape.rank;
  for (int i = 0; i < view.rank; i++) {
    view.d[i] = call->out_shape.d[i];
    view.stride[i] = stride[call->attributes->order[i]];
  }
  return view;
}

static void transpose_forward(const cw_call *call) {
  const strided view = transpose_view(call);
  gather(call, &view);
}

static void transpose_backward(const cw_call *call) {
  const strided view = transpose_view(call);
  scatter(call, &view, true);
}

/* ---- slice ---- */

static cw_status slice_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                             cw_shape *out) {
  (void)count;
  if (a->shape.rank != in[0].rank)
    return cw_fail(context, CW_ERROR_SHAPE, "the slice has %d axes, expected the input's %d", a->shape.rank,
                   in[0].rank);
  *out = a->shape;
  for (int i = 0; i < in[0].rank; i++) {
    if (in[0].d[i] == CW_BATCH) {
      if (out->d[i] != CW_BATCH || a->begin[i] || a->step[i] != 1)
        return cw_fail(context, CW_ERROR_UNSUPPORTED, "axis %d is the batch, expected it whole", i);
      continue;
    }
    const int64_t last = a->begin[i] + (out->d[i] - 1) * a->step[i];
    if (out->d[i] < 1 || out->d[i] > in[0].d[i] || !a->step[i] || a->begin[i] < 0 || a->begin[i] >= in[0].d[i] ||
        last < 0 || last >= in[0].d[i])
      return cw_fail(context, CW_ERROR_SHAPE, "%lld samples from %d on in steps of %d leave axis %d of %lld",
                     (long long)out->d[i], a->begin[i], a->step[i], i, (long long)in[0].d[i]);
  }
  return CW_OK;
}

static strided slice_view(const cw_call *call) {
  int64_t stride[CW_MAX_RANK];
  strided view = {0};
  input_strides(&call->in_shape[0], stride);
  view.rank = call->out_shape.rank;
  for (int i = 0; i < view.rank; i++) {
    view.d[i] = call->out_shape.d[i];
    view.stride[i] = stride[i] * call->attributes->step[i];
    view.start += stride[i] * call->attributes->begin[i];
  }
  return view;
}

static void slice_forward(const cw_call *call) {
  const strided view = slice_view(call);
  gather(call, &view);
}

static void slice_backward(const cw_call *call) {
  const strided view = slice_view(call);
  scatter(call, &view, false);
}

const cw_operator_info cw_layer_transpose = {
    .name = "Transpose",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = transpose_infer,
    .forward = transpose_forward,
    .backward = transpose_backward,
};

const cw_operator_info cw_layer_slice = {
    .name = "Slice",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = slice_infer,
    .forward = slice_forward,
    .backward = slice_backward,
};
