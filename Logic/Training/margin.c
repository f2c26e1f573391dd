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

enum { MEDIAN_OF = 3 }; /* scans of each group kept back, at least, for their median to count */

/* Logits of some scans, by group. */
typedef struct logits {
  float *of[2];
  int count[2];
  cw_margin margin; /* the groups' medians and their distance */
  double spread;    /* standard deviation inside the groups, by the median of absolute deviations: their mean */
} logits;

static void summarize(logits *l) {
  l->margin = (cw_margin){0, {-INFINITY, INFINITY}};
  l->spread = 0;
  for (int group = 0; group < 2; group++) {
    float *values = l->of[group];
    if (!l->count[group])
      continue;
    const double middle = l->margin.median[group] = median(values, l->count[group]);
    for (int i = 0; i < l->count[group]; i++)
      values[i] = (float)fabs(values[i] - middle);
    l->spread += 1.4826 * median(values, l->count[group]) / 2;
  }
  if (l->count[0] && l->count[1])
    l->margin.distance = l->margin.median[1] - l->margin.median[0];
}

static cw_status classify(cw_context *context, const cw_margin_request *r, const int *scans, int total, logits *l) {
  const size_t samples = cw_grid_samples(&r->dataset->preprocessing.grid);
  *l = (logits){.of = {cw_allocate(context, (size_t)total + 1, sizeof(float)),
                       cw_allocate(context, (size_t)total + 1, sizeof(float))}};
  cw_status status = l->of[0] && l->of[1] ? CW_OK : CW_ERROR_MEMORY;
  float *in = cw_plan_data(r->plan, r->image);
  for (int i = 0; status == CW_OK && i < total; i += r->batch) {
    status = cw_progress(context, "classifying scans for the margin", (double)i / total);
    const int n = total - i < r->batch ? total - i : r->batch;
    for (int k = 0; k < n; k++)
      memcpy(in + (size_t)k * samples, r->dataset->samples + (size_t)scans[i + k] * samples, samples * sizeof(float));
    cw_plan_forward(r->plan);
    for (int k = 0; k < n; k++) {
      const int group = r->dataset->label[scans[i + k]] != 0;
      l->of[group][l->count[group]++] = cw_plan_data(r->plan, r->logit)[k];
    }
  }
  if (status == CW_OK)
    summarize(l);
  cw_release(context, l->of[0]);
  cw_release(context, l->of[1]);
  return status;
}

cw_status cw_choose_margin(cw_context *context, const cw_margin_request *r, cw_margin *margin) {
  const double given = margin->distance;
  logits learned, kept_back;
  CW_TRY(classify(context, r, r->split->train, r->split->train_count, &learned));
  CW_TRY(classify(context, r, r->split->validation, r->split->validation_count, &kept_back));
  if (!isfinite(learned.margin.distance) || !isfinite(kept_back.margin.distance) || !isfinite(learned.spread))
    return cw_fail(context, CW_ERROR_NUMERIC, "training a simulator: the classifier's logits are not finite");
  const bool enough = kept_back.count[0] >= MEDIAN_OF && kept_back.count[1] >= MEDIAN_OF;
  const logits *l = enough && kept_back.margin.distance < learned.margin.distance ? &kept_back : &learned;
  const double spread = enough ? fmax(learned.spread, kept_back.spread) : learned.spread;
  *margin = l->margin;
  if (margin->distance < spread) /* the groups overlap: neither median is a goal */
    *margin = (cw_margin){spread, {-INFINITY, INFINITY}};
  if (given > 0)
    margin->distance = given;
  if (!(margin->distance > 0))
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "training a simulator: the classifier gives the same logit, %.4g, to most scans of both groups; "
                   "expected logits that differ (or give a margin)",
                   l->margin.median[0]);
  return CW_OK;
}

double cw_margin_share(const cw_margin *m, double direction, double before, double after) {
  const double to_median = direction > 0 ? m->median[1] - before : before - m->median[0];
  const double way = to_median < m->distance ? to_median : m->distance;
  const double gone = direction > 0 ? after - before : before - after;
  return way > 0 ? gone / way : 1;
}

void cw_margin_shares(const cw_margin *margins, int count, double *shares) {
  double mean = 0;
  for (int k = 0; k < count; k++)
    mean += margins[k].distance / count;
  for (int k = 0; k < count; k++)
    shares[k] = mean / (margins[k].distance * count);
}

double cw_direction_of(const cw_plan *plan, const cw_value *logit, const cw_margin *margin, int logits, int n) {
  double sum = 0;
  for (int k = 0; k < logits; k++)
    sum += cw_plan_data(plan, logit[k])[n] / margin[k].distance;
  return sum > 0 ? -1 : 1;
}
