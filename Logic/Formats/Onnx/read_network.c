/* Products, norms, softmax and reductions. */
#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

cw_status cw_onnx_read_batch_norm(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value in[5];
  double noted;
  a.epsilon = cw_onnx_attribute_float(node, "epsilon", 1e-5f);
  a.momentum =
      cw_onnx_note(node, "momentum", 0, 1, &noted) ? (float)noted : 1 - cw_onnx_attribute_float(node, "momentum", 0.9f);
  a.frozen = cw_onnx_note(node, "frozen", 1, 1, &noted);
  if (cw_onnx_attribute_int(node, "training_mode", 0) || !(a.epsilon >= 0 && a.epsilon <= 1) ||
      !(a.momentum >= 0 && a.momentum <= 1))
    return cw_onnx_refuse(r, node, "expected inference mode, and epsilon and momentum within 0 to 1");
  for (size_t k = 0; k < 5; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  const float *variance = cw_value_data(r->graph, in[4]);
  if (!variance || !cw_value_data(r->graph, in[3]) || !cw_value_data(r->graph, in[2]) ||
      !cw_value_data(r->graph, in[1]))
    return cw_onnx_refuse(r, node, "its parameters are not stored tensors");
  const int64_t count = cw_shape_elements(cw_value_shape(r->graph, in[4]), 1);
  for (int64_t i = 0; i < count; i++)
    if (!(variance[i] + a.epsilon > 0))
      return cw_onnx_refuse(r, node, "the running variance is negative");
  return cw_onnx_give(r, node, CW_OP_BATCH_NORM, &a, in, 5);
}

cw_status cw_onnx_read_instance_norm(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value in[3];
  for (size_t k = 0; k < 3; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  a.epsilon = cw_onnx_attribute_float(node, "epsilon", 1e-5f);
  return cw_onnx_give(r, node, CW_OP_INSTANCE_NORM, &a, in, 3);
}

cw_status cw_onnx_read_layer_norm(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value in[3];
  for (size_t k = 0; k < 3; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  a.axis = cw_onnx_axis(cw_onnx_attribute_int(node, "axis", -1), cw_value_shape(r->graph, in[0])->rank);
  a.epsilon = cw_onnx_attribute_float(node, "epsilon", 1e-5f);
  return cw_onnx_give(r, node, CW_OP_LAYER_NORM, &a, in, 3);
}

/* Each group as one channel of an instance norm, then scale and bias: for each channel (operator set 21), or for each
 * group before that. */
cw_status cw_onnx_read_group_norm(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  enum { MOST_GROUPS = 4096 };
  cw_attributes a = cw_attributes_default();
  cw_value x, scale, bias, in[3];
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_value(r, node, 1, &scale));
  CW_TRY(cw_onnx_value(r, node, 2, &bias));
  const cw_shape shape = *cw_value_shape(r->graph, x);
  const int64_t groups = cw_onnx_attribute_int(node, "num_groups", 0), channels = shape.rank > 2 ? shape.d[1] : 0;
  if (groups < 1 || groups > MOST_GROUPS || shape.d[0] != CW_BATCH || channels < 1 || channels % groups)
    return cw_onnx_refuse(r, node, "the number of groups does not fit the channels");
  const int64_t values = cw_shape_elements(cw_value_shape(r->graph, scale), 1);
  if ((values != channels && values != groups) || cw_shape_elements(cw_value_shape(r->graph, bias), 1) != values)
    return cw_onnx_refuse(r, node, "expected a scale and a bias for each channel or for each group");
  float *numbers = cw_onnx_take(&r->arena, (size_t)groups, sizeof *numbers);
  if (!numbers)
    return CW_ERROR_MEMORY;
  const cw_shape grouped = CW_SHAPE(CW_BATCH, groups, cw_shape_elements(&shape, 1) / groups);
  CW_TRY(cw_onnx_reshape(r, node, "groups", x, &grouped, &in[0]));
  CW_TRY(cw_onnx_buffer(r, node, "zeros", CW_SHAPE(groups), numbers, &in[2]));
  for (int64_t i = 0; i < groups; i++)
    numbers[i] = 1;
  CW_TRY(cw_onnx_buffer(r, node, "ones", CW_SHAPE(groups), numbers, &in[1]));
  a.epsilon = cw_onnx_attribute_float(node, "epsilon", 1e-5f);
  CW_TRY(cw_onnx_add(r, node, "norm", CW_OP_INSTANCE_NORM, &a, in, 3, &x));
  cw_shape along = {0}, wide = shape;
  if (values == groups && groups != channels)
    wide = grouped;
  along.rank = wide.rank - 1;
  for (int i = 0; i < along.rank; i++)
    along.d[i] = i ? 1 : values;
  CW_TRY(cw_onnx_reshape(r, node, "channels", x, &wide, &in[0]));
  CW_TRY(cw_onnx_reshape(r, node, "scale", scale, &along, &in[1]));
  CW_TRY(cw_onnx_add(r, node, "scaled", CW_OP_MUL, NULL, in, 2, &in[0]));
  CW_TRY(cw_onnx_reshape(r, node, "bias", bias, &along, &in[1]));
  if (cw_shape_equal(&wide, &shape))
    return cw_onnx_give(r, node, CW_OP_ADD, NULL, in, 2);
  CW_TRY(cw_onnx_add(r, node, "shifted", CW_OP_ADD, NULL, in, 2, &x));
  CW_TRY(cw_onnx_reshape(r, node, NULL, x, &shape, &x));
  cw_onnx_define(r, node, 0, x);
  return CW_OK;
}

/* Before operator set 13 all axes from `axis` on count as one. */
cw_status cw_onnx_read_softmax(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const cw_operator op = cw_onnx_is(node, "Softmax") ? CW_OP_SOFTMAX : CW_OP_LOG_SOFTMAX;
  const bool old = r->request->opset < 13;
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape shape = *cw_value_shape(r->graph, x);
  a.axis = cw_onnx_axis(cw_onnx_attribute_int(node, "axis", old ? 1 : -1), shape.rank);
  if (a.axis < 0 || !old || a.axis == shape.rank - 1)
    return cw_onnx_give(r, node, op, &a, &x, 1);
  cw_shape flat = shape;
  for (flat.rank = a.axis + 1; flat.rank < shape.rank && shape.d[a.axis] != CW_BATCH; flat.rank++)
    flat.d[a.axis] *= shape.d[flat.rank];
  flat.rank = a.axis + 1;
  CW_TRY(cw_onnx_reshape(r, node, "flat", x, &flat, &x));
  CW_TRY(cw_onnx_add(r, node, "softmax", op, &a, &x, 1, &x));
  CW_TRY(cw_onnx_reshape(r, node, NULL, x, &shape, &x));
  cw_onnx_define(r, node, 0, x);
  return CW_OK;
}

cw_status cw_onnx_read_reduce(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  int64_t axes[CW_MAX_RANK];
  int count;
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape shape = *cw_value_shape(r->graph, x);
  CW_TRY(cw_onnx_integers(r, node, 1, "axes", CW_MAX_RANK, axes, &count));
  if (!count && cw_onnx_attribute_int(node, "noop_with_empty_axes", 0))
    return cw_onnx_read_same(r, node);
  for (int i = 0; i < count; i++) {
    const int axis = cw_onnx_axis(axes[i], shape.rank);
    if (axis < 0)
      return cw_onnx_refuse(r, node, "there is no such axis");
    a.axes |= 1u << axis;
  }
  for (int i = 0; i < shape.rank && !count; i++)
    a.axes |= shape.d[i] == CW_BATCH ? 0 : 1u << i;
  a.keep_axes = cw_onnx_attribute_int(node, "keepdims", 1) != 0;
  /* The mean over space of N C D H W is what global average pooling is for. */
  if (cw_onnx_is(node, "ReduceMean") && a.keep_axes && shape.rank == 5 && shape.d[0] == CW_BATCH && a.axes == 0x1c)
    return cw_onnx_give(r, node, CW_OP_GLOBAL_AVERAGE_POOL, NULL, &x, 1);
  return cw_onnx_give(r, node,
                      cw_onnx_is(node, "ReduceMean")  ? CW_OP_REDUCE_MEAN
                      : cw_onnx_is(node, "ReduceSum") ? CW_OP_REDUCE_SUM
                                                      : CW_OP_REDUCE_MAX,
                      &a, &x, 1);
}

cw_status cw_onnx_read_global(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  if (cw_onnx_is(node, "GlobalAveragePool"))
    return cw_onnx_give(r, node, CW_OP_GLOBAL_AVERAGE_POOL, &a, &x, 1);
  const int rank = cw_value_shape(r->graph, x)->rank;
  a.axes = ((1u << rank) - 1) & ~3u;
  a.keep_axes = true;
  return cw_onnx_give(r, node, CW_OP_REDUCE_MAX, &a, &x, 1);
}

/* ---- products ---- */

/* A stored matrix (or list) transposed and scaled, as the layer wants it; one copy for all nodes that want the same. */
static cw_status stored_matrix(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *part, cw_value w,
                               bool transpose, float scale, cw_value *out) {
  const cw_shape shape = *cw_value_shape(r->graph, w);
  const float *from = cw_value_data(r->graph, w);
  const int64_t rows = shape.d[0], columns = shape.rank > 1 ? shape.d[1] : 1;
  *out = w;
  if (!transpose && scale == 1)
    return CW_OK;
  if (!from || shape.rank > 2)
    return cw_onnx_refuse(r, node, "its weights or bias are not stored matrices");
  for (const cw_onnx_copy *c = r->copies; c; c = c->next)
    if (c->of == w && c->transposed == transpose && c->scale == scale) {
      *out = c->copy;
      return CW_OK;
    }
  const cw_shape turned = CW_SHAPE(columns, rows);
  cw_onnx_copy *made = cw_onnx_take(&r->arena, 1, sizeof *made);
  if (!made)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_buffer(r, node, part, transpose ? turned : shape, NULL, out));
  *made = (cw_onnx_copy){r->copies, w, *out, transpose, scale};
  r->copies = made;
  float *copy = cw_value_data(r->graph, *out);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < columns; k++)
      copy[transpose ? k * rows + i : i * columns + k] = scale * from[i * columns + k];
  return CW_OK;
}

/* alpha op(a) op(b) + beta c: the fully connected layer where b and c are stored. */
cw_status cw_onnx_read_gemm(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const float alpha = cw_onnx_attribute_float(node, "alpha", 1), beta = cw_onnx_attribute_float(node, "beta", 1);
  const bool transpose = cw_onnx_attribute_int(node, "transB", 0) == 0;
  cw_value in[3];
  for (size_t k = 0; k < 3; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  if (!isfinite(alpha) || !isfinite(beta) || cw_value_shape(r->graph, in[1])->rank != 2)
    return cw_onnx_refuse(r, node, "expected x W + b of matrices");
  if (cw_onnx_attribute_int(node, "transA", 0)) {
    cw_attributes turn = cw_attributes_default();
    turn.order[0] = 1;
    turn.order[1] = 0;
    const cw_shape *x = cw_value_shape(r->graph, in[0]);
    if (x->rank != 2 || x->d[0] == CW_BATCH)
      return cw_onnx_refuse(r, node, "expected x W + b of matrices, with the batch first once x is turned");
    CW_TRY(cw_onnx_add(r, node, "turned", CW_OP_TRANSPOSE, &turn, in, 1, &in[0]));
  }
  CW_TRY(stored_matrix(r, node, "weights", in[1], transpose, alpha, &in[1]));
  if (in[2] == CW_NONE)
    return cw_onnx_give(r, node, CW_OP_GEMM, NULL, in, 2);
  /* A bias of another shape than [out] is added by itself. */
  const cw_shape bias = *cw_value_shape(r->graph, in[2]);
  const cw_shape out = CW_SHAPE(cw_value_shape(r->graph, in[1])->d[0]);
  CW_TRY(stored_matrix(r, node, "bias", in[2], false, beta, &in[2]));
  if (cw_shape_equal(&bias, &out))
    return cw_onnx_give(r, node, CW_OP_GEMM, NULL, in, 3);
  cw_value sum[2] = {CW_NONE, in[2]};
  CW_TRY(cw_onnx_add(r, node, "product", CW_OP_GEMM, NULL, in, 2, &sum[0]));
  return cw_onnx_give(r, node, CW_OP_ADD, NULL, sum, 2);
}

cw_status cw_onnx_read_matmul(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value in[2];
  for (size_t k = 0; k < 2; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  return cw_onnx_give(r, node, CW_OP_MATMUL, NULL, in, 2);
}

/* ---- einsum of two operands, as attention writes its products ---- */

typedef struct equation {
  char in[2][CW_MAX_RANK + 1], out[CW_MAX_RANK + 1];
} equation;

/* "abc, bd -> ad" without spaces; every letter once in each term. */
static bool parse(const CwOnnx__AttributeProto *text, equation *e) {
  char *terms[3] = {e->in[0], e->in[1], e->out};
  int term = 0, length = 0;
  memset(e, 0, sizeof *e);
  for (size_t i = 0; i < text->s.len; i++) {
    const char c = (char)text->s.data[i];
    if (c == ' ')
      continue;
    if ((c == ',' && term == 0) || (c == '-' && term == 1 && i + 1 < text->s.len && text->s.data[i + 1] == '>')) {
      i += c == '-';
      term++;
      length = 0;
    } else if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) && length < CW_MAX_RANK && !strchr(terms[term], c)) {
      terms[term][length++] = c;
    } else {
      return false;
    }
  }
  return term == 2;
}

/* Brings operand x with axes `from` to the axes `to`, both lists of the same letters. */
static cw_status arrange(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *part, const char *from,
                         const char *to, cw_value *x) {
  cw_attributes a = cw_attributes_default();
  bool moved = false;
  for (int i = 0; to[i]; i++) {
    a.order[i] = (int)(strchr(from, to[i]) - from);
    moved = moved || a.order[i] != i;
  }
  return moved ? cw_onnx_add(r, node, part, CW_OP_TRANSPOSE, &a, x, 1, x) : CW_OK;
}

static void append(char letters[CW_MAX_RANK + 1], char c) {
  const size_t length = strlen(letters);
  letters[length] = c;
  letters[length + 1] = '\0';
}

cw_status cw_onnx_read_einsum(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const CwOnnx__AttributeProto *text = cw_onnx_attribute(node, "equation");
  equation e;
  char batch[CW_MAX_RANK + 1] = "", rows[CW_MAX_RANK + 1] = "", columns[CW_MAX_RANK + 1] = "",
                           summed[CW_MAX_RANK + 1] = "", to[3][CW_MAX_RANK + 4];
  cw_value in[2], y;
  for (size_t k = 0; k < 2; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  bool fits = text && parse(text, &e);
  for (int k = 0; k < 2 && fits; k++)
    fits = (int)strlen(e.in[k]) == cw_value_shape(r->graph, in[k])->rank;
  for (const char *c = fits ? e.in[0] : ""; *c; c++) {
    const bool other = strchr(e.in[1], *c), out = strchr(e.out, *c);
    append(other ? out ? batch : summed : rows, *c);
    fits = fits && (other || out);
  }
  for (const char *c = fits ? e.in[1] : ""; *c; c++)
    if (!strchr(e.in[0], *c)) {
      append(columns, *c);
      fits = fits && strchr(e.out, *c);
    }
  if (!fits || strlen(rows) != 1 || strlen(columns) != 1 || strlen(summed) != 1 || strlen(e.out) != strlen(batch) + 2)
    return cw_onnx_refuse(r, node, "expected the matrix product of two operands, with axes in common before it");
  strcat(strcat(strcpy(to[0], batch), rows), summed);
  strcat(strcat(strcpy(to[1], batch), summed), columns);
  strcat(strcat(strcpy(to[2], batch), rows), columns);
  CW_TRY(arrange(r, node, "first", e.in[0], to[0], &in[0]));
  CW_TRY(arrange(r, node, "second", e.in[1], to[1], &in[1]));
  const bool last = !strcmp(to[2], e.out);
  CW_TRY(cw_onnx_add(r, node, last ? NULL : "product", CW_OP_MATMUL, NULL, in, 2, &y));
  CW_TRY(arrange(r, node, NULL, to[2], e.out, &y));
  cw_onnx_define(r, node, 0, y);
  return CW_OK;
}
