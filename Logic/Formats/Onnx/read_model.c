#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "Formats/Onnx/onnx_internal.h"
#include "Networks/model_check.h"
#include "Tensor/file.h"

/* protobuf-c asks the context for memory. */
typedef struct unpack_memory {
  cw_context *context;
  bool failed;
} unpack_memory;

static void *unpack_allocate(void *data, size_t bytes) {
  unpack_memory *memory = data;
  void *block = cw_allocate(memory->context, bytes, 1);
  memory->failed = memory->failed || !block;
  return block;
}

static void unpack_release(void *data, void *block) {
  cw_release(((unpack_memory *)data)->context, block);
}

/* Value of a metadata key; "" if absent and not needed. */
static cw_status metadata(cw_context *context, const CwOnnx__ModelProto *proto, const char *key, bool needed,
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
    return cw_fail(context, CW_ERROR_FORMAT, "metadata '%s' is missing, as in files that counterwarp has not written",
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
  CW_TRY(metadata(context, proto, "counterwarp.grid_size", true, &text));
  CW_TRY(numbers(context, "counterwarp.grid_size", text, 3, size));
  CW_TRY(metadata(context, proto, "counterwarp.grid_to_lps_mm", true, &text));
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
  CW_TRY(metadata(context, proto, "counterwarp.normalization", true, &text));
  p->high = 99.5;
  if (!strcmp(text, "none")) {
    p->normalization = CW_NORMALIZE_NONE;
  } else if (!strcmp(text, "zscore")) {
    p->normalization = CW_NORMALIZE_ZSCORE;
  } else if (!strncmp(text, "percentile ", 11)) {
    p->normalization = CW_NORMALIZE_PERCENTILE;
    return numbers(context, "counterwarp.normalization", text + 11, 1, &p->high);
  } else {
    return cw_fail(context, CW_ERROR_FORMAT,
                   "metadata 'counterwarp.normalization' should be none, zscore or percentile with its number");
  }
  return CW_OK;
}

static cw_status read_kind(cw_context *context, const CwOnnx__ModelProto *proto, cw_model *model) {
  const char *text;
  CW_TRY(metadata(context, proto, "counterwarp.kind", true, &text));
  if (!strcmp(text, "classifier")) {
    model->kind = CW_MODEL_CLASSIFIER;
    return CW_OK;
  }
  if (strcmp(text, "simulator") != 0)
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.kind' should be classifier or simulator");
  model->kind = CW_MODEL_SIMULATOR;
  CW_TRY(metadata(context, proto, "counterwarp.field", true, &text));
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
  CW_TRY(metadata(context, proto, "counterwarp.template", false, &text));
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

static cw_status check_versions(cw_context *context, const CwOnnx__ModelProto *proto) {
  if (!proto->graph)
    return cw_fail(context, CW_ERROR_FORMAT, "onnx: there is no graph");
  if (proto->ir_version < 3 || proto->ir_version > 20)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: ir_version is %lld, expected 3 to 20",
                   (long long)proto->ir_version);
  int64_t opset = 0;
  for (size_t i = 0; i < proto->n_opset_import; i++)
    if (!*proto->opset_import[i]->domain || !strcmp(proto->opset_import[i]->domain, "ai.onnx"))
      opset = proto->opset_import[i]->version;
  if (opset < CW_ONNX_OPSET_FIRST || opset > CW_ONNX_OPSET_LAST)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: the operator set is %lld, expected %d to %d", (long long)opset,
                   CW_ONNX_OPSET_FIRST, CW_ONNX_OPSET_LAST);
  return CW_OK;
}

static cw_status read_strings(cw_context *context, const CwOnnx__ModelProto *proto, cw_model *model) {
  const char *text;
  CW_TRY(metadata(context, proto, "counterwarp.trained_on", false, &text));
  CW_TRY(cw_onnx_list_read(context, "counterwarp.trained_on", text, &model->trained_on));
  CW_TRY(metadata(context, proto, "counterwarp.held_out", false, &text));
  CW_TRY(cw_onnx_list_read(context, "counterwarp.held_out", text, &model->held_out));
  CW_TRY(metadata(context, proto, "counterwarp.provenance", false, &text));
  if (!cw_onnx_is_utf8(text))
    return cw_fail(context, CW_ERROR_FORMAT, "metadata 'counterwarp.provenance' is not UTF-8");
  model->provenance = cw_copy_string(context, text);
  return model->provenance ? CW_OK : CW_ERROR_MEMORY;
}

static cw_status read_proto(cw_context *context, const CwOnnx__ModelProto *proto, cw_model *model) {
  CW_TRY(check_versions(context, proto));
  CW_TRY(read_kind(context, proto, model));
  CW_TRY(read_grid(context, proto, &model->preprocessing.grid));
  CW_TRY(read_normalization(context, proto, &model->preprocessing));
  CW_TRY(cw_onnx_read_graph(context, proto->graph, &model->graph));
  CW_TRY(cw_model_check(context, model));
  CW_TRY(check_names(context, model));
  CW_TRY(read_template(context, proto, model));
  return read_strings(context, proto, model);
}

/* The message with the file's name in front. */
static cw_status name_file(cw_context *context, cw_status status, const char *path) {
  char reason[384];
  size_t used = 0;
  for (const char *at = cw_context_message(context); *at && used < sizeof reason - 1; at++)
    reason[used++] = *at;
  reason[used] = '\0';
  return cw_fail(context, status, "'%s': %s", path, reason);
}

cw_status cw_model_read(cw_context *context, const char *path, cw_model *model) {
  memset(model, 0, sizeof *model);
  uint8_t *bytes;
  size_t count;
  struct stat info;
  if (stat(path, &info) == 0 && info.st_size > INT32_MAX)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "'%s' has %lld bytes, an ONNX file holds at most 2 GiB", path,
                   (long long)info.st_size);
  CW_TRY(cw_file_read(context, path, &bytes, &count));
  unpack_memory memory = {context, false};
  ProtobufCAllocator allocator = {unpack_allocate, unpack_release, &memory};
  CwOnnx__ModelProto *proto = cw_onnx__model_proto__unpack(&allocator, count, bytes);
  cw_release(context, bytes);
  if (!proto)
    return memory.failed ? CW_ERROR_MEMORY
                         : cw_fail(context, CW_ERROR_FORMAT, "'%s' is not an ONNX file, or a damaged one", path);
  const cw_status status = read_proto(context, proto, model);
  cw_onnx__model_proto__free_unpacked(proto, &allocator);
  if (status == CW_OK)
    return CW_OK;
  cw_model_free(context, model);
  return status == CW_ERROR_MEMORY ? status : name_file(context, status, path);
}
