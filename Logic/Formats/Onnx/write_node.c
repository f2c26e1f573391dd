#include <stdio.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Formats/Onnx/onnx_internal.h"

enum { MOST_INPUTS = 8 };

/* What ONNX has no place for is noted in the node's doc_string; readers without it fall back to defaults. */
static cw_status put_note(cw_onnx_writer *w, CwOnnx__NodeProto *node, const char *key, double value) {
  char number[40];
  cw_onnx_number_text(value, 9, number);
  char *note = cw_onnx_take_text(&w->arena, "%s%s%s=%s", node->doc_string ? node->doc_string : "",
                                 node->doc_string && *node->doc_string ? " " : "counterwarp ", key, number);
  if (!note)
    return CW_ERROR_MEMORY;
  node->doc_string = note;
  return CW_OK;
}

static cw_status write_pool(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const bool max = n->op == CW_OP_MAX_POOL;
  const int *d = n->attributes->dilation;
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, max ? "MaxPool" : "AveragePool", n->name, in, 1);
  if (!node)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_window(w, node, n->attributes, n->attributes->kernel));
  if (n->attributes->ceil_mode)
    CW_TRY(cw_onnx_put_int(w, node, "ceil_mode", 1));
  if (!max && n->attributes->count_pads)
    CW_TRY(cw_onnx_put_int(w, node, "count_include_pad", 1));
  if (d[0] == 1 && d[1] == 1 && d[2] == 1)
    return CW_OK;
  if (!max)
    return cw_fail(w->arena.context, CW_ERROR_UNSUPPORTED,
                   "onnx: node '%s' (AveragePool) is dilated, which opset %d cannot express", n->name, CW_ONNX_OPSET);
  return cw_onnx_put_ints(w, node, "dilations", d, 3);
}

static cw_status put_conv(cw_onnx_writer *w, CwOnnx__NodeProto *node, const cw_attributes *a, const cw_shape *weight,
                          int first) {
  int kernel[3];
  for (int i = 0; i < 3; i++)
    kernel[i] = (int)weight->d[first + i];
  CW_TRY(cw_onnx_put_window(w, node, a, kernel));
  CW_TRY(cw_onnx_put_ints(w, node, "dilations", a->dilation, 3));
  return cw_onnx_put_int(w, node, "group", a->groups);
}

static cw_status write_batch_norm(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  CwOnnx__NodeProto *node = cw_onnx_add_node(w, "BatchNormalization", n->name, in, 5);
  if (!node)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_float(w, node, "epsilon", n->attributes->epsilon));
  /* ONNX's momentum is the share of the old statistics; the note keeps ours to the bit. */
  CW_TRY(cw_onnx_put_float(w, node, "momentum", 1 - n->attributes->momentum));
  CW_TRY(put_note(w, node, "momentum", n->attributes->momentum));
  return n->attributes->frozen ? put_note(w, node, "frozen", 1) : CW_OK;
}

static cw_status write_resize(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const bool nearest = n->op == CW_OP_RESIZE_NEAREST;
  const char *scales = cw_onnx_take_text(&w->arena, "%s/scales", n->name);
  const char *inputs[3] = {in[0], "", scales};
  CwOnnx__NodeProto *node = scales ? cw_onnx_add_node(w, "Resize", n->name, inputs, 3) : NULL;
  if (!node)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_text(w, node, "mode", nearest ? "nearest" : "linear"));
  CW_TRY(cw_onnx_put_text(w, node, "coordinate_transformation_mode", nearest ? "asymmetric" : "half_pixel"));
  if (nearest)
    CW_TRY(cw_onnx_put_text(w, node, "nearest_mode", "floor"));
  const int *s = n->attributes->scale;
  const float factors[5] = {1, 1, (float)s[0], (float)s[1], (float)s[2]};
  const int64_t five = 5;
  return cw_onnx_add_tensor(w, scales, CW_ONNX_FLOAT, 1, &five, factors);
}

/* Reshape whose target, an int64 tensor, is written beside it.  The batch axis is written 0, copied from the input,
 * where that has it in the same place, else -1: the rest is known. */
static cw_status write_reshape(cw_onnx_writer *w, const char *name, const char *in, const cw_shape *from,
                               const cw_shape *shape) {
  const char *target = cw_onnx_take_text(&w->arena, "%s/shape", name);
  const char *inputs[2] = {in, target};
  if (!target || !cw_onnx_add_node(w, "Reshape", name, inputs, 2))
    return CW_ERROR_MEMORY;
  int64_t d[CW_MAX_RANK];
  const int64_t rank = shape->rank;
  for (int i = 0; i < shape->rank; i++)
    d[i] = shape->d[i] != CW_BATCH ? shape->d[i] : i < from->rank && from->d[i] == CW_BATCH ? 0 : -1;
  return cw_onnx_add_tensor(w, target, CW_ONNX_INT64, 1, &rank, d);
}

/* The taper is a multiplication with its window, which cw_taper gives in each component of a field of ones. */
static cw_status write_taper(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  const cw_shape *shape = cw_value_shape(w->graph, n->inputs[0]);
  if (shape->rank != 5)
    return cw_fail(w->arena.context, CW_ERROR_SHAPE, "onnx: node '%s' (Taper) has %d axes, expected 5", n->name,
                   shape->rank);
  const int size[3] = {(int)shape->d[4], (int)shape->d[3], (int)shape->d[2]};
  const int64_t dims[5] = {1, 1, shape->d[2], shape->d[3], shape->d[4]};
  const size_t samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  float *window = cw_onnx_take(&w->arena, 3 * samples, sizeof *window);
  const char *name = cw_onnx_take_text(&w->arena, "%s/window", n->name);
  const char *inputs[2] = {in[0], name};
  CwOnnx__NodeProto *node = window && name ? cw_onnx_add_node(w, "Mul", n->name, inputs, 2) : NULL;
  if (!node)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < 3 * samples; i++)
    window[i] = 1;
  cw_taper(size, n->attributes->margin, window, window);
  CW_TRY(put_note(w, node, "margin", n->attributes->margin));
  return cw_onnx_add_tensor(w, name, CW_ONNX_FLOAT, 5, dims, window);
}

/* A conditional convolution in standard operators:
 *   routing = Sigmoid(Gemm(Concat(Flatten(GlobalAveragePool(x)), o)))       [1, E]
 *   y = Conv(x, Reshape(MatMul(routing, experts [E, co*ci*kd*kh*kw])), b)
 * The kernel differs from sample to sample, so the file is for a batch of one. */
static cw_status write_cond_conv(cw_onnx_writer *w, const cw_node_view *n, const char *const *in) {
  cw_onnx_arena *arena = &w->arena;
  const cw_shape *experts = cw_value_shape(w->graph, n->inputs[2]);
  const cw_shape *routing = cw_value_shape(w->graph, n->inputs[4]);
  const char *pooled = cw_onnx_take_text(arena, "%s/pooled", n->name);
  const char *means = cw_onnx_take_text(arena, "%s/means", n->name);
  const char *seen = cw_onnx_take_text(arena, "%s/routing_input", n->name);
  const char *gate = cw_onnx_take_text(arena, "%s/gate", n->name);
  const char *weights = cw_onnx_take_text(arena, "%s/routing", n->name);
  const char *mixture = cw_onnx_take_text(arena, "%s/mixture", n->name);
  const char *kernel = cw_onnx_take_text(arena, "%s/kernel", n->name);
  if (!pooled || !means || !seen || !gate || !weights || !mixture || !kernel)
    return CW_ERROR_MEMORY;
  if (routing->d[1] > 1) {
    const char *both[2] = {means, in[1]};
    CwOnnx__NodeProto *node = cw_onnx_add_node(w, "GlobalAveragePool", pooled, in, 1);
    CwOnnx__NodeProto *flatten = node ? cw_onnx_add_node(w, "Flatten", means, &pooled, 1) : NULL;
    CwOnnx__NodeProto *concat = flatten ? cw_onnx_add_node(w, "Concat", seen, both, 2) : NULL;
    if (!concat)
      return CW_ERROR_MEMORY;
    CW_TRY(cw_onnx_put_int(w, flatten, "axis", 1));
    CW_TRY(cw_onnx_put_int(w, concat, "axis", 1));
  } else {
    seen = in[1];
  }
  const char *gemm_in[3] = {seen, in[4], in[5]}, *mix_in[2] = {weights, in[2]};
  CwOnnx__NodeProto *gemm = cw_onnx_add_node(w, "Gemm", gate, gemm_in, 3);
  if (!gemm)
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_put_int(w, gemm, "transB", 1));
  if (!cw_onnx_add_node(w, "Sigmoid", weights, &gate, 1) || !cw_onnx_add_node(w, "MatMul", mixture, mix_in, 2))
    return CW_ERROR_MEMORY;
  const cw_shape one = cw_shape_of(experts->rank - 1, experts->d + 1);
  CW_TRY(write_reshape(w, kernel, mixture, &one, &one));
  const char *conv_in[3] = {in[0], kernel, in[3]};
  CwOnnx__NodeProto *conv = cw_onnx_add_node(w, "Conv", n->name, conv_in, 3);
  if (!conv)
    return CW_ERROR_MEMORY;
  CW_TRY(put_conv(w, conv, n->attributes, experts, 3));
  CW_TRY(put_note(w, conv, "ratio", n->attributes->ratio));
  return n->attributes->frozen ? put_note(w, conv, "frozen", 1) : CW_OK;
}

cw_status cw_onnx_write_node(cw_onnx_writer *w, const cw_node_view *node_of_graph) {
  const char *in[MOST_INPUTS] = {0};
  cw_node_view named = *node_of_graph;
  named.name = w->alias[named.output];
  const cw_node_view *n = &named;
  for (int i = 0; i < n->input_count; i++)
    in[i] = n->inputs[i] == CW_NONE ? "" : w->alias[n->inputs[i]];
  const cw_attributes *a = n->attributes;
  CwOnnx__NodeProto *node;
  switch (n->op) {
    case CW_OP_CONV:
      node = cw_onnx_add_node(w, "Conv", n->name, in, n->input_count);
      return node ? put_conv(w, node, a, cw_value_shape(w->graph, n->inputs[1]), 2) : CW_ERROR_MEMORY;
    case CW_OP_COND_CONV:
      return write_cond_conv(w, n, in);
    case CW_OP_BATCH_NORM:
      return write_batch_norm(w, n, in);
    case CW_OP_CONV_TRANSPOSE:
      node = cw_onnx_add_node(w, "ConvTranspose", n->name, in, n->input_count);
      if (!node)
        return CW_ERROR_MEMORY;
      CW_TRY(cw_onnx_put_ints(w, node, "output_padding", a->more, 3));
      return put_conv(w, node, a, cw_value_shape(w->graph, n->inputs[1]), 2);
    case CW_OP_MAX_POOL:
    case CW_OP_AVERAGE_POOL:
      return write_pool(w, n, in);
    case CW_OP_RESIZE_NEAREST:
    case CW_OP_RESIZE_LINEAR:
      return write_resize(w, n, in);
    case CW_OP_GEMM:
      node = cw_onnx_add_node(w, "Gemm", n->name, in, n->input_count);
      return node ? cw_onnx_put_int(w, node, "transB", 1) : CW_ERROR_MEMORY;
    case CW_OP_RESHAPE:
      return write_reshape(w, n->name, in[0], cw_value_shape(w->graph, n->inputs[0]), &a->shape);
    case CW_OP_TAPER:
      return write_taper(w, n, in);
    case CW_OP_DROPOUT: /* nothing outside training */
      w->alias[n->output] = in[0];
      return CW_OK;
    default:
      return cw_onnx_write_layer(w, n, in);
  }
}
