/* One scan through a simulator: the warped scan at its own resolution, and the figures that say how far to trust it. */
#include <math.h>
#include <string.h>

#include "counterwarp/results.h"
#include "counterwarp/warp.h"
#include "Networks/model_check.h"
#include "Results/proof.h"
#include "Tensor/part.h"

enum {
  ZERO = CW_CURVE_POINTS / 2,   /* the curve's strength 0 */
  INPUTS = CW_CURVE_POINTS + 1, /* the curve's inputs, then the simulated scan */
  FIELDS = 5,
  PROOF = 3 /* fields of scratch */
};

static const char *const STAGE = "simulate";
#define TRY_PART(from, to, call) CW_TRY_PART(context, STAGE, from, to, call)

/* One call's memory on the model's grid, in one block.  Fields are [3][nz][ny][nx], in voxels. */
typedef struct work {
  const cw_model *model;
  const int *size;
  size_t samples;
  int threads;
  float *inputs;     /* [INPUTS][nz][ny][nx] for the classifier; the scan itself is inputs[ZERO] */
  float *scan;       /* inputs[ZERO] */
  float *network[2]; /* output of S on the scan: remove, inject */
  float *u;          /* displacement of the request */
  float *scratch[2];
  float *proof;           /* three fields */
  float *warped, *cycled; /* scan o u, and that warped back by S */
} work;

static cw_status work_create(cw_context *context, const cw_model *model, work *w) {
  const size_t n = cw_grid_samples(&model->preprocessing.grid);
  memset(w, 0, sizeof *w);
  w->inputs = cw_allocate(context, n * (INPUTS + 3 * (FIELDS + PROOF) + 2), sizeof(float));
  if (!w->inputs)
    return CW_ERROR_MEMORY;
  w->model = model;
  w->size = model->preprocessing.grid.size;
  w->samples = n;
  w->threads = cw_context_threads(context);
  w->scan = w->inputs + n * ZERO;
  float *next = w->inputs + n * INPUTS;
  float **const field[FIELDS] = {&w->network[0], &w->network[1], &w->u, &w->scratch[0], &w->scratch[1]};
  for (int i = 0; i < FIELDS; i++, next += 3 * n)
    *field[i] = next;
  w->proof = next;
  w->warped = next + 3 * n * PROOF;
  w->cycled = w->warped + n;
  return CW_OK;
}

static void magnitude(const cw_model *model, const float *u, cw_simulation *s) {
  const size_t samples = cw_grid_samples(&model->preprocessing.grid);
  double sum = 0;
  for (size_t i = 0; i < samples; i++) {
    const double mm = cw_length_mm(model, u, i);
    sum += mm;
    s->largest = fmax(s->largest, mm);
  }
  s->mean = sum / (double)samples;
}

/* The displacement u of the model's grid as a field on the scan's own grid, and what follows from it there. */
static cw_status at_full_resolution(cw_context *context, const cw_model *model, const float *u, const cw_volume *scan,
                                    const cw_affine *transform, cw_simulation *s) {
  cw_affine align; /* scan's space -> model's space */
  if (transform)
    CW_TRY(cw_affine_invert(context, transform, &align));
  cw_volume field = {0};
  CW_TRY(cw_field_from_voxels(context, &model->preprocessing.grid, u, &field));
  const cw_part outer = cw_part_enter(context, STAGE, 0, 0.5);
  const cw_status status = cw_field_carry(context, &field, transform ? &align : NULL, &scan->grid, &s->field);
  cw_part_leave(context, outer);
  cw_volume_free(context, &field);
  CW_TRY(status);
  TRY_PART(0.5, 0.8, cw_volume_warp(context, scan, &s->field, &s->image));
  TRY_PART(0.8, 0.9, cw_volume_jacobian(context, &s->field, false, &s->jacobian, &s->folded));
  TRY_PART(0.9, 1, cw_volume_jacobian(context, &s->field, true, &s->log_jacobian, NULL));
  magnitude(model, u, s);
  return CW_OK;
}

/* Classifier inputs along the slider: exp(t v(x, +1)) for t > 0, exp(|t| v(x, -1)) for t < 0, the scan at 0. */
static cw_status curve_inputs(cw_context *context, const work *w, cw_simulation *s) {
  for (int i = 0; i < CW_CURVE_POINTS; i++) {
    const float t = (float)(i - ZERO) / ZERO;
    s->curve_strength[i] = t;
    if (i == ZERO)
      continue;
    CW_TRY(cw_model_displacement(context, w->model, w->network[t > 0], fabsf(t), w->scratch[0]));
    cw_warp_forward(w->size, 1, w->scan, w->scratch[0], w->inputs + w->samples * i, w->threads);
    CW_TRY(cw_progress(context, STAGE, (i + 1.0) / CW_CURVE_POINTS));
  }
  return CW_OK;
}

/* Relative rounding of a logit: a network's rows of a batch may differ in their last bits. */
#define ROUNDING 1e-5

/* True if the logit rises at each step from 0 to +1 (inject), or falls at each from 0 to -1 (remove). */
static bool is_monotone(const cw_simulation *s, float direction) {
  const int step = direction > 0 ? 1 : -1;
  for (int i = ZERO; i + step >= 0 && i + step < CW_CURVE_POINTS; i += step)
    if (!(step * (s->curve_logit[i + step] - s->curve_logit[i]) > ROUNDING * fabs(s->curve_logit[i])))
      return false;
  return true;
}

/* Largest |phi(phi^-1(x)) - x| over the voxels whose phi^-1(x) lies inside the box. */
static cw_status inverse_error(cw_context *context, const work *w, const float *network, float strength,
                               double *error) {
  const float *inverse = w->scratch[0], *round = w->scratch[1];
  CW_TRY(cw_model_displacement(context, w->model, network, -strength, w->scratch[0]));
  cw_compose_forward(w->size, w->u, inverse, w->scratch[1], w->threads);
  *error = 0;
  size_t at = 0;
  for (int k = 0; k < w->size[2]; k++)
    for (int j = 0; j < w->size[1]; j++)
      for (int i = 0; i < w->size[0]; i++, at++) {
        const int p[3] = {i, j, k};
        bool inside = true;
        for (int axis = 0; axis < 3; axis++) {
          const float q = (float)p[axis] + inverse[axis * w->samples + at];
          inside = inside && q >= 0 && q <= (float)(w->size[axis] - 1);
        }
        if (inside)
          *error = fmax(*error, cw_length_mm(w->model, round, at));
      }
  return CW_OK;
}

/* RMSE(cycled, scan) / RMS(scan): the warped input through S with the other direction, at the same strength. */
static cw_status cycle_error(cw_context *context, const work *w, float direction, float strength, double *error) {
  cw_warp_forward(w->size, 1, w->scan, w->u, w->warped, w->threads);
  CW_TRY(cw_model_fields(context, w->model, w->warped, 1, -direction, w->scratch[0]));
  CW_TRY(cw_model_displacement(context, w->model, w->scratch[0], strength, w->scratch[1]));
  cw_warp_forward(w->size, 1, w->warped, w->scratch[1], w->cycled, w->threads);
  double difference = 0, power = 0;
  for (size_t i = 0; i < w->samples; i++) {
    const double d = (double)w->cycled[i] - w->scan[i];
    difference += d * d;
    power += (double)w->scan[i] * w->scan[i];
  }
  *error = power > 0 ? sqrt(difference / power) : 0;
  return CW_OK;
}

static cw_status prove(cw_context *context, const work *w, float direction, float strength, cw_simulation *s) {
  const cw_proof_request request = {w->model, w->u,      w->network[direction > 0], w->network[direction < 0], strength,
                                    w->proof, w->threads};
  CW_TRY(cw_proof_composition(context, &request, &s->composition_error));
  CW_TRY(cw_proof_agreement(context, &request, &s->agreement));
  s->strain = cw_proof_strain(&request);
  return CW_OK;
}

static cw_status simulate(cw_context *context, const work *w, const cw_volume *scan, const cw_affine *transform,
                          float direction, float strength, cw_simulation *s) {
  const cw_preprocessing *preprocessing = &w->model->preprocessing;
  const float *network = w->network[direction > 0];
  CW_TRY(cw_progress(context, STAGE, 0));
  TRY_PART(0, 0.1, cw_preprocess(context, preprocessing, scan, transform, w->scan));
  TRY_PART(0.1, 0.15, cw_model_fields(context, w->model, w->scan, 1, -1, w->network[0]));
  TRY_PART(0.15, 0.2, cw_model_fields(context, w->model, w->scan, 1, 1, w->network[1]));
  CW_TRY(cw_model_displacement(context, w->model, network, strength, w->u));
  CW_TRY(cw_progress(context, STAGE, 0.2));

  TRY_PART(0.2, 0.5, at_full_resolution(context, w->model, w->u, scan, transform, s));

  CW_TRY(inverse_error(context, w, network, strength, &s->inverse_error));
  TRY_PART(0.5, 0.6, cycle_error(context, w, direction, strength, &s->cycle_error));
  CW_TRY(prove(context, w, direction, strength, s));
  CW_TRY(cw_progress(context, STAGE, 0.6));

  TRY_PART(0.6, 0.7, curve_inputs(context, w, s));
  TRY_PART(0.7, 0.8,
           cw_preprocess(context, preprocessing, &s->image, transform, w->inputs + w->samples * CW_CURVE_POINTS));
  float logits[INPUTS];
  TRY_PART(0.8, 1, cw_model_logits(context, w->model, w->inputs, INPUTS, logits));
  for (int i = 0; i < CW_CURVE_POINTS; i++)
    s->curve_logit[i] = logits[i];
  s->logit_before = logits[ZERO];
  s->logit_after = logits[CW_CURVE_POINTS];
  s->monotone = is_monotone(s, direction);
  return cw_progress(context, STAGE, 1);
}

static cw_status check(cw_context *context, const cw_model *model, const cw_volume *scan, float direction,
                       float strength) {
  CW_TRY(cw_model_check(context, model));
  if (model->kind != CW_MODEL_SIMULATOR)
    return cw_fail(context, CW_ERROR_ARGUMENT, "simulate: the model is a classifier, expected a simulator");
  if (direction != 1 && direction != -1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "simulate: direction %g, expected +1 (inject) or -1 (remove)",
                   (double)direction);
  if (!isfinite(strength))
    return cw_fail(context, CW_ERROR_ARGUMENT, "simulate: the strength is not a finite number");
  if (!scan->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "simulate: the scan has no samples");
  if (scan->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "simulate: the scan has %d components, expected 1", scan->components);
  return CW_OK;
}

void cw_simulation_free(cw_context *context, cw_simulation *simulation) {
  cw_volume_free(context, &simulation->image);
  cw_volume_free(context, &simulation->field);
  cw_volume_free(context, &simulation->jacobian);
  cw_volume_free(context, &simulation->log_jacobian);
  memset(simulation, 0, sizeof *simulation);
}

cw_status cw_simulate(cw_context *context, const cw_model *simulator, const cw_volume *scan, const cw_affine *transform,
                      float direction, float strength, cw_simulation *simulation) {
  memset(simulation, 0, sizeof *simulation);
  CW_TRY(check(context, simulator, scan, direction, strength));
  work w;
  CW_TRY(work_create(context, simulator, &w));
  const cw_status status = simulate(context, &w, scan, transform, direction, strength, simulation);
  cw_release(context, w.inputs);
  if (status != CW_OK)
    cw_simulation_free(context, simulation);
  return status;
}

/* ---- one strength after another ---- */

void cw_response_free(cw_context *context, cw_response *response) {
  cw_release(context, response->input);
  cw_release(context, response->network);
  memset(response, 0, sizeof *response);
}

static cw_status respond(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                         const cw_affine *transform, cw_response *response) {
  const size_t n = cw_grid_samples(&simulator->preprocessing.grid);
  response->input = cw_allocate(context, n, sizeof *response->input);
  response->network = cw_allocate(context, n, 3 * sizeof *response->network);
  if (!response->input || !response->network)
    return CW_ERROR_MEMORY;
  float logit;
  CW_TRY(cw_progress(context, STAGE, 0));
  TRY_PART(0, 0.5, cw_preprocess(context, &simulator->preprocessing, scan, transform, response->input));
  TRY_PART(0.5, 0.9, cw_model_fields(context, simulator, response->input, 1, response->direction, response->network));
  TRY_PART(0.9, 1, cw_model_logits(context, simulator, response->input, 1, &logit));
  response->logit = logit;
  return cw_progress(context, STAGE, 1);
}

cw_status cw_simulate_response(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                               const cw_affine *transform, float direction, cw_response *response) {
  memset(response, 0, sizeof *response);
  CW_TRY(check(context, simulator, scan, direction, 1));
  response->direction = direction;
  const cw_status status = respond(context, simulator, scan, transform, response);
  if (status != CW_OK)
    cw_response_free(context, response);
  return status;
}

static cw_status strengthen(cw_context *context, const cw_model *model, const cw_volume *scan,
                            const cw_affine *transform, const cw_response *response, float strength, float *u,
                            float *input, cw_simulation *s) {
  float logit;
  CW_TRY(cw_progress(context, STAGE, 0));
  CW_TRY(cw_model_displacement(context, model, response->network, strength, u));
  CW_TRY(cw_progress(context, STAGE, 0.1));
  TRY_PART(0.1, 0.7, at_full_resolution(context, model, u, scan, transform, s));
  TRY_PART(0.7, 0.9, cw_preprocess(context, &model->preprocessing, &s->image, transform, input));
  TRY_PART(0.9, 1, cw_model_logits(context, model, input, 1, &logit));
  s->logit_before = response->logit;
  s->logit_after = logit;
  return cw_progress(context, STAGE, 1);
}

cw_status cw_simulate_strength(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                               const cw_affine *transform, const cw_response *response, float strength,
                               cw_simulation *simulation) {
  memset(simulation, 0, sizeof *simulation);
  CW_TRY(check(context, simulator, scan, response->direction, strength));
  const size_t n = cw_grid_samples(&simulator->preprocessing.grid);
  float *memory = cw_allocate(context, n, 4 * sizeof *memory);
  if (!memory)
    return CW_ERROR_MEMORY;
  const cw_status status =
      strengthen(context, simulator, scan, transform, response, strength, memory, memory + 3 * n, simulation);
  cw_release(context, memory);
  if (status != CW_OK)
    cw_simulation_free(context, simulation);
  return status;
}
