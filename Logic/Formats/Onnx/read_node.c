#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Formats/Onnx/onnx_internal.h"

enum { MOST_INPUTS = 8, MOST_EXTENT = 1024, MOST_SCALE = 64 };

static cw_status refuse(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *reason) {
  char label[72];
  return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: node '%s' (%s): %s", cw_onnx_node_label(node, label),
                 node->op_type, reason);
}

cw_status cw_onnx_mark_roles(cw_onnx_reader *r, int index) {
  const CwOnnx__NodeProto *node = r->in->node[index];
  for (size_t k = 0; k < node->n_input; k++) {
    cw_onnx_definition *d = cw_onnx_find(r, node->input[k]);
    if (!d || d->kind != CW_ONNX_TENSOR)
      continue;
    cw_onnx_role role = CW_ONNX_WEIGHT;
    if ((cw_onnx_is(node, "Reshape") || cw_onnx_is(node, "Resize")) && k > 0)
      role = CW_ONNX_NUMBERS;
    else if (cw_onnx_is(node, "Mul"))
      role = CW_ONNX_WINDOW;
    else if (cw_onnx_is(node, "MatMul") && r->absorbed[index])
      role = CW_ONNX_EXPERTS;
    if (d->role != CW_ONNX_UNUSED && d->role != role)
      return refuse(r, node, "one of its tensors also serves as something else");
    d->role = role;
    if (cw_onnx_is(node, "BatchNormalization") && k > 2)
      d->statistics = true;
  }
  return CW_OK;
}

/* kernel, stride, pads and dilation; kernel holds what is known already. */
static cw_status read_window(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_attributes *a) {
  if (!cw_onnx_attribute_is(node, "auto_pad", "NOTSET", true))
    return refuse(r, node, "padding by rule (auto_pad) is not supported");
  if (!cw_onnx_attribute_ints(node, "kernel_shape", 3, 1, MOST_EXTENT, a->kernel) ||
      !cw_onnx_attribute_ints(node, "strides", 3, 1, MOST_EXTENT, a->stride) ||
      !cw_onnx_attribute_ints(node, "dilations", 3, 1, MOST_EXTENT, a->dilation) ||
      !cw_onnx_attribute_ints(node, "pads", 6, 0, MOST_EXTENT, a->pads))
    return refuse(r, node, "expected three sizes for kernel, stride and dilation and six for pads, within 0 to 1024");
  return CW_OK;
}

static cw_status read_conv(cw_onnx_reader *r, int index, const cw_shape *weight, int first, cw_attributes *a) {
  const CwOnnx__NodeProto *node = r->in->node[index];
  if (weight->rank != first + 3)
    return refuse(r, node, "only convolutions over three axes are supported");
  int kernel[3];
  for (int i = 0; i < 3; i++) {
    if (weight->d[first + i] > MOST_EXTENT)
      return refuse(r, node, "the kernel has more than 1024 taps along an axis");
    kernel[i] = a->kernel[i] = (int)weight->d[first + i];
  }
  CW_TRY(read_window(r, node, a));
  if (memcmp(kernel, a->kernel, sizeof kernel) != 0)
    return refuse(r, node, "kernel_shape differs from the weights' shape");
  const int64_t groups = cw_onnx_attribute_int(node, "group", 1);
  if (groups < 1 || groups > weight->d[first - 2])
    return refuse(r, node, "the number of groups does not fit the weights");
  a->groups = (int)groups;
  double noted;
  if (cw_onnx_note(node, "ratio", 0, 0.999, &noted))
    a->ratio = (float)noted;
  a->frozen = cw_onnx_note(node, "frozen", 1, 1, &noted);
  return CW_OK;
}

static cw_status read_pool(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_attributes *a) {
  if (!cw_onnx_attribute(node, "kernel_shape"))
    return refuse(r, node, "kernel_shape is missing");
  if (cw_onnx_attribute_int(node, "ceil_mode", 0) || cw_onnx_attribute_int(node, "count_include_pad", 0) ||
      cw_onnx_attribute_int(node, "storage_order", 0))
    return refuse(r, node, "ceil_mode, count_include_pad and storage_order are not supported");
  return read_window(r, node, a);
}

static cw_status read_batch_norm(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_attributes *a) {
  const float momentum = cw_onnx_attribute_float(node, "momentum", 0.9f);
  double noted;
  a->epsilon = cw_onnx_attribute_float(node, "epsilon", 1e-5f);
  a->momentum = cw_onnx_note(node, "momentum", 0, 1, &noted) ? (float)noted : 1 - momentum;
  a->frozen = cw_onnx_note(node, "frozen", 1, 1, &noted);
  if (cw_onnx_attribute_int(node, "training_mode", 0) || !(a->epsilon > 0 && a->epsilon <= 1) ||
      !(a->momentum >= 0 && a->momentum <= 1))
    return refuse(r, node, "expected inference mode, epsilon above 0 and momentum within 0 to 1");
  const cw_onnx_definition *variance = cw_onnx_find(r, node->input[4]);
  if (variance->kind != CW_ONNX_TENSOR)
    return refuse(r, node, "the running variance is not a stored tensor");
  const float *data = cw_value_data(r->graph, variance->value);
  const int64_t count = cw_shape_elements(cw_value_shape(r->graph, variance->value), 1);
  for (int64_t i = 0; i < count; i++)
    if (data[i] < 0)
      return refuse(r, node, "the running variance is negative");
  return CW_OK;
}

/* A constant tensor's description, for shapes and scales. */
static const CwOnnx__TensorProto *constant(const cw_onnx_reader *r, const char *name, int type, size_t least,
                                           size_t most) {
  const cw_onnx_definition *d = cw_onnx_find(r, name);
  const CwOnnx__TensorProto *t = d && d->kind == CW_ONNX_TENSOR ? r->in->initializer[d->index] : NULL;
  const bool fits =
      t && t->data_type == type && t->n_dims == 1 && (size_t)t->dims[0] >= least && (size_t)t->dims[0] <= most;
  return fits ? t : NULL;
}

static cw_status read_resize(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_operator *op, cw_attributes *a) {
  const bool nearest = cw_onnx_attribute_is(node, "mode", "nearest", true);
  const char *corner = "coordinate_transformation_mode";
  if (nearest ? !cw_onnx_attribute_is(node, corner, "asymmetric", false) ||
                    !cw_onnx_attribute_is(node, "nearest_mode", "floor", false)
              : !cw_onnx_attribute_is(node, "mode", "linear", false) ||
                    !cw_onnx_attribute_is(node, corner, "half_pixel", true))
    return refuse(r, node, "expected nearest (asymmetric, floor) or linear (half_pixel)");
  const CwOnnx__TensorProto *scales = constant(r, node->input[2], CW_ONNX_FLOAT, 5, 5);
  if (!scales)
    return refuse(r, node, "expected five constant scales");
  float s[5];
  cw_onnx_floats(scales, 5, s);
  if (s[0] != 1 || s[1] != 1)
    return refuse(r, node, "batch and channels cannot be resized");
  for (int i = 0; i < 3; i++) {
    if (!(s[i + 2] >= 1 && s[i + 2] <= MOST_SCALE) || s[i + 2] != floorf(s[i + 2]))
      return refuse(r, node, "expected whole scales of 1 to 64");
    a->scale[i] = (int)s[i + 2];
  }
  *op = nearest ? CW_OP_RESIZE_NEAREST : CW_OP_RESIZE_LINEAR;
  return CW_OK;
}

/* Elements of a sample; 0 if the shape has no batch axis in front. */
static int64_t sample_elements(const cw_shape *shape) {
  return shape->rank && shape->d[0] == CW_BATCH ? cw_shape_elements(shape, 1) : 0;
}

static cw_status read_reshape(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *in, cw_attributes *a) {
  const CwOnnx__TensorProto *target = constant(r, node->input[1], CW_ONNX_INT64, 1, CW_MAX_RANK);
  const int64_t elements = sample_elements(in);
  if (!target || !elements)
    return refuse(r, node, "expected a constant shape of 1 to 6 axes and an input with a batch axis");
  if (cw_onnx_attribute_int(node, "allowzero", 0))
    return refuse(r, node, "allowzero is not supported");
  int64_t product = 1;
  int open = 0;
  a->shape.rank = (int)target->dims[0];
  a->shape.d[0] = CW_BATCH; /* 0, -1 and a fixed batch mean the same once the rest is known to fit */
  for (int i = 1; i < a->shape.rank; i++) {
    int64_t d = cw_onnx_int64(target, (size_t)i);
    if (d == 0 && i < in->rank)
      d = in->d[i];
    if (d == -1 && !open)
      open = i;
    else if (d <= 0 || d > elements || product > elements / d)
      return refuse(r, node, "the shape does not fit the input");
    else
      product *= d;
    a->shape.d[i] = d;
  }
  const int64_t batch = cw_onnx_int64(target, 0);
  if (open)
    a->shape.d[open] = elements / product;
  if (elements % product || (!open && product != elements) || batch < -1 || (batch == -1 && open))
    return refuse(r, node, "the shape does not fit the input");
  return CW_OK;
}

static cw_status read_flatten(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *in, cw_attributes *a) {
  const int64_t elements = sample_elements(in);
  if (!elements || cw_onnx_attribute_int(node, "axis", 1) != 1)
    return refuse(r, node, "expected to flatten all but the batch axis");
  a->shape = CW_SHAPE(CW_BATCH, elements);
  return CW_OK;
}

/* True if the window is cw_taper's for this margin, up to the rounding of another machine's cosine.
 * scratch: a field of three components. */
static bool is_window(const int size[3], int margin, const float *window, float *scratch) {
  const size_t samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  for (size_t i = 0; i < 3 * samples; i++)
    scratch[i] = 1;
  cw_taper(size, margin, scratch, scratch);
  for (size_t i = 0; i < samples; i++)
    if (!(fabsf(scratch[i] - window[i]) <= 1e-5f))
      return false;
  return true;
}

/* A multiplication by a constant is read as a taper; the margin is the noted one, or found by trial. */
static cw_status read_taper(cw_onnx_reader *r, const CwOnnx__NodeProto *node, cw_value *in, cw_attributes *a) {
  cw_onnx_definition *first = cw_onnx_find(r, node->input[0]), *second = cw_onnx_find(r, node->input[1]);
  if ((first->kind == CW_ONNX_TENSOR) == (second->kind == CW_ONNX_TENSOR))
    return refuse(r, node, "only a multiplication by a stored window is supported");
  const cw_onnx_definition *x = first->kind == CW_ONNX_TENSOR ? second : first;
  const cw_onnx_definition *d = first->kind == CW_ONNX_TENSOR ? first : second;
  const CwOnnx__TensorProto *t = r->in->initializer[d->index];
  const cw_shape *shape = cw_value_shape(r->graph, x->value);
  bool fits = shape->rank == 5 && t->data_type == CW_ONNX_FLOAT && t->n_dims == 5 && t->dims[0] == 1 && t->dims[1] == 1;
  for (int i = 2; i < 5; i++)
    fits = fits && t->dims[i] == shape->d[i];
  if (!fits)
    return refuse(r, node, "expected a window of one value a voxel");
  const int size[3] = {(int)shape->d[4], (int)shape->d[3], (int)shape->d[2]};
  const size_t samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  float *window = cw_onnx_take(&r->arena, samples, sizeof *window);
  float *scratch = cw_onnx_take(&r->arena, 3 * samples, sizeof *scratch);
  if (!window || !scratch)
    return CW_ERROR_MEMORY;
  cw_onnx_floats(t, samples, window);
  double noted;
  const bool known_margin = cw_onnx_note(node, "margin", 0, MOST_EXTENT, &noted) && noted == floor(noted);
  const int least = known_margin ? (int)noted : 0, most = known_margin ? (int)noted : 32;
  for (a->margin = least; a->margin <= most; a->margin++)
    if (is_window(size, a->margin, window, scratch)) {
      *in = x->value;
      return CW_OK;
    }
  return refuse(r, node, "the constant is not a window that falls to zero at the faces");
}

static cw_status read_gemm(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  if (cw_onnx_attribute_float(node, "alpha", 1) != 1 || cw_onnx_attribute_float(node, "beta", 1) != 1 ||
      cw_onnx_attribute_int(node, "transA", 0) || cw_onnx_attribute_int(node, "transB", 0) != 1)
    return refuse(r, node, "expected x W^T + b (transB 1, alpha and beta 1)");
  return CW_OK;
}

/* Axis 1 is the only one for channels; -1 means the same where there are two axes. */
static cw_status check_axis(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *in) {
  const int64_t axis = cw_onnx_attribute_int(node, "axis", -1);
  return axis == 1 || (axis == -1 && in->rank == 2) ? CW_OK : refuse(r, node, "expected axis 1");
}

/* Operator and attributes; inputs hold the node's values and lose those that become attributes. */
static cw_status translate(cw_onnx_reader *r, int index, cw_operator *op, cw_attributes *a, cw_value *inputs,
                           int *count) {
  static const struct {
    const char *op_type;
    cw_operator op;
  } names[] = {{"Conv", CW_OP_CONV},       {"BatchNormalization", CW_OP_BATCH_NORM},
               {"Relu", CW_OP_RELU},       {"LeakyRelu", CW_OP_LEAKY_RELU},
               {"Sigmoid", CW_OP_SIGMOID}, {"Softmax", CW_OP_SOFTMAX},
               {"Add", CW_OP_ADD},         {"LogSoftmax", CW_OP_LOG_SOFTMAX},
               {"Gemm", CW_OP_GEMM},       {"MaxPool", CW_OP_MAX_POOL},
               {"Concat", CW_OP_CONCAT},   {"AveragePool", CW_OP_AVERAGE_POOL},
               {"Reshape", CW_OP_RESHAPE}, {"GlobalAveragePool", CW_OP_GLOBAL_AVERAGE_POOL},
               {"Flatten", CW_OP_RESHAPE}, {"Resize", CW_OP_RESIZE_NEAREST},
               {"Mul", CW_OP_TAPER}};
  const CwOnnx__NodeProto *node = r->in->node[index];
  *op = CW_OP_COUNT;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (cw_onnx_is(node, names[i].op_type))
      *op = names[i].op;
  const cw_shape none = {0};
  const cw_shape *in = inputs[0] == CW_NONE ? &none : cw_value_shape(r->graph, inputs[0]);
  switch (*op) {
    case CW_OP_CONV:
      return read_conv(r, index, cw_value_shape(r->graph, inputs[1]), 2, a);
    case CW_OP_BATCH_NORM:
      return read_batch_norm(r, node, a);
    case CW_OP_LEAKY_RELU:
      a->alpha = cw_onnx_attribute_float(node, "alpha", 0.01f);
      return isfinite(a->alpha) ? CW_OK : refuse(r, node, "alpha is not finite");
    case CW_OP_SOFTMAX:
    case CW_OP_LOG_SOFTMAX:
    case CW_OP_CONCAT:
      return check_axis(r, node, in);
    case CW_OP_MAX_POOL:
    case CW_OP_AVERAGE_POOL:
      return read_pool(r, node, a);
    case CW_OP_GEMM:
      return read_gemm(r, node);
    case CW_OP_RESIZE_NEAREST:
      *count = 1;
      return read_resize(r, node, op, a);
    case CW_OP_RESHAPE:
      *count = 1;
      return cw_onnx_is(node, "Flatten") ? read_flatten(r, node, in, a) : read_reshape(r, node, in, a);
    case CW_OP_TAPER:
      *count = 1;
      return read_taper(r, node, &inputs[0], a);
    case CW_OP_COUNT:
      return refuse(r, node, "this use of the operator is not supported");
    default:
      return CW_OK;
  }
}

cw_status cw_onnx_read_node(cw_onnx_reader *r, int index) {
  const CwOnnx__NodeProto *node = r->in->node[index];
  const cw_onnx_cond_conv *c = r->cond_conv[index];
  cw_attributes a = cw_attributes_default();
  cw_operator op;
  cw_value inputs[MOST_INPUTS];
  int count = (int)node->n_input;
  if (c) {
    const cw_value six[6] = {c->x->value,    c->direction->value,      c->experts->value,
                             c->bias->value, c->routing_weight->value, c->routing_bias->value};
    memcpy(inputs, six, sizeof six);
    count = 6;
    op = CW_OP_COND_CONV;
    CW_TRY(read_conv(r, index, cw_value_shape(r->graph, c->experts->value), 3, &a));
  } else {
    for (int k = 0; k < count; k++) {
      const cw_onnx_definition *d = cw_onnx_find(r, node->input[k]);
      inputs[k] = d ? d->value : CW_NONE;
    }
    CW_TRY(translate(r, index, &op, &a, inputs, &count));
  }
  return cw_graph_node(r->context, r->graph, op, node->output[0], &a, inputs, count, &r->of_node[index]->value);
}
