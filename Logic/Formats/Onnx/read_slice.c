/* Slice, split, gather, pad and resize. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

enum { MOST_SCALE = 64, MOST_INDEX = 1 << 24 }; /* indices are floats in the graph */

/* A slice of everything. */
static cw_attributes whole(const cw_shape *shape) {
  cw_attributes a = cw_attributes_default();
  a.shape = *shape;
  return a;
}

/* first : last : step of an axis, as numpy reads them. */
static bool cut(cw_attributes *a, int axis, int64_t first, int64_t last, int64_t step) {
  const int64_t size = a->shape.d[axis];
  if (!step || step > INT32_MAX || step < -INT32_MAX || size == CW_BATCH)
    return size == CW_BATCH && step == 1 && first == 0 && last >= INT32_MAX;
  first = first < 0 ? first + size : first;
  last = last < 0 ? last + size : last;
  if (step > 0) {
    first = first < 0 ? 0 : first;
    last = last > size ? size : last;
  } else {
    first = first > size - 1 ? size - 1 : first;
    last = last < -1 ? -1 : last;
  }
  const int64_t span = step > 0 ? last - first : first - last;
  if (span <= 0)
    return false;
  a->begin[axis] = (int)first;
  a->step[axis] = (int)step;
  a->shape.d[axis] = (span - 1) / (step > 0 ? step : -step) + 1;
  if (a->shape.d[axis] == 1)
    a->step[axis] = 1;
  return true;
}

cw_status cw_onnx_read_slice(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  int64_t starts[CW_MAX_RANK], ends[CW_MAX_RANK], axes[CW_MAX_RANK], steps[CW_MAX_RANK];
  int counts[4];
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_integers(r, node, 1, "starts", CW_MAX_RANK, starts, &counts[0]));
  CW_TRY(cw_onnx_integers(r, node, 2, "ends", CW_MAX_RANK, ends, &counts[1]));
  CW_TRY(cw_onnx_integers(r, node, 3, "axes", CW_MAX_RANK, axes, &counts[2]));
  CW_TRY(cw_onnx_integers(r, node, 4, NULL, CW_MAX_RANK, steps, &counts[3]));
  cw_attributes a = whole(cw_value_shape(r->graph, x));
  bool fits = counts[0] > 0 && counts[1] == counts[0] && counts[0] <= a.shape.rank &&
              (!counts[2] || counts[2] == counts[0]) && (!counts[3] || counts[3] == counts[0]);
  unsigned seen = 0;
  for (int i = 0; i < counts[0] && fits; i++) {
    const int axis = counts[2] ? cw_onnx_axis(axes[i], a.shape.rank) : i;
    fits = axis >= 0 && !(seen >> axis & 1) && cut(&a, axis, starts[i], ends[i], counts[3] ? steps[i] : 1);
    seen |= axis < 0 ? 0 : 1u << axis;
  }
  if (!fits)
    return cw_onnx_refuse(r, node, "the slice is empty, cuts the batch or does not fit the input");
  return cw_onnx_give(r, node, CW_OP_SLICE, &a, &x, 1);
}

cw_status cw_onnx_read_split(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  enum { MOST = 256 };
  int64_t sizes[MOST];
  int count;
  cw_value x, y;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_integers(r, node, 1, "split", MOST, sizes, &count));
  const cw_shape in = *cw_value_shape(r->graph, x);
  const int axis = cw_onnx_axis(cw_onnx_attribute_int(node, "axis", 0), in.rank);
  if (axis < 0 || in.d[axis] == CW_BATCH || node->n_output > MOST || (count && (size_t)count != node->n_output))
    return cw_onnx_refuse(r, node, "the axis or the number of parts does not fit the input");
  const int64_t parts = (int64_t)node->n_output, each = (in.d[axis] + parts - 1) / parts;
  int64_t at = 0;
  for (int64_t i = 0; i < parts; i++) {
    const int64_t size = count ? sizes[i] : in.d[axis] - at < each ? in.d[axis] - at : each;
    cw_attributes a = whole(&in);
    if (size < 1 || size > in.d[axis] - at)
      return cw_onnx_refuse(r, node, "the parts do not fit the input");
    a.begin[axis] = (int)at;
    a.shape.d[axis] = size;
    at += size;
    if (!*node->output[i])
      continue;
    char part[32];
    snprintf(part, sizeof part, "part %d", (int)i);
    CW_TRY(cw_onnx_add(r, node, part, CW_OP_SLICE, &a, &x, 1, &y));
    cw_onnx_define(r, node, (size_t)i, y);
  }
  return at == in.d[axis] ? CW_OK : cw_onnx_refuse(r, node, "the parts do not fit the input");
}

/* One index loses the axis and is a slice; the axes of several stand in its place. */
cw_status cw_onnx_read_gather(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const cw_onnx_constant *indices;
  cw_value x, in[2];
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_constant_of(r, node->input[1], &indices));
  const cw_shape shape = *cw_value_shape(r->graph, x);
  cw_attributes a = cw_attributes_default();
  a.axis = cw_onnx_axis(cw_onnx_attribute_int(node, "axis", 0), shape.rank);
  if (!indices || !indices->count || indices->precision != CW_ONNX_WHOLES || a.axis < 0 || shape.d[a.axis] == CW_BATCH)
    return cw_onnx_refuse(r, node, "expected constant indices along an axis that is not the batch");
  float *list = cw_onnx_take(&r->arena, indices->count, sizeof *list);
  if (!list)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < indices->count; i++) {
    const double at = indices->v[i] < 0 ? indices->v[i] + (double)shape.d[a.axis] : indices->v[i];
    if (indices->batch[i] || !(at >= 0 && at < (double)shape.d[a.axis] && at <= MOST_INDEX))
      return cw_onnx_refuse(r, node, "an index is outside the data");
    list[i] = (float)at;
  }
  cw_shape to = {0};
  if (shape.rank - 1 + indices->rank > CW_MAX_RANK)
    return cw_onnx_refuse(r, node, "the output would have more than 8 axes");
  for (int i = 0; i < shape.rank; i++)
    if (i != a.axis)
      to.d[to.rank++] = shape.d[i];
    else
      for (int k = 0; k < indices->rank; k++)
        to.d[to.rank++] = indices->d[k];
  if (!to.rank)
    to.d[to.rank++] = 1;
  if (!indices->rank) {
    cw_attributes one = whole(&shape);
    one.begin[a.axis] = (int)list[0];
    one.shape.d[a.axis] = 1;
    CW_TRY(cw_onnx_add(r, node, "one", CW_OP_SLICE, &one, &x, 1, &x));
  } else {
    in[0] = x;
    CW_TRY(cw_onnx_buffer(r, node, "indices", CW_SHAPE((int64_t)indices->count), list, &in[1]));
    CW_TRY(cw_onnx_add(r, node, indices->rank == 1 ? NULL : "list", CW_OP_GATHER, &a, in, 2, &x));
  }
  CW_TRY(cw_onnx_reshape(r, node, NULL, x, &to, &x));
  cw_onnx_define(r, node, 0, x);
  return CW_OK;
}

/* Pads that wrap around: along each axis a gather of the samples in turn, as the writer's operator set has no other
 * way. */
static cw_status wrap(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_attributes *pads, cw_value x) {
  int last = CW_MAX_RANK - 1;
  while (!pads->begin[last] && !pads->end[last])
    last--;
  for (int axis = 0; axis <= last; axis++) {
    const int64_t size = cw_value_shape(r->graph, x)->d[axis], before = pads->begin[axis], after = pads->end[axis];
    const int64_t count = size + before + after;
    cw_attributes a = cw_attributes_default();
    cw_value in[2] = {x, CW_NONE};
    char part[32];
    if (!before && !after)
      continue;
    if (size == CW_BATCH || count < 1 || count > MOST_INDEX)
      return cw_onnx_refuse(r, node, "the pads do not fit the input");
    float *list = cw_onnx_take(&r->arena, (size_t)count, sizeof *list);
    if (!list)
      return CW_ERROR_MEMORY;
    for (int64_t k = 0; k < count; k++)
      list[k] = (float)(((k - before) % size + size) % size);
    snprintf(part, sizeof part, "samples %d", axis);
    CW_TRY(cw_onnx_buffer(r, node, part, CW_SHAPE(count), list, &in[1]));
    snprintf(part, sizeof part, "wrapped %d", axis);
    a.axis = axis;
    CW_TRY(cw_onnx_add(r, node, axis == last ? NULL : part, CW_OP_GATHER, &a, in, 2, &x));
  }
  cw_onnx_define(r, node, 0, x);
  return CW_OK;
}

cw_status cw_onnx_read_pad(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  int64_t pads[2 * CW_MAX_RANK], axes[CW_MAX_RANK];
  int count, axes_count;
  bool nothing = true;
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const int rank = cw_value_shape(r->graph, x)->rank;
  CW_TRY(cw_onnx_integers(r, node, 1, "pads", 2 * CW_MAX_RANK, pads, &count));
  CW_TRY(cw_onnx_integers(r, node, 3, NULL, CW_MAX_RANK, axes, &axes_count));
  a.alpha = 0;
  CW_TRY(cw_onnx_scalar(r, node, 2, "value", &a.alpha));
  const int listed = axes_count ? axes_count : rank;
  if (count != 2 * listed)
    return cw_onnx_refuse(r, node, "expected two pads for each axis");
  for (int i = 0; i < listed; i++) {
    const int axis = axes_count ? cw_onnx_axis(axes[i], rank) : i;
    if (axis < 0 || pads[i] < -INT32_MAX || pads[i] > INT32_MAX || pads[listed + i] < -INT32_MAX ||
        pads[listed + i] > INT32_MAX)
      return cw_onnx_refuse(r, node, "the pads do not fit the input");
    a.begin[axis] = (int)pads[i];
    a.end[axis] = (int)pads[listed + i];
    nothing = nothing && !pads[i] && !pads[listed + i];
  }
  const bool around = cw_onnx_attribute_is(node, "mode", "wrap", false);
  if (cw_onnx_attribute_is(node, "mode", "constant", true))
    a.fill = CW_FILL_CONSTANT;
  else if (cw_onnx_attribute_is(node, "mode", "reflect", false))
    a.fill = CW_FILL_REFLECT;
  else if (cw_onnx_attribute_is(node, "mode", "edge", false))
    a.fill = CW_FILL_EDGE;
  else if (!around)
    return cw_onnx_refuse(r, node, "mode should be constant, reflect, edge or wrap");
  if (nothing) {
    cw_onnx_define(r, node, 0, x);
    return CW_OK;
  }
  if (around)
    return wrap(r, node, &a, x);
  return cw_onnx_give(r, node, CW_OP_PAD, &a, &x, 1);
}

/* ---- resize ---- */

static const char *const samplings[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"};
static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};

/* Index of the text that an attribute has, 0 if it is absent, -1 if it is another. */
static int choice(const CwOnnx__NodeProto *node, const char *name, const char *const *texts, int count) {
  for (int i = 0; i < count; i++)
    if (cw_onnx_attribute_is(node, name, texts[i], i == 0))
      return i;
  return -1;
}

/* Factors from the scales, or from the sizes; nothing but D, H and W changes. */
static cw_status read_factors(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const cw_shape *in, cw_attributes *a) {
  const bool upsample = cw_onnx_is(node, "Upsample") || node->n_input == 2;
  const cw_onnx_constant *scales = NULL, *sizes = NULL;
  if (node->n_input > 3)
    CW_TRY(cw_onnx_constant_of(r, node->input[3], &sizes));
  if (!sizes && node->n_input > (upsample ? 1u : 2u))
    CW_TRY(cw_onnx_constant_of(r, node->input[upsample ? 1 : 2], &scales));
  if (in->rank != 5 || (sizes ? sizes->count != 5 : !scales || scales->count != 5))
    return cw_onnx_refuse(r, node, "expected five constant scales or sizes");
  a->shape = *in;
  for (int i = 0; i < 5; i++) {
    const bool batch = in->d[i] == CW_BATCH;
    if (sizes && (!(sizes->v[i] >= 1 && sizes->v[i] <= INT32_MAX) || (sizes->batch[i] && !batch)))
      return cw_onnx_refuse(r, node, "expected sizes of at least 1");
    const int64_t size = sizes ? (int64_t)sizes->v[i] : 0;
    const double scale = !sizes ? scales->v[i] : batch ? 1 : (double)size / (double)in->d[i];
    if (i < 2 && scale != 1)
      return cw_onnx_refuse(r, node, "batch and channels cannot be resized");
    if (!(scale > 0 && scale <= MOST_SCALE) || (!batch && (double)in->d[i] * scale < 1))
      return cw_onnx_refuse(r, node, "expected scales above 0 and up to 64 that leave a sample");
    if (i < 2)
      continue;
    a->factor[i - 2] = (float)scale;
    a->shape.d[i] = sizes ? size : (int64_t)floorf((float)in->d[i] * (float)scale); /* ONNX's floats */
  }
  return CW_OK;
}

/* Whole factors of the common rules have layers of their own. */
static cw_operator layer_for(const cw_shape *in, cw_attributes *a) {
  for (int i = 0; i < 3; i++) {
    a->scale[i] = (int)a->factor[i];
    if ((float)a->scale[i] != a->factor[i] || a->shape.d[2 + i] != in->d[2 + i] * a->scale[i])
      return CW_OP_RESIZE;
  }
  const bool half = a->sampling == CW_SAMPLE_HALF_PIXEL || a->sampling == CW_SAMPLE_TORCH_HALF;
  if (a->linear)
    return half ? CW_OP_RESIZE_LINEAR : CW_OP_RESIZE;
  return a->sampling == CW_SAMPLE_ASYMMETRIC && a->rounding == CW_ROUND_FLOOR ? CW_OP_RESIZE_NEAREST : CW_OP_RESIZE;
}

/* Before operator set 11 the nearest sample is the one before o / scale, but the one behind it where an axis shrinks
 * (onnxruntime's rule; the standard gives none).  False if axes do both. */
static bool round_as_before(cw_attributes *a) {
  bool grows = false, shrinks = false;
  for (int i = 0; i < 3; i++) {
    grows = grows || a->factor[i] > 1;
    shrinks = shrinks || a->factor[i] < 1;
  }
  a->rounding = shrinks ? CW_ROUND_CEIL : CW_ROUND_FLOOR;
  return !(grows && shrinks);
}

cw_status cw_onnx_read_resize(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape in = *cw_value_shape(r->graph, x);
  const bool old = cw_onnx_is(node, "Upsample") || node->n_input == 2; /* before operator set 11: o / scale */
  const int sampling = old ? CW_SAMPLE_ASYMMETRIC : choice(node, "coordinate_transformation_mode", samplings, 4);
  const int rounding = old ? CW_ROUND_FLOOR : choice(node, "nearest_mode", roundings, 4);
  a.linear = !cw_onnx_attribute_is(node, "mode", "nearest", true);
  if (sampling < 0 || rounding < 0 || (a.linear && !cw_onnx_attribute_is(node, "mode", "linear", false)) ||
      cw_onnx_attribute_int(node, "antialias", 0) || cw_onnx_attribute(node, "axes") ||
      !cw_onnx_attribute_is(node, "keep_aspect_ratio_policy", "stretch", true))
    return cw_onnx_refuse(r, node, "expected nearest or linear by one of ONNX's rules for where a sample lies");
  a.sampling = (cw_sampling)sampling;
  a.rounding = (cw_rounding)rounding;
  CW_TRY(read_factors(r, node, &in, &a));
  if (old && !a.linear && !round_as_before(&a))
    return cw_onnx_refuse(r, node, "scales above and below 1 in one node have no common rule for the nearest sample");
  return cw_onnx_give(r, node, layer_for(&in, &a), &a, &x, 1);
}
