/* Exports compute shapes by nodes (Shape, Gather, Concat, ...); these are folded here, with the batch as a symbol, so
 * that they become attributes. */
#include <math.h>
#include <string.h>

#include "Formats/Onnx/fold.h"

cw_status cw_onnx_fold_give(cw_onnx_folding *f, cw_onnx_precision precision, int rank, const int64_t *d) {
  return cw_onnx_new_constant(f->r, f->node, precision, rank, d, &f->out);
}

void cw_onnx_fold_copy(cw_onnx_folding *f, size_t to, const cw_onnx_constant *from, size_t at) {
  f->out->v[to] = from->v[at];
  f->out->batch[to] = from->batch[at];
}

static cw_status fold_shape(cw_onnx_folding *f) {
  cw_value x = CW_NONE;
  cw_shape shape = {0};
  if (f->in[0]) {
    shape.rank = f->in[0]->rank;
    memcpy(shape.d, f->in[0]->d, sizeof shape.d);
  } else {
    CW_TRY(cw_onnx_value(f->r, f->node, 0, &x));
    shape = *cw_value_shape(f->r->graph, x);
  }
  int64_t first = cw_onnx_attribute_int(f->node, "start", 0), last = cw_onnx_attribute_int(f->node, "end", shape.rank);
  first = first < 0 ? first + shape.rank : first;
  last = last < 0 ? last + shape.rank : last;
  first = first < 0 ? 0 : first > shape.rank ? shape.rank : first;
  last = last < first ? first : last > shape.rank ? shape.rank : last;
  const int64_t count = last - first;
  CW_TRY(cw_onnx_fold_give(f, CW_ONNX_WHOLES, 1, &count));
  for (int64_t i = 0; i < count; i++) {
    f->out->batch[i] = shape.d[first + i] == CW_BATCH;
    f->out->v[i] = f->out->batch[i] ? 1 : (double)shape.d[first + i];
  }
  return CW_OK;
}

static cw_status fold_gather(cw_onnx_folding *f) {
  const cw_onnx_constant *x = f->in[0], *indices = f->in[1];
  if (x->rank != 1 || indices->rank > 1)
    return CW_OK;
  CW_TRY(cw_onnx_fold_give(f, x->precision, indices->rank, indices->d));
  for (size_t i = 0; i < indices->count; i++) {
    const double at = indices->v[i] < 0 ? indices->v[i] + (double)x->count : indices->v[i];
    if (indices->batch[i] || !(at >= 0 && at < (double)x->count))
      return cw_onnx_refuse(f->r, f->node, "an index is outside the data");
    cw_onnx_fold_copy(f, i, x, (size_t)at);
  }
  return CW_OK;
}

static cw_status fold_concat(cw_onnx_folding *f) {
  int64_t total = 0;
  for (size_t k = 0; k < f->node->n_input; k++) {
    const cw_onnx_constant *c;
    CW_TRY(cw_onnx_constant_of(f->r, f->node->input[k], &c));
    if (!c || c->rank != 1)
      return CW_OK;
    total += (int64_t)c->count;
  }
  if (total > CW_ONNX_MOST_FOLDED && f->in[0]->precision != CW_ONNX_WHOLES)
    return CW_OK; /* a layer does it */
  CW_TRY(cw_onnx_fold_give(f, f->in[0]->precision, 1, &total));
  size_t to = 0;
  for (size_t k = 0; k < f->node->n_input; k++) {
    const cw_onnx_constant *c;
    CW_TRY(cw_onnx_constant_of(f->r, f->node->input[k], &c));
    for (size_t i = 0; i < c->count; i++)
      cw_onnx_fold_copy(f, to++, c, i);
  }
  return CW_OK;
}

/* The same numbers under other axes. */
static cw_status fold_axes(cw_onnx_folding *f, int rank, const int64_t *d) {
  size_t count = 1;
  for (int i = 0; i < rank; i++)
    count *= (size_t)d[i];
  if (count != f->in[0]->count)
    return cw_onnx_refuse(f->r, f->node, "the shape does not fit the constant");
  CW_TRY(cw_onnx_fold_give(f, f->in[0]->precision, rank, d));
  for (size_t i = 0; i < count; i++)
    cw_onnx_fold_copy(f, i, f->in[0], i);
  return CW_OK;
}

static cw_status fold_reshape(cw_onnx_folding *f) {
  const cw_onnx_constant *x = f->in[0], *target = f->in[1];
  int64_t d[CW_MAX_RANK], known = 1;
  int open = -1;
  if (target->rank != 1 || target->count > CW_MAX_RANK)
    return CW_OK;
  for (size_t i = 0; i < target->count; i++) {
    d[i] = cw_onnx_integer(target->v[i]);
    if (target->batch[i] || d[i] < -1 || d[i] > CW_ONNX_MOST_FOLDED)
      return CW_OK;
    if (d[i] == 0 && (int)i < x->rank && !cw_onnx_attribute_int(f->node, "allowzero", 0))
      d[i] = x->d[i];
    if (d[i] == -1)
      open = (int)i;
    else
      known *= d[i] > 0 && known <= CW_ONNX_MOST_FOLDED ? d[i] : 1;
  }
  if (open >= 0)
    d[open] = (int64_t)x->count / (known ? known : 1);
  return fold_axes(f, (int)target->count, d);
}

static cw_status fold_unsqueeze(cw_onnx_folding *f) {
  int64_t axes[CW_MAX_RANK], d[CW_MAX_RANK];
  int count;
  CW_TRY(cw_onnx_integers(f->r, f->node, 1, "axes", CW_MAX_RANK, axes, &count));
  const int rank = f->in[0]->rank + count;
  unsigned mask = 0;
  for (int i = 0; i < count; i++) {
    const int axis = cw_onnx_axis(axes[i], rank);
    if (axis < 0 || rank > CW_MAX_RANK)
      return cw_onnx_refuse(f->r, f->node, "there is no such axis");
    mask |= 1u << axis;
  }
  for (int i = 0, from = 0; i < rank; i++)
    d[i] = mask >> i & 1 || from >= f->in[0]->rank ? 1 : f->in[0]->d[from++];
  return fold_axes(f, rank, d);
}

static cw_status fold_squeeze(cw_onnx_folding *f) {
  int64_t axes[CW_MAX_RANK], d[CW_MAX_RANK];
  int count, rank = 0;
  unsigned mask = 0;
  CW_TRY(cw_onnx_integers(f->r, f->node, 1, "axes", CW_MAX_RANK, axes, &count));
  for (int i = 0; i < count; i++) {
    const int axis = cw_onnx_axis(axes[i], f->in[0]->rank);
    mask |= axis < 0 ? 0 : 1u << axis;
  }
  for (int i = 0; i < f->in[0]->rank; i++)
    if (f->in[0]->d[i] != 1 || (count && !(mask >> i & 1)))
      d[rank++] = f->in[0]->d[i];
  return fold_axes(f, rank, d);
}

/* Of the first axis only, which is what shapes and lists of pads have. */
static cw_status fold_slice(cw_onnx_folding *f) {
  const cw_onnx_constant *x = f->in[0];
  int64_t starts[CW_MAX_RANK], ends[CW_MAX_RANK], axes[CW_MAX_RANK] = {0}, steps[CW_MAX_RANK] = {1};
  int count, ends_count, axes_count, steps_count;
  CW_TRY(cw_onnx_integers(f->r, f->node, 1, "starts", CW_MAX_RANK, starts, &count));
  CW_TRY(cw_onnx_integers(f->r, f->node, 2, "ends", CW_MAX_RANK, ends, &ends_count));
  CW_TRY(cw_onnx_integers(f->r, f->node, 3, "axes", CW_MAX_RANK, axes, &axes_count));
  CW_TRY(cw_onnx_integers(f->r, f->node, 4, "steps", CW_MAX_RANK, steps, &steps_count));
  if (count != 1 || ends_count != 1 || x->rank < 1 || cw_onnx_axis(axes[0], x->rank) != 0 || steps[0] == 0)
    return CW_OK;
  const int64_t size = x->d[0], step = steps[0], inner = size ? (int64_t)x->count / size : 0;
  int64_t first = starts[0] < 0 ? starts[0] + size : starts[0], last = ends[0] < 0 ? ends[0] + size : ends[0];
  first = first < 0 ? 0 : first > size - (step < 0) ? size - (step < 0) : first;
  last = last < -1 ? -1 : last > size ? size : last;
  if (step > 0 && last < 0)
    last = 0;
  int64_t d[CW_MAX_RANK];
  memcpy(d, x->d, sizeof d);
  const int64_t span = step > 0 ? last - first : first - last, by = step > 0           ? step
                                                                    : step < -size - 1 ? size + 1
                                                                                       : -step;
  d[0] = span > 0 ? (span - 1) / by + 1 : 0;
  CW_TRY(cw_onnx_fold_give(f, x->precision, x->rank, d));
  for (int64_t i = 0; i < d[0]; i++)
    for (int64_t k = 0; k < inner; k++)
      cw_onnx_fold_copy(f, (size_t)(i * inner + k), x, (size_t)((first + (step > 0 ? i * by : -i * by)) * inner + k));
  return CW_OK;
}

static cw_status fold_transpose(cw_onnx_folding *f) {
  const cw_onnx_constant *x = f->in[0];
  const CwOnnx__AttributeProto *perm = cw_onnx_attribute(f->node, "perm");
  if (x->rank != 2 || (perm && (perm->n_ints != 2 || perm->ints[0] != 1 || perm->ints[1] != 0)))
    return CW_OK;
  const int64_t d[2] = {x->d[1], x->d[0]};
  CW_TRY(cw_onnx_fold_give(f, x->precision, 2, d));
  for (int64_t i = 0; i < d[0]; i++)
    for (int64_t k = 0; k < d[1]; k++)
      cw_onnx_fold_copy(f, (size_t)(i * d[1] + k), x, (size_t)(k * d[0] + i));
  return CW_OK;
}

/* A shape with the batch in it cannot be filled now: left for the reader (Expand). */
static cw_status fold_constant_of_shape(cw_onnx_folding *f) {
  int64_t d[CW_MAX_RANK];
  size_t total = 1;
  if (f->in[0]->count > CW_MAX_RANK)
    return cw_onnx_refuse(f->r, f->node, "the shape has too many axes");
  for (size_t i = 0; i < f->in[0]->count; i++) {
    if (f->in[0]->batch[i])
      return CW_OK;
    d[i] = cw_onnx_integer(f->in[0]->v[i]);
    if (d[i] < 0 || (d[i] && total > (size_t)CW_ONNX_MOST_FOLDED / (size_t)d[i]))
      return CW_OK;
    total *= (size_t)d[i];
  }
  const CwOnnx__AttributeProto *value = cw_onnx_attribute(f->node, "value");
  double number = 0;
  if (value && value->t) {
    CW_TRY(cw_onnx_check_tensor(f->r, value->t));
    if (cw_onnx_elements(value->t) != 1)
      return cw_onnx_refuse(f->r, f->node, "the value is not one number");
    CW_TRY(cw_onnx_numbers(f->r, value->t, &number));
  }
  const cw_onnx_precision precision = cw_onnx_precision_of(value && value->t ? value->t->data_type : CW_ONNX_FLOAT);
  CW_TRY(cw_onnx_fold_give(f, precision, (int)f->in[0]->count, d));
  for (size_t i = 0; i < f->out->count; i++)
    f->out->v[i] = number;
  return CW_OK;
}

static const struct {
  const char *op_type;
  cw_status (*fold)(cw_onnx_folding *f);
  int inputs;
} folds[] = {{"Shape", fold_shape, 0},
             {"Gather", fold_gather, 2},
             {"Concat", fold_concat, 1},
             {"Reshape", fold_reshape, 2},
             {"Unsqueeze", fold_unsqueeze, 1},
             {"Squeeze", fold_squeeze, 1},
             {"Slice", fold_slice, 1},
             {"Transpose", fold_transpose, 1},
             {"Range", cw_onnx_fold_range, 3},
             {"ConstantOfShape", fold_constant_of_shape, 1},
             {"Add", cw_onnx_fold_binary, 2},
             {"Sub", cw_onnx_fold_binary, 2},
             {"Mul", cw_onnx_fold_binary, 2},
             {"Div", cw_onnx_fold_binary, 2},
             {"Pow", cw_onnx_fold_binary, 2},
             {"Min", cw_onnx_fold_binary, 2},
             {"Max", cw_onnx_fold_binary, 2},
             {"Equal", cw_onnx_fold_binary, 2},
             {"Where", cw_onnx_fold_where, 3},
             {"Cast", cw_onnx_fold_unary, 1},
             {"Neg", cw_onnx_fold_unary, 1},
             {"Sqrt", cw_onnx_fold_unary, 1},
             {"Reciprocal", cw_onnx_fold_unary, 1},
             {"Floor", cw_onnx_fold_unary, 1},
             {"Ceil", cw_onnx_fold_unary, 1}};

cw_status cw_onnx_fold(cw_onnx_reader *r, const CwOnnx__NodeProto *node, bool *folded) {
  cw_onnx_folding f = {r, node, {0}, 0, NULL};
  *folded = false;
  for (size_t k = 0; k < sizeof folds / sizeof *folds; k++) {
    if (!cw_onnx_is(node, folds[k].op_type))
      continue;
    for (size_t i = 0; i < node->n_input && i < 4; i++)
      CW_TRY(cw_onnx_constant_of(r, node->input[i], &f.in[f.count++]));
    for (int i = 0; i < folds[k].inputs; i++)
      if (i >= f.count || !f.in[i] || (folds[k].fold == cw_onnx_fold_range && f.in[i]->count != 1))
        return CW_OK;
    CW_TRY(folds[k].fold(&f));
    if (f.out) {
      cw_onnx_output(r, node, 0)->constant = f.out;
      *folded = true;
    }
    return CW_OK;
  }
  return CW_OK;
}
