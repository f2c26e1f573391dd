#include <string.h>

#include "Graph/plan_internal.h"

static void find_ends(const cw_graph *graph, const bool *needed, cw_value_ends *ends) {
  for (int v = 0; v < graph->value_count; v++) {
    ends[v].producer = ends[v].reader = CW_NONE;
    ends[v].readers = 0;
  }
  for (int i = 0; i < graph->node_count; i++) {
    const cw_node_record *node = &graph->nodes[i];
    ends[node->output].producer = i;
    for (int k = 0; k < node->input_count && needed[i]; k++)
      if (node->inputs[k] != CW_NONE)
        ends[node->inputs[k]].reader = ends[node->inputs[k]].readers++ ? CW_NONE : i;
  }
}

/* The node after `value` if it is the only reader and nothing outside wants the value. */
static int follower(const cw_value_ends *ends, const bool *kept, cw_value value) {
  return kept[value] ? CW_NONE : ends[value].reader;
}

static const cw_node_record *free_node(const cw_graph *graph, const bool *covered, int node) {
  return node == CW_NONE || covered[node] ? NULL : &graph->nodes[node];
}

static bool halves(const cw_attributes *a) {
  for (int i = 0; i < 3; i++)
    if (a->kernel[i] != 2 || a->stride[i] != 2 || a->pads[i] || a->pads[i + 3])
      return false;
  return true;
}

static bool even_volume(const cw_shape *shape) {
  return shape->rank == 5 && shape->d[2] % 2 == 0 && shape->d[3] % 2 == 0 && shape->d[4] % 2 == 0;
}

static bool doubles(const cw_attributes *a, const cw_shape *shape) {
  return shape->rank == 5 && a->scale[0] == 2 && a->scale[1] == 2 && a->scale[2] == 2;
}

/* Extends a batch norm's step over what follows it; covered[] marks the nodes that it takes in. */
static void extend_norm(const cw_graph *graph, const cw_value_ends *ends, const bool *kept, cw_step *step,
                        bool *covered) {
  step->info = &cw_layer_norm_act;
  step->attributes.alpha = 1;
  step->attributes.kernel[0] = step->attributes.scale[0] = 1;
  int next = follower(ends, kept, step->output);
  const cw_node_record *node = free_node(graph, covered, next);
  if (node && (node->op == CW_OP_RELU || node->op == CW_OP_LEAKY_RELU) &&
      (node->op == CW_OP_RELU || node->attributes.alpha > 0)) {
    step->attributes.alpha = node->op == CW_OP_RELU ? 0 : node->attributes.alpha;
    step->output = node->output;
    step->node = next;
    covered[next] = true;
    next = follower(ends, kept, step->output);
    node = free_node(graph, covered, next);
  }
  if (!node)
    return;
  const cw_shape *shape = &graph->values[step->output].shape;
  if (node->op == CW_OP_MAX_POOL && halves(&node->attributes) && even_volume(shape)) {
    step->attributes.kernel[0] = 2;
  } else if (node->op == CW_OP_RESIZE_NEAREST && doubles(&node->attributes, shape)) {
    step->attributes.scale[0] = 2;
  } else {
    return;
  }
  step->output = node->output;
  step->node = next;
  covered[next] = true;
  if (step->attributes.scale[0] != 2)
    return;
  next = follower(ends, kept, step->output);
  node = free_node(graph, covered, next);
  if (!node || node->op != CW_OP_ADD)
    return;
  const cw_value skip = node->inputs[node->inputs[0] == step->output];
  if (!cw_shape_equal(&graph->values[skip].shape, &graph->values[node->output].shape))
    return;
  step->inputs[5] = skip;
  step->input_count = 6;
  step->pass_gradient = 5;
  step->output = node->output;
  step->node = next;
  covered[next] = true;
}

/* An elementwise step may overwrite its input when it alone reads it and the producer does not need it back. */
static bool may_overwrite(const cw_graph *graph, const cw_value_ends *ends, const bool *kept,
                          const cw_node_record *node) {
  const cw_value in = node->inputs[0];
  if (graph->values[in].kind != CW_VALUE_ACTIVATION || follower(ends, kept, in) == CW_NONE)
    return false;
  return ends[in].producer != CW_NONE && !cw_operator_table(graph->nodes[ends[in].producer].op)->keep_output;
}

static void fuse_step(const cw_graph *graph, const cw_value_ends *ends, const bool *kept, const cw_node_record *node,
                      cw_step *step, bool *covered) {
  switch (node->op) {
    case CW_OP_BATCH_NORM:
      extend_norm(graph, ends, kept, step, covered);
      break;
    case CW_OP_RELU:
    case CW_OP_LEAKY_RELU:
      step->in_place = may_overwrite(graph, ends, kept, node) && (node->op == CW_OP_RELU || node->attributes.alpha > 0);
      break;
    case CW_OP_RESHAPE:
      step->in_place = may_overwrite(graph, ends, kept, node);
      step->pass_gradient = step->in_place ? 0 : CW_NONE;
      break;
    case CW_OP_ADD:
      if (node->inputs[0] != node->inputs[1] &&
          cw_shape_equal(&graph->values[node->inputs[0]].shape, &graph->values[node->output].shape))
        step->pass_gradient = 0;
      break;
    default:
      break;
  }
}

int cw_steps_build(const cw_graph *graph, const bool *needed, const bool *kept, bool fuse, bool *covered,
                   cw_value_ends *ends, cw_step *steps) {
  int count = 0;
  find_ends(graph, needed, ends);
  memset(covered, 0, (size_t)graph->node_count * sizeof *covered);
  for (int i = 0; i < graph->node_count; i++) {
    const cw_node_record *node = &graph->nodes[i];
    if (!needed[i] || covered[i])
      continue;
    cw_step step = {0};
    step.info = cw_operator_table(node->op);
    step.attributes = node->attributes;
    step.input_count = node->input_count;
    memcpy(step.inputs, node->inputs, sizeof step.inputs);
    step.output = node->output;
    step.node = i;
    step.pass_gradient = step.saved = step.again = CW_NONE;
    if (fuse)
      fuse_step(graph, ends, kept, node, &step, covered);
    /* A fused step runs where its last node stands: there all of its inputs are ready. */
    int at = count++;
    for (; at > 0 && steps[at - 1].node > step.node; at--)
      steps[at] = steps[at - 1];
    steps[at] = step;
  }
  return count;
}
