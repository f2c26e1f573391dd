/* What a simulation shows: for one scan, for a group, for regions, and against a known truth. */
#ifndef COUNTERWARP_RESULTS_H
#define COUNTERWARP_RESULTS_H

#include "counterwarp/model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CW_CURVE_POINTS 17 /* strengths -1, -0.875, .. 1 */

/* All figures are at the direction and strength asked for, except the curve.  phi is x -> x + u(x). */
typedef struct cw_simulation {
  /* on the scan's own grid */
  cw_volume image;        /* warped scan */
  cw_volume field;        /* pull-back displacement, mm LPS */
  cw_volume jacobian;     /* det(I + du/dx) of field: above 1 where tissue shrank */
  cw_volume log_jacobian; /* as cw_volume_jacobian gives it: J <= 0 counts as 1e-3 */
  /* Of the scan and of the warped scan, each through the whole preprocessing: the warped scan is normalised by its own
   * intensities, as if it had been read from its file. */
  double logit_before, logit_after;
  /* The slider, on the model's grid: t >= 0 is the scan warped by exp(t v(x, +1)), t < 0 by exp(|t| v(x, -1)), whatever
   * the direction asked for (displacement models: t u(x, +1), |t| u(x, -1)).  No normalisation after the warp. */
  double curve_strength[CW_CURVE_POINTS], curve_logit[CW_CURVE_POINTS];
  bool monotone;        /* inject: the logit rises at each of the curve's steps from 0 to 1; remove: falls at each from
                         * 0 to -1.  A step within rounding (1e-5 of the logit) does not count as one */
  size_t folded;        /* voxels of the scan with J <= 0 */
  double inverse_error; /* mm: largest |phi(phi^-1(x)) - x| on the model's grid, over x with phi^-1(x) inside the box;
                         * phi^-1 is the displacement at -strength, so a displacement model shows how far its -u is
                         * from an inverse */
  double cycle_error;   /* RMSE(cycled, input) / RMS(input) on the model's grid; cycled: the warped input through S with
                         * the other direction, at the same strength */
  double composition_error; /* mm: largest |phi_a(phi_b(x)) - phi(x)| on the model's grid, phi_a and phi_b at 0.4 and
                             * 0.6 of the strength: 0 where strengths add up */
  double agreement;         /* correlation of log J with minus log J of the other direction's field, same strength */
  double largest, mean;     /* |u| in mm on the model's grid */
  double strain;            /* root mean square of |Du|, Frobenius norm of u's forward differences (a voxel each) */
} cw_simulation;

/* Injects (+1) or removes (-1) at a strength: S on the preprocessed scan; the field of the model's grid is carried to
 * the scan's own grid (cw_field_carry, zero outside the model's box) and applied there.
 * transform maps world points of the model's space to the scan's (NULL: identity).  A negative strength of a velocity
 * model applies the inverse of the positive one.  Any grid, spacing and orientation.  Free with cw_simulation_free;
 * after an error there is nothing to free.
 * Errors: CW_ERROR_ARGUMENT (not a simulator, direction, strength, scan off the model's grid), CW_ERROR_SHAPE (scan not
 * scalar), CW_ERROR_NUMERIC (NaN or Inf in scan, field or logit), CW_ERROR_MEMORY, CW_ERROR_CANCELLED. */
cw_status cw_simulate(cw_context *context, const cw_model *simulator, const cw_volume *scan, const cw_affine *transform,
                      float direction, float strength, cw_simulation *simulation);
/* Accepts a cleared struct. */
void cw_simulation_free(cw_context *context, cw_simulation *simulation);

/* S's answer to one scan in one direction, for hosts that move the strength (a slider) and keep the rest. */
typedef struct cw_response {
  float direction;
  float *input;   /* [nz][ny][nx]: the scan as network input */
  float *network; /* [3][nz][ny][nx]: S's output, in voxels of the model's grid */
  double logit;   /* of the scan */
} cw_response;

/* Preprocesses the scan and runs S and the classifier on it: the part of cw_simulate that no strength changes, with its
 * arguments and errors.  Free with cw_response_free; after an error there is nothing to free. */
cw_status cw_simulate_response(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                               const cw_affine *transform, float direction, cw_response *response);
/* Accepts a cleared struct. */
void cw_response_free(cw_context *context, cw_response *response);
/* The simulation of the same scan, with the same transform, at a strength: what cw_simulate gives on the scan's grid,
 * both logits, folded, largest and mean.  The curve, monotone, the three errors, agreement and strain are left at 0. */
cw_status cw_simulate_strength(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                               const cw_affine *transform, const cw_response *response, float strength,
                               cw_simulation *simulation);

/* Mean and one-sample t map, t = mean / (sd / sqrt(count)) with sd over count - 1, over `count` maps of `samples`
 * values each; t is 0 where the variance is 0 (or count is 1).  mean and t: [samples], caller's.
 * CW_ERROR_ARGUMENT without maps or samples, CW_ERROR_NUMERIC for NaN or Inf in a map. */
cw_status cw_group_maps(cw_context *context, const float *const *maps, int count, size_t samples, float *mean,
                        float *t);

/* Change of tissue volume of a region under a warp: N / (sum of J) - 1 over the N output voxels whose warped label is
 * that region; below 0 where it shrank. */
typedef struct cw_region {
  int label;
  size_t voxels_before, voxels_after; /* of the label, and of the warped label */
  double change;                      /* -1 where no voxel of the region is left */
} cw_region;

/* labels: atlas on the field's grid, whole numbers, 0 is background; field mm LPS; jacobian: J (not its log) of that
 * field.  Regions of at least `least` voxels before the warp, sorted by label; the caller frees *regions with
 * cw_release.  A region whose sum of J is not above 0 (folded all over) is left out with a warning.
 * CW_ERROR_SHAPE if the grids differ, CW_ERROR_ARGUMENT for labels that are no whole numbers, CW_ERROR_NUMERIC for NaN
 * or Inf. */
cw_status cw_region_changes(cw_context *context, const cw_volume *labels, const cw_volume *field,
                            const cw_volume *jacobian, size_t least, cw_region **regions, int *count);

/* Pearson's correlation of two maps; 0 where one of them does not vary. */
double cw_correlation(const float *a, const float *b, size_t samples);

/* A map against the truth inside a region (mask != 0 in `region`; NULL: everywhere). */
typedef struct cw_score {
  double signed_correlation;     /* Pearson of map and truth; 0 where one of them does not vary */
  double normalised_correlation; /* Pearson of |map| and |truth|; likewise */
  double average_precision;      /* of |map| for mask, ties as one threshold */
  double auc;                    /* ROC, ties averaged */
  double mass_inside; /* share of the region's sum of |map| that lies in the mask; 0 where the map is empty */
} cw_score;
/* CW_ERROR_NUMERIC for NaN or Inf inside the region, CW_ERROR_ARGUMENT if the region is empty or the mask holds none or
 * all of it.  O(samples) by a radix sort; 8 bytes a voxel of the region are allocated. */
cw_status cw_score_map(cw_context *context, const float *map, const float *truth, const float *mask,
                       const float *region, size_t samples, cw_score *score);

/* Mean of `count` values, their standard deviation (NaN below two values) and the mean's 95 % interval by Student's t
 * (NaN below two values).  All NaN without values. */
typedef struct cw_summary {
  int count;
  double mean, sd, low, high;
} cw_summary;
cw_summary cw_summarize(const double *values, int count);
/* Correlation (cw_correlation) of the mean of `count` subjects' maps with another map, with the 95 % interval of the
 * bootstrap over subjects (percentiles of 1000 resamples of the context's seed; NaN for one subject; Efron and
 * Tibshirani 1993); sd is NaN. CW_ERROR_ARGUMENT without maps or samples, CW_ERROR_NUMERIC for NaN or Inf,
 * CW_ERROR_MEMORY. */
cw_status cw_map_agreement(cw_context *context, const float *const *maps, int count, const float *other, size_t samples,
                           cw_summary *summary);
/* A share of `count` (successes need not be whole, as where a subject's scans differ): mean, and Wilson's 95 % score
 * interval (1927); sd is NaN.  All NaN for a count of 0. */
cw_summary cw_proportion(double successes, int count);
/* Half the sum of two such shares, as balanced accuracy is: interval from theirs (Zou and Donner, Statistics in
 * Medicine 2008); count is the sum of counts. */
cw_summary cw_balanced_proportion(double successes_a, int count_a, double successes_b, int count_b);
/* Ratio of the means of paired values and its 95 % interval by Fieller's theorem (1954); sd is NaN, and so are the
 * bounds where the denominator's mean cannot be told from 0. */
cw_summary cw_ratio_of_means(const double *numerator, const double *denominator, int count);

/* How a scan looks to the model's classifier in another's shape: its own tissue, warped to a fellow of its own group
 * (logit[0]) and to a scan of the other group (logit[1]), both by cw_match, so that resampling is the same in both.
 * Inputs on the model's grid.  Errors: those of cw_match and cw_model_logits. */
cw_status cw_exchange_shape(cw_context *context, const cw_model *model, const float *scan, const float *fellow,
                            const float *other, float logit[2]);

/* What tells the groups apart, shape or tissue.  logits[i][tissue][shape] of pair i (0 control, 1 patient): with tissue
 * of one group and shape of the other.  The two main effects add up to the whole,
 *   logits[1][1] - logits[0][0] = shape + tissue,
 * shape = (P in P - P in C + C in P - C in C) / 2, and share is shape over the whole, of means, as cw_ratio_of_means.
 */
typedef struct cw_exchange {
  cw_summary shape, tissue, share;
} cw_exchange;
cw_status cw_exchange_summarize(cw_context *context, const double (*logits)[2][2], int count, cw_exchange *exchange);

/* 0.5 (sensitivity + specificity) of logits (> 0: patient) for labels 0/1.  A group without scans is left out of the
 * mean; 0 without any scan.  A NaN logit counts as wrong. */
double cw_balanced_accuracy(const float *logits, const int *labels, int count);

#ifdef __cplusplus
}
#endif
#endif
