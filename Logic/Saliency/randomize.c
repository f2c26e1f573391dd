/* Layers with weights, and new weights for them. */
#include <math.h>
#include <string.h>

#include "counterwarp/random.h"
#include "Saliency/saliency_internal.h"

static bool weighs(cw_operator op) {
  return op == CW_OP_CONV || op == CW_OP_COND_CONV || op == CW_OP_CONV_TRANSPOSE || op == CW_OP_GEMM ||
         op == CW_OP_MATMUL;
}

/* A layer with stored weights: a parameter of two dimensions and more.  Constants of other operators are no weights. */
static bool has_weights(const cw_graph *graph, const cw_node_view *node) {
  if (!weighs(node->op))
    return false;
  for (int k = 0; k < node->input_count; k++)
    if (node->inputs[k] != CW_NONE && cw_value_data(graph, node->inputs[k]) &&
        cw_value_shape(graph, node->inputs[k])->rank > 1)
      return true;
  return false;
}

static bool is_dense(cw_operator op) {
  return op == CW_OP_GEMM || op == CW_OP_MATMUL;
}

static bool normalises(cw_operator op) {
  return op == CW_OP_BATCH_NORM || op == CW_OP_INSTANCE_NORM || op == CW_OP_LAYER_NORM;
}

/* The part of the weights that feed a normalisation; the first one's where it stands before all. */
static int part_before(const cw_graph *graph, const int *part, int node) {
  while (node >= 0 && part[node] < 0)
    node = cw_producer(graph, cw_graph_node_at(graph, node).inputs[0]);
  return node < 0 ? 0 : part[node];
}

static void find_head(const cw_graph *graph, cw_random_layers *layers) {
  int first = layers->count;
  while (first > 0 && is_dense(cw_graph_node_at(graph, layers->node[first - 1]).op))
    first--;
  while (first > 0 && 3 * (layers->count - first) < layers->count)
    first--;
  layers->first_dense = first;
}

cw_status cw_random_layers_of(cw_context *context, const cw_graph *graph, cw_random_layers *layers) {
  const int nodes = cw_graph_node_count(graph);
  memset(layers, 0, sizeof *layers);
  layers->node = cw_allocate(context, (size_t)nodes + 1, sizeof *layers->node);
  layers->part = cw_allocate(context, (size_t)nodes + 1, sizeof *layers->part);
  if (!layers->node || !layers->part) {
    cw_random_layers_free(context, layers);
    return CW_ERROR_MEMORY;
  }
  for (int i = 0; i < nodes; i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    layers->part[i] = -1;
    if (has_weights(graph, &node)) {
      layers->node[layers->count] = i;
      layers->part[i] = layers->count++;
    }
  }
  for (int i = 0; i < nodes; i++)
    if (normalises(cw_graph_node_at(graph, i).op))
      layers->part[i] = part_before(graph, layers->part, i);
  if (!layers->count) {
    cw_random_layers_free(context, layers);
    return cw_fail(context, CW_ERROR_ARGUMENT, "saliency: the graph has no layer with weights to re-draw");
  }
  find_head(graph, layers);
  return CW_OK;
}

void cw_random_layers_free(cw_context *context, cw_random_layers *layers) {
  cw_release(context, layers->node);
  cw_release(context, layers->part);
  memset(layers, 0, sizeof *layers);
}

/* Numbers that one output is a sum of, and that one input goes to. */
static void fans_of(const cw_node_view *node, int input, const cw_shape *shape, double *in, double *out) {
  const double count = (double)cw_shape_elements(shape, 1);
  const int64_t *d = shape->d, rank = shape->rank;
  if (node->op == CW_OP_COND_CONV && rank > 2) { /* [experts, out, in, ...] */
    *in = count / (double)(d[0] * d[1]);
    *out = count / (double)(d[0] * d[2]);
  } else if (node->op == CW_OP_MATMUL) {
    *in = (double)d[rank - (input ? 2 : 1)];
    *out = (double)d[rank - (input ? 1 : 2)];
  } else {
    *in = count / (double)d[0];
    *out = count / (double)d[1];
  }
}

static void draw_weights(const cw_graph *graph, const cw_node_view *node, int part, uint64_t seed) {
  double inputs = 1, outputs = 1;
  for (int k = 0; k < node->input_count; k++) {
    float *data = node->inputs[k] == CW_NONE ? NULL : cw_value_data(graph, node->inputs[k]);
    if (!data)
      continue;
    const cw_shape *shape = cw_value_shape(graph, node->inputs[k]);
    const int64_t count = cw_shape_elements(shape, 1);
    if (shape->rank > 1)
      fans_of(node, k, shape, &inputs, &outputs);
    const bool kernel = shape->rank > 2 && !is_dense(node->op);
    const double bound = kernel ? sqrt(6 / (inputs + outputs)) : 1 / sqrt(inputs);
    cw_random random = cw_random_stream(seed, 16 * (uint64_t)part + (uint64_t)k);
    for (int64_t i = 0; i < count; i++)
      data[i] = (float)cw_random_uniform(&random, -bound, bound);
  }
}

void cw_random_layer_draw(const cw_graph *graph, const cw_random_layers *layers, int part, uint64_t seed) {
  for (int i = 0; i < cw_graph_node_count(graph); i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    if (layers->part[i] != part)
      continue;
    if (!normalises(node.op)) {
      draw_weights(graph, &node, part, seed);
      continue;
    }
    for (int k = 1; k < node.input_count; k++) { /* scale, bias, and batch norm's mean and variance */
      float *data = node.inputs[k] == CW_NONE ? NULL : cw_value_data(graph, node.inputs[k]);
      const int64_t count = data ? cw_shape_elements(cw_value_shape(graph, node.inputs[k]), 1) : 0;
      for (int64_t c = 0; c < count; c++)
        data[c] = k == 1 || k == 4;
    }
  }
}
