/* Layer-wise relevance propagation: folding, memory, and one node of the pass. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

/* ---- batch norm as a line, and its folding into convolutions ---- */

void cw_norm_line(const cw_graph *graph, int node, int c, float *factor, float *offset) {
  const cw_node_view view = cw_graph_node_at(graph, node);
  const float *scale = cw_value_data(graph, view.inputs[1]), *shift = cw_value_data(graph, view.inputs[2]);
  const float *mean = cw_value_data(graph, view.inputs[3]), *variance = cw_value_data(graph, view.inputs[4]);
  *factor = scale[c] / sqrtf(variance[c] + view.attributes->epsilon);
  *offset = shift[c] - mean[c] * *factor;
}

static void count_readers(const cw_saliency *s, int *readers) {
  memset(readers, 0, (size_t)cw_graph_value_count(s->graph) * sizeof *readers);
  readers[s->logits]++;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    for (int k = 0; k < node.input_count && s->live[i]; k++)
      if (node.inputs[k] != CW_NONE)
        readers[node.inputs[k]]++;
  }
}

/* A stored number for each of the last axis: the bias of the MatMul before it. */
static bool adds_bias(const cw_saliency *s, const cw_node_view *add, cw_value *product) {
  const int stored = cw_value_data(s->graph, add->inputs[0]) ? 0 : 1;
  const cw_shape *bias = cw_value_shape(s->graph, add->inputs[stored]), *out = cw_value_shape(s->graph, add->output);
  *product = add->inputs[1 - stored];
  return cw_value_data(s->graph, add->inputs[stored]) && bias->rank > 0 &&
         cw_shape_elements(bias, 1) == out->d[out->rank - 1] && bias->d[bias->rank - 1] == out->d[out->rank - 1] &&
         cw_shape_equal(cw_value_shape(s->graph, *product), out);
}

void cw_lrp_fold(cw_saliency *s, int *readers) {
  const int nodes = cw_graph_node_count(s->graph);
  count_readers(s, readers);
  for (int i = 0; i < nodes; i++)
    s->fold[i] = -1;
  for (int i = 0; i < nodes; i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    cw_value from = node.inputs[0];
    const bool norm = node.op == CW_OP_BATCH_NORM, bias = node.op == CW_OP_ADD && adds_bias(s, &node, &from);
    const int before = s->live[i] && (norm || bias) ? s->producer[from] : -1;
    if (before >= 0 && cw_graph_node_at(s->graph, before).op == (norm ? CW_OP_CONV : CW_OP_MATMUL) &&
        readers[from] == 1) {
      s->fold[i] = before;
      s->fold[before] = i;
    }
  }
}

cw_status cw_lrp_allocate(cw_context *context, cw_saliency *s) {
  size_t most[4] = {0, 0, 0, 0}, total = 0;
  bool lrp = false;
  for (int r = 0; r < s->count; r++)
    lrp = lrp || s->requests[r].method == CW_SALIENCY_LRP;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    size_t sizes[4] = {0, 0, 0, 0};
    if (!s->live[i])
      continue;
    if (node.op == CW_OP_BATCH_NORM) /* FullGrad's biases, too */
      sizes[3] = (size_t)cw_value_shape(s->graph, node.inputs[1])->d[0];
    else if (lrp && cw_lrp_kind_of(s, i) == CW_LRP_LINEAR)
      cw_lrp_linear_sizes(s, i, sizes);
    for (int k = 0; k < 4; k++)
      most[k] = sizes[k] > most[k] ? sizes[k] : most[k];
  }
  for (int k = 0; k < 4; k++) {
    most[k] = (most[k] + 15) / 16 * 16;
    total += 2 * most[k];
  }
  s->scratch_block = cw_allocate(context, total + 16, sizeof(float));
  if (!s->scratch_block)
    return CW_ERROR_MEMORY;
  s->scratch_bytes = total * sizeof(float);
  float *next = s->scratch_block,
        **const parts[4] = {s->scratch.out, s->scratch.in, s->scratch.weight, s->scratch.bias};
  for (int k = 0; k < 4; k++)
    for (int i = 0; i < 2; i++, next += most[k])
      parts[k][i] = next;
  return CW_OK;
}

/* ---- a node ---- */

/* All to one operand, nothing to the others. */
static void give_one(const cw_call *call, int chosen) {
  const int64_t n = cw_elements(&call->out_shape);
  for (int k = 0; k < call->input_count; k++) {
    if (!call->grad_in[k])
      continue;
    if (k == chosen)
      cw_pass(n, call->grad_out, call->accumulate[k], call->grad_in[k], call->threads);
    else if (!call->accumulate[k])
      cw_clear(cw_elements(&call->in_shape[k]), call->grad_in[k], call->threads);
  }
}

static cw_lrp_rule rule_of(const cw_saliency *s, const cw_lrp *lrp, const cw_node_view *view) {
  const bool dense = view->op == CW_OP_GEMM || view->op == CW_OP_MATMUL;
  const bool weights = dense || view->op == CW_OP_CONV || view->op == CW_OP_CONV_TRANSPOSE;
  const cw_lrp_rule inner = dense ? lrp->dense : lrp->other;
  if (weights && view->inputs[0] == s->image)
    return lrp->input;
  return inner == CW_LRP_BOX ? CW_LRP_EPSILON : inner;
}

void cw_rule_lrp(cw_saliency *s, const cw_lrp *lrp, bool negative, int node, const cw_call *call) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  const bool negate = negative && node == s->negated;
  const cw_lrp_rule rule = rule_of(s, lrp, &view);
  const int computed = view.input_count > 1 && cw_value_data(s->graph, view.inputs[0]) ? 1 : 0;
  if (s->ledger)
    memset(&s->ledger[node], 0, sizeof *s->ledger);
  if (s->idle[node]) {
    give_one(call, -1);
    return;
  }
  switch (cw_lrp_kind_of(s, node)) {
    case CW_LRP_LINEAR:
      cw_lrp_linear(s, lrp, rule, negate, node, call);
      return;
    case CW_LRP_SUM:
      if (s->fold[node] < 0) {
        cw_lrp_sum(s, lrp, rule, negate, node, call);
        return;
      }
      give_one(call, computed);
      break;
    case CW_LRP_OWN_LINE:
      cw_lrp_own_line(s, lrp, rule, negate, node, call);
      return;
    case CW_LRP_LINE:
      if (s->fold[node] < 0) {
        cw_lrp_line(s, lrp, rule, negate, node, call);
        return;
      }
      give_one(call, 0);
      break;
    case CW_LRP_SIGNAL:
      give_one(call, cw_lrp_signal(s, node));
      break;
    case CW_LRP_PASS:
      give_one(call, computed);
      break;
    default:
      cw_operator_table(view.op)->backward(call); /* to where the values came from */
      break;
  }
  if (s->ledger)
    s->ledger[node].received = s->ledger[node].passed = cw_sum(cw_elements(&call->out_shape), call->grad_out);
}
