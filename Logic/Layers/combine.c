/* Add, concat and reshape: layers that only move data. */
#include <string.h>

#include "Layers/layer.h"

/* ---- add ---- */

static cw_status add_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                           cw_shape *out) {
  (void)attributes, (void)count;
  CW_TRY(cw_expect_same(context, in, 0, 1));
  *out = in[0];
  return CW_OK;
}

CW_CLONES static void add_part(int64_t n, const float *a, const float *b, float *y) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    y[i] = a[i] + b[i];
}

/* y = a + b */
static void add_forward(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART;
    add_part(cw_part_length(n, p), call->in[0] + at, call->in[1] + at, call->out + at);
  }
}

/* Either input's gradient may share grad_out's memory; the other is written while that still holds it. */
static void add_backward(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape);
  for (int i = 0; i < 2; i++)
    if (call->grad_in[i])
      cw_pass(n, call->grad_out, call->accumulate[i], call->grad_in[i], call->threads);
}

/* ---- concat on axis 1 ---- */

static cw_status concat_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)attributes;
  char text_a[96], text_b[96];
  cw_shape_text(&in[0], text_a);
  if (in[0].rank < 2)
    return cw_fail(context, CW_ERROR_SHAPE, "input 0 has shape %s, expected at least 2 dimensions", text_a);
  *out = in[0];
  for (int i = 1; i < count; i++) {
    bool fits = in[i].rank == in[0].rank;
    for (int k = 0; k < in[0].rank && fits; k++)
      fits = k == 1 || in[i].d[k] == in[0].d[k];
    if (!fits) {
      cw_shape_text(&in[i], text_b);
      return cw_fail(context, CW_ERROR_SHAPE, "input %d has shape %s, expected that of input 0 (%s) but for axis 1", i,
                     text_b, text_a);
    }
    out->d[1] += in[i].d[1];
  }
  return CW_OK;
}

/* y[n][offset_i + c][inner] = in_i[n][c][inner]: one block a sample and input. */
static void concat_forward(const cw_call *call) {
  const int64_t batch = call->out_shape.d[0], row = cw_elements_from(&call->out_shape, 1);
  const int64_t blocks = batch * call->input_count;
  CW_PARALLEL(blocks, call->threads)
  for (int64_t b = 0; b < blocks; b++) {
    const int i = (int)(b % call->input_count);
    const int64_t n = b / call->input_count, length = cw_elements_from(&call->in_shape[i], 1);
    int64_t offset = n * row;
    for (int k = 0; k < i; k++)
      offset += cw_elements_from(&call->in_shape[k], 1);
    memcpy(call->out + offset, call->in[i] + n * length, (size_t)length * sizeof(float));
  }
}

/* Inputs one after the other, since two of them may be the same value. */
static void concat_backward(const cw_call *call) {
  const int64_t batch = call->out_shape.d[0], row = cw_elements_from(&call->out_shape, 1);
  int64_t offset = 0;
  for (int i = 0; i < call->input_count; i++) {
    const int64_t length = cw_elements_from(&call->in_shape[i], 1);
    if (call->grad_in[i]) {
      CW_PARALLEL(batch, call->threads)
      for (int64_t n = 0; n < batch; n++)
        cw_pass(length, call->grad_out + n * row + offset, call->accumulate[i], call->grad_in[i] + n * length, 1);
    }
    offset += length;
  }
}

/* ---- reshape ---- */

static cw_status reshape_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                               cw_shape *out) {
  (void)count;
  const cw_shape *to = &attributes->shape;
  char text_a[96], text_b[96];
  cw_shape_text(&in[0], text_a);
  cw_shape_text(to, text_b);
  bool fits = to->rank >= 1 && in[0].rank >= 1 && (to->d[0] == CW_BATCH) == (in[0].d[0] == CW_BATCH);
  for (int i = 1; i < to->rank && fits; i++)
    fits = to->d[i] > 0;
  const int64_t elements = cw_shape_elements(&in[0], 1);
  if (!fits || elements == 0 || cw_shape_elements(to, 1) != elements)
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

const cw_operator_info cw_layer_add = {
    .name = "Add",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = add_infer,
    .forward = add_forward,
    .backward = add_backward,
};

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
