/* How far the mean map of some subjects agrees with another map. */
#include <math.h>
#include <stdlib.h>

#include "counterwarp/random.h"
#include "counterwarp/results.h"

enum { RESAMPLES = 1000 };

static double mean_of(const float *map, size_t samples) {
  double sum = 0;
  for (size_t i = 0; i < samples; i++)
    sum += map[i];
  return sum / (double)samples;
}

/* Sum of the products of two maps about their means. */
static double about_means(const float *a, double mean_a, const float *b, double mean_b, size_t samples) {
  double sum = 0;
  for (size_t i = 0; i < samples; i++)
    sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum;
}

/* Correlation of the maps' sum, each taken times[s] times, with the other map: of their products alone. */
static double correlation(const double *products, const double *with_other, double other, const int *times, int count) {
  double across = 0, own = 0;
  for (int s = 0; s < count; s++) {
    across += times[s] * with_other[s];
    for (int k = 0; k < count; k++)
      own += (double)times[s] * times[k] * products[(size_t)s * (size_t)count + (size_t)k];
  }
  return own > 0 && other > 0 ? across / sqrt(own * other) : 0;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static cw_status fill_products(cw_context *context, const float *const *maps, int count, const float *other,
                               size_t samples, double *mean, double *products, double *with_other, double *square) {
  const double mean_other = mean_of(other, samples);
  for (int s = 0; s < count; s++)
    mean[s] = mean_of(maps[s], samples);
#pragma omp parallel for schedule(dynamic) num_threads(cw_context_threads(context))
  for (int s = 0; s < count; s++) {
    with_other[s] = about_means(maps[s], mean[s], other, mean_other, samples);
    for (int k = 0; k <= s; k++)
      products[s * count + k] = products[k * count + s] = about_means(maps[s], mean[s], maps[k], mean[k], samples);
  }
  *square = about_means(other, mean_other, other, mean_other, samples);
  for (int s = 0; s < count; s++)
    if (!isfinite(with_other[s]) || !isfinite(products[s * count + s]))
      return cw_fail(context, CW_ERROR_NUMERIC, "agreement: map %d or the other has NaN or Inf, expected finite values",
                     s);
  return CW_OK;
}

static void resample(const double *products, const double *with_other, double square, int count, uint64_t seed,
                     int *times, double *values) {
  cw_random random = cw_random_stream(seed, 0);
  for (int r = 0; r < RESAMPLES; r++) {
    for (int s = 0; s < count; s++)
      times[s] = 0;
    for (int s = 0; s < count; s++)
      times[cw_random_below(&random, (uint32_t)count)]++;
    values[r] = correlation(products, with_other, square, times, count);
  }
  qsort(values, RESAMPLES, sizeof *values, compare);
}

cw_status cw_map_agreement(cw_context *context, const float *const *maps, int count, const float *other, size_t samples,
                           cw_summary *summary) {
  if (count < 1 || !samples)
    return cw_fail(context, CW_ERROR_ARGUMENT, "agreement: %d maps of %zu samples, expected at least one of each",
                   count, samples);
  const size_t n = (size_t)count;
  double *numbers = cw_allocate(context, n * n + 2 * n + RESAMPLES, sizeof *numbers);
  int *times = cw_allocate(context, n, sizeof *times);
  cw_status status = numbers && times ? CW_OK : CW_ERROR_MEMORY;
  if (status == CW_OK) {
    double *with_other = numbers + n * n, *mean = with_other + n, *values = mean + n, square;
    status = fill_products(context, maps, count, other, samples, mean, numbers, with_other, &square);
    if (status == CW_OK) {
      for (int s = 0; s < count; s++)
        times[s] = 1;
      *summary = (cw_summary){count, correlation(numbers, with_other, square, times, count), NAN, NAN, NAN};
      if (count > 1) {
        resample(numbers, with_other, square, count, cw_context_seed(context), times, values);
        summary->low = values[RESAMPLES / 40];
        summary->high = values[RESAMPLES - 1 - RESAMPLES / 40];
      }
    }
  }
  cw_release(context, numbers);
  cw_release(context, times);
  return status;
}
