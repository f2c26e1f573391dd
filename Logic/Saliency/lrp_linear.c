/* LRP through y = L(x, W) + b, for layers with stored weights, and for the poolings, means and resizes that are linear.
 *
 * A rule is a sum of parts: R_i = x'_i (L^T(W') s)_i with s = share R / (sum of the parts' L(x', W') + b'), where x'
 * and W' are x and W or their positive or negative sides.  L and its transpose are the operator's own forward and
 * backward passes. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

enum { BOTH, PLUS, MINUS, SIZE }; /* sides of a number: itself, max(., 0), min(., 0), | | */

typedef struct job {
  cw_saliency *s;
  const cw_operator_info *info;
  const cw_call *call;
  const float *w, *b; /* of the graph; NULL: an operator without weights, without bias */
  int after, norm;    /* node that is folded in, and batch norm that is; or -1 */
  bool by_row;        /* the biases go along the output's last axis, not its second */
  bool negate;
  double epsilon;
  int64_t in, out, rows, row; /* elements; W is [rows][row] */
  int64_t biases;
  int64_t plane; /* output elements of one row of W */
  bool started;  /* something has been given to the input already */
  cw_ledger ledger;
} job;

static bool has_weights(cw_operator op) {
  return op == CW_OP_CONV || op == CW_OP_CONV_TRANSPOSE || op == CW_OP_GEMM || op == CW_OP_MATMUL;
}

static inline float side_of(float value, int side) {
  const float positive = value > 0 ? value : 0, negative = value < 0 ? value : 0;
  return side == BOTH ? value : side == PLUS ? positive : side == MINUS ? negative : fabsf(value);
}

CW_CLONES static void side_part(int64_t n, const float *x, int side, float *to) {
  if (side == PLUS)
    for (int64_t i = 0; i < n; i++)
      to[i] = side_of(x[i], PLUS);
  else
    for (int64_t i = 0; i < n; i++)
      to[i] = side_of(x[i], side);
}

static void fill_side(int64_t n, const float *x, int side, float *to, int threads) {
  const int64_t parts = cw_parts(n);
  CW_PARALLEL(parts, threads)
  for (int64_t p = 0; p < parts; p++)
    side_part(cw_part_length(n, p), x + p * CW_PART, side, to + p * CW_PART);
}

/* A side of x, in scratch unless it is x itself. */
static const float *input_side(job *j, int side) {
  if (side == BOTH)
    return j->call->in[0];
  fill_side(j->in, j->call->in[0], side, j->s->scratch.in[0], j->call->threads);
  return j->s->scratch.in[0];
}

static bool has_negative(const float *x, int64_t n) {
  for (int64_t from = 0; from < n; from += CW_PART) {
    const int64_t end = n - from < CW_PART ? n : from + CW_PART;
    int found = 0;
    for (int64_t i = from; i < end; i++)
      found |= x[i] < 0;
    if (found)
      return true;
  }
  return false;
}

/* Scale of W's rows: the folded batch norm's, and the sign. */
static float row_factor(const job *j, int row, float *offset) {
  float factor = 1;
  *offset = 0;
  if (j->norm >= 0)
    cw_norm_line(j->s->graph, j->norm, row, &factor, offset);
  *offset = j->negate ? -*offset : *offset;
  return j->negate ? -factor : factor;
}

/* A side of the weights that count, in scratch `at`. */
static const float *weight_side(job *j, int side, int at) {
  float offset;
  if (!j->w || (side == BOTH && j->norm < 0 && !j->negate))
    return j->w;
  float *to = j->s->scratch.weight[at];
  for (int64_t r = 0; r < j->rows; r++) {
    const float factor = row_factor(j, (int)r, &offset);
    for (int64_t i = r * j->row; i < (r + 1) * j->row; i++)
      to[i] = side_of(factor * j->w[i], side);
  }
  return to;
}

/* A side of the biases; NULL where there are none. */
static const float *bias_side(job *j, int side) {
  if (!j->b && j->norm < 0)
    return NULL;
  float *to = j->s->scratch.bias[0], offset;
  for (int64_t r = 0; r < j->biases; r++) {
    const float factor = row_factor(j, (int)r, &offset);
    to[r] = side_of(factor * (j->b ? j->b[r] : 0) + offset, side);
  }
  return to;
}

/* out = L(x, w) + b */
static void apply(const job *j, const float *x, const float *w, const float *b, float *out) {
  cw_call call = *j->call;
  call.in[0] = x;
  call.in[1] = w;
  call.in[2] = b;
  if (j->w)
    call.input_count = b && !j->by_row ? 3 : 2;
  call.out = out;
  call.grad_out = NULL;
  call.gradients = false;
  call.saved = NULL;
  j->info->forward(&call);
  for (int64_t i = 0; i < j->out && b && j->by_row; i++)
    out[i] += b[i % j->biases];
}

CW_CLONES static void relevance_part(int64_t n, const float *restrict x, const float *restrict y, bool add,
                                     float *restrict to) {
  for (int64_t i = 0; i < n; i++)
    to[i] = add ? to[i] + x[i] * y[i] : x[i] * y[i];
}

/* grad_in (+)= x * L^T(w) s */
static void give(job *j, const float *x, const float *w, const float *share) {
  float *to = j->call->grad_in[0], *back = j->s->scratch.in[1];
  if (!to)
    return;
  cw_call call = *j->call;
  call.in[1] = w;
  if (j->w)
    call.input_count = 2;
  call.grad_out = share;
  call.grad_in[0] = back;
  call.grad_in[1] = call.grad_in[2] = NULL;
  call.accumulate[0] = false;
  j->info->backward(&call);
  const bool add = j->started || j->call->accumulate[0];
  const int64_t parts = cw_parts(j->in);
  CW_PARALLEL(parts, j->call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART;
    relevance_part(cw_part_length(j->in, p), x + at, back + at, add, to + at);
  }
  if (j->s->ledger)
    for (int64_t i = 0; i < j->in; i++)
      j->ledger.passed += (double)x[i] * back[i];
  j->started = true;
}

CW_CLONES static void relevance_shares(int64_t n, float share, const float *restrict r, float e, float *restrict z) {
  for (int64_t i = 0; i < n; i++) {
    const float below = z[i] + (z[i] > 0 ? e : -e), s = share * r[i] / below;
    z[i] = z[i] == 0 ? 0 : s;
  }
}

/* z becomes s = part R / (z + epsilon): epsilon with the sign of z.  No share where z is 0. */
static void divide(const job *j, double part, float *z) {
  const int64_t parts = cw_parts(j->out);
  CW_PARALLEL(parts, j->call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART;
    relevance_shares(cw_part_length(j->out, p), (float)part, j->call->grad_out + at, (float)j->epsilon, z + at);
  }
}

/* What z's bias and epsilon keep of `part` of R, before z is divided. */
static void keep_accounts(job *j, double part, const float *z, const float *b) {
  if (!j->s->ledger)
    return;
  for (int64_t i = 0; i < j->out; i++) {
    const double r = part * j->call->grad_out[i];
    if (z[i] == 0) {
      j->ledger.stabiliser += r;
      continue;
    }
    const double e = z[i] > 0 ? j->epsilon : -j->epsilon, share = r / (z[i] + e);
    j->ledger.stabiliser += e * share;
    if (b)
      j->ledger.bias += b[j->by_row ? i % j->biases : i / j->plane] * share;
  }
}

/* ---- the rules ---- */

static void epsilon_rule(job *j) {
  float *z = j->s->scratch.out[0];
  /* The forward pass holds z already: the output of what is folded in where there is something. */
  const float *known =
      j->after < 0 ? j->call->out : cw_plan_data(j->s->plan, cw_graph_node_at(j->s->graph, j->after).output);
  const bool negate = j->negate && j->w;
  const int64_t parts = cw_parts(j->out);
  CW_PARALLEL(parts, j->call->threads)
  for (int64_t p = 0; p < parts; p++)
    for (int64_t i = p * CW_PART; i < p * CW_PART + cw_part_length(j->out, p); i++)
      z[i] = negate ? -known[i] : known[i];
  const float *b = bias_side(j, BOTH);
  keep_accounts(j, 1, z, b);
  divide(j, 1, z);
  give(j, j->call->in[0], weight_side(j, BOTH, 0), z);
}

/* One side of the alpha-beta rule: products x w of one sign. */
static void side_rule(job *j, int side, double part, bool negative_input) {
  float *z = j->s->scratch.out[0], *more = j->s->scratch.out[1];
  /* Without weights the products have the sign of x, or the other one in a negated layer. */
  const int other = side == PLUS ? MINUS : PLUS;
  if (!j->w) {
    const float *x = input_side(j, j->negate ? other : side);
    apply(j, x, NULL, NULL, z);
    keep_accounts(j, part, z, NULL);
    divide(j, part, z);
    give(j, x, NULL, z);
    return;
  }
  const float *w = weight_side(j, side, 0), *opposite = negative_input ? weight_side(j, other, 1) : NULL;
  const float *b = bias_side(j, side);
  apply(j, input_side(j, PLUS), w, b, z);
  if (negative_input) {
    apply(j, input_side(j, MINUS), opposite, NULL, more);
    cw_pass(j->out, more, true, z, j->call->threads);
  }
  keep_accounts(j, part, z, b);
  divide(j, part, z);
  give(j, input_side(j, PLUS), w, z);
  if (negative_input)
    give(j, input_side(j, MINUS), opposite, z);
}

static void absolute_rule(job *j) {
  float *z = j->s->scratch.out[0];
  const float *x = input_side(j, SIZE), *w = weight_side(j, SIZE, 0), *b = bias_side(j, SIZE);
  apply(j, x, w, b, z);
  keep_accounts(j, 1, z, b);
  divide(j, 1, z);
  give(j, x, w, z);
}

/* z = L(x, W) - L(low, W+) - L(high, W-), with low and high those of the image (0 where the layer pads). */
static void box_rule(job *j) {
  const float *x = j->call->in[0];
  float *z = j->s->scratch.out[0], *more = j->s->scratch.out[1], *level = j->s->scratch.in[0];
  float low = 0, high = 0;
  for (int64_t i = 0; i < j->in; i++) {
    low = fminf(low, x[i]);
    high = fmaxf(high, x[i]);
  }
  const float bound[2] = {low, high};
  const int side[2] = {PLUS, MINUS};
  apply(j, x, weight_side(j, BOTH, 0), NULL, z);
  for (int k = 0; k < 2; k++) {
    for (int64_t i = 0; i < j->in; i++)
      level[i] = -bound[k];
    apply(j, level, weight_side(j, side[k], 1), NULL, more);
    cw_pass(j->out, more, true, z, j->call->threads);
  }
  keep_accounts(j, 1, z, NULL);
  divide(j, 1, z);
  give(j, x, weight_side(j, BOTH, 0), z);
  for (int k = 0; k < 2; k++) {
    for (int64_t i = 0; i < j->in; i++)
      level[i] = -bound[k];
    give(j, level, weight_side(j, side[k], 1), z);
  }
}

static const float *added_bias(const cw_saliency *s, int add, int64_t *count) {
  const cw_node_view view = cw_graph_node_at(s->graph, add);
  const cw_value bias = view.inputs[cw_value_data(s->graph, view.inputs[0]) ? 0 : 1];
  *count = cw_shape_elements(cw_value_shape(s->graph, bias), 1);
  return cw_value_data(s->graph, bias);
}

void cw_lrp_linear(cw_saliency *s, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  job j = {0};
  j.s = s;
  j.info = cw_operator_table(view.op);
  j.call = call;
  j.after = s->fold[node];
  j.norm = view.op == CW_OP_CONV ? j.after : -1;
  j.by_row = view.op == CW_OP_MATMUL;
  j.negate = negate;
  j.epsilon = lrp->epsilon;
  j.in = cw_elements(&call->in_shape[0]);
  j.out = cw_elements(&call->out_shape);
  j.plane = cw_elements_from(&call->out_shape, 2);
  if (has_weights(view.op)) {
    j.w = call->in[1];
    j.b = view.input_count > 2 ? call->in[2] : NULL;
    j.rows = call->in_shape[1].d[0];
    if (j.by_row && j.after >= 0)
      j.b = added_bias(s, j.after, &j.biases);
    else
      j.biases = j.b ? call->in_shape[2].d[0] : j.rows;
    j.row = cw_elements_from(&call->in_shape[1], 1);
  }
  switch (rule) {
    case CW_LRP_ALPHA_BETA: {
      const bool negative_input = has_negative(call->in[0], j.in);
      side_rule(&j, PLUS, lrp->alpha, negative_input);
      if (lrp->alpha != 1)
        side_rule(&j, MINUS, 1 - lrp->alpha, negative_input);
      break;
    }
    case CW_LRP_ABSOLUTE:
      absolute_rule(&j);
      break;
    case CW_LRP_BOX:
      box_rule(&j);
      break;
    default:
      epsilon_rule(&j);
      break;
  }
  if (s->ledger) {
    for (int64_t i = 0; i < j.out; i++)
      j.ledger.received += call->grad_out[i];
    s->ledger[node] = j.ledger;
  }
}

void cw_lrp_linear_sizes(const cw_saliency *s, int node, size_t sizes[4]) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  sizes[0] = (size_t)cw_shape_elements(cw_value_shape(s->graph, view.output), 1);
  sizes[1] = (size_t)cw_shape_elements(cw_value_shape(s->graph, view.inputs[0]), 1);
  sizes[2] = sizes[3] = 0;
  if (has_weights(view.op)) {
    const bool biased = view.input_count > 2 && view.inputs[2] != CW_NONE;
    sizes[2] = (size_t)cw_shape_elements(cw_value_shape(s->graph, view.inputs[1]), 1);
    const cw_shape *out = cw_value_shape(s->graph, view.output);
    sizes[3] = (size_t)(view.op == CW_OP_MATMUL ? out->d[out->rank - 1]
                                                : cw_value_shape(s->graph, view.inputs[biased ? 2 : 1])->d[0]);
  }
}
