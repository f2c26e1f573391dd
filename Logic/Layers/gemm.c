/* Fully connected layer: y[n][o] = sum_i x[n][i] w[o][i] + b[o].
 *
 * One sample is bound by reading w: own kernels stream it.  Batches go to sgemm in blocks of the output whose number
 * depends on the shapes alone. */
#include <string.h>

#include "Layers/layer.h"
#include "Tensor/sgemm.h"

enum {
  FEW = 1,       /* samples up to which w is streamed */
  ROWS = 16,     /* rows of w a part, when streamed */
  COLUMNS = 512, /* columns of w a part, when streamed */
  SMALL = 1000000
};

typedef struct gemm_view {
  int64_t n, in, out;
} gemm_view;

static gemm_view view_of(const cw_call *call) {
  const gemm_view view = {call->in_shape[0].d[0], call->in_shape[0].d[1], call->in_shape[1].d[0]};
  return view;
}

static cw_status gemm_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                            cw_shape *out) {
  (void)attributes;
  char text_x[96], text_w[96];
  CW_TRY(cw_expect_rank(context, &in[0], 0, 2));
  CW_TRY(cw_expect_rank(context, &in[1], 1, 2));
  cw_shape_text(&in[0], text_x);
  cw_shape_text(&in[1], text_w);
  if (in[0].d[1] != in[1].d[1] || in[1].d[0] == CW_BATCH)
    return cw_fail(context, CW_ERROR_SHAPE, "weights %s do not fit the input %s, expected [out, in] and [N, in]",
                   text_w, text_x);
  if (in[0].d[1] > INT32_MAX || in[1].d[0] > INT32_MAX)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "weights %s are too large, expected sizes below 2^31", text_w);
  if (count == 3 && (in[2].rank != 1 || in[2].d[0] != in[1].d[0])) {
    char text_b[96];
    cw_shape_text(&in[2], text_b);
    return cw_fail(context, CW_ERROR_SHAPE, "the bias has shape %s, expected one value for each row of the weights %s",
                   text_b, text_w);
  }
  *out = in[0];
  out->d[1] = in[1].d[0];
  return CW_OK;
}

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* Rows or columns of a matrix product a part.  OpenBLAS multiplies without packing where m n k <= 10^6, which is twice
 * as fast for the flat products here. */
static int64_t block_for(int64_t a, int64_t b) {
  for (int64_t block = 64; block >= 16; block /= 2)
    if (block * a * b <= SMALL)
      return block;
  return 64;
}

/* ---- forward ---- */

/* Lane-wise sums, folded once at the end: wide enough to hide the latency of the additions. */
CW_CLONES static float dot(int64_t n, const float *a, const float *b) {
  float s[64] = {0};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64)
    for (int l = 0; l < 64; l++)
      s[l] += a[i + l] * b[i + l];
  for (int l = 0; i < n; i++, l++)
    s[l] += a[i] * b[i];
  for (int half = 32; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      s[l] += s[l + half];
  return s[0];
}

static void stream_forward(const cw_call *call, const gemm_view *v) {
  const float *x = call->in[0], *w = call->in[1], *b = call->input_count > 2 ? call->in[2] : NULL;
  const int64_t parts = divide_up(v->out, ROWS);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++)
    for (int64_t o = p * ROWS; o < least((p + 1) * ROWS, v->out); o++)
      for (int64_t n = 0; n < v->n; n++)
        call->out[n * v->out + o] = dot(v->in, x + n * v->in, w + o * v->in) + (b ? b[o] : 0);
}

static void gemm_forward(const cw_call *call) {
  const gemm_view v = view_of(call);
  if (v.n <= FEW) {
    stream_forward(call, &v);
    return;
  }
  const float *x = call->in[0], *w = call->in[1], *b = call->input_count > 2 ? call->in[2] : NULL;
  const int64_t block = block_for(v.n, v.in), parts = divide_up(v.out, block);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * block, width = least(block, v.out - at);
    float *y = call->out + at;
    for (int64_t n = 0; n < v.n && b; n++)
      memcpy(y + n * v.out, b + at, (size_t)width * sizeof *y);
    cw_sgemm(false, true, (int)v.n, (int)width, (int)v.in, 1, x, (int)v.in, w + at * v.in, (int)v.in, b ? 1 : 0, y,
             (int)v.out);
  }
}

/* ---- backward ---- */

CW_CLONES static void add_scaled(int64_t n, float s, const float *from, float *to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    to[i] += s * from[i];
}

/* gx[n][i] = sum_o gy[n][o] w[o][i] */
static void input_gradient(const cw_call *call, const gemm_view *v) {
  const float *w = call->in[1], *gy = call->grad_out;
  float *gx = call->grad_in[0];
  const bool add = call->accumulate[0], few = v->n <= FEW;
  const int64_t part = few ? COLUMNS : block_for(v->n, v->out), parts = divide_up(v->in, part);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * part, width = least(part, v->in - at);
    if (!few) {
      cw_sgemm(false, false, (int)v->n, (int)width, (int)v->out, 1, gy, (int)v->out, w + at, (int)v->in, add ? 1 : 0,
               gx + at, (int)v->in);
      continue;
    }
    for (int64_t n = 0; n < v->n && !add; n++)
      memset(gx + n * v->in + at, 0, (size_t)width * sizeof *gx);
    for (int64_t o = 0; o < v->out; o++)
      for (int64_t n = 0; n < v->n; n++)
        add_scaled(width, gy[n * v->out + o], w + o * v->in + at, gx + n * v->in + at);
  }
}

/* gw[o][i] = sum_n gy[n][o] x[n][i] */
static void weight_gradient(const cw_call *call, const gemm_view *v) {
  const float *x = call->in[0], *gy = call->grad_out;
  float *gw = call->grad_in[1];
  const bool add = call->accumulate[1], few = v->n <= FEW;
  const int64_t part = few ? ROWS : block_for(v->n, v->in), parts = divide_up(v->out, part);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * part, height = least(part, v->out - at);
    if (!few) {
      cw_sgemm(true, false, (int)height, (int)v->in, (int)v->n, 1, gy + at, (int)v->out, x, (int)v->in, add ? 1 : 0,
               gw + at * v->in, (int)v->in);
      continue;
    }
    for (int64_t o = at; o < at + height; o++) {
      float *row = gw + o * v->in;
      if (!add)
        memset(row, 0, (size_t)v->in * sizeof *row);
      for (int64_t n = 0; n < v->n; n++)
        add_scaled(v->in, gy[n * v->out + o], x + n * v->in, row);
    }
  }
}

/* gb[o] = sum_n gy[n][o] */
static void bias_gradient(const cw_call *call, const gemm_view *v) {
  float *gb = call->grad_in[2];
  for (int64_t o = 0; o < v->out; o++) {
    double sum = 0;
    for (int64_t n = 0; n < v->n; n++)
      sum += call->grad_out[n * v->out + o];
    gb[o] = call->accumulate[2] ? gb[o] + (float)sum : (float)sum;
  }
}

static void gemm_backward(const cw_call *call) {
  const gemm_view v = view_of(call);
  if (call->grad_in[0])
    input_gradient(call, &v);
  if (call->grad_in[1])
    weight_gradient(call, &v);
  if (call->input_count > 2 && call->grad_in[2])
    bias_gradient(call, &v);
}

const cw_operator_info cw_layer_gemm = {
    .name = "Gemm",
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = gemm_infer,
    .forward = gemm_forward,
    .backward = gemm_backward,
    .keep_inputs = 1u << 0 | 1u << 1,
};
