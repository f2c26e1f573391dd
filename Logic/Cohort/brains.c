/* Brains with a known effect.
 *
 * A subject is the template T1 under its own smooth diffeomorphism T (subject -> template, RAS mm), with its own
 * contrast, bias field and noise.  A patient is the same head seen through the disease: patient(x) =
 * template(phi(T(x))) with phi the template's pull-back, so that on the subject's own grid patient(x) =
 * healthy(psi(x)), psi = T^-1 phi T, and log J psi(x) = log J phi(T x) + log J T(x) - log J T(psi(x)).  That is the
 * truth.  An effect of brightness darkens its region where the tissue ends up. */
#include <math.h>
#include <string.h>

#include "head.h"

/* ---- the images ---- */

/* One voxel: means over its sub-samples of image, head mask and log J. */
static void sample_voxel(const cw_head *h, const float x[3], float spacing, float *image, float *mask, float *log_j) {
  const int parts = h->brains->parts;
  const float step = spacing / (float)parts;
  float sums[3] = {0, 0, 0};
  for (int part = 0; part < parts * parts * parts; part++) {
    const int sub[3] = {part % parts, part / parts % parts, part / (parts * parts)};
    float p[3], y[3], u[3], m;
    for (int a = 0; a < 3; a++)
      p[a] = x[a] + ((float)sub[a] - 0.5f * (float)(parts - 1)) * step;
    const cw_cell c = cw_head_coarse_cell(h, p);
    cw_head_to_template(h, p, &c, y);
    sums[2] += cw_head_disease(h, y, u) + cw_head_sample(&c, h->correction);
    for (int a = 0; a < 3 && h->diseased; a++)
      y[a] += u[a];
    const float value = cw_head_brain(h->brains, y, &m);
    const float kept = h->diseased && h->shade ? 1 - cw_head_shade(h, y) : 1;
    sums[0] += value > 0 ? kept * powf(value, h->gamma) : 0;
    sums[1] += m;
  }
  const float share = 1 / (float)(parts * parts * parts);
  *image = sums[0] * share;
  *mask = sums[1] * share;
  *log_j = sums[2] * share;
}

static void voxel_ras(const cw_head *h, int i, int j, int k, float x[3]) {
  const int index[3] = {i, j, k}, n = h->brains->options.size;
  const double spacing = h->brains->options.field_of_view / n;
  for (int a = 0; a < 3; a++)
    x[a] = (float)(h->brains->centre[a] + (index[a] - 0.5 * (n - 1)) * spacing);
}

static void sample_images(const cw_head *h, int threads, const cw_subject_variant *variant, float *mask,
                          cw_subject *subject) {
  const int n = h->brains->options.size;
  const size_t samples = (size_t)n * n * n;
  const float spacing = (float)(h->brains->options.field_of_view / n), lps[3] = {-1, -1, 1};
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++)
      for (int i = 0; i < n; i++) {
        const size_t at = ((size_t)k * n + j) * n + i;
        float x[3], y[3];
        voxel_ras(h, i, j, k, x);
        sample_voxel(h, x, spacing, &subject->image.data[at], &mask[at], &subject->truth_logjac.data[at]);
        subject->truth_mask.data[at] = fabsf(subject->truth_logjac.data[at]) > 0.05f;
        if (variant->place) {
          const cw_cell c = cw_head_coarse_cell(h, x);
          cw_head_to_template(h, x, &c, y);
          for (int a = 0; a < 3; a++)
            variant->place->data[a * samples + at] = lps[a] * y[a];
        }
        if (variant->pullback) {
          cw_head_pull(h, x, y);
          for (int a = 0; a < 3; a++)
            variant->pullback->data[a * samples + at] = lps[a] * (y[a] - x[a]);
        }
      }
}

/* Where maps are scored: the head and one voxel around it. */
static void fill_region(int n, const float *mask, float *region) {
  const int stride[3] = {1, n, n * n};
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++)
      for (int i = 0; i < n; i++) {
        const int index[3] = {i, j, k};
        const size_t at = ((size_t)k * n + j) * n + i;
        bool near = mask[at] > 0.3f;
        for (int a = 0; a < 3; a++)
          near = near || (index[a] > 0 && mask[at - stride[a]] > 0.3f) ||
                 (index[a] < n - 1 && mask[at + stride[a]] > 0.3f);
        region[at] = near;
      }
}

/* Bias field, gain and noise of the scanner. */
static cw_status add_scanner(cw_context *context, const cw_brains *b, int index, double gain, const float *mask,
                             float *image) {
  const int n = b->options.size;
  const size_t samples = (size_t)n * n * n;
  cw_random bias = cw_subject_stream(b->options.seed, index, CW_DRAW_BIAS),
            noise = cw_subject_stream(b->options.seed, index, CW_DRAW_NOISE);
  float *field = cw_allocate(context, samples, sizeof *field);
  if (!field)
    return CW_ERROR_MEMORY;
  const cw_status status = cw_noise_smooth(context, &bias, n, n / 4.0, field);
  for (size_t s = 0; s < samples && status == CW_OK; s++) {
    const double grain = cw_random_normal(&noise);
    const double value = image[s] * exp(0.08 * field[s]) * gain + (mask[s] > 0.01f ? 0.02 * grain : 0);
    image[s] = (float)fmax(value, 0);
  }
  cw_release(context, field);
  return status;
}

/* ---- severity ---- */

static void average_loss(const cw_effect_model *m, double loss[CW_STRUCTURES]) {
  for (int s = 0; s < m->count; s++)
    loss[s] = (m->effects[m->structures[s].effect].low + m->effects[m->structures[s].effect].high) / 2;
}

/* A subject's own losses, each label's (left, right) drawn apart: a classifier has to look at both sides.  Returns the
 * first effect's mean. */
static double draw_loss(const cw_effect_model *m, cw_random *random, double loss[CW_STRUCTURES]) {
  double first = 0;
  int first_labels = 0;
  for (int e = 0; e < m->effect_count; e++)
    for (int s = 0; s < m->count; s++)
      if (m->structures[s].effect == e) {
        loss[s] = cw_random_uniform(random, m->effects[e].low, m->effects[e].high);
        first += e == 0 ? loss[s] : 0;
        first_labels += e == 0;
      }
  return first_labels ? first / first_labels : 0;
}

/* ---- one subject ---- */

/* One mask for each of several effects: |log J| > 0.05 of that effect alone; of brightness, half a voxel of the region.
 */
static cw_status fill_effect_masks(cw_context *context, cw_head *h, const double loss[CW_STRUCTURES], float *u,
                                   float *log_jacobian, float *shade, cw_subject *subject) {
  const cw_brains *b = h->brains;
  double all[CW_STRUCTURES];
  for (int s = 0; s < CW_STRUCTURES; s++)
    all[s] = 1;
  const int n = b->options.size;
  h->u = u;
  h->log_jacobian = log_jacobian;
  h->diseased = false;
  for (int e = 0; e < b->effect.effect_count && b->effect.effect_count > 1; e++) {
    CW_TRY(cw_volume_create(context, &subject->image.grid, 1, &subject->effect_mask[e]));
    CW_TRY(cw_effect_model_deform(context, &b->effect, loss, e, u, log_jacobian));
    h->shade = NULL;
    if (b->effect.effects[e].brightness) {
      cw_effect_model_shade(&b->effect, all, e, shade);
      h->shade = shade;
    }
    float *out = subject->effect_mask[e].data;
#pragma omp parallel for schedule(static) num_threads(cw_context_threads(context))
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
          float x[3], y[3], away[3];
          voxel_ras(h, i, j, k, x);
          const cw_cell c = cw_head_coarse_cell(h, x);
          cw_head_to_template(h, x, &c, y);
          out[((size_t)k * n + j) * n + i] =
              h->shade ? cw_head_shade(h, y) > 0.5f : fabsf(cw_head_disease(h, y, away)) > 0.05f;
        }
  }
  return CW_OK;
}

static cw_status build(cw_context *context, cw_head *h, int index, const cw_subject_variant *variant, float *memory,
                       cw_subject *subject) {
  const cw_brains *b = h->brains;
  const bool patient = index % 2 == 1;
  const size_t box = (size_t)b->effect.size[0] * b->effect.size[1] * b->effect.size[2],
               coarse = cw_head_coarse_samples(h);
  const size_t samples = (size_t)b->options.size * b->options.size * b->options.size;
  float *u = memory, *log_jacobian = u + 3 * box, *shade = log_jacobian + box, *mask = shade + box;
  h->t = mask + samples;
  h->log_t = h->t + 3 * coarse;
  h->correction = h->log_t + coarse;
  cw_random form = cw_subject_stream(b->options.seed, index, CW_DRAW_SHAPE),
            severity = cw_subject_stream(b->options.seed, index, CW_DRAW_DISEASE),
            contrast = cw_subject_stream(b->options.seed, index, CW_DRAW_CONTRAST);
  CW_TRY(cw_head_shape(context, &form, h));
  double loss[CW_STRUCTURES];
  h->u = b->average_u;
  h->log_jacobian = b->average_log;
  average_loss(&b->effect, loss);
  const int only = variant->alone ? variant->effect : -1;
  if (patient)
    subject->severity = draw_loss(&b->effect, &severity, loss);
  if (patient || variant->alone) {
    CW_TRY(cw_effect_model_deform(context, &b->effect, loss, only, u, log_jacobian));
    h->u = u;
    h->log_jacobian = log_jacobian;
  }
  for (int e = 0; e < b->effect.effect_count; e++)
    h->shade = b->effect.effects[e].brightness ? shade : h->shade;
  cw_effect_model_shade(&b->effect, loss, only, shade);
  h->diseased = variant->alone ? variant->effect >= 0 : patient && !variant->healthy;
  h->gamma = (float)cw_random_uniform(&contrast, 0.85, 1.15);
  const double gain = cw_random_uniform(&contrast, 0.8, 1.2);
  cw_head_find_correction(h, cw_context_threads(context));
  sample_images(h, cw_context_threads(context), variant, mask, subject);
  fill_region(b->options.size, mask, subject->truth_region.data);
  if (!variant->clean)
    CW_TRY(add_scanner(context, b, index, gain, mask, subject->image.data));
  return variant->alone ? CW_OK : fill_effect_masks(context, h, loss, u, log_jacobian, shade, subject);
}

cw_status cw_brains_subject(cw_context *context, const cw_brains *brains, int index, const cw_subject_variant *variant,
                            cw_subject *subject) {
  const double lps[3] = {-brains->centre[0], -brains->centre[1], brains->centre[2]};
  const int n = brains->options.size;
  const cw_grid grid = cw_grid_cube(n, brains->options.field_of_view / n, lps);
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->image));
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->truth_logjac));
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->truth_mask));
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->truth_region));
  if (variant->pullback)
    CW_TRY(cw_volume_create(context, &grid, 3, variant->pullback));
  if (variant->place)
    CW_TRY(cw_volume_create(context, &grid, 3, variant->place));
  cw_head h = {.brains = brains, .coarse = brains->options.field_of_view < 144 ? 48 : 64};
  h.coarse_mm = brains->options.field_of_view / h.coarse;
  const int *box = brains->effect.size;
  float *memory = cw_allocate(
      context, 5 * (size_t)box[0] * box[1] * box[2] + cw_grid_samples(&grid) + 5 * cw_head_coarse_samples(&h),
      sizeof *memory);
  if (!memory)
    return CW_ERROR_MEMORY;
  const cw_status status = build(context, &h, index, variant, memory, subject);
  cw_release(context, memory);
  return status;
}

/* ---- the generator ---- */

/* The T1 image, low-passed for the spacing at which it is sampled, scaled to a 99th percentile of about 1. */
static cw_status prepare_image(cw_context *context, cw_brains *b) {
  const cw_volume *brain = b->options.brain;
  const size_t n = cw_grid_samples(&brain->grid);
  double spacing[3];
  cw_volume copy;
  CW_TRY(cw_volume_copy(context, brain, &copy));
  cw_grid_spacing(&brain->grid, spacing);
  float level = 0;
  cw_status status = cw_brain_level(context, brain, &level);
  if (status == CW_OK)
    status = cw_volume_smooth(
        context, &copy,
        0.5 * b->options.field_of_view / (b->options.size * b->parts) / cbrt(spacing[0] * spacing[1] * spacing[2]));
  for (size_t s = 0; s < n && status == CW_OK; s++)
    copy.data[s] /= level;
  if (status != CW_OK) {
    cw_volume_free(context, &copy);
    return status;
  }
  b->smoothed = copy.data;
  return CW_OK;
}

static cw_status prepare(cw_context *context, cw_brains *b) {
  const cw_cohort_options *o = &b->options;
  const bool whole = o->field_of_view >= 180;
  CW_TRY(cw_effect_centre(context, o->brain, o->atlas, whole ? NULL : &o->effects[0], b->centre));
  CW_TRY(cw_effect_ras_to_index(context, &o->brain->grid, b->to_brain));
  b->parts = (95 + o->size) / o->size;
  CW_TRY(prepare_image(context, b));
  CW_TRY(cw_effect_model_create(context, o->brain, o->atlas, o->effects, o->effect_count,
                                o->field_of_view < 144 ? 1 : 1.5, b->centre, o->field_of_view, &b->effect));
  const size_t box = (size_t)b->effect.size[0] * b->effect.size[1] * b->effect.size[2];
  double loss[CW_STRUCTURES];
  b->average_u = cw_allocate(context, 4 * box, sizeof *b->average_u);
  if (!b->average_u)
    return CW_ERROR_MEMORY;
  b->average_log = b->average_u + 3 * box;
  average_loss(&b->effect, loss);
  return cw_effect_model_deform(context, &b->effect, loss, -1, b->average_u, b->average_log);
}

void cw_brains_free(cw_context *context, cw_brains *brains) {
  if (!brains)
    return;
  cw_effect_model_free(context, &brains->effect);
  cw_release(context, brains->smoothed);
  cw_release(context, brains->average_u);
  cw_release(context, brains);
}

cw_status cw_brains_create(cw_context *context, const cw_cohort_options *options, cw_brains **brains) {
  *brains = cw_allocate_zero(context, 1, sizeof **brains);
  if (!*brains)
    return CW_ERROR_MEMORY;
  (*brains)->options = *options;
  const cw_status status = prepare(context, *brains);
  if (status != CW_OK) {
    cw_brains_free(context, *brains);
    *brains = NULL;
  }
  return status;
}
