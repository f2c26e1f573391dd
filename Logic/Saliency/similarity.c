/* Similarity of two maps: rank correlation and structural similarity. */
#include <math.h>
#include <string.h>

#include "counterwarp/saliency.h"
#include "Tensor/sort.h"

enum { WINDOW = 7, MOMENTS = 5 };

typedef struct work {
  size_t inside, samples;
  uint32_t *keys, *order, *scratch; /* [inside] */
  double *rank[2];                  /* [inside] */
  float *value[2];                  /* [inside] */
  float *scaled[2];                 /* [samples]: magnitudes for SSIM */
  float *moment[MOMENTS], *box;     /* [samples] */
  float top[2];                     /* 99.9th percentile of the magnitudes */
} work;

static void free_work(cw_context *context, work *w) {
  cw_release(context, w->keys);
  cw_release(context, w->rank[0]);
  cw_release(context, w->value[0]);
}

static cw_status make_work(cw_context *context, size_t inside, size_t samples, work *w) {
  memset(w, 0, sizeof *w);
  w->inside = inside;
  w->samples = samples;
  w->keys = cw_allocate(context, inside, 3 * sizeof *w->keys);
  w->rank[0] = cw_allocate(context, inside, 2 * sizeof(double));
  w->value[0] = cw_allocate(context, samples, (2 + 2 + MOMENTS + 1) * sizeof(float));
  if (!w->keys || !w->rank[0] || !w->value[0]) {
    free_work(context, w);
    return CW_ERROR_MEMORY;
  }
  w->order = w->keys + inside;
  w->scratch = w->order + inside;
  w->rank[1] = w->rank[0] + inside;
  float *next = w->value[0];
  float **const parts[] = {&w->value[0],  &w->value[1],  &w->scaled[0], &w->scaled[1], &w->moment[0],
                           &w->moment[1], &w->moment[2], &w->moment[3], &w->moment[4], &w->box};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++, next += samples)
    *parts[i] = next;
  return CW_OK;
}

/* ---- Spearman ---- */

/* rank[i]: number of smaller values, with half of the equal ones. */
static void rank_values(work *w, const float *value, bool magnitudes, double *rank) {
  const size_t n = w->inside;
  for (size_t i = 0; i < n; i++)
    w->keys[i] = cw_sort_key((magnitudes ? fabsf(value[i]) : value[i]) + 0.0f); /* one zero */
  cw_sort_order(w->keys, n, w->order, w->scratch);
  for (size_t first = 0, last; first < n; first = last) {
    for (last = first + 1; last < n && w->keys[w->order[last]] == w->keys[w->order[first]]; last++)
      ;
    for (size_t i = first; i < last; i++)
      rank[w->order[i]] = 0.5 * (double)(first + last - 1);
  }
}

static double rank_correlation(const work *w) {
  const double mean = 0.5 * (double)(w->inside - 1); /* of ranks, ties or not */
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < w->inside; i++) {
    const double a = w->rank[0][i] - mean, b = w->rank[1][i] - mean;
    aa += a * a;
    bb += b * b;
    ab += a * b;
  }
  return aa > 0 && bb > 0 ? fmax(-1, fmin(1, ab / (sqrt(aa) * sqrt(bb)))) : 0;
}

/* ---- SSIM ---- */

/* Sums of `window` neighbours from a sample on, along the axis of this step; out may not be in. */
static void sum_along(const float *in, size_t n, size_t step, int window, float *out) {
  for (size_t i = 0; i < n; i++) {
    float sum = 0;
    for (size_t t = 0; t < (size_t)window && i + t * step < n; t++)
      sum += in[i + t * step];
    out[i] = sum;
  }
}

/* Mean over the window that starts at a sample; right where the whole window lies inside. */
static void window_means(work *w, const int size[3], const int window[3], float *q) {
  const size_t n = w->samples, row = (size_t)size[0], plane = row * (size_t)size[1];
  sum_along(q, n, 1, window[0], w->box);
  sum_along(w->box, n, row, window[1], q);
  sum_along(q, n, plane, window[2], w->box);
  const float share = 1 / (float)(window[0] * window[1] * window[2]);
  for (size_t i = 0; i < n; i++)
    q[i] = w->box[i] * share;
}

static double ssim_at(const work *w, size_t i) {
  const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
  const double a = w->moment[0][i], b = w->moment[1][i];
  const double aa = w->moment[2][i] - a * a, bb = w->moment[3][i] - b * b, ab = w->moment[4][i] - a * b;
  return (2 * a * b + c1) * (2 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2));
}

static double mean_ssim(work *w, const float *region, const int size[3]) {
  int window[3];
  for (int a = 0; a < 3; a++)
    window[a] = size[a] < WINDOW ? size[a] : WINDOW;
  for (size_t i = 0; i < w->samples; i++) {
    const float a = w->scaled[0][i], b = w->scaled[1][i];
    const float values[MOMENTS] = {a, b, a * a, b * b, a * b};
    for (int m = 0; m < MOMENTS; m++)
      w->moment[m][i] = values[m];
  }
  for (int m = 0; m < MOMENTS; m++)
    window_means(w, size, window, w->moment[m]);
  double sum = 0;
  size_t count = 0;
  for (int k = 0; k + window[2] <= size[2]; k++)
    for (int j = 0; j + window[1] <= size[1]; j++)
      for (int i = 0; i + window[0] <= size[0]; i++) {
        const size_t at = ((size_t)k * (size_t)size[1] + (size_t)j) * (size_t)size[0] + (size_t)i;
        const size_t centre =
            (((size_t)k + (size_t)window[2] / 2) * (size_t)size[1] + (size_t)j + (size_t)window[1] / 2) *
                (size_t)size[0] +
            (size_t)i + (size_t)window[0] / 2;
        if (region && region[centre] == 0)
          continue;
        sum += ssim_at(w, at);
        count++;
      }
  return count ? sum / (double)count : 0;
}

/* ---- the call ---- */

static cw_status count_inside(cw_context *context, const float *a, const float *b, const float *region, size_t samples,
                              size_t *inside) {
  *inside = 0;
  for (size_t i = 0; i < samples; i++) {
    if (!isfinite(a[i]) || !isfinite(b[i]) || (region && isnan(region[i])))
      return cw_fail(context, CW_ERROR_NUMERIC, "similarity: a map or the region is not finite at sample %zu", i);
    *inside += !region || region[i] != 0;
  }
  return *inside ? CW_OK : cw_fail(context, CW_ERROR_ARGUMENT, "similarity: the region is empty, expected one voxel");
}

cw_status cw_map_similarity(cw_context *context, const float *a, const float *b, const float *region, const int size[3],
                            cw_similarity *similarity) {
  const size_t samples = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
  const float *maps[2] = {a, b};
  size_t inside;
  work w;
  memset(similarity, 0, sizeof *similarity);
  CW_TRY(count_inside(context, a, b, region, samples, &inside));
  CW_TRY(make_work(context, inside, samples, &w));
  for (int m = 0; m < 2; m++) {
    size_t at = 0;
    for (size_t i = 0; i < samples; i++)
      if (!region || region[i] != 0)
        w.value[m][at++] = maps[m][i];
    rank_values(&w, w.value[m], false, w.rank[m]);
  }
  similarity->signed_rank = rank_correlation(&w);
  for (int m = 0; m < 2; m++) {
    rank_values(&w, w.value[m], true, w.rank[m]);
    const size_t top = (size_t)ceil(0.999 * (double)inside);
    w.top[m] = fabsf(w.value[m][w.order[top > 0 ? top - 1 : 0]]);
    for (size_t i = 0; i < samples; i++)
      w.scaled[m][i] = w.top[m] > 0 ? fminf(fabsf(maps[m][i]) / w.top[m], 1) : 0;
  }
  similarity->absolute_rank = rank_correlation(&w);
  similarity->ssim = mean_ssim(&w, region, size);
  free_work(context, &w);
  return CW_OK;
}
