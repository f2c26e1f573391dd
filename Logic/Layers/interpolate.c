/* Resize along D, H, W by any factor: nearest or linear, with each of ONNX's rules for where a sample lies. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"

/* The two input samples around an output sample, and the second one's weight. */
typedef struct tap {
  int64_t first, second;
  float weight;
} tap;

static double position(const cw_attributes *a, int axis, int64_t in, int64_t out, int64_t o) {
  const double factor = a->factor[axis];
  /* A factor that the sizes give is their ratio: samples that meet do so exactly. */
  const bool ratio = a->factor[axis] == (float)((double)out / (double)in);
  switch (a->sampling) {
    case CW_SAMPLE_ASYMMETRIC:
      return ratio ? (double)(o * in) / (double)out : (double)o / factor;
    case CW_SAMPLE_CORNERS:
      return out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0;
    default:
      if (a->sampling == CW_SAMPLE_TORCH_HALF && out == 1)
        return 0;
      return (ratio ? ((double)o + 0.5) * (double)in / (double)out : ((double)o + 0.5) / factor) - 0.5;
  }
}

static int64_t clamp(double at, int64_t size) {
  return at < 0 ? 0 : at > (double)(size - 1) ? size - 1 : (int64_t)at;
}

static double nearest(cw_rounding rounding, double at) {
  switch (rounding) {
    case CW_ROUND_HALF_UP:
      return floor(at + 0.5);
    case CW_ROUND_FLOOR:
      return floor(at);
    case CW_ROUND_CEIL:
      return ceil(at);
    default:
      return ceil(at - 0.5);
  }
}

static tap tap_of(const cw_call *call, int axis, int64_t o) {
  const int64_t in = call->in_shape[0].d[2 + axis], out = call->out_shape.d[2 + axis];
  const double at = position(call->attributes, axis, in, out, o);
  tap t = {0};
  if (!call->attributes->linear) {
    t.first = t.second = clamp(nearest(call->attributes->rounding, at), in);
    return t;
  }
  const double inside = at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at;
  t.first = clamp(floor(inside), in);
  t.second = t.first + 1 < in ? t.first + 1 : t.first;
  t.weight = (float)(inside - (double)t.first);
  return t;
}

static cw_status infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  (void)count;
  CW_TRY(cw_expect_volume(context, &in[0], 0));
  bool fits = a->shape.rank == 5;
  for (int i = 0; i < 5 && fits; i++)
    fits =
        i < 2 ? a->shape.d[i] == in[0].d[i] : a->shape.d[i] > 0 && a->factor[i - 2] > 0 && isfinite(a->factor[i - 2]);
  if (!fits)
    return cw_fail(context, CW_ERROR_SHAPE, "expected sizes and factors above 0 for the three axes of space alone");
  *out = a->shape;
  return CW_OK;
}

/* workspace: the taps of the three axes */
static size_t workspace_bytes(const cw_call *call) {
  return (size_t)(call->out_shape.d[2] + call->out_shape.d[3] + call->out_shape.d[4]) * sizeof(tap);
}

static void fill_taps(const cw_call *call, tap *taps[3]) {
  tap *next = call->workspace;
  for (int axis = 0; axis < 3; axis++) {
    taps[axis] = next;
    for (int64_t o = 0; o < call->out_shape.d[2 + axis]; o++)
      *next++ = tap_of(call, axis, o);
  }
}

/* Rows of the input around an output row, and their weights. */
static void corners(const cw_call *call, const tap *z, const tap *y, int64_t row[4], float w[4]) {
  const int64_t ny = call->in_shape[0].d[3], nx = call->in_shape[0].d[4];
  row[0] = (z->first * ny + y->first) * nx;
  row[1] = (z->first * ny + y->second) * nx;
  row[2] = (z->second * ny + y->first) * nx;
  row[3] = (z->second * ny + y->second) * nx;
  w[0] = (1 - z->weight) * (1 - y->weight);
  w[1] = (1 - z->weight) * y->weight;
  w[2] = z->weight * (1 - y->weight);
  w[3] = z->weight * y->weight;
}

static void forward(const cw_call *call) {
  const cw_shape *out = &call->out_shape;
  const int64_t slices = cw_elements(out) / (out->d[3] * out->d[4]), volume = cw_elements_from(&call->in_shape[0], 2);
  tap *taps[3];
  fill_taps(call, taps);
  CW_PARALLEL(slices, call->threads)
  for (int64_t s = 0; s < slices; s++)
    for (int64_t j = 0; j < out->d[3]; j++) {
      const float *x = call->in[0] + s / out->d[2] * volume;
      float *y = call->out + (s * out->d[3] + j) * out->d[4], w[4];
      int64_t row[4];
      corners(call, &taps[0][s % out->d[2]], &taps[1][j], row, w);
      for (int64_t i = 0; i < out->d[4]; i++) {
        const tap t = taps[2][i];
        float sum = 0;
        for (int k = 0; k < 4; k++)
          if (w[k] != 0)
            sum += w[k] * (t.weight != 0 ? (1 - t.weight) * x[row[k] + t.first] + t.weight * x[row[k] + t.second]
                                         : x[row[k] + t.first]);
        y[i] = sum;
      }
    }
}

/* Adjoint; one plane a task, since neighbouring rows add to the same voxels. */
static void backward(const cw_call *call) {
  const cw_shape *out = &call->out_shape;
  const int64_t planes = out->d[0] * out->d[1], volume = cw_elements_from(&call->in_shape[0], 2);
  tap *taps[3];
  if (!call->grad_in[0])
    return;
  fill_taps(call, taps);
  CW_PARALLEL(planes, call->threads)
  for (int64_t p = 0; p < planes; p++) {
    float *gx = call->grad_in[0] + p * volume, w[4];
    const float *gy = call->grad_out + p * out->d[2] * out->d[3] * out->d[4];
    if (!call->accumulate[0])
      memset(gx, 0, (size_t)volume * sizeof *gx);
    for (int64_t r = 0; r < out->d[2] * out->d[3]; r++) {
      int64_t row[4];
      corners(call, &taps[0][r / out->d[3]], &taps[1][r % out->d[3]], row, w);
      for (int64_t i = 0; i < out->d[4]; i++) {
        const tap t = taps[2][i];
        const float g = gy[r * out->d[4] + i];
        for (int k = 0; k < 4; k++) {
          gx[row[k] + t.first] += w[k] * (1 - t.weight) * g;
          gx[row[k] + t.second] += w[k] * t.weight * g;
        }
      }
    }
  }
}

const cw_operator_info cw_layer_resize = {
    .name = "Resize",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward = backward,
};
