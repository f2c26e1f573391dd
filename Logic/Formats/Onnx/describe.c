/* What a file says about itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

enum { MOST_SENTENCES = 32 };

static const char *type_name(int type) {
  static const char *const names[] = {"?",      "float32", "uint8",     "int8",       "uint16",  "int16",
                                      "int32",  "int64",   "string",    "bool",       "float16", "float64",
                                      "uint32", "uint64",  "complex64", "complex128", "bfloat16"};
  return type > 0 && type < (int)(sizeof names / sizeof *names) ? names[type] : "?";
}

/* "name: float32 N x 1 x 96 x 96 x 96"; axes without a size have their name. */
static cw_status describe_value(cw_context *context, const CwOnnx__ValueInfoProto *info, cw_strings *list) {
  char text[320], label[72];
  size_t used = (size_t)snprintf(text, sizeof text, "%s:", cw_onnx_label(info->name, label));
  const CwOnnx__TypeProto *type = info->type;
  if (!type || type->value_case != CW_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
    snprintf(text + used, sizeof text - used, " not a tensor");
    return cw_strings_append(context, list, text);
  }
  used += (size_t)snprintf(text + used, sizeof text - used, " %s", type_name(type->tensor_type->elem_type));
  const CwOnnx__TensorShapeProto *shape = type->tensor_type->shape;
  for (size_t i = 0; shape && i < shape->n_dim && i < 12 && used < sizeof text - 24; i++) {
    const CwOnnx__TensorShapeProto__Dimension *d = shape->dim[i];
    used += (size_t)snprintf(text + used, sizeof text - used, i ? " x " : " ");
    if (d->value_case == CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
      used += (size_t)snprintf(text + used, sizeof text - used, "%lld", (long long)d->dim_value);
    else if (d->value_case == CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && *d->dim_param)
      used += (size_t)snprintf(text + used, sizeof text - used, "%.12s", cw_onnx_label(d->dim_param, label));
    else
      used += (size_t)snprintf(text + used, sizeof text - used, "?");
  }
  return cw_strings_append(context, list, text);
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void first_size(const CwOnnx__ValueInfoProto *info, int64_t size[3]) {
  const CwOnnx__TypeProto *type = info->type;
  if (!type || type->value_case != CW_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type->shape ||
      type->tensor_type->shape->n_dim != 5)
    return;
  for (int i = 0; i < 3; i++) {
    const CwOnnx__TensorShapeProto__Dimension *d = type->tensor_type->shape->dim[2 + i];
    if (d->value_case == CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0)
      size[i] = d->dim_value;
  }
}

/* Inputs that are no initializers. */
static cw_status describe_inputs(cw_context *context, const CwOnnx__GraphProto *graph, cw_model_description *out) {
  const char **names = cw_allocate(context, graph->n_initializer + 1, sizeof *names);
  if (!names)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < graph->n_initializer; i++)
    names[i] = graph->initializer[i]->name;
  qsort(names, graph->n_initializer, sizeof *names, compare_texts);
  cw_status status = CW_OK;
  for (size_t i = 0; i < graph->n_input && i < CW_ONNX_MOST && status == CW_OK; i++) {
    const char *name = graph->input[i]->name;
    if (bsearch(&name, names, graph->n_initializer, sizeof *names, compare_texts))
      continue;
    if (!out->inputs.count)
      first_size(graph->input[i], out->input_size);
    status = describe_value(context, graph->input[i], &out->inputs);
  }
  cw_release(context, names);
  return status;
}

/* Numbers for each image, 0 if the file leaves one of the sizes open. */
static int64_t numbers_of(const CwOnnx__ValueInfoProto *info) {
  const CwOnnx__TypeProto *type = info->type;
  int64_t count = 1;
  if (!type || type->value_case != CW_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type->shape)
    return 0;
  for (size_t i = 1; i < type->tensor_type->shape->n_dim; i++) {
    const CwOnnx__TensorShapeProto__Dimension *d = type->tensor_type->shape->dim[i];
    if (d->value_case != CW_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE || d->dim_value < 1 ||
        d->dim_value > INT32_MAX / count)
      return 0;
    count *= d->dim_value;
  }
  return count;
}

static cw_status describe_values(cw_context *context, const CwOnnx__GraphProto *graph, cw_model_description *out) {
  CW_TRY(describe_inputs(context, graph, out));
  out->classes = graph->n_output ? numbers_of(graph->output[0]) : 0;
  for (size_t i = 0; i < graph->n_output && i < CW_ONNX_MOST; i++)
    CW_TRY(describe_value(context, graph->output[i], &out->outputs));
  return CW_OK;
}

/* Each operator with how often it occurs. */
static cw_status count_operators(cw_context *context, const CwOnnx__GraphProto *graph, cw_model_description *out) {
  const char **names = cw_allocate(context, graph->n_node + 1, sizeof *names);
  if (!names)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < graph->n_node; i++)
    names[i] = graph->node[i]->op_type;
  qsort(names, graph->n_node, sizeof *names, compare_texts);
  cw_status status = CW_OK;
  for (size_t i = 0, next; i < graph->n_node && status == CW_OK; i = next) {
    char text[120], label[72];
    for (next = i + 1; next < graph->n_node && !strcmp(names[i], names[next]); next++) {
    }
    snprintf(text, sizeof text, "%s %zu", cw_onnx_label(names[i], label), next - i);
    status = cw_strings_append(context, &out->operators, text);
  }
  cw_release(context, names);
  return status;
}

static cw_status find_unsupported(cw_context *context, const CwOnnx__GraphProto *graph, cw_model_description *out) {
  for (size_t i = 0; i < graph->n_node && out->unsupported.count < CW_ONNX_MOST; i++) {
    const cw_onnx_operator *op;
    const cw_status status = cw_onnx_check_node(context, graph->node[i], &op);
    if (status == CW_ERROR_MEMORY)
      return status;
    if (status != CW_OK)
      CW_TRY(cw_strings_append(context, &out->unsupported, cw_context_message(context)));
  }
  return CW_OK;
}

static cw_status count_weights(cw_context *context, const CwOnnx__GraphProto *graph, cw_model_description *out) {
  for (size_t i = 0; i < graph->n_initializer; i++) {
    const CwOnnx__TensorProto *t = graph->initializer[i];
    const char *file = cw_onnx_external_location(t);
    int64_t count = 1;
    for (size_t k = 0; k < t->n_dims && count; k++)
      count = t->dims[k] > 0 && count <= INT64_MAX / t->dims[k] ? count * t->dims[k] : 0;
    if (cw_onnx_is_float(t->data_type) && count <= INT64_MAX - out->parameters)
      out->parameters += count;
    if (*file && !cw_strings_contain(&out->files, file) && out->files.count < MOST_SENTENCES)
      CW_TRY(cw_strings_append(context, &out->files, file));
  }
  return CW_OK;
}

static cw_status describe(cw_context *context, const cw_onnx_file *file, cw_model_description *out) {
  const CwOnnx__ModelProto *proto = file->proto;
  char name[72], version[72], text[160];
  out->ir_version = proto->ir_version;
  out->opset = file->opset;
  snprintf(text, sizeof text, "%s %s", cw_onnx_label(proto->producer_name, name),
           cw_onnx_label(proto->producer_version, version));
  if (!(out->producer = cw_copy_string(context, text)))
    return CW_ERROR_MEMORY;
  CW_TRY(describe_values(context, proto->graph, out));
  CW_TRY(count_operators(context, proto->graph, out));
  CW_TRY(find_unsupported(context, proto->graph, out));
  CW_TRY(count_weights(context, proto->graph, out));
  for (size_t i = 0; i < proto->n_metadata_props && i < CW_ONNX_MOST; i++) {
    CW_TRY(cw_strings_append(context, &out->keys, proto->metadata_props[i]->key));
    CW_TRY(cw_strings_append(context, &out->values, proto->metadata_props[i]->value));
  }
  return CW_OK;
}

cw_status cw_model_describe(cw_context *context, const char *path, cw_model_description *description) {
  cw_onnx_file file;
  memset(description, 0, sizeof *description);
  CW_TRY(cw_onnx_open(context, path, &file));
  const cw_status status = describe(context, &file, description);
  if (status != CW_OK)
    cw_model_description_free(context, description);
  return cw_onnx_close(context, path, &file, status);
}

void cw_model_description_free(cw_context *context, cw_model_description *d) {
  cw_release(context, d->producer);
  cw_strings *const lists[] = {&d->inputs, &d->outputs, &d->operators, &d->unsupported,
                               &d->files,  &d->keys,    &d->values};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    cw_strings_free(context, lists[i]);
  memset(d, 0, sizeof *d);
}
