/* Exports compute shapes by nodes (Shape, Gather, Concat, ...); these are folded here, with the batch as a symbol, so
 * that they become attributes. */
#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

typedef struct fold {
  cw_onnx_reader *r;
  const CwOnnx__NodeProto *node;
  const cw_onnx_constant *in[4];
  int count;
  cw_onnx_constant *out;
} fold;

static cw_status give(fold *f, bool whole, int rank, const int64_t *d) {
  return cw_onnx_new_constant(f->r, whole, rank, d, &f->out);
}

static void copy_number(fold *f, size_t to, const cw_onnx_constant *from, size_t at) {
  f->out->v[to] = from->v[at];
  f->out->batch[to] = from->batch[at];
}

static cw_status fold_shape(fold *f) {
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
  CW_TRY(give(f, true, 1, &count));
  for (int64_t i = 0; i < count; i++) {
    f->out->batch[i] = shape.d[first + i] == CW_BATCH;
    f->out->v[i] = f->out->batch[i] ? 1 : (double)shape.d[first + i];
  }
  return CW_OK;
}

static cw_status fold_gather(fold *f) {
  const cw_onnx_constant *x = f->in[0], *indices = f->in[1];
  if (x->rank != 1 || indices->rank > 1)
    return CW_OK;
  CW_TRY(give(f, x->whole, indices->rank, indices->d));
  for (size_t i = 0; i < indices->count; i++) {
    const double at = indices->v[i] < 0 ? indices->v[i] + (double)x->count : indices->v[i];
    if (indices->batch[i] || !(at >= 0 && at < (double)x->count))
      return cw_onnx_refuse(f->r, f->node, "an index is outside the data");
    copy_number(f, i, x, (size_t)at);
  }
  return CW_OK;
}

static cw_status fold_concat(fold *f) {
  int64_t total = 0;
  for (size_t k = 0; k < f->node->n_input; k++) {
    const cw_onnx_constant *c;
    CW_TRY(cw_onnx_constant_of(f->r, f->node->input[k], &c));
    if (!c || c->rank != 1)
      return CW_OK;
    total += (int64_t)c->count;
  }
  CW_TRY(give(f, f->in[0]->whole, 1, &total));
  size_t to = 0;
  for (size_t k = 0; k < f->node->n_input; k++) {
    const cw_onnx_constant *c;
    CW_TRY(cw_onnx_constant_of(f->r, f->node->input[k], &c));
    for (size_t i = 0; i < c->count; i++)
      copy_number(f, to++, c, i);
  }
  return CW_OK;
}

/* The same numbers under other axes. */
static cw_status fold_axes(fold *f, int rank, const int64_t *d) {
  size_t count = 1;
  for (int i = 0; i < rank; i++)
    count *= (size_t)d[i];
  if (count != f->in[0]->count)
    return cw_onnx_refuse(f->r, f->node, "the shape does not fit the constant");
  CW_TRY(give(f, f->in[0]->whole, rank, d));
  for (size_t i = 0; i < count; i++)
    copy_number(f, i, f->in[0], i);
  return CW_OK;
}

static cw_status fold_reshape(fold *f) {
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

static cw_status fold_unsqueeze(fold *f) {
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

static cw_status fold_squeeze(fold *f) {
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
static cw_status fold_slice(fold *f) {
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
  CW_TRY(give(f, x->whole, x->rank, d));
  for (int64_t i = 0; i < d[0]; i++)
    for (int64_t k = 0; k < inner; k++)
      copy_number(f, (size_t)(i * inner + k), x, (size_t)((first + (step > 0 ? i * by : -i * by)) * inner + k));
  return CW_OK;
}

static cw_status fold_transpose(fold *f) {
  const cw_onnx_constant *x = f->in[0];
  const CwOnnx__AttributeProto *perm = cw_onnx_attribute(f->node, "perm");
  if (x->rank != 2 || (perm && (perm->n_ints != 2 || perm->ints[0] != 1 || perm->ints[1] != 0)))
    return CW_OK;
  const int64_t d[2] = {x->d[1], x->d[0]};
  CW_TRY(give(f, x->whole, 2, d));
  for (int64_t i = 0; i < d[0]; i++)
    for (int64_t k = 0; k < d[1]; k++)
      copy_number(f, (size_t)(i * d[1] + k), x, (size_t)(k * d[0] + i));
  return CW_OK;
}

/* A shape with the batch in it cannot be filled now: left for the reader (Expand). */
static cw_status fold_constant_of_shape(fold *f) {
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
  CW_TRY(give(f, value && value->t && !cw_onnx_is_float(value->t->data_type), (int)f->in[0]->count, d));
  for (size_t i = 0; i < f->out->count; i++)
    f->out->v[i] = number;
  return CW_OK;
}

static cw_status fold_range(fold *f) {
  const double first = f->in[0]->v[0], last = f->in[1]->v[0], step = f->in[2]->v[0];
  if (f->in[0]->batch[0] || f->in[1]->batch[0] || f->in[2]->batch[0] || step == 0)
    return CW_OK;
  const double span = ceil((last - first) / step);
  const int64_t count = cw_onnx_integer(span > 0 ? span : 0);
  CW_TRY(give(f, f->in[0]->whole, 1, &count));
  for (int64_t i = 0; i < count; i++)
    f->out->v[i] = first + (double)i * step;
  return CW_OK;
}

/* Whole numbers divide as integers; a batch divided by a batch is a number. */
static bool combine(fold *f, double a, bool batch_a, double b, bool batch_b, double *v, bool *batch) {
  const CwOnnx__NodeProto *node = f->node;
  const bool both = batch_a && batch_b;
  *batch = batch_a || batch_b;
  if (cw_onnx_is(node, "Add") || cw_onnx_is(node, "Sub")) {
    *v = cw_onnx_is(node, "Add") ? a + b : a - b;
    return both || !*batch;
  }
  if (cw_onnx_is(node, "Mul")) {
    *v = a * b;
    return !both;
  }
  if (cw_onnx_is(node, "Div")) {
    if (b == 0 || (batch_b && !batch_a))
      return false;
    *batch = batch_a && !batch_b;
    *v = f->out->whole ? trunc(a / b) : a / b;
    return !(*batch && *v * b != a);
  }
  if (cw_onnx_is(node, "Equal")) {
    *batch = false;
    *v = batch_a == batch_b && a == b;
    return true;
  }
  if (*batch)
    return false;
  if (cw_onnx_is(node, "Pow"))
    *v = pow(a, b);
  else
    *v = cw_onnx_is(node, "Min") ? (a < b ? a : b) : a > b ? a : b;
  return true;
}

/* Shape of the result of constants that broadcast; false if they do not. */
static bool broadcast(const cw_onnx_constant *const *in, int count, int *rank, int64_t d[CW_MAX_RANK]) {
  *rank = 0;
  for (int k = 0; k < count; k++)
    *rank = in[k]->rank > *rank ? in[k]->rank : *rank;
  for (int i = 0; i < *rank; i++)
    d[i] = 1;
  for (int k = 0; k < count; k++)
    for (int i = 0; i < in[k]->rank; i++) {
      int64_t *to = &d[*rank - in[k]->rank + i];
      if (in[k]->d[i] != 1 && *to != 1 && in[k]->d[i] != *to)
        return false;
      *to = in[k]->d[i] != 1 ? in[k]->d[i] : *to;
    }
  return true;
}

/* Where element i of the result lies in an operand. */
static size_t operand_index(const cw_onnx_constant *out, const cw_onnx_constant *in, size_t i) {
  size_t index = 0, step = 1;
  for (int k = out->rank - 1, own = in->rank - 1; own >= 0; k--, own--) {
    index += in->d[own] == 1 ? 0 : i % (size_t)out->d[k] * step;
    step *= (size_t)in->d[own];
    i /= (size_t)out->d[k];
  }
  return index;
}

static cw_status fold_binary(fold *f) {
  int64_t d[CW_MAX_RANK];
  int rank;
  if (f->count != 2 || !broadcast(f->in, 2, &rank, d))
    return CW_OK;
  CW_TRY(give(f, f->in[0]->whole, rank, d));
  for (size_t i = 0; i < f->out->count; i++) {
    const size_t a = operand_index(f->out, f->in[0], i), b = operand_index(f->out, f->in[1], i);
    if (!combine(f, f->in[0]->v[a], f->in[0]->batch[a], f->in[1]->v[b], f->in[1]->batch[b], &f->out->v[i],
                 &f->out->batch[i]))
      return cw_onnx_refuse(f->r, f->node, "shape arithmetic beyond multiples of the batch is not supported");
  }
  f->out->whole = f->out->whole || cw_onnx_is(f->node, "Equal");
  return CW_OK;
}

static cw_status fold_where(fold *f) {
  int64_t d[CW_MAX_RANK];
  int rank;
  if (!broadcast(f->in, 3, &rank, d))
    return CW_OK;
  CW_TRY(give(f, f->in[1]->whole, rank, d));
  for (size_t i = 0; i < f->out->count; i++) {
    const cw_onnx_constant *from = f->in[f->in[0]->v[operand_index(f->out, f->in[0], i)] != 0 ? 1 : 2];
    copy_number(f, i, from, operand_index(f->out, from, i));
  }
  return CW_OK;
}

static cw_status fold_unary(fold *f) {
  const cw_onnx_constant *x = f->in[0];
  const CwOnnx__NodeProto *node = f->node;
  bool whole = x->whole;
  if (cw_onnx_is(node, "Cast"))
    whole = !cw_onnx_is_float((int)cw_onnx_attribute_int(node, "to", CW_ONNX_FLOAT));
  CW_TRY(give(f, whole, x->rank, x->d));
  for (size_t i = 0; i < x->count; i++) {
    copy_number(f, i, x, i);
    double *v = &f->out->v[i];
    if (cw_onnx_is(node, "Cast"))
      *v = !whole ? *v : cw_onnx_attribute_int(node, "to", 0) == CW_ONNX_BOOL ? *v != 0 : trunc(*v);
    else if (cw_onnx_is(node, "Neg"))
      *v = -*v;
    else if (cw_onnx_is(node, "Sqrt"))
      *v = sqrt(*v);
    else if (cw_onnx_is(node, "Reciprocal"))
      *v = 1 / *v;
    else if (cw_onnx_is(node, "Floor"))
      *v = floor(*v);
    else if (cw_onnx_is(node, "Ceil"))
      *v = ceil(*v);
    /* Of a multiple of the batch only the sign may change. */
    if (x->batch[i] && fabs(*v) != fabs(x->v[i]))
      return cw_onnx_refuse(f->r, f->node, "shape arithmetic beyond multiples of the batch is not supported");
  }
  return CW_OK;
}

static const struct {
  const char *op_type;
  cw_status (*fold)(fold *f);
  int inputs;
} folds[] = {{"Shape", fold_shape, 0},         {"Gather", fold_gather, 2},
             {"Concat", fold_concat, 1},       {"Reshape", fold_reshape, 2},
             {"Unsqueeze", fold_unsqueeze, 1}, {"Squeeze", fold_squeeze, 1},
             {"Slice", fold_slice, 1},         {"Transpose", fold_transpose, 1},
             {"Range", fold_range, 3},         {"ConstantOfShape", fold_constant_of_shape, 1},
             {"Add", fold_binary, 2},          {"Sub", fold_binary, 2},
             {"Mul", fold_binary, 2},          {"Div", fold_binary, 2},
             {"Pow", fold_binary, 2},          {"Min", fold_binary, 2},
             {"Max", fold_binary, 2},          {"Equal", fold_binary, 2},
             {"Where", fold_where, 3},         {"Cast", fold_unary, 1},
             {"Neg", fold_unary, 1},           {"Sqrt", fold_unary, 1},
             {"Reciprocal", fold_unary, 1},    {"Floor", fold_unary, 1},
             {"Ceil", fold_unary, 1}};

cw_status cw_onnx_fold(cw_onnx_reader *r, const CwOnnx__NodeProto *node, bool *folded) {
  fold f = {r, node, {0}, 0, NULL};
  *folded = false;
  for (size_t k = 0; k < sizeof folds / sizeof *folds; k++) {
    if (!cw_onnx_is(node, folds[k].op_type))
      continue;
    for (size_t i = 0; i < node->n_input && i < 4; i++)
      CW_TRY(cw_onnx_constant_of(r, node->input[i], &f.in[f.count++]));
    for (int i = 0; i < folds[k].inputs; i++)
      if (i >= f.count || !f.in[i] || (folds[k].fold == fold_range && f.in[i]->count != 1))
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
