#include "Layers/layer.h"

#include <string.h>

cw_status cw_infer_same(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                        cw_shape *out) {
  (void)context, (void)attributes, (void)count;
  *out = in[0];
  return CW_OK;
}

cw_status cw_expect_rank(cw_context *context, const cw_shape *shape, int input, int rank) {
  if (shape->rank == rank)
    return CW_OK;
  char text[96];
  cw_shape_text(shape, text);
  return cw_fail(context, CW_ERROR_SHAPE, "input %d has shape %s, expected %d dimensions", input, text, rank);
}

cw_status cw_expect_volume(cw_context *context, const cw_shape *shape, int input) {
  bool fits = shape->rank == 5;
  for (int i = 1; i < 5 && fits; i++)
    fits = shape->d[i] != CW_BATCH;
  if (fits)
    return CW_OK;
  char text[96];
  cw_shape_text(shape, text);
  return cw_fail(context, CW_ERROR_SHAPE, "input %d has shape %s, expected 5 dimensions and the batch first", input,
                 text);
}

cw_status cw_expect_reach(cw_context *context, const cw_attributes *a, int64_t channels) {
  double samples = (double)channels;
  for (int i = 0; i < 3; i++)
    samples *= (double)a->dilation[i] * (a->kernel[i] - 1) + 1;
  return samples <= INT32_MAX ? CW_OK
                              : cw_fail(context, CW_ERROR_UNSUPPORTED,
                                        "the kernel reaches over %.3g samples, expected under 2^31", samples);
}

cw_status cw_expect_same(cw_context *context, const cw_shape *in, int a, int b) {
  if (cw_shape_equal(&in[a], &in[b]))
    return CW_OK;
  char text_a[96], text_b[96];
  cw_shape_text(&in[a], text_a);
  cw_shape_text(&in[b], text_b);
  return cw_fail(context, CW_ERROR_SHAPE, "input %d has shape %s and input %d has %s, expected equal shapes", a, text_a,
                 b, text_b);
}

CW_CLONES static void add_part(int64_t n, const float *from, float *to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++)
    to[i] += from[i];
}

void cw_pass(int64_t n, const float *from, bool accumulate, float *to, int threads) {
  (void)threads; /* without OpenMP */
  if (from == to && !accumulate)
    return;
  const int64_t parts = cw_parts(n);
  CW_PARALLEL(parts, threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t at = p * CW_PART, length = cw_part_length(n, p);
    if (accumulate)
      add_part(length, from + at, to + at);
    else
      memcpy(to + at, from + at, (size_t)length * sizeof *to);
  }
}

void cw_clear(int64_t n, float *to, int threads) {
  (void)threads;
  const int64_t parts = cw_parts(n);
  CW_PARALLEL(parts, threads)
  for (int64_t p = 0; p < parts; p++)
    memset(to + p * CW_PART, 0, (size_t)cw_part_length(n, p) * sizeof *to);
}

CW_CLONES static float sum_block(int64_t n, const float *x) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++)
    sum += x[i];
  return sum;
}

double cw_sum(int64_t n, const float *x) {
  double sum = 0;
  for (int64_t i = 0; i < n; i += 1024)
    sum += sum_block(n - i < 1024 ? n - i : 1024, x + i);
  return sum;
}
