/* A slider over one scan: the model is read once, the scan prepared once, and then any strength costs little more than
 * an exponential, a warp and the classifier.
 *
 * Strengths are signed, as the curve's of cw_simulation: t >= 0 shows the scan under exp(t v(x, +1)) (inject), t < 0
 * under exp(|t| v(x, -1)) (remove); displacement models: t u(x, +1), |t| u(x, -1). */
#ifndef COUNTERWARP_LIVE_H
#define COUNTERWARP_LIVE_H

#include "counterwarp/results.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cw_live cw_live;

/* Preprocesses the scan and asks S for its fields in both directions.  model and scan must outlive `live`; transform is
 * copied, and maps world points of the model's space to the scan's (NULL: identity).  The classifier's memory is
 * planned here with the context's threads.
 * Errors: CW_ERROR_ARGUMENT (not a simulator, scan off the model's grid), CW_ERROR_SHAPE (scan not scalar),
 * CW_ERROR_NUMERIC (NaN or Inf in scan or field), CW_ERROR_MEMORY, CW_ERROR_CANCELLED. */
cw_status cw_live_create(cw_context *context, const cw_model *simulator, const cw_volume *scan,
                         const cw_affine *transform, cw_live **live);
void cw_live_free(cw_context *context, cw_live *live);

/* The scan as the classifier gets it (preprocessed), [nz][ny][nx] of the model's grid; owned by live. */
const float *cw_live_input(const cw_live *live);

/* One position of the slider on the model's grid.  image: the scan, in its own intensities, resampled
 * (cw_volume_resample_mean) and warped; log_jacobian: log J of the pull-back, above 0 where tissue shrank; both
 * [nz][ny][nx], caller's, NULL where not wanted.  logit (NULL: not wanted) is the curve's at that strength.
 * Errors: CW_ERROR_ARGUMENT (strength), CW_ERROR_NUMERIC (logit), CW_ERROR_MEMORY. */
cw_status cw_live_preview(cw_context *context, cw_live *live, double strength, float *image, float *log_jacobian,
                          double *logit);

/* The logit at CW_CURVE_POINTS strengths from -1 to 1, as in cw_simulation; computed at the first call; after
 * CW_ERROR_CANCELLED the next call goes on.  Either array may be NULL. */
cw_status cw_live_curve(cw_context *context, cw_live *live, double strength[CW_CURVE_POINTS],
                        double logit[CW_CURVE_POINTS]);

/* cw_simulate_strength on the prepared scan: everything at the scan's own resolution; the curve is cw_live_curve's. The
 * volumes are of the calling context, which need not be the one that `live` was created with. */
cw_status cw_live_simulate(cw_context *context, cw_live *live, double strength, cw_simulation *simulation);

#ifdef __cplusplus
}
#endif
#endif
