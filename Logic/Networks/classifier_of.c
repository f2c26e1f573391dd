/* The classifier inside a model, and what tells classifiers apart. */
#include <stdio.h>
#include <string.h>

#include "Networks/model_check.h"
#include "Tensor/fingerprint.h"

/* A number for each image, [N,1], that stands for the direction while nodes are copied; nothing kept depends on it. */
static cw_status stand_in(cw_context *context, cw_graph *graph, cw_value image, cw_value *direction) {
  cw_attributes attributes = cw_attributes_default();
  attributes.shape = CW_SHAPE(CW_BATCH, 1);
  cw_value mean;
  CW_TRY(cw_graph_node(context, graph, CW_OP_GLOBAL_AVERAGE_POOL, "stand-in mean", NULL, &image, 1, &mean));
  return cw_graph_node(context, graph, CW_OP_RESHAPE, "stand-in", &attributes, &mean, 1, direction);
}

static cw_status take(cw_context *context, const cw_model *model, cw_graph *graph) {
  const cw_graph *from = model->graph;
  const bool simulator = model->kind == CW_MODEL_SIMULATOR;
  const cw_value wanted = cw_graph_output_at(from, simulator ? 1 : 0);
  cw_value inputs[2], logit;
  CW_TRY(cw_graph_input(context, graph, "image", *cw_value_shape(from, cw_graph_input_at(from, 0)), &inputs[0]));
  if (simulator)
    CW_TRY(stand_in(context, graph, inputs[0], &inputs[1]));
  CW_TRY(cw_graph_append(context, graph, from, "model/", false, inputs, &wanted, 1, &logit));
  CW_TRY(cw_graph_output(context, graph, logit));
  return cw_graph_trim(context, graph);
}

cw_status cw_model_classifier(cw_context *context, const cw_model *model, cw_graph **classifier) {
  *classifier = NULL;
  CW_TRY(cw_model_check(context, model));
  cw_graph *graph;
  CW_TRY(cw_graph_create(context, &graph));
  const cw_status status = take(context, model, graph);
  if (status != CW_OK) {
    cw_graph_free(context, graph);
    return status;
  }
  *classifier = graph;
  return CW_OK;
}

void cw_graph_fingerprint(const cw_graph *graph, char text[17]) {
  uint64_t hash = CW_FINGERPRINT_START;
  for (int i = 0; i < cw_graph_node_count(graph); i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    for (int k = 0; k < node.input_count; k++) {
      const float *data = node.inputs[k] == CW_NONE ? NULL : cw_value_data(graph, node.inputs[k]);
      if (!data)
        continue;
      const cw_shape *shape = cw_value_shape(graph, node.inputs[k]);
      hash = cw_fingerprint(hash, shape->d, (size_t)shape->rank * sizeof *shape->d);
      hash = cw_fingerprint(hash, data, (size_t)cw_shape_elements(shape, 1) * sizeof *data);
    }
  }
  snprintf(text, 17, "%016llx", (unsigned long long)hash);
}
