/* Methods that aggregate a layer's gradients: GradCAM, GradCAM++, FullGrad. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

/* A value [1,C,D,H,W] of the graph. */
typedef struct layer_view {
  int channels, size[3]; /* nx, ny, nz */
  size_t volume;
} layer_view;

static layer_view view_of(const cw_graph *graph, cw_value value) {
  const cw_shape *shape = cw_value_shape(graph, value);
  layer_view view = {(int)shape->d[1], {1, 1, 1}, 1};
  for (int i = 0; i < 3 && shape->rank == 5; i++)
    view.size[i] = (int)shape->d[4 - i];
  view.volume = (size_t)view.size[0] * (size_t)view.size[1] * (size_t)view.size[2];
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

static range sum_terms(const terms *t, float *out, double *total) {
  range r = {INFINITY, -INFINITY};
  memset(out, 0, t->view.volume * sizeof *out);
  for (int c = 0; c < t->view.channels; c++) {
    const float *g = t->g + (size_t)c * t->view.volume, *x = t->x ? t->x + (size_t)c * t->view.volume : NULL;
    double sum = 0;
    for (size_t i = 0; i < t->view.volume; i++) {
      const float term = g[i] * (x ? x[i] : t->bias[c]), kept = with_sign(term, t->sign);
      sum += term;
      out[i] += kept;
      r.low = fminf(r.low, kept);
      r.high = fmaxf(r.high, kept);
    }
    *total += sum;
  }
  return r;
}

static void add_terms(cw_saliency *s, const terms *t, bool has_map, float *map, double *total) {
  float *out = s->layer_map;
  const range r = sum_terms(t, out, total);
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
  } else if ((view.op == CW_OP_CONV || view.op == CW_OP_GEMM) && view.input_count > 2) {
    t.bias = cw_value_data(s->graph, view.inputs[2]);
  }
  if (t.bias)
    add_terms(s, &t, has_map, map, total);
}
