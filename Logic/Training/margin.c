/* How far a classifier's logit must move: chosen from its own logits. */
#include <math.h>
#include <string.h>

#include "Training/training_internal.h"

static double median(float *values, int count) {
  for (int i = 1; i < count; i++) {
    const float v = values[i];
    int k = i;
    for (; k > 0 && values[k - 1] > v; k--)
      values[k] = values[k - 1];
    values[k] = v;
  }
  return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* The two groups' median logits over some scans, and their distance; distance 0 where a group is missing. */
static cw_status medians(cw_context *context, const cw_margin_request *r, const int *scans, int total,
                         cw_margin *margin) {
  const size_t samples = cw_grid_samples(&r->dataset->preprocessing.grid);
  float *logits[2] = {cw_allocate(context, (size_t)total + 1, sizeof(float)),
                      cw_allocate(context, (size_t)total + 1, sizeof(float))};
  int count[2] = {0, 0};
  cw_status status = logits[0] && logits[1] ? CW_OK : CW_ERROR_MEMORY;
  float *in = cw_plan_data(r->plan, r->image);
  for (int i = 0; status == CW_OK && i < total; i += r->batch) {
    status = cw_progress(context, "classifying scans for the margin", (double)i / total);
    const int n = total - i < r->batch ? total - i : r->batch;
    for (int k = 0; k < n; k++)
      memcpy(in + (size_t)k * samples, r->dataset->samples + (size_t)scans[i + k] * samples, samples * sizeof(float));
    cw_plan_forward(r->plan);
    for (int k = 0; k < n; k++) {
      const int group = r->dataset->label[scans[i + k]] != 0;
      logits[group][count[group]++] = cw_plan_data(r->plan, r->logit)[k];
    }
  }
  *margin = (cw_margin){0, {-INFINITY, INFINITY}};
  for (int group = 0; status == CW_OK && group < 2; group++)
    if (count[group])
      margin->median[group] = median(logits[group], count[group]);
  if (status == CW_OK && count[0] && count[1])
    margin->distance = margin->median[1] - margin->median[0];
  cw_release(context, logits[0]);
  cw_release(context, logits[1]);
  return status;
}

cw_status cw_choose_margin(cw_context *context, const cw_margin_request *r, cw_margin *margin) {
  const double given = margin->distance;
  cw_margin kept_back;
  CW_TRY(medians(context, r, r->split->train, r->split->train_count, margin));
  CW_TRY(medians(context, r, r->split->validation, r->split->validation_count, &kept_back));
  if (!isfinite(margin->distance) || !isfinite(kept_back.distance))
    return cw_fail(context, CW_ERROR_NUMERIC, "training a simulator: the classifier's logits are not finite");
  if (kept_back.distance >= 1 && kept_back.distance < margin->distance)
    *margin = kept_back;
  if (given > 0)
    margin->distance = given;
  if (margin->distance < 1)
    return cw_fail(
        context, CW_ERROR_ARGUMENT,
        "training a simulator: the classifier's median logits differ by %.3g between the groups; expected at "
        "least 1 (or give a margin)",
        margin->distance);
  return CW_OK;
}

double cw_margin_share(const cw_margin *m, double direction, double before, double after) {
  const double to_median = direction > 0 ? m->median[1] - before : before - m->median[0];
  const double way = to_median < m->distance ? to_median : m->distance;
  const double gone = direction > 0 ? after - before : before - after;
  return way > 0 ? gone / way : 1;
}

double cw_direction_of(const cw_plan *plan, const cw_value *logit, const cw_margin *margin, int logits, int n) {
  double sum = 0;
  for (int k = 0; k < logits; k++)
    sum += cw_plan_data(plan, logit[k])[n] / margin[k].distance;
  return sum > 0 ? -1 : 1;
}
