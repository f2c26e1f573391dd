#include "Networks/builder.h"

#include <math.h>
#include <stdio.h>

#include "counterwarp/random.h"

cw_value cw_build_parameter(cw_builder *b, const char *name, const char *suffix, cw_shape shape, bool trained,
                            double bound, float level) {
  char full[160];
  cw_value value = CW_NONE;
  if (b->status != CW_OK)
    return CW_NONE;
  snprintf(full, sizeof full, "%s.%s", name, suffix);
  b->status = cw_graph_parameter(b->context, b->graph, full, shape, trained, NULL, &value);
  if (b->status != CW_OK)
    return CW_NONE;
  cw_random random = cw_random_stream(b->seed, b->stream++);
  float *data = cw_value_data(b->graph, value);
  const int64_t count = cw_shape_elements(&shape, 1);
  for (int64_t i = 0; i < count; i++)
    data[i] = bound > 0 ? (float)cw_random_uniform(&random, -bound, bound) : level;
  return value;
}

cw_value cw_build_input(cw_builder *b, const char *name, cw_shape shape) {
  cw_value value = CW_NONE;
  if (b->status == CW_OK)
    b->status = cw_graph_input(b->context, b->graph, name, shape, &value);
  return value;
}

cw_value cw_build_node(cw_builder *b, cw_operator op, const char *name, const cw_attributes *attributes,
                       const cw_value *inputs, int count) {
  cw_value value = CW_NONE;
  if (b->status == CW_OK)
    b->status = cw_graph_node(b->context, b->graph, op, name, attributes, inputs, count, &value);
  return value;
}

cw_value cw_build_conv(cw_builder *b, const char *name, cw_value x, int in, int out) {
  cw_attributes a = cw_attributes_default();
  for (int i = 0; i < 3; i++) {
    a.kernel[i] = 3;
    a.pads[i] = a.pads[i + 3] = 1;
  }
  const cw_value w =
      cw_build_parameter(b, name, "weight", CW_SHAPE(out, in, 3, 3, 3), true, sqrt(6.0 / (27.0 * in + 27.0 * out)), 0);
  const cw_value bias = cw_build_parameter(b, name, "bias", CW_SHAPE(out), true, 1 / sqrt(27.0 * in), 0);
  return cw_build_node(b, CW_OP_CONV, name, &a, (const cw_value[]){x, w, bias}, 3);
}

cw_value cw_build_norm(cw_builder *b, const char *name, cw_value x, int channels) {
  const cw_shape shape = CW_SHAPE(channels);
  const cw_value scale = cw_build_parameter(b, name, "scale", shape, true, 0, 1);
  const cw_value bias = cw_build_parameter(b, name, "bias", shape, true, 0, 0);
  const cw_value mean = cw_build_parameter(b, name, "mean", shape, false, 0, 0);
  const cw_value variance = cw_build_parameter(b, name, "variance", shape, false, 0, 1);
  return cw_build_node(b, CW_OP_BATCH_NORM, name, NULL, (const cw_value[]){x, scale, bias, mean, variance}, 5);
}

cw_value cw_build_linear(cw_builder *b, const char *name, const char *output, cw_value x, int in, int out) {
  const double bound = 1 / sqrt((double)in);
  const cw_value w = cw_build_parameter(b, name, "weight", CW_SHAPE(out, in), true, bound, 0);
  const cw_value bias = cw_build_parameter(b, name, "bias", CW_SHAPE(out), true, bound, 0);
  return cw_build_node(b, CW_OP_GEMM, output, NULL, (const cw_value[]){x, w, bias}, 3);
}

cw_value cw_build_leaky(cw_builder *b, const char *name, cw_value x, float slope) {
  cw_attributes a = cw_attributes_default();
  a.alpha = slope;
  return cw_build_node(b, CW_OP_LEAKY_RELU, name, &a, &x, 1);
}

cw_value cw_build_relu(cw_builder *b, const char *name, cw_value x) {
  return cw_build_node(b, CW_OP_RELU, name, NULL, &x, 1);
}

cw_value cw_build_pool(cw_builder *b, const char *name, cw_value x) {
  cw_attributes a = cw_attributes_default();
  for (int i = 0; i < 3; i++)
    a.kernel[i] = a.stride[i] = 2;
  return cw_build_node(b, CW_OP_MAX_POOL, name, &a, &x, 1);
}

cw_value cw_build_up(cw_builder *b, const char *name, cw_value x) {
  cw_attributes a = cw_attributes_default();
  a.scale[0] = a.scale[1] = a.scale[2] = 2;
  return cw_build_node(b, CW_OP_RESIZE_NEAREST, name, &a, &x, 1);
}

cw_value cw_build_pair(cw_builder *b, cw_operator op, const char *name, cw_value first, cw_value second) {
  return cw_build_node(b, op, name, NULL, (const cw_value[]){first, second}, 2);
}

cw_value cw_build_reshape(cw_builder *b, const char *name, cw_value x, cw_shape shape) {
  cw_attributes a = cw_attributes_default();
  a.shape = shape;
  return cw_build_node(b, CW_OP_RESHAPE, name, &a, &x, 1);
}
