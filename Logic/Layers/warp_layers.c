/* Layers of the warp: Warp, Exponential, Taper.  Fields are u[n][3][D][H][W], channel 0 along W.
 *
 * The kernels of Warp/ are serial in their backward passes, so a batch is parallel over its samples. */
#include <limits.h>

#include "counterwarp/warp.h"
#include "Layers/layer.h"
#include "Warp/taper.h"

enum { MOST_SQUARINGS = 12 };

typedef struct field_view {
  int size[3]; /* x, y, z */
  int batch;
  int64_t samples; /* of one component */
} field_view;

static field_view view_of(const cw_shape *shape) {
  field_view view;
  for (int axis = 0; axis < 3; axis++)
    view.size[axis] = (int)shape->d[4 - axis];
  view.batch = (int)shape->d[0];
  view.samples = cw_elements_from(shape, 2);
  return view;
}

/* Threads over samples, and the threads left to each: all of them where there are fewer samples than threads. */
static int outer_threads(const cw_call *call, int batch) {
  return batch >= call->threads ? call->threads : 1;
}

static int inner_threads(const cw_call *call, int batch) {
  return batch >= call->threads ? 1 : call->threads;
}

static cw_status expect_field(cw_context *context, const cw_shape *in, int input) {
  CW_TRY(cw_expect_rank(context, &in[input], input, 5));
  if (in[input].d[1] != 3)
    return cw_fail(context, CW_ERROR_SHAPE, "input %d has %lld channels, expected the 3 of a displacement field", input,
                   (long long)in[input].d[1]);
  for (int axis = 2; axis < 5; axis++)
    if (in[input].d[axis] < 1 || in[input].d[axis] > INT_MAX)
      return cw_fail(context, CW_ERROR_SHAPE, "input %d has %lld samples along axis %d, expected 1 to %d", input,
                     (long long)in[input].d[axis], axis, INT_MAX);
  return CW_OK;
}

/* ---- Warp: image, u -> image(p + u(p)) ---- */

static cw_status warp_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                            cw_shape *out) {
  (void)attributes, (void)count;
  CW_TRY(cw_expect_rank(context, &in[0], 0, 5));
  CW_TRY(expect_field(context, in, 1));
  cw_shape wanted = in[0];
  wanted.d[1] = 3;
  if (!cw_shape_equal(&wanted, &in[1])) {
    char image[96], field[96];
    cw_shape_text(&in[0], image);
    cw_shape_text(&in[1], field);
    return cw_fail(context, CW_ERROR_SHAPE, "the image is %s and the field %s, expected a field of the image's size",
                   image, field);
  }
  *out = in[0];
  return CW_OK;
}

static void warp_forward(const cw_call *call) {
  const field_view view = view_of(&call->in_shape[1]);
  const int channels = (int)call->in_shape[0].d[1], inner = inner_threads(call, view.batch);
  const int64_t image = channels * view.samples, field = 3 * view.samples;
  CW_PARALLEL(view.batch, outer_threads(call, view.batch))
  for (int n = 0; n < view.batch; n++)
    cw_warp_forward(view.size, channels, call->in[0] + n * image, call->in[1] + n * field, call->out + n * image,
                    inner);
}

static void warp_backward(const cw_call *call) {
  const field_view view = view_of(&call->in_shape[1]);
  const int channels = (int)call->in_shape[0].d[1];
  const int64_t image = channels * view.samples, field = 3 * view.samples;
  CW_PARALLEL(view.batch, call->threads)
  for (int n = 0; n < view.batch; n++) {
    float *grad_image = call->grad_in[0] ? call->grad_in[0] + n * image : NULL;
    float *grad_field = call->grad_in[1] ? call->grad_in[1] + n * field : NULL;
    if (grad_image && !call->accumulate[0])
      cw_clear(image, grad_image, 1);
    if (grad_field && !call->accumulate[1])
      cw_clear(field, grad_field, 1);
    cw_warp_backward(view.size, channels, call->in[0] + n * image, call->in[1] + n * field, call->grad_out + n * image,
                     grad_image, grad_field);
  }
}

const cw_operator_info cw_layer_warp = {
    .name = "Warp",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = warp_infer,
    .forward = warp_forward,
    .backward = warp_backward,
    .keep_inputs = 3,
};

/* ---- Exponential: v -> exp(v) ---- */

static cw_status exponential_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                                   cw_shape *out) {
  (void)count;
  CW_TRY(expect_field(context, in, 0));
  if (attributes->squarings < 0 || attributes->squarings > MOST_SQUARINGS)
    return cw_fail(context, CW_ERROR_ARGUMENT, "%d squarings, expected 0 to %d", attributes->squarings, MOST_SQUARINGS);
  *out = in[0];
  return CW_OK;
}

static size_t field_bytes(const cw_call *call) {
  return (size_t)(3 * cw_elements_from(&call->in_shape[0], 2)) * sizeof(float);
}

/* The steps of every sample. */
static size_t exponential_saved_bytes(const cw_call *call) {
  if (!call->gradients)
    return 0;
  return (size_t)call->in_shape[0].d[0] * (size_t)call->attributes->squarings * field_bytes(call);
}

/* For each thread, two fields backward; one forward where no steps are saved. */
static size_t exponential_workspace_bytes(const cw_call *call) {
  const int64_t batch = call->in_shape[0].d[0], teams = batch < call->threads ? batch : call->threads;
  return (size_t)teams * (call->gradients ? 2 : 1) * field_bytes(call);
}

static void exponential_forward(const cw_call *call) {
  const field_view view = view_of(&call->in_shape[0]);
  const int squarings = call->attributes->squarings, inner = inner_threads(call, view.batch),
            outer = outer_threads(call, view.batch);
  const int64_t field = 3 * view.samples;
  const bool keep = call->saved != NULL;
  float *base = keep ? call->saved : call->workspace;
  /* A fixed block of samples for each thread, which owns one field of the workspace. */
  CW_PARALLEL(outer, outer)
  for (int t = 0; t < outer; t++)
    for (int n = view.batch * t / outer; n < view.batch * (t + 1) / outer; n++)
      cw_exponential_forward(view.size, call->in[0] + n * field, 1, squarings, keep,
                             base + (keep ? (int64_t)n * squarings : t) * field, call->out + n * field, inner);
}

static void exponential_backward(const cw_call *call) {
  const field_view view = view_of(&call->in_shape[0]);
  const int squarings = call->attributes->squarings, teams = view.batch < call->threads ? view.batch : call->threads;
  const int64_t field = 3 * view.samples;
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(teams, teams)
  for (int t = 0; t < teams; t++)
    for (int n = view.batch * t / teams; n < view.batch * (t + 1) / teams; n++) {
      float *grad = call->grad_in[0] + n * field;
      if (!call->accumulate[0])
        cw_clear(field, grad, 1);
      const float *steps = squarings ? (const float *)call->saved + (int64_t)n * squarings * field : NULL;
      cw_exponential_backward(view.size, 1, squarings, steps, call->grad_out + n * field, grad,
                              (float *)call->workspace + 2 * t * field);
    }
}

const cw_operator_info cw_layer_exponential = {
    .name = "Exponential",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = exponential_infer,
    .saved_bytes = exponential_saved_bytes,
    .workspace_bytes = exponential_workspace_bytes,
    .forward = exponential_forward,
    .backward = exponential_backward,
};

/* ---- Taper: v times a window that vanishes on the faces ---- */

static cw_status taper_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                             cw_shape *out) {
  (void)count;
  CW_TRY(expect_field(context, in, 0));
  if (attributes->margin < 0)
    return cw_fail(context, CW_ERROR_ARGUMENT, "a margin of %d voxels, expected at least 0", attributes->margin);
  *out = in[0];
  return CW_OK;
}

static void taper_forward(const cw_call *call) {
  const field_view view = view_of(&call->in_shape[0]);
  const int64_t field = 3 * view.samples;
  CW_PARALLEL(view.batch, call->threads)
  for (int n = 0; n < view.batch; n++)
    cw_taper(view.size, call->attributes->margin, call->in[0] + n * field, call->out + n * field);
}

/* The window is its own adjoint. */
static void taper_backward(const cw_call *call) {
  const field_view view = view_of(&call->in_shape[0]);
  const int64_t field = 3 * view.samples;
  if (!call->grad_in[0])
    return;
  CW_PARALLEL(view.batch, call->threads)
  for (int n = 0; n < view.batch; n++)
    cw_taper_field(view.size, call->attributes->margin, call->grad_out + n * field, call->accumulate[0],
                   call->grad_in[0] + n * field);
}

const cw_operator_info cw_layer_taper = {
    .name = "Taper",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = taper_infer,
    .forward = taper_forward,
    .backward = taper_backward,
};
