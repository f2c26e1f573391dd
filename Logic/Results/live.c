/* A slider over one scan: prepared once, then any strength on the model's grid. */
#include "counterwarp/live.h"

#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Networks/model_check.h"
#include "Tensor/part.h"

enum { ZERO = CW_CURVE_POINTS / 2, FIELDS = 3 };

static const char *const STAGE = "preparing the scan";
#define TRY_PART(from, to, call) CW_TRY_PART(context, STAGE, from, to, call)

/* Memory on the model's grid, in one block.  Fields are [3][nz][ny][nx], in voxels. */
struct cw_live {
  const cw_model *model;
  const cw_volume *scan;
  cw_affine align;            /* model -> scan */
  const cw_affine *transform; /* &align, or NULL */
  const int *size;
  size_t samples;
  int threads;
  float *block;
  float *own, *input; /* the scan on the model's grid, in its own intensities and as network input; neighbours */
  float *warped;      /* [2][nz][ny][nx]: both of them warped */
  float *network[2];  /* output of S on the scan: remove, inject */
  float *u;
  double before; /* the scan's logit */
  cw_plan *classifier;
  cw_value image, logit;
  int curve_points; /* of the curve, known so far */
  double curve[CW_CURVE_POINTS];
};

static cw_status check(cw_context *context, const cw_model *model, const cw_volume *scan) {
  CW_TRY(cw_model_check(context, model));
  if (model->kind != CW_MODEL_SIMULATOR)
    return cw_fail(context, CW_ERROR_ARGUMENT, "slider: the model is a classifier, expected a simulator");
  if (!scan->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "slider: the scan has no samples");
  if (scan->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "slider: the scan has %d components, expected 1", scan->components);
  return CW_OK;
}

static cw_status reserve(cw_context *context, cw_live *live) {
  const size_t n = live->samples;
  live->block = cw_allocate(context, n * (4 + 3 * FIELDS), sizeof(float));
  if (!live->block)
    return CW_ERROR_MEMORY;
  live->own = live->block;
  live->input = live->own + n;
  live->warped = live->input + n;
  float *next = live->warped + 2 * n;
  float **const field[FIELDS] = {&live->network[0], &live->network[1], &live->u};
  for (int i = 0; i < FIELDS; i++, next += 3 * n)
    *field[i] = next;
  cw_graph *graph = live->model->graph;
  live->image = cw_graph_input_at(graph, 0);
  live->logit = cw_graph_output_at(graph, 1);
  cw_plan_options options = {0};
  options.mode = CW_INFERENCE;
  options.batch = 1;
  options.outputs = &live->logit;
  options.output_count = 1;
  CW_TRY(cw_plan_create(context, graph, &options, &live->classifier));
  if (!cw_plan_data(live->classifier, live->image) || !cw_plan_data(live->classifier, live->logit))
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: output '%s' does not depend on the image",
                   cw_value_name(graph, live->logit));
  return CW_OK;
}

static cw_status logit_of(cw_context *context, cw_live *live, const float *input, double *logit) {
  memcpy(cw_plan_data(live->classifier, live->image), input, live->samples * sizeof *input);
  cw_plan_forward(live->classifier);
  *logit = *cw_plan_data(live->classifier, live->logit);
  if (!isfinite(*logit))
    return cw_fail(context, CW_ERROR_NUMERIC, "model: the logit is not finite");
  return CW_OK;
}

static cw_status prepare(cw_context *context, cw_live *live) {
  const cw_model *model = live->model;
  cw_preprocessing plain = model->preprocessing;
  plain.normalization = CW_NORMALIZE_NONE;
  CW_TRY(cw_progress(context, STAGE, 0));
  CW_TRY(reserve(context, live));
  TRY_PART(0, 0.3, cw_preprocess(context, &model->preprocessing, live->scan, live->transform, live->input));
  TRY_PART(0.3, 0.6, cw_preprocess(context, &plain, live->scan, live->transform, live->own));
  TRY_PART(0.6, 0.8, cw_model_fields(context, model, live->input, 1, -1, live->network[0]));
  TRY_PART(0.8, 1, cw_model_fields(context, model, live->input, 1, 1, live->network[1]));
  CW_TRY(logit_of(context, live, live->input, &live->before));
  return cw_progress(context, STAGE, 1);
}

void cw_live_free(cw_context *context, cw_live *live) {
  if (!live)
    return;
  cw_plan_free(context, live->classifier);
  cw_release(context, live->block);
  cw_release(context, live);
}

cw_status cw_live_create(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                         const cw_affine *transform, cw_live **result) {
  *result = NULL;
  CW_TRY(check(context, simulator, scan));
  cw_live *live = cw_allocate_zero(context, 1, sizeof *live);
  if (!live)
    return CW_ERROR_MEMORY;
  live->model = simulator;
  live->scan = scan;
  live->align = transform ? *transform : cw_affine_identity();
  live->transform = transform ? &live->align : NULL;
  live->size = simulator->preprocessing.grid.size;
  live->samples = cw_grid_samples(&simulator->preprocessing.grid);
  live->threads = cw_context_threads(context);
  const cw_status status = prepare(context, live);
  if (status != CW_OK) {
    cw_live_free(context, live);
    return status;
  }
  *result = live;
  return CW_OK;
}

const float *cw_live_input(const cw_live *live) {
  return live->input;
}

cw_status cw_live_preview(cw_context *context, cw_live *live, double strength, float *image, float *log_jacobian,
                          double *logit) {
  const size_t n = live->samples;
  CW_TRY(cw_model_displacement(context, live->model, live->network[strength > 0], (float)fabs(strength), live->u));
  if (image && logit)
    cw_warp_forward(live->size, 2, live->own, live->u, live->warped, live->threads);
  else if (image || logit)
    cw_warp_forward(live->size, 1, image ? live->own : live->input, live->u, live->warped + (image ? 0 : n),
                    live->threads);
  if (image)
    memcpy(image, live->warped, n * sizeof *image);
  if (log_jacobian)
    cw_jacobian_determinant(live->size, live->u, true, log_jacobian, live->threads);
  return logit ? logit_of(context, live, live->warped + n, logit) : CW_OK;
}

cw_status cw_live_curve(cw_context *context, cw_live *live, double strength[CW_CURVE_POINTS],
                        double logit[CW_CURVE_POINTS]) {
  for (; live->curve_points < CW_CURVE_POINTS; live->curve_points++) {
    const int i = live->curve_points;
    CW_TRY(cw_progress(context, "the logit along the strength", (double)i / CW_CURVE_POINTS));
    live->curve[i] = live->before;
    if (i != ZERO)
      CW_TRY(cw_live_preview(context, live, (double)(i - ZERO) / ZERO, NULL, NULL, &live->curve[i]));
  }
  for (int i = 0; i < CW_CURVE_POINTS; i++) {
    if (strength)
      strength[i] = (double)(i - ZERO) / ZERO;
    if (logit)
      logit[i] = live->curve[i];
  }
  return CW_OK;
}

cw_status cw_live_simulate(cw_context *context, cw_live *live, double strength, cw_simulation *simulation) {
  const int inject = strength >= 0;
  const cw_response response = {inject ? 1 : -1, live->input, live->network[inject], live->before};
  return cw_simulate_strength(context, live->model, live->scan, live->transform, &response, (float)fabs(strength),
                              simulation);
}
