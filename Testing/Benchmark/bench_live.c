/* The slider: bench_live MODEL.onnx SCAN.nii.gz
 *
 * preview: a new strength on the model's grid, image, log J and logit; settle: everything on the scan's own grid. */
#include "counterwarp/live.h"
#include "counterwarp/nifti.h"
#include "measure.h"

typedef struct job {
  cw_context *context;
  cw_model model;
  cw_volume scan;
  cw_live *live;
  float *image, *log_jacobian;
  int calls;
} job;

static void prepare(void *argument) {
  job *j = argument;
  cw_live_free(j->context, j->live);
  need(j->context, cw_live_create(j->context, &j->model, &j->scan, NULL, &j->live));
}

static void curve(void *argument) {
  job *j = argument;
  prepare(j);
  need(j->context, cw_live_curve(j->context, j->live, NULL, NULL));
}

static void preview(void *argument) {
  job *j = argument;
  double logit;
  const double strength = (j->calls++ % 201 - 100) / 100.0;
  need(j->context, cw_live_preview(j->context, j->live, strength, j->image, j->log_jacobian, &logit));
}

static void settle(void *argument) {
  job *j = argument;
  cw_simulation s;
  need(j->context, cw_live_simulate(j->context, j->live, 0.8, &s));
  cw_simulation_free(j->context, &s);
}

int main(int count, char **argument) {
  if (count != 3) {
    fprintf(stderr, "bench_live MODEL.onnx SCAN.nii.gz\n");
    return 2;
  }
  job j = {0};
  j.context = open_context();
  need(j.context, cw_model_read(j.context, argument[1], &j.model));
  need(j.context, cw_nifti_read(j.context, argument[2], &j.scan));
  const size_t n = cw_grid_samples(&j.model.preprocessing.grid);
  j.image = cw_allocate(j.context, n, sizeof(float));
  j.log_jacobian = cw_allocate(j.context, n, sizeof(float));
  if (!j.image || !j.log_jacobian)
    need(j.context, CW_ERROR_MEMORY);
  row("live_prepare", shortest(prepare, &j, 1), "s");
  row("live_prepare_with_curve", shortest(curve, &j, 1), "s");
  row("live_preview", shortest(preview, &j, 2), "s");
  row("live_settle", shortest(settle, &j, 3), "s");
  row("live_memory", peak_memory(), "MiB");
  cw_release(j.context, j.image);
  cw_release(j.context, j.log_jacobian);
  cw_live_free(j.context, j.live);
  cw_volume_free(j.context, &j.scan);
  cw_model_free(j.context, &j.model);
  cw_context_free(j.context);
  return 0;
}
