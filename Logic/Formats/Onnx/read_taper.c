#include <math.h>

#include "counterwarp/warp.h"
#include "Formats/Onnx/onnx_internal.h"

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

cw_status cw_onnx_check_taper(cw_onnx_reader *r, const CwOnnx__NodeProto *node, int margin, cw_value x) {
  cw_onnx_definition *d = cw_onnx_find(r, node->input[1]);
  const CwOnnx__TensorProto *t = d->tensor;
  const cw_shape *shape = cw_value_shape(r->graph, x);
  bool fits = t && shape->rank == 5 && t->n_dims == 5 && t->dims[0] == 1 && t->dims[1] == 1;
  for (int i = 2; i < 5 && fits; i++)
    fits = t->dims[i] == shape->d[i];
  if (!fits)
    return cw_onnx_refuse(r, node, "expected a window of one value a voxel");
  const int size[3] = {(int)shape->d[4], (int)shape->d[3], (int)shape->d[2]};
  const size_t samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  if (d->window_of == margin + 1)
    return CW_OK;
  if (!cw_onnx_spend(&r->arena, 4 * samples * sizeof(float)))
    return CW_ERROR_MEMORY;
  float *window = cw_allocate(r->context, 4 * samples, sizeof *window);
  if (!window)
    return CW_ERROR_MEMORY;
  cw_status status = cw_onnx_floats(r, t, window);
  if (status == CW_OK && !is_window(size, margin, window, window + samples))
    status = cw_onnx_refuse(r, node, "the constant is not a window that falls to zero at the faces");
  cw_release(r->context, window);
  if (status == CW_OK)
    d->window_of = margin + 1;
  return status;
}
