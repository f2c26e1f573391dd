/* Requests, and the plan that serves them all. */
#include "counterwarp/saliency.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "Saliency/saliency_internal.h"

/* ---- the graph ---- */

int cw_producer(const cw_graph *graph, cw_value value) {
  for (int i = 0; i < cw_graph_node_count(graph); i++)
    if (cw_graph_node_at(graph, i).output == value)
      return i;
  return -1;
}

cw_value cw_logits_of(const cw_graph *graph) {
  const cw_value output = cw_graph_output_at(graph, 0);
  const int node = output == CW_NONE ? -1 : cw_producer(graph, output);
  if (node < 0)
    return output;
  const cw_node_view view = cw_graph_node_at(graph, node);
  const bool squashes = view.op == CW_OP_SIGMOID || view.op == CW_OP_SOFTMAX || view.op == CW_OP_LOG_SOFTMAX;
  return squashes ? view.inputs[0] : output;
}

cw_status cw_classifier_check(cw_context *context, const cw_graph *graph, int size[3], int *outputs) {
  char text[96];
  if (cw_graph_input_count(graph) != 1 || cw_graph_output_count(graph) < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "saliency: the graph has %d inputs and %d outputs, expected the image and "
                   "the logits",
                   cw_graph_input_count(graph), cw_graph_output_count(graph));
  const cw_shape *image = cw_value_shape(graph, cw_graph_input_at(graph, 0));
  if (image->rank != 5 || image->d[0] != CW_BATCH || image->d[1] != 1) {
    cw_shape_text(image, text);
    return cw_fail(context, CW_ERROR_SHAPE, "saliency: the image has shape %s, expected N x 1 x D x H x W", text);
  }
  const cw_value logits = cw_logits_of(graph);
  const cw_shape *shape = cw_value_shape(graph, logits);
  if (shape->rank != 2 || shape->d[0] != CW_BATCH) {
    cw_shape_text(shape, text);
    return cw_fail(context, CW_ERROR_SHAPE, "saliency: output '%s' has shape %s, expected N x classes",
                   cw_value_name(graph, logits), text);
  }
  for (int a = 0; a < 3; a++)
    size[a] = (int)image->d[4 - a];
  *outputs = (int)shape->d[1];
  return CW_OK;
}

/* Nodes on the way from the image to the logits.  wanted, given: [values]. */
static void mark_live(cw_saliency *s, bool *wanted, bool *given) {
  for (int v = 0; v < cw_graph_value_count(s->graph); v++) {
    wanted[v] = v == s->logits;
    given[v] = v == s->image;
  }
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    for (int k = 0; k < node.input_count; k++)
      given[node.output] = given[node.output] || (node.inputs[k] != CW_NONE && given[node.inputs[k]]);
  }
  for (int i = cw_graph_node_count(s->graph) - 1; i >= 0; i--) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    s->live[i] = wanted[node.output] && given[node.output];
    for (int k = 0; k < node.input_count && s->live[i]; k++)
      if (node.inputs[k] != CW_NONE)
        wanted[node.inputs[k]] = true;
  }
}

/* The input that a node hands on as it is, or from which it picks: the only computed one, or the signal of a product.
 */
static cw_value handed_on(const cw_saliency *s, int node) {
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  const cw_lrp_kind kind = cw_lrp_kind_of(s, node);
  cw_value only = CW_NONE;
  if (kind == CW_LRP_SIGNAL)
    return view.inputs[cw_lrp_signal(s, node)];
  for (int k = 0; k < view.input_count; k++) {
    if (view.inputs[k] == CW_NONE || cw_value_data(s->graph, view.inputs[k]))
      continue;
    if (only != CW_NONE)
      return CW_NONE;
    only = view.inputs[k];
  }
  return kind == CW_LRP_PASS || kind == CW_LRP_MOVE ? only : CW_NONE;
}

/* The layer whose sign a negative output turns. */
static int last_weighted(const cw_saliency *s) {
  int node = s->producer[s->logits];
  while (node >= 0) {
    const cw_value before = handed_on(s, node);
    if (before == CW_NONE)
      break;
    node = s->producer[before];
  }
  return node >= 0 && s->fold[node] >= 0 && s->fold[node] < node ? s->fold[node] : node;
}

static bool is_map(const cw_graph *graph, cw_value value) {
  const cw_shape *shape = cw_value_shape(graph, value);
  return shape->rank == 5 && shape->d[0] == CW_BATCH && shape->d[2] * shape->d[3] * shape->d[4] > 1;
}

/* The last rectifier's output that still is a map; else the last node's. */
static cw_value default_layer(const cw_saliency *s) {
  cw_value any = CW_NONE;
  for (int i = cw_graph_node_count(s->graph) - 1; i >= 0; i--) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    if (!s->live[i] || !is_map(s->graph, node.output))
      continue;
    if (cw_is_rectifier(&node))
      return node.output;
    any = any == CW_NONE ? node.output : any;
  }
  return any;
}

/* ---- requests ---- */

static cw_status check_layer(cw_context *context, const cw_saliency *s, cw_saliency_request *request) {
  if (request->layer == CW_NONE)
    request->layer = default_layer(s);
  const bool named = request->layer >= 0 && request->layer < cw_graph_value_count(s->graph);
  const int node = named ? s->producer[request->layer] : -1;
  const cw_shape *shape = node < 0 ? NULL : cw_value_shape(s->graph, request->layer);
  if (node < 0 || !s->live[node] || shape->rank != 5 || shape->d[0] != CW_BATCH)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "saliency: the layer of a class activation map is '%s', expected a map of the network before its "
                   "output",
                   named ? cw_value_name(s->graph, request->layer) : "none");
  return CW_OK;
}

static cw_status check_request(cw_context *context, const cw_saliency *s, cw_saliency_request *request) {
  char name[64];
  const char *bad = NULL;
  const cw_lrp *lrp = &request->lrp;
  if ((unsigned)request->method >= CW_SALIENCY_METHODS || (unsigned)request->sign > CW_ABSOLUTE)
    return cw_fail(context, CW_ERROR_ARGUMENT, "saliency: a request has an unknown method or handling of signs");
  if (request->samples < 1 || request->samples > 100000)
    bad = "1 to 100000 samples";
  else if (!(request->noise >= 0 && request->noise <= 10))
    bad = "a noise of 0 to 10";
  else if (!(request->percentile >= 0 && request->percentile < 100))
    bad = "a percentile of at least 0 and under 100";
  else if (!(lrp->alpha >= 1 && lrp->alpha <= 100) || !(lrp->epsilon > 0 && isfinite(lrp->epsilon)))
    bad = "alpha of 1 to 100 and an epsilon above 0";
  else if (request->window < 0 || request->stride < 0 || !isfinite(request->fill) ||
           (request->window && request->stride > request->window))
    bad = "a window of 0 or more, a stride no larger and a finite fill";
  if (bad) {
    cw_saliency_name(request, name);
    return cw_fail(context, CW_ERROR_ARGUMENT, "saliency: the settings of %s are out of range, expected %s", name, bad);
  }
  if (cw_is_cam(request))
    CW_TRY(check_layer(context, s, request));
  if (request->method == CW_SALIENCY_LRP)
    return cw_lrp_check(context, s, request);
  if (request->method == CW_SALIENCY_GUIDED_BACKPROP || request->method == CW_SALIENCY_RECTGRAD)
    return cw_rules_check(context, s, request);
  return CW_OK;
}

/* ---- creation ---- */

static bool any_of(const cw_saliency *s, cw_saliency_method method) {
  for (int r = 0; r < s->count; r++)
    if (s->requests[r].method == method)
      return true;
  return false;
}

/* Values that the requests look at one by one; -> their number.  FullGrad wants the gradient after every batch norm,
 * and rectifiers that follow a rule of their own run apart from the batch norm before them. */
static int visible_values(const cw_saliency *s, cw_value *visible) {
  const bool gates = any_of(s, CW_SALIENCY_GUIDED_BACKPROP) || any_of(s, CW_SALIENCY_RECTGRAD);
  int count = 0;
  for (int r = 0; r < s->count; r++)
    if (cw_is_cam(&s->requests[r]))
      visible[count++] = s->requests[r].layer;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_node_view node = cw_graph_node_at(s->graph, i);
    if (!s->live[i])
      continue;
    if (node.op == CW_OP_BATCH_NORM && any_of(s, CW_SALIENCY_FULLGRAD))
      visible[count++] = node.output;
    const int before = gates && cw_is_rectifier(&node) ? s->producer[node.inputs[0]] : -1;
    if (before >= 0 && cw_graph_node_at(s->graph, before).op == CW_OP_BATCH_NORM)
      visible[count++] = node.inputs[0];
  }
  return count;
}

/* The plan of one forward pass for all requests: LRP looks at every node, the others let nodes run as one. */
static cw_status make_plan(cw_context *context, cw_saliency *s, cw_plan_options options) {
  const size_t nodes = (size_t)cw_graph_node_count(s->graph);
  cw_value *visible = cw_allocate(context, (size_t)s->count + 2 * nodes, sizeof *visible);
  if (!visible)
    return CW_ERROR_MEMORY;
  options.keep_values = any_of(s, CW_SALIENCY_LRP);
  options.repeat = true;
  options.visible = visible;
  options.visible_count = visible_values(s, visible);
  const cw_status status = cw_plan_create(context, s->graph, &options, &s->plan);
  cw_release(context, visible);
  return status;
}

/* Samples side by side, each on one thread, waste none of their time waiting for each other; where the samples are few
 * or large, all threads share one. */
static int count_samplers(const cw_saliency *s) {
  enum { ROUNDS = 2, MOST_MIB = 1024 };
  int fewest = INT_MAX;
  for (int r = 0; r < s->count; r++)
    if (cw_is_sampled(&s->requests[r]) && s->requests[r].samples < fewest)
      fewest = s->requests[r].samples;
  const size_t mib = cw_plan_bytes(s->plan) >> 20; /* no sampler takes more than the plan that keeps values */
  return fewest / ROUNDS >= s->threads && mib < MOST_MIB / (size_t)s->threads ? s->threads : 1;
}

static cw_status make_samplers(cw_context *context, cw_saliency *s, cw_plan_options options) {
  const int count = count_samplers(s);
  s->samplers = cw_allocate_zero(context, (size_t)count, sizeof(cw_plan *));
  if (!s->samplers)
    return CW_ERROR_MEMORY;
  s->sampler_count = count;
  options.threads = s->threads / count;
  for (int i = 0; i < count; i++)
    CW_TRY(cw_plan_create(context, s->graph, &options, &s->samplers[i]));
  return CW_OK;
}

static cw_status allocate(cw_context *context, cw_saliency *s) {
  s->layer_samples = s->samples;
  for (int i = 0; i < cw_graph_node_count(s->graph); i++) {
    const cw_value value = cw_graph_node_at(s->graph, i).output;
    const cw_shape *shape = cw_value_shape(s->graph, value);
    const size_t channels = shape->rank > 1 && shape->d[1] != CW_BATCH ? (size_t)shape->d[1] : 1;
    const size_t volume = (size_t)cw_shape_elements(shape, 1) / channels;
    s->layer_samples = volume > s->layer_samples && s->live[i] ? volume : s->layer_samples;
  }
  s->copy = cw_allocate(context, s->samples, sizeof(float));
  s->layer_map = cw_allocate(context, s->layer_samples, sizeof(float));
  s->wanted = cw_allocate(context, (size_t)s->count, sizeof *s->wanted);
  s->done = cw_allocate(context, (size_t)s->count, sizeof *s->done);
  s->totals = cw_allocate(context, (size_t)s->count, sizeof *s->totals);
  if (!s->copy || !s->layer_map || !s->wanted || !s->done || !s->totals)
    return CW_ERROR_MEMORY;
  cw_plan_options options = {0};
  options.mode = CW_INPUT_GRADIENT;
  options.batch = 1;
  options.outputs = &s->logits;
  options.output_count = 1;
  options.gradients = &s->image;
  options.gradient_count = 1;
  CW_TRY(make_plan(context, s, options));
  if (!cw_plan_gradient(s->plan, s->image))
    return cw_fail(context, CW_ERROR_ARGUMENT, "saliency: the output does not depend on the image");
  if (any_of(s, CW_SALIENCY_SMOOTHGRAD) || any_of(s, CW_SALIENCY_INTEGRATED_GRADIENTS))
    CW_TRY(make_samplers(context, s, options));
  if (any_of(s, CW_SALIENCY_LRP) || any_of(s, CW_SALIENCY_FULLGRAD))
    CW_TRY(cw_lrp_allocate(context, s));
  return any_of(s, CW_SALIENCY_OCCLUSION) ? cw_occlusion_allocate(context, s) : CW_OK;
}

static cw_status prepare(cw_context *context, cw_saliency *s, const cw_saliency_request *requests) {
  const size_t nodes = (size_t)cw_graph_node_count(s->graph) + 1, values = (size_t)cw_graph_value_count(s->graph) + 1;
  s->requests = cw_allocate(context, (size_t)s->count, sizeof *s->requests);
  s->live = cw_allocate_zero(context, nodes, sizeof *s->live);
  s->producer = cw_allocate(context, values, sizeof *s->producer);
  s->idle = cw_allocate_zero(context, nodes, sizeof *s->idle);
  s->fold = cw_allocate_zero(context, nodes, sizeof *s->fold);
  bool *marks = cw_allocate(context, values, 2 * sizeof *marks);
  int *readers = cw_allocate(context, values, sizeof *readers);
  const bool whole = s->requests && s->live && s->producer && s->idle && s->fold && marks && readers;
  if (whole) {
    for (size_t v = 0; v < values; v++)
      s->producer[v] = -1;
    for (int i = 0; i < cw_graph_node_count(s->graph); i++)
      s->producer[cw_graph_node_at(s->graph, i).output] = i;
    mark_live(s, marks, marks + values);
    cw_lrp_find_idle(s, marks);
    cw_lrp_fold(s, readers);
  }
  cw_release(context, marks);
  cw_release(context, readers);
  if (!whole)
    return CW_ERROR_MEMORY;
  memcpy(s->requests, requests, (size_t)s->count * sizeof *requests);
  s->negated = last_weighted(s);
  for (int r = 0; r < s->count; r++)
    CW_TRY(check_request(context, s, &s->requests[r]));
  return CW_OK;
}

static cw_status create(cw_context *context, const cw_graph *graph, const cw_saliency_request *requests, int count,
                        bool checks_alone, cw_saliency **saliency) {
  int size[3], outputs;
  *saliency = NULL;
  CW_TRY(cw_classifier_check(context, graph, size, &outputs));
  if (count < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "saliency: %d requests, expected one at least", count);
  cw_saliency *s = cw_allocate_zero(context, 1, sizeof *s);
  if (!s)
    return CW_ERROR_MEMORY;
  s->graph = graph;
  s->image = cw_graph_input_at(graph, 0);
  s->logits = cw_logits_of(graph);
  s->outputs = outputs;
  memcpy(s->size, size, sizeof size);
  s->samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  s->threads = cw_context_threads(context);
  s->count = count;
  cw_status status = prepare(context, s, requests);
  if (status == CW_OK && !checks_alone)
    status = allocate(context, s);
  if (status != CW_OK) {
    cw_saliency_free(context, s);
    return status;
  }
  *saliency = s;
  return CW_OK;
}

cw_status cw_saliency_create(cw_context *context, const cw_graph *graph, const cw_saliency_request *requests, int count,
                             cw_saliency **saliency) {
  return create(context, graph, requests, count, false, saliency);
}

cw_status cw_saliency_check(cw_context *context, const cw_graph *graph, const cw_saliency_request *request) {
  cw_saliency *s;
  CW_TRY(create(context, graph, request, 1, true, &s));
  cw_saliency_free(context, s);
  return CW_OK;
}

void cw_saliency_free(cw_context *context, cw_saliency *s) {
  if (!s)
    return;
  cw_plan_free(context, s->plan);
  for (int i = 0; i < s->sampler_count; i++)
    cw_plan_free(context, s->samplers[i]);
  cw_release(context, s->samplers);
  cw_occlusion_free(context, s);
  cw_release(context, s->requests);
  cw_release(context, s->live);
  cw_release(context, s->producer);
  cw_release(context, s->idle);
  cw_release(context, s->fold);
  cw_release(context, s->copy);
  cw_release(context, s->layer_map);
  cw_release(context, s->wanted);
  cw_release(context, s->done);
  cw_release(context, s->totals);
  cw_release(context, s->scratch_block);
  cw_release(context, s);
}

size_t cw_saliency_bytes(const cw_saliency *s) {
  size_t bytes = cw_plan_bytes(s->plan) + cw_occlusion_bytes(s) + s->scratch_bytes;
  for (int i = 0; i < s->sampler_count; i++)
    bytes += cw_plan_bytes(s->samplers[i]);
  return bytes + (s->samples + s->layer_samples) * sizeof(float);
}
