/* Brains with a known effect.
 *
 * A subject is the template T1 under its own smooth diffeomorphism T (subject -> template, RAS mm), with its own
 * contrast, bias field and noise.  A patient is the same head seen through the disease: patient(x) =
 * template(phi(T(x))) with phi the template's pull-back, so that on the subject's own grid patient(x) =
 * healthy(psi(x)), psi = T^-1 phi T, and log J psi(x) = log J phi(T x) + log J T(x) - log J T(psi(x)).  That is the
 * truth. */
#include <math.h>
#include <string.h>

#include "cohort_internal.h"
#include "counterwarp/warp.h"

struct cw_brains {
  cw_cohort_options options;
  double centre[3]; /* RAS mm of the field of view */
  int parts;        /* sub-samples along a voxel's edge */
  float *smoothed;  /* T1 on its own grid, scaled to a 99th percentile of about 1 */
  float to_brain[3][4];
  cw_effect_model effect;
  float *average_u, *average_log; /* the disease of average severity, for controls */
};

/* What one subject is made from. */
typedef struct head {
  const cw_brains *brains;
  const float *u, *log_jacobian; /* the disease in template space */
  bool diseased;                 /* the image shows it */
  int coarse;                    /* grid of the subject's own deformation: coarse^3 over the field of view */
  double coarse_mm;
  float *t, *log_t;                            /* [3][..] coarse voxels; log J */
  float *psi, *correction;                     /* [3][..] mm: psi(x) - x; log J T(x) - log J T(psi(x)) */
  float linear[3][3], inverse[3][3], shift[3]; /* T(x) = c + linear (x + t(x) - c) + shift */
  float gamma;
} head;

/* ---- sampling ---- */

typedef struct cell {
  size_t at;
  int up[3]; /* whether the next sample exists, as a stride */
  float f[3];
} cell;

/* The cell of p in a grid of n, clamped to its border. */
static inline cell find_cell(const int n[3], const float p[3]) {
  cell c;
  int base[3];
  const int stride[3] = {1, n[0], n[0] * n[1]};
  for (int a = 0; a < 3; a++) {
    const float limit = (float)(n[a] - 1), q = p[a] > 0 ? (p[a] < limit ? p[a] : limit) : 0;
    base[a] = (int)q;
    c.f[a] = q - (float)base[a];
    c.up[a] = base[a] + 1 < n[a] ? stride[a] : 0;
  }
  c.at = ((size_t)base[2] * n[1] + base[1]) * n[0] + base[0];
  return c;
}

static inline float blend(const cell *c, const float v[8]) {
  const float x = c->f[0], y = c->f[1], z = c->f[2];
  const float a = v[0] + x * (v[1] - v[0]), b = v[2] + x * (v[3] - v[2]);
  const float d = v[4] + x * (v[5] - v[4]), e = v[6] + x * (v[7] - v[6]);
  const float low = a + y * (b - a), high = d + y * (e - d);
  return low + z * (high - low);
}

static inline void gather(const cell *c, const float *data, float v[8]) {
  const float *p = data + c->at;
  for (int corner = 0; corner < 8; corner++)
    v[corner] = p[(corner & 1 ? c->up[0] : 0) + (corner & 2 ? c->up[1] : 0) + (corner & 4 ? c->up[2] : 0)];
}

static inline float look(const cell *c, const float *data) {
  float v[8];
  gather(c, data, v);
  return blend(c, v);
}

static inline bool is_inside(const int n[3], const float p[3]) {
  return p[0] >= 0 && p[1] >= 0 && p[2] >= 0 && p[0] <= (float)(n[0] - 1) && p[1] <= (float)(n[1] - 1) &&
         p[2] <= (float)(n[2] - 1);
}

/* ---- the maps ---- */

static size_t coarse_samples(const head *h) {
  return (size_t)h->coarse * h->coarse * h->coarse;
}

/* Cell of a point (RAS mm) in the grid of the subject's own deformation. */
static inline cell coarse_cell(const head *h, const float x[3]) {
  const int n[3] = {h->coarse, h->coarse, h->coarse};
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = (x[a] - (float)h->brains->centre[a]) / (float)h->coarse_mm + 0.5f * (float)(h->coarse - 1);
  return find_cell(n, p);
}

/* T: subject -> template. */
static inline void to_template(const head *h, const float x[3], const cell *c, float out[3]) {
  const size_t samples = coarse_samples(h);
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = x[a] + (float)h->coarse_mm * look(c, h->t + a * samples) - (float)h->brains->centre[a];
  for (int a = 0; a < 3; a++)
    out[a] = (float)h->brains->centre[a] + h->shift[a] + h->linear[a][0] * p[0] + h->linear[a][1] * p[1] +
             h->linear[a][2] * p[2];
}

/* The disease at a template point: displacement in mm (0 far away) and log J. */
static inline float disease(const head *h, const float y[3], float u[3]) {
  const cw_effect_model *m = &h->brains->effect;
  const size_t samples = (size_t)m->size[0] * m->size[1] * m->size[2];
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = (y[a] - (float)m->origin[a]) / (float)m->spacing;
  if (!is_inside(m->size, p)) {
    u[0] = u[1] = u[2] = 0;
    return 0;
  }
  const cell c = find_cell(m->size, p);
  for (int a = 0; a < 3; a++)
    u[a] = (float)m->spacing * look(&c, h->u + a * samples);
  return look(&c, h->log_jacobian);
}

/* T1 and head mask (share of voxels above 0) at a template point. */
static inline float look_brain(const cw_brains *b, const float y[3], float *mask) {
  const cw_volume *brain = b->options.brain;
  float p[3], v[8];
  for (int r = 0; r < 3; r++)
    p[r] = b->to_brain[r][0] * y[0] + b->to_brain[r][1] * y[1] + b->to_brain[r][2] * y[2] + b->to_brain[r][3];
  *mask = 0;
  if (!is_inside(brain->grid.size, p))
    return 0;
  const cell c = find_cell(brain->grid.size, p);
  gather(&c, brain->data, v);
  for (int corner = 0; corner < 8; corner++)
    v[corner] = v[corner] > 0;
  *mask = blend(&c, v);
  return look(&c, b->smoothed);
}

/* ---- the subject's own deformation ---- */

static void invert3(const float m[3][3], float out[3][3]) {
  double determinant = 0;
  for (int c = 0; c < 3; c++)
    determinant +=
        m[0][c] * ((double)m[1][(c + 1) % 3] * m[2][(c + 2) % 3] - (double)m[1][(c + 2) % 3] * m[2][(c + 1) % 3]);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++) {
      const int a = (c + 1) % 3, b = (c + 2) % 3, d = (r + 1) % 3, e = (r + 2) % 3;
      out[r][c] = (float)(((double)m[a][d] * m[b][e] - (double)m[a][e] * m[b][d]) / determinant);
    }
}

/* Draws T. */
static cw_status shape(cw_context *context, cw_random *random, head *h) {
  const double amount = h->brains->options.variability;
  const int n = h->coarse, size[3] = {n, n, n};
  const size_t samples = coarse_samples(h);
  float *v = cw_allocate(context, 7 * samples, sizeof *v);
  if (!v)
    return CW_ERROR_MEMORY;
  float *fine = v + 3 * samples, *steps = fine + samples;
  cw_status status = CW_OK;
  for (int c = 0; c < 3 && status == CW_OK; c++) {
    float *to = v + c * samples;
    status = cw_noise_smooth(context, random, n, 20 / h->coarse_mm, to);
    if (status == CW_OK)
      status = cw_noise_smooth(context, random, n, 8 / h->coarse_mm, fine);
    const float large = (float)(amount * 0.8 / h->coarse_mm), small = (float)(amount * 0.32 / h->coarse_mm);
    for (size_t s = 0; s < samples && status == CW_OK; s++)
      to[s] = large * to[s] + small * fine[s];
  }
  if (status == CW_OK) {
    const int threads = cw_context_threads(context), least = cw_exponential_squarings(size, v, 1) + 3;
    cw_exponential_forward(size, v, 1, least < 12 ? least : 12, false, steps, h->t, threads);
    cw_jacobian_determinant(size, h->t, true, h->log_t, threads);
  }
  cw_release(context, v);
  const double pose = amount < 1 ? amount : 1; /* heads of any variability stay in the field of view */
  for (int r = 0; r < 3; r++) {
    for (int c = 0; c < 3; c++)
      h->linear[r][c] =
          (float)((r == c) + pose * ((r == c ? 0.03 * cw_random_normal(random) : 0) + 0.01 * cw_random_normal(random)));
    h->shift[r] = (float)(pose * cw_random_normal(random));
  }
  invert3((const float(*)[3])h->linear, h->inverse);
  return status;
}

/* psi = T^-1 phi T on the coarse grid, by y <- y + linear^-1 (phi T x - T y), and the terms of log J that T adds. */
static void find_psi(const head *h, int threads) {
  const int n = h->coarse;
  const size_t samples = coarse_samples(h);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++)
      for (int i = 0; i < n; i++) {
        const int index[3] = {i, j, k};
        const size_t at = ((size_t)k * n + j) * n + i;
        float x[3], y[3], goal[3], u[3], here[3];
        for (int a = 0; a < 3; a++)
          y[a] = x[a] = (float)(h->brains->centre[a] + (index[a] - 0.5 * (n - 1)) * h->coarse_mm);
        cell c = coarse_cell(h, x);
        to_template(h, x, &c, goal);
        disease(h, goal, u);
        if (u[0] * u[0] + u[1] * u[1] + u[2] * u[2] < 1e-6f) {
          for (int a = 0; a < 3; a++)
            h->psi[a * samples + at] = 0;
          h->correction[at] = 0;
          continue;
        }
        for (int a = 0; a < 3; a++)
          goal[a] += u[a];
        for (int step = 0; step < 6; step++) {
          c = coarse_cell(h, y);
          to_template(h, y, &c, here);
          for (int a = 0; a < 3; a++)
            y[a] += h->inverse[a][0] * (goal[0] - here[0]) + h->inverse[a][1] * (goal[1] - here[1]) +
                    h->inverse[a][2] * (goal[2] - here[2]);
        }
        c = coarse_cell(h, y);
        for (int a = 0; a < 3; a++)
          h->psi[a * samples + at] = y[a] - x[a];
        h->correction[at] = h->log_t[at] - look(&c, h->log_t);
      }
}

/* ---- the images ---- */

/* One voxel: means over its sub-samples of image, head mask and log J. */
static void sample_voxel(const head *h, const float x[3], float spacing, float *image, float *mask, float *log_j) {
  const int parts = h->brains->parts;
  const float step = spacing / (float)parts;
  float sums[3] = {0, 0, 0};
  for (int part = 0; part < parts * parts * parts; part++) {
    const int sub[3] = {part % parts, part / parts % parts, part / (parts * parts)};
    float p[3], y[3], u[3], m;
    for (int a = 0; a < 3; a++)
      p[a] = x[a] + ((float)sub[a] - 0.5f * (float)(parts - 1)) * step;
    const cell c = coarse_cell(h, p);
    to_template(h, p, &c, y);
    sums[2] += disease(h, y, u) + look(&c, h->correction);
    for (int a = 0; a < 3 && h->diseased; a++)
      y[a] += u[a];
    const float value = look_brain(h->brains, y, &m);
    sums[0] += value > 0 ? powf(value, h->gamma) : 0;
    sums[1] += m;
  }
  const float share = 1 / (float)(parts * parts * parts);
  *image = sums[0] * share;
  *mask = sums[1] * share;
  *log_j = sums[2] * share;
}

static void voxel_ras(const head *h, int i, int j, int k, float x[3]) {
  const int index[3] = {i, j, k}, n = h->brains->options.size;
  const double spacing = h->brains->options.field_of_view / n;
  for (int a = 0; a < 3; a++)
    x[a] = (float)(h->brains->centre[a] + (index[a] - 0.5 * (n - 1)) * spacing);
}

static void sample_images(const head *h, int threads, const cw_subject_variant *variant, float *mask,
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
        const cell c = coarse_cell(h, x);
        to_template(h, x, &c, y);
        for (int a = 0; a < 3 && variant->pullback; a++)
          variant->pullback->data[a * samples + at] = lps[a] * look(&c, h->psi + a * coarse_samples(h));
        for (int a = 0; a < 3 && variant->place; a++)
          variant->place->data[a * samples + at] = lps[a] * y[a];
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

/* A subject's own losses; the labels of one effect (left and right) go together.  Returns the first effect's mean. */
static double draw_loss(const cw_effect_model *m, cw_random *random, double loss[CW_STRUCTURES]) {
  double first = 0;
  for (int e = 0; e < m->effect_count; e++) {
    double sum = 0;
    int labels = 0;
    for (int s = 0; s < m->count; s++)
      if (m->structures[s].effect == e) {
        sum += loss[s] = cw_random_uniform(random, m->effects[e].low, m->effects[e].high);
        labels++;
      }
    for (int s = 0; s < m->count; s++)
      if (m->structures[s].effect == e)
        loss[s] = 0.8 * sum / labels + 0.2 * loss[s];
    first = e == 0 ? sum / labels : first;
  }
  return first;
}

/* ---- one subject ---- */

/* One mask for each of several effects: |log J| > 0.05 of that effect alone. */
static cw_status fill_effect_masks(cw_context *context, head *h, const double loss[CW_STRUCTURES], float *u,
                                   float *log_jacobian, cw_subject *subject) {
  const cw_brains *b = h->brains;
  const int n = b->options.size;
  h->u = u;
  h->log_jacobian = log_jacobian;
  h->diseased = false;
  for (int e = 0; e < b->effect.effect_count && b->effect.effect_count > 1; e++) {
    CW_TRY(cw_volume_create(context, &subject->image.grid, 1, &subject->effect_mask[e]));
    CW_TRY(cw_effect_model_deform(context, &b->effect, loss, e, u, log_jacobian));
    float *out = subject->effect_mask[e].data;
#pragma omp parallel for schedule(static) num_threads(cw_context_threads(context))
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
          float x[3], y[3], away[3];
          voxel_ras(h, i, j, k, x);
          const cell c = coarse_cell(h, x);
          to_template(h, x, &c, y);
          out[((size_t)k * n + j) * n + i] = fabsf(disease(h, y, away)) > 0.05f;
        }
  }
  return CW_OK;
}

static cw_status build(cw_context *context, head *h, int index, const cw_subject_variant *variant, float *memory,
                       cw_subject *subject) {
  const cw_brains *b = h->brains;
  const bool patient = index % 2 == 1;
  const size_t box = (size_t)b->effect.size[0] * b->effect.size[1] * b->effect.size[2], coarse = coarse_samples(h);
  const size_t samples = (size_t)b->options.size * b->options.size * b->options.size;
  float *u = memory, *log_jacobian = u + 3 * box, *mask = log_jacobian + box;
  h->t = mask + samples;
  h->log_t = h->t + 3 * coarse;
  h->psi = h->log_t + coarse;
  h->correction = h->psi + 3 * coarse;
  cw_random form = cw_subject_stream(b->options.seed, index, CW_DRAW_SHAPE),
            severity = cw_subject_stream(b->options.seed, index, CW_DRAW_DISEASE),
            contrast = cw_subject_stream(b->options.seed, index, CW_DRAW_CONTRAST);
  CW_TRY(shape(context, &form, h));
  double loss[CW_STRUCTURES];
  h->u = b->average_u;
  h->log_jacobian = b->average_log;
  average_loss(&b->effect, loss);
  if (patient) {
    subject->severity = draw_loss(&b->effect, &severity, loss);
    CW_TRY(cw_effect_model_deform(context, &b->effect, loss, -1, u, log_jacobian));
    h->u = u;
    h->log_jacobian = log_jacobian;
  }
  h->diseased = patient && !variant->healthy;
  h->gamma = (float)cw_random_uniform(&contrast, 0.85, 1.15);
  const double gain = cw_random_uniform(&contrast, 0.8, 1.2);
  find_psi(h, cw_context_threads(context));
  sample_images(h, cw_context_threads(context), variant, mask, subject);
  fill_region(b->options.size, mask, subject->truth_region.data);
  if (!variant->clean)
    CW_TRY(add_scanner(context, b, index, gain, mask, subject->image.data));
  return fill_effect_masks(context, h, loss, u, log_jacobian, subject);
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
  head h = {.brains = brains, .coarse = brains->options.field_of_view < 144 ? 48 : 64};
  h.coarse_mm = brains->options.field_of_view / h.coarse;
  const int *box = brains->effect.size;
  float *memory = cw_allocate(
      context, 4 * (size_t)box[0] * box[1] * box[2] + cw_grid_samples(&grid) + 8 * coarse_samples(&h), sizeof *memory);
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
