/* What a simulation shows: for one scan, for a group, for regions, and against a known truth. */
#ifndef COUNTERWARP_RESULTS_H
#define COUNTERWARP_RESULTS_H

#include "counterwarp/model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CW_CURVE_POINTS 17 /* strengths -1, -0.875, .. 1 */

typedef struct cw_simulation {
  /* on the scan's own grid */
  cw_volume image;        /* warped scan */
  cw_volume field;        /* pull-back displacement, mm LPS */
  cw_volume jacobian;     /* det(I + du/dx) of field: above 1 where tissue shrank */
  cw_volume log_jacobian;
  double logit_before, logit_after;         /* of the scan and of the warped scan, both through preprocessing */
  double curve_strength[CW_CURVE_POINTS], curve_logit[CW_CURVE_POINTS]; /* on the model's grid */
  bool monotone;          /* the logit moves in the wanted direction at every step from strength 0 to 1 */
  size_t folded;          /* voxels of the scan with J <= 0 */
  double inverse_error;   /* mm: largest |phi(phi^-1(x)) - x| on the model's grid, inside the box */
  double cycle_error;     /* RMSE(cycled, input) / RMS(input) on the model's grid, through S with the other direction */
  double largest, mean;   /* |u| in mm on the model's grid */
} cw_simulation;

/* Injects (+1) or removes (-1) at a strength: S on the preprocessed scan, the field carried to the scan's own grid.
 * transform maps world points of the model's space to the scan's (NULL: identity).
 * Any grid, spacing and orientation.  Free with cw_simulation_free. */
cw_status cw_simulate(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                      const cw_affine *transform, float direction, float strength, cw_simulation *simulation);
void cw_simulation_free(cw_context *context, cw_simulation *simulation);

/* Mean and one-sample t map over `count` maps of `samples` values; t is 0 where the variance is 0. */
cw_status cw_group_maps(cw_context *context, const float *const *maps, int count, size_t samples, float *mean,
                        float *t);

/* Change of tissue volume of a region under a warp: N / (sum of J) - 1 over the N output voxels whose warped label is
 * that region; below 0 where it shrank. */
typedef struct cw_region {
  int label;
  size_t voxels_before, voxels_after; /* of the label, and of the warped label */
  double change;
} cw_region;

/* labels: atlas on the field's grid; field mm LPS; jacobian of that field.  Regions of at least `least` voxels, sorted
 * by label; the caller frees *regions with cw_release. */
cw_status cw_region_changes(cw_context *context, const cw_volume *labels, const cw_volume *field,
                            const cw_volume *jacobian, size_t least, cw_region **regions, int *count);

/* A map against the truth inside a region (mask != 0 in `region`; NULL: everywhere). */
typedef struct cw_score {
  double signed_correlation;     /* Pearson of map and truth */
  double normalised_correlation; /* Pearson of |map| and |truth| */
  double average_precision;      /* of |map| for mask, ties as one threshold */
  double auc;                    /* ROC, ties averaged */
} cw_score;
cw_status cw_score_map(cw_context *context, const float *map, const float *truth, const float *mask,
                       const float *region, size_t samples, cw_score *score);

/* Mean of `count` values, their standard deviation (NaN below two values) and the mean's 95 % interval by Student's t
 * (NaN below two values).  All NaN without values. */
typedef struct cw_summary {
  int count;
  double mean, sd, low, high;
} cw_summary;
cw_summary cw_summarize(const double *values, int count);

/* 0.5 (sensitivity + specificity) of logits (> 0: patient) for labels 0/1. */
double cw_balanced_accuracy(const float *logits, const int *labels, int count);

#ifdef __cplusplus
}
#endif
#endif
