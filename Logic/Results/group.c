/* Group maps: mean and one-sample t statistic over subjects, and balanced accuracy. */
#include <math.h>

#include "counterwarp/results.h"

/* One voxel.  Differences from the first subject are exact enough for equal values to have a variance of exactly 0. */
static bool voxel(const float *const *maps, int count, size_t at, float *mean, float *t) {
  const double first = maps[0][at];
  double sum = 0, squares = 0;
  for (int s = 0; s < count; s++)
    sum += maps[s][at] - first;
  const double shift = sum / count;
  for (int s = 0; s < count; s++) {
    const double d = maps[s][at] - first - shift;
    squares += d * d;
  }
  if (!isfinite(squares))
    return false;
  *mean = (float)(first + shift);
  *t = 0;
  if (squares > 0) /* t = mean / (sd / sqrt(count)), sd over count - 1 */
    *t = (float)((first + shift) * sqrt((double)count * (count - 1) / squares));
  return true;
}

cw_status cw_group_maps(cw_context *context, const float *const *maps, int count, size_t samples, float *mean,
                        float *t) {
  if (count < 1 || !samples)
    return cw_fail(context, CW_ERROR_ARGUMENT, "group: %d maps of %zu samples, expected at least one of each", count,
                   samples);
  int bad = 0;
#pragma omp parallel for schedule(static) num_threads(cw_context_threads(context)) reduction(| : bad)
  for (size_t i = 0; i < samples; i++)
    bad |= !voxel(maps, count, i, mean + i, t + i);
  if (!bad)
    return CW_OK;
  for (int s = 0; s < count; s++)
    for (size_t i = 0; i < samples; i++)
      if (!isfinite(maps[s][i]))
        return cw_fail(context, CW_ERROR_NUMERIC, "group: map %d has NaN or Inf at sample %zu, expected finite values",
                       s, i);
  return cw_fail(context, CW_ERROR_NUMERIC, "group: the spread of the maps is out of range");
}

double cw_balanced_accuracy(const float *logits, const int *labels, int count) {
  int right[2] = {0, 0}, all[2] = {0, 0};
  for (int i = 0; i < count; i++) {
    const int patient = labels[i] != 0;
    all[patient]++;
    right[patient] += patient ? logits[i] > 0 : logits[i] <= 0; /* NaN is wrong for both */
  }
  double sum = 0;
  for (int group = 0; group < 2; group++)
    if (all[group])
      sum += (double)right[group] / all[group];
  const int groups = (all[0] > 0) + (all[1] > 0);
  return groups ? sum / groups : 0;
}
