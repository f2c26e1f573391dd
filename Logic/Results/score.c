/* Scores of a map against a known effect: correlations, average precision, area under the ROC curve. */
#include <math.h>
#include <string.h>

#include "counterwarp/results.h"
#include "Tensor/sort.h"

/* Samples of the region, their checks and how many of them the mask holds. */
typedef struct extent {
  size_t inside, positives;
} extent;

static cw_status check(cw_context *context, const float *map, const float *truth, const float *mask,
                       const float *region, size_t samples, extent *found) {
  extent e = {0, 0};
  for (size_t i = 0; i < samples; i++) {
    if (region && isnan(region[i]))
      return cw_fail(context, CW_ERROR_NUMERIC, "score: the region is NaN at sample %zu", i);
    if (region && region[i] == 0)
      continue;
    const char *bad = !isfinite(map[i]) ? "map" : !isfinite(truth[i]) ? "truth" : isnan(mask[i]) ? "mask" : NULL;
    if (bad)
      return cw_fail(context, CW_ERROR_NUMERIC, "score: the %s is not finite at sample %zu", bad, i);
    e.inside++;
    e.positives += mask[i] != 0;
  }
  if (!e.inside)
    return cw_fail(context, CW_ERROR_ARGUMENT, "score: the region is empty, expected one voxel at least");
  if (!e.positives || e.positives == e.inside)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "score: the mask holds %zu of the region's %zu voxels, expected some inside and some outside",
                   e.positives, e.inside);
  *found = e;
  return CW_OK;
}

/* Pearson's correlation inside the region, of the values or of their magnitudes; 0 where one does not vary.
 * Differences from the first value keep equal values at a variance of exactly 0. */
static double correlation(const float *a, const float *b, const float *region, size_t samples, size_t inside,
                          bool magnitudes) {
  size_t first = 0;
  while (region && region[first] == 0)
    first++;
  const double a0 = magnitudes ? fabsf(a[first]) : a[first], b0 = magnitudes ? fabsf(b[first]) : b[first];
  double sum_a = 0, sum_b = 0;
  for (size_t i = first; i < samples; i++) {
    if (region && region[i] == 0)
      continue;
    sum_a += (magnitudes ? fabsf(a[i]) : a[i]) - a0;
    sum_b += (magnitudes ? fabsf(b[i]) : b[i]) - b0;
  }
  const double mean_a = sum_a / (double)inside, mean_b = sum_b / (double)inside;
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = first; i < samples; i++) {
    if (region && region[i] == 0)
      continue;
    const double x = (magnitudes ? fabsf(a[i]) : a[i]) - a0 - mean_a;
    const double y = (magnitudes ? fabsf(b[i]) : b[i]) - b0 - mean_b;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return aa > 0 && bb > 0 ? fmax(-1, fmin(1, ab / (sqrt(aa) * sqrt(bb)))) : 0;
}

/* Share of the sum of |map| that the mask holds. */
static double mass_inside(const float *map, const float *mask, const float *region, size_t samples) {
  double all = 0, held = 0;
  for (size_t i = 0; i < samples; i++) {
    if (region && region[i] == 0)
      continue;
    all += fabsf(map[i]);
    held += mask[i] != 0 ? fabsf(map[i]) : 0;
  }
  return all > 0 ? held / all : 0;
}

/* Walks thresholds from the highest |map| down; equal values are one threshold. */
static void rank_scores(const uint32_t *keys, const uint32_t *order, extent e, cw_score *score) {
  const size_t negatives = e.inside - e.positives;
  size_t above = 0, above_positives = 0;
  double precision = 0, wins = 0; /* wins: pairs (positive, negative) in the right order, ties as a half */
  while (above < e.inside) {
    const uint32_t value = keys[order[e.inside - 1 - above]] >> 1;
    size_t tied = 0, tied_positives = 0;
    while (above + tied < e.inside && keys[order[e.inside - 1 - above - tied]] >> 1 == value)
      tied_positives += keys[order[e.inside - 1 - above - tied++]] & 1;
    wins += (double)(tied - tied_positives) * ((double)above_positives + 0.5 * (double)tied_positives);
    above += tied;
    above_positives += tied_positives;
    precision += (double)tied_positives * ((double)above_positives / (double)above);
  }
  score->average_precision = precision / (double)e.positives;
  score->auc = wins / ((double)e.positives * (double)negatives);
}

double cw_correlation(const float *a, const float *b, size_t samples) {
  return samples ? correlation(a, b, NULL, samples, samples, false) : 0;
}

cw_status cw_score_map(cw_context *context, const float *map, const float *truth, const float *mask,
                       const float *region, size_t samples, cw_score *score) {
  memset(score, 0, sizeof *score);
  extent e = {0, 0};
  CW_TRY(check(context, map, truth, mask, region, samples, &e));
  uint32_t *keys = cw_allocate(context, e.inside, 3 * sizeof *keys);
  if (!keys)
    return CW_ERROR_MEMORY;
  uint32_t *order = keys + e.inside, *scratch = order + e.inside;
  /* The bits of a magnitude are ordered as the magnitude itself and leave one bit free for the mask. */
  size_t at = 0;
  for (size_t i = 0; i < samples; i++) {
    if (region && region[i] == 0)
      continue;
    const float magnitude = fabsf(map[i]);
    uint32_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    keys[at++] = bits << 1 | (mask[i] != 0);
  }
  cw_sort_order(keys, e.inside, order, scratch);
  rank_scores(keys, order, e, score);
  cw_release(context, keys);
  score->signed_correlation = correlation(map, truth, region, samples, e.inside, false);
  score->normalised_correlation = correlation(map, truth, region, samples, e.inside, true);
  score->mass_inside = mass_inside(map, mask, region, samples);
  return CW_OK;
}
