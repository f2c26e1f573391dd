/* Numbers computed at load, element by element, as a runtime would compute them: whole numbers as integers, others in
 * the precision of their type. */
#include <math.h>
#include <string.h>

#include "Formats/Onnx/fold.h"

/* As a number of the constant that is computed. */
static double rounded(const cw_onnx_folding *f, double v) {
  return f->out->precision == CW_ONNX_FLOATS ? (double)(float)v : v;
}

cw_status cw_onnx_fold_range(cw_onnx_folding *f) {
  const double first = f->in[0]->v[0], last = f->in[1]->v[0], step = f->in[2]->v[0];
  if (f->in[0]->batch[0] || f->in[1]->batch[0] || f->in[2]->batch[0] || step == 0)
    return CW_OK;
  const double span = ceil((last - first) / step);
  const int64_t count = cw_onnx_integer(span > 0 ? span : 0);
  CW_TRY(cw_onnx_fold_give(f, f->in[0]->precision, 1, &count));
  for (int64_t i = 0; i < count; i++)
    f->out->v[i] = rounded(f, first + (double)i * step);
  return CW_OK;
}

/* Whole numbers divide as integers; a batch divided by a batch is a number. */
static bool combine(cw_onnx_folding *f, double a, bool batch_a, double b, bool batch_b, double *v, bool *batch) {
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
    *v = f->out->precision == CW_ONNX_WHOLES ? trunc(a / b) : a / b;
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

/* A layer does it: of floats only, as layers know no whole numbers. */
static bool left_to_layer(int rank, const int64_t *d, cw_onnx_precision precision) {
  size_t count = 1;
  for (int i = 0; i < rank && count <= CW_ONNX_MOST_FOLDED; i++)
    count *= (size_t)d[i];
  return count > CW_ONNX_MOST_FOLDED && precision != CW_ONNX_WHOLES;
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

cw_status cw_onnx_fold_binary(cw_onnx_folding *f) {
  int64_t d[CW_MAX_RANK];
  int rank;
  if (f->count != 2 || !broadcast(f->in, 2, &rank, d) || left_to_layer(rank, d, f->in[0]->precision))
    return CW_OK;
  CW_TRY(cw_onnx_fold_give(f, f->in[0]->precision, rank, d));
  for (size_t i = 0; i < f->out->count; i++) {
    const size_t a = operand_index(f->out, f->in[0], i), b = operand_index(f->out, f->in[1], i);
    if (!combine(f, f->in[0]->v[a], f->in[0]->batch[a], f->in[1]->v[b], f->in[1]->batch[b], &f->out->v[i],
                 &f->out->batch[i]))
      return cw_onnx_refuse(f->r, f->node, "shape arithmetic beyond multiples of the batch is not supported");
    f->out->v[i] = rounded(f, f->out->v[i]);
  }
  if (cw_onnx_is(f->node, "Equal"))
    f->out->precision = CW_ONNX_WHOLES;
  return CW_OK;
}

cw_status cw_onnx_fold_where(cw_onnx_folding *f) {
  int64_t d[CW_MAX_RANK];
  int rank;
  if (!broadcast(f->in, 3, &rank, d) || left_to_layer(rank, d, f->in[1]->precision))
    return CW_OK;
  CW_TRY(cw_onnx_fold_give(f, f->in[1]->precision, rank, d));
  for (size_t i = 0; i < f->out->count; i++) {
    const cw_onnx_constant *from = f->in[f->in[0]->v[operand_index(f->out, f->in[0], i)] != 0 ? 1 : 2];
    cw_onnx_fold_copy(f, i, from, operand_index(f->out, from, i));
  }
  return CW_OK;
}

cw_status cw_onnx_fold_unary(cw_onnx_folding *f) {
  const cw_onnx_constant *x = f->in[0];
  const CwOnnx__NodeProto *node = f->node;
  cw_onnx_precision precision = x->precision;
  if (cw_onnx_is(node, "Cast"))
    precision = cw_onnx_precision_of((int)cw_onnx_attribute_int(node, "to", CW_ONNX_FLOAT));
  const bool whole = precision == CW_ONNX_WHOLES;
  CW_TRY(cw_onnx_fold_give(f, precision, x->rank, x->d));
  for (size_t i = 0; i < x->count; i++) {
    cw_onnx_fold_copy(f, i, x, i);
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
    *v = rounded(f, *v);
    /* Of a multiple of the batch only the sign may change. */
    if (x->batch[i] && fabs(*v) != fabs(x->v[i]))
      return cw_onnx_refuse(f->r, f->node, "shape arithmetic beyond multiples of the batch is not supported");
  }
  return CW_OK;
}
