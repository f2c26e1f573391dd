/* Which part of the image each value of a classifier reads, and where the classifier can be cut. */
#include <string.h>

#include "Saliency/occlusion.h"

enum {
  MOST_CUTS = 128,     /* the first ones: deep values reach over the whole image */
  MOST_REACH = 1 << 20 /* samples */
};

/* ---- one node ---- */

static bool takes_sizes(const cw_graph *graph, cw_value value, cw_reach *reach) {
  const cw_shape *shape = cw_value_shape(graph, value);
  for (int a = 0; a < 3 && shape->rank == 5; a++)
    reach->size[a] = (int)shape->d[2 + a];
  return shape->rank == 5 && shape->d[0] == CW_BATCH;
}

/* The same number at every voxel. */
static bool is_even(const cw_shape *shape) {
  for (int i = shape->rank > 3 ? shape->rank - 3 : 0; i < shape->rank; i++)
    if (shape->d[i] != 1)
      return false;
  return true;
}

/* Convolution and pooling.  A window that lies in the padding alone would belong to no place. */
static cw_reach moving_window(const cw_attributes *a, const cw_reach *in) {
  cw_reach out = *in;
  for (int i = 0; i < 3 && out.local; i++) {
    const int64_t extent = (int64_t)a->dilation[i] * (a->kernel[i] - 1) + 1;
    out.stride[i] = in->stride[i] * a->stride[i];
    out.low[i] = in->low[i] - a->pads[i] * in->stride[i];
    out.high[i] = in->high[i] + (extent - 1 - a->pads[i]) * in->stride[i];
    out.local = a->pads[i] < extent && a->pads[3 + i] < extent && extent < MOST_REACH && a->stride[i] < MOST_REACH &&
                out.stride[i] < MOST_REACH && out.high[i] < MOST_REACH && -out.low[i] < MOST_REACH;
  }
  return out;
}

/* Voxel by voxel, and channels of one grid side by side. */
static cw_reach joined(const cw_graph *graph, const cw_node_view *node, const bool *depends, const cw_reach *reach) {
  cw_reach out = {0};
  for (int k = 0; k < node->input_count; k++) {
    const cw_value in = node->inputs[k];
    if (in == CW_NONE)
      continue;
    if (!depends[in]) {
      /* The one-dimensional parameters of a batch norm are a channel's. */
      if (node->op == CW_OP_CONCAT || (node->op != CW_OP_BATCH_NORM && !is_even(cw_value_shape(graph, in))))
        return (cw_reach){0};
      continue;
    }
    if (!reach[in].local || (out.local && (memcmp(out.size, reach[in].size, sizeof out.size) != 0 ||
                                           memcmp(out.stride, reach[in].stride, sizeof out.stride) != 0)))
      return (cw_reach){0};
    for (int a = 0; a < 3 && out.local; a++) {
      out.low[a] = out.low[a] < reach[in].low[a] ? out.low[a] : reach[in].low[a];
      out.high[a] = out.high[a] > reach[in].high[a] ? out.high[a] : reach[in].high[a];
    }
    out = out.local ? out : reach[in];
  }
  return out;
}

static bool first_alone(const cw_node_view *node, const bool *depends) {
  for (int k = 1; k < node->input_count; k++)
    if (node->inputs[k] != CW_NONE && depends[node->inputs[k]])
      return false;
  return true;
}

static cw_reach reach_of(const cw_graph *graph, const cw_node_view *node, const bool *depends, const cw_reach *reach) {
  const cw_reach nowhere = {0};
  switch (node->op) {
    case CW_OP_CONV:
    case CW_OP_MAX_POOL:
    case CW_OP_AVERAGE_POOL:
      return first_alone(node, depends) ? moving_window(node->attributes, &reach[node->inputs[0]]) : nowhere;
    case CW_OP_CONCAT:
      return node->attributes->axis == 1 ? joined(graph, node, depends, reach) : nowhere;
    case CW_OP_BATCH_NORM:
      return first_alone(node, depends) ? joined(graph, node, depends, reach) : nowhere;
    case CW_OP_RELU:
    case CW_OP_LEAKY_RELU:
    case CW_OP_SIGMOID:
    case CW_OP_DROPOUT:
    case CW_OP_ADD:
    case CW_OP_SUB:
    case CW_OP_MUL:
    case CW_OP_DIV:
    case CW_OP_POW:
    case CW_OP_MIN:
    case CW_OP_MAX:
    case CW_OP_PRELU:
    case CW_OP_GREATER:
    case CW_OP_LESS:
    case CW_OP_WHERE:
    case CW_OP_ABS:
    case CW_OP_NEG:
    case CW_OP_RECIPROCAL:
    case CW_OP_SQRT:
    case CW_OP_EXP:
    case CW_OP_LOG:
    case CW_OP_TANH:
    case CW_OP_ERF:
    case CW_OP_SOFTPLUS:
    case CW_OP_SOFTSIGN:
    case CW_OP_ELU:
    case CW_OP_SELU:
    case CW_OP_HARD_SIGMOID:
    case CW_OP_HARD_SWISH:
    case CW_OP_CLIP:
      return joined(graph, node, depends, reach);
    default:
      return nowhere;
  }
}

/* Multiply-adds; what only moves data counts by the time that it takes. */
static double work_of(const cw_graph *graph, const cw_node_view *node) {
  enum { PER_SAMPLE = 12 };
  const double samples = (double)cw_shape_elements(cw_value_shape(graph, node->output), 1);
  if (node->op != CW_OP_CONV)
    return PER_SAMPLE * samples;
  const cw_shape *w = cw_value_shape(graph, node->inputs[1]);
  return samples * (PER_SAMPLE + (double)cw_shape_elements(w, 1) / (double)w->d[0]);
}

/* ---- the graph ---- */

/* last[value]: the last node on the way to the logits that reads it. */
static void find_last_readers(const cw_saliency *s, int *last) {
  for (int v = 0; v < cw_graph_value_count(s->graph); v++)
    last[v] = v == s->logits ? cw_graph_node_count(s->graph) : -1;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    for (int k = 0; k < node.input_count && s->live[i]; k++)
      if (node.inputs[k] != CW_NONE)
        last[node.inputs[k]] = i;
  }
}

static cw_cut cut_at(const cw_saliency *s, cw_value value, const cw_reach *reach, double work) {
  const cw_cut cut = {value, (int)cw_value_shape(s->graph, value)->d[1], *reach, work};
  return cut;
}

/* Nodes stand in an order in which they run: a value is a cut where no earlier one is read later on. */
static int find_cuts(const cw_saliency *s, bool *depends, cw_reach *reach, const int *last, cw_cut *cuts) {
  cw_reach *image = &reach[s->image];
  int count = 0, open = last[s->image]; /* the last node that reads any value so far */
  double work = 0;
  depends[s->image] = image->local = true;
  takes_sizes(s->graph, s->image, image);
  for (int a = 0; a < 3; a++)
    image->stride[a] = 1;
  cuts[count++] = cut_at(s, s->image, image, 0);
  for (int i = 0; i < cw_graph_node_count(s->graph) && count < MOST_CUTS; i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    for (int k = 0; k < node.input_count; k++)
      depends[node.output] = depends[node.output] || (node.inputs[k] != CW_NONE && depends[node.inputs[k]]);
    if (!s->live[i])
      continue;
    cw_reach *here = &reach[node.output];
    *here = reach_of(s->graph, &node, depends, reach);
    here->local = takes_sizes(s->graph, node.output, here) && here->local;
    work += work_of(s->graph, &node);
    if (here->local && open <= i && node.output != s->logits)
      cuts[count++] = cut_at(s, node.output, here, work);
    open = last[node.output] > open ? last[node.output] : open;
  }
  return count;
}

cw_status cw_occlusion_cuts(cw_context *context, const cw_saliency *s, cw_cut **cuts, int *count) {
  const size_t values = (size_t)cw_graph_value_count(s->graph);
  bool *depends = cw_allocate_zero(context, values, sizeof *depends);
  cw_reach *reach = cw_allocate_zero(context, values, sizeof *reach);
  int *last = cw_allocate(context, values, sizeof *last);
  *cuts = cw_allocate(context, MOST_CUTS, sizeof **cuts);
  const bool whole = depends && reach && last && *cuts;
  if (whole) {
    find_last_readers(s, last);
    *count = find_cuts(s, depends, reach, last, *cuts);
  }
  cw_release(context, depends);
  cw_release(context, reach);
  cw_release(context, last);
  if (whole)
    return CW_OK;
  cw_release(context, *cuts);
  *cuts = NULL;
  return CW_ERROR_MEMORY;
}
