/* Cohorts: the table, folds by subject, scans on a model's grid, and cohorts with a known effect. */
#ifndef COUNTERWARP_COHORT_H
#define COUNTERWARP_COHORT_H

#include "counterwarp/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the table: tab separated, in the manner of BIDS participants.tsv ---- */

typedef enum cw_group { CW_CONTROL = 0, CW_PATIENT = 1 } cw_group;

/* One scan.  Paths are absolute or relative to the working directory (the table's folder is already applied);
 * "" where the table has no value ("n/a" or an absent column). */
typedef struct cw_scan {
  char *participant, *session;
  cw_group group;
  char *image, *transform, *truth_logjac, *truth_mask, *truth_region;
} cw_scan;

typedef struct cw_table {
  int count;
  cw_scan *scans;
} cw_table;

/* Reads a table.  Needed columns: participant_id, group (control|patient), image.  Optional: session_id, transform,
 * truth_logjac, truth_mask, truth_region.  Errors name the line and the column.  Refused are names with slashes (they
 * become parts of file names) and two rows of one participant with the same session. */
cw_status cw_table_read(cw_context *context, const char *path, cw_table *table);
void cw_table_free(cw_context *context, cw_table *table);

/* Folds by subject, stratified by group: fold[i] in [0, folds) for each scan; scans of one participant share a fold.
 * A participant whose scans differ in group is stratified by the first.  Deterministic from seed and the participants'
 * names, independent of the order of rows.  CW_ERROR_ARGUMENT if a group has fewer participants than folds. */
cw_status cw_table_folds(cw_context *context, const cw_table *table, int folds, uint64_t seed, int *fold);

/* ---- names of an atlas's labels ---- */

typedef struct cw_label_name {
  int label;
  const char *name;
} cw_label_name;

/* item: sorted by label, each label once; names lie in text. */
typedef struct cw_label_names {
  int count;
  cw_label_name *item;
  char *text;
} cw_label_names;

/* Reads lines that start with a label (1 .. 999999) and its name, up to a blank: AAL's "1 Precentral_L 2001",
 * FreeSurfer's "17 Left-Hippocampus 220 216 20 0", BIDS's TSV.  Other lines (headers, comments) are passed over; of two
 * lines with one label the first counts.  Errors: CW_ERROR_FILE, CW_ERROR_FORMAT (no such line, no text),
 * CW_ERROR_MEMORY. */
cw_status cw_label_names_read(cw_context *context, const char *path, cw_label_names *names);
/* Accepts a cleared struct. */
void cw_label_names_free(cw_context *context, cw_label_names *names);
/* NULL if the label has no name. */
const char *cw_label_names_find(const cw_label_names *names, int label);

/* ---- scans on a model's grid ---- */

typedef enum cw_normalization_kind {
  CW_NORMALIZE_NONE,
  CW_NORMALIZE_PERCENTILE, /* x / (percentile `high` of all samples on the model's grid) */
  CW_NORMALIZE_ZSCORE,     /* (x - mean) / sd over samples above 0 on the model's grid; others keep 0 */
  CW_NORMALIZE_ZSCORE_ALL, /* (x - mean) / sd over all samples on the model's grid */
  CW_NORMALIZE_MINMAX,     /* (x - min) / (max - min) on the model's grid */
  CW_NORMALIZE_RANGE       /* (x - low) / (high - low), clipped to [0, 1] */
} cw_normalization_kind;

/* How a scan becomes a network's input; travels inside the model file. */
typedef struct cw_preprocessing {
  cw_grid grid;
  cw_normalization_kind normalization;
  double high; /* percentile, 0..100; default 99.5; end of the range */
  double low;  /* beginning of the range */
} cw_preprocessing;

/* Resamples a scan to the model's grid (cw_volume_resample_mean; transform maps a world point of the model's space to
 * the scan's, NULL: identity) and normalises.  out: [nz][ny][nx], caller's.
 * Errors: CW_ERROR_ARGUMENT if under 25 % of the model's grid lies inside the scan, or nothing but zeros does. */
cw_status cw_preprocess(cw_context *context, const cw_preprocessing *preprocessing, const cw_volume *scan,
                        const cw_affine *transform, float *out);

/* Warns (cw_warn) where an input looks wrong for a model, by comparison with its template (same grid, normalised):
 * correlation under 0.5, or bright tissue where the template has none (skull left on). */
void cw_preprocess_inspect(cw_context *context, const cw_preprocessing *preprocessing, const float *input,
                           const float *template_samples, const char *name);

/* Reads an affine that maps model (fixed) points to scan (moving) points, LPS mm: ITK text transform (.tfm, .txt;
 * AffineTransform, MatrixOffset, Euler3D, center included) or a plain 4x4 (or 3x4) matrix in a text file. */
cw_status cw_affine_read(cw_context *context, const char *path, cw_affine *affine);

/* Reads one image; the program passes cw_nifti_read, hosts pass their own. */
typedef cw_status (*cw_image_reader)(cw_context *context, const char *path, cw_volume *volume);

/* All scans of a table as network input. */
typedef struct cw_dataset {
  int count;
  cw_preprocessing preprocessing;
  float *samples; /* [count][nz][ny][nx] */
  int *label;     /* [count] 0 control, 1 patient */
} cw_dataset;

cw_status cw_dataset_load(cw_context *context, const cw_table *table, const cw_preprocessing *preprocessing,
                          cw_image_reader read, cw_dataset *dataset);
void cw_dataset_free(cw_context *context, cw_dataset *dataset);

/* ---- cohorts with a known effect ---- */

typedef enum cw_cohort_kind { CW_COHORT_SPHERES, CW_COHORT_BRAINS } cw_cohort_kind;

typedef struct cw_effect {
  int labels[8];    /* atlas labels that change; label 0 entries are unused.  label -1: the ventricles */
  double low, high; /* relative loss of volume, e.g. 0.15 .. 0.35, drawn for each subject and label; negative: growth;
                       -1 .. 0.6 */
  bool brightness;  /* loss of brightness instead: nothing moves, and no warp undoes it */
} cw_effect;

typedef struct cw_cohort_options {
  cw_cohort_kind kind;
  int size;     /* voxels a side, 32..128, divisible by 16 */
  int subjects; /* per group */
  uint64_t seed;
  double field_of_view;   /* mm; 0: 96 around the first effect below size 64, 192 for the whole head from 64 on;
                             spheres: voxels of 2 mm */
  double variability;     /* brains: inter-subject deformation; 0: the default, 1 */
  const cw_volume *brain; /* brains: T1, skull stripped */
  const cw_volume *atlas; /* brains: labels on the same grid */
  cw_effect effects[4];
  int effect_count; /* brains; 0: both hippocampi of the AAL atlas (37, 38), 0.15 .. 0.35 */
} cw_cohort_options;

/* One generated subject; every volume on the subject's own grid. */
typedef struct cw_subject {
  cw_volume image;
  cw_volume truth_logjac;   /* log J of the disease-only pull-back, > 0 where tissue shrank */
  cw_volume truth_mask;     /* 1 where |log J| > 0.05 */
  cw_volume truth_region;   /* 1 where maps are scored */
  cw_volume effect_mask[4]; /* brains with several effects: one mask each; of brightness, the region itself */
  double severity;          /* relative loss of volume of the first effect, mean of its labels; 0 for controls */
} cw_subject;

typedef struct cw_cohort cw_cohort;

/* Prepares a generator.  brain and atlas must outlive it.  CW_ERROR_ARGUMENT for options out of range, a label that is
 * not in the atlas or lies outside the field of view, a T1 image without finite voxels above 0; CW_ERROR_SHAPE if the
 * atlas is on another grid. */
cw_status cw_cohort_create(cw_context *context, const cw_cohort_options *options, cw_cohort **cohort);
void cw_cohort_free(cw_context *context, cw_cohort *cohort);
/* Subject `index` (0 .. 2 * subjects - 1; odd ones are patients); deterministic from seed and index alone.  Several
 * threads may call it on one cohort, each with a context of its own. */
cw_status cw_cohort_subject(cw_context *context, const cw_cohort *cohort, int index, cw_subject *subject);
/* The same subject with one of its effects alone (0 .. effect_count - 1; spheres have one), or none (-1): the same
 * head, contrast, bias field and noise.  A control gets the effect at average severity.  truth_*: of that effect, for
 * none of all; without effect masks.  CW_ERROR_ARGUMENT for an effect that is not there. */
cw_status cw_cohort_subject_alone(cw_context *context, const cw_cohort *cohort, int index, int effect,
                                  cw_subject *subject);
void cw_subject_free(cw_context *context, cw_subject *subject);

#ifdef __cplusplus
}
#endif
#endif
