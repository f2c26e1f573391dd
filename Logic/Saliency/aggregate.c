/* Methods that aggregate a layer's gradients: GradCAM, GradCAM++, FullGrad. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

/* A value [1,C,D,H,W], or [1,C,..], of the graph; the batch counts as 1 wherever it stands. */
typedef struct layer_view {
  int channels, size[3]; /* nx, ny, nz */
  size_t volume;
} layer_view;

static layer_view view_of(const cw_graph *graph, cw_value value) {
  const cw_shape *shape = cw_value_shape(graph, value);
  layer_view view = {shape->d[1] == CW_BATCH ? 1 : (int)shape->d[1], {1, 1, 1}, 1};
  for (int i = 2; i < shape->rank; i++) {
    const int64_t n = shape->d[i] == CW_BATCH ? 1 : shape->d[i];
    view.volume *= (size_t)n;
    if (shape->rank == 5)
      view.size[4 - i] = (int)n;
  }
  return view;
}

static float with_sign(float value, cw_sign sign) {
  return sign == CW_SIGNED ? value : sign == CW_POSITIVE ? fmaxf(value, 0) : fabsf(value);
}

/* ---- class activation maps ---- */

/* alpha_k = mean of dy/dA_k */
static float plain_weight(const float *g, size_t volume) {
  return (float)(cw_sum((int64_t)volume, g) / (double)volume);
}

/* w_k = sum of relu(g) g^2 / (2 g^2 + g^3 sum_ab A_ab) = sum of relu(g) / (2 + g sum_ab A_ab) */
static float plusplus_weight(const float *a, const float *g, size_t volume, cw_sign sign) {
  const double activation = cw_sum((int64_t)volume, a);
  double weight = 0;
  for (size_t i = 0; i < volume; i++) {
    const double below = 2 + activation * g[i];
    if (g[i] != 0 && below != 0)
      weight += with_sign(g[i], sign) / below;
  }
  return (float)weight;
}

void cw_cam_map(cw_saliency *s, const cw_saliency_request *request, const float *a, const float *gradient, float *map) {
  const layer_view view = view_of(s->graph, request->layer);
  const bool plain = request->method == CW_SALIENCY_GRADCAM;
  memset(s->layer_map, 0, view.volume * sizeof(float));
  for (int k = 0; k < view.channels; k++) {
    const float *ak = a + (size_t)k * view.volume, *gk = gradient + (size_t)k * view.volume;
    const float weight = plain ? plain_weight(gk, view.volume) : plusplus_weight(ak, gk, view.volume, request->sign);
    for (size_t i = 0; i < view.volume; i++)
      s->layer_map[i] += weight * ak[i];
  }
  for (size_t i = 0; i < view.volume; i++)
    s->layer_map[i] = with_sign(s->layer_map[i], request->sign);
  memset(map, 0, s->samples * sizeof *map);
  cw_upsample_add(s->layer_map, view.size, 1, s->size, map, s->threads);
}

/* ---- FullGrad ---- */

/* Terms of a layer, g[c][i] times factor[c] or x[c][i], summed over channels into out; least and largest of the terms
 * after their sign was handled. */
typedef struct terms {
  const float *g, *bias, *x;
  layer_view view;
  cw_sign sign;
} terms;

typedef struct range {
  float low, high;
} range;

/* One channel's terms g x, or g bias. */
CW_CLONES static float add_channel(size_t n, const float *restrict g, const float *restrict x, float bias, cw_sign sign,
                                   float *restrict out, float low_high[2]) {
  float total = 0, low = low_high[0], high = low_high[1];
#pragma omp simd reduction(+ : total) reduction(min : low) reduction(max : high)
  for (size_t i = 0; i < n; i++) {
    const float term = g[i] * (x ? x[i] : bias);
    const float positive = term > 0 ? term : 0;
    const float kept = sign == CW_SIGNED ? term : sign == CW_POSITIVE ? positive : fabsf(term);
    total += term;
    out[i] += kept;
    low = kept < low ? kept : low;
    high = kept > high ? kept : high;
  }
  low_high[0] = low;
  low_high[1] = high;
  return total;
}

/* Blocks of positions side by side, channels in order: sums do not depend on the threads. */
static range sum_terms(const terms *t, float *out, double *total, int threads) {
  (void)threads; /* without OpenMP */
  enum { BLOCKS = 32 };
  range r = {INFINITY, -INFINITY};
  double sums[BLOCKS] = {0};
  float ends[BLOCKS][2];
  const size_t volume = t->view.volume;
  CW_PARALLEL(BLOCKS, threads)
  for (int b = 0; b < BLOCKS; b++) {
    const size_t from = volume * (size_t)b / BLOCKS, n = volume * (size_t)(b + 1) / BLOCKS - from;
    ends[b][0] = INFINITY;
    ends[b][1] = -INFINITY;
    memset(out + from, 0, n * sizeof *out);
    for (int c = 0; c < t->view.channels; c++) {
      const size_t at = (size_t)c * volume + from;
      for (size_t i = 0; i < n; i += 1024)
        sums[b] += add_channel(n - i < 1024 ? n - i : 1024, t->g + at + i, t->x ? t->x + at + i : NULL,
                               t->x ? 0 : t->bias[c], t->sign, out + from + i, ends[b]);
    }
  }
  for (int b = 0; b < BLOCKS; b++) {
    *total += sums[b];
    r.low = fminf(r.low, ends[b][0]);
    r.high = fmaxf(r.high, ends[b][1]);
  }
  return r;
}

static void add_terms(cw_saliency *s, const terms *t, bool has_map, float *map, double *total) {
  float *out = s->layer_map;
  const range r = sum_terms(t, out, total, s->threads);
  if (!has_map)
    return;
  if (t->sign == CW_SIGNED) {
    const float share = (float)((double)t->view.volume / (double)s->samples);
    cw_upsample_add(out, t->view.size, share, s->size, map, s->threads);
    return;
  }
  if (!(r.high > r.low)) /* constant terms say nothing about places */
    return;
  const float scale = 1 / (r.high - r.low);
  for (size_t i = 0; i < t->view.volume; i++)
    out[i] = (out[i] - (float)t->view.channels * r.low) * scale;
  cw_upsample_add(out, t->view.size, 1, s->size, map, s->threads);
}

void cw_fullgrad_input(cw_saliency *s, const cw_saliency_request *request, const float *gradient, float *map,
                       double *total) {
  const terms t = {gradient, NULL, cw_plan_data(s->plan, s->image), view_of(s->graph, s->image), request->sign};
  add_terms(s, &t, true, map, total);
}

/* The bias of a MatMul, which stands in an Add of its own; NULL for other sums. */
static const float *added_bias(const cw_graph *graph, const cw_node_view *view, int channels) {
  for (int k = 0; k < 2; k++) {
    const float *data = cw_value_data(graph, view->inputs[k]);
    const cw_shape *shape = cw_value_shape(graph, view->inputs[k]);
    if (data && cw_value_shape(graph, view->output)->rank == 2 && cw_shape_elements(shape, 1) == channels)
      return data;
  }
  return NULL;
}

void cw_fullgrad_node(cw_saliency *s, const cw_saliency_request *request, int node, const float *gradient, float *map,
                      double *total) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  terms t = {gradient, NULL, NULL, view_of(s->graph, view.output), request->sign};
  const bool has_map = cw_value_shape(s->graph, view.output)->rank == 5;
  if (view.op == CW_OP_BATCH_NORM) {
    float *offset = s->scratch.bias[0];
    for (int c = 0; c < t.view.channels; c++) {
      float factor;
      cw_norm_line(s->graph, node, c, &factor, &offset[c]);
    }
    t.bias = offset;
  } else if ((view.op == CW_OP_CONV || view.op == CW_OP_CONV_TRANSPOSE || view.op == CW_OP_GEMM) &&
             view.input_count > 2) {
    t.bias = view.inputs[2] == CW_NONE ? NULL : cw_value_data(s->graph, view.inputs[2]);
  } else if (view.op == CW_OP_ADD) {
    t.bias = added_bias(s->graph, &view, t.view.channels);
  }
  if (t.bias)
    add_terms(s, &t, has_map, map, total);
}
