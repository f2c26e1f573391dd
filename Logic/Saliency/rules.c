/* Rules of methods that propagate the gradient's positive part through rectifiers: Guided Backprop and RectGrad. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"
#include "Tensor/sort.h"

bool cw_is_rectifier(cw_operator op) {
  return op == CW_OP_RELU || op == CW_OP_LEAKY_RELU;
}

/* Operators through which these methods pass the gradient itself. */
static bool passes_gradient(cw_operator op) {
  switch (op) {
    case CW_OP_CONV:
    case CW_OP_BATCH_NORM:
    case CW_OP_MAX_POOL:
    case CW_OP_AVERAGE_POOL:
    case CW_OP_GLOBAL_AVERAGE_POOL:
    case CW_OP_RESIZE_NEAREST:
    case CW_OP_RESIZE_LINEAR:
    case CW_OP_GEMM:
    case CW_OP_DROPOUT:
    case CW_OP_ADD:
    case CW_OP_CONCAT:
    case CW_OP_RESHAPE:
      return true;
    default:
      return false;
  }
}

cw_status cw_rules_check(cw_context *context, const cw_saliency *s, const cw_saliency_request *request) {
  char name[64];
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    if (!s->live[i] || cw_is_rectifier(node.op) || passes_gradient(node.op))
      continue;
    cw_saliency_name(request, name);
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "saliency: %s has no rule for node '%s' (%s)", name, node.name,
                   cw_operator_name(node.op));
  }
  return CW_OK;
}

/* ---- the percentile of a g ---- */

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PARTS = 16 };

static inline float product(float a, float g, bool magnitude) {
  return magnitude ? fabsf(a * g) : a * g;
}

/* Counts the digits at `shift` of the products whose bits above them are `above`. */
static void count_digits(const float *a, const float *g, int64_t n, bool magnitude, int shift, uint32_t above,
                         int64_t *counts) {
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
    int64_t counts[PARTS][DIGITS];
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

typedef struct gate {
  cw_sign sign;
  float slope;     /* below zero */
  bool percentile; /* RectGrad; else Guided Backprop */
  float threshold;
} gate;

static inline float through(const gate *k, float a, float g) {
  const float slope = a > 0 ? 1 : k->slope;
  bool open;
  if (k->percentile)
    open = product(a, g, k->sign != CW_POSITIVE) > k->threshold;
  else
    open = k->sign != CW_POSITIVE || g > 0;
  return open ? slope * (k->sign == CW_ABSOLUTE ? fabsf(g) : g) : 0;
}

void cw_rule_rectifier(const cw_saliency_request *request, const cw_operator_info *info, const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape), parts = cw_parts(n);
  const float *a = call->out, *g = call->grad_out;
  float *to = call->grad_in[0];
  gate k = {request->sign, info == &cw_layer_leaky_relu ? call->attributes->alpha : 0, false, 0};
  if (!to)
    return;
  if (request->method == CW_SALIENCY_RECTGRAD) {
    const float at =
        cw_product_percentile(a, g, n, request->percentile / 100, request->sign != CW_POSITIVE, call->threads);
    k.percentile = true;
    k.threshold = fmaxf(at, 0);
  }
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t end = p * CW_PART + cw_part_length(n, p);
    for (int64_t i = p * CW_PART; i < end; i++) {
      const float value = through(&k, a[i], g[i]);
      to[i] = call->accumulate[0] ? to[i] + value : value;
    }
  }
}
