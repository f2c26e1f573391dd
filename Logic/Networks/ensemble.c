#include <stdio.h>

#include "counterwarp/networks.h"

static cw_status append(cw_context *context, cw_graph *graph, const cw_graph *classifier, int index, cw_value image) {
  const cw_shape *want = cw_value_shape(graph, image), one = CW_SHAPE(CW_BATCH, 1);
  if (cw_graph_input_count(classifier) != 1 || cw_graph_output_count(classifier) != 1 ||
      !cw_shape_equal(cw_value_shape(classifier, cw_graph_input_at(classifier, 0)), want) ||
      !cw_shape_equal(cw_value_shape(classifier, cw_graph_output_at(classifier, 0)), &one)) {
    char text[96];
    cw_shape_text(want, text);
    return cw_fail(context, CW_ERROR_SHAPE, "ensemble: classifier %d: expected one image %s and one logit", index + 1,
                   text);
  }
  char prefix[32];
  snprintf(prefix, sizeof prefix, "classifier%d/", index + 1);
  const cw_value wanted = cw_graph_output_at(classifier, 0);
  cw_value logit;
  CW_TRY(cw_graph_append_copy(context, graph, classifier, prefix, &image, &wanted, 1, &logit));
  return cw_graph_output(context, graph, logit);
}

cw_status cw_network_ensemble(cw_context *context, const cw_graph *const *classifiers, int count, cw_graph **graph) {
  *graph = NULL;
  if (count < 1 || count > CW_MAX_CLASSIFIERS)
    return cw_fail(context, CW_ERROR_ARGUMENT, "ensemble: %d classifiers; expected 1 to %d", count, CW_MAX_CLASSIFIERS);
  if (cw_graph_input_count(classifiers[0]) != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "ensemble: classifier 1 has %d inputs; expected one image",
                   cw_graph_input_count(classifiers[0]));
  cw_graph *together;
  CW_TRY(cw_graph_create(context, &together));
  cw_value image;
  cw_status status = cw_graph_input(context, together, "image",
                                    *cw_value_shape(classifiers[0], cw_graph_input_at(classifiers[0], 0)), &image);
  for (int k = 0; k < count && status == CW_OK; k++)
    status = append(context, together, classifiers[k], k, image);
  if (status != CW_OK) {
    cw_graph_free(context, together);
    return status;
  }
  *graph = together;
  return CW_OK;
}
