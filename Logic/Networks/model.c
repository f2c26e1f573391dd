#include <math.h>
#include <string.h>

#include "Networks/model_check.h"

void cw_strings_free(cw_context *context, cw_strings *strings) {
  for (int i = 0; i < strings->count; i++)
    cw_release(context, strings->item[i]);
  cw_release(context, strings->item);
  memset(strings, 0, sizeof *strings);
}

bool cw_strings_contain(const cw_strings *strings, const char *text) {
  for (int i = 0; i < strings->count; i++)
    if (!strcmp(strings->item[i], text))
      return true;
  return false;
}

/* Room grows when the count reaches a power of two, so that no capacity needs to be kept. */
cw_status cw_strings_append(cw_context *context, cw_strings *strings, const char *text) {
  const int count = strings->count;
  if ((count & (count - 1)) == 0) {
    char **larger = cw_allocate(context, count ? 2 * (size_t)count : 1, sizeof *larger);
    if (!larger)
      return CW_ERROR_MEMORY;
    if (count)
      memcpy(larger, strings->item, (size_t)count * sizeof *larger);
    cw_release(context, strings->item);
    strings->item = larger;
  }
  strings->item[count] = cw_copy_string(context, text);
  if (!strings->item[count])
    return CW_ERROR_MEMORY;
  strings->count++;
  return CW_OK;
}

void cw_model_free(cw_context *context, cw_model *model) {
  cw_graph_free(context, model->graph);
  cw_release(context, model->template_samples);
  cw_release(context, model->provenance);
  cw_release(context, model->classes);
  cw_strings_free(context, &model->trained_on);
  cw_strings_free(context, &model->held_out);
  memset(model, 0, sizeof *model);
}

const char *cw_model_output_name(const cw_model *model, int index) {
  if (model->kind == CW_MODEL_CLASSIFIER || index > 0)
    return "logit";
  return model->field == CW_FIELD_VELOCITY ? "velocity" : "displacement";
}

/* One input or output of the graph against its expected shape. */
static cw_status check_end(cw_context *context, const cw_graph *graph, cw_value value, const char *name,
                           cw_shape shape) {
  char expected[96], found[96];
  if (cw_shape_equal(cw_value_shape(graph, value), &shape))
    return CW_OK;
  cw_shape_text(&shape, expected);
  cw_shape_text(cw_value_shape(graph, value), found);
  return cw_fail(context, CW_ERROR_SHAPE, "model: %s ('%.64s') is %s, the model's grid asks for %s", name,
                 cw_value_name(graph, value), found, expected);
}

static cw_status check_counts(cw_context *context, const cw_model *model, int inputs, int outputs) {
  const int found_inputs = cw_graph_input_count(model->graph), found_outputs = cw_graph_output_count(model->graph);
  if (found_inputs == inputs && found_outputs == outputs)
    return CW_OK;
  return cw_fail(context, CW_ERROR_ARGUMENT, "model: a %s has %d input(s) and %d output(s), this graph has %d and %d",
                 model->kind == CW_MODEL_CLASSIFIER ? "classifier" : "simulator", inputs, outputs, found_inputs,
                 found_outputs);
}

cw_status cw_model_check(cw_context *context, const cw_model *model) {
  const cw_preprocessing *preprocessing = &model->preprocessing;
  const cw_graph *graph = model->graph;
  if (!graph)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: there is no graph");
  if (model->kind != CW_MODEL_CLASSIFIER && model->kind != CW_MODEL_SIMULATOR)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: kind %d is neither classifier nor simulator", (int)model->kind);
  if (model->field != CW_FIELD_VELOCITY && model->field != CW_FIELD_DISPLACEMENT)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: field model %d is neither velocity nor displacement",
                   (int)model->field);
  CW_TRY(cw_grid_check(context, &preprocessing->grid));
  if ((unsigned)preprocessing->normalization > CW_NORMALIZE_RANGE)
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: unknown intensity normalisation %d",
                   (int)preprocessing->normalization);
  if (preprocessing->normalization == CW_NORMALIZE_PERCENTILE &&
      !(preprocessing->high > 0 && preprocessing->high <= 100))
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: the normalisation's percentile is %g, expected 0 to 100",
                   preprocessing->high);
  if (preprocessing->normalization == CW_NORMALIZE_RANGE &&
      !(preprocessing->low < preprocessing->high && isfinite(preprocessing->high - preprocessing->low)))
    return cw_fail(context, CW_ERROR_ARGUMENT, "model: the normalisation's range is %g to %g, expected a rising one",
                   preprocessing->low, preprocessing->high);
  const int *size = preprocessing->grid.size;
  for (int axis = 0; axis < 3; axis++)
    if (size[axis] > 1024)
      return cw_fail(context, CW_ERROR_ARGUMENT,
                     "model: the grid has %d samples along an axis, at most 1024 are usable", size[axis]);
  const cw_shape image = CW_SHAPE(CW_BATCH, 1, size[2], size[1], size[0]);
  const cw_shape field = CW_SHAPE(CW_BATCH, 3, size[2], size[1], size[0]);
  const cw_shape number = CW_SHAPE(CW_BATCH, 1);
  const bool classifier = model->kind == CW_MODEL_CLASSIFIER;
  CW_TRY(check_counts(context, model, classifier ? 1 : 2, classifier ? 1 : 2));
  CW_TRY(check_end(context, graph, cw_graph_input_at(graph, 0), "the image", image));
  if (classifier)
    return check_end(context, graph, cw_graph_output_at(graph, 0), "the logit", number);
  CW_TRY(check_end(context, graph, cw_graph_input_at(graph, 1), "the direction", number));
  CW_TRY(check_end(context, graph, cw_graph_output_at(graph, 0), "the field", field));
  return check_end(context, graph, cw_graph_output_at(graph, 1), "the logit", number);
}
