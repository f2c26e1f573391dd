/* What the files of Cohort share: text files, random fields, and the two generators behind cw_cohort. */
#ifndef COUNTERWARP_COHORT_INTERNAL_H
#define COUNTERWARP_COHORT_INTERNAL_H

#include "counterwarp/cohort.h"
#include "counterwarp/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- text.c ---- */

/* A whole text file with a '\0' after it, a UTF-8 byte order mark dropped.  Refuses files with zero bytes.  The caller
 * frees *text with cw_release. */
cw_status cw_text_read(cw_context *context, const char *path, char **text, size_t *length);
/* One number in C notation whatever the locale says, filling the `length` characters at text; false otherwise. */
bool cw_text_number(const char *text, size_t length, double *number);

/* ---- noise.c ---- */

/* A smooth Gaussian random field on a periodic n^3 grid: white noise filtered with a Gaussian of `sigma` voxels, scaled
 * to unit standard deviation.  out[k][j][i]. */
cw_status cw_noise_smooth(cw_context *context, cw_random *random, int n, double sigma, float *out);

/* ---- effect.c: what a disease does to the template, as a pull-back in template space ---- */

enum { CW_EFFECTS = 4, CW_EFFECT_LABELS = 8, CW_STRUCTURES = CW_EFFECTS * CW_EFFECT_LABELS };

/* One label that changes: a stationary velocity of mean divergence 1 inside it, whose ring takes the volume up. */
typedef struct cw_structure {
  int effect;             /* index into the effects */
  int label;              /* of the atlas, or -1 */
  int offset[3], size[3]; /* place in the model's box */
  float *velocity;        /* [3][nz][ny][nx] voxels of the model's box */
  float *weight;          /* [nz][ny][nx] share of the structure in each voxel; behind velocity */
  double curve[2];        /* log volume change = -dose (1 + curve[0] dose + curve[1] dose^2) */
} cw_structure;

/* Template space is RAS millimetres; the box's index axes run along R, A, S. */
typedef struct cw_effect_model {
  int effect_count, count;
  cw_effect effects[CW_EFFECTS];
  cw_structure structures[CW_STRUCTURES];
  double mixing[CW_STRUCTURES][CW_STRUCTURES]; /* doses of structures alone -> doses together */
  double spacing;                              /* mm */
  double origin[3];                            /* RAS mm of the box's first voxel */
  int size[3];
} cw_effect_model;

/* Finds the labels, solves for their velocities (Poisson's equation) and measures how dose and volume go together.
 * centre (RAS mm) and field_of_view bound what is kept: a label outside them is an error. */
cw_status cw_effect_model_create(cw_context *context, const cw_volume *brain, const cw_volume *atlas,
                                 const cw_effect *effects, int effect_count, double spacing, const double centre[3],
                                 double field_of_view, cw_effect_model *model);
void cw_effect_model_free(cw_context *context, cw_effect_model *model);
/* The pull-back u (voxels of the box, [3][..]) and its log J ([..]) for a relative loss of volume of each structure;
 * only: the index of the one effect to take, or -1 for all. */
cw_status cw_effect_model_deform(cw_context *context, const cw_effect_model *model, const double loss[CW_STRUCTURES],
                                 int only, float *u, float *log_jacobian);
/* The share of brightness that the model's box loses ([..]), for a relative loss of each structure; only: as above. */
void cw_effect_model_shade(const cw_effect_model *model, const double loss[CW_STRUCTURES], int only, float *shade);
/* RAS mm midpoint of the bounding box of an effect's labels (of the head for effect NULL). */
cw_status cw_effect_centre(cw_context *context, const cw_volume *brain, const cw_volume *atlas, const cw_effect *effect,
                           double centre[3]);
/* The 99th percentile of a T1 image's voxels above 0, by a histogram. */
cw_status cw_brain_level(cw_context *context, const cw_volume *brain, float *level);
/* World RAS mm -> index of a volume, float. */
cw_status cw_effect_ras_to_index(cw_context *context, const cw_grid *grid, float map[3][4]);

/* ---- spheres.c, brains.c ---- */

/* How one subject differs from what cw_cohort_subject makes of it. */
typedef struct cw_subject_variant {
  bool healthy;        /* the patient as it was before the disease */
  bool clean;          /* no bias field, gain or noise */
  cw_volume *pullback; /* NULL, or created: the disease-only pull-back (mm, LPS) on the subject's grid */
  cw_volume *place;    /* NULL, or created: where each voxel lies in the template before the disease (mm, LPS) */
  bool alone;          /* only `effect`, or none for -1; controls have it at average severity */
  int effect;
} cw_subject_variant;

cw_status cw_spheres_subject(cw_context *context, const cw_cohort_options *options, int index,
                             const cw_subject_variant *variant, cw_subject *subject);

typedef struct cw_brains cw_brains;
cw_status cw_brains_create(cw_context *context, const cw_cohort_options *options, cw_brains **brains);
void cw_brains_free(cw_context *context, cw_brains *brains);
cw_status cw_brains_subject(cw_context *context, const cw_brains *brains, int index, const cw_subject_variant *variant,
                            cw_subject *subject);

/* Random streams of one subject. */
enum { CW_DRAW_SHAPE, CW_DRAW_DISEASE, CW_DRAW_CONTRAST, CW_DRAW_BIAS, CW_DRAW_NOISE, CW_DRAWS = 8 };
static inline cw_random cw_subject_stream(uint64_t seed, int index, int draw) {
  return cw_random_stream(seed, (uint64_t)index * CW_DRAWS + (uint64_t)draw);
}

#ifdef __cplusplus
}
#endif
#endif
