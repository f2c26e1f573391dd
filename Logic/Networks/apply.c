#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Graph/rule.h"
#include "Networks/model_check.h"
#include "Warp/compose.h"

enum { MOST_AT_ONCE = 8 };

/* Runs the graph for one output over `count` inputs, in batches of equal size. */
static cw_status run(cw_context *context, const cw_model *model, cw_value output, const float *inputs, int count,
                     float direction, float *out) {
  const cw_value image = cw_graph_input_at(model->graph, 0), other = cw_graph_input_at(model->graph, 1);
  const int runs = (count + MOST_AT_ONCE - 1) / MOST_AT_ONCE;
  const int batch = (count + runs - 1) / runs;
  cw_plan_options options = {0};
  options.mode = CW_INFERENCE;
  options.batch = batch;
  options.outputs = &output;
  options.output_count = 1;
  cw_plan *plan;
  CW_TRY(cw_plan_create(context, model->graph, &options, &plan));
  float *in = cw_plan_data(plan, image), *result = cw_plan_data(plan, output);
  const size_t in_samples = (size_t)cw_shape_elements(cw_value_shape(model->graph, image), 1);
  const size_t out_samples = (size_t)cw_shape_elements(cw_value_shape(model->graph, output), 1);
  const cw_crew crew = cw_context_crew(context, "applying the model");
  float *o = other == CW_NONE ? NULL : cw_plan_data(plan, other); /* NULL too where the output does not need it */
  for (int i = 0; o && i < batch; i++)
    o[i] = direction;
  cw_status status = in && result ? CW_OK
                                  : cw_fail(context, CW_ERROR_ARGUMENT,
                                            "model: output '%s' does not depend on "
                                            "the image",
                                            cw_value_name(model->graph, output));
  for (int first = 0; first < count && status == CW_OK; first += batch) {
    const int now = count - first < batch ? count - first : batch;
    memcpy(in, inputs + (size_t)first * in_samples, (size_t)now * in_samples * sizeof(float));
    if (now < batch)
      memset(in + (size_t)now * in_samples, 0, (size_t)(batch - now) * in_samples * sizeof(float));
    const cw_crew part = cw_crew_part(&crew, (double)first / count, (double)(first + now) / count);
    status = cw_plan_forward_run(&part, plan);
    memcpy(out + (size_t)first * out_samples, result, (size_t)now * out_samples * sizeof(float));
  }
  cw_plan_free(context, plan);
  for (size_t i = 0; i < (size_t)count * out_samples && status == CW_OK; i++)
    if (!isfinite(out[i]))
      status = cw_fail(context, CW_ERROR_NUMERIC, "model: output '%s' of input %zu is not finite",
                       cw_value_name(model->graph, output), i / out_samples);
  return status;
}

cw_status cw_model_logits(cw_context *context, const cw_model *model, const float *inputs, int count, float *logits) {
  CW_TRY(cw_model_check(context, model));
  if (count <= 0)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: %d inputs, expected one at least", count);
  const int index = model->kind == CW_MODEL_CLASSIFIER ? 0 : 1;
  return run(context, model, cw_graph_output_at(model->graph, index), inputs, count, 0, logits);
}

cw_status cw_model_fields(cw_context *context, const cw_model *model, const float *inputs, int count, float direction,
                          float *fields) {
  CW_TRY(cw_model_check(context, model));
  if (model->kind != CW_MODEL_SIMULATOR)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: a classifier gives no field, expected a simulator");
  if (count <= 0)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: %d inputs, expected one at least", count);
  if (direction != 1 && direction != -1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: direction %g, expected +1 (inject) or -1 (remove)",
                   (double)direction);
  return run(context, model, cw_graph_output_at(model->graph, 0), inputs, count, direction, fields);
}

cw_status cw_model_displacement(cw_context *context, const cw_model *model, const float *field, float strength,
                                float *displacement) {
  CW_TRY(cw_model_check(context, model));
  if (!isfinite(strength))
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: the strength is not a finite number");
  const int *size = model->preprocessing.grid.size;
  const size_t samples = 3 * cw_grid_samples(&model->preprocessing.grid);
  for (size_t i = 0; i < samples; i++)
    if (!isfinite(field[i]))
      return cw_fail(context, CW_ERROR_NUMERIC, "model: the field is not finite at sample %zu", i);
  if (model->field == CW_FIELD_DISPLACEMENT) {
    for (size_t i = 0; i < samples; i++)
      displacement[i] = strength * field[i];
    return CW_OK;
  }
  float *scratch = cw_allocate(context, samples, sizeof *scratch);
  if (!scratch)
    return CW_ERROR_MEMORY;
  const int threads = cw_context_threads(context), squarings = cw_squarings_run(size, field, strength, threads);
  cw_exponential_forward(size, field, strength, squarings, false, scratch, displacement, threads);
  cw_release(context, scratch);
  return CW_OK;
}
