#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

const char *cw_onnx_node_label(const CwOnnx__NodeProto *node, char label[72]) {
  return cw_onnx_label(*node->name || !node->n_output ? node->name : node->output[0], label);
}

cw_status cw_onnx_refuse(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *reason) {
  char label[72], op_type[72];
  return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' (%s): %s", cw_onnx_node_label(node, label),
                 cw_onnx_label(node->op_type, op_type), reason);
}

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
    case CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
      return 'w';
    case CW_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
      return 't';
    default:
      return '?';
  }
}

static bool is_known(const cw_onnx_operator *op, const CwOnnx__AttributeProto *a) {
  const char letter = type_letter(a->type);
  for (int i = 0; i < 10 && op->attributes[i]; i++)
    if (!strcmp(op->attributes[i] + 2, a->name))
      return op->attributes[i][0] == letter && (letter != 't' || a->t);
  return false;
}

cw_status cw_onnx_check_node(cw_context *context, const CwOnnx__NodeProto *node, const cw_onnx_operator **found) {
  char label[72], name[72];
  cw_onnx_node_label(node, label);
  const cw_onnx_operator *op = *found = cw_onnx_operator_named(node->op_type);
  if (!op || (*node->domain && strcmp(node->domain, "ai.onnx") != 0))
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' has the operator '%s', which is not supported",
                   label, cw_onnx_label(node->op_type, name));
  if (!node->n_output || node->n_input < op->least || node->n_input > op->most)
    return cw_fail(context, CW_ERROR_UNSUPPORTED,
                   "onnx: node '%s' (%s) has %zu inputs and %zu outputs, expected %zu to %zu and at least 1", label,
                   op->op_type, node->n_input, node->n_output, op->least, op->most);
  for (size_t k = 0; k < op->least; k++)
    if (!*node->input[k])
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: node '%s' (%s) lacks its input %zu", label, op->op_type, k);
  for (size_t i = 0; i < node->n_attribute; i++)
    if (!is_known(op, node->attribute[i]) || cw_onnx_attribute(node, node->attribute[i]->name) != node->attribute[i])
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' (%s): attribute '%s' is not supported", label,
                     op->op_type, cw_onnx_label(node->attribute[i]->name, name));
  return CW_OK;
}

int cw_onnx_axis(int64_t axis, int rank) {
  return axis >= -rank && axis < rank ? (int)(axis < 0 ? axis + rank : axis) : -1;
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
