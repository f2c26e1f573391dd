#include <stdio.h>

#include "Formats/Onnx/onnx_internal.h"

/* Does a stored tensor look like channels of images: N C D H W, more than one of each, and not all the same number? */
static bool is_picture(const cw_graph *graph, cw_value value) {
  const cw_shape *shape = cw_value_shape(graph, value);
  const float *data = cw_value_data(graph, value);
  if (!data || shape->rank != 5)
    return false;
  for (int i = 1; i < 5; i++)
    if (shape->d[i] < 2)
      return false;
  const int64_t count = cw_shape_elements(shape, 1);
  for (int64_t i = 1; i < count; i++)
    if (data[i] != data[0])
      return true;
  return false;
}

enum { DEPENDS = 1, PICTURE = 2 };

static cw_status say(cw_context *context, const cw_graph *graph, const cw_node_view *node, cw_value stored,
                     cw_strings *sentences) {
  char text[400], label[72], name[72], shape[96];
  cw_shape_text(cw_value_shape(graph, stored), shape);
  snprintf(text, sizeof text,
           "node '%s' (%s) joins the image's values with '%s', a stored tensor of %s: if that is no position "
           "embedding, the export has kept a copy of one image's values there, and the logit is wrong",
           cw_onnx_label(node->name, label), cw_operator_name(node->op),
           cw_onnx_label(cw_value_name(graph, stored), name), shape);
  return cw_strings_append(context, sentences, text);
}

cw_status cw_graph_stored_activations(cw_context *context, const cw_graph *graph, cw_strings *sentences) {
  char *marks = cw_allocate_zero(context, (size_t)cw_graph_value_count(graph) + 1, 1);
  if (!marks)
    return CW_ERROR_MEMORY;
  for (int i = 0; i < cw_graph_value_count(graph); i++)
    marks[i] = cw_value_kind_of(graph, i) == CW_VALUE_INPUT ? DEPENDS : 0;
  cw_status status = CW_OK;
  for (int i = 0; i < cw_graph_node_count(graph) && status == CW_OK; i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    const bool joins = node.op == CW_OP_ADD || node.op == CW_OP_SUB || node.op == CW_OP_CONCAT;
    cw_value stored = CW_NONE;
    char mark = 0;
    for (int k = 0; k < node.input_count; k++) {
      const cw_value in = node.inputs[k];
      if (in == CW_NONE)
        continue;
      if (joins && (marks[in] == PICTURE || is_picture(graph, in)))
        stored = in;
      mark |= marks[in];
    }
    if (mark & DEPENDS) {
      if (stored != CW_NONE)
        status = say(context, graph, &node, stored, sentences);
      mark = DEPENDS;
    } else if (stored != CW_NONE) {
      mark = PICTURE;
    }
    marks[node.output] = mark;
  }
  cw_release(context, marks);
  return status;
}
