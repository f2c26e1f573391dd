/* What strength 1 is: the field's factor with which nearly all scans reach their goal.
 *
 * The direction of the smallest warp is learned with the mean shift at the margin.  Asking for more while training
 * makes warps larger where they need not be; scaling the field afterwards leaves its shape, and with it where it
 * points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "Training/training_internal.h"

enum { MOST_SCANS = 64 /* for training, a direction */ };

static const double LEVELS[] = {0.5, 0.75, 1, 1.25, 1.5, 1.75, 2}, SHARE = 0.98;

enum { LEVEL_COUNT = sizeof LEVELS / sizeof *LEVELS };

typedef struct search {
  cw_context *context;
  const cw_gain_request *request;
  int logits;
  cw_graph *graph; /* image, direction, gain -> logits of the image under the scaled warp */
  cw_value image, direction, gain, logit[CW_MAX_CLASSIFIERS];
  cw_plan *plan;
  int *scan;     /* both directions */
  double *side;  /* +1: inject */
  float *before; /* [scan][logit] */
  double *need;  /* factor at which a scan reaches its goal; INFINITY: beyond the last level */
  double *last;  /* share of the way at the level before */
  int count;
} search;

static void search_free(search *s) {
  cw_plan_free(s->context, s->plan);
  cw_graph_free(s->context, s->graph);
  cw_release(s->context, s->scan);
  cw_release(s->context, s->side);
  cw_release(s->context, s->before);
  cw_release(s->context, s->need);
  cw_release(s->context, s->last);
}

/* ---- the graph ---- */

static cw_status build(search *s) {
  const cw_gain_request *q = s->request;
  cw_context *c = s->context;
  CW_TRY(cw_graph_create(c, &s->graph));
  const cw_shape scan = *cw_value_shape(q->simulator, cw_graph_input_at(q->simulator, 0));
  CW_TRY(cw_graph_input(c, s->graph, "image", scan, &s->image));
  CW_TRY(cw_graph_input(c, s->graph, "direction", CW_SHAPE(CW_BATCH, 1), &s->direction));
  CW_TRY(cw_graph_input(c, s->graph, "gain", CW_SHAPE(CW_BATCH, 1, 1, 1, 1), &s->gain));
  const cw_value inputs[] = {s->image, s->direction}, out = cw_graph_output_at(q->simulator, 0);
  cw_value field, warped, wanted[CW_MAX_CLASSIFIERS];
  CW_TRY(cw_graph_append(c, s->graph, q->simulator, "simulator/", true, inputs, &out, 1, &field));
  CW_TRY(cw_graph_node(c, s->graph, CW_OP_MUL, "scaled", NULL, (const cw_value[]){field, s->gain}, 2, &field));
  if (q->field == CW_FIELD_VELOCITY) {
    cw_attributes a = cw_attributes_default();
    a.squarings = q->squarings + 1; /* for a field up to twice as large */
    CW_TRY(cw_graph_node(c, s->graph, CW_OP_EXPONENTIAL, "exponential", &a, &field, 1, &field));
  }
  CW_TRY(cw_graph_node(c, s->graph, CW_OP_WARP, "warped", NULL, (const cw_value[]){s->image, field}, 2, &warped));
  s->logits = cw_graph_output_count(q->classifier);
  for (int k = 0; k < s->logits; k++)
    wanted[k] = cw_graph_output_at(q->classifier, k);
  CW_TRY(cw_graph_append(c, s->graph, q->classifier, "classifier/", true, &warped, wanted, s->logits, s->logit));
  for (int k = 0; k < s->logits; k++)
    CW_TRY(cw_graph_output(c, s->graph, s->logit[k]));
  cw_plan_options o = {0};
  o.mode = CW_INFERENCE;
  o.batch = q->batch;
  return cw_plan_create(c, s->graph, &o, &s->plan);
}

/* Copies scans first .. first + n - 1 of the list to a batch; the first of them where it is longer. */
static void load(const search *s, int first, int n, float *to) {
  const size_t samples = cw_grid_samples(&s->request->dataset->preprocessing.grid);
  for (int i = 0; i < s->request->batch; i++)
    memcpy(to + (size_t)i * samples, s->request->dataset->samples + (size_t)s->scan[first + (i < n ? i : 0)] * samples,
           samples * sizeof(float));
}

/* The logits of these scans with a factor of the field. */
static void forward(const search *s, int first, int n, double gain) {
  load(s, first, n, cw_plan_data(s->plan, s->image));
  for (int i = 0; i < s->request->batch; i++) {
    cw_plan_data(s->plan, s->direction)[i] = (float)s->side[first + (i < n ? i : 0)];
    cw_plan_data(s->plan, s->gain)[i] = (float)gain;
  }
  cw_plan_forward(s->plan);
}

/* ---- scans ---- */

static cw_status allocate(search *s, size_t total) {
  s->scan = cw_allocate(s->context, total, sizeof(int));
  s->side = cw_allocate(s->context, total, sizeof(double));
  s->need = cw_allocate(s->context, total, sizeof(double));
  s->last = cw_allocate_zero(s->context, total, sizeof(double));
  s->before = cw_allocate(s->context, total * (size_t)s->logits, sizeof(float));
  return s->scan && s->side && s->need && s->last && s->before ? CW_OK : CW_ERROR_MEMORY;
}

/* Scans kept back, then training scans until there are MOST_SCANS of each direction.  The list is written over from its
 * front, behind what a batch still reads. */
static cw_status choose_scans(search *s) {
  const cw_gain_request *q = s->request;
  const int kept_back = q->split->validation_count, total = kept_back + q->split->train_count;
  int trained_on[2] = {0, 0};
  CW_TRY(allocate(s, (size_t)total));
  for (int i = 0; i < total; i++)
    s->scan[i] = i < kept_back ? q->split->validation[i] : q->split->train[i - kept_back];
  for (int i = 0; i < total && (trained_on[0] < MOST_SCANS || trained_on[1] < MOST_SCANS); i += q->batch) {
    const int n = total - i < q->batch ? total - i : q->batch;
    CW_TRY(cw_progress(s->context, "choosing scans for the strength", (double)i / total));
    load(s, i, n, cw_plan_data(q->plan, q->image));
    cw_plan_forward(q->plan);
    for (int j = 0; j < n; j++) {
      const double side = cw_direction_of(q->plan, q->logit, q->margin, s->logits, j);
      if (i + j >= kept_back && ++trained_on[side < 0] > MOST_SCANS)
        continue;
      s->scan[s->count] = s->scan[i + j];
      s->side[s->count] = side;
      s->need[s->count] = INFINITY;
      for (int k = 0; k < s->logits; k++)
        s->before[(size_t)s->count * s->logits + k] = cw_plan_data(q->plan, q->logit[k])[j];
      s->count++;
    }
  }
  return CW_OK;
}

/* Share of the way to its goal that scan i of the list has gone, by the classifier that lags; sample j of the batch. */
static double share_of_way(const search *s, int i, int j) {
  double least = INFINITY;
  for (int k = 0; k < s->logits; k++) {
    const double share = cw_margin_share(&s->request->margin[k], s->side[i], s->before[(size_t)i * s->logits + k],
                                         cw_plan_data(s->plan, s->logit[k])[j]);
    least = share < least ? share : least;
  }
  return least;
}

/* Each scan's factor, between levels by linear interpolation. */
static cw_status find_needs(search *s) {
  const int batch = s->request->batch;
  for (int level = 0; level < LEVEL_COUNT; level++)
    for (int i = 0; i < s->count; i += batch) {
      CW_TRY(cw_progress(s->context, "choosing the strength", (level + (double)i / s->count) / LEVEL_COUNT));
      const int n = s->count - i < batch ? s->count - i : batch;
      forward(s, i, n, LEVELS[level]);
      for (int j = 0; j < n; j++) {
        const double share = share_of_way(s, i + j, j), before = s->last[i + j];
        const double from = level ? LEVELS[level - 1] : 0;
        if (share >= 1 && s->need[i + j] == INFINITY)
          s->need[i + j] = from + (LEVELS[level] - from) * (before < 1 ? (1 - before) / (share - before) : 0);
        s->last[i + j] = share;
      }
    }
  return cw_progress(s->context, "choosing the strength", 1);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double least_gain(search *s, double side) {
  int n = 0;
  for (int i = 0; i < s->count; i++)
    if (s->side[i] == side)
      s->last[n++] = s->need[i];
  if (!n)
    return 1;
  qsort(s->last, (size_t)n, sizeof *s->last, ascending);
  const double need = s->last[(int)ceil(SHARE * n) - 1];
  return need < LEVELS[0] ? LEVELS[0] : need > LEVELS[LEVEL_COUNT - 1] ? LEVELS[LEVEL_COUNT - 1] : need;
}

cw_status cw_choose_gains(cw_context *context, const cw_gain_request *request, double gain[2]) {
  search s = {0};
  s.context = context;
  s.request = request;
  cw_status status = build(&s);
  if (status == CW_OK)
    status = choose_scans(&s);
  if (status == CW_OK)
    status = find_needs(&s);
  if (status == CW_OK) {
    gain[0] = least_gain(&s, 1);
    gain[1] = least_gain(&s, -1);
  }
  search_free(&s);
  return status;
}

/* ---- the scaled network ---- */

static cw_status append_scaled(cw_context *c, const cw_graph *simulator, const double gain[2], cw_graph *graph) {
  cw_value inputs[2], in[3], field;
  const cw_value from[2] = {cw_graph_input_at(simulator, 0), cw_graph_input_at(simulator, 1)};
  const cw_value out = cw_graph_output_at(simulator, 0);
  for (int i = 0; i < 2; i++)
    CW_TRY(
        cw_graph_input(c, graph, cw_value_name(simulator, from[i]), *cw_value_shape(simulator, from[i]), &inputs[i]));
  CW_TRY(cw_graph_append_copy(c, graph, simulator, "", inputs, &out, 1, &field));
  CW_TRY(cw_graph_rename(c, graph, field, "unscaled"));
  const float slope = (float)(0.5 * (gain[0] - gain[1])), middle = (float)(0.5 * (gain[0] + gain[1]));
  in[0] = inputs[1];
  CW_TRY(cw_graph_parameter(c, graph, "gain/slope", CW_SHAPE(1, 1), false, &slope, &in[1]));
  CW_TRY(cw_graph_parameter(c, graph, "gain/middle", CW_SHAPE(1), false, &middle, &in[2]));
  cw_value scale;
  CW_TRY(cw_graph_node(c, graph, CW_OP_GEMM, "gain/of direction", NULL, in, 3, &scale));
  cw_attributes a = cw_attributes_default();
  a.shape = CW_SHAPE(CW_BATCH, 1, 1, 1, 1);
  CW_TRY(cw_graph_node(c, graph, CW_OP_RESHAPE, "gain", &a, &scale, 1, &scale));
  CW_TRY(cw_graph_node(c, graph, CW_OP_MUL, "scaled", NULL, (const cw_value[]){field, scale}, 2, &field));
  CW_TRY(cw_graph_rename(c, graph, field, cw_value_name(simulator, out)));
  return cw_graph_output(c, graph, field);
}

cw_status cw_scale_field(cw_context *context, const cw_graph *simulator, const double gain[2], cw_graph **scaled) {
  CW_TRY(cw_graph_create(context, scaled));
  const cw_status status = append_scaled(context, simulator, gain, *scaled);
  if (status != CW_OK) {
    cw_graph_free(context, *scaled);
    *scaled = NULL;
  }
  return status;
}
