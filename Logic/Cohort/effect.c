/* What a disease does to the template: the velocities of the labels that change, and how much volume a dose costs.
 *
 * The pull-back exp(sum of dose_i v_i) has J > 1 in a structure: its tissue shrinks.  A structure alone loses more than
 * 1 - exp(-dose), as it moves to where v diverges more; that is measured once and fitted.  Where structures touch, the
 * ring of one expands the other; doses are chosen against that too, to first order. */
#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "effect_internal.h"

static const double frame_mm = 12; /* kept around the field of view: subjects differ in place */

/* ---- volume against dose ---- */

/* Trilinear sample, zero outside. */
static float sample(const int n[3], const float *data, const float p[3]) {
  int base[3];
  float f[3], sum = 0;
  for (int a = 0; a < 3; a++) {
    if (!(p[a] > -1 && p[a] < (float)n[a]))
      return 0;
    base[a] = (int)floorf(p[a]);
    f[a] = p[a] - (float)base[a];
  }
  for (int corner = 0; corner < 8; corner++) {
    size_t at = 0;
    float weight = 1;
    bool inside = true;
    for (int a = 2; a >= 0; a--) {
      const int up = corner >> a & 1, q = base[a] + up;
      weight *= up ? f[a] : 1 - f[a];
      inside = inside && q >= 0 && q < n[a];
      at = at * (size_t)n[a] + (size_t)(inside ? q : 0);
    }
    if (inside)
      sum += weight * data[at];
  }
  return sum;
}

/* Squarings beyond what invertibility asks for: the first step is an Euler step. */
static int squarings(const int size[3], const float *v, float scale) {
  const int least = cw_exponential_squarings(size, v, scale) + 3;
  return least < 12 ? least : 12;
}

/* log of the structure's volume after exp(dose v), relative to before.  u and steps: [3][..] scratch. */
static double log_volume(const cw_patch *p, double dose, float *u, float *steps, int threads) {
  cw_exponential_forward(p->size, p->velocity, (float)dose, squarings(p->size, p->velocity, (float)dose), false, steps,
                         u, threads);
  double before = 0, after = 0;
  size_t at = 0;
  for (int k = 0; k < p->size[2]; k++)
    for (int j = 0; j < p->size[1]; j++)
      for (int i = 0; i < p->size[0]; i++, at++) {
        const float q[3] = {(float)i + u[at], (float)j + u[p->samples + at], (float)k + u[2 * p->samples + at]};
        before += p->weight[at];
        after += sample(p->size, p->weight, q);
      }
  return log(after / before);
}

/* Fits log volume = -dose (1 + c0 dose + c1 dose^2) through two doses of the effect's range. */
static cw_status fit_curve(cw_context *context, const cw_effect *effect, const cw_patch *p, double curve[2]) {
  const double from = -log(1 - effect->low), to = -log(1 - effect->high);
  const double far = fabs(to) >= fabs(from) ? to : from, other = far == to ? from : to;
  const double dose[2] = {far, other * far < -1e-3 ? other : far / 2};
  curve[0] = curve[1] = 0;
  if (fabs(far) < 1e-3)
    return CW_OK;
  float *u = cw_allocate(context, 6 * p->samples, sizeof *u);
  if (!u)
    return CW_ERROR_MEMORY;
  double excess[2]; /* c0 + c1 dose */
  for (int d = 0; d < 2; d++)
    excess[d] = (-log_volume(p, dose[d], u, u + 3 * p->samples, cw_context_threads(context)) / dose[d] - 1) / dose[d];
  cw_release(context, u);
  curve[1] = (excess[0] - excess[1]) / (dose[0] - dose[1]);
  curve[0] = excess[0] - curve[1] * dose[0];
  if (!isfinite(curve[0]) || !isfinite(curve[1]))
    return cw_fail(context, CW_ERROR_NUMERIC, "cohort: a structure's change of volume cannot be measured");
  return CW_OK;
}

/* The dose at which a structure alone loses `loss` of its volume (Newton). */
static double dose_of_loss(const cw_structure *s, double loss) {
  const double wanted = -log(1 - loss);
  double dose = wanted;
  for (int step = 0; step < 30; step++) {
    const double value = dose * (1 + dose * (s->curve[0] + dose * s->curve[1])) - wanted;
    const double slope = 1 + dose * (2 * s->curve[0] + dose * 3 * s->curve[1]);
    dose -= value / (fabs(slope) > 0.2 ? slope : 0.2);
  }
  return dose;
}

/* ---- the model ---- */

/* Keeps the part of a patch that lies in lattice bounds [low, high]. */
static cw_status keep(cw_context *context, const cw_patch *p, int bound, cw_structure *s) {
  int first[3], n[3];
  double centroid[3] = {0, 0, 0}, total = 0;
  for (int a = 0; a < 3; a++) {
    first[a] = p->offset[a] > -bound ? p->offset[a] : -bound;
    const int end = p->offset[a] + p->size[a] - 1 < bound ? p->offset[a] + p->size[a] - 1 : bound;
    n[a] = end - first[a] + 1;
  }
  size_t at = 0;
  for (int k = 0; k < p->size[2]; k++)
    for (int j = 0; j < p->size[1]; j++)
      for (int i = 0; i < p->size[0]; i++, at++) {
        const int g[3] = {i, j, k};
        for (int a = 0; a < 3; a++)
          centroid[a] += p->weight[at] * (g[a] + p->offset[a]);
        total += p->weight[at];
      }
  for (int a = 0; a < 3; a++)
    if (!(fabs(centroid[a]) <= total * bound) || n[a] < 2)
      return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: label %d lies outside the field of view", s->label);
  const size_t samples = (size_t)n[0] * n[1] * n[2];
  s->velocity = cw_allocate(context, 4 * samples, sizeof *s->velocity);
  if (!s->velocity)
    return CW_ERROR_MEMORY;
  s->weight = s->velocity + 3 * samples;
  for (int a = 0; a < 3; a++) {
    s->size[a] = n[a];
    s->offset[a] = first[a];
  }
  for (int c = 0; c < 4; c++) {
    const float *from = c < 3 ? p->velocity + c * p->samples : p->weight;
    float *to = s->velocity + c * samples;
    for (int k = 0; k < n[2]; k++)
      for (int j = 0; j < n[1]; j++, to += n[0]) {
        const size_t row =
            ((size_t)(k + first[2] - p->offset[2]) * p->size[1] + (j + first[1] - p->offset[1])) * (size_t)p->size[0];
        memcpy(to, from + row + (first[0] - p->offset[0]), (size_t)n[0] * sizeof *to);
      }
  }
  return CW_OK;
}

/* The box of all structures; offsets become relative to it. */
static void unite(const double centre[3], cw_effect_model *m) {
  for (int a = 0; a < 3; a++) {
    int low = m->structures[0].offset[a], high = low;
    for (int s = 0; s < m->count; s++) {
      const int first = m->structures[s].offset[a], end = first + m->structures[s].size[a];
      low = first < low ? first : low;
      high = end > high ? end : high;
    }
    for (int s = 0; s < m->count; s++)
      m->structures[s].offset[a] -= low;
    m->size[a] = high - low;
    m->origin[a] = centre[a] + low * m->spacing;
  }
}

/* Mean divergence of b's velocity inside a. */
static double mean_divergence(const cw_structure *a, const cw_structure *b) {
  const size_t samples = (size_t)b->size[0] * b->size[1] * b->size[2];
  const size_t stride[3] = {1, (size_t)b->size[0], (size_t)b->size[0] * b->size[1]};
  double sum = 0, total = 0;
  size_t at = 0;
  for (int k = 0; k < a->size[2]; k++)
    for (int j = 0; j < a->size[1]; j++)
      for (int i = 0; i < a->size[0]; i++, at++) {
        if (!(a->weight[at] > 0))
          continue;
        const int own[3] = {i, j, k};
        int q[3];
        bool inside = true;
        for (int c = 0; c < 3; c++) {
          q[c] = own[c] + a->offset[c] - b->offset[c];
          inside = inside && q[c] > 0 && q[c] < b->size[c] - 1;
        }
        total += a->weight[at];
        if (!inside)
          continue;
        const size_t p = q[0] + q[1] * stride[1] + q[2] * stride[2];
        double divergence = 0;
        for (int c = 0; c < 3; c++)
          divergence += 0.5 * (b->velocity[c * samples + p + stride[c]] - b->velocity[c * samples + p - stride[c]]);
        sum += divergence * a->weight[at];
      }
  return total > 0 ? sum / total : 0;
}

static bool is_shade(const cw_effect_model *m, int structure) {
  return m->effects[m->structures[structure].effect].brightness;
}

/* Inverse of the matrix of mean divergences (Gauss-Jordan with pivoting): wanted -> doses. */
static cw_status solve_mixing(cw_context *context, cw_effect_model *m) {
  const int n = m->count;
  double a[CW_STRUCTURES][2 * CW_STRUCTURES] = {{0}};
  for (int r = 0; r < n; r++) {
    for (int c = 0; c < n; c++)
      a[r][c] = r == c                             ? 1
                : is_shade(m, r) || is_shade(m, c) ? 0
                                                   : mean_divergence(&m->structures[r], &m->structures[c]);
    a[r][n + r] = 1;
  }
  for (int c = 0; c < n; c++) {
    int pivot = c;
    for (int r = c; r < n; r++)
      pivot = fabs(a[r][c]) > fabs(a[pivot][c]) ? r : pivot;
    if (!(fabs(a[pivot][c]) > 0.1))
      return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: labels %d and others lie too close together to change each",
                     m->structures[c].label);
    for (int k = 0; k < 2 * n; k++) {
      const double swap = a[c][k];
      a[c][k] = a[pivot][k];
      a[pivot][k] = swap;
    }
    for (int r = 0; r < n; r++) {
      const double factor = r == c ? 0 : a[r][c] / a[c][c];
      for (int k = 0; k < 2 * n && factor != 0; k++)
        a[r][k] -= factor * a[c][k];
    }
  }
  for (int r = 0; r < n; r++)
    for (int c = 0; c < n; c++)
      m->mixing[r][c] = a[r][n + c] / a[r][r];
  return CW_OK;
}

static cw_status add_structure(cw_context *context, const cw_volume *atlas, const cw_volume *ventricles, int label,
                               int effect, const double centre[3], double field_of_view, cw_effect_model *m) {
  for (int s = 0; s < m->count; s++)
    if (m->structures[s].label == label)
      return cw_fail(context, CW_ERROR_ARGUMENT, "cohort: label %d appears twice among the effects", label);
  cw_region region;
  cw_patch patch;
  CW_TRY(cw_region_find(context, atlas, ventricles, label, &region));
  CW_TRY(cw_patch_create(context, &region, m->spacing, centre, &patch));
  cw_structure *s = &m->structures[m->count];
  s->effect = effect;
  s->label = label;
  cw_status status = m->effects[effect].brightness ? CW_OK : fit_curve(context, &m->effects[effect], &patch, s->curve);
  if (status == CW_OK)
    status = keep(context, &patch, (int)ceil((field_of_view / 2 + frame_mm) / m->spacing), s);
  cw_patch_free(context, &patch);
  m->count += status == CW_OK;
  return status;
}

static cw_status create(cw_context *context, const cw_volume *brain, const cw_volume *atlas, const double centre[3],
                        double field_of_view, cw_volume *ventricles, cw_effect_model *m) {
  if (cw_region_wants_ventricles(m->effects, m->effect_count))
    CW_TRY(cw_region_ventricles(context, brain, atlas, ventricles));
  for (int e = 0; e < m->effect_count; e++)
    for (int l = 0; l < CW_EFFECT_LABELS; l++)
      if (m->effects[e].labels[l])
        CW_TRY(add_structure(context, atlas, ventricles, m->effects[e].labels[l], e, centre, field_of_view, m));
  unite(centre, m);
  return solve_mixing(context, m);
}

void cw_effect_model_free(cw_context *context, cw_effect_model *model) {
  for (int s = 0; s < model->count; s++)
    cw_release(context, model->structures[s].velocity);
  memset(model, 0, sizeof *model);
}

cw_status cw_effect_model_create(cw_context *context, const cw_volume *brain, const cw_volume *atlas,
                                 const cw_effect *effects, int effect_count, double spacing, const double centre[3],
                                 double field_of_view, cw_effect_model *model) {
  memset(model, 0, sizeof *model);
  model->effect_count = effect_count;
  memcpy(model->effects, effects, (size_t)effect_count * sizeof *effects);
  model->spacing = spacing;
  cw_volume ventricles = {0};
  const cw_status status = create(context, brain, atlas, centre, field_of_view, &ventricles, model);
  cw_volume_free(context, &ventricles);
  if (status != CW_OK)
    cw_effect_model_free(context, model);
  return status;
}

cw_status cw_effect_model_deform(cw_context *context, const cw_effect_model *model, const double loss[CW_STRUCTURES],
                                 int only, float *u, float *log_jacobian) {
  const size_t samples = (size_t)model->size[0] * model->size[1] * model->size[2];
  float *v = cw_allocate_zero(context, 6 * samples, sizeof *v);
  if (!v)
    return CW_ERROR_MEMORY;
  double alone[CW_STRUCTURES];
  for (int s = 0; s < model->count; s++)
    alone[s] = dose_of_loss(&model->structures[s], loss[s]);
  for (int s = 0; s < model->count; s++) {
    const cw_structure *t = &model->structures[s];
    if ((only >= 0 && t->effect != only) || is_shade(model, s))
      continue;
    double dose = 0;
    for (int c = 0; c < model->count; c++)
      dose += model->mixing[s][c] * alone[c];
    const float *from = t->velocity;
    for (int c = 0; c < 3; c++)
      for (int k = 0; k < t->size[2]; k++)
        for (int j = 0; j < t->size[1]; j++, from += t->size[0]) {
          float *to = v + c * samples + t->offset[0] +
                      (size_t)model->size[0] * ((j + t->offset[1]) + (size_t)model->size[1] * (k + t->offset[2]));
          for (int i = 0; i < t->size[0]; i++)
            to[i] += (float)dose * from[i];
        }
  }
  const int threads = cw_context_threads(context);
  cw_exponential_forward(model->size, v, 1, squarings(model->size, v, 1), false, v + 3 * samples, u, threads);
  cw_jacobian_determinant(model->size, u, true, log_jacobian, threads);
  cw_release(context, v);
  return CW_OK;
}

void cw_effect_model_shade(const cw_effect_model *model, const double loss[CW_STRUCTURES], int only, float *shade) {
  memset(shade, 0, (size_t)model->size[0] * model->size[1] * model->size[2] * sizeof *shade);
  for (int s = 0; s < model->count; s++) {
    const cw_structure *t = &model->structures[s];
    if ((only >= 0 && t->effect != only) || !is_shade(model, s))
      continue;
    const float *from = t->weight;
    for (int k = 0; k < t->size[2]; k++)
      for (int j = 0; j < t->size[1]; j++, from += t->size[0]) {
        float *to = shade + t->offset[0] +
                    (size_t)model->size[0] * ((j + t->offset[1]) + (size_t)model->size[1] * (k + t->offset[2]));
        for (int i = 0; i < t->size[0]; i++)
          to[i] += (float)loss[s] * from[i];
      }
  }
}
