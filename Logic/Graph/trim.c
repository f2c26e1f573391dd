#include <string.h>

#include "Graph/graph_internal.h"

/* needed[value]: an input or an output, or read by a node whose output is needed. */
static void mark(const cw_graph *graph, bool *needed) {
  for (int i = 0; i < graph->input_count; i++)
    needed[graph->inputs[i]] = true;
  for (int i = 0; i < graph->output_count; i++)
    needed[graph->outputs[i]] = true;
  for (int i = graph->node_count - 1; i >= 0; i--) {
    const cw_node_record *node = &graph->nodes[i];
    for (int k = 0; k < node->input_count && needed[node->output]; k++)
      if (node->inputs[k] != CW_NONE)
        needed[node->inputs[k]] = true;
  }
}

static void drop_nodes(cw_context *context, cw_graph *graph, const bool *needed) {
  int kept = 0;
  for (int i = 0; i < graph->node_count; i++) {
    if (needed[graph->nodes[i].output])
      graph->nodes[kept++] = graph->nodes[i];
    else
      cw_release(context, graph->nodes[i].name);
  }
  graph->node_count = kept;
}

static void drop_values(cw_context *context, cw_graph *graph, const bool *needed, cw_value *map) {
  int kept = 0;
  for (int v = 0; v < graph->value_count; v++) {
    cw_value_record *value = &graph->values[v];
    map[v] = needed[v] ? kept : CW_NONE;
    if (needed[v]) {
      graph->values[kept++] = *value;
      continue;
    }
    cw_release(context, value->name);
    if (value->owned)
      cw_release(context, value->data);
  }
  graph->value_count = kept;
}

cw_status cw_graph_trim(cw_context *context, cw_graph *graph) {
  bool *needed = cw_allocate_zero(context, (size_t)graph->value_count + 1, sizeof *needed);
  cw_value *map = cw_allocate(context, (size_t)graph->value_count + 1, sizeof *map);
  if (needed && map) {
    mark(graph, needed);
    drop_nodes(context, graph, needed);
    drop_values(context, graph, needed, map);
    cw_names_fill(graph);
    for (int i = 0; i < graph->input_count; i++)
      graph->inputs[i] = map[graph->inputs[i]];
    for (int i = 0; i < graph->output_count; i++)
      graph->outputs[i] = map[graph->outputs[i]];
    for (int i = 0; i < graph->node_count; i++) {
      cw_node_record *node = &graph->nodes[i];
      node->output = map[node->output];
      for (int k = 0; k < node->input_count; k++)
        node->inputs[k] = node->inputs[k] == CW_NONE ? CW_NONE : map[node->inputs[k]];
    }
  }
  const cw_status status = needed && map ? CW_OK : CW_ERROR_MEMORY;
  cw_release(context, needed);
  cw_release(context, map);
  return status;
}
