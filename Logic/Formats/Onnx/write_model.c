#include <math.h>
#include <stdio.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"
#include "Networks/model_check.h"
#include "Tensor/file.h"

enum { MOST_ENTRIES = 16 };

static cw_status put(cw_onnx_arena *arena, CwOnnx__ModelProto *model, const char *key, const char *value) {
  CwOnnx__StringStringEntryProto *entry = cw_onnx_take(arena, 1, sizeof *entry);
  if (!entry)
    return CW_ERROR_MEMORY;
  cw_onnx__string_string_entry_proto__init(entry);
  entry->key = (char *)key;
  entry->value = (char *)value;
  model->metadata_props[model->n_metadata_props++] = entry;
  return CW_OK;
}

/* "nx ny nz" and the twelve numbers of index (i, j, k) -> LPS mm, row by row. */
static cw_status put_grid(cw_onnx_arena *arena, CwOnnx__ModelProto *model, const cw_grid *grid) {
  const char *size = cw_onnx_take_text(arena, "%d %d %d", grid->size[0], grid->size[1], grid->size[2]);
  char *affine = cw_onnx_take(arena, 12 * 40, 1);
  if (!size || !affine)
    return CW_ERROR_MEMORY;
  char *at = affine, number[40];
  for (int i = 0; i < 12; i++) {
    cw_onnx_number_text(grid->to_world.m[i / 4][i % 4], 17, number);
    at += sprintf(at, "%s%s", i ? " " : "", number);
  }
  CW_TRY(put(arena, model, "counterwarp.grid_size", size));
  return put(arena, model, "counterwarp.grid_to_lps_mm", affine);
}

static cw_status put_normalization(cw_onnx_arena *arena, CwOnnx__ModelProto *model, const cw_preprocessing *p) {
  char low[40], high[40];
  const char *text = "none";
  cw_onnx_number_text(p->low, 17, low);
  cw_onnx_number_text(p->high, 17, high);
  switch (p->normalization) {
    case CW_NORMALIZE_ZSCORE:
      text = "zscore";
      break;
    case CW_NORMALIZE_ZSCORE_ALL:
      text = "zscore all";
      break;
    case CW_NORMALIZE_MINMAX:
      text = "minmax";
      break;
    case CW_NORMALIZE_RANGE:
      text = cw_onnx_take_text(arena, "range %s %s", low, high);
      break;
    case CW_NORMALIZE_PERCENTILE:
      text = cw_onnx_take_text(arena, "percentile %s", high);
      break;
    default:
      break;
  }
  return text ? put(arena, model, "counterwarp.normalization", text) : CW_ERROR_MEMORY;
}

/* A long text, which the arena takes over as a copy so that one call frees everything. */
static cw_status put_owned(cw_onnx_arena *arena, CwOnnx__ModelProto *model, const char *key, char *text) {
  const char *copy = text ? cw_onnx_take_text(arena, "%s", text) : NULL;
  cw_release(arena->context, text);
  return copy ? put(arena, model, key, copy) : CW_ERROR_MEMORY;
}

static cw_status put_template(cw_onnx_arena *arena, CwOnnx__ModelProto *proto, const cw_model *model) {
  const size_t samples = cw_grid_samples(&model->preprocessing.grid);
  for (size_t i = 0; i < samples; i++)
    if (!isfinite(model->template_samples[i]))
      return cw_fail(arena->context, CW_ERROR_NUMERIC, "onnx: the template is not finite at sample %zu", i);
  return put_owned(arena, proto, "counterwarp.template",
                   cw_onnx_base64(arena->context, model->template_samples, samples));
}

static cw_status put_metadata(cw_onnx_arena *arena, CwOnnx__ModelProto *proto, const cw_model *model) {
  const bool simulator = model->kind == CW_MODEL_SIMULATOR;
  proto->metadata_props = cw_onnx_take(arena, MOST_ENTRIES, sizeof *proto->metadata_props);
  if (!proto->metadata_props)
    return CW_ERROR_MEMORY;
  CW_TRY(put(arena, proto, "counterwarp.kind", simulator ? "simulator" : "classifier"));
  if (model->classes && !cw_onnx_is_utf8(model->classes))
    return cw_fail(arena->context, CW_ERROR_ARGUMENT, "onnx: the text on the classes is not UTF-8");
  CW_TRY(put(arena, proto, "counterwarp.classes",
             model->classes ? model->classes : "logit below 0: control, above 0: patient"));
  if (!simulator) /* nothing is to be taken off the graph's output any more */
    CW_TRY(put(arena, proto, "counterwarp.output", "0 alone"));
  CW_TRY(put_grid(arena, proto, &model->preprocessing.grid));
  CW_TRY(put_normalization(arena, proto, &model->preprocessing));
  if (simulator)
    CW_TRY(put(arena, proto, "counterwarp.field", cw_model_output_name(model, 0)));
  CW_TRY(put_owned(arena, proto, "counterwarp.trained_on", cw_onnx_list_text(arena->context, &model->trained_on)));
  CW_TRY(put_owned(arena, proto, "counterwarp.held_out", cw_onnx_list_text(arena->context, &model->held_out)));
  if (model->provenance && *model->provenance) {
    if (!cw_onnx_is_utf8(model->provenance))
      return cw_fail(arena->context, CW_ERROR_ARGUMENT, "onnx: the provenance text is not UTF-8");
    CW_TRY(put(arena, proto, "counterwarp.provenance", model->provenance));
  }
  return model->template_samples ? put_template(arena, proto, model) : CW_OK;
}

static cw_status assemble(cw_onnx_writer *w, const cw_model *model, CwOnnx__ModelProto *proto) {
  cw_onnx_arena *arena = &w->arena;
  CwOnnx__OperatorSetIdProto *opset = cw_onnx_take(arena, 1, sizeof *opset);
  proto->opset_import = cw_onnx_take(arena, 1, sizeof *proto->opset_import);
  if (!opset || !proto->opset_import)
    return CW_ERROR_MEMORY;
  cw_onnx__operator_set_id_proto__init(opset);
  opset->version = w->image ? CW_ONNX_OPSET_IMAGE : CW_ONNX_OPSET;
  proto->opset_import[0] = opset;
  proto->n_opset_import = 1;
  proto->ir_version = w->image ? CW_ONNX_IR_IMAGE : CW_ONNX_IR;
  proto->producer_name = "counterwarp";
  proto->producer_version = (char *)cw_version();
  CW_TRY(cw_onnx_write_graph(w));
  proto->graph = w->out;
  return put_metadata(arena, proto, model);
}

static cw_status pack(cw_context *context, const char *path, const CwOnnx__ModelProto *proto) {
  const size_t bytes = cw_onnx__model_proto__get_packed_size(proto);
  if (bytes > INT32_MAX)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "'%s' would have %zu bytes, an ONNX file holds at most 2 GiB", path,
                   bytes);
  uint8_t *packed = cw_allocate(context, bytes, 1);
  if (!packed)
    return CW_ERROR_MEMORY;
  cw_onnx__model_proto__pack(proto, packed);
  const cw_status status = cw_file_write(context, path, packed, bytes);
  cw_release(context, packed);
  return status;
}

cw_status cw_model_write(cw_context *context, const char *path, const cw_model *model) {
  CW_TRY(cw_model_check(context, model));
  cw_onnx_writer writer = {0};
  writer.arena.context = context;
  writer.graph = model->graph;
  const char *const inputs[2] = {"image", "direction"};
  const char *const outputs[2] = {cw_model_output_name(model, 0), cw_model_output_name(model, 1)};
  writer.input_names = inputs;
  writer.output_names = outputs;
  writer.image = model->kind == CW_MODEL_SIMULATOR && model->image_output;
  writer.velocity = model->field == CW_FIELD_VELOCITY;
  CwOnnx__ModelProto proto;
  cw_onnx__model_proto__init(&proto);
  cw_status status = assemble(&writer, model, &proto);
  if (status == CW_OK)
    status = pack(context, path, &proto);
  cw_onnx_arena_free(&writer.arena);
  return status;
}
