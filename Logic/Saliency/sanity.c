/* Sanity checks (Adebayo et al. 2018): does a map depend on the output and on the weights? */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "Saliency/saliency_internal.h"
#include "Tensor/part.h"

enum { SIGNED, ABSOLUTE, SSIM, MEASURES };

struct cw_sanity {
  const cw_graph *trained;
  cw_graph *graph; /* a copy whose weights are re-drawn */
  cw_random_layers layers;
  cw_saliency *saliency; /* of the copy */
  int count, scans, done, checks;
  uint64_t seed;
  size_t samples;
  float **reference, **other, **before; /* [count] maps: of y; compared with; of the scan before */
  float *block;
  cw_saliency_note *notes;
  double *values; /* [count][checks][MEASURES][scans] */
  bool *empty;    /* [count][checks][scans] */
  cw_sanity_figures *figures;
};

/* Checks by number. */
enum { CHECK_OUTPUT, CHECK_UNRELATED, CHECK_LAYERS };

static int check_cascade(int part) {
  return CHECK_LAYERS + part;
}

static int check_independent(const cw_sanity *s, int part) {
  return CHECK_LAYERS + s->layers.count + part;
}

/* ---- creation ---- */

static cw_status copy_graph(cw_context *context, cw_sanity *s) {
  cw_value image, logits;
  const cw_value output = cw_graph_output_at(s->trained, 0), input = cw_graph_input_at(s->trained, 0);
  CW_TRY(cw_graph_create(context, &s->graph));
  CW_TRY(
      cw_graph_input(context, s->graph, cw_value_name(s->trained, input), *cw_value_shape(s->trained, input), &image));
  CW_TRY(cw_graph_append_copy(context, s->graph, s->trained, "", &image, &output, 1, &logits));
  return cw_graph_output(context, s->graph, logits);
}

/* Parameters of the copy as trained: of one part, or of all (part -1). */
static void restore(const cw_sanity *s, int part) {
  for (int i = 0; i < cw_graph_node_count(s->trained); i++) {
    const cw_node_view from = cw_graph_node_at(s->trained, i), to = cw_graph_node_at(s->graph, i);
    for (int k = 0; k < from.input_count; k++) {
      const float *data = from.inputs[k] == CW_NONE ? NULL : cw_value_data(s->trained, from.inputs[k]);
      if (data && (part < 0 || s->layers.part[i] == part))
        memcpy(cw_value_data(s->graph, to.inputs[k]), data,
               (size_t)cw_shape_elements(cw_value_shape(s->trained, from.inputs[k]), 1) * sizeof *data);
    }
  }
}

/* Requests name layers of the trained graph; its copy has them under the same names. */
static cw_status make_saliency(cw_context *context, cw_sanity *s, const cw_saliency_request *requests) {
  cw_saliency_request *own = cw_allocate(context, (size_t)s->count, sizeof *own);
  if (!own)
    return CW_ERROR_MEMORY;
  memcpy(own, requests, (size_t)s->count * sizeof *own);
  for (int r = 0; r < s->count; r++)
    if (own[r].layer >= 0 && own[r].layer < cw_graph_value_count(s->trained))
      own[r].layer = cw_graph_find(s->graph, cw_value_name(s->trained, own[r].layer));
  const cw_status status = cw_saliency_create(context, s->graph, own, s->count, &s->saliency);
  cw_release(context, own);
  return status;
}

static cw_status allocate(cw_context *context, cw_sanity *s) {
  const size_t count = (size_t)s->count, checks = (size_t)s->checks;
  s->samples = s->saliency->samples;
  s->block = cw_allocate(context, 3 * count, s->samples * sizeof(float));
  s->reference = cw_allocate(context, 3 * count, sizeof(float *));
  s->notes = cw_allocate(context, count, sizeof *s->notes);
  s->values = cw_allocate_zero(context, count * checks * MEASURES, (size_t)s->scans * sizeof(double));
  s->empty = cw_allocate_zero(context, count * checks, (size_t)s->scans * sizeof *s->empty);
  s->figures = cw_allocate_zero(context, 2 * (size_t)s->layers.count, sizeof *s->figures);
  if (!s->block || !s->reference || !s->notes || !s->values || !s->empty || !s->figures)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < 3 * count; i++)
    s->reference[i] = s->block + i * s->samples;
  s->other = s->reference + count;
  s->before = s->other + count;
  return CW_OK;
}

static cw_status build(cw_context *context, cw_sanity *s, const cw_saliency_request *requests) {
  CW_TRY(copy_graph(context, s));
  CW_TRY(cw_random_layers_of(context, s->graph, &s->layers));
  s->checks = CHECK_LAYERS + 2 * s->layers.count;
  CW_TRY(make_saliency(context, s, requests));
  return allocate(context, s);
}

cw_status cw_sanity_create(cw_context *context, const cw_graph *graph, const cw_saliency_request *requests, int count,
                           int scans, uint64_t seed, cw_sanity **sanity) {
  int size[3], outputs;
  *sanity = NULL;
  CW_TRY(cw_classifier_check(context, graph, size, &outputs));
  if (scans < 1 || scans > 100000 || count < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "sanity: %d methods and room for %d scans, expected one of each at least", count, scans);
  cw_sanity *s = cw_allocate_zero(context, 1, sizeof *s);
  if (!s)
    return CW_ERROR_MEMORY;
  s->trained = graph;
  s->count = count;
  s->scans = scans;
  s->seed = seed;
  const cw_status status = build(context, s, requests);
  if (status != CW_OK) {
    cw_sanity_free(context, s);
    return status;
  }
  *sanity = s;
  return CW_OK;
}

void cw_sanity_free(cw_context *context, cw_sanity *s) {
  if (!s)
    return;
  cw_saliency_free(context, s->saliency);
  cw_graph_free(context, s->graph);
  cw_random_layers_free(context, &s->layers);
  cw_release(context, s->block);
  cw_release(context, s->reference);
  cw_release(context, s->notes);
  cw_release(context, s->values);
  cw_release(context, s->empty);
  cw_release(context, s->figures);
  cw_release(context, s);
}

const cw_random_layers *cw_sanity_layers(const cw_sanity *s) {
  return &s->layers;
}

/* ---- one scan ---- */

static double *value_at(const cw_sanity *s, int method, int check, int measure) {
  return s->values +
         (((size_t)method * (size_t)s->checks + (size_t)check) * MEASURES + (size_t)measure) * (size_t)s->scans;
}

static bool *empty_at(const cw_sanity *s, int method, int check) {
  return s->empty + ((size_t)method * (size_t)s->checks + (size_t)check) * (size_t)s->scans;
}

static bool usable(const float *map, size_t samples) {
  return cw_is_finite(map, samples) && !cw_is_zero(map, samples);
}

/* Similarity of two sets of maps as scan `scan`'s figures of a check. */
static cw_status compare(cw_context *context, cw_sanity *s, float **a, float **b, const float *region, int check,
                         int scan) {
  for (int m = 0; m < s->count; m++) {
    cw_similarity similarity = {0, 0, 0};
    const bool whole = usable(a[m], s->samples) && usable(b[m], s->samples);
    if (whole)
      CW_TRY(cw_map_similarity(context, a[m], b[m], region, s->saliency->size, &similarity));
    empty_at(s, m, check)[scan] = !whole;
    value_at(s, m, check, SIGNED)[scan] = similarity.signed_rank;
    value_at(s, m, check, ABSOLUTE)[scan] = similarity.absolute_rank;
    value_at(s, m, check, SSIM)[scan] = similarity.ssim;
  }
  return CW_OK;
}

/* The output to explain and the one to tell it from. */
static void choose_outputs(const cw_sanity *s, const float *image, cw_saliency_output chosen[2]) {
  cw_plan *plan = s->saliency->plan;
  const int outputs = s->saliency->outputs;
  memset(chosen, 0, 2 * sizeof *chosen);
  if (outputs == 1) {
    chosen[1].negative = true;
    return;
  }
  memcpy(cw_plan_data(plan, s->saliency->image), image, s->samples * sizeof *image);
  cw_plan_forward(plan);
  const float *logits = cw_plan_data(plan, s->saliency->logits);
  for (int i = 1; i < outputs; i++)
    chosen[0].index = logits[i] > logits[chosen[0].index] ? i : chosen[0].index;
  chosen[1].index = chosen[0].index == 0;
  for (int i = 0; i < outputs; i++)
    if (i != chosen[0].index && logits[i] > logits[chosen[1].index])
      chosen[1].index = i;
}

/* One scan's state: its maps' number of sets so far, for the progress. */
typedef struct turn {
  cw_context *context;
  cw_sanity *s;
  const float *image, *region;
  cw_saliency_output outputs[2];
  int set;
} turn;

static cw_status run_maps(turn *t, cw_saliency_output output, float **maps) {
  const int sets = 2 * t->s->layers.count + 1; /* both outputs, and all layers but that the last alone is a cascade */
  const double from = (double)t->set++ / sets, to = (double)t->set / sets;
  CW_TRY_PART(t->context, "sanity checks", from, to,
              cw_saliency_maps(t->context, t->s->saliency, t->image, output, maps, t->s->notes));
  return cw_progress(t->context, "sanity checks", to);
}

static cw_status randomised(turn *t) {
  cw_sanity *s = t->s;
  const int last = s->layers.count - 1, scan = s->done;
  const uint64_t seed = s->seed + (uint64_t)scan;
  for (int part = last; part >= 0; part--) {
    cw_random_layer_draw(s->graph, &s->layers, part, seed);
    CW_TRY(run_maps(t, t->outputs[0], s->other));
    CW_TRY(compare(t->context, s, s->reference, s->other, t->region, check_cascade(part), scan));
    if (part == last)
      CW_TRY(compare(t->context, s, s->reference, s->other, t->region, check_independent(s, part), scan));
  }
  restore(s, -1);
  for (int part = last - 1; part >= 0; part--) {
    cw_random_layer_draw(s->graph, &s->layers, part, seed);
    CW_TRY(run_maps(t, t->outputs[0], s->other));
    CW_TRY(compare(t->context, s, s->reference, s->other, t->region, check_independent(s, part), scan));
    restore(s, part);
  }
  return CW_OK;
}

static cw_status checks(turn *t) {
  cw_sanity *s = t->s;
  restore(s, -1); /* an earlier call may have been cancelled */
  s->saliency->quiet = false;
  choose_outputs(s, t->image, t->outputs);
  CW_TRY(run_maps(t, t->outputs[0], s->reference));
  s->saliency->quiet = true;
  CW_TRY(run_maps(t, t->outputs[1], s->other));
  CW_TRY(compare(t->context, s, s->reference, s->other, t->region, CHECK_OUTPUT, s->done));
  if (s->done > 0)
    CW_TRY(compare(t->context, s, s->reference, s->before, t->region, CHECK_UNRELATED, s->done - 1));
  return randomised(t);
}

/* A randomised network may give logits out of range: its maps are then not finite, which counts as empty. */
cw_status cw_sanity_add(cw_context *context, cw_sanity *s, const float *image, const float *region) {
  turn t = {context, s, image, region, {{0, false}, {0, false}}, 0};
  if (s->done >= s->scans)
    return cw_fail(context, CW_ERROR_ARGUMENT, "sanity: there is room for %d scans, and all is taken", s->scans);
  CW_TRY(checks(&t));
  for (int m = 0; m < s->count; m++)
    memcpy(s->before[m], s->reference[m], s->samples * sizeof(float));
  s->done++;
  return CW_OK;
}

/* ---- results ---- */

static cw_sanity_figures figures_of(const cw_sanity *s, int method, int check, int scans) {
  cw_sanity_figures f = {.empty = 0};
  f.signed_rank = cw_summarize(value_at(s, method, check, SIGNED), scans);
  f.absolute_rank = cw_summarize(value_at(s, method, check, ABSOLUTE), scans);
  f.ssim = cw_summarize(value_at(s, method, check, SSIM), scans);
  for (int scan = 0; scan < scans; scan++)
    f.empty += empty_at(s, method, check)[scan];
  return f;
}

static cw_verdict verdict_of(const cw_summary *similarity, const cw_summary *unrelated) {
  if (similarity->count < 2 || unrelated->count < 2)
    return CW_UNDECIDED;
  if (similarity->high < unrelated->low)
    return CW_DEPENDS;
  return similarity->low > unrelated->high ? CW_DOES_NOT_DEPEND : CW_UNDECIDED;
}

static void add_fact(char text[320], const char *fact) {
  const size_t at = strlen(text);
  snprintf(text + at, 320 - at, "%s%s", at ? "; " : "", fact);
}

/* Where the sign of y goes straight through the method.  LRP is linear in the relevance; only the layer that takes the
 * sign of y may tell its positive products from its negative ones. */
static bool is_odd(const cw_saliency *s, const cw_saliency_request *request) {
  if (request->method == CW_SALIENCY_LRP) {
    const cw_operator op = s->negated >= 0 ? cw_graph_node_at(s->graph, s->negated).op : CW_OP_RELU;
    return (op == CW_OP_GEMM || op == CW_OP_MATMUL ? request->lrp.dense : request->lrp.other) != CW_LRP_ALPHA_BETA;
  }
  return request->sign == CW_SIGNED && request->method != CW_SALIENCY_GRADCAM_PLUSPLUS;
}

static void known_facts(const cw_sanity *s, const cw_saliency_request *request, bool *on_output, char text[320]) {
  const cw_saliency_method m = request->method;
  const bool one = s->saliency->outputs == 1;
  const bool last = m == CW_SALIENCY_GRADIENT || m == CW_SALIENCY_GRADIENT_INPUT || m == CW_SALIENCY_SMOOTHGRAD ||
                    m == CW_SALIENCY_INTEGRATED_GRADIENTS || m == CW_SALIENCY_OCCLUSION || m == CW_SALIENCY_GRADCAM ||
                    m == CW_SALIENCY_FULLGRAD;
  text[0] = 0;
  *on_output = one && (is_odd(s->saliency, request) || (request->sign == CW_ABSOLUTE && last));
  if (one && is_odd(s->saliency, request))
    add_fact(text, "the map of -y is the negative of the map of y");
  if (one && request->sign == CW_ABSOLUTE && last)
    add_fact(text, "the map of -y is the map of y: the sign is taken off where the map is summed");
  if (m == CW_SALIENCY_GUIDED_BACKPROP && request->sign == CW_SIGNED)
    add_fact(text, "it is the gradient");
  if (m == CW_SALIENCY_LRP && cw_lrp_is_gradient_input(s->saliency) && request->lrp.dense == CW_LRP_EPSILON &&
      request->lrp.other == CW_LRP_EPSILON && request->lrp.input == CW_LRP_EPSILON)
    add_fact(text, "it is gradient-x-input, as on every network of linear layers and rectifiers");
}

cw_status cw_sanity_result(cw_context *context, cw_sanity *s, int index, cw_sanity_method *result) {
  memset(result, 0, sizeof *result);
  if (index < 0 || index >= s->count || s->done < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "sanity: no figures of method %d after %d scans", index, s->done);
  for (int part = 0; part < s->layers.count; part++) {
    s->figures[part] = figures_of(s, index, check_cascade(part), s->done);
    s->figures[s->layers.count + part] = figures_of(s, index, check_independent(s, part), s->done);
  }
  result->output = figures_of(s, index, CHECK_OUTPUT, s->done);
  result->unrelated = figures_of(s, index, CHECK_UNRELATED, s->done - 1);
  result->cascade = s->figures;
  result->independent = s->figures + s->layers.count;
  result->on_output = verdict_of(&result->output.signed_rank, &result->unrelated.signed_rank);
  result->on_weights = verdict_of(&s->figures[s->layers.first_dense].absolute_rank, &result->unrelated.absolute_rank);
  known_facts(s, &s->saliency->requests[index], &result->output_by_construction, result->by_construction);
  return CW_OK;
}
