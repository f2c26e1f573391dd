#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

enum { NODES_OF_ONE = 8, TENSORS_OF_ONE = 8 }; /* at most: a conditional convolution; a pad of all axes */

static bool is_little_endian(void) {
  const uint16_t one = 1;
  uint8_t first;
  memcpy(&first, &one, 1);
  return first == 1;
}

/* Bytes as the file wants them: the data themselves where the machine is little endian. */
static uint8_t *file_bytes(cw_onnx_writer *w, const void *data, size_t count, size_t size, bool keep) {
  const bool same = is_little_endian();
  if (same && !keep)
    return (uint8_t *)data;
  uint8_t *bytes = cw_onnx_take(&w->arena, count, size);
  if (!bytes)
    return NULL;
  for (size_t i = 0; i < count * size; i++)
    bytes[i] = ((const uint8_t *)data)[same ? i : i / size * size + (size - 1 - i % size)];
  return bytes;
}

static cw_status add_tensor(cw_onnx_writer *w, const char *name, int type, int rank, const int64_t *dims,
                            const void *data, bool keep, const char *note) {
  CwOnnx__TensorProto *tensor = cw_onnx_take(&w->arena, 1, sizeof *tensor);
  if (!tensor)
    return CW_ERROR_MEMORY;
  cw_onnx__tensor_proto__init(tensor);
  tensor->dims = cw_onnx_take(&w->arena, (size_t)rank + 1, sizeof *tensor->dims);
  if (!tensor->dims)
    return CW_ERROR_MEMORY;
  size_t count = 1;
  for (int i = 0; i < rank; i++) {
    tensor->dims[i] = dims[i];
    count *= (size_t)dims[i];
  }
  const size_t size = type == CW_ONNX_FLOAT ? sizeof(float) : sizeof(int64_t);
  tensor->n_dims = (size_t)rank;
  tensor->data_type = type;
  tensor->name = (char *)name;
  if (note)
    tensor->doc_string = (char *)note;
  tensor->raw_data.len = count * size;
  tensor->raw_data.data = file_bytes(w, data, count, size, keep);
  if (!tensor->raw_data.data)
    return CW_ERROR_MEMORY;
  w->out->initializer[w->out->n_initializer++] = tensor;
  return CW_OK;
}

cw_status cw_onnx_add_tensor(cw_onnx_writer *w, const char *name, int type, int rank, const int64_t *dims,
                             const void *data) {
  return add_tensor(w, name, type, rank, dims, data, true, NULL);
}

static cw_status describe(cw_onnx_writer *w, cw_value value, CwOnnx__ValueInfoProto **out) {
  const cw_shape *shape = cw_value_shape(w->graph, value);
  CwOnnx__ValueInfoProto *info = cw_onnx_take(&w->arena, 1, sizeof *info);
  CwOnnx__TypeProto *type = cw_onnx_take(&w->arena, 1, sizeof *type);
  CwOnnx__TypeProto__Tensor *tensor = cw_onnx_take(&w->arena, 1, sizeof *tensor);
  CwOnnx__TensorShapeProto *dims = cw_onnx_take(&w->arena, 1, sizeof *dims);
  if (!info || !type || !tensor || !dims)
    return CW_ERROR_MEMORY;
  cw_onnx__value_info_proto__init(info);
  cw_onnx__type_proto__init(type);
  cw_onnx__type_proto__tensor__init(tensor);
  cw_onnx__tensor_shape_proto__init(dims);
  info->name = (char *)w->alias[value];
  info->type = type;
  type->value_case = CW_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  type->tensor_type = tensor;
  tensor->elem_type = CW_ONNX_FLOAT;
  tensor->shape = dims;
  dims->dim = cw_onnx_take(&w->arena, (size_t)shape->rank, sizeof *dims->dim);
  if (!dims->dim)
    return CW_ERROR_MEMORY;
  for (int i = 0; i < shape->rank; i++) {
    CwOnnx__TensorShapeProto__Dimension *d = cw_onnx_take(&w->arena, 1, sizeof *d);
    if (!d)
      return CW_ERROR_MEMORY;
    cw_onnx__tensor_shape_proto__dimension__init(d);
    const int64_t size = shape->d[i] == CW_BATCH ? w->batch : shape->d[i];
    d->value_case = size == CW_BATCH ? CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                     : CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (size == CW_BATCH)
      d->dim_param = "N";
    else
      d->dim_value = size;
    dims->dim[dims->n_dim++] = d;
  }
  *out = info;
  return CW_OK;
}

static cw_status check_name(cw_onnx_writer *w, const char *name) {
  if (cw_onnx_is_utf8(name))
    return CW_OK;
  char label[72];
  return cw_fail(w->arena.context, CW_ERROR_ARGUMENT, "onnx: the name '%s' is not UTF-8", cw_onnx_label(name, label));
}

/* How values are used, and whether the batch is fixed to one. */
static cw_status survey(cw_onnx_writer *w) {
  const cw_graph *graph = w->graph;
  cw_context *context = w->arena.context;
  w->batch = CW_BATCH;
  for (int i = 0; i < cw_graph_node_count(graph); i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    CW_TRY(check_name(w, node.name));
    if (node.op == CW_OP_COND_CONV)
      w->batch = 1;
    for (int k = 0; k < node.input_count; k++)
      if (node.inputs[k] != CW_NONE)
        w->experts[node.inputs[k]] |= node.op == CW_OP_COND_CONV && k == 2 ? 1
                                      : node.op == CW_OP_GATHER && k == 1  ? 4
                                                                           : 2;
  }
  for (int i = 0; i < cw_graph_value_count(graph); i++) {
    const char *name = cw_value_name(graph, i);
    w->alias[i] = name;
    CW_TRY(check_name(w, name));
    const bool special = w->experts[i] & 5;
    if (special && (!cw_value_data(graph, i) || (w->experts[i] != 1 && w->experts[i] != 4)))
      return cw_fail(context, CW_ERROR_UNSUPPORTED,
                     "onnx: '%s' holds experts of a conditional convolution, or indices, and must be a parameter of "
                     "nothing else",
                     name);
  }
  for (int i = 0; i < cw_graph_input_count(graph); i++)
    w->alias[cw_graph_input_at(graph, i)] = w->input_names[i];
  for (int i = 0; i < cw_graph_output_count(graph); i++) {
    const cw_value value = cw_graph_output_at(graph, i);
    if (cw_value_kind_of(graph, value) != CW_VALUE_ACTIVATION)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: output '%s' is computed by no node", w->output_names[i]);
    w->alias[value] = w->output_names[i];
  }
  return CW_OK;
}

static cw_status write_parameter(cw_onnx_writer *w, cw_value value) {
  const float *data = cw_value_data(w->graph, value);
  const cw_shape *shape = cw_value_shape(w->graph, value);
  const char *name = cw_value_name(w->graph, value);
  const int64_t count = cw_shape_elements(shape, 1);
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(data[i]))
      return cw_fail(w->arena.context, CW_ERROR_NUMERIC, "onnx: parameter '%s' is not finite at element %lld", name,
                     (long long)i);
  const char *note = cw_value_kind_of(w->graph, value) == CW_VALUE_PARAMETER ? "trained" : "constant";
  if (w->experts[value] != 1)
    return add_tensor(w, name, CW_ONNX_FLOAT, shape->rank, shape->d, data, false, note);
  const int64_t flat[2] = {shape->d[0], count / shape->d[0]};
  return add_tensor(w, name, CW_ONNX_FLOAT, 2, flat, data, false, note);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names made up for intermediate results must not meet names of the graph. */
static cw_status check_unique(cw_onnx_writer *w) {
  const CwOnnx__GraphProto *out = w->out;
  const char **names = cw_onnx_take(&w->arena, out->n_input + out->n_initializer + out->n_node, sizeof *names);
  if (!names)
    return CW_ERROR_MEMORY;
  size_t count = 0;
  for (size_t i = 0; i < out->n_input; i++)
    names[count++] = out->input[i]->name;
  for (size_t i = 0; i < out->n_initializer; i++)
    names[count++] = out->initializer[i]->name;
  for (size_t i = 0; i < out->n_node; i++)
    names[count++] = out->node[i]->output[0];
  qsort(names, count, sizeof *names, compare_names);
  for (size_t i = 1; i < count; i++)
    if (!strcmp(names[i - 1], names[i]))
      return cw_fail(w->arena.context, CW_ERROR_ARGUMENT, "onnx: the file would have two values named '%s'", names[i]);
  return CW_OK;
}

cw_status cw_onnx_write_graph(cw_onnx_writer *w) {
  const cw_graph *graph = w->graph;
  const int values = cw_graph_value_count(graph), nodes = cw_graph_node_count(graph);
  cw_onnx_arena *arena = &w->arena;
  if (values > CW_ONNX_MOST_VALUES || nodes > CW_ONNX_MOST)
    return cw_fail(arena->context, CW_ERROR_UNSUPPORTED, "onnx: %d nodes are too many for a model file", nodes);
  w->out = cw_onnx_take(arena, 1, sizeof *w->out);
  w->alias = cw_onnx_take(arena, (size_t)values, sizeof *w->alias);
  w->experts = cw_onnx_take(arena, (size_t)values, sizeof *w->experts);
  if (!w->out || !w->alias || !w->experts)
    return CW_ERROR_MEMORY;
  CwOnnx__GraphProto *out = w->out;
  cw_onnx__graph_proto__init(out);
  out->name = "counterwarp";
  const size_t image_nodes = w->image ? CW_ONNX_IMAGE_NODES : 0, image_tensors = w->image ? CW_ONNX_IMAGE_TENSORS : 0;
  out->node = cw_onnx_take(arena, (size_t)nodes * NODES_OF_ONE + image_nodes, sizeof *out->node);
  out->initializer =
      cw_onnx_take(arena, (size_t)values + (size_t)nodes * TENSORS_OF_ONE + image_tensors, sizeof *out->initializer);
  out->input = cw_onnx_take(arena, (size_t)cw_graph_input_count(graph), sizeof *out->input);
  out->output = cw_onnx_take(arena, (size_t)cw_graph_output_count(graph) + 1, sizeof *out->output);
  if (!out->node || !out->initializer || !out->input || !out->output)
    return CW_ERROR_MEMORY;
  CW_TRY(survey(w));
  for (int i = 0; i < values; i++)
    if (cw_value_data(graph, i) && w->experts[i] != 4)
      CW_TRY(write_parameter(w, i));
  for (int i = 0; i < nodes; i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    CW_TRY(cw_onnx_write_node(w, &node));
  }
  for (int i = 0; i < cw_graph_input_count(graph); i++, out->n_input++)
    CW_TRY(describe(w, cw_graph_input_at(graph, i), &out->input[i]));
  for (int i = 0; i < cw_graph_output_count(graph); i++, out->n_output++) {
    const cw_value value = cw_graph_output_at(graph, i);
    if (strcmp(w->alias[value], w->output_names[i]) != 0)
      return cw_fail(arena->context, CW_ERROR_UNSUPPORTED,
                     "onnx: output '%s' is that of a dropout or of another output", w->output_names[i]);
    CW_TRY(describe(w, value, &out->output[i]));
  }
  if (w->image) {
    CW_TRY(cw_onnx_write_image(w, w->input_names[0], w->output_names[0], w->velocity));
    CW_TRY(describe(w, cw_graph_input_at(graph, 0), &out->output[out->n_output]));
    out->output[out->n_output++]->name = CW_ONNX_IMAGE_OUTPUT;
  }
  if (out->n_node > CW_ONNX_MOST || out->n_initializer > CW_ONNX_MOST)
    return cw_fail(arena->context, CW_ERROR_UNSUPPORTED,
                   "onnx: %zu nodes and %zu tensors are too many for a model file", out->n_node, out->n_initializer);
  return check_unique(w);
}
