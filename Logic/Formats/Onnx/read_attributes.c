#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

enum { MOST_INPUTS = 8 };

/* What the library knows of an operator: number of inputs, and attributes with their types (s text, i integer,
 * f number, v list of integers). */
typedef struct known_operator {
  const char *op_type;
  size_t least, most;
  const char *attributes[9];
} known_operator;

static const known_operator known[] = {
    {"Conv", 2, 3, {"s auto_pad", "v dilations", "i group", "v kernel_shape", "v pads", "v strides"}},
    {"BatchNormalization", 5, 5, {"f epsilon", "f momentum", "i training_mode"}},
    {"Relu", 1, 1, {0}},
    {"LeakyRelu", 1, 1, {"f alpha"}},
    {"Sigmoid", 1, 1, {0}},
    {"Softmax", 1, 1, {"i axis"}},
    {"LogSoftmax", 1, 1, {"i axis"}},
    {"MaxPool",
     1,
     1,
     {"s auto_pad", "i ceil_mode", "v dilations", "v kernel_shape", "v pads", "i storage_order", "v strides"}},
    {"AveragePool",
     1,
     1,
     {"s auto_pad", "i ceil_mode", "i count_include_pad", "v kernel_shape", "v pads", "v strides"}},
    {"GlobalAveragePool", 1, 1, {0}},
    {"Resize", 3, 3, {"s mode", "s coordinate_transformation_mode", "s nearest_mode", "f cubic_coeff_a"}},
    {"Gemm", 2, 3, {"f alpha", "f beta", "i transA", "i transB"}},
    {"Add", 2, 2, {0}},
    {"Concat", 1, MOST_INPUTS, {"i axis"}},
    {"Reshape", 2, 2, {"i allowzero"}},
    {"Flatten", 1, 1, {"i axis"}},
    {"Mul", 2, 2, {0}},
    {"MatMul", 2, 2, {0}},
};

bool cw_onnx_is(const CwOnnx__NodeProto *node, const char *op_type) {
  return !strcmp(node->op_type, op_type);
}

const CwOnnx__AttributeProto *cw_onnx_attribute(const CwOnnx__NodeProto *node, const char *name) {
  for (size_t i = 0; i < node->n_attribute; i++)
    if (!strcmp(node->attribute[i]->name, name))
      return node->attribute[i];
  return NULL;
}

static char type_letter(CwOnnx__AttributeProto__AttributeType type) {
  switch (type) {
    case CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
      return 'f';
    case CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
      return 'i';
    case CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
      return 's';
    case CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
      return 'v';
    default:
      return '?';
  }
}

static bool is_known(const known_operator *op, const CwOnnx__AttributeProto *a) {
  for (int i = 0; i < 9 && op->attributes[i]; i++)
    if (!strcmp(op->attributes[i] + 2, a->name))
      return op->attributes[i][0] == type_letter(a->type);
  return false;
}

cw_status cw_onnx_check_node(cw_context *context, const CwOnnx__NodeProto *node) {
  char label[72], name[72];
  const known_operator *op = NULL;
  cw_onnx_node_label(node, label);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (cw_onnx_is(node, known[i].op_type))
      op = &known[i];
  if (!op || (*node->domain && strcmp(node->domain, "ai.onnx") != 0))
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' has the operator '%s', which is not supported",
                   label, cw_onnx_label(node->op_type, name));
  if (node->n_output != 1 || node->n_input < op->least || node->n_input > op->most)
    return cw_fail(context, CW_ERROR_UNSUPPORTED,
                   "onnx: node '%s' (%s) has %zu inputs and %zu outputs, expected %zu to "
                   "%zu and 1",
                   label, op->op_type, node->n_input, node->n_output, op->least, op->most);
  for (size_t k = 0; k < node->n_input; k++)
    if (!*node->input[k] && !(k == 1 && cw_onnx_is(node, "Resize")) && !(k == 2 && k + 1 == node->n_input))
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: node '%s' (%s) lacks its input %zu", label, op->op_type, k);
  for (size_t i = 0; i < node->n_attribute; i++)
    if (!is_known(op, node->attribute[i]) || cw_onnx_attribute(node, node->attribute[i]->name) != node->attribute[i])
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' (%s): attribute '%s' is not supported", label,
                     op->op_type, cw_onnx_label(node->attribute[i]->name, name));
  return CW_OK;
}

int64_t cw_onnx_attribute_int(const CwOnnx__NodeProto *node, const char *name, int64_t otherwise) {
  const CwOnnx__AttributeProto *a = cw_onnx_attribute(node, name);
  if (!a)
    return otherwise;
  return a->i_value_case == CW_ONNX__ATTRIBUTE_PROTO__I_VALUE_I ? a->i : 0;
}

float cw_onnx_attribute_float(const CwOnnx__NodeProto *node, const char *name, float otherwise) {
  const CwOnnx__AttributeProto *a = cw_onnx_attribute(node, name);
  if (!a)
    return otherwise;
  return a->f_value_case == CW_ONNX__ATTRIBUTE_PROTO__F_VALUE_F ? a->f : 0;
}

bool cw_onnx_attribute_is(const CwOnnx__NodeProto *node, const char *name, const char *text, bool otherwise) {
  const CwOnnx__AttributeProto *a = cw_onnx_attribute(node, name);
  if (!a)
    return otherwise;
  return a->s_value_case == CW_ONNX__ATTRIBUTE_PROTO__S_VALUE_S && a->s.len == strlen(text) &&
         !memcmp(a->s.data, text, a->s.len);
}

/* `count` integers in [low, high]; out is left alone if the attribute is absent. */
bool cw_onnx_attribute_ints(const CwOnnx__NodeProto *node, const char *name, int count, int low, int high, int *out) {
  const CwOnnx__AttributeProto *a = cw_onnx_attribute(node, name);
  if (!a)
    return true;
  if (a->n_ints != (size_t)count)
    return false;
  for (int i = 0; i < count; i++) {
    if (a->ints[i] < low || a->ints[i] > high)
      return false;
    out[i] = (int)a->ints[i];
  }
  return true;
}

/* A number that the writer noted in the node's doc_string ("counterwarp key=value ..."). */
bool cw_onnx_note(const CwOnnx__NodeProto *node, const char *key, double low, double high, double *value) {
  const char *at = node->doc_string;
  const size_t length = strlen(key);
  if (strncmp(at, "counterwarp ", 12) != 0)
    return false;
  for (at = strchr(at, ' '); at; at = strchr(at, ' ')) {
    at++;
    if (strncmp(at, key, length) != 0 || at[length] != '=')
      continue;
    at += length + 1;
    return cw_onnx_number(&at, value) && *value >= low && *value <= high;
  }
  return false;
}
