/* Internal: adds a network's layers with their initial weights.  After the first failure every call is a no-op that
 * returns CW_NONE; builder.status tells. */
#ifndef COUNTERWARP_NETWORKS_BUILDER_H
#define COUNTERWARP_NETWORKS_BUILDER_H

#include "counterwarp/graph.h"

typedef struct cw_builder {
  cw_context *context;
  cw_graph *graph;
  uint64_t seed, stream; /* each parameter takes the next stream */
  cw_status status;
} cw_builder;

/* Parameter "<name>.<suffix>" uniform in [-bound, bound], or the constant `level` where bound is 0. */
cw_value cw_build_parameter(cw_builder *builder, const char *name, const char *suffix, cw_shape shape, bool trained,
                            double bound, float level);
cw_value cw_build_input(cw_builder *builder, const char *name, cw_shape shape);
cw_value cw_build_node(cw_builder *builder, cw_operator op, const char *name, const cw_attributes *attributes,
                       const cw_value *inputs, int count);

/* 3x3x3 convolution, pad 1, Xavier uniform weights, PyTorch's default bias: "<name>.weight", "<name>.bias". */
cw_value cw_build_conv(cw_builder *builder, const char *name, cw_value x, int in, int out);
/* Batch norm "<name>.scale", ".bias", ".mean", ".variance". */
cw_value cw_build_norm(cw_builder *builder, const char *name, cw_value x, int channels);
/* Fully connected layer with value name `output`; PyTorch's default initialisation, uniform within 1 / sqrt(in). */
cw_value cw_build_linear(cw_builder *builder, const char *name, const char *output, cw_value x, int in, int out);
cw_value cw_build_leaky(cw_builder *builder, const char *name, cw_value x, float slope);
cw_value cw_build_relu(cw_builder *builder, const char *name, cw_value x);
cw_value cw_build_pool(cw_builder *builder, const char *name, cw_value x);
cw_value cw_build_up(cw_builder *builder, const char *name, cw_value x);
cw_value cw_build_pair(cw_builder *builder, cw_operator op, const char *name, cw_value a, cw_value b);
cw_value cw_build_reshape(cw_builder *builder, const char *name, cw_value x, cw_shape shape);

#endif
