/* Labels in an atlas and the ventricles in a T1 image, in RAS millimetres. */
#include <math.h>
#include <string.h>

#include "effect_internal.h"

cw_status cw_effect_ras_to_index(cw_context *context, const cw_grid *grid, float map[3][4]) {
  cw_affine inverse;
  CW_TRY(cw_affine_invert(context, &grid->to_world, &inverse));
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      map[r][c] = (float)(c < 2 ? -inverse.m[r][c] : inverse.m[r][c]);
  return CW_OK;
}

static void index_to_ras(const cw_grid *grid, const double index[3], double ras[3]) {
  cw_affine_apply(&grid->to_world, index, ras);
  ras[0] = -ras[0];
  ras[1] = -ras[1];
}

/* Bounding box of the voxels equal to region->value (above 0 for value 0); false if there are none. */
static bool find_bounds(cw_region *r) {
  const int *n = r->volume->grid.size;
  const float *at = r->volume->data;
  int low[3] = {n[0], n[1], n[2]}, high[3] = {-1, -1, -1};
  for (int k = 0; k < n[2]; k++)
    for (int j = 0; j < n[1]; j++)
      for (int i = 0; i < n[0]; i++, at++)
        if (r->value != 0 ? *at == r->value : *at > 0) {
          const int p[3] = {i, j, k};
          for (int a = 0; a < 3; a++) {
            low[a] = p[a] < low[a] ? p[a] : low[a];
            high[a] = p[a] > high[a] ? p[a] : high[a];
          }
        }
  for (int corner = 0; corner < 8; corner++) {
    double index[3], ras[3];
    for (int a = 0; a < 3; a++)
      index[a] = corner >> a & 1 ? high[a] : low[a];
    index_to_ras(&r->volume->grid, index, ras);
    for (int a = 0; a < 3; a++) {
      r->ras_low[a] = corner && r->ras_low[a] < ras[a] ? r->ras_low[a] : ras[a];
      r->ras_high[a] = corner && r->ras_high[a] > ras[a] ? r->ras_high[a] : ras[a];
    }
  }
  return high[0] >= 0;
}

static cw_status find_head(cw_context *context, const cw_volume *brain, cw_region *head) {
  *head = (cw_region){.volume = brain};
  return find_bounds(head) ? CW_OK : cw_fail(context, CW_ERROR_ARGUMENT, "cohort: the T1 image has no voxel above 0");
}

cw_status cw_brain_level(cw_context *context, const cw_volume *brain, float *level) {
  enum { BINS = 4096 };
  const size_t n = cw_grid_samples(&brain->grid);
  size_t *bins = cw_allocate_zero(context, BINS, sizeof *bins), above = 0, seen = 0;
  if (!bins)
    return CW_ERROR_MEMORY;
  float highest = 0;
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    finite = finite && isfinite(brain->data[i]);
    highest = brain->data[i] > highest ? brain->data[i] : highest;
  }
  if (!(highest > 0) || !finite) {
    cw_release(context, bins);
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: the T1 image needs finite voxels, some of them above 0");
  }
  for (size_t i = 0; i < n; i++)
    if (brain->data[i] > 0) {
      bins[(int)(brain->data[i] / highest * (BINS - 1))]++;
      above++;
    }
  int b = 0;
  while (b < BINS - 1 && (seen += bins[b]) < above - above / 100)
    b++;
  *level = highest * (float)(b + 1) / BINS;
  cw_release(context, bins);
  return CW_OK;
}

/* The ventricles: dark voxels without a label in the central box of the head, opened by smoothing. */
cw_status cw_region_ventricles(cw_context *context, const cw_volume *brain, const cw_volume *atlas, cw_volume *out) {
  static const double from[3] = {0.29, 0.34, 0.41}, to[3] = {0.73, 0.82, 0.67}; /* of the head's bounding box, RAS */
  cw_region head;
  float limit;
  CW_TRY(find_head(context, brain, &head));
  CW_TRY(cw_brain_level(context, brain, &limit));
  limit /= 2; /* between fluid and tissue */
  CW_TRY(cw_volume_create(context, &brain->grid, 1, out));
  const int *n = brain->grid.size;
  size_t at = 0;
  for (int k = 0; k < n[2]; k++)
    for (int j = 0; j < n[1]; j++)
      for (int i = 0; i < n[0]; i++, at++) {
        if (brain->data[at] >= limit || atlas->data[at] != 0)
          continue;
        const double index[3] = {i, j, k};
        double ras[3];
        index_to_ras(&brain->grid, index, ras);
        bool inside = true;
        for (int a = 0; a < 3; a++) {
          const double share = (ras[a] - head.ras_low[a]) / (head.ras_high[a] - head.ras_low[a]);
          inside = inside && share >= from[a] && share <= to[a];
        }
        out->data[at] = inside;
      }
  double spacing[3];
  cw_grid_spacing(&brain->grid, spacing);
  CW_TRY(cw_volume_smooth(context, out, 1.5 / cbrt(spacing[0] * spacing[1] * spacing[2])));
  const size_t samples = cw_grid_samples(&brain->grid);
  for (size_t s = 0; s < samples; s++)
    out->data[s] = out->data[s] > 0.6f;
  return CW_OK;
}

cw_status cw_region_find(cw_context *context, const cw_volume *atlas, const cw_volume *ventricles, int label,
                         cw_region *r) {
  *r =
      label == -1 ? (cw_region){.volume = ventricles, .value = 1} : (cw_region){.volume = atlas, .value = (float)label};
  if (find_bounds(r))
    return CW_OK;
  return label == -1 ? cw_fail(context, CW_ERROR_ARGUMENT, "cohort: no ventricles found in the T1 image")
                     : cw_fail(context, CW_ERROR_ARGUMENT, "cohort: label %d is not in the atlas", label);
}

bool cw_region_wants_ventricles(const cw_effect *effects, int count) {
  for (int e = 0; e < count; e++)
    for (int l = 0; l < CW_EFFECT_LABELS; l++)
      if (effects[e].labels[l] == -1)
        return true;
  return false;
}

cw_status cw_effect_centre(cw_context *context, const cw_volume *brain, const cw_volume *atlas, const cw_effect *effect,
                           double centre[3]) {
  double low[3] = {1e30, 1e30, 1e30}, high[3] = {-1e30, -1e30, -1e30};
  cw_volume ventricles = {0};
  cw_status status = CW_OK;
  if (effect && cw_region_wants_ventricles(effect, 1))
    status = cw_region_ventricles(context, brain, atlas, &ventricles);
  for (int l = 0; l < (effect ? CW_EFFECT_LABELS : 1) && status == CW_OK; l++) {
    cw_region r;
    if (effect && effect->labels[l] == 0)
      continue;
    status =
        effect ? cw_region_find(context, atlas, &ventricles, effect->labels[l], &r) : find_head(context, brain, &r);
    for (int a = 0; a < 3 && status == CW_OK; a++) {
      low[a] = fmin(low[a], r.ras_low[a]);
      high[a] = fmax(high[a], r.ras_high[a]);
    }
  }
  cw_volume_free(context, &ventricles);
  for (int a = 0; a < 3 && status == CW_OK; a++)
    centre[a] = (low[a] + high[a]) / 2;
  return status;
}
