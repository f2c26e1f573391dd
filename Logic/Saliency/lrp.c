/* Layer-wise relevance propagation: which rule a node follows, and the rules that work element by element. */
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

static int readers(const cw_saliency *s, cw_value value) {
  int count = value == s->logits;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    for (int k = 0; k < node.input_count && s->live[i]; k++)
      count += node.inputs[k] == value;
  }
  return count;
}

void cw_lrp_fold(cw_saliency *s) {
  const int nodes = cw_graph_node_count(s->graph);
  for (int i = 0; i < nodes; i++)
    s->fold[i] = -1;
  for (int i = 0; i < nodes; i++) {
    const cw_node_view norm = cw_graph_node_at(s->graph, i);
    if (!s->live[i] || norm.op != CW_OP_BATCH_NORM)
      continue;
    const int before = cw_producer(s->graph, norm.inputs[0]);
    if (before >= 0 && cw_graph_node_at(s->graph, before).op == CW_OP_CONV && readers(s, norm.inputs[0]) == 1) {
      s->fold[i] = before;
      s->fold[before] = i;
    }
  }
}

/* ---- which nodes have rules ---- */

static bool is_linear(cw_operator op) {
  return op == CW_OP_CONV || op == CW_OP_GEMM || op == CW_OP_AVERAGE_POOL || op == CW_OP_GLOBAL_AVERAGE_POOL ||
         op == CW_OP_RESIZE_NEAREST || op == CW_OP_RESIZE_LINEAR;
}

/* Relevance goes on as it is. */
static bool passes(cw_operator op) {
  return cw_is_rectifier(op) || op == CW_OP_DROPOUT || op == CW_OP_RESHAPE;
}

static bool same_shapes(const cw_saliency *s, const cw_node_view *node) {
  return cw_shape_equal(cw_value_shape(s->graph, node->inputs[0]), cw_value_shape(s->graph, node->inputs[1]));
}

cw_status cw_lrp_check(cw_context *context, const cw_saliency *s, const cw_saliency_request *request) {
  char name[64];
  cw_saliency_name(request, name);
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    if (!s->live[i])
      continue;
    const bool known = is_linear(node.op) || passes(node.op) || node.op == CW_OP_BATCH_NORM ||
                       node.op == CW_OP_MAX_POOL || node.op == CW_OP_CONCAT ||
                       (node.op == CW_OP_ADD && same_shapes(s, &node));
    bool constant = false; /* weights or terms that are computed rather than stored, or the other way round */
    for (int k = 0; k < node.input_count && known; k++)
      constant =
          constant || (node.inputs[k] != CW_NONE &&
                       (cw_value_data(s->graph, node.inputs[k]) != NULL) !=
                           (k > 0 && (node.op == CW_OP_CONV || node.op == CW_OP_GEMM || node.op == CW_OP_BATCH_NORM)));
    if (!known || constant)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "saliency: %s has no rule for node '%s' (%s%s)", name, node.name,
                     cw_operator_name(node.op), constant ? ", stored and computed inputs mixed" : "");
  }
  return CW_OK;
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
    if (node.op == CW_OP_BATCH_NORM)
      sizes[3] = (size_t)cw_value_shape(s->graph, node.inputs[1])->d[0];
    else if (lrp && is_linear(node.op))
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

/* ---- element by element ---- */

static inline void put(const cw_call *call, int input, int64_t i, float value) {
  float *to = call->grad_in[input];
  if (to)
    to[i] = call->accumulate[input] ? to[i] + value : value;
}

/* Shares of the terms of one sum: R goes to term k as factor[sign of the term] * term. */
typedef struct shares {
  double positive, negative;
  double stabiliser; /* what epsilon keeps of R */
} shares;

static shares shares_of(const cw_lrp *lrp, cw_lrp_rule rule, double positive, double negative, double relevance) {
  const double e = lrp->epsilon;
  shares f = {0, 0, 0};
  if (rule == CW_LRP_ALPHA_BETA) {
    f.positive = lrp->alpha * relevance / (positive + e);
    f.negative = -(lrp->alpha - 1) * relevance / (negative - e);
    f.stabiliser = e * (f.positive - f.negative);
  } else if (rule == CW_LRP_ABSOLUTE) {
    f.positive = relevance / (positive - negative + e);
    f.negative = -f.positive;
    f.stabiliser = e * f.positive;
  } else {
    const double sum = positive + negative, kept = sum >= 0 ? e : -e;
    f.positive = f.negative = relevance / (sum + kept);
    f.stabiliser = kept * f.positive;
  }
  return f;
}

static inline double share_of(const shares *f, double term) {
  return term * (term > 0 ? f->positive : f->negative);
}

/* y = factor x + offset: two terms. */
static void norm_rule(cw_saliency *s, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call) {
  const int64_t channels = call->in_shape[0].d[1], volume = cw_elements_from(&call->in_shape[0], 2);
  cw_ledger sums = {0, 0, 0, 0}; /* only where a test asks, and then by one thread */
#pragma omp parallel for num_threads(call->threads) schedule(static) if (!s->ledger)
  for (int64_t c = 0; c < channels; c++) {
    float factor, offset;
    cw_norm_line(s->graph, node, (int)c, &factor, &offset);
    if (negate) {
      factor = -factor;
      offset = -offset;
    }
    for (int64_t i = c * volume; i < (c + 1) * volume; i++) {
      const double term = (double)factor * call->in[0][i], r = call->grad_out[i];
      const shares f = shares_of(lrp, rule, fmax(term, 0) + fmax(offset, 0), fmin(term, 0) + fmin(offset, 0), r);
      const double passed = share_of(&f, term);
      put(call, 0, i, (float)passed);
      if (!s->ledger)
        continue;
      sums.received += r;
      sums.passed += passed;
      sums.bias += share_of(&f, offset);
      sums.stabiliser += f.stabiliser;
    }
  }
  if (s->ledger)
    s->ledger[node] = sums;
}

/* y = a + b */
static void add_rule(cw_saliency *s, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape);
  cw_ledger sums = {0, 0, 0, 0};
#pragma omp parallel for num_threads(call->threads) schedule(static) if (!s->ledger)
  for (int64_t i = 0; i < n; i++) {
    const double a = negate ? -call->in[0][i] : call->in[0][i], b = negate ? -call->in[1][i] : call->in[1][i];
    const double r = call->grad_out[i];
    const shares f = shares_of(lrp, rule, fmax(a, 0) + fmax(b, 0), fmin(a, 0) + fmin(b, 0), r);
    const double to_a = share_of(&f, a), to_b = share_of(&f, b);
    put(call, 0, i, (float)to_a);
    if (call->grad_in[0] && call->grad_in[1] == call->grad_in[0])
      call->grad_in[1][i] += (float)to_b; /* x + x */
    else
      put(call, 1, i, (float)to_b);
    if (!s->ledger)
      continue;
    sums.received += r;
    sums.passed += to_a + to_b;
    sums.stabiliser += f.stabiliser;
  }
  if (s->ledger)
    s->ledger[node] = sums;
}

/* Relevance that moves whole. */
static void move(cw_saliency *s, const cw_node_view *view, int node, const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape);
  if (cw_is_rectifier(view->op) || view->op == CW_OP_BATCH_NORM) {
    if (call->grad_in[0])
      cw_pass(n, call->grad_out, call->accumulate[0], call->grad_in[0], call->threads);
  } else {
    cw_operator_table(view->op)->backward(call);
  }
  if (s->ledger)
    s->ledger[node].received = s->ledger[node].passed = cw_sum(n, call->grad_out);
}

void cw_rule_lrp(cw_saliency *s, const cw_lrp *lrp, bool negative, int node, const cw_call *call) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  const bool negate = negative && node == s->negated;
  const bool weights = view.op == CW_OP_CONV || view.op == CW_OP_GEMM;
  const bool reads_image = weights && view.inputs[0] == s->image;
  const cw_lrp_rule inner = view.op == CW_OP_GEMM ? lrp->dense : lrp->other;
  const cw_lrp_rule rule = reads_image ? lrp->input : inner == CW_LRP_BOX ? CW_LRP_EPSILON : inner;
  if (view.op == CW_OP_BATCH_NORM && s->fold[node] < 0)
    norm_rule(s, lrp, rule, negate, node, call);
  else if (view.op == CW_OP_ADD)
    add_rule(s, lrp, rule, negate, node, call);
  else if (is_linear(view.op))
    cw_lrp_linear(s, lrp, rule, negate, node, call);
  else
    move(s, &view, node, call);
}
