#include "Layers/pool.h"

cw_pool_view cw_pool_view_of(const cw_call *call) {
  cw_pool_view view;
  cw_pool_axis *axes[3] = {&view.z, &view.y, &view.x};
  for (int i = 0; i < 3; i++) {
    const cw_pool_axis axis = {call->in_shape[0].d[2 + i],  call->out_shape.d[2 + i],  call->attributes->kernel[i],
                               call->attributes->stride[i], call->attributes->pads[i], call->attributes->pads[3 + i]};
    *axes[i] = axis;
  }
  view.planes = call->in_shape[0].d[0] * call->in_shape[0].d[1];
  view.in_size = view.z.in * view.y.in * view.x.in;
  view.out_size = view.z.out * view.y.out * view.x.out;
  return view;
}

cw_status cw_pool_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                        cw_shape *out) {
  (void)count;
  const cw_attributes *a = attributes;
  CW_TRY(cw_expect_volume(context, &in[0], 0));
  *out = in[0];
  int64_t window = 1;
  for (int i = 0; i < 3; i++) {
    if (a->dilation[i] != 1)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "dilation is %d on axis %d, pooling expects 1", a->dilation[i],
                     2 + i);
    if (a->kernel[i] < 1 || a->stride[i] < 1)
      return cw_fail(context, CW_ERROR_ARGUMENT, "kernel %d and stride %d on axis %d, expected at least 1",
                     a->kernel[i], a->stride[i], 2 + i);
    if (a->pads[i] < 0 || a->pads[i + 3] < 0 || a->pads[i] >= a->kernel[i] || a->pads[i + 3] >= a->kernel[i])
      return cw_fail(context, CW_ERROR_ARGUMENT, "pads %d and %d on axis %d, expected 0 <= pad < kernel (%d)",
                     a->pads[i], a->pads[i + 3], 2 + i, a->kernel[i]);
    const int64_t room = in[0].d[2 + i] + a->pads[i] + a->pads[i + 3] - a->kernel[i];
    if (room < 0)
      return cw_fail(context, CW_ERROR_SHAPE, "axis %d has %lld samples, fewer than the kernel of %d", 2 + i,
                     (long long)in[0].d[2 + i], a->kernel[i]);
    out->d[2 + i] = (a->ceil_mode ? room + a->stride[i] - 1 : room) / a->stride[i] + 1;
    /* No window starts behind the last sample. */
    if (a->ceil_mode && (out->d[2 + i] - 1) * a->stride[i] >= in[0].d[2 + i] + a->pads[i])
      out->d[2 + i]--;
    window *= a->kernel[i];
    if (window > INT32_MAX)
      return cw_fail(context, CW_ERROR_ARGUMENT, "the kernel %d x %d x %d is too large", a->kernel[0], a->kernel[1],
                     a->kernel[2]);
  }
  return CW_OK;
}
