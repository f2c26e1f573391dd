/* Deletion and insertion: y while the image is replaced by a baseline in a map's order. */
#include <math.h>
#include <string.h>

#include "Saliency/saliency_internal.h"
#include "Tensor/sort.h"

enum { AT_ONCE = 8, RUNS = 2 * CW_FAITHFUL_POINTS };

struct cw_faithful {
  const cw_graph *graph;
  cw_value image, logits;
  int outputs;
  size_t samples;
  cw_plan *plan;
  uint32_t *keys, *order, *scratch, *place; /* [samples] */
};

cw_status cw_faithful_create(cw_context *context, const cw_graph *graph, cw_faithful **faithful) {
  int size[3], outputs;
  *faithful = NULL;
  CW_TRY(cw_classifier_check(context, graph, size, &outputs));
  cw_faithful *f = cw_allocate_zero(context, 1, sizeof *f);
  if (!f)
    return CW_ERROR_MEMORY;
  f->graph = graph;
  f->image = cw_graph_input_at(graph, 0);
  f->logits = cw_logits_of(graph);
  f->outputs = outputs;
  f->samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  cw_plan_options options = {0};
  options.mode = CW_INFERENCE;
  options.batch = AT_ONCE;
  options.outputs = &f->logits;
  options.output_count = 1;
  f->keys = cw_allocate(context, f->samples, 4 * sizeof *f->keys);
  const cw_status status = f->keys ? cw_plan_create(context, graph, &options, &f->plan) : CW_ERROR_MEMORY;
  if (status != CW_OK) {
    cw_faithful_free(context, f);
    return status;
  }
  f->order = f->keys + f->samples;
  f->scratch = f->order + f->samples;
  f->place = f->scratch + f->samples;
  *faithful = f;
  return CW_OK;
}

void cw_faithful_free(cw_context *context, cw_faithful *f) {
  if (!f)
    return;
  cw_plan_free(context, f->plan);
  cw_release(context, f->keys);
  cw_release(context, f);
}

typedef struct curves {
  cw_faithful *f;
  const float *image, *baseline;
  size_t inside;
} curves;

/* order[0 .. inside - 1]: samples of the region, the largest value first. */
static cw_status sort_samples(cw_context *context, curves *c, const float *region, const float *map, bool magnitudes) {
  cw_faithful *f = c->f;
  for (size_t i = 0; i < f->samples; i++) {
    if (!isfinite(map[i]) || !isfinite(c->image[i]) || (c->baseline && !isfinite(c->baseline[i])) ||
        (region && isnan(region[i])))
      return cw_fail(context, CW_ERROR_NUMERIC,
                     "faithfulness: map, image, baseline or region is not finite at sample %zu", i);
    if (region && region[i] == 0)
      continue;
    f->keys[c->inside] = ~cw_sort_key((magnitudes ? fabsf(map[i]) : map[i]) + 0.0f);
    f->place[c->inside++] = (uint32_t)i;
  }
  if (!c->inside)
    return cw_fail(context, CW_ERROR_ARGUMENT, "faithfulness: the region is empty, expected one voxel");
  cw_sort_order(f->keys, c->inside, f->order, f->scratch);
  return CW_OK;
}

static double share_of(int point) {
  const double root = (double)point / (CW_FAITHFUL_POINTS - 1);
  return root * root;
}

/* Input of run `index`: deletion at its point, then insertion. */
static void fill(const curves *c, int index, float *to) {
  const cw_faithful *f = c->f;
  const bool deletion = index < CW_FAITHFUL_POINTS;
  const size_t replaced = (size_t)lround(share_of(index % CW_FAITHFUL_POINTS) * (double)c->inside);
  memcpy(to, c->image, f->samples * sizeof *to);
  for (size_t r = deletion ? 0 : replaced; r < (deletion ? replaced : c->inside); r++) {
    const size_t i = f->place[f->order[r]];
    to[i] = c->baseline ? c->baseline[i] : 0;
  }
}

/* Area under y along the share, on the way from `from` (0) to `to` (1). */
static double area(const double *share, const double *y, double from, double to) {
  if (!(fabs(to - from) >= 1e-6))
    return NAN;
  double sum = 0;
  for (int i = 1; i < CW_FAITHFUL_POINTS; i++)
    sum += (share[i] - share[i - 1]) * 0.5 * (y[i] + y[i - 1] - 2 * from) / (to - from);
  return sum;
}

cw_status cw_faithful_curves(cw_context *context, cw_faithful *f, const float *image, const float *baseline,
                             const float *region, const float *map, bool magnitudes, cw_saliency_output output,
                             cw_faithfulness *result) {
  curves c = {f, image, baseline, 0};
  if (output.index < 0 || output.index >= f->outputs)
    return cw_fail(context, CW_ERROR_ARGUMENT, "faithfulness: output %d, the classifier has %d", output.index,
                   f->outputs);
  CW_TRY(sort_samples(context, &c, region, map, magnitudes));
  float *in = cw_plan_data(f->plan, f->image), *logits = cw_plan_data(f->plan, f->logits);
  for (int first = 0; first < RUNS; first += AT_ONCE) {
    for (int i = 0; i < AT_ONCE; i++)
      fill(&c, first + i < RUNS ? first + i : RUNS - 1, in + (size_t)i * f->samples);
    cw_plan_forward(f->plan);
    for (int i = 0; i < AT_ONCE && first + i < RUNS; i++) {
      const int run = first + i, point = run % CW_FAITHFUL_POINTS;
      const double logit = logits[(size_t)i * (size_t)f->outputs + (size_t)output.index];
      double *curve = run < CW_FAITHFUL_POINTS ? result->deletion : result->insertion;
      curve[point] = output.negative ? -logit : logit;
      result->share[point] = share_of(point);
    }
  }
  const double whole = result->deletion[0], bare = result->deletion[CW_FAITHFUL_POINTS - 1];
  if (!isfinite(whole) || !isfinite(bare))
    return cw_fail(context, CW_ERROR_NUMERIC, "faithfulness: the classifier's output is not finite");
  result->deletion_area = area(result->share, result->deletion, bare, whole);
  result->insertion_area = area(result->share, result->insertion, bare, whole);
  return CW_OK;
}
