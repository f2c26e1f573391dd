/* Layer-wise relevance propagation: which rule a node follows. */
#include <string.h>

#include "Saliency/saliency_internal.h"

static bool is_stored(const cw_saliency *s, cw_value value) {
  return value != CW_NONE && cw_value_data(s->graph, value);
}

static bool is_computed(const cw_saliency *s, cw_value value) {
  return value != CW_NONE && !cw_value_data(s->graph, value);
}

/* x computed, all that follows stored. */
static bool has_stored_weights(const cw_saliency *s, const cw_node_view *node) {
  for (int k = 1; k < node->input_count; k++)
    if (node->inputs[k] != CW_NONE && !is_stored(s, node->inputs[k]))
      return false;
  return is_computed(s, node->inputs[0]);
}

static bool same_shape(const cw_saliency *s, cw_value a, cw_value b) {
  return cw_shape_equal(cw_value_shape(s->graph, a), cw_value_shape(s->graph, b));
}

/* Numbers that say how much of something passes: a Sigmoid or Softmax, 1 + erf, 1 + tanh, also times or plus constants
 * and in another shape. */
static bool is_gate(const cw_saliency *s, cw_value value) {
  bool raised = false;
  for (;;) {
    const int producer = is_computed(s, value) ? s->producer[value] : -1;
    if (producer < 0)
      return false;
    const cw_node_view node = cw_graph_node_at(s->graph, producer);
    switch (node.op) {
      case CW_OP_SIGMOID:
      case CW_OP_HARD_SIGMOID:
      case CW_OP_SOFTMAX:
        return true;
      case CW_OP_ERF:
      case CW_OP_TANH:
        return raised;
      case CW_OP_ADD:
      case CW_OP_MUL:
        if (is_stored(s, node.inputs[0]) == is_stored(s, node.inputs[1]))
          return false;
        raised = raised || node.op == CW_OP_ADD;
        value = node.inputs[is_stored(s, node.inputs[0])];
        break;
      case CW_OP_DIV:
        if (!is_stored(s, node.inputs[1]))
          return false;
        value = node.inputs[0];
        break;
      case CW_OP_RESHAPE:
      case CW_OP_EXPAND:
      case CW_OP_TRANSPOSE:
      case CW_OP_DROPOUT:
        value = node.inputs[0];
        break;
      default:
        return false;
    }
  }
}

/* Which operand of a product of two is the signal, or -1. */
static int signal_of(const cw_saliency *s, const cw_node_view *node) {
  const bool first = is_gate(s, node->inputs[0]), second = is_gate(s, node->inputs[1]);
  const int signal = first ? 1 : 0;
  return first != second && same_shape(s, node->inputs[signal], node->output) ? signal : -1;
}

static cw_lrp_kind kind_of_product(const cw_saliency *s, const cw_node_view *node) {
  const bool a = is_stored(s, node->inputs[0]), b = is_stored(s, node->inputs[1]);
  if (a != b)
    return same_shape(s, node->inputs[a], node->output) ? CW_LRP_PASS : CW_LRP_UNKNOWN;
  return !a && signal_of(s, node) >= 0 ? CW_LRP_SIGNAL : CW_LRP_UNKNOWN;
}

static cw_lrp_kind kind_of_sum(const cw_saliency *s, const cw_node_view *node) {
  const bool a = is_stored(s, node->inputs[0]), b = is_stored(s, node->inputs[1]);
  const bool whole =
      (a || same_shape(s, node->inputs[0], node->output)) && (b || same_shape(s, node->inputs[1], node->output));
  return whole && !(a && b) ? CW_LRP_SUM : CW_LRP_UNKNOWN;
}

cw_lrp_kind cw_lrp_kind_of(const cw_saliency *s, int index) {
  const cw_node_view node = cw_graph_node_at(s->graph, index);
  switch (node.op) {
    case CW_OP_CONV:
    case CW_OP_CONV_TRANSPOSE:
    case CW_OP_GEMM:
    case CW_OP_MATMUL:
      return has_stored_weights(s, &node) ? CW_LRP_LINEAR : CW_LRP_UNKNOWN;
    case CW_OP_AVERAGE_POOL:
    case CW_OP_GLOBAL_AVERAGE_POOL:
    case CW_OP_REDUCE_MEAN:
    case CW_OP_REDUCE_SUM:
    case CW_OP_RESIZE_NEAREST:
    case CW_OP_RESIZE_LINEAR:
    case CW_OP_RESIZE:
      return CW_LRP_LINEAR;
    case CW_OP_BATCH_NORM:
      return has_stored_weights(s, &node) ? CW_LRP_LINE : CW_LRP_UNKNOWN;
    case CW_OP_INSTANCE_NORM:
    case CW_OP_LAYER_NORM:
      return has_stored_weights(s, &node) ? CW_LRP_OWN_LINE : CW_LRP_UNKNOWN;
    case CW_OP_ADD:
    case CW_OP_SUB:
      return kind_of_sum(s, &node);
    case CW_OP_MUL:
      return kind_of_product(s, &node);
    case CW_OP_DIV:
      return is_stored(s, node.inputs[1]) ? kind_of_product(s, &node) : CW_LRP_UNKNOWN;
    case CW_OP_RELU:
    case CW_OP_LEAKY_RELU:
    case CW_OP_ELU:
    case CW_OP_SELU:
    case CW_OP_HARD_SWISH:
    case CW_OP_TANH:
    case CW_OP_ERF:
    case CW_OP_SOFTSIGN:
    case CW_OP_NEG:
    case CW_OP_DROPOUT:
      return CW_LRP_PASS;
    case CW_OP_PRELU:
      return has_stored_weights(s, &node) ? CW_LRP_PASS : CW_LRP_UNKNOWN;
    case CW_OP_CLIP: /* 0 stays 0 */
      return node.attributes->alpha <= 0 && node.attributes->beta >= 0 ? CW_LRP_PASS : CW_LRP_UNKNOWN;
    case CW_OP_GATHER:
      return has_stored_weights(s, &node) ? CW_LRP_MOVE : CW_LRP_UNKNOWN;
    case CW_OP_RESHAPE:
    case CW_OP_TRANSPOSE:
    case CW_OP_CONCAT:
    case CW_OP_SLICE:
    case CW_OP_PAD:
    case CW_OP_EXPAND:
    case CW_OP_MAX_POOL:
    case CW_OP_REDUCE_MAX:
    case CW_OP_MAX:
    case CW_OP_MIN:
    case CW_OP_WHERE:
      return CW_LRP_MOVE;
    default:
      return CW_LRP_UNKNOWN;
  }
}

int cw_lrp_signal(const cw_saliency *s, int index) {
  const cw_node_view node = cw_graph_node_at(s->graph, index);
  return cw_lrp_kind_of(s, index) == CW_LRP_SIGNAL ? signal_of(s, &node) : -1;
}

void cw_lrp_find_idle(cw_saliency *s, bool *signal) {
  memset(signal, 0, (size_t)cw_graph_value_count(s->graph) * sizeof *signal);
  for (int i = cw_graph_node_count(s->graph) - 1; i >= 0; i--) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    s->idle[i] = s->live[i] && node.output != s->logits && !signal[node.output];
    if (!s->live[i] || s->idle[i])
      continue;
    const int chosen = cw_lrp_signal(s, i);
    for (int k = 0; k < node.input_count; k++)
      if (node.inputs[k] != CW_NONE && (chosen < 0 || k == chosen))
        signal[node.inputs[k]] = true;
  }
}

cw_status cw_lrp_check(cw_context *context, const cw_saliency *s, const cw_saliency_request *request) {
  char name[64];
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    if (!s->live[i] || s->idle[i] || cw_lrp_kind_of(s, i) != CW_LRP_UNKNOWN)
      continue;
    cw_saliency_name(request, name);
    return cw_fail(context, CW_ERROR_UNSUPPORTED,
                   "saliency: %s has no rule for node '%s' (%s); ask for gradient-x-input or integrated-gradients "
                   "instead",
                   name, node.name, cw_operator_name(node.op));
  }
  return CW_OK;
}

bool cw_lrp_is_gradient_input(const cw_saliency *s) {
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_operator op = cw_graph_node_at(s->graph, i).op;
    const cw_lrp_kind kind = s->live[i] ? cw_lrp_kind_of(s, i) : CW_LRP_MOVE;
    const bool pass = op == CW_OP_RELU || op == CW_OP_LEAKY_RELU || op == CW_OP_PRELU || op == CW_OP_DROPOUT ||
                      op == CW_OP_MUL || op == CW_OP_DIV || op == CW_OP_NEG;
    if (kind == CW_LRP_UNKNOWN || kind == CW_LRP_SIGNAL || kind == CW_LRP_OWN_LINE || (kind == CW_LRP_PASS && !pass))
      return false;
  }
  return true;
}
