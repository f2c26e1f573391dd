/* Whether an output is still a probability, by what bounds it: 1 - softmax(z)[:, 1], or a sigmoid that is clipped, must
 * not be taken for a logit. */
#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

/* Of one value.  Stored numbers are finite, thus bounded; what depends on the image is not, but for probabilities. */
typedef struct bounds {
  bool low, high;
  int from; /* node of the sigmoid or softmax that bounds it, -1: none */
} bounds;

static const bounds unbounded = {false, false, -1};

/* Moves or averages values: the result is bounded as they are. */
static bool keeps_bounds(cw_operator op) {
  switch (op) {
    case CW_OP_RESHAPE:
    case CW_OP_SLICE:
    case CW_OP_GATHER:
    case CW_OP_TRANSPOSE:
    case CW_OP_EXPAND:
    case CW_OP_PAD:
    case CW_OP_REDUCE_MEAN:
    case CW_OP_REDUCE_SUM:
    case CW_OP_REDUCE_MAX:
    case CW_OP_GLOBAL_AVERAGE_POOL:
      return true;
    default:
      return false;
  }
}

static bounds of_one(const cw_node_view *node, bounds x) {
  switch (node->op) {
    case CW_OP_NEG:
      return (bounds){x.high, x.low, x.from};
    case CW_OP_EXP:
      return (bounds){true, x.high, x.from};
    case CW_OP_LOG:
      return (bounds){false, x.high, x.from};
    case CW_OP_CLIP:
      return (bounds){x.low || isfinite(node->attributes->alpha), x.high || isfinite(node->attributes->beta), x.from};
    case CW_OP_ABS:
    case CW_OP_SQRT:
      return x.low && x.high ? x : unbounded;
    default:
      return keeps_bounds(node->op) ? x : unbounded;
  }
}

/* stored: b is.  Of two that depend on the image a quotient is odds or a softmax by hand, and has no bound of use. */
static bounds of_two(cw_operator op, bounds a, bounds b, bool stored) {
  const bool both = a.low && a.high && b.low && b.high;
  const int from = a.from >= 0 ? a.from : b.from;
  switch (op) {
    case CW_OP_ADD:
    case CW_OP_CONCAT:
    case CW_OP_MIN:
    case CW_OP_MAX:
      return (bounds){a.low && b.low, a.high && b.high, from};
    case CW_OP_SUB:
      return (bounds){a.low && b.high, a.high && b.low, from};
    case CW_OP_MUL:
      return both ? (bounds){true, true, from} : unbounded;
    case CW_OP_DIV:
    case CW_OP_POW:
      return both && stored ? (bounds){true, true, from} : unbounded;
    default:
      return unbounded;
  }
}

static bounds of_node(const cw_graph *graph, int index, const bounds *known) {
  const cw_node_view node = cw_graph_node_at(graph, index);
  if (node.op == CW_OP_SIGMOID || node.op == CW_OP_SOFTMAX)
    return (bounds){true, true, index};
  if (node.op == CW_OP_LOG_SOFTMAX)
    return (bounds){false, true, index};
  bounds y = known[node.inputs[0]];
  if (node.input_count == 1 || keeps_bounds(node.op))
    return of_one(&node, y);
  for (int k = 1; k < node.input_count; k++)
    y = node.inputs[k] == CW_NONE
            ? unbounded
            : of_two(node.op, y, known[node.inputs[k]], cw_value_data(graph, node.inputs[k]) != NULL);
  return y;
}

cw_status cw_onnx_refuse_probability(cw_onnx_reader *r, const char *output, cw_value value) {
  const cw_graph *graph = r->graph;
  char label[72], name[72];
  bounds *known = cw_onnx_take(&r->arena, (size_t)cw_graph_value_count(graph), sizeof *known);
  if (!known)
    return CW_ERROR_MEMORY;
  for (int v = 0; v < cw_graph_value_count(graph); v++) {
    const bool stored = cw_value_data(graph, v) != NULL;
    known[v] = (bounds){stored, stored, -1};
  }
  for (int i = 0; i < cw_graph_node_count(graph); i++)
    known[cw_graph_node_at(graph, i).output] = of_node(graph, i, known);
  const bounds found = known[value];
  if (found.from < 0 || !(found.low || found.high))
    return CW_OK;
  const cw_node_view node = cw_graph_node_at(graph, found.from);
  return cw_fail(
      r->context, CW_ERROR_UNSUPPORTED,
      "onnx: output '%s' is bounded by the probabilities of node '%s' (%s) and is no logit; export the values "
      "before them, or choose \"0 alone\" to take the number as it is",
      cw_onnx_label(output, label), cw_onnx_label(node.name, name), cw_operator_name(node.op));
}
