/* Rules of methods that propagate a part of the gradient through rectifiers: Guided Backprop and RectGrad. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"
#include "Tensor/sort.h"

bool cw_is_rectifier(const cw_node_view *node) {
  switch (node->op) {
    case CW_OP_RELU:
    case CW_OP_LEAKY_RELU:
    case CW_OP_PRELU:
    case CW_OP_ELU:
    case CW_OP_SELU:
    case CW_OP_HARD_SWISH:
      return true;
    case CW_OP_CLIP: /* ReLU6 and its like */
      return node->attributes->alpha == 0;
    default:
      return false;
  }
}

static bool is_other_activation(cw_operator op) {
  return op == CW_OP_SIGMOID || op == CW_OP_TANH || op == CW_OP_ERF || op == CW_OP_SOFTPLUS || op == CW_OP_SOFTSIGN ||
         op == CW_OP_HARD_SIGMOID || op == CW_OP_CLIP;
}

/* All operators but rectifiers pass the gradient itself, as in captum; without rectifiers the map would be no other. */
cw_status cw_rules_check(cw_context *context, const cw_saliency *s, const cw_saliency_request *request) {
  char name[64];
  int other = -1;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    if (s->live[i] && cw_is_rectifier(&node))
      return CW_OK;
    other = other < 0 && s->live[i] && is_other_activation(node.op) ? i : other;
  }
  cw_saliency_name(request, name);
  if (other < 0)
    return cw_fail(context, CW_ERROR_UNSUPPORTED,
                   "saliency: %s has a rule for rectifiers, and the network has none; ask for gradient instead", name);
  const cw_node_view node = cw_graph_node_at(s->graph, other);
  return cw_fail(context, CW_ERROR_UNSUPPORTED,
                 "saliency: %s has a rule for rectifiers, and none for node '%s' (%s) and the like; ask for gradient "
                 "instead",
                 name, node.name, cw_operator_name(node.op));
}

/* ---- the percentile of a g ---- */

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PARTS = 16 };

static inline float product(float a, float g, bool magnitude) {
  return magnitude ? fabsf(a * g) : a * g;
}

/* Counts the digits at `shift` of the products whose bits above them are `above`. */
static void count_digits(const float *a, const float *g, int64_t n, bool magnitude, int shift, uint32_t above,
                         uint32_t *counts) {
  memset(counts, 0, DIGITS * sizeof *counts);
  for (int64_t i = 0; i < n; i++) {
    const uint64_t key = cw_sort_key(product(a[i], g[i], magnitude));
    if (key >> (shift + DIGIT_BITS) == above)
      counts[key >> shift & (DIGITS - 1)]++;
  }
}

float cw_product_percentile(const float *a, const float *g, int64_t n, double share, bool magnitude, int threads) {
  (void)threads; /* without OpenMP */
  int64_t rank = (int64_t)ceil(share * (double)n);
  rank = rank < 1 ? 1 : rank > n ? n : rank;
  uint32_t found = 0;
  for (int shift = 22; shift >= 0; shift -= DIGIT_BITS) { /* bits 32 (none) .. 22, 21 .. 11, 10 .. 0 */
    uint32_t counts[PARTS][DIGITS];                       /* a layer has at most INT32_MAX elements */
    CW_PARALLEL(PARTS, threads)
    for (int p = 0; p < PARTS; p++) {
      const int64_t from = n * p / PARTS, to = n * (p + 1) / PARTS;
      count_digits(a + from, g + from, to - from, magnitude, shift, found, counts[p]);
    }
    int digit = 0;
    for (;; digit++) {
      int64_t here = 0;
      for (int p = 0; p < PARTS; p++)
        here += counts[p][digit];
      if (rank <= here || digit == DIGITS - 1)
        break;
      rank -= here;
    }
    found = found << DIGIT_BITS | (uint32_t)digit;
  }
  const uint32_t bits = found & 0x80000000u ? found & 0x7fffffffu : ~found;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* ---- what a rectifier passes ---- */

/* g passes where `key` is above the threshold: a g or |a g| (RectGrad), or g itself (Guided Backprop; its threshold is
 * below all numbers where signs do not matter). */
typedef struct gate {
  bool product, magnitude; /* the key: a g, |a g|; else g */
  float threshold;
  float slope;   /* below zero */
  bool absolute; /* |g| passes */
} gate;

CW_INLINE void pass_gate(int64_t n, const float *a, const float *g, gate k, bool add, float *to) {
  for (int64_t i = 0; i < n; i++) {
    const float slope = a[i] > 0 ? 1 : k.slope, key = k.product ? product(a[i], g[i], k.magnitude) : g[i];
    const float open = slope * (k.absolute ? fabsf(g[i]) : g[i]), value = key > k.threshold ? open : 0;
    to[i] = add ? to[i] + value : value;
  }
}

/* a, g and to may be the same memory.  The key is chosen outside of the loop, so that it becomes vectors. */
CW_CLONES static void gate_part(int64_t n, const float *a, const float *g, gate k, bool add, float *to) {
  const gate by_product = {true, k.magnitude, k.threshold, k.slope, k.absolute};
  const gate by_gradient = {false, false, k.threshold, k.slope, k.absolute};
  if (k.product)
    pass_gate(n, a, g, by_product, add, to);
  else
    pass_gate(n, a, g, by_gradient, add, to);
}

void cw_rule_rectifier(const cw_saliency_request *request, const cw_operator_info *info, const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  const float *a = call->out, *g = call->grad_out;
  const bool rect = request->method == CW_SALIENCY_RECTGRAD, positive = request->sign == CW_POSITIVE;
  const bool piecewise = info == &cw_layer_relu || info == &cw_layer_leaky_relu;
  gate k = {rect, !positive, positive ? 0 : -INFINITY, 1, request->sign == CW_ABSOLUTE};
  if (piecewise)
    k.slope = info == &cw_layer_leaky_relu ? call->attributes->alpha : 0;
  if (!call->grad_in[0])
    return;
  if (rect)
    k.threshold = fmaxf(cw_product_percentile(a, g, n, request->percentile / 100, !positive, call->threads), 0);
  /* Others gate the gradient where it stands (nobody reads it later) and go on by their own slope. */
  float *to = piecewise ? call->grad_in[0] : (float *)g;
  const bool add = piecewise && call->accumulate[0];
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART;
    gate_part(cw_part_length(n, p), a + at, g + at, k, add, to + at);
  }
  if (!piecewise)
    info->backward(call);
}
