#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

static int compare_definitions(const void *a, const void *b) {
  return strcmp(((const cw_onnx_definition *)a)->name, ((const cw_onnx_definition *)b)->name);
}

/* Initializers before an input of the same name. */
static int compare_all(const void *a, const void *b) {
  const int names = compare_definitions(a, b);
  return names ? names : (int)((const cw_onnx_definition *)b)->kind - (int)((const cw_onnx_definition *)a)->kind;
}

/* Files of old list the initializers among the inputs: these are none. */
static void drop_listed_initializers(cw_onnx_reader *r) {
  int kept = 0;
  for (int i = 0; i < r->definition_count; i++) {
    const cw_onnx_definition *d = &r->definitions[i], *before = kept ? &r->definitions[kept - 1] : NULL;
    if (d->kind == CW_ONNX_INPUT && before && before->kind == CW_ONNX_TENSOR && !strcmp(before->name, d->name))
      continue;
    r->definitions[kept++] = *d;
  }
  r->definition_count = kept;
}

static cw_onnx_definition *find_itself(const cw_onnx_reader *r, const char *name) {
  const cw_onnx_definition key = {.name = name};
  if (!*name)
    return NULL;
  return bsearch(&key, r->definitions, (size_t)r->definition_count, sizeof key, compare_definitions);
}

cw_onnx_definition *cw_onnx_find(const cw_onnx_reader *r, const char *name) {
  cw_onnx_definition *d = find_itself(r, name);
  while (d && d->same)
    d = d->same;
  return d;
}

cw_onnx_definition *cw_onnx_output(const cw_onnx_reader *r, const CwOnnx__NodeProto *node, size_t output) {
  return find_itself(r, node->output[output]);
}

static cw_onnx_definition *define(cw_onnx_reader *r, const char *name, cw_onnx_kind kind, size_t index) {
  cw_onnx_definition *d = &r->definitions[r->definition_count++];
  d->name = name;
  d->kind = kind;
  d->index = (int)index;
  d->value = CW_NONE;
  return d;
}

/* The tensor of a Constant node. */
static const CwOnnx__TensorProto *constant_tensor(const CwOnnx__NodeProto *node) {
  const CwOnnx__AttributeProto *value = cw_onnx_is(node, "Constant") ? cw_onnx_attribute(node, "value") : NULL;
  return value ? value->t : NULL;
}

static cw_status define_all(cw_onnx_reader *r) {
  const CwOnnx__GraphProto *in = r->in;
  for (size_t i = 0; i < in->n_initializer; i++)
    define(r, in->initializer[i]->name, CW_ONNX_TENSOR, i)->tensor = in->initializer[i];
  for (size_t i = 0; i < in->n_input; i++)
    define(r, in->input[i]->name, CW_ONNX_INPUT, i);
  for (size_t i = 0; i < in->n_node; i++) {
    const cw_onnx_operator *op;
    CW_TRY(cw_onnx_check_node(r->context, in->node[i], &op));
    for (size_t k = 0; k < in->node[i]->n_output; k++) {
      if (k && !*in->node[i]->output[k])
        continue;
      cw_onnx_definition *d = define(r, in->node[i]->output[k], CW_ONNX_NODE, i);
      d->output = (int)k;
      d->tensor = k ? NULL : constant_tensor(in->node[i]);
    }
  }
  return CW_OK;
}

/* All names, sorted; each may stand for one thing only. */
static cw_status index_names(cw_onnx_reader *r) {
  const CwOnnx__GraphProto *in = r->in;
  cw_context *context = r->context;
  char label[72];
  size_t outputs = 0;
  if (in->n_node > CW_ONNX_MOST || in->n_initializer > CW_ONNX_MOST || in->n_input > CW_ONNX_MOST ||
      in->n_output > CW_ONNX_MOST)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: more than %d nodes or tensors", CW_ONNX_MOST);
  for (size_t i = 0; i < in->n_node; i++)
    outputs += in->node[i]->n_output;
  if (outputs > CW_ONNX_MOST)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: more than %d nodes or tensors", CW_ONNX_MOST);
  r->definitions = cw_onnx_take(&r->arena, outputs + in->n_initializer + in->n_input, sizeof *r->definitions);
  r->needed = cw_onnx_take(&r->arena, in->n_node, sizeof *r->needed);
  r->absorbed = cw_onnx_take(&r->arena, in->n_node, sizeof *r->absorbed);
  r->cond_conv = cw_onnx_take(&r->arena, in->n_node, sizeof *r->cond_conv);
  if (!r->definitions || !r->needed || !r->absorbed || !r->cond_conv)
    return CW_ERROR_MEMORY;
  CW_TRY(define_all(r));
  qsort(r->definitions, (size_t)r->definition_count, sizeof *r->definitions, compare_all);
  drop_listed_initializers(r);
  for (int i = 0; i < r->definition_count; i++) {
    const cw_onnx_definition *d = &r->definitions[i];
    if (!*d->name)
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: an input, tensor or node output has no name");
    if (!cw_onnx_is_utf8(d->name))
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: the name '%s' is not UTF-8", cw_onnx_label(d->name, label));
    if (i && !strcmp(d[-1].name, d->name))
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: the name '%s' is given twice", cw_onnx_label(d->name, label));
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
      if (cw_onnx_is(node, "BatchNormalization") && k > 2)
        d->statistics = true;
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

static bool is_read(const cw_onnx_reader *r, const CwOnnx__ValueInfoProto *output) {
  const cw_onnx_request *q = r->request;
  if (q->choice && q->choice->name)
    return !strcmp(output->name, q->choice->name);
  if (q->choice)
    return output == r->in->output[0];
  return !q->leave_out || strcmp(output->name, q->leave_out) != 0;
}

/* After the order is known to be right: back from the outputs that are read. */
static void mark_needed(cw_onnx_reader *r) {
  for (size_t i = 0; i < r->in->n_output; i++)
    if (is_read(r, r->in->output[i]))
      r->needed[cw_onnx_find(r, r->in->output[i]->name)->index] = true;
  for (size_t i = r->in->n_node; i-- > 0;) {
    const CwOnnx__NodeProto *node = r->in->node[i];
    for (size_t k = 0; k < node->n_input && r->needed[i]; k++) {
      const cw_onnx_definition *d = cw_onnx_find(r, node->input[k]);
      if (d && d->kind == CW_ONNX_NODE)
        r->needed[d->index] = true;
    }
  }
}

/* Size of axis `axis`: the file's, or where that leaves it open the request's; 0 if nobody knows. */
static int64_t size_of(const cw_onnx_reader *r, const CwOnnx__TensorShapeProto__Dimension *d, int axis) {
  if (d->value_case == CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0)
    return d->dim_value;
  if (axis == 1)
    return r->request->input_size ? 1 : 0;
  return r->request->input_size && axis < 5 ? r->request->input_size[axis - 2] : 0;
}

static cw_status read_input(cw_onnx_reader *r, const CwOnnx__ValueInfoProto *info) {
  char label[72];
  cw_onnx_label(info->name, label);
  const CwOnnx__TypeProto *type = info->type;
  cw_onnx_definition *definition = cw_onnx_find(r, info->name);
  if (definition->kind != CW_ONNX_INPUT)
    return CW_OK;
  if (!type || type->value_case != CW_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type->shape ||
      !cw_onnx_is_float(type->tensor_type->elem_type))
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' is not a tensor of floats with a shape", label);
  const CwOnnx__TensorShapeProto *dims = type->tensor_type->shape;
  if (dims->n_dim < 1 || dims->n_dim > CW_MAX_RANK)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' has %zu axes, expected 1 to %d", label,
                   dims->n_dim, CW_MAX_RANK);
  cw_shape shape = {0};
  shape.rank = (int)dims->n_dim;
  shape.d[0] = CW_BATCH; /* whatever the file says: plans choose the batch */
  for (int i = 1; i < shape.rank; i++) {
    shape.d[i] = size_of(r, dims->dim[i], i);
    if (shape.d[i] <= 0 || shape.d[i] > INT32_MAX)
      return cw_fail(r->context, CW_ERROR_UNSUPPORTED,
                     "onnx: input '%s' has no fixed size on axis %d, which the import can give", label, i);
  }
  const int64_t elements = cw_shape_elements(&shape, 1);
  if (elements <= 0 || elements > INT32_MAX)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: input '%s' has too many elements", label);
  return cw_graph_input(r->context, r->graph, info->name, shape, &definition->value);
}

/* ---- values ---- */

/* Names are at most this long in the graph, so that prefixes can be put in front. */
enum { NAME = 160, TEXT = 2 * NAME + 40 };

/* A name that no other value has, now or later: the file's, or a number where that is very long or, with the part
 * behind it, another name of the file. */
static const char *fit_name(const cw_onnx_reader *r, const char *name, const char *part, char text[TEXT]) {
  if (strlen(name) + (part ? strlen(part) + 1 : 0) <= NAME) {
    snprintf(text, TEXT, "%s%s%s", name, part ? "/" : "", part ? part : "");
    if (!part || (!find_itself(r, text) && cw_graph_find(r->graph, text) == CW_NONE))
      return text;
  }
  for (int k = cw_graph_value_count(r->graph);; k++) {
    snprintf(text, TEXT, "value %d%s%s", k, part ? "/" : "", part ? part : "");
    if (!find_itself(r, text) && cw_graph_find(r->graph, text) == CW_NONE)
      return text;
  }
}

static cw_status load_parameter(cw_onnx_reader *r, cw_onnx_definition *d) {
  const CwOnnx__TensorProto *t = d->tensor;
  const int64_t one = 1;
  char name[TEXT], label[72];
  if (!cw_onnx_is_float(t->data_type) || !cw_onnx_elements(t))
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' is used as a weight and holds no floats",
                   cw_onnx_label(d->name, label));
  cw_shape shape = d->experts.rank ? d->experts : cw_shape_of((int)t->n_dims, t->dims);
  if (!shape.rank)
    shape = cw_shape_of(1, &one);
  bool trained = d->kind == CW_ONNX_TENSOR && !d->statistics;
  if (!strcmp(t->doc_string, "constant") || !strcmp(t->doc_string, "trained"))
    trained = *t->doc_string == 't';
  if (!cw_onnx_spend(&r->arena, cw_onnx_elements(t) * sizeof(float)))
    return CW_ERROR_MEMORY;
  CW_TRY(cw_graph_parameter(r->context, r->graph, fit_name(r, d->name, NULL, name), shape, trained, NULL, &d->value));
  return cw_onnx_floats(r, t, cw_value_data(r->graph, d->value));
}

static cw_status load_constant(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_onnx_definition *d) {
  const cw_onnx_constant *c = d->constant;
  const int64_t one = 1;
  char name[TEXT];
  for (size_t i = 0; i < c->count; i++)
    if (c->batch[i])
      return cw_onnx_refuse(r, node, "it computes with the size of the batch");
  if (!c->count)
    return cw_onnx_refuse(r, node, "a constant input has no elements");
  const cw_shape shape = c->rank ? cw_shape_of(c->rank, c->d) : cw_shape_of(1, &one);
  if (!cw_onnx_spend(&r->arena, c->count * sizeof(float)))
    return CW_ERROR_MEMORY;
  CW_TRY(cw_graph_parameter(r->context, r->graph, fit_name(r, d->name, NULL, name), shape, false, NULL, &d->value));
  for (size_t i = 0; i < c->count; i++)
    cw_value_data(r->graph, d->value)[i] = (float)c->v[i];
  return CW_OK;
}

cw_status cw_onnx_value(cw_onnx_reader *r, const CwOnnx__NodeProto *node, size_t input, cw_value *value) {
  *value = CW_NONE;
  if (input >= node->n_input || !*node->input[input])
    return CW_OK;
  cw_onnx_definition *d = cw_onnx_find(r, node->input[input]);
  if (d->value == CW_NONE) {
    if (d->tensor && cw_onnx_is_float(d->tensor->data_type))
      CW_TRY(load_parameter(r, d));
    else if (d->constant || d->tensor) {
      const cw_onnx_constant *constant;
      CW_TRY(cw_onnx_constant_of(r, d->name, &constant));
      if (!constant)
        return cw_onnx_refuse(r, node, "a constant input is too large");
      CW_TRY(load_constant(r, node, d));
    } else {
      return cw_onnx_refuse(r, node, "an input is an output that is not computed outside training");
    }
  }
  *value = d->value;
  return CW_OK;
}

/* The graph's sentence about a node, which it knows by its output, with the file's own name for it. */
static cw_status name_node(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_status status) {
  char label[72], op_type[72], reason[320];
  const char *message = cw_context_message(r->context), *behind = strstr(message, "): ");
  snprintf(reason, sizeof reason, "%s", !strncmp(message, "node '", 6) && behind ? behind + 3 : message);
  return cw_fail(r->context, status, "onnx: node '%s' (%s): %s", cw_onnx_node_label(node, label),
                 cw_onnx_label(node->op_type, op_type), reason);
}

cw_status cw_onnx_add(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *part, cw_operator op,
                      const cw_attributes *attributes, const cw_value *inputs, int count, cw_value *value) {
  char name[TEXT];
  const cw_status status = cw_graph_node(r->context, r->graph, op, fit_name(r, node->output[0], part, name), attributes,
                                         inputs, count, value);
  return status == CW_OK || status == CW_ERROR_MEMORY ? status : name_node(r, node, status);
}

void cw_onnx_define(cw_onnx_reader *r, const CwOnnx__NodeProto *node, size_t output, cw_value value) {
  cw_onnx_output(r, node, output)->value = value;
}

cw_status cw_onnx_give(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_operator op,
                       const cw_attributes *attributes, const cw_value *inputs, int count) {
  cw_value value;
  CW_TRY(cw_onnx_add(r, node, NULL, op, attributes, inputs, count, &value));
  cw_onnx_define(r, node, 0, value);
  return CW_OK;
}

cw_status cw_onnx_buffer(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *part, cw_shape shape,
                         const float *data, cw_value *value) {
  char name[TEXT];
  const int64_t count = cw_shape_elements(&shape, 1);
  if (count > 0 && !cw_onnx_spend(&r->arena, (size_t)count * sizeof(float)))
    return CW_ERROR_MEMORY;
  return cw_graph_parameter(r->context, r->graph, fit_name(r, node->output[0], part, name), shape, false, data, value);
}

/* ---- the whole ---- */

static cw_status read_node(cw_onnx_reader *r, int index) {
  const CwOnnx__NodeProto *node = r->in->node[index];
  bool folded;
  if (r->absorbed[index] || !r->needed[index])
    return CW_OK;
  if (r->cond_conv[index])
    return cw_onnx_read_cond_conv(r, index);
  CW_TRY(cw_onnx_fold(r, node, &folded));
  if (folded)
    return CW_OK;
  const cw_onnx_operator *op = cw_onnx_operator_named(node->op_type);
  return op->read ? op->read(r, node) : cw_onnx_refuse(r, node, "it is supported only where its inputs are constants");
}

static cw_status read_all(cw_onnx_reader *r) {
  const CwOnnx__GraphProto *in = r->in;
  CW_TRY(index_names(r));
  for (int i = 0; i < r->definition_count; i++)
    if (r->definitions[i].tensor)
      CW_TRY(cw_onnx_check_tensor(r, r->definitions[i].tensor));
  CW_TRY(check_order(r));
  mark_needed(r);
  for (size_t i = 0; i < in->n_node; i++)
    if (cw_onnx_is(in->node[i], "Conv"))
      CW_TRY(cw_onnx_match_cond_conv(r, (int)i));
  for (size_t i = 0; i < in->n_input; i++)
    CW_TRY(read_input(r, in->input[i]));
  for (size_t i = 0; i < in->n_node; i++) {
    CW_TRY(read_node(r, (int)i));
    if (cw_graph_value_count(r->graph) > CW_ONNX_MOST_VALUES)
      return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: the network has more than %d values",
                     (int)CW_ONNX_MOST_VALUES);
  }
  if (r->request->choice)
    return cw_onnx_choose_output(r);
  for (size_t i = 0; i < in->n_output; i++) {
    const cw_onnx_definition *d = cw_onnx_find(r, in->output[i]->name);
    char label[72];
    if (!is_read(r, in->output[i]))
      continue;
    if (d->value == CW_NONE)
      return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: output '%s' does not depend on the input",
                     cw_onnx_label(in->output[i]->name, label));
    CW_TRY(cw_graph_output(r->context, r->graph, d->value));
  }
  return CW_OK;
}

cw_status cw_onnx_read_graph(cw_context *context, const CwOnnx__GraphProto *in, const cw_onnx_request *request,
                             cw_graph **graph) {
  cw_onnx_reader reader = {0};
  reader.context = reader.arena.context = context;
  reader.in = in;
  reader.request = request;
  reader.arena.limited = true;
  reader.arena.left = CW_ONNX_ON_TOP + CW_ONNX_PER_BYTE * request->bytes;
  CW_TRY(cw_graph_create(context, &reader.graph));
  cw_status status = read_all(&reader);
  if (status != CW_OK && reader.arena.exceeded)
    status = cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: the network takes more memory than its bytes justify");
  cw_onnx_arena_free(&reader.arena);
  if (status == CW_OK)
    *graph = reader.graph;
  else
    cw_graph_free(context, reader.graph);
  return status;
}
