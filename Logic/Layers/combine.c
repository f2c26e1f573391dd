/* Concat and reshape. */
#include <string.h>

#include "Layers/layer.h"

/* ---- concat ---- */

static cw_status concat_infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count,
                              cw_shape *out) {
  char text_a[96], text_b[96];
  cw_shape_text(&in[0], text_a);
  if (a->axis < 0 || a->axis >= in[0].rank || in[0].d[a->axis] == CW_BATCH)
    return cw_fail(context, CW_ERROR_SHAPE, "input 0 has shape %s, expected an axis %d that is not the batch", text_a,
                   a->axis);
  *out = in[0];
  for (int i = 1; i < count; i++) {
    bool fits = in[i].rank == in[0].rank;
    for (int k = 0; k < in[0].rank && fits; k++)
      fits = k == a->axis ? in[i].d[k] != CW_BATCH : in[i].d[k] == in[0].d[k];
    if (!fits) {
      cw_shape_text(&in[i], text_b);
      return cw_fail(context, CW_ERROR_SHAPE, "input %d has shape %s, expected that of input 0 (%s) but for axis %d", i,
                     text_b, text_a, a->axis);
    }
    out->d[a->axis] += in[i].d[a->axis];
  }
  return CW_OK;
}

/* y[outer][offset_i + c][inner] = in_i[outer][c][inner] */
static int64_t outer_of(const cw_call *call) {
  return cw_elements(&call->out_shape) / cw_elements_from(&call->out_shape, call->attributes->axis);
}

/* One block an outer index and input. */
static void concat_forward(const cw_call *call) {
  const int axis = call->attributes->axis;
  const int64_t row = cw_elements_from(&call->out_shape, axis), blocks = outer_of(call) * call->input_count;
  CW_PARALLEL(blocks, call->threads)
  for (int64_t b = 0; b < blocks; b++) {
    const int i = (int)(b % call->input_count);
    const int64_t n = b / call->input_count, length = cw_elements_from(&call->in_shape[i], axis);
    int64_t offset = n * row;
    for (int k = 0; k < i; k++)
      offset += cw_elements_from(&call->in_shape[k], axis);
    memcpy(call->out + offset, call->in[i] + n * length, (size_t)length * sizeof(float));
  }
}

/* Inputs one after the other, since two of them may be the same value. */
static void concat_backward(const cw_call *call) {
  const int axis = call->attributes->axis;
  const int64_t outer = outer_of(call), row = cw_elements_from(&call->out_shape, axis);
  int64_t offset = 0;
  for (int i = 0; i < call->input_count; i++) {
    const int64_t length = cw_elements_from(&call->in_shape[i], axis);
    if (call->grad_in[i] && outer == 1) {
      cw_pass(length, call->grad_out + offset, call->accumulate[i], call->grad_in[i], call->threads);
    } else if (call->grad_in[i]) {
      CW_PARALLEL(outer, call->threads)
      for (int64_t n = 0; n < outer; n++)
        cw_pass(length, call->grad_out + n * row + offset, call->accumulate[i], call->grad_in[i] + n * length, 1);
    }
    offset += length;
  }
}

/* ---- reshape ---- */

/* Elements before the batch axis, all of them where there is none; and how many batch axes there are. */
static int64_t before_batch(const cw_shape *shape, int *batches) {
  int64_t product = 1, before = 0;
  *batches = 0;
  for (int i = 0; i < shape->rank; i++) {
    if (shape->d[i] == CW_BATCH) {
      before = product;
      ++*batches;
    } else if (shape->d[i] <= 0 || product > INT64_MAX / shape->d[i]) {
      return 0;
    } else {
      product *= shape->d[i];
    }
  }
  return *batches ? before : product;
}

/* Samples stay together: as many elements as before stand in front of the batch axis. */
static cw_status reshape_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                               cw_shape *out) {
  (void)count;
  const cw_shape *to = &attributes->shape;
  char text_a[96], text_b[96];
  cw_shape_text(&in[0], text_a);
  cw_shape_text(to, text_b);
  int batches_in, batches_to;
  const int64_t before_in = before_batch(&in[0], &batches_in), before_to = before_batch(to, &batches_to);
  const int64_t elements = cw_shape_elements(&in[0], 1);
  if (to->rank < 1 || batches_in != batches_to || batches_to > 1 || !before_to || before_in != before_to || !elements ||
      cw_shape_elements(to, 1) != elements)
    return cw_fail(context, CW_ERROR_SHAPE, "cannot reshape %s to %s, expected the same number of elements a sample",
                   text_a, text_b);
  *out = *to;
  return CW_OK;
}

static void reshape_forward(const cw_call *call) {
  cw_pass(cw_elements(&call->out_shape), call->in[0], false, call->out, call->threads);
}

static void reshape_backward(const cw_call *call) {
  if (call->grad_in[0])
    cw_pass(cw_elements(&call->out_shape), call->grad_out, call->accumulate[0], call->grad_in[0], call->threads);
}

const cw_operator_info cw_layer_concat = {
    .name = "Concat",
    .min_inputs = 1,
    .max_inputs = CW_MAX_INPUTS,
    .infer = concat_infer,
    .forward = concat_forward,
    .backward = concat_backward,
};

const cw_operator_info cw_layer_reshape = {
    .name = "Reshape",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = reshape_infer,
    .forward = reshape_forward,
    .backward = reshape_backward,
};
