/* Numbers known at load: constants, and what a node takes as an argument. */
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

cw_status cw_onnx_new_constant(cw_onnx_reader *r, bool whole, int rank, const int64_t *d, cw_onnx_constant **constant) {
  size_t count = 1;
  for (int i = 0; i < rank; i++) {
    if (d[i] < 0 || (d[i] && count > (size_t)CW_ONNX_MOST_FOLDED / (size_t)d[i]))
      return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: a constant of more than %d numbers is computed at load",
                     (int)CW_ONNX_MOST_FOLDED);
    count *= (size_t)d[i];
  }
  if (count > (size_t)CW_ONNX_ALL_FOLDED - r->folded)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: constants of more than %d numbers are computed at load",
                   (int)CW_ONNX_ALL_FOLDED);
  r->folded += count;
  cw_onnx_constant *c = *constant = cw_onnx_take(&r->arena, 1, sizeof *c);
  if (!c)
    return CW_ERROR_MEMORY;
  c->whole = whole;
  c->rank = rank;
  for (int i = 0; i < rank; i++)
    c->d[i] = d[i];
  c->count = count;
  c->v = cw_onnx_take(&r->arena, count + 1, sizeof *c->v);
  c->batch = cw_onnx_take(&r->arena, count + 1, sizeof *c->batch);
  return c->v && c->batch ? CW_OK : CW_ERROR_MEMORY;
}

static cw_status load(cw_onnx_reader *r, cw_onnx_definition *d) {
  cw_onnx_constant *c;
  CW_TRY(cw_onnx_new_constant(r, !cw_onnx_is_float(d->tensor->data_type), (int)d->tensor->n_dims, d->tensor->dims, &c));
  CW_TRY(cw_onnx_numbers(r, d->tensor, c->v));
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
  CW_TRY(cw_onnx_new_constant(r, !floats, one ? 0 : 1, &count, &c));
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
  if (!c || c->rank > 1 || !c->whole || c->count > (size_t)most)
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
