#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

/* The node that computes `name` for a single reader and is an `op_type` of `inputs` inputs; NULL if there is none. */
static const CwOnnx__NodeProto *producer(const cw_onnx_reader *r, const char *name, const char *op_type, size_t inputs,
                                         int *index) {
  const cw_onnx_definition *d = cw_onnx_find(r, name);
  if (!d || d->kind != CW_ONNX_NODE || d->uses != 1)
    return NULL;
  const CwOnnx__NodeProto *node = r->in->node[d->index];
  *index = d->index;
  return cw_onnx_is(node, op_type) && node->n_input == inputs ? node : NULL;
}

static cw_onnx_definition *tensor(const cw_onnx_reader *r, const char *name, size_t rank) {
  cw_onnx_definition *d = cw_onnx_find(r, name);
  if (!d || d->kind != CW_ONNX_TENSOR)
    return NULL;
  return d->tensor->data_type == CW_ONNX_FLOAT && d->tensor->n_dims == rank ? d : NULL;
}

/* The experts' shape [E, co, ci, kd, kh, kw] from the flat tensor and the constant that Reshape takes. */
static bool expert_shape(cw_onnx_reader *r, const cw_onnx_definition *flat, const char *target, cw_shape *shape) {
  const CwOnnx__TensorProto *experts = flat->tensor;
  const cw_onnx_constant *numbers;
  if (cw_onnx_constant_of(r, target, &numbers) != CW_OK || !numbers || numbers->rank != 1 || numbers->count != 5)
    return false;
  shape->rank = 6;
  shape->d[0] = experts->dims[0];
  int64_t product = 1;
  for (int i = 0; i < 5; i++) {
    if (!(numbers->v[i] >= 1 && numbers->v[i] <= INT32_MAX))
      return false;
    const int64_t size = (int64_t)numbers->v[i];
    if (product > INT32_MAX / size)
      return false;
    product *= size;
    shape->d[i + 1] = size;
  }
  return product == experts->dims[1];
}

/* Routing from the input's channel means and the direction, or (false) from the direction alone. */
static bool match_means(const cw_onnx_reader *r, const char *routing_input, const char *x, const char **direction,
                        int absorbed[3]) {
  const CwOnnx__NodeProto *concat = producer(r, routing_input, "Concat", 2, &absorbed[0]);
  const CwOnnx__NodeProto *flatten = concat ? producer(r, concat->input[0], "Flatten", 1, &absorbed[1]) : NULL;
  const CwOnnx__NodeProto *pool = flatten ? producer(r, flatten->input[0], "GlobalAveragePool", 1, &absorbed[2]) : NULL;
  if (!pool || strcmp(pool->input[0], x) != 0 || cw_onnx_attribute_int(concat, "axis", 0) != 1 ||
      cw_onnx_attribute_int(flatten, "axis", 1) != 1)
    return false;
  *direction = concat->input[1];
  return true;
}

static bool match(cw_onnx_reader *r, const CwOnnx__NodeProto *conv, cw_onnx_cond_conv *found, cw_shape *shape,
                  int absorbed[7], int *absorbed_count) {
  const CwOnnx__NodeProto *reshape = producer(r, conv->input[1], "Reshape", 2, &absorbed[0]);
  const CwOnnx__NodeProto *mix = reshape ? producer(r, reshape->input[0], "MatMul", 2, &absorbed[1]) : NULL;
  const CwOnnx__NodeProto *sigmoid = mix ? producer(r, mix->input[0], "Sigmoid", 1, &absorbed[2]) : NULL;
  const CwOnnx__NodeProto *gemm = sigmoid ? producer(r, sigmoid->input[0], "Gemm", 3, &absorbed[3]) : NULL;
  if (!gemm || cw_onnx_attribute_int(gemm, "transB", 0) != 1 || cw_onnx_attribute_int(gemm, "transA", 0) ||
      cw_onnx_attribute_float(gemm, "alpha", 1) != 1 || cw_onnx_attribute_float(gemm, "beta", 1) != 1 ||
      cw_onnx_attribute_int(reshape, "allowzero", 0))
    return false;
  found->x = cw_onnx_find(r, conv->input[0]);
  found->experts = tensor(r, mix->input[1], 2);
  found->bias = tensor(r, conv->input[2], 1);
  found->routing_weight = tensor(r, gemm->input[1], 2);
  found->routing_bias = tensor(r, gemm->input[2], 1);
  if (!found->x || !found->experts || !found->bias || !found->routing_weight || !found->routing_bias ||
      !expert_shape(r, found->experts, reshape->input[1], shape))
    return false;
  const char *direction = gemm->input[0];
  *absorbed_count = match_means(r, gemm->input[0], conv->input[0], &direction, absorbed + 4) ? 7 : 4;
  found->direction = cw_onnx_find(r, direction);
  return found->direction && found->direction->kind != CW_ONNX_TENSOR && found->x->kind != CW_ONNX_TENSOR;
}

cw_status cw_onnx_match_cond_conv(cw_onnx_reader *r, int index) {
  const CwOnnx__NodeProto *conv = r->in->node[index];
  const cw_onnx_definition *weight = cw_onnx_find(r, conv->input[1]);
  if (weight->kind == CW_ONNX_TENSOR || weight->tensor)
    return CW_OK;
  int absorbed[7], count = 0;
  cw_shape shape = {0};
  cw_onnx_cond_conv *found = cw_onnx_take(&r->arena, 1, sizeof *found);
  if (!found)
    return CW_ERROR_MEMORY;
  const CwOnnx__NodeProto *reshape = producer(r, conv->input[1], "Reshape", 2, &absorbed[0]);
  const cw_onnx_constant *target;
  if (reshape) /* here, where a failure can be told */
    CW_TRY(cw_onnx_constant_of(r, reshape->input[1], &target));
  if (conv->n_input != 3 || !match(r, conv, found, &shape, absorbed, &count))
    return CW_OK; /* weights that other nodes give, as any */
  if (found->experts->experts.rank && !cw_shape_equal(&found->experts->experts, &shape))
    return cw_onnx_refuse(r, conv, "it shares experts of another shape");
  found->experts->experts = shape;
  for (int i = 0; i < count; i++)
    r->absorbed[absorbed[i]] = true;
  r->cond_conv[index] = found;
  return CW_OK;
}
