/* Tensors of every element type that holds numbers, as raw bytes, typed lists or in another file. */
#include <math.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

static uint64_t little_endian(const uint8_t *bytes, size_t count) {
  uint64_t bits = 0;
  for (size_t i = 0; i < count; i++)
    bits |= (uint64_t)bytes[i] << (8 * i);
  return bits;
}

static size_t size_of(int type) {
  switch (type) {
    case CW_ONNX_UINT8:
    case CW_ONNX_INT8:
    case CW_ONNX_BOOL:
      return 1;
    case CW_ONNX_FLOAT16:
    case CW_ONNX_BFLOAT16:
      return 2;
    case CW_ONNX_FLOAT:
    case CW_ONNX_INT32:
      return 4;
    case CW_ONNX_INT64:
    case CW_ONNX_DOUBLE:
      return 8;
    default:
      return 0;
  }
}

bool cw_onnx_is_float(int type) {
  return type == CW_ONNX_FLOAT || type == CW_ONNX_FLOAT16 || type == CW_ONNX_DOUBLE || type == CW_ONNX_BFLOAT16;
}

cw_onnx_precision cw_onnx_precision_of(int type) {
  return !cw_onnx_is_float(type) ? CW_ONNX_WHOLES : type == CW_ONNX_DOUBLE ? CW_ONNX_DOUBLES : CW_ONNX_FLOATS;
}

static float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* IEEE half precision: 1 sign, 5 exponent and 10 fraction bits. */
static double half_of_bits(uint32_t bits) {
  const int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
  double value;
  if (exponent == 31)
    value = fraction ? NAN : INFINITY;
  else
    value = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  return bits >> 15 & 1 ? -value : value;
}

static double number_of_bits(int type, uint64_t bits) {
  double wide;
  switch (type) {
    case CW_ONNX_FLOAT:
      return float_of_bits((uint32_t)bits);
    case CW_ONNX_FLOAT16:
      return half_of_bits((uint32_t)bits & 0xffff);
    case CW_ONNX_BFLOAT16:
      return float_of_bits((uint32_t)bits << 16);
    case CW_ONNX_DOUBLE:
      memcpy(&wide, &bits, sizeof wide);
      return wide;
    case CW_ONNX_INT8:
      return (double)(int8_t)(uint8_t)bits;
    case CW_ONNX_INT32:
      return (double)(int32_t)(uint32_t)bits;
    case CW_ONNX_INT64:
      return (double)(int64_t)bits;
    default:
      return (double)(uint8_t)bits;
  }
}

/* Number of items in the list that belongs to a type. */
static size_t listed(const CwOnnx__TensorProto *t) {
  switch (t->data_type) {
    case CW_ONNX_FLOAT:
      return t->n_float_data;
    case CW_ONNX_DOUBLE:
      return t->n_double_data;
    case CW_ONNX_INT64:
      return t->n_int64_data;
    default:
      return t->n_int32_data;
  }
}

size_t cw_onnx_elements(const CwOnnx__TensorProto *tensor) {
  size_t count = 1;
  for (size_t i = 0; i < tensor->n_dims; i++)
    count *= (size_t)tensor->dims[i];
  return count;
}

static bool is_external(const CwOnnx__TensorProto *tensor) {
  return tensor->data_location == CW_ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

cw_status cw_onnx_check_tensor(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor) {
  char name[72];
  cw_context *context = r->context;
  cw_onnx_label(tensor->name, name);
  const size_t size = size_of(tensor->data_type);
  if (!size)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' has element type %d, which is not supported", name,
                   (int)tensor->data_type);
  if (tensor->n_dims > CW_MAX_RANK)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: tensor '%s' has %zu axes, expected at most %d", name,
                   tensor->n_dims, CW_MAX_RANK);
  int64_t count = 1;
  for (size_t i = 0; i < tensor->n_dims; i++) {
    const int64_t d = tensor->dims[i];
    if (d < 0 || d > INT32_MAX || (d && count > INT32_MAX / d))
      return cw_fail(context, CW_ERROR_FORMAT, "onnx: tensor '%s' has an unusable size %lld on axis %zu", name,
                     (long long)d, i);
    count *= d;
  }
  const size_t elements = (size_t)count, items = listed(tensor), bytes = tensor->raw_data.len;
  const size_t others =
      tensor->n_float_data + tensor->n_double_data + tensor->n_int32_data + tensor->n_int64_data - items;
  const bool fits = is_external(tensor) ? !bytes && !items
                    : bytes             ? !items && bytes % size == 0 && bytes / size == elements
                                        : items == elements;
  if (others || !fits)
    return cw_fail(context, CW_ERROR_FORMAT,
                   "onnx: tensor '%s' should hold %zu elements and has %zu bytes and %zu items", name, elements, bytes,
                   items + others);
  /* Before anything is allocated for it. */
  return is_external(tensor) ? cw_onnx_external(r, tensor, elements * size, NULL) : CW_OK;
}

/* Raw bytes, wherever they are; NULL where the numbers are listed.  *fetched is to be released. */
static cw_status raw(cw_onnx_reader *r, const CwOnnx__TensorProto *t, const uint8_t **bytes, uint8_t **fetched) {
  *fetched = NULL;
  if (is_external(t))
    CW_TRY(cw_onnx_external(r, t, cw_onnx_elements(t) * size_of(t->data_type), fetched));
  *bytes = *fetched ? *fetched : t->raw_data.len ? t->raw_data.data : NULL;
  return CW_OK;
}

static double number_at(const CwOnnx__TensorProto *t, const uint8_t *bytes, size_t i) {
  const size_t size = size_of(t->data_type);
  if (bytes)
    return number_of_bits(t->data_type, little_endian(bytes + i * size, size));
  switch (t->data_type) {
    case CW_ONNX_FLOAT:
      return t->float_data[i];
    case CW_ONNX_DOUBLE:
      return t->double_data[i];
    case CW_ONNX_INT64:
      return (double)t->int64_data[i];
    default:
      return number_of_bits(t->data_type, (uint32_t)t->int32_data[i]);
  }
}

cw_status cw_onnx_numbers(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor, double *out) {
  const uint8_t *bytes;
  uint8_t *fetched;
  const size_t elements = cw_onnx_elements(tensor);
  CW_TRY(raw(r, tensor, &bytes, &fetched));
  for (size_t i = 0; i < elements; i++)
    out[i] = number_at(tensor, bytes, i);
  cw_release(r->context, fetched);
  return CW_OK;
}

cw_status cw_onnx_floats(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor, float *out) {
  const uint8_t *bytes;
  uint8_t *fetched;
  const size_t elements = cw_onnx_elements(tensor);
  char name[72];
  CW_TRY(raw(r, tensor, &bytes, &fetched));
  cw_status status = CW_OK;
  for (size_t i = 0; i < elements && status == CW_OK; i++) {
    out[i] = (float)number_at(tensor, bytes, i);
    if (!isfinite(out[i]))
      status = cw_fail(r->context, CW_ERROR_NUMERIC, "onnx: tensor '%s' is not finite at element %zu",
                       cw_onnx_label(tensor->name, name), i);
  }
  cw_release(r->context, fetched);
  return status;
}
