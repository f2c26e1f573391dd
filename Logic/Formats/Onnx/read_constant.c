/* Numbers known at load: constants, and what a node takes as an argument. */
#include <stdio.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

/* A constant of `count` numbers, or all of them, would be more than is computed at load. */
static cw_status too_many(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *what, int most) {
  char reason[96];
  snprintf(reason, sizeof reason, "%s of more than %d numbers", what, most);
  return node ? cw_onnx_refuse(r, node, reason) : cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: %s", reason);
}

cw_status cw_onnx_new_constant(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_onnx_precision precision, int rank,
                               const int64_t *d, cw_onnx_constant **constant) {
  size_t count = 1;
  for (int i = 0; i < rank; i++) {
    if (d[i] < 0 || (d[i] && count > (size_t)CW_ONNX_MOST_FOLDED / (size_t)d[i]))
      return too_many(r, node, "computed at load, it would be a constant", CW_ONNX_MOST_FOLDED);
    count *= (size_t)d[i];
  }
  if (count > (size_t)CW_ONNX_ALL_FOLDED - r->folded)
    return too_many(r, node, "the constants that are computed at load have a sum", CW_ONNX_ALL_FOLDED);
  r->folded += count;
  cw_onnx_constant *c = *constant = cw_onnx_take(&r->arena, 1, sizeof *c);
  if (!c)
    return CW_ERROR_MEMORY;
  c->precision = precision;
  c->rank = rank;
  for (int i = 0; i < rank; i++)
    c->d[i] = d[i];
  c->count = count;
  c->v = cw_onnx_take(&r->arena, count + 1, sizeof *c->v);
  c->batch = cw_onnx_take(&r->arena, count + 1, sizeof *c->batch);
  return c->v && c->batch ? CW_OK : CW_ERROR_MEMORY;
}

static cw_status load(cw_onnx_reader *r, cw_onnx_definition *d) {
  const CwOnnx__TensorProto *t = d->tensor;
  cw_onnx_constant *c = NULL;
  CW_TRY(cw_onnx_new_constant(r, NULL, cw_onnx_precision_of(t->data_type), (int)t->n_dims, t->dims, &c));
  CW_TRY(cw_onnx_numbers(r, t, c->v));
  d->constant = c;
  return CW_OK;
}

cw_status cw_onnx_constant_of(cw_onnx_reader *r, const char *name, const cw_onnx_constant **constant) {
  cw_onnx_definition *d = cw_onnx_find(r, name);
  *constant = NULL;
  if (!d)
    return CW_OK;
  if (!d->constant && d->tensor && cw_onnx_elements(d->tensor) <= CW_ONNX_MOST_FOLDED)
    CW_TRY(load(r, d));
  *constant = d->constant;
  return CW_OK;
}

cw_status cw_onnx_read_constant(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_onnx_definition *d = cw_onnx_output(r, node, 0);
  const CwOnnx__AttributeProto *a = node->n_attribute == 1 ? node->attribute[0] : NULL;
  if (d->tensor)
    return CW_OK;
  const bool floats = a && (!strcmp(a->name, "value_floats") || !strcmp(a->name, "value_float"));
  const bool one = a && (!strcmp(a->name, "value_float") || !strcmp(a->name, "value_int"));
  const int64_t count = one || !a ? 1 : (int64_t)(floats ? a->n_floats : a->n_ints);
  cw_onnx_constant *c;
  if (!a)
    return cw_onnx_refuse(r, node, "expected one value");
  CW_TRY(cw_onnx_new_constant(r, node, floats ? CW_ONNX_FLOATS : CW_ONNX_WHOLES, one ? 0 : 1, &count, &c));
  for (int64_t i = 0; i < count; i++)
    c->v[i] = one ? floats ? cw_onnx_attribute_float(node, a->name, 0) : (double)cw_onnx_attribute_int(node, a->name, 0)
              : floats ? a->floats[i]
                       : (double)a->ints[i];
  d->constant = c;
  return CW_OK;
}

/* ---- constants as arguments ---- */

cw_status cw_onnx_integers(cw_onnx_reader *r, const CwOnnx__NodeProto *node, size_t input, const char *attribute,
                           int most, int64_t *out, int *count) {
  const CwOnnx__AttributeProto *a = attribute ? cw_onnx_attribute(node, attribute) : NULL;
  *count = 0;
  if (a) {
    if (a->n_ints > (size_t)most)
      return cw_onnx_refuse(r, node, "a list of numbers is too long");
    for (size_t i = 0; i < a->n_ints; i++)
      out[(*count)++] = cw_onnx_integer((double)a->ints[i]);
    return CW_OK;
  }
  if (input >= node->n_input || !*node->input[input])
    return CW_OK;
  const cw_onnx_constant *c;
  CW_TRY(cw_onnx_constant_of(r, node->input[input], &c));
  if (!c || c->rank > 1 || c->precision != CW_ONNX_WHOLES || c->count > (size_t)most)
    return cw_onnx_refuse(r, node, "expected a short list of whole numbers that is known at load");
  for (size_t i = 0; i < c->count; i++) {
    if (c->batch[i])
      return cw_onnx_refuse(r, node, "a number depends on the batch");
    out[(*count)++] = cw_onnx_integer(c->v[i]);
  }
  return CW_OK;
}

cw_status cw_onnx_scalar(cw_onnx_reader *r, const CwOnnx__NodeProto *node, size_t input, const char *attribute,
                         float *value) {
  if (attribute && cw_onnx_attribute(node, attribute)) {
    *value = cw_onnx_attribute_float(node, attribute, *value);
    return CW_OK;
  }
  if (input >= node->n_input || !*node->input[input])
    return CW_OK;
  const cw_onnx_constant *c;
  CW_TRY(cw_onnx_constant_of(r, node->input[input], &c));
  if (!c || c->count != 1 || c->batch[0])
    return cw_onnx_refuse(r, node, "expected one number that is known at load");
  *value = (float)c->v[0];
  return CW_OK;
}
