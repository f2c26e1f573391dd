/* Convolutions and pooling: windows that move over three axes. */
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

enum { MOST_EXTENT = 1024 };

/* kernel, stride, pads and dilation; kernel holds what is known already. */
static cw_status read_window(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_attributes *a) {
  if (!cw_onnx_attribute_ints(node, "kernel_shape", 3, 1, MOST_EXTENT, a->kernel) ||
      !cw_onnx_attribute_ints(node, "strides", 3, 1, MOST_EXTENT, a->stride) ||
      !cw_onnx_attribute_ints(node, "dilations", 3, 1, MOST_EXTENT, a->dilation) ||
      !cw_onnx_attribute_ints(node, "pads", 6, 0, MOST_EXTENT, a->pads))
    return cw_onnx_refuse(r, node,
                          "expected three sizes for kernel, stride and dilation and six for pads, within 0 to 1024");
  return CW_OK;
}

/* auto_pad: so many samples around that the output has ceil(in / stride), the odd one at the end (SAME_UPPER) or at the
 * beginning (SAME_LOWER). */
static cw_status pad_by_rule(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *x, cw_attributes *a) {
  if (cw_onnx_attribute_is(node, "auto_pad", "NOTSET", true))
    return CW_OK;
  memset(a->pads, 0, sizeof a->pads);
  if (cw_onnx_attribute_is(node, "auto_pad", "VALID", false))
    return CW_OK;
  const bool upper = cw_onnx_attribute_is(node, "auto_pad", "SAME_UPPER", false);
  if ((!upper && !cw_onnx_attribute_is(node, "auto_pad", "SAME_LOWER", false)) || x->rank != 5)
    return cw_onnx_refuse(r, node, "auto_pad should be NOTSET, VALID, SAME_UPPER or SAME_LOWER, over three axes");
  for (int i = 0; i < 3; i++) {
    const int64_t out = (x->d[2 + i] + a->stride[i] - 1) / a->stride[i];
    int64_t pad = (out - 1) * a->stride[i] + (int64_t)a->dilation[i] * (a->kernel[i] - 1) + 1 - x->d[2 + i];
    pad = pad < 0 ? 0 : pad;
    a->pads[i] = (int)(upper ? pad / 2 : pad - pad / 2);
    a->pads[3 + i] = (int)(pad - a->pads[i]);
  }
  return CW_OK;
}

/* The attributes that a convolution's weights tell; first: axis of W where the kernel begins. */
static cw_status read_kernel(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *weight, int first,
                             cw_attributes *a) {
  if (weight->rank != first + 3)
    return cw_onnx_refuse(r, node, "only convolutions over three axes are supported");
  int kernel[3];
  for (int i = 0; i < 3; i++) {
    if (weight->d[first + i] > MOST_EXTENT || weight->d[first + i] < 1)
      return cw_onnx_refuse(r, node, "the kernel has more than 1024 taps along an axis");
    kernel[i] = a->kernel[i] = (int)weight->d[first + i];
  }
  CW_TRY(read_window(r, node, a));
  if (memcmp(kernel, a->kernel, sizeof kernel) != 0)
    return cw_onnx_refuse(r, node, "kernel_shape differs from the weights' shape");
  const int64_t groups = cw_onnx_attribute_int(node, "group", 1);
  if (groups < 1 || groups > INT32_MAX)
    return cw_onnx_refuse(r, node, "the number of groups does not fit the weights");
  a->groups = (int)groups;
  double noted;
  if (cw_onnx_note(node, "ratio", 0, 0.999, &noted))
    a->ratio = (float)noted;
  a->frozen = cw_onnx_note(node, "frozen", 1, 1, &noted);
  return CW_OK;
}

static cw_status read_values(cw_onnx_reader *r, const CwOnnx__NodeProto *node, int count, cw_value *values) {
  for (int k = 0; k < count; k++)
    CW_TRY(cw_onnx_value(r, node, (size_t)k, &values[k]));
  return CW_OK;
}

cw_status cw_onnx_read_conv(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value in[3];
  CW_TRY(read_values(r, node, 3, in));
  CW_TRY(read_kernel(r, node, cw_value_shape(r->graph, in[1]), 2, &a));
  CW_TRY(pad_by_rule(r, node, cw_value_shape(r->graph, in[0]), &a));
  return cw_onnx_give(r, node, CW_OP_CONV, &a, in, 3);
}

cw_status cw_onnx_read_cond_conv(cw_onnx_reader *r, int index) {
  const CwOnnx__NodeProto *node = r->in->node[index];
  const cw_onnx_cond_conv *c = r->cond_conv[index];
  const cw_onnx_definition *const parts[6] = {c->x,    c->direction,      c->experts,
                                              c->bias, c->routing_weight, c->routing_bias};
  cw_attributes a = cw_attributes_default();
  cw_value in[6];
  for (int k = 0; k < 6; k++) {
    char *name = (char *)parts[k]->name; /* the schema's strings are not const; nothing is written through it */
    const CwOnnx__NodeProto reads = {.base = node->base,
                                     .n_input = 1,
                                     .input = &name,
                                     .name = node->name,
                                     .op_type = node->op_type,
                                     .output = node->output,
                                     .n_output = node->n_output};
    CW_TRY(cw_onnx_value(r, &reads, 0, &in[k]));
  }
  CW_TRY(read_kernel(r, node, cw_value_shape(r->graph, in[2]), 3, &a));
  CW_TRY(pad_by_rule(r, node, cw_value_shape(r->graph, in[0]), &a));
  return cw_onnx_give(r, node, CW_OP_COND_CONV, &a, in, 6);
}

/* output_shape asks for the pads that give it, the odd one at the beginning unless auto_pad is SAME_UPPER. */
static cw_status shape_wanted(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *x, cw_attributes *a) {
  int wanted[3] = {0, 0, 0};
  const bool given = cw_onnx_attribute(node, "output_shape") != NULL;
  const bool same = !cw_onnx_attribute_is(node, "auto_pad", "NOTSET", true) &&
                    !cw_onnx_attribute_is(node, "auto_pad", "VALID", false);
  if (!given && !same)
    return CW_OK;
  if (x->rank != 5 || !cw_onnx_attribute_ints(node, "output_shape", 3, 1, INT32_MAX, wanted))
    return cw_onnx_refuse(r, node, "expected an output_shape of three sizes");
  const bool upper = cw_onnx_attribute_is(node, "auto_pad", "SAME_UPPER", false);
  for (int i = 0; i < 3; i++) {
    const int64_t out = given ? wanted[i] : x->d[2 + i] * a->stride[i];
    const int64_t full =
        (x->d[2 + i] - 1) * a->stride[i] + a->more[i] + (int64_t)a->dilation[i] * (a->kernel[i] - 1) + 1;
    const int64_t pad = full - out;
    if (pad < 0 || pad > 2 * MOST_EXTENT)
      return cw_onnx_refuse(r, node, "the output cannot have the shape that is asked for");
    a->pads[i] = (int)(upper ? pad / 2 : pad - pad / 2);
    a->pads[3 + i] = (int)(pad - a->pads[i]);
  }
  return CW_OK;
}

cw_status cw_onnx_read_conv_transpose(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value in[3];
  CW_TRY(read_values(r, node, 3, in));
  CW_TRY(read_kernel(r, node, cw_value_shape(r->graph, in[1]), 2, &a));
  if (!cw_onnx_attribute_ints(node, "output_padding", 3, 0, MOST_EXTENT, a.more))
    return cw_onnx_refuse(r, node, "expected three sizes for output_padding");
  CW_TRY(shape_wanted(r, node, cw_value_shape(r->graph, in[0]), &a));
  return cw_onnx_give(r, node, CW_OP_CONV_TRANSPOSE, &a, in, 3);
}

cw_status cw_onnx_read_pool(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const bool max = cw_onnx_is(node, "MaxPool");
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  if (!cw_onnx_attribute(node, "kernel_shape"))
    return cw_onnx_refuse(r, node, "kernel_shape is missing");
  if (cw_onnx_attribute_int(node, "storage_order", 0))
    return cw_onnx_refuse(r, node, "storage_order is not supported");
  CW_TRY(read_window(r, node, &a));
  CW_TRY(pad_by_rule(r, node, cw_value_shape(r->graph, x), &a));
  a.ceil_mode = cw_onnx_attribute_int(node, "ceil_mode", 0) != 0;
  a.count_pads = !max && cw_onnx_attribute_int(node, "count_include_pad", 0) != 0;
  return cw_onnx_give(r, node, max ? CW_OP_MAX_POOL : CW_OP_AVERAGE_POOL, &a, &x, 1);
}
