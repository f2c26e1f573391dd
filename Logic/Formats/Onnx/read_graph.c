#include <stdlib.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

const char *cw_onnx_node_label(const CwOnnx__NodeProto *node, char label[72]) {
  return cw_onnx_label(*node->name || !node->n_output ? node->name : node->output[0], label);
}

static int compare_definitions(const void *a, const void *b) {
  return strcmp(((const cw_onnx_definition *)a)->name, ((const cw_onnx_definition *)b)->name);
}

cw_onnx_definition *cw_onnx_find(const cw_onnx_reader *r, const char *name) {
  const cw_onnx_definition key = {.name = name};
  if (!*name)
    return NULL;
  return bsearch(&key, r->definitions, (size_t)r->definition_count, sizeof key, compare_definitions);
}

static void define(cw_onnx_reader *r, const char *name, cw_onnx_kind kind, size_t index) {
  cw_onnx_definition *d = &r->definitions[r->definition_count++];
  d->name = name;
  d->kind = kind;
  d->index = (int)index;
  d->value = CW_NONE;
}

/* All names, sorted; each may stand for one thing only. */
static cw_status index_names(cw_onnx_reader *r) {
  const CwOnnx__GraphProto *in = r->in;
  cw_context *context = r->context;
  char label[72];
  if (in->n_node > CW_ONNX_MOST || in->n_initializer > CW_ONNX_MOST || in->n_input > CW_ONNX_MOST ||
      in->n_output > CW_ONNX_MOST)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: more than %d nodes or tensors", CW_ONNX_MOST);
  const size_t count = in->n_node + in->n_initializer + in->n_input;
  r->definitions = cw_onnx_take(&r->arena, count, sizeof *r->definitions);
  r->of_node = cw_onnx_take(&r->arena, in->n_node, sizeof *r->of_node);
  r->of_tensor = cw_onnx_take(&r->arena, in->n_initializer, sizeof *r->of_tensor);
  r->absorbed = cw_onnx_take(&r->arena, in->n_node, sizeof *r->absorbed);
  r->cond_conv = cw_onnx_take(&r->arena, in->n_node, sizeof *r->cond_conv);
  if (!r->definitions || !r->of_node || !r->of_tensor || !r->absorbed || !r->cond_conv)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < in->n_input; i++)
    define(r, in->input[i]->name, CW_ONNX_INPUT, i);
  for (size_t i = 0; i < in->n_initializer; i++)
    define(r, in->initializer[i]->name, CW_ONNX_TENSOR, i);
  for (size_t i = 0; i < in->n_node; i++) {
    CW_TRY(cw_onnx_check_node(context, in->node[i]));
    define(r, in->node[i]->output[0], CW_ONNX_NODE, i);
  }
  qsort(r->definitions, count, sizeof *r->definitions, compare_definitions);
  for (size_t i = 0; i < count; i++) {
    cw_onnx_definition *d = &r->definitions[i];
    if (!*d->name)
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: an input, tensor or node output has no name");
    if (!cw_onnx_is_utf8(d->name))
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: the name '%s' is not UTF-8", cw_onnx_label(d->name, label));
    if (i && !strcmp(d[-1].name, d->name))
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: the name '%s' is given twice", cw_onnx_label(d->name, label));
    if (d->kind == CW_ONNX_NODE)
      r->of_node[d->index] = d;
    else if (d->kind == CW_ONNX_TENSOR)
      r->of_tensor[d->index] = d;
  }
  return CW_OK;
}

/* Every input of a node is known and computed before; uses are counted. */
static cw_status check_order(cw_onnx_reader *r) {
  char label[72], name[72];
  for (size_t i = 0; i < r->in->n_node; i++) {
    const CwOnnx__NodeProto *node = r->in->node[i];
    for (size_t k = 0; k < node->n_input; k++) {
      if (!*node->input[k])
        continue;
      cw_onnx_definition *d = cw_onnx_find(r, node->input[k]);
      if (!d)
        return cw_fail(r->context, CW_ERROR_FORMAT, "onnx: node '%s' reads '%s', which nothing provides",
                       cw_onnx_node_label(node, label), cw_onnx_label(node->input[k], name));
      if (d->kind == CW_ONNX_NODE && d->index >= (int)i)
        return cw_fail(r->context, CW_ERROR_FORMAT, "onnx: node '%s' reads '%s', which is not computed before it",
                       cw_onnx_node_label(node, label), cw_onnx_label(node->input[k], name));
      d->uses++;
    }
  }
  for (size_t i = 0; i < r->in->n_output; i++) {
    cw_onnx_definition *d = cw_onnx_find(r, r->in->output[i]->name);
    if (!d || d->kind != CW_ONNX_NODE)
      return cw_fail(r->context, CW_ERROR_FORMAT, "onnx: output '%s' is computed by no node",
                     cw_onnx_label(r->in->output[i]->name, label));
    d->uses++;
  }
  return CW_OK;
}

static cw_status read_input(cw_onnx_reader *r, const CwOnnx__ValueInfoProto *info) {
  char label[72];
  cw_onnx_label(info->name, label);
  const CwOnnx__TypeProto *type = info->type;
  if (!type || type->value_case != CW_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type->shape ||
      type->tensor_type->elem_type != CW_ONNX_FLOAT)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' is not a float32 tensor of known shape", label);
  const CwOnnx__TensorShapeProto *dims = type->tensor_type->shape;
  if (dims->n_dim < 1 || dims->n_dim > CW_MAX_RANK)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' has %zu axes, expected 1 to %d", label,
                   dims->n_dim, CW_MAX_RANK);
  cw_shape shape = {0};
  shape.rank = (int)dims->n_dim;
  shape.d[0] = CW_BATCH; /* whatever the file says: plans choose the batch */
  for (int i = 1; i < shape.rank; i++) {
    const CwOnnx__TensorShapeProto__Dimension *d = dims->dim[i];
    const bool fixed = d->value_case == CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (!fixed || d->dim_value <= 0 || d->dim_value > INT32_MAX)
      return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' has no fixed size on axis %d", label, i);
    shape.d[i] = d->dim_value;
  }
  const int64_t elements = cw_shape_elements(&shape, 1);
  if (elements <= 0 || elements > INT32_MAX)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' has too many elements", label);
  return cw_graph_input(r->context, r->graph, info->name, shape, &cw_onnx_find(r, info->name)->value);
}

static cw_status read_parameter(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor, cw_onnx_definition *d) {
  if (d->role == CW_ONNX_WINDOW || d->role == CW_ONNX_NUMBERS)
    return CW_OK;
  if (tensor->data_type != CW_ONNX_FLOAT) {
    char label[72];
    if (d->role == CW_ONNX_UNUSED)
      return CW_OK;
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' is used as a weight and is not float32",
                   cw_onnx_label(tensor->name, label));
  }
  cw_shape shape = cw_shape_of((int)tensor->n_dims, tensor->dims);
  if (d->role == CW_ONNX_EXPERTS)
    shape = d->experts;
  bool trained = !d->statistics;
  if (!strcmp(tensor->doc_string, "constant") || !strcmp(tensor->doc_string, "trained"))
    trained = *tensor->doc_string == 't';
  CW_TRY(cw_graph_parameter(r->context, r->graph, tensor->name, shape, trained, NULL, &d->value));
  cw_onnx_floats(tensor, (size_t)cw_shape_elements(&shape, 1), cw_value_data(r->graph, d->value));
  return CW_OK;
}

static cw_status read_all(cw_onnx_reader *r) {
  const CwOnnx__GraphProto *in = r->in;
  size_t elements;
  CW_TRY(index_names(r));
  for (size_t i = 0; i < in->n_initializer; i++)
    CW_TRY(cw_onnx_check_tensor(r->context, in->initializer[i], &elements));
  CW_TRY(check_order(r));
  for (size_t i = 0; i < in->n_node; i++)
    if (cw_onnx_is(in->node[i], "Conv"))
      CW_TRY(cw_onnx_match_cond_conv(r, (int)i));
  for (size_t i = 0; i < in->n_node; i++)
    CW_TRY(cw_onnx_mark_roles(r, (int)i));
  for (size_t i = 0; i < in->n_input; i++)
    CW_TRY(read_input(r, in->input[i]));
  for (size_t i = 0; i < in->n_initializer; i++)
    CW_TRY(read_parameter(r, in->initializer[i], r->of_tensor[i]));
  for (size_t i = 0; i < in->n_node; i++)
    if (!r->absorbed[i])
      CW_TRY(cw_onnx_read_node(r, (int)i));
  for (size_t i = 0; i < in->n_output; i++)
    CW_TRY(cw_graph_output(r->context, r->graph, cw_onnx_find(r, in->output[i]->name)->value));
  return CW_OK;
}

cw_status cw_onnx_read_graph(cw_context *context, const CwOnnx__GraphProto *in, cw_graph **graph) {
  cw_onnx_reader reader = {0};
  reader.context = reader.arena.context = context;
  reader.in = in;
  CW_TRY(cw_graph_create(context, &reader.graph));
  const cw_status status = read_all(&reader);
  cw_onnx_arena_free(&reader.arena);
  if (status == CW_OK)
    *graph = reader.graph;
  else
    cw_graph_free(context, reader.graph);
  return status;
}
