/* What tells the groups apart, shape or tissue: scans in each other's shape. */
#include "counterwarp/results.h"
#include "counterwarp/warp.h"
#include "Tensor/part.h"

static cw_status logit_in_shape(cw_context *context, const cw_model *model, const float *scan, const float *shape,
                                float *memory, float *logit) {
  const int *size = model->preprocessing.grid.size;
  const size_t samples = cw_grid_samples(&model->preprocessing.grid);
  float *u = memory, *warped = u + 3 * samples;
  CW_TRY_PART(context, "matching shapes", 0, 0.95, cw_match(context, size, shape, scan, u));
  cw_warp_forward(size, 1, scan, u, warped, cw_context_threads(context));
  CW_TRY_PART(context, "matching shapes", 0.95, 1, cw_model_logits(context, model, warped, 1, logit));
  return CW_OK;
}

static cw_status both_shapes(cw_context *context, const cw_model *model, const float *scan, const float *const shape[2],
                             float *memory, float logit[2]) {
  for (int i = 0; i < 2; i++)
    CW_TRY_PART(context, "matching shapes", 0.5 * i, 0.5 * (i + 1),
                logit_in_shape(context, model, scan, shape[i], memory, &logit[i]));
  return CW_OK;
}

cw_status cw_exchange_shape(cw_context *context, const cw_model *model, const float *scan, const float *fellow,
                            const float *other, float logit[2]) {
  float *memory = cw_allocate(context, 4 * cw_grid_samples(&model->preprocessing.grid), sizeof *memory);
  if (!memory)
    return CW_ERROR_MEMORY;
  const cw_status status = both_shapes(context, model, scan, (const float *const[]){fellow, other}, memory, logit);
  cw_release(context, memory);
  return status;
}

cw_status cw_exchange_summarize(cw_context *context, const double (*logits)[2][2], int count, cw_exchange *exchange) {
  if (count < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "exchange of shapes: no pairs");
  double *shape = cw_allocate(context, 3 * (size_t)count, sizeof *shape);
  if (!shape)
    return CW_ERROR_MEMORY;
  double *tissue = shape + count, *whole = tissue + count;
  for (int i = 0; i < count; i++) {
    const double(*y)[2] = logits[i];
    shape[i] = 0.5 * (y[1][1] - y[1][0] + y[0][1] - y[0][0]);
    whole[i] = y[1][1] - y[0][0];
    tissue[i] = whole[i] - shape[i];
  }
  exchange->shape = cw_summarize(shape, count);
  exchange->tissue = cw_summarize(tissue, count);
  exchange->share = cw_ratio_of_means(shape, whole, count);
  cw_release(context, shape);
  return CW_OK;
}
