#include <string.h>

#include "Formats/Onnx/onnx_internal.h"
#include "Networks/model_check.h"

cw_status cw_model_import(cw_context *context, const char *path, const cw_preprocessing *preprocessing,
                          const cw_output_choice *choice, cw_model *model) {
  const int *n = preprocessing->grid.size;
  const int64_t size[3] = {n[2], n[1], n[0]};
  const cw_output_choice otherwise = cw_output_choice_default();
  cw_onnx_file file;
  memset(model, 0, sizeof *model);
  CW_TRY(cw_onnx_open(context, path, &file));
  const cw_onnx_request request = {file.folder, file.opset, size, choice ? choice : &otherwise, NULL, file.bytes};
  model->kind = CW_MODEL_CLASSIFIER;
  model->preprocessing = *preprocessing;
  cw_status status = cw_onnx_read_graph(context, file.proto->graph, &request, &model->graph);
  if (status == CW_OK)
    status = cw_model_check(context, model);
  if (status == CW_OK && !(model->provenance = cw_copy_string(context, "")))
    status = CW_ERROR_MEMORY;
  if (status != CW_OK)
    cw_model_free(context, model);
  return cw_onnx_close(context, path, &file, status);
}
