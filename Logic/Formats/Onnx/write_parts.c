/* Nodes and attributes of a file under construction. */
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

enum { MOST_ATTRIBUTES = 8 };

CwOnnx__NodeProto *cw_onnx_add_node(cw_onnx_writer *w, const char *op_type, const char *output,
                                    const char *const *inputs, int count) {
  CwOnnx__NodeProto *node = cw_onnx_take(&w->arena, 1, sizeof *node);
  if (!node)
    return NULL;
  cw_onnx__node_proto__init(node);
  node->name = node->op_type = NULL;
  node->input = cw_onnx_take(&w->arena, (size_t)count, sizeof *node->input);
  node->output = cw_onnx_take(&w->arena, 1, sizeof *node->output);
  node->attribute = cw_onnx_take(&w->arena, MOST_ATTRIBUTES, sizeof *node->attribute);
  if (!node->input || !node->output || !node->attribute)
    return NULL;
  /* The schema's strings are not const; nothing is written through them. */
  node->op_type = (char *)op_type;
  node->name = (char *)output;
  node->output[0] = (char *)output;
  node->n_output = 1;
  for (int i = 0; i < count; i++)
    node->input[i] = (char *)inputs[i];
  node->n_input = (size_t)count;
  w->out->node[w->out->n_node++] = node;
  return node;
}

static CwOnnx__AttributeProto *add_attribute(cw_onnx_writer *w, CwOnnx__NodeProto *node, const char *name,
                                             CwOnnx__AttributeProto__AttributeType type) {
  CwOnnx__AttributeProto *attribute = cw_onnx_take(&w->arena, 1, sizeof *attribute);
  if (!attribute)
    return NULL;
  cw_onnx__attribute_proto__init(attribute);
  attribute->name = (char *)name;
  attribute->type = type;
  node->attribute[node->n_attribute++] = attribute;
  return attribute;
}

cw_status cw_onnx_put_int(cw_onnx_writer *w, CwOnnx__NodeProto *node, const char *name, int64_t value) {
  CwOnnx__AttributeProto *a = add_attribute(w, node, name, CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
  if (!a)
    return CW_ERROR_MEMORY;
  a->i_value_case = CW_ONNX__ATTRIBUTE_PROTO__I_VALUE_I;
  a->i = value;
  return CW_OK;
}

cw_status cw_onnx_put_float(cw_onnx_writer *w, CwOnnx__NodeProto *node, const char *name, float value) {
  CwOnnx__AttributeProto *a = add_attribute(w, node, name, CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
  if (!a)
    return CW_ERROR_MEMORY;
  a->f_value_case = CW_ONNX__ATTRIBUTE_PROTO__F_VALUE_F;
  a->f = value;
  return CW_OK;
}

cw_status cw_onnx_put_text(cw_onnx_writer *w, CwOnnx__NodeProto *node, const char *name, const char *text) {
  CwOnnx__AttributeProto *a = add_attribute(w, node, name, CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
  if (!a)
    return CW_ERROR_MEMORY;
  a->s_value_case = CW_ONNX__ATTRIBUTE_PROTO__S_VALUE_S;
  a->s.data = (uint8_t *)text;
  a->s.len = strlen(text);
  return CW_OK;
}

cw_status cw_onnx_put_ints(cw_onnx_writer *w, CwOnnx__NodeProto *node, const char *name, const int *values, int count) {
  CwOnnx__AttributeProto *a = add_attribute(w, node, name, CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
  if (!a)
    return CW_ERROR_MEMORY;
  a->ints = cw_onnx_take(&w->arena, (size_t)count, sizeof *a->ints);
  if (!a->ints)
    return CW_ERROR_MEMORY;
  for (int i = 0; i < count; i++)
    a->ints[i] = values[i];
  a->n_ints = (size_t)count;
  return CW_OK;
}

/* kernel_shape, strides, pads; convolutions: dilations and group too. */
cw_status cw_onnx_put_window(cw_onnx_writer *w, CwOnnx__NodeProto *node, const cw_attributes *a, const int kernel[3]) {
  CW_TRY(cw_onnx_put_ints(w, node, "kernel_shape", kernel, 3));
  CW_TRY(cw_onnx_put_ints(w, node, "pads", a->pads, 6));
  return cw_onnx_put_ints(w, node, "strides", a->stride, 3);
}
