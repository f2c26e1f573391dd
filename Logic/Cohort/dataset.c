/* All scans of a table as network input. */
#include <string.h>

#include "cohort_internal.h"
#include "Tensor/part.h"

/* Puts the scan's name before the message of a failure. */
static cw_status name_failure(cw_context *context, cw_status status, const cw_scan *scan) {
  char message[512];
  strncpy(message, cw_context_message(context), sizeof message - 1);
  message[sizeof message - 1] = '\0';
  return cw_fail(context, status, "%s%s%s: %s", scan->participant, *scan->session ? " " : "", scan->session, message);
}

static cw_status load_scan(cw_context *context, const cw_scan *scan, const cw_preprocessing *preprocessing,
                           cw_image_reader read, float *out) {
  cw_affine transform;
  if (*scan->transform)
    CW_TRY(cw_affine_read(context, scan->transform, &transform));
  cw_volume volume = {0};
  CW_TRY(read(context, scan->image, &volume));
  const cw_status status = cw_preprocess(context, preprocessing, &volume, *scan->transform ? &transform : NULL, out);
  cw_volume_free(context, &volume);
  return status;
}

void cw_dataset_free(cw_context *context, cw_dataset *dataset) {
  cw_release(context, dataset->samples);
  cw_release(context, dataset->label);
  memset(dataset, 0, sizeof *dataset);
}

static cw_status load(cw_context *context, const cw_table *table, cw_image_reader read, cw_dataset *dataset) {
  const size_t n = cw_grid_samples(&dataset->preprocessing.grid);
  dataset->samples = cw_allocate(context, (size_t)table->count, n * sizeof *dataset->samples);
  dataset->label = cw_allocate(context, (size_t)table->count, sizeof *dataset->label);
  if (!dataset->samples || !dataset->label)
    return CW_ERROR_MEMORY;
  for (int i = 0; i < table->count; i++) {
    const cw_scan *scan = &table->scans[i];
    CW_TRY(cw_progress(context, "reading scans", (double)i / table->count));
    const cw_part outer = cw_part_enter(context, "reading scans", (double)i / table->count, (i + 1.0) / table->count);
    const cw_status status = load_scan(context, scan, &dataset->preprocessing, read, dataset->samples + i * n);
    cw_part_leave(context, outer);
    if (status == CW_ERROR_MEMORY || status == CW_ERROR_CANCELLED)
      return status;
    if (status != CW_OK)
      return name_failure(context, status, scan);
    dataset->label[i] = scan->group == CW_PATIENT;
  }
  dataset->count = table->count;
  return cw_progress(context, "reading scans", 1);
}

cw_status cw_dataset_load(cw_context *context, const cw_table *table, const cw_preprocessing *preprocessing,
                          cw_image_reader read, cw_dataset *dataset) {
  memset(dataset, 0, sizeof *dataset);
  if (table->count < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "dataset: the table has no rows");
  CW_TRY(cw_grid_check(context, &preprocessing->grid));
  dataset->preprocessing = *preprocessing;
  const cw_status status = load(context, table, read, dataset);
  if (status != CW_OK)
    cw_dataset_free(context, dataset);
  return status;
}
