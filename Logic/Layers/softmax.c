/* Softmax and log-softmax over one axis: x[outer][c][inner], each (outer, inner) on its own. */
#include <math.h>

#include "Layers/layer.h"

typedef struct axis_view {
  int64_t columns; /* outer * inner */
  int64_t c, inner;
} axis_view;

static axis_view view_of(const cw_call *call) {
  const cw_shape *shape = &call->in_shape[0];
  const int axis = call->attributes->axis;
  const axis_view view = {cw_elements(shape) / shape->d[axis], shape->d[axis], cw_elements_from(shape, axis + 1)};
  return view;
}

/* Offset of column i's first element; the next ones follow at a distance of `inner`. */
static int64_t column_at(const axis_view *view, int64_t i) {
  return i / view->inner * view->c * view->inner + i % view->inner;
}

static cw_status softmax_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                               cw_shape *out) {
  (void)count;
  if (in[0].rank < 2)
    return cw_fail(context, CW_ERROR_SHAPE, "the input has %d dimension(s), expected at least 2", in[0].rank);
  if (attributes->axis < 0 || attributes->axis >= in[0].rank || in[0].d[attributes->axis] == CW_BATCH)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "axis %d, expected one of the input's %d and not the batch",
                   attributes->axis, in[0].rank);
  *out = in[0];
  return CW_OK;
}

/* max(x) and log of the sum of exp(x - max). */
static void log_sum(const axis_view *view, const float *x, float *max, float *log_of_sum) {
  *max = x[0];
  for (int64_t c = 1; c < view->c; c++)
    if (!(x[c * view->inner] <= *max))
      *max = x[c * view->inner];
  float sum = 0;
  for (int64_t c = 0; c < view->c; c++)
    sum += expf(x[c * view->inner] - *max);
  *log_of_sum = logf(sum);
}

/* log y = x - max - log sum exp(x - max); softmax takes its exponential. */
static void forward(const cw_call *call, bool log_of) {
  const axis_view view = view_of(call);
  CW_PARALLEL(view.columns, call->threads)
  for (int64_t i = 0; i < view.columns; i++) {
    const float *x = call->in[0] + column_at(&view, i);
    float *y = call->out + column_at(&view, i), max, log_of_sum;
    log_sum(&view, x, &max, &log_of_sum);
    for (int64_t c = 0; c < view.c; c++) {
      const float value = x[c * view.inner] - max - log_of_sum;
      y[c * view.inner] = log_of ? value : expf(value);
    }
  }
}

/* softmax: gx = y (gy - sum y gy); log-softmax: gx = gy - exp(y) sum gy */
static void backward(const cw_call *call, bool log_of) {
  const axis_view view = view_of(call);
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(view.columns, call->threads)
  for (int64_t i = 0; i < view.columns; i++) {
    const int64_t at = column_at(&view, i);
    const float *y = call->out + at, *gy = call->grad_out + at;
    float *gx = call->grad_in[0] + at, sum = 0;
    for (int64_t k = 0; k < view.c * view.inner; k += view.inner)
      sum += log_of ? gy[k] : y[k] * gy[k];
    for (int64_t k = 0; k < view.c * view.inner; k += view.inner) {
      const float g = log_of ? gy[k] - expf(y[k]) * sum : y[k] * (gy[k] - sum);
      gx[k] = call->accumulate[0] ? gx[k] + g : g;
    }
  }
}

static void softmax_forward(const cw_call *call) {
  forward(call, false);
}

static void softmax_backward(const cw_call *call) {
  backward(call, false);
}

static void log_softmax_forward(const cw_call *call) {
  forward(call, true);
}

static void log_softmax_backward(const cw_call *call) {
  backward(call, true);
}

const cw_operator_info cw_layer_softmax = {
    .name = "Softmax",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = softmax_infer,
    .forward = softmax_forward,
    .backward = softmax_backward,
    .keep_output = true,
};

const cw_operator_info cw_layer_log_softmax = {
    .name = "LogSoftmax",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = softmax_infer,
    .forward = log_softmax_forward,
    .backward = log_softmax_backward,
    .keep_output = true,
};
