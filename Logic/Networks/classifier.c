/* The reference classifier: four convolution blocks 1-16-32-64-16, then fully connected 512-64-1.  Sizes
 * with more than four poolings get further blocks 16-16. */
#include <stdio.h>

#include "counterwarp/networks.h"
#include "Networks/builder.h"

cw_status cw_network_levels(cw_context *context, int size, int *levels) {
  if (size < 32 || size > 128 || size % 16)
    return cw_fail(context, CW_ERROR_ARGUMENT, "network: size %d; expected a multiple of 16 from 32 to 128", size);
  *levels = 0;
  for (int side = size / 4; side >= 2; side /= 2)
    (*levels)++;
  return CW_OK;
}

/* Conv, ReLU, BN, MaxPool; the third block has BN before ReLU. */
static cw_value block(cw_builder *b, int index, cw_value x, int in, int out, bool pool) {
  char conv[32], norm[32], relu[32], pooled[32];
  snprintf(conv, sizeof conv, "block%d.conv", index);
  snprintf(norm, sizeof norm, "block%d.norm", index);
  snprintf(relu, sizeof relu, "block%d.relu", index);
  snprintf(pooled, sizeof pooled, "block%d.pool", index);
  x = cw_build_conv(b, conv, x, in, out);
  if (index == 3) {
    x = cw_build_norm(b, norm, x, out);
    x = cw_build_relu(b, relu, x);
  } else {
    x = cw_build_relu(b, relu, x);
    x = cw_build_norm(b, norm, x, out);
  }
  return pool ? cw_build_pool(b, pooled, x) : x;
}

cw_status cw_network_classifier(cw_context *context, int size, uint64_t seed, cw_graph **graph) {
  static const int channels[] = {1, 16, 32, 64, 16, 16};
  int levels = 0;
  *graph = NULL;
  CW_TRY(cw_network_levels(context, size, &levels));
  cw_builder b = {context, NULL, seed, 0, CW_OK};
  b.status = cw_graph_create(context, &b.graph);
  cw_value x = cw_build_input(&b, "image", CW_SHAPE(CW_BATCH, 1, size, size, size));
  for (int i = 1; i <= (levels > 4 ? levels : 4); i++)
    x = block(&b, i, x, channels[i - 1], channels[i], i <= levels);
  const int side = size >> levels, features = 16 * side * side * side;
  x = cw_build_reshape(&b, "flatten", x, CW_SHAPE(CW_BATCH, features));
  x = cw_build_relu(&b, "relu1", cw_build_linear(&b, "fc1", "fc1", x, features, 512));
  x = cw_build_relu(&b, "relu2", cw_build_linear(&b, "fc2", "fc2", x, 512, 64));
  x = cw_build_linear(&b, "fc3", "logit", x, 64, 1);
  if (b.status == CW_OK)
    b.status = cw_graph_output(context, b.graph, x);
  if (b.status != CW_OK) {
    cw_graph_free(context, b.graph);
    return b.status;
  }
  *graph = b.graph;
  return CW_OK;
}
