/* Layer-wise relevance propagation through sums of two terms, element by element: norms and Add. */
#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

/* Shares of the terms of one sum: R goes to term k as factor[sign of the term] * term. */
typedef struct shares {
  double positive, negative;
  double stabiliser; /* what epsilon keeps of R */
} shares;

CW_INLINE shares shares_of(const cw_lrp *lrp, cw_lrp_rule rule, double positive, double negative, double relevance) {
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

CW_INLINE double share_of(const shares *f, double term) {
  return term * (term > 0 ? f->positive : f->negative);
}

static inline double above(double x) {
  return x > 0 ? x : 0;
}

static inline double below(double x) {
  return x < 0 ? x : 0;
}

/* n sums of two terms: a x[i], and b y[i], or b itself (y NULL), or what b y[i] is more than a x[i] (rest).  What x and
 * y are given goes to to_x and to_y (NULL: to nobody). */
typedef struct pairs {
  const float *x, *y, *relevance;
  float a, b;
  bool rest;
  float *to_x, *to_y;
  bool add_x, add_y; /* to what is there */
} pairs;

CW_INLINE double second_term(const pairs *p, size_t i, double first) {
  return !p->y ? p->b : p->rest ? (double)p->b * p->y[i] - first : (double)p->b * p->y[i];
}

CW_INLINE void share_pairs(size_t n, const pairs *p, const cw_lrp *lrp, cw_lrp_rule rule) {
  const pairs k = *p;
  const cw_lrp l = *lrp;
  for (size_t i = 0; i < n; i++) {
    const double first = (double)k.a * k.x[i], second = second_term(&k, i, first);
    const shares f = shares_of(&l, rule, above(first) + above(second), below(first) + below(second), k.relevance[i]);
    const float given = (float)share_of(&f, first);
    if (k.to_x)
      k.to_x[i] = k.add_x ? k.to_x[i] + given : given;
    if (k.to_y) {
      const float other = (float)share_of(&f, second);
      k.to_y[i] = k.add_y ? k.to_y[i] + other : other;
    }
  }
}

/* The rule outside of the loop, so that each becomes vectors. */
CW_CLONES static void share_relevance(size_t n, const pairs *p, const cw_lrp *lrp, cw_lrp_rule rule) {
  if (rule == CW_LRP_ALPHA_BETA)
    share_pairs(n, p, lrp, CW_LRP_ALPHA_BETA);
  else if (rule == CW_LRP_ABSOLUTE)
    share_pairs(n, p, lrp, CW_LRP_ABSOLUTE);
  else
    share_pairs(n, p, lrp, CW_LRP_EPSILON);
}

/* The accounts of the same sums: only where a test asks for them. */
static void keep_books(size_t n, const pairs *p, const cw_lrp *lrp, cw_lrp_rule rule, cw_ledger *sums) {
  const bool term = p->y && !p->rest;
  for (size_t i = 0; i < n; i++) {
    const double first = (double)p->a * p->x[i], second = second_term(p, i, first);
    const shares f = shares_of(lrp, rule, above(first) + above(second), below(first) + below(second), p->relevance[i]);
    sums->received += p->relevance[i];
    sums->passed += share_of(&f, first) + (term ? share_of(&f, second) : 0);
    sums->bias += term ? 0 : share_of(&f, second);
    sums->stabiliser += f.stabiliser;
  }
}

static void share(cw_saliency *s, int node, size_t n, const pairs *p, const cw_lrp *lrp, cw_lrp_rule rule) {
  if (s->ledger)
    keep_books(n, p, lrp, rule, &s->ledger[node]);
  share_relevance(n, p, lrp, rule);
}

/* y = factor x + offset: batch norm. */
void cw_lrp_line(cw_saliency *s, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call) {
  const int64_t channels = call->in_shape[0].d[1], maps = call->in_shape[0].d[0] * channels;
  const size_t volume = (size_t)cw_elements_from(&call->in_shape[0], 2);
  if (!call->grad_in[0])
    return;
#pragma omp parallel for num_threads(call->threads) schedule(static) if (!s->ledger)
  for (int64_t m = 0; m < maps; m++) {
    pairs p = {.add_x = call->accumulate[0]};
    cw_norm_line(s->graph, node, (int)(m % channels), &p.a, &p.b);
    p.a = negate ? -p.a : p.a;
    p.b = negate ? -p.b : p.b;
    p.x = call->in[0] + (size_t)m * volume;
    p.relevance = call->grad_out + (size_t)m * volume;
    p.to_x = call->grad_in[0] + (size_t)m * volume;
    share(s, node, volume, &p, lrp, rule);
  }
}

/* The same for norms with the sample's own statistics, which count as constants: scale / sd and what is left of y.
 * Layer norm has a scale for each element. */
void cw_lrp_own_line(cw_saliency *s, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call) {
  const bool each = cw_graph_node_at(s->graph, node).op == CW_OP_LAYER_NORM;
  const size_t size = (size_t)cw_elements_from(&call->in_shape[0], each ? call->attributes->axis : 2);
  const int64_t groups = cw_elements(&call->in_shape[0]) / (int64_t)size, channels = call->in_shape[0].d[1];
  const float *statistics = call->saved, *scale = call->in[1]; /* mean and 1 / sd of each group */
  if (!call->grad_in[0])
    return;
#pragma omp parallel for num_threads(call->threads) schedule(static) if (!s->ledger)
  for (int64_t g = 0; g < groups; g++) {
    const size_t count = each ? 1 : size;
    for (size_t i = 0; i < size; i += count) {
      const size_t at = (size_t)g * size + i;
      pairs p = {.x = call->in[0] + at, .y = call->out + at, .relevance = call->grad_out + at, .rest = true};
      p.a = statistics[2 * g + 1] * scale[each ? i : (size_t)(g % channels)];
      p.a = negate ? -p.a : p.a;
      p.b = negate ? -1 : 1;
      p.to_x = call->grad_in[0] + at;
      p.add_x = call->accumulate[0];
      share(s, node, count, &p, lrp, rule);
    }
  }
}

/* y = a + b or a - b; a stored operand is a bias. */
void cw_lrp_sum(cw_saliency *s, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  const bool stored = cw_value_data(s->graph, view.inputs[0]) || cw_value_data(s->graph, view.inputs[1]);
  const int x = cw_value_data(s->graph, view.inputs[0]) ? 1 : 0;
  const bool twice = call->grad_in[0] && call->grad_in[0] == call->grad_in[1]; /* x + x */
  const float sign = negate ? -1 : 1, second = view.op == CW_OP_SUB ? -sign : sign;
#pragma omp parallel for num_threads(call->threads) schedule(static) if (!s->ledger)
  for (int64_t part = 0; part < parts; part++) {
    const int64_t at = part * CW_PART;
    pairs p = {.x = call->in[x] + at, .relevance = call->grad_out + at, .rest = stored};
    p.a = x ? second : sign;
    p.b = stored ? sign : second;
    p.y = stored ? call->out + at : call->in[1] + at;
    p.to_x = call->grad_in[x] ? call->grad_in[x] + at : NULL;
    p.to_y = !stored && call->grad_in[1] ? call->grad_in[1] + at : NULL;
    p.add_x = call->accumulate[x];
    p.add_y = twice || call->accumulate[1];
    share(s, node, (size_t)cw_part_length(n, part), &p, lrp, rule);
  }
}
