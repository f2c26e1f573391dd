/* A scan on a model's grid: resampling, normalisation, and a look at whether the result is what the model knows. */
#include <math.h>
#include <string.h>

#include "cohort_internal.h"

static const double least_overlap = 0.25; /* of the model's grid inside the scan */

/* The k-th smallest of n values, 0-based (Hoare's selection, Wirth's form); reorders the values. */
static float select_smallest(float *values, ptrdiff_t n, ptrdiff_t k) {
  ptrdiff_t low = 0, high = n - 1;
  while (low < high) {
    const float pivot = values[k];
    ptrdiff_t i = low, j = high;
    while (i <= j) {
      while (values[i] < pivot)
        i++;
      while (values[j] > pivot)
        j--;
      if (i <= j) {
        const float swap = values[i];
        values[i++] = values[j];
        values[j--] = swap;
      }
    }
    if (j < k)
      low = i;
    if (k < i)
      high = j;
  }
  return values[k];
}

/* Percentile with linear interpolation between ranks. */
static cw_status percentile(cw_context *context, const float *samples, size_t n, double percent, double *value) {
  float *copy = cw_allocate(context, n, sizeof *copy);
  if (!copy)
    return CW_ERROR_MEMORY;
  memcpy(copy, samples, n * sizeof *copy);
  const double rank = percent / 100 * (double)(n - 1), floor_rank = floor(rank);
  const ptrdiff_t count = (ptrdiff_t)n, below = (ptrdiff_t)floor_rank, above = below + 1 < count ? below + 1 : below;
  const double low = select_smallest(copy, count, below), high = select_smallest(copy, count, above);
  *value = low + (high - low) * (rank - floor_rank);
  cw_release(context, copy);
  return CW_OK;
}

static cw_status check(cw_context *context, const cw_preprocessing *p, const cw_volume *scan) {
  CW_TRY(cw_grid_check(context, &p->grid));
  CW_TRY(cw_grid_check(context, &scan->grid));
  if (scan->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "preprocess: a scan of %d components where one is needed",
                   scan->components);
  if (p->normalization == CW_NORMALIZE_PERCENTILE && !(p->high > 0 && p->high <= 100))
    return cw_fail(context, CW_ERROR_ARGUMENT, "preprocess: percentile %g where one in (0, 100] is needed", p->high);
  if (p->normalization == CW_NORMALIZE_RANGE && !(p->low < p->high && isfinite(p->high - p->low)))
    return cw_fail(context, CW_ERROR_ARGUMENT, "preprocess: a range of %g to %g where a rising one is needed", p->low,
                   p->high);
  if ((unsigned)p->normalization > CW_NORMALIZE_RANGE)
    return cw_fail(context, CW_ERROR_ARGUMENT, "preprocess: normalisation %d is not known", (int)p->normalization);
  const size_t samples = cw_grid_samples(&scan->grid);
  for (size_t s = 0; s < samples; s++)
    if (!isfinite(scan->data[s]))
      return cw_fail(context, CW_ERROR_NUMERIC, "preprocess: sample %zu of the scan is not finite", s);
  return CW_OK;
}

/* Share of the model's voxel centres that lie in the scan's voxels. */
static cw_status overlap(cw_context *context, const cw_grid *model, const cw_grid *scan, const cw_affine *transform,
                         double *share) {
  cw_affine to_index, map;
  CW_TRY(cw_affine_invert(context, &scan->to_world, &to_index));
  if (transform)
    CW_TRY(cw_affine_invert(context, transform, &map)); /* refuses what is singular or not finite */
  map = transform ? cw_affine_compose(transform, &model->to_world) : model->to_world;
  map = cw_affine_compose(&to_index, &map);
  size_t inside = 0;
  for (int k = 0; k < model->size[2]; k++)
    for (int j = 0; j < model->size[1]; j++)
      for (int i = 0; i < model->size[0]; i++) {
        const double index[3] = {i, j, k};
        double p[3];
        cw_affine_apply(&map, index, p);
        inside += p[0] >= -0.5 && p[0] <= scan->size[0] - 0.5 && p[1] >= -0.5 && p[1] <= scan->size[1] - 0.5 &&
                  p[2] >= -0.5 && p[2] <= scan->size[2] - 0.5;
      }
  *share = (double)inside / (double)cw_grid_samples(model);
  return CW_OK;
}

/* above: over samples above 0 alone, the others keep 0. */
static cw_status normalize_zscore(cw_context *context, bool above, float *out, size_t n) {
  double sum = 0, squares = 0;
  size_t count = 0;
  for (size_t i = 0; i < n; i++)
    if (!above || out[i] > 0) {
      sum += out[i];
      count++;
    }
  const double mean = count ? sum / (double)count : 0;
  for (size_t i = 0; i < n; i++)
    if (!above || out[i] > 0)
      squares += (out[i] - mean) * (out[i] - mean);
  const double deviation = count ? sqrt(squares / (double)count) : 0;
  if (!(deviation > 1e-6 * fabs(mean)))
    return cw_fail(context, CW_ERROR_ARGUMENT, "preprocess: the samples%s are all alike, so there is no z-score",
                   above ? " above 0" : "");
  for (size_t i = 0; i < n; i++)
    out[i] = !above || out[i] > 0 ? (float)((out[i] - mean) / deviation) : 0;
  return CW_OK;
}

static cw_status normalize_minmax(cw_context *context, float *out, size_t n) {
  float low = out[0], high = out[0];
  for (size_t i = 0; i < n; i++) {
    low = out[i] < low ? out[i] : low;
    high = out[i] > high ? out[i] : high;
  }
  if (!(high > low))
    return cw_fail(context, CW_ERROR_ARGUMENT, "preprocess: the samples are all alike, so they have no range");
  for (size_t i = 0; i < n; i++)
    out[i] = (float)(((double)out[i] - low) / ((double)high - low));
  return CW_OK;
}

static void normalize_range(double low, double high, float *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double v = (out[i] - low) / (high - low);
    out[i] = (float)(v < 0 ? 0 : v > 1 ? 1 : v);
  }
}

static cw_status normalize(cw_context *context, const cw_preprocessing *p, float *out, size_t n) {
  if (p->normalization == CW_NORMALIZE_ZSCORE || p->normalization == CW_NORMALIZE_ZSCORE_ALL)
    return normalize_zscore(context, p->normalization == CW_NORMALIZE_ZSCORE, out, n);
  if (p->normalization == CW_NORMALIZE_MINMAX)
    return normalize_minmax(context, out, n);
  if (p->normalization == CW_NORMALIZE_RANGE)
    normalize_range(p->low, p->high, out, n);
  if (p->normalization == CW_NORMALIZE_PERCENTILE) {
    double value;
    CW_TRY(percentile(context, out, n, p->high, &value));
    if (!(value > 0))
      return cw_fail(context, CW_ERROR_ARGUMENT,
                     "preprocess: the %g th percentile on the model's grid is %g where one above 0 is needed", p->high,
                     value);
    for (size_t i = 0; i < n; i++)
      out[i] = (float)(out[i] / value);
  }
  return CW_OK;
}

cw_status cw_preprocess(cw_context *context, const cw_preprocessing *preprocessing, const cw_volume *scan,
                        const cw_affine *transform, float *out) {
  CW_TRY(check(context, preprocessing, scan));
  double share;
  CW_TRY(overlap(context, &preprocessing->grid, &scan->grid, transform, &share));
  if (share < least_overlap)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "preprocess: only %.0f %% of the model's grid lies inside the scan, at least %.0f %% are needed (a "
                   "transform that aligns the scan to the model may be missing)",
                   100 * share, 100 * least_overlap);
  cw_volume on_grid;
  CW_TRY(cw_volume_create(context, &preprocessing->grid, 1, &on_grid));
  const size_t n = cw_grid_samples(&preprocessing->grid);
  cw_status status = cw_volume_resample_mean(context, scan, transform, &on_grid);
  if (status == CW_OK) {
    memcpy(out, on_grid.data, n * sizeof *out);
    bool any = false;
    for (size_t i = 0; i < n && !any; i++)
      any = out[i] != 0;
    status = any ? normalize(context, preprocessing, out, n)
                 : cw_fail(context, CW_ERROR_ARGUMENT, "preprocess: the scan is zero everywhere on the model's grid");
  }
  cw_volume_free(context, &on_grid);
  return status;
}

/* ---- inspection ---- */

static double correlation(const float *a, const float *b, size_t n) {
  double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < n; i++) {
    ma += a[i];
    mb += b[i];
  }
  ma /= (double)n;
  mb /= (double)n;
  for (size_t i = 0; i < n; i++) {
    const double x = a[i] - ma, y = b[i] - mb;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* Is the template empty all around (i, j, k)?  A head of another shape reaches a few millimetres past the mean one. */
static bool empty_around(const int *n, const float *samples, const int reach[3], float limit, int i, int j, int k) {
  for (int z = k - reach[2]; z <= k + reach[2]; z++)
    for (int y = j - reach[1]; y <= j + reach[1]; y++)
      for (int x = i - reach[0]; x <= i + reach[0]; x++)
        if (x >= 0 && y >= 0 && z >= 0 && x < n[0] && y < n[1] && z < n[2] &&
            samples[((size_t)z * n[1] + y) * n[0] + x] > limit)
          return false;
  return true;
}

/* Share of the space at least 6 mm outside the template that holds bright tissue; 0 where there is hardly any space. */
static double outside(const cw_grid *grid, const float *input, double input_high, const float *samples,
                      double template_high) {
  const int *n = grid->size;
  const float empty = (float)(0.05 * template_high), bright = (float)(0.25 * input_high);
  double spacing[3];
  int reach[3];
  cw_grid_spacing(grid, spacing);
  for (int a = 0; a < 3; a++)
    reach[a] = (int)fmin(8, fmax(1, round(6 / spacing[a])));
  size_t space = 0, filled = 0, at = 0;
  for (int k = 0; k < n[2]; k++)
    for (int j = 0; j < n[1]; j++)
      for (int i = 0; i < n[0]; i++, at++)
        if (samples[at] <= empty && empty_around(n, samples, reach, empty, i, j, k)) {
          space++;
          filled += input[at] > bright;
        }
  return space > at / 200 ? (double)filled / (double)space : 0;
}

void cw_preprocess_inspect(cw_context *context, const cw_preprocessing *preprocessing, const float *input,
                           const float *template_samples, const char *name) {
  const size_t n = cw_grid_samples(&preprocessing->grid);
  const double r = correlation(input, template_samples, n);
  if (!(r >= 0.5))
    cw_warn(
        context,
        "%s: looks unlike the scans that the model was trained on (correlation with their mean %.2f, expected 0.5 or "
        "more): check its alignment and contrast",
        name, r);
  double input_high, template_high;
  if (percentile(context, input, n, 99, &input_high) != CW_OK ||
      percentile(context, template_samples, n, 99, &template_high) != CW_OK)
    return;
  const double share = outside(&preprocessing->grid, input, input_high, template_samples, template_high);
  if (share > 0.05)
    cw_warn(
        context,
        "%s: bright tissue in %.0f %% of the space where the model's scans have none: the skull may not be removed, or "
        "the scan not aligned",
        name, 100 * share);
}
