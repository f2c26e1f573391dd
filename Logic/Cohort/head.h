/* The maps from which one subject's images are sampled: its own deformation T and the disease phi.  Points are RAS mm.
 * Inlined, as they run for every sub-sample. */
#ifndef COUNTERWARP_HEAD_H
#define COUNTERWARP_HEAD_H

#include "cohort_internal.h"

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
typedef struct cw_head {
  const cw_brains *brains;
  const float *u, *log_jacobian; /* the disease in template space */
  const float *shade;            /* share of brightness lost, in template space; NULL: none */
  bool diseased;                 /* the image shows them */
  int coarse;                    /* grid of the subject's own deformation: coarse^3 over the field of view */
  double coarse_mm;
  float *t, *log_t;                            /* [3][..] coarse voxels; log J */
  float *correction;                           /* log J T(x) - log J T(psi(x)), coarse */
  float linear[3][3], inverse[3][3], shift[3]; /* T(x) = c + linear (x + t(x) - c) + shift */
  float gamma;
} cw_head;

/* ---- sampling ---- */

typedef struct cw_cell {
  size_t at;
  int up[3]; /* whether the next sample exists, as a stride */
  float f[3];
} cw_cell;

/* The cell of p in a grid of n, clamped to its border. */
static inline cw_cell cw_head_find_cell(const int n[3], const float p[3]) {
  cw_cell c;
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

static inline float cw_head_blend(const cw_cell *c, const float v[8]) {
  const float x = c->f[0], y = c->f[1], z = c->f[2];
  const float a = v[0] + x * (v[1] - v[0]), b = v[2] + x * (v[3] - v[2]);
  const float d = v[4] + x * (v[5] - v[4]), e = v[6] + x * (v[7] - v[6]);
  const float low = a + y * (b - a), high = d + y * (e - d);
  return low + z * (high - low);
}

static inline void cw_head_gather(const cw_cell *c, const float *data, float v[8]) {
  const float *p = data + c->at;
  for (int corner = 0; corner < 8; corner++)
    v[corner] = p[(corner & 1 ? c->up[0] : 0) + (corner & 2 ? c->up[1] : 0) + (corner & 4 ? c->up[2] : 0)];
}

static inline float cw_head_sample(const cw_cell *c, const float *data) {
  float v[8];
  cw_head_gather(c, data, v);
  return cw_head_blend(c, v);
}

static inline bool cw_head_is_inside(const int n[3], const float p[3]) {
  return p[0] >= 0 && p[1] >= 0 && p[2] >= 0 && p[0] <= (float)(n[0] - 1) && p[1] <= (float)(n[1] - 1) &&
         p[2] <= (float)(n[2] - 1);
}

/* ---- the maps ---- */

static inline size_t cw_head_coarse_samples(const cw_head *h) {
  return (size_t)h->coarse * h->coarse * h->coarse;
}

/* Cell of a point (RAS mm) in the grid of the subject's own deformation. */
static inline cw_cell cw_head_coarse_cell(const cw_head *h, const float x[3]) {
  const int n[3] = {h->coarse, h->coarse, h->coarse};
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = (x[a] - (float)h->brains->centre[a]) / (float)h->coarse_mm + 0.5f * (float)(h->coarse - 1);
  return cw_head_find_cell(n, p);
}

/* T: subject -> template. */
static inline void cw_head_to_template(const cw_head *h, const float x[3], const cw_cell *c, float out[3]) {
  const size_t samples = cw_head_coarse_samples(h);
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = x[a] + (float)h->coarse_mm * cw_head_sample(c, h->t + a * samples) - (float)h->brains->centre[a];
  for (int a = 0; a < 3; a++)
    out[a] = (float)h->brains->centre[a] + h->shift[a] + h->linear[a][0] * p[0] + h->linear[a][1] * p[1] +
             h->linear[a][2] * p[2];
}

/* The disease at a template point: displacement in mm (0 far away) and log J. */
static inline float cw_head_disease(const cw_head *h, const float y[3], float u[3]) {
  const cw_effect_model *m = &h->brains->effect;
  const size_t samples = (size_t)m->size[0] * m->size[1] * m->size[2];
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = (y[a] - (float)m->origin[a]) / (float)m->spacing;
  if (!cw_head_is_inside(m->size, p)) {
    u[0] = u[1] = u[2] = 0;
    return 0;
  }
  const cw_cell c = cw_head_find_cell(m->size, p);
  for (int a = 0; a < 3; a++)
    u[a] = (float)m->spacing * cw_head_sample(&c, h->u + a * samples);
  return cw_head_sample(&c, h->log_jacobian);
}

/* The share of brightness lost at a template point. */
static inline float cw_head_shade(const cw_head *h, const float y[3]) {
  const cw_effect_model *m = &h->brains->effect;
  float p[3];
  for (int a = 0; a < 3; a++)
    p[a] = (y[a] - (float)m->origin[a]) / (float)m->spacing;
  if (!cw_head_is_inside(m->size, p))
    return 0;
  const cw_cell c = cw_head_find_cell(m->size, p);
  return cw_head_sample(&c, h->shade);
}

/* T1 and head mask (share of voxels above 0) at a template point. */
static inline float cw_head_brain(const cw_brains *b, const float y[3], float *mask) {
  const cw_volume *brain = b->options.brain;
  float p[3], v[8];
  for (int r = 0; r < 3; r++)
    p[r] = b->to_brain[r][0] * y[0] + b->to_brain[r][1] * y[1] + b->to_brain[r][2] * y[2] + b->to_brain[r][3];
  *mask = 0;
  if (!cw_head_is_inside(brain->grid.size, p))
    return 0;
  const cw_cell c = cw_head_find_cell(brain->grid.size, p);
  cw_head_gather(&c, brain->data, v);
  for (int corner = 0; corner < 8; corner++)
    v[corner] = v[corner] > 0;
  *mask = cw_head_blend(&c, v);
  return cw_head_sample(&c, b->smoothed);
}

/* ---- head.c ---- */

/* Draws T: a smooth diffeomorphism, then an affine map near the identity. */
cw_status cw_head_shape(cw_context *context, cw_random *random, cw_head *h);
/* y = psi(x), psi = T^-1 phi T; false (and y = x) where the disease moves nothing. */
bool cw_head_pull(const cw_head *h, const float x[3], float y[3]);
/* The terms that T adds to the log J of psi. */
void cw_head_find_correction(const cw_head *h, int threads);

#endif
