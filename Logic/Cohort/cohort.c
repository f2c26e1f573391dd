/* Cohorts with a known effect: options, and the way to the two generators. */
#include <math.h>
#include <string.h>

#include "cohort_internal.h"

struct cw_cohort {
  cw_cohort_options options; /* defaults filled in */
  cw_brains *brains;         /* NULL for spheres */
};

static cw_status check_effects(cw_context *context, const cw_cohort_options *o) {
  if (o->effect_count < 0 || o->effect_count > CW_EFFECTS)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: %d effects where 0 to %d are possible", o->effect_count,
                   CW_EFFECTS);
  for (int e = 0; e < o->effect_count; e++) {
    const cw_effect *effect = &o->effects[e];
    int labels = 0;
    for (int l = 0; l < CW_EFFECT_LABELS; l++) {
      labels += effect->labels[l] != 0;
      if (effect->labels[l] < -1)
        return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: label %d of effect %d where an atlas label or -1 is needed",
                       effect->labels[l], e + 1);
    }
    if (!labels)
      return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: effect %d has no label", e + 1);
    /* Beyond these a structure all but vanishes, or squeezes its surroundings to nothing. */
    if (!(effect->low >= -1 && effect->low <= effect->high && effect->high <= 0.6))
      return cw_fail(context, CW_ERROR_ARGUMENT,
                     "cohort: effect %d loses %g .. %g of its volume where low <= high in -1 .. 0.6 is needed", e + 1,
                     effect->low, effect->high);
  }
  return CW_OK;
}

static cw_status check(cw_context *context, const cw_cohort_options *o) {
  if (o->kind != CW_COHORT_SPHERES && o->kind != CW_COHORT_BRAINS)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: kind %d is not known", (int)o->kind);
  if (o->size < 32 || o->size > 128 || o->size % 16)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: size %d where a multiple of 16 from 32 to 128 is needed",
                   o->size);
  if (o->subjects < 1 || o->subjects > 1000000)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: %d subjects a group where 1 to 1000000 are possible",
                   o->subjects);
  if (!(o->field_of_view == 0 || (o->field_of_view >= 32 && o->field_of_view <= 400)))
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: a field of view of %g mm where 32 to 400, or 0, is needed",
                   o->field_of_view);
  if (!(o->variability >= 0 && o->variability <= 4))
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: variability %g where 0 to 4 is needed", o->variability);
  if (o->kind == CW_COHORT_SPHERES)
    return CW_OK;
  if (!o->brain || !o->atlas)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: brains need a T1 image and an atlas");
  if (o->brain->components != 1 || o->atlas->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "cohort: the T1 image and the atlas need one component each");
  CW_TRY(cw_grid_check(context, &o->brain->grid));
  if (!cw_grid_same(&o->brain->grid, &o->atlas->grid, 0.1))
    return cw_fail(context, CW_ERROR_SHAPE, "cohort: the atlas is not on the T1 image's grid");
  return check_effects(context, o);
}

static void fill_defaults(cw_cohort_options *o) {
  if (o->variability == 0)
    o->variability = 1;
  if (o->kind == CW_COHORT_BRAINS && o->effect_count == 0) {
    o->effect_count = 1;
    o->effects[0] = (cw_effect){.labels = {37, 38}, .low = 0.15, .high = 0.35}; /* AAL: both hippocampi */
  }
  if (o->kind == CW_COHORT_BRAINS && o->field_of_view == 0)
    o->field_of_view = o->size < 64 ? 96 : 192;
}

cw_status cw_cohort_create(cw_context *context, const cw_cohort_options *options, cw_cohort **cohort) {
  *cohort = NULL;
  CW_TRY(check(context, options));
  cw_cohort *made = cw_allocate_zero(context, 1, sizeof *made);
  if (!made)
    return CW_ERROR_MEMORY;
  made->options = *options;
  fill_defaults(&made->options);
  if (options->kind == CW_COHORT_BRAINS) {
    const cw_status status = cw_brains_create(context, &made->options, &made->brains);
    if (status != CW_OK) {
      cw_release(context, made);
      return status;
    }
  }
  *cohort = made;
  return CW_OK;
}

void cw_cohort_free(cw_context *context, cw_cohort *cohort) {
  if (!cohort)
    return;
  cw_brains_free(context, cohort->brains);
  cw_release(context, cohort);
}

void cw_subject_free(cw_context *context, cw_subject *subject) {
  cw_volume_free(context, &subject->image);
  cw_volume_free(context, &subject->truth_logjac);
  cw_volume_free(context, &subject->truth_mask);
  cw_volume_free(context, &subject->truth_region);
  for (int e = 0; e < CW_EFFECTS; e++)
    cw_volume_free(context, &subject->effect_mask[e]);
  subject->severity = 0;
}

static cw_status make_subject(cw_context *context, const cw_cohort *cohort, int index,
                              const cw_subject_variant *variant, cw_subject *subject) {
  memset(subject, 0, sizeof *subject);
  if (index < 0 || index / 2 >= cohort->options.subjects)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: subject %d where 0 to %d are there", index,
                   2 * cohort->options.subjects - 1);
  const cw_status status = cohort->brains ? cw_brains_subject(context, cohort->brains, index, variant, subject)
                                          : cw_spheres_subject(context, &cohort->options, index, variant, subject);
  if (status != CW_OK)
    cw_subject_free(context, subject);
  return status;
}

cw_status cw_cohort_subject(cw_context *context, const cw_cohort *cohort, int index, cw_subject *subject) {
  const cw_subject_variant plain = {0};
  return make_subject(context, cohort, index, &plain, subject);
}

cw_status cw_cohort_subject_alone(cw_context *context, const cw_cohort *cohort, int index, int effect,
                                  cw_subject *subject) {
  const cw_subject_variant alone = {.alone = true, .effect = effect};
  const int count = cohort->brains ? cohort->options.effect_count : 1;
  memset(subject, 0, sizeof *subject);
  if (effect < -1 || effect >= count)
    return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: effect %d where -1 to %d are there", effect, count - 1);
  return make_subject(context, cohort, index, &alone, subject);
}
