#include "counterwarp/graph.h"

#include <stdio.h>
#include <string.h>

#include "Graph/graph_internal.h"

/* Makes room for one more item; capacities double. */
static cw_status grow(cw_context *context, void **items, int count, int *capacity, size_t size) {
  if (count < *capacity)
    return CW_OK;
  const int larger = *capacity ? 2 * *capacity : 16;
  void *block = cw_allocate(context, (size_t)larger, size);
  if (!block)
    return CW_ERROR_MEMORY;
  if (count)
    memcpy(block, *items, (size_t)count * size);
  cw_release(context, *items);
  *items = block;
  *capacity = larger;
  return CW_OK;
}

static cw_status append_index(cw_context *context, cw_value **list, int *count, int *capacity, cw_value value) {
  void *items = *list;
  CW_TRY(grow(context, &items, *count, capacity, sizeof **list));
  *list = items;
  (*list)[(*count)++] = value;
  return CW_OK;
}

cw_status cw_graph_create(cw_context *context, cw_graph **graph) {
  *graph = cw_allocate_zero(context, 1, sizeof **graph);
  return *graph ? CW_OK : CW_ERROR_MEMORY;
}

void cw_graph_free(cw_context *context, cw_graph *graph) {
  if (!graph)
    return;
  for (int i = 0; i < graph->value_count; i++) {
    cw_release(context, graph->values[i].name);
    if (graph->values[i].owned)
      cw_release(context, graph->values[i].data);
  }
  for (int i = 0; i < graph->node_count; i++)
    cw_release(context, graph->nodes[i].name);
  cw_release(context, graph->values);
  cw_release(context, graph->slots);
  cw_release(context, graph->nodes);
  cw_release(context, graph->inputs);
  cw_release(context, graph->outputs);
  cw_release(context, graph);
}

static cw_status add_value(cw_context *context, cw_graph *graph, const char *name, cw_value_kind kind, cw_shape shape,
                           cw_value *value) {
  if (!name || !*name)
    return cw_fail(context, CW_ERROR_ARGUMENT, "graph: a value needs a name");
  if (cw_graph_find(graph, name) != CW_NONE)
    return cw_fail(context, CW_ERROR_ARGUMENT, "graph: there are two values named '%s'", name);
  const int64_t elements = cw_shape_elements(&shape, 1);
  if (elements < 1 || elements > INT32_MAX) { /* so that no axis, and no product of axes, leaves an int */
    char text[96];
    cw_shape_text(&shape, text);
    return cw_fail(context, CW_ERROR_SHAPE, "graph: value '%s' has the unusable shape %s", name, text);
  }
  CW_TRY(cw_names_reserve(context, graph));
  void *items = graph->values;
  CW_TRY(grow(context, &items, graph->value_count, &graph->value_capacity, sizeof *graph->values));
  graph->values = items;
  cw_value_record *record = &graph->values[graph->value_count];
  memset(record, 0, sizeof *record);
  record->name = cw_copy_string(context, name);
  if (!record->name)
    return CW_ERROR_MEMORY;
  record->kind = kind;
  record->shape = shape;
  *value = graph->value_count++;
  cw_names_add(graph, *value);
  return CW_OK;
}

cw_status cw_graph_input(cw_context *context, cw_graph *graph, const char *name, cw_shape shape, cw_value *value) {
  CW_TRY(add_value(context, graph, name, CW_VALUE_INPUT, shape, value));
  return append_index(context, &graph->inputs, &graph->input_count, &graph->input_capacity, *value);
}

cw_status cw_graph_parameter(cw_context *context, cw_graph *graph, const char *name, cw_shape shape, bool trained,
                             const float *data, cw_value *value) {
  CW_TRY(add_value(context, graph, name, trained ? CW_VALUE_PARAMETER : CW_VALUE_BUFFER, shape, value));
  cw_value_record *record = &graph->values[*value];
  const size_t count = (size_t)cw_shape_elements(&shape, 1);
  record->data = cw_allocate_zero(context, count, sizeof(float));
  if (!record->data)
    return CW_ERROR_MEMORY;
  record->owned = true;
  if (data)
    memcpy(record->data, data, count * sizeof(float));
  return CW_OK;
}

cw_status cw_graph_node(cw_context *context, cw_graph *graph, cw_operator op, const char *name,
                        const cw_attributes *attributes, const cw_value *inputs, int input_count, cw_value *output) {
  const cw_operator_info *info = cw_operator_table(op);
  const cw_attributes defaults = cw_attributes_default();
  if (!info)
    return cw_fail(context, CW_ERROR_ARGUMENT, "graph: node '%s' has an unknown operator", name);
  if (!attributes)
    attributes = &defaults;
  while (input_count > 0 && inputs[input_count - 1] == CW_NONE)
    input_count--;
  if (input_count < info->min_inputs || input_count > info->max_inputs)
    return cw_fail(context, CW_ERROR_ARGUMENT, "node '%s' (%s): expected %d to %d inputs, got %d", name, info->name,
                   info->min_inputs, info->max_inputs, input_count);
  cw_shape shapes[CW_MAX_INPUTS] = {{0}}, shape = {0};
  for (int i = 0; i < input_count; i++) {
    if (inputs[i] < 0 || inputs[i] >= graph->value_count)
      return cw_fail(context, CW_ERROR_ARGUMENT, "node '%s' (%s): input %d is not a value of this graph", name,
                     info->name, i);
    shapes[i] = graph->values[inputs[i]].shape;
  }
  const cw_status status = info->infer(context, attributes, shapes, input_count, &shape);
  if (status != CW_OK) {
    char reason[320];
    snprintf(reason, sizeof reason, "%s", cw_context_message(context));
    return cw_fail(context, status, "node '%s' (%s): %s", name, info->name, reason);
  }
  void *items = graph->nodes;
  CW_TRY(grow(context, &items, graph->node_count, &graph->node_capacity, sizeof *graph->nodes));
  graph->nodes = items;
  char *copy = cw_copy_string(context, name);
  if (!copy)
    return CW_ERROR_MEMORY;
  cw_value made; /* `output` may lie among `inputs` */
  const cw_status added = add_value(context, graph, name, CW_VALUE_ACTIVATION, shape, &made);
  if (added != CW_OK) {
    cw_release(context, copy);
    return added;
  }
  cw_node_record *node = &graph->nodes[graph->node_count++];
  memset(node, 0, sizeof *node);
  node->op = op;
  node->name = copy;
  node->attributes = *attributes;
  node->input_count = input_count;
  memcpy(node->inputs, inputs, (size_t)input_count * sizeof *inputs);
  node->output = *output = made;
  return CW_OK;
}

/* The value of `graph` that stands for a parameter of `from`: an earlier append's, or a new one. */
static cw_status import_parameter(cw_context *context, cw_graph *graph, const cw_value_record *from, const char *name,
                                  bool frozen, bool copy, cw_value *value) {
  const cw_value_kind kind = frozen ? CW_VALUE_BUFFER : from->kind;
  if (copy)
    return cw_graph_parameter(context, graph, name, from->shape, kind == CW_VALUE_PARAMETER, from->data, value);
  for (int i = 0; i < graph->value_count; i++)
    if (graph->values[i].data == from->data && graph->values[i].kind == kind) {
      *value = i;
      return CW_OK;
    }
  CW_TRY(add_value(context, graph, name, kind, from->shape, value));
  graph->values[*value].data = from->data;
  return CW_OK;
}

/* What of a graph is appended: all of it, or what some values need. */
typedef struct part {
  const cw_value *given, *inputs; /* inputs[i] stands for given[i] */
  int given_count;
  const cw_value *wanted;
  int wanted_count;
  bool needed_alone;
} part;

/* needed[value]: is copied, or given. */
static void mark_part(const cw_graph *from, const part *p, bool *needed) {
  for (int v = 0; v < from->value_count; v++)
    needed[v] = !p->needed_alone;
  for (int i = 0; i < p->wanted_count; i++)
    needed[p->wanted[i]] = true;
  for (int i = from->node_count - 1; i >= 0; i--) {
    const cw_node_record *node = &from->nodes[i];
    bool copied = needed[node->output];
    for (int k = 0; k < p->given_count && copied; k++)
      copied = p->given[k] != node->output;
    for (int k = 0; k < node->input_count && copied; k++)
      if (node->inputs[k] != CW_NONE)
        needed[node->inputs[k]] = true;
  }
}

static cw_status append_values(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix,
                               bool frozen, bool copy, const part *p, const bool *needed, cw_value *map) {
  char name[256];
  for (int i = 0; i < from->value_count; i++)
    map[i] = CW_NONE;
  for (int i = 0; i < p->given_count; i++)
    map[p->given[i]] = p->inputs[i];
  for (int i = 0; i < from->value_count; i++) {
    const cw_value_record *value = &from->values[i];
    if (!value->data || !needed[i])
      continue;
    snprintf(name, sizeof name, "%s%s", prefix, value->name);
    CW_TRY(import_parameter(context, graph, value, name, frozen, copy, &map[i]));
  }
  for (int i = 0; i < from->node_count; i++) {
    const cw_node_record *node = &from->nodes[i];
    if (!needed[node->output] || map[node->output] != CW_NONE)
      continue;
    cw_attributes attributes = node->attributes;
    attributes.frozen = attributes.frozen || frozen;
    cw_value mapped[CW_MAX_INPUTS];
    for (int k = 0; k < node->input_count; k++) {
      mapped[k] = node->inputs[k] == CW_NONE ? CW_NONE : map[node->inputs[k]];
      if (node->inputs[k] != CW_NONE && mapped[k] == CW_NONE)
        return cw_fail(context, CW_ERROR_ARGUMENT, "graph: node '%s' reads '%s', which is not given", node->name,
                       from->values[node->inputs[k]].name);
    }
    snprintf(name, sizeof name, "%s%s", prefix, node->name);
    CW_TRY(cw_graph_node(context, graph, node->op, name, &attributes, mapped, node->input_count, &map[node->output]));
  }
  return CW_OK;
}

static cw_status append(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix, bool frozen,
                        bool copy, const part *p, cw_value *outputs) {
  cw_value *map = cw_allocate(context, (size_t)from->value_count + 1, sizeof *map);
  bool *needed = cw_allocate(context, (size_t)from->value_count + 1, sizeof *needed);
  cw_status status = CW_ERROR_MEMORY;
  if (map && needed) {
    mark_part(from, p, needed);
    status = append_values(context, graph, from, prefix, frozen, copy, p, needed, map);
  }
  for (int i = 0; i < p->wanted_count && status == CW_OK; i++) {
    outputs[i] = map[p->wanted[i]];
    if (outputs[i] == CW_NONE)
      status = cw_fail(context, CW_ERROR_ARGUMENT, "graph: '%s' is wanted, but an input that is not given",
                       from->values[p->wanted[i]].name);
  }
  cw_release(context, map);
  cw_release(context, needed);
  return status;
}

cw_status cw_graph_append(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix, bool frozen,
                          const cw_value *inputs, const cw_value *wanted, int wanted_count, cw_value *outputs) {
  const part all = {from->inputs, inputs, from->input_count, wanted, wanted_count, false};
  return append(context, graph, from, prefix, frozen, false, &all, outputs);
}

cw_status cw_graph_append_copy(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix,
                               const cw_value *inputs, const cw_value *wanted, int wanted_count, cw_value *outputs) {
  const part all = {from->inputs, inputs, from->input_count, wanted, wanted_count, false};
  return append(context, graph, from, prefix, false, true, &all, outputs);
}

cw_status cw_graph_append_part(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix,
                               bool frozen, const cw_value *given, const cw_value *inputs, int given_count,
                               const cw_value *wanted, int wanted_count, cw_value *outputs) {
  const part some = {given, inputs, given_count, wanted, wanted_count, true};
  return append(context, graph, from, prefix, frozen, false, &some, outputs);
}

cw_status cw_graph_rename(cw_context *context, cw_graph *graph, cw_value value, const char *name) {
  const cw_value other = cw_graph_find(graph, name);
  if (value < 0 || value >= graph->value_count || (other != CW_NONE && other != value))
    return cw_fail(context, CW_ERROR_ARGUMENT, "graph: value %d cannot be named '%s'", value, name);
  char *copy = cw_copy_string(context, name);
  if (!copy)
    return CW_ERROR_MEMORY;
  cw_release(context, graph->values[value].name);
  graph->values[value].name = copy;
  cw_names_fill(graph);
  return CW_OK;
}

cw_status cw_graph_output(cw_context *context, cw_graph *graph, cw_value value) {
  if (value < 0 || value >= graph->value_count)
    return cw_fail(context, CW_ERROR_ARGUMENT, "graph: output %d is not a value of this graph", value);
  return append_index(context, &graph->outputs, &graph->output_count, &graph->output_capacity, value);
}

int cw_graph_value_count(const cw_graph *graph) {
  return graph->value_count;
}

int cw_graph_node_count(const cw_graph *graph) {
  return graph->node_count;
}

int cw_graph_input_count(const cw_graph *graph) {
  return graph->input_count;
}

cw_value cw_graph_input_at(const cw_graph *graph, int index) {
  return index >= 0 && index < graph->input_count ? graph->inputs[index] : CW_NONE;
}

int cw_graph_output_count(const cw_graph *graph) {
  return graph->output_count;
}

cw_value cw_graph_output_at(const cw_graph *graph, int index) {
  return index >= 0 && index < graph->output_count ? graph->outputs[index] : CW_NONE;
}

const char *cw_value_name(const cw_graph *graph, cw_value value) {
  return graph->values[value].name;
}

cw_value_kind cw_value_kind_of(const cw_graph *graph, cw_value value) {
  return graph->values[value].kind;
}

const cw_shape *cw_value_shape(const cw_graph *graph, cw_value value) {
  return &graph->values[value].shape;
}

float *cw_value_data(const cw_graph *graph, cw_value value) {
  return graph->values[value].data;
}

cw_node_view cw_graph_node_at(const cw_graph *graph, int index) {
  const cw_node_record *node = &graph->nodes[index];
  const cw_node_view view = {node->op, node->name, &node->attributes, node->inputs, node->input_count, node->output};
  return view;
}
