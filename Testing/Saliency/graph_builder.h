/* A classifier's graph node by node, for tests; what fails throws. */
#ifndef COUNTERWARP_TESTING_GRAPH_BUILDER_H
#define COUNTERWARP_TESTING_GRAPH_BUILDER_H

#include <stdexcept>
#include <string>
#include <vector>

#include "Graph/window.h"

namespace example {

class GraphBuilder {
 public:
  GraphBuilder(cw_context *context, int nz, int ny, int nx) : context_(context) {
    need(cw_graph_create(context, &graph));
    need(cw_graph_input(context, graph, "image", CW_SHAPE(CW_BATCH, 1, nz, ny, nx), &image));
  }
  ~GraphBuilder() { cw_graph_free(context_, graph); }
  GraphBuilder(const GraphBuilder &) = delete;
  GraphBuilder &operator=(const GraphBuilder &) = delete;

  cw_value node(cw_operator op, const std::string &name, std::vector<cw_value> inputs,
                const cw_attributes &a = cw_attributes_default()) {
    cw_value value = CW_NONE;
    need(cw_graph_node(context_, graph, op, name.c_str(), &a, inputs.data(), static_cast<int>(inputs.size()), &value));
    return value;
  }
  cw_value flat(cw_value x, int64_t features) {
    cw_attributes a = cw_attributes_default();
    a.shape = CW_SHAPE(CW_BATCH, features);
    return node(CW_OP_RESHAPE, "flat", {x}, a);
  }

  cw_graph *graph = nullptr;
  cw_value image = CW_NONE;

 protected:
  void need(cw_status status) {
    if (status != CW_OK)
      throw std::runtime_error(cw_context_message(context_));
  }
  cw_context *context_;
};

}  // namespace example

#endif
