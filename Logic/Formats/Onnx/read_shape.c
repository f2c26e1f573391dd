/* Reshape and its kin, transpose, expand and concat. */
#include <stdio.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

static int batch_axis(const cw_shape *shape) {
  for (int i = 0; i < shape->rank; i++)
    if (shape->d[i] == CW_BATCH)
      return i;
  return -1;
}

cw_status cw_onnx_reshape(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *part, cw_value x,
                          const cw_shape *shape, cw_value *y) {
  if (cw_shape_equal(shape, cw_value_shape(r->graph, x))) {
    *y = x;
    return CW_OK;
  }
  cw_attributes a = cw_attributes_default();
  a.shape = *shape;
  return cw_onnx_add(r, node, part, CW_OP_RESHAPE, &a, &x, 1, y);
}

static cw_status give_reshape(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_value x, const cw_shape *shape) {
  cw_value y;
  CW_TRY(cw_onnx_reshape(r, node, NULL, x, shape, &y));
  cw_onnx_define(r, node, 0, y);
  return CW_OK;
}

/* Elements of a sample in front of axis `axis`; an axis that is still open counts as nothing. */
static int64_t before(const int64_t *d, int axis) {
  int64_t product = 1;
  for (int i = 0; i < axis; i++)
    product *= d[i] > 0 ? d[i] : 1;
  return product;
}

/* Which axis of the target is the batch where none is marked: files for a fixed batch of one write 1 (or leave -1) in
 * its place.  It must stand behind as many elements as in the input. */
static int guess_batch(const cw_shape *in, const cw_shape *to, int open, int64_t rest) {
  const int was = batch_axis(in);
  const int64_t front = before(in->d, was);
  const int order[2] = {was, open};
  for (int k = 0; k < 2; k++) {
    const int i = order[k];
    /* As the batch, the open axis must not be needed for elements. */
    if (i >= 0 && i < to->rank && (to->d[i] == 1 || (i == open && rest == 1)) && (open < 0 || open >= i || i == open) &&
        before(to->d, i) == front)
      return i;
  }
  for (int i = 0; i < to->rank; i++)
    if (to->d[i] == 1 && before(to->d, i) * (open >= 0 && open < i ? rest : 1) == front)
      return i;
  return -1;
}

/* The target of a Reshape with 0, -1 and the batch resolved. */
static cw_status resolve(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *in,
                         const cw_onnx_constant *target, cw_shape *to) {
  const bool keep_zero = cw_onnx_attribute_int(node, "allowzero", 0) != 0;
  const int64_t elements = cw_shape_elements(in, 1);
  int64_t known = 1;
  int open = -1, batch = -1;
  to->rank = (int)target->count;
  for (int i = 0; i < to->rank; i++) {
    const double v = target->v[i];
    int64_t d = v >= -1 && v <= (double)INT32_MAX ? (int64_t)v : -2;
    const bool copies = d == 0 && !keep_zero && i < in->rank;
    if ((target->batch[i] && d == 1) || (copies && in->d[i] == CW_BATCH)) {
      if (batch >= 0)
        return cw_onnx_refuse(r, node, "two axes of the shape depend on the batch");
      batch = i;
      to->d[i] = 1;
      continue;
    }
    d = copies ? in->d[i] : d;
    if (target->batch[i] || d < -1 || d == 0 || (d == -1 && open >= 0) || (d > 0 && known > elements / d))
      return cw_onnx_refuse(
          r, node,
          target->batch[i] ? "an axis of the shape is a multiple of the batch" : "the shape does not fit the input");
    if (d == -1)
      open = i;
    else
      known *= d;
    to->d[i] = d;
  }
  if (elements % known || (open < 0 && known != elements))
    return cw_onnx_refuse(r, node, "the shape does not fit the input");
  if (batch_axis(in) >= 0 && batch < 0)
    batch = guess_batch(in, to, open, elements / known);
  if (open >= 0)
    to->d[open] = elements / known;
  if ((batch_axis(in) >= 0) != (batch >= 0))
    return cw_onnx_refuse(r, node, "the batch does not stay an axis of its own");
  if (batch >= 0)
    to->d[batch] = CW_BATCH;
  return CW_OK;
}

cw_status cw_onnx_read_reshape(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const cw_onnx_constant *target;
  cw_value x;
  cw_shape shape = {0};
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_constant_of(r, node->input[1], &target));
  if (!target || target->rank != 1 || !target->count || target->count > CW_MAX_RANK)
    return cw_onnx_refuse(r, node, "expected a shape of 1 to 8 axes that is known at load");
  CW_TRY(resolve(r, node, cw_value_shape(r->graph, x), target, &shape));
  return give_reshape(r, node, x, &shape);
}

cw_status cw_onnx_read_flatten(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape in = *cw_value_shape(r->graph, x);
  const int64_t given = cw_onnx_attribute_int(node, "axis", 1);
  const int axis = given == in.rank ? in.rank : cw_onnx_axis(given, in.rank), batch = batch_axis(&in);
  if (axis < 0)
    return cw_onnx_refuse(r, node, "there is no such axis");
  int64_t sizes[2] = {1, 1};
  for (int i = 0; i < in.rank; i++)
    sizes[i >= axis] *= i == batch ? 1 : in.d[i];
  cw_shape shape = CW_SHAPE(sizes[0], sizes[1]);
  if (batch >= 0 && sizes[batch >= axis] != 1)
    return cw_onnx_refuse(r, node, "the batch does not stay an axis of its own");
  if (batch >= 0)
    shape.d[batch >= axis] = CW_BATCH;
  return give_reshape(r, node, x, &shape);
}

/* Axes of an input or attribute as a mask; `rank` is that of the tensor that has them. */
static cw_status read_axes(cw_onnx_reader *r, const CwOnnx__NodeProto *node, int more, int rank, unsigned *mask,
                           int *count) {
  int64_t axes[CW_MAX_RANK];
  CW_TRY(cw_onnx_integers(r, node, 1, "axes", CW_MAX_RANK, axes, count));
  rank += more ? *count : 0;
  *mask = 0;
  for (int i = 0; i < *count; i++) {
    const int axis = cw_onnx_axis(axes[i], rank);
    if (axis < 0 || rank > CW_MAX_RANK || (*mask >> axis & 1))
      return cw_onnx_refuse(r, node, "the axes do not fit the input");
    *mask |= 1u << axis;
  }
  return CW_OK;
}

cw_status cw_onnx_read_squeeze(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value x;
  unsigned mask;
  int count;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape in = *cw_value_shape(r->graph, x);
  CW_TRY(read_axes(r, node, 0, in.rank, &mask, &count));
  cw_shape shape = {0};
  for (int i = 0; i < in.rank; i++) {
    const bool goes = count ? mask >> i & 1 : in.d[i] == 1;
    if (goes && in.d[i] != 1)
      return cw_onnx_refuse(
          r, node,
          in.d[i] == CW_BATCH ? "the batch axis cannot be squeezed" : "an axis to squeeze has more than one sample");
    if (!goes)
      shape.d[shape.rank++] = in.d[i];
  }
  if (!shape.rank)
    shape.d[shape.rank++] = 1;
  return give_reshape(r, node, x, &shape);
}

cw_status cw_onnx_read_unsqueeze(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value x;
  unsigned mask;
  int count;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape in = *cw_value_shape(r->graph, x);
  CW_TRY(read_axes(r, node, 1, in.rank, &mask, &count));
  cw_shape shape = {0};
  shape.rank = in.rank + count;
  for (int i = 0, from = 0; i < shape.rank; i++)
    shape.d[i] = mask >> i & 1 ? 1 : in.d[from++];
  return give_reshape(r, node, x, &shape);
}

cw_status cw_onnx_read_transpose(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const int rank = cw_value_shape(r->graph, x)->rank;
  for (int i = 0; i < rank; i++)
    a.order[i] = rank - 1 - i;
  if (!cw_onnx_attribute_ints(node, "perm", rank, 0, rank - 1, a.order))
    return cw_onnx_refuse(r, node, "perm does not fit the input");
  return cw_onnx_give(r, node, CW_OP_TRANSPOSE, &a, &x, 1);
}

/* A target's sizes, the batch among them; CW_ERROR_UNSUPPORTED if it is not known. */
static cw_status sizes_of(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_onnx_constant *target,
                          cw_shape *shape) {
  if (!target || target->rank != 1 || !target->count || target->count > CW_MAX_RANK)
    return cw_onnx_refuse(r, node, "expected a shape of 1 to 8 axes that is known at load");
  shape->rank = (int)target->count;
  for (int i = 0; i < shape->rank; i++) {
    const double v = target->v[i];
    if (!(v >= 1 && v <= (double)INT32_MAX) || (target->batch[i] && v != 1))
      return cw_onnx_refuse(r, node, "an axis of the shape has no usable size");
    shape->d[i] = target->batch[i] ? CW_BATCH : (int64_t)v;
  }
  return CW_OK;
}

static cw_status expand_to(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_value x, cw_shape shape) {
  const cw_shape in = *cw_value_shape(r->graph, x);
  cw_attributes a = cw_attributes_default();
  a.shape = shape;
  for (; a.shape.rank < in.rank; a.shape.rank++) {
    memmove(a.shape.d + 1, a.shape.d, (size_t)a.shape.rank * sizeof *a.shape.d);
    a.shape.d[0] = 1;
  }
  for (int i = 0; i < in.rank; i++) /* 1 in the target keeps the input's size */
    if (a.shape.d[a.shape.rank - in.rank + i] == 1)
      a.shape.d[a.shape.rank - in.rank + i] = in.d[i];
  if (cw_shape_equal(&a.shape, &in)) {
    cw_onnx_define(r, node, 0, x);
    return CW_OK;
  }
  return cw_onnx_give(r, node, CW_OP_EXPAND, &a, &x, 1);
}

/* ConstantOfShape of more numbers than are folded, or with the batch among its axes, is an expanded number. */
cw_status cw_onnx_read_expand(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const bool filled = cw_onnx_is(node, "ConstantOfShape");
  const cw_onnx_constant *target;
  cw_shape shape = {0};
  cw_value x;
  CW_TRY(cw_onnx_constant_of(r, node->input[filled ? 0 : 1], &target));
  CW_TRY(sizes_of(r, node, target, &shape));
  if (!filled) {
    CW_TRY(cw_onnx_value(r, node, 0, &x));
    return expand_to(r, node, x, shape);
  }
  const CwOnnx__AttributeProto *value = cw_onnx_attribute(node, "value");
  double number = 0;
  if (value) {
    CW_TRY(cw_onnx_check_tensor(r, value->t));
    if (cw_onnx_elements(value->t) != 1)
      return cw_onnx_refuse(r, node, "the value is not one number");
    CW_TRY(cw_onnx_numbers(r, value->t, &number));
  }
  const float filling = (float)number;
  CW_TRY(cw_onnx_buffer(r, node, "value", CW_SHAPE(1), &filling, &x));
  return expand_to(r, node, x, shape);
}

/* More inputs than a node takes are joined step by step. */
cw_status cw_onnx_read_concat(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  enum { MOST = 8 };
  cw_attributes a = cw_attributes_default();
  cw_value in[MOST], joined;
  int count = 0;
  CW_TRY(cw_onnx_value(r, node, 0, &in[0]));
  a.axis = cw_onnx_axis(cw_onnx_attribute_int(node, "axis", 1), cw_value_shape(r->graph, in[0])->rank);
  for (size_t k = 0; k < node->n_input; k++) {
    if (count == MOST) {
      char part[32];
      snprintf(part, sizeof part, "first %zu", k);
      CW_TRY(cw_onnx_add(r, node, part, CW_OP_CONCAT, &a, in, count, &joined));
      in[0] = joined;
      count = 1;
    }
    CW_TRY(cw_onnx_value(r, node, k, &in[count]));
    if (in[count++] == CW_NONE)
      return cw_onnx_refuse(r, node, "an input is missing");
  }
  return cw_onnx_give(r, node, CW_OP_CONCAT, &a, in, count);
}
