/* Change of tissue volume of an atlas's regions under a warp. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "counterwarp/results.h"
#include "counterwarp/warp.h"

/* What is counted for one label. */
typedef struct tally {
  int label;
  size_t before, after;
  double jacobian; /* sum of J over `after` */
} tally;

/* Labels found so far: an open hash table, never more than half full; a label of 0 marks a free slot. */
typedef struct tallies {
  size_t slots, used; /* slots: a power of two */
  tally *slot;
} tallies;

/* Largest whole number below which float32 holds every whole number. */
static const float MOST = 16777216.0f;

static tally *place(const tallies *table, int label) {
  size_t at = (uint32_t)label * UINT32_C(2654435769) >> 7 & (table->slots - 1);
  while (table->slot[at].label != 0 && table->slot[at].label != label)
    at = (at + 1) & (table->slots - 1);
  return &table->slot[at];
}

static cw_status grow(cw_context *context, tallies *table) {
  tallies larger = {table->slots ? 2 * table->slots : 512, table->used, NULL};
  larger.slot = cw_allocate_zero(context, larger.slots, sizeof *larger.slot);
  if (!larger.slot)
    return CW_ERROR_MEMORY;
  for (size_t i = 0; i < table->slots; i++)
    if (table->slot[i].label)
      *place(&larger, table->slot[i].label) = table->slot[i];
  cw_release(context, table->slot);
  *table = larger;
  return CW_OK;
}

/* Voxels of each label of the atlas. */
static cw_status count_before(cw_context *context, const cw_volume *labels, tallies *table) {
  const size_t samples = cw_grid_samples(&labels->grid);
  CW_TRY(grow(context, table));
  tally *last = NULL; /* neighbours mostly share a label */
  for (size_t i = 0; i < samples; i++) {
    const float value = labels->data[i];
    if (value == 0)
      continue;
    if (!isfinite(value))
      return cw_fail(context, CW_ERROR_NUMERIC, "regions: the atlas has NaN or Inf at sample %zu", i);
    if (value != truncf(value) || fabsf(value) > MOST)
      return cw_fail(context, CW_ERROR_ARGUMENT,
                     "regions: the atlas has %g at sample %zu, expected whole numbers as labels", (double)value, i);
    const int label = (int)value;
    if (!last || last->label != label) {
      last = place(table, label);
      if (last->label == 0) {
        if (2 * (table->used + 1) > table->slots) {
          CW_TRY(grow(context, table));
          last = place(table, label);
        }
        last->label = label;
        table->used++;
      }
    }
    last->before++;
  }
  return CW_OK;
}

/* Voxels of each warped label, and the sum of J over them. */
static cw_status count_after(cw_context *context, const cw_volume *warped, const cw_volume *jacobian, tallies *table) {
  const size_t samples = cw_grid_samples(&warped->grid);
  tally *last = NULL;
  for (size_t i = 0; i < samples; i++) {
    const int label = (int)warped->data[i];
    if (label == 0)
      continue;
    if (!last || last->label != label)
      last = place(table, label);
    if (!isfinite(jacobian->data[i]))
      return cw_fail(context, CW_ERROR_NUMERIC, "regions: J is not finite at sample %zu", i);
    last->after++;
    last->jacobian += jacobian->data[i];
  }
  return CW_OK;
}

/* Sorted by label; heap sort, as labels may be many and come in any order. */
static void sift(cw_region *r, size_t at, size_t count) {
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && r[child + 1].label > r[child].label)
      child++;
    if (r[at].label >= r[child].label)
      return;
    const cw_region swap = r[at];
    r[at] = r[child];
    r[child] = swap;
  }
}

static void sort_regions(cw_region *r, size_t count) {
  for (size_t at = count / 2; at-- > 0;)
    sift(r, at, count);
  for (size_t end = count; end-- > 1;) {
    const cw_region swap = r[0];
    r[0] = r[end];
    r[end] = swap;
    sift(r, 0, end);
  }
}

/* The regions of at least `least` voxels. */
static cw_status collect(cw_context *context, const tallies *table, size_t least, cw_region **regions, int *count) {
  cw_region *found = cw_allocate(context, table->used + 1, sizeof *found);
  if (!found)
    return CW_ERROR_MEMORY;
  size_t n = 0;
  for (size_t i = 0; i < table->slots; i++) {
    const tally *t = &table->slot[i];
    if (t->label == 0 || t->before < least)
      continue;
    if (t->after && !(t->jacobian > 0)) {
      cw_warn(context, "regions: label %d is left out, the field folds over all of it (sum of J %g)", t->label,
              t->jacobian);
      continue;
    }
    const double change = t->after ? (double)t->after / t->jacobian - 1 : -1;
    found[n++] = (cw_region){t->label, t->before, t->after, change};
  }
  sort_regions(found, n);
  *regions = found;
  *count = (int)n;
  return CW_OK;
}

static cw_status check(cw_context *context, const cw_volume *labels, const cw_volume *field,
                       const cw_volume *jacobian) {
  if (!labels->data || !field->data || !jacobian->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "regions: expected an atlas, a field and its J, all with samples");
  if (labels->components != 1 || field->components != 3 || jacobian->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE,
                   "regions: atlas, field and J have %d, %d and %d components, expected 1, 3 and 1", labels->components,
                   field->components, jacobian->components);
  CW_TRY(cw_grid_check(context, &field->grid));
  double spacing[3];
  cw_grid_spacing(&field->grid, spacing);
  const double tolerance = 0.01 * fmin(spacing[0], fmin(spacing[1], spacing[2]));
  if (!cw_grid_same(&labels->grid, &field->grid, tolerance) || !cw_grid_same(&jacobian->grid, &field->grid, tolerance))
    return cw_fail(context, CW_ERROR_SHAPE, "regions: expected atlas, field and J on one grid");
  return CW_OK;
}

cw_status cw_region_changes(cw_context *context, const cw_volume *labels, const cw_volume *field,
                            const cw_volume *jacobian, size_t least, cw_region **regions, int *count) {
  *regions = NULL;
  *count = 0;
  CW_TRY(check(context, labels, field, jacobian));
  tallies table = {0, 0, NULL};
  cw_volume warped = {0};
  cw_status status = count_before(context, labels, &table);
  if (status == CW_OK)
    status = cw_volume_warp_labels(context, labels, field, &warped);
  if (status == CW_OK)
    status = count_after(context, &warped, jacobian, &table);
  if (status == CW_OK)
    status = collect(context, &table, least, regions, count);
  cw_volume_free(context, &warped);
  cw_release(context, table.slot);
  return status;
}
