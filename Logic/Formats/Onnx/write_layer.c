/* Layers that only imported networks have, in operators of operator set 17. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

/* Name of a tensor beside a node; NULL if memory fails. */
static char *beside(cw_onnx_writer *w, const cw_node_view *n, const char *part) {
  return cw_onnx_take_text(&w->arena, "%s/%s", n->name, part);
}

/* A list of whole numbers beside the node. */
static cw_status put_list(cw_onnx_writer *w, const cw_node_view *n, const char *part, const int64_t *numbers,
                          int64_t count, const char **name) {
  *name = beside(w, n, part);
  return *name ? cw_onnx_add_tensor(w, *name, CW_ONNX_INT64, 1, &count, numbers) : CW_ERROR_MEMORY;
}

static cw_status put_number(cw_onnx_writer *w, const cw_node_view *n, const char *part, float number,
                            const char **name) {
  *name = beside(w, n, part);
  return *name ? cw_onnx_add_tensor(w, *name, CW_ONNX_FLOAT, 0, NULL, &number) : CW_ERROR_MEMORY;
}

static cw_status write_clip(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const char *inputs[3] = {in[0], "", ""};
  if (isfinite(n->attributes->alpha))
    CW_TRY(put_number(w, n, "min", n->attributes->alpha, &inputs[1]));
  if (isfinite(n->attributes->beta))
    CW_TRY(put_number(w, n, "max", n->attributes->beta, &inputs[2]));
  const int count = *inputs[2] ? 3 : *inputs[1] ? 2 : 1;
  return cw_onnx_add_node(w, "Clip", n->name, inputs, count) ? CW_OK : CW_ERROR_MEMORY;
}

/* The condition is a list of numbers in the graph, of truth values in ONNX. */
static cw_status write_where(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const char *truth = beside(w, n, "truth");
  CwOnnx__NodeProto *cast = truth ? cw_onnx_add_node(w, "Cast", truth, in, 1) : NULL;
  if (!cast)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_int(w, cast, "to", CW_ONNX_BOOL));
  const char *inputs[3] = {truth, in[1], in[2]};
  return cw_onnx_add_node(w, "Where", n->name, inputs, 3) ? CW_OK : CW_ERROR_MEMORY;
}

static cw_status write_comparison(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const char *truth = beside(w, n, "truth");
  if (!truth || !cw_onnx_add_node(w, cw_operator_name(n->op), truth, in, 2))
    return CW_ERROR_MEMORY;
  CwOnnx__NodeProto *cast = cw_onnx_add_node(w, "Cast", n->name, &truth, 1);
  return cast ? cw_onnx_put_int(w, cast, "to", CW_ONNX_FLOAT) : CW_ERROR_MEMORY;
}

/* Axes are an input of sums; of means and maxima, too, from operator set 18 on. */
static cw_status write_reduce(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  int64_t axes[CW_MAX_RANK];
  int attribute[CW_MAX_RANK], count = 0;
  for (int i = 0; i < CW_MAX_RANK; i++)
    if (n->attributes->axes >> i & 1) {
      attribute[count] = i;
      axes[count++] = i;
    }
  const bool listed = n->op == CW_OP_REDUCE_SUM || w->image;
  const char *inputs[2] = {in[0], NULL};
  if (listed)
    CW_TRY(put_list(w, n, "axes", axes, count, &inputs[1]));
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, cw_operator_name(n->op), n->name, inputs, listed ? 2 : 1);
  if (!node)
    return CW_ERROR_MEMORY;
  if (!listed)
    CW_TRY(cw_onnx_put_ints(w, node, "axes", attribute, count));
  return cw_onnx_put_int(w, node, "keepdims", n->attributes->keep_axes);
}

static cw_status write_slice(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const cw_attributes *a = n->attributes;
  const cw_shape *from = cw_value_shape(w->graph, n->inputs[0]);
  int64_t first[CW_MAX_RANK], last[CW_MAX_RANK], axes[CW_MAX_RANK], steps[CW_MAX_RANK], count = 0;
  for (int i = 0; i < from->rank; i++) {
    const bool whole = from->d[i] == CW_BATCH || (a->shape.d[i] == from->d[i] && a->step[i] == 1);
    if (whole && (i + 1 < from->rank || count))
      continue;
    axes[count] = i;
    first[count] = from->d[i] == CW_BATCH ? 0 : a->begin[i];
    steps[count] = a->step[i];
    last[count] = from->d[i] == CW_BATCH ? INT64_MAX : a->begin[i] + a->shape.d[i] * a->step[i];
    if (last[count] < 0) /* -1 would be the last sample */
      last[count] = INT64_MIN;
    count++;
  }
  const char *inputs[5] = {in[0], NULL, NULL, NULL, NULL};
  CW_TRY(put_list(w, n, "starts", first, count, &inputs[1]));
  CW_TRY(put_list(w, n, "ends", last, count, &inputs[2]));
  CW_TRY(put_list(w, n, "axes", axes, count, &inputs[3]));
  CW_TRY(put_list(w, n, "steps", steps, count, &inputs[4]));
  return cw_onnx_add_node(w, "Slice", n->name, inputs, 5) ? CW_OK : CW_ERROR_MEMORY;
}

static cw_status write_pad(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  static const char *const modes[] = {"constant", "reflect", "edge"};
  const int rank = cw_value_shape(w->graph, n->inputs[0])->rank;
  const char *inputs[3] = {in[0], NULL, NULL};
  int64_t pads[2 * CW_MAX_RANK];
  for (int i = 0; i < rank; i++) {
    pads[i] = n->attributes->begin[i];
    pads[rank + i] = n->attributes->end[i];
  }
  CW_TRY(put_list(w, n, "pads", pads, 2 * (int64_t)rank, &inputs[1]));
  CW_TRY(put_number(w, n, "value", n->attributes->alpha, &inputs[2]));
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, "Pad", n->name, inputs, 3);
  return node ? cw_onnx_put_text(w, node, "mode", modes[n->attributes->fill]) : CW_ERROR_MEMORY;
}

/* Indices are floats in the graph; the file has them as whole numbers, under the same name. */
static cw_status write_gather(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const int64_t count = cw_value_shape(w->graph, n->inputs[1])->d[0];
  const float *from = cw_value_data(w->graph, n->inputs[1]);
  int64_t *indices = cw_onnx_take(&w->arena, (size_t)count, sizeof *indices);
  if (!indices)
    return CW_ERROR_MEMORY;
  for (int64_t i = 0; i < count; i++)
    indices[i] = (int64_t)from[i];
  CW_TRY(cw_onnx_add_tensor(w, in[1], CW_ONNX_INT64, 1, &count, indices));
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, "Gather", n->name, in, 2);
  return node ? cw_onnx_put_int(w, node, "axis", n->attributes->axis) : CW_ERROR_MEMORY;
}

/* Name of a list of sizes; where the batch is among them, it is put together from that of the first input. */
static cw_status put_shape(cw_onnx_writer *w, const cw_node_view *n, const cw_shape *shape, const char **name) {
  const char *image = w->alias[cw_graph_input_at(w->graph, 0)], *parts[3];
  int batch = 0, count = 0;
  while (batch < shape->rank && shape->d[batch] != CW_BATCH)
    batch++;
  if (batch == shape->rank)
    return put_list(w, n, "shape", shape->d, shape->rank, name);
  const char *size = beside(w, n, "batch");
  CwOnnx__NodeProto *node = size ? cw_onnx_add_node(w, "Shape", size, &image, 1) : NULL;
  if (!node)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_int(w, node, "start", 0));
  CW_TRY(cw_onnx_put_int(w, node, "end", 1));
  if (batch > 0)
    CW_TRY(put_list(w, n, "front", shape->d, batch, &parts[count++]));
  parts[count++] = size;
  if (batch + 1 < shape->rank)
    CW_TRY(put_list(w, n, "back", shape->d + batch + 1, shape->rank - batch - 1, &parts[count++]));
  *name = beside(w, n, "shape");
  node = *name ? cw_onnx_add_node(w, "Concat", *name, parts, count) : NULL;
  return node ? cw_onnx_put_int(w, node, "axis", 0) : CW_ERROR_MEMORY;
}

static cw_status write_expand(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const char *inputs[2] = {in[0], NULL};
  CW_TRY(put_shape(w, n, &n->attributes->shape, &inputs[1]));
  return cw_onnx_add_node(w, "Expand", n->name, inputs, 2) ? CW_OK : CW_ERROR_MEMORY;
}

/* Factors that are ratios of sizes are written as sizes. */
static bool by_sizes(const cw_attributes *a, const cw_shape *in) {
  for (int i = 0; i < 3; i++)
    if (a->factor[i] != (float)((double)a->shape.d[2 + i] / (double)in->d[2 + i]))
      return false;
  return true;
}

static cw_status write_resize(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  static const char *const samplings[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"};
  static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  const cw_attributes *a = n->attributes;
  const bool sizes = by_sizes(a, cw_value_shape(w->graph, n->inputs[0]));
  const float factors[5] = {1, 1, a->factor[0], a->factor[1], a->factor[2]};
  const int64_t five = 5;
  const char *inputs[4] = {in[0], "", "", ""};
  if (sizes)
    CW_TRY(put_shape(w, n, &a->shape, &inputs[3]));
  else if (!(inputs[2] = beside(w, n, "scales")))
    return CW_ERROR_MEMORY;
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, "Resize", n->name, inputs, sizes ? 4 : 3);
  if (!node)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_text(w, node, "mode", a->linear ? "linear" : "nearest"));
  CW_TRY(cw_onnx_put_text(w, node, "coordinate_transformation_mode", samplings[a->sampling]));
  CW_TRY(cw_onnx_put_text(w, node, "nearest_mode", roundings[a->rounding]));
  return sizes ? CW_OK : cw_onnx_add_tensor(w, inputs[2], CW_ONNX_FLOAT, 1, &five, factors);
}

/* Operators that have one ONNX node of the same name, with these attributes. */
typedef struct plain_layer {
  cw_operator op;
  const char *alpha, *beta, *epsilon, *axis; /* name of the attribute that holds it; NULL: none */
} plain_layer;

static const plain_layer plain[] = {
    {CW_OP_RELU, NULL, NULL, NULL, NULL},
    {CW_OP_LEAKY_RELU, "alpha", NULL, NULL, NULL},
    {CW_OP_SIGMOID, NULL, NULL, NULL, NULL},
    {CW_OP_SOFTMAX, NULL, NULL, NULL, "axis"},
    {CW_OP_LOG_SOFTMAX, NULL, NULL, NULL, "axis"},
    {CW_OP_GLOBAL_AVERAGE_POOL, NULL, NULL, NULL, NULL},
    {CW_OP_ADD, NULL, NULL, NULL, NULL},
    {CW_OP_SUB, NULL, NULL, NULL, NULL},
    {CW_OP_MUL, NULL, NULL, NULL, NULL},
    {CW_OP_DIV, NULL, NULL, NULL, NULL},
    {CW_OP_POW, NULL, NULL, NULL, NULL},
    {CW_OP_MIN, NULL, NULL, NULL, NULL},
    {CW_OP_MAX, NULL, NULL, NULL, NULL},
    {CW_OP_PRELU, NULL, NULL, NULL, NULL},
    {CW_OP_ABS, NULL, NULL, NULL, NULL},
    {CW_OP_NEG, NULL, NULL, NULL, NULL},
    {CW_OP_RECIPROCAL, NULL, NULL, NULL, NULL},
    {CW_OP_SQRT, NULL, NULL, NULL, NULL},
    {CW_OP_EXP, NULL, NULL, NULL, NULL},
    {CW_OP_LOG, NULL, NULL, NULL, NULL},
    {CW_OP_TANH, NULL, NULL, NULL, NULL},
    {CW_OP_ERF, NULL, NULL, NULL, NULL},
    {CW_OP_SOFTPLUS, NULL, NULL, NULL, NULL},
    {CW_OP_SOFTSIGN, NULL, NULL, NULL, NULL},
    {CW_OP_ELU, "alpha", NULL, NULL, NULL},
    {CW_OP_SELU, "alpha", "gamma", NULL, NULL},
    {CW_OP_HARD_SIGMOID, "alpha", "beta", NULL, NULL},
    {CW_OP_HARD_SWISH, NULL, NULL, NULL, NULL},
    {CW_OP_MATMUL, NULL, NULL, NULL, NULL},
    {CW_OP_LAYER_NORM, NULL, NULL, "epsilon", "axis"},
    {CW_OP_INSTANCE_NORM, NULL, NULL, "epsilon", NULL},
    {CW_OP_CONCAT, NULL, NULL, NULL, "axis"},
};

static cw_status write_plain(cw_onnx_writer *w, const cw_node_view *n, const char *const *in, const plain_layer *p) {
  const cw_attributes *a = n->attributes;
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, cw_operator_name(n->op), n->name, in, n->input_count);
  if (!node)
    return CW_ERROR_MEMORY;
  if (p->alpha)
    CW_TRY(cw_onnx_put_float(w, node, p->alpha, a->alpha));
  if (p->beta)
    CW_TRY(cw_onnx_put_float(w, node, p->beta, a->beta));
  if (p->epsilon)
    CW_TRY(cw_onnx_put_float(w, node, p->epsilon, a->epsilon));
  return p->axis ? cw_onnx_put_int(w, node, p->axis, a->axis) : CW_OK;
}

cw_status cw_onnx_write_layer(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  CwOnnx__NodeProto *node;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (plain[i].op == n->op)
      return write_plain(w, n, in, &plain[i]);
  switch (n->op) {
    case CW_OP_CLIP:
      return write_clip(w, n, in);
    case CW_OP_GREATER:
    case CW_OP_LESS:
      return write_comparison(w, n, in);
    case CW_OP_WHERE:
      return write_where(w, n, in);
    case CW_OP_REDUCE_MEAN:
    case CW_OP_REDUCE_SUM:
    case CW_OP_REDUCE_MAX:
      return write_reduce(w, n, in);
    case CW_OP_TRANSPOSE:
      node = cw_onnx_add_node(w, "Transpose", n->name, in, 1);
      return node
                 ? cw_onnx_put_ints(w, node, "perm", n->attributes->order, cw_value_shape(w->graph, n->inputs[0])->rank)
                 : CW_ERROR_MEMORY;
    case CW_OP_SLICE:
      return write_slice(w, n, in);
    case CW_OP_PAD:
      return write_pad(w, n, in);
    case CW_OP_GATHER:
      return write_gather(w, n, in);
    case CW_OP_EXPAND:
      return write_expand(w, n, in);
    case CW_OP_RESIZE:
      return write_resize(w, n, in);
    default:
      return cw_fail(w->arena.context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' (%s) has no place in a model file",
                     n->name, cw_operator_name(n->op));
  }
}
