#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

static uint64_t little_endian(const uint8_t *bytes, int count) {
  uint64_t bits = 0;
  for (int i = 0; i < count; i++)
    bits |= (uint64_t)bytes[i] << (8 * i);
  return bits;
}

static float float_at(const CwOnnx__TensorProto *tensor, size_t index) {
  if (tensor->n_float_data)
    return tensor->float_data[index];
  const uint32_t bits = (uint32_t)little_endian(tensor->raw_data.data + 4 * index, 4);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void cw_onnx_floats(const CwOnnx__TensorProto *tensor, size_t elements, float *out) {
  for (size_t i = 0; i < elements; i++)
    out[i] = float_at(tensor, i);
}

int64_t cw_onnx_int64(const CwOnnx__TensorProto *tensor, size_t index) {
  if (tensor->n_int64_data)
    return tensor->int64_data[index];
  const uint64_t bits = little_endian(tensor->raw_data.data + 8 * index, 8);
  int64_t value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static cw_status count_elements(cw_context *context, const CwOnnx__TensorProto *tensor, const char *name,
                                size_t *elements) {
  if (tensor->n_dims < 1 || tensor->n_dims > CW_MAX_RANK)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' has %zu axes, expected 1 to %d", name,
                   tensor->n_dims, CW_MAX_RANK);
  int64_t count = 1;
  for (size_t i = 0; i < tensor->n_dims; i++) {
    const int64_t d = tensor->dims[i];
    if (d <= 0 || d > INT32_MAX || count > INT32_MAX / d)
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: tensor '%s' has an unusable size %lld on axis %zu", name,
                     (long long)d, i);
    count *= d;
  }
  *elements = (size_t)count;
  return CW_OK;
}

cw_status cw_onnx_check_tensor(cw_context *context, const CwOnnx__TensorProto *tensor, size_t *elements) {
  char name[72];
  cw_onnx_label(tensor->name, name);
  if (tensor->n_external_data || tensor->data_location != CW_ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' keeps its data outside the file", name);
  if (tensor->data_type != CW_ONNX_FLOAT && tensor->data_type != CW_ONNX_INT64)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' has element type %d, expected float32 or int64",
                   name, (int)tensor->data_type);
  CW_TRY(count_elements(context, tensor, name, elements));
  const bool floats = tensor->data_type == CW_ONNX_FLOAT;
  const size_t items = floats ? tensor->n_float_data : tensor->n_int64_data;
  const size_t others = floats ? tensor->n_int64_data : tensor->n_float_data;
  const size_t bytes = tensor->raw_data.len, size = floats ? 4 : 8;
  const bool raw = bytes && !items && bytes % size == 0 && bytes / size == *elements;
  const bool listed = !bytes && items == *elements;
  if (others || (!raw && !listed))
    return cw_fail(context, CW_ERROR_FORMAT,
                   "onnx: tensor '%s' should hold %zu elements and has %zu bytes and %zu items", name, *elements, bytes,
                   items + others);
  for (size_t i = 0; floats && i < *elements; i++)
    if (!isfinite(float_at(tensor, i)))
      return cw_fail(context, CW_ERROR_NUMERIC, "onnx: tensor '%s' is not finite at element %zu", name, i);
  return CW_OK;
}
