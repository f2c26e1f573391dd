#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"
#include "Networks/model_check.h"

cw_status cw_onnx_metadata(cw_context *context, const CwOnnx__ModelProto *proto, const char *key, bool needed,
                           const char **value) {
  *value = NULL;
  for (size_t i = 0; i < proto->n_metadata_props; i++) {
    if (strcmp(proto->metadata_props[i]->key, key) != 0)
      continue;
    if (*value)
      return cw_fail(context, CW_ERROR_FORMAT, "metadata '%s' is given twice", key);
    *value = proto->metadata_props[i]->value;
  }
  if (!*value && needed)
    return cw_fail(context, CW_ERROR_FORMAT,
                   "metadata '%s' is missing, as in files that counterwarp has not written (`counterwarp model import` "
                   "adds it)",
                   key);
  if (!*value)
    *value = "";
  return CW_OK;
}

/* Exactly `count` numbers. */
static cw_status numbers(cw_context *context, const char *key, const char *text, int count, double *out) {
  const char *at = text;
  for (int i = 0; i < count; i++)
    if (!cw_onnx_number(&at, &out[i]))
      return cw_fail(context, CW_ERROR_FORMAT, "metadata '%s' should hold %d numbers", key, count);
  while (*at == ' ')
    at++;
  return *at ? cw_fail(context, CW_ERROR_FORMAT, "metadata '%s' should hold %d numbers", key, count) : CW_OK;
}

static cw_status read_grid(cw_context *context, const CwOnnx__ModelProto *proto, cw_grid *grid) {
  const char *text;
  double size[3], affine[12];
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.grid_size", true, &text));
  CW_TRY(numbers(context, "counterwarp.grid_size", text, 3, size));
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.grid_to_lps_mm", true, &text));
  CW_TRY(numbers(context, "counterwarp.grid_to_lps_mm", text, 12, affine));
  for (int i = 0; i < 3; i++) {
    if (!(size[i] >= 1 && size[i] <= 1024) || size[i] != floor(size[i]))
      return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.grid_size' should hold sizes of 1 to 1024");
    grid->size[i] = (int)size[i];
  }
  for (int i = 0; i < 12; i++)
    grid->to_world.m[i / 4][i % 4] = affine[i];
  return CW_OK;
}

static cw_status read_normalization(cw_context *context, const CwOnnx__ModelProto *proto, cw_preprocessing *p) {
  const char *text;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.normalization", true, &text));
  p->high = 99.5;
  double range[2];
  if (!strcmp(text, "none")) {
    p->normalization = CW_NORMALIZE_NONE;
  } else if (!strcmp(text, "zscore")) {
    p->normalization = CW_NORMALIZE_ZSCORE;
  } else if (!strcmp(text, "zscore all")) {
    p->normalization = CW_NORMALIZE_ZSCORE_ALL;
  } else if (!strcmp(text, "minmax")) {
    p->normalization = CW_NORMALIZE_MINMAX;
  } else if (!strncmp(text, "range ", 6)) {
    p->normalization = CW_NORMALIZE_RANGE;
    CW_TRY(numbers(context, "counterwarp.normalization", text + 6, 2, range));
    p->low = range[0];
    p->high = range[1];
  } else if (!strncmp(text, "percentile ", 11)) {
    p->normalization = CW_NORMALIZE_PERCENTILE;
    return numbers(context, "counterwarp.normalization", text + 11, 1, &p->high);
  } else {
    return cw_fail(context, CW_ERROR_FORMAT,
                   "metadata 'counterwarp.normalization' should be none, zscore, zscore all, minmax, range with two "
                   "numbers, or percentile with its number");
  }
  return CW_OK;
}

static cw_status read_kind(cw_context *context, const CwOnnx__ModelProto *proto, cw_model *model) {
  const char *text;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.kind", true, &text));
  if (!strcmp(text, "classifier")) {
    model->kind = CW_MODEL_CLASSIFIER;
    return CW_OK;
  }
  if (strcmp(text, "simulator") != 0)
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.kind' should be classifier or simulator");
  model->kind = CW_MODEL_SIMULATOR;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.field", true, &text));
  model->field = !strcmp(text, "velocity") ? CW_FIELD_VELOCITY : CW_FIELD_DISPLACEMENT;
  if (strcmp(text, cw_model_output_name(model, 0)) != 0)
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.field' should be velocity or displacement");
  return CW_OK;
}

/* Inputs and outputs are told apart by their names, so that no file can swap them. */
static cw_status check_names(cw_context *context, const cw_model *model) {
  static const char *const inputs[2] = {"image", "direction"};
  char label[72];
  for (int i = 0; i < 2; i++) {
    const cw_value in = cw_graph_input_at(model->graph, i), out = cw_graph_output_at(model->graph, i);
    if (in != CW_NONE && strcmp(cw_value_name(model->graph, in), inputs[i]) != 0)
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: input %d is '%s', expected '%s'", i,
                     cw_onnx_label(cw_value_name(model->graph, in), label), inputs[i]);
    if (out != CW_NONE && strcmp(cw_value_name(model->graph, out), cw_model_output_name(model, i)) != 0)
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: output %d is '%s', expected '%s'", i,
                     cw_onnx_label(cw_value_name(model->graph, out), label), cw_model_output_name(model, i));
  }
  return CW_OK;
}

/* After the grid is known to agree with the network's input. */
static cw_status read_template(cw_context *context, const CwOnnx__ModelProto *proto, cw_model *model) {
  const char *text;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.template", false, &text));
  if (!*text)
    return CW_OK;
  const size_t samples = cw_grid_samples(&model->preprocessing.grid);
  if (strlen(text) / 4 != (4 * samples + 2) / 3)
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.template' does not fit the grid");
  model->template_samples = cw_allocate(context, samples, sizeof(float));
  if (!model->template_samples)
    return CW_ERROR_MEMORY;
  if (!cw_onnx_base64_read(text, model->template_samples, samples))
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.template' is not base64 of %zu numbers", samples);
  for (size_t i = 0; i < samples; i++)
    if (!isfinite(model->template_samples[i]))
      return cw_fail(context, CW_ERROR_NUMERIC, "metadata 'counterwarp.template' is not finite at sample %zu", i);
  return CW_OK;
}

static cw_status read_strings(cw_context *context, const CwOnnx__ModelProto *proto, cw_model *model) {
  const char *text;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.trained_on", false, &text));
  CW_TRY(cw_onnx_list_read(context, "counterwarp.trained_on", text, &model->trained_on));
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.held_out", false, &text));
  CW_TRY(cw_onnx_list_read(context, "counterwarp.held_out", text, &model->held_out));
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.provenance", false, &text));
  if (!cw_onnx_is_utf8(text))
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.provenance' is not UTF-8");
  if (!(model->provenance = cw_copy_string(context, text)))
    return CW_ERROR_MEMORY;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.classes", false, &text));
  if (!cw_onnx_is_utf8(text))
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.classes' is not UTF-8");
  return !*text || (model->classes = cw_copy_string(context, text)) ? CW_OK : CW_ERROR_MEMORY;
}

/* A simulator's outputs are its own; a classifier's logit may have to be picked from what others export. */
static cw_status read_choice(cw_context *context, const CwOnnx__ModelProto *proto, cw_output_choice *choice) {
  const char *text;
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.output", false, &text));
  if (*text)
    CW_TRY(cw_output_choice_read(context, text, choice));
  CW_TRY(cw_onnx_metadata(context, proto, "counterwarp.output_name", false, &text));
  choice->name = *text ? text : NULL;
  return CW_OK;
}

static cw_status read_proto(cw_context *context, const cw_onnx_file *file, cw_model *model) {
  const CwOnnx__ModelProto *proto = file->proto;
  cw_onnx_request request = {file->folder, file->opset, NULL, NULL, NULL, file->bytes};
  cw_output_choice choice = cw_output_choice_default();
  CW_TRY(read_kind(context, proto, model));
  CW_TRY(read_grid(context, proto, &model->preprocessing.grid));
  CW_TRY(read_normalization(context, proto, &model->preprocessing));
  const int *n = model->preprocessing.grid.size;
  const int64_t size[3] = {n[2], n[1], n[0]};
  if (model->kind == CW_MODEL_CLASSIFIER) {
    CW_TRY(read_choice(context, proto, &choice));
    request.choice = &choice;
    request.input_size = size;
  } else {
    request.leave_out = CW_ONNX_IMAGE_OUTPUT;
    for (size_t i = 0; i < proto->graph->n_output; i++)
      model->image_output = model->image_output || !strcmp(proto->graph->output[i]->name, request.leave_out);
  }
  CW_TRY(cw_onnx_read_graph(context, proto->graph, &request, &model->graph));
  CW_TRY(cw_model_check(context, model));
  if (model->kind == CW_MODEL_SIMULATOR)
    CW_TRY(check_names(context, model));
  CW_TRY(read_template(context, proto, model));
  return read_strings(context, proto, model);
}

cw_status cw_model_read(cw_context *context, const char *path, cw_model *model) {
  memset(model, 0, sizeof *model);
  cw_onnx_file file;
  CW_TRY(cw_onnx_open(context, path, &file));
  const cw_status status = read_proto(context, &file, model);
  if (status != CW_OK)
    cw_model_free(context, model);
  return cw_onnx_close(context, path, &file, status);
}
