/* Displacement fields in physical space: millimetres, LPS, on any grid. */
#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Warp/grid_cell.h"

/* out = M in at every sample; in == out allowed. */
static void transform_vectors(const cw_affine *map, size_t samples, const float *in, float *out, int threads) {
  const double(*m)[4] = map->m;
  const long long n = (long long)samples;
  const int team = cw_team(threads, samples < 1024 ? (int)samples : 1024);
  (void)team; /* unused without OpenMP */
#pragma omp parallel for schedule(static) num_threads(team)
  for (long long i = 0; i < n; i++) {
    const double x = in[i], y = in[samples + i], z = in[2 * samples + i];
    for (int r = 0; r < 3; r++)
      out[r * samples + i] = (float)(m[r][0] * x + m[r][1] * y + m[r][2] * z);
  }
}

static cw_status check_field(cw_context *context, const cw_volume *field) {
  if (!field->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "field: expected a volume with samples");
  if (field->components != 3)
    return cw_fail(context, CW_ERROR_SHAPE, "field: %d component(s), expected 3", field->components);
  return cw_grid_check(context, &field->grid);
}

cw_status cw_field_to_voxels(cw_context *context, const cw_volume *field, float *u) {
  CW_TRY(check_field(context, field));
  cw_affine to_index;
  CW_TRY(cw_affine_invert(context, &field->grid.to_world, &to_index));
  transform_vectors(&to_index, cw_grid_samples(&field->grid), field->data, u, cw_context_threads(context));
  return CW_OK;
}

cw_status cw_field_from_voxels(cw_context *context, const cw_grid *grid, const float *u, cw_volume *field) {
  CW_TRY(cw_volume_create(context, grid, 3, field));
  transform_vectors(&field->grid.to_world, cw_grid_samples(&field->grid), u, field->data, cw_context_threads(context));
  return CW_OK;
}

cw_status cw_field_carry(cw_context *context, const cw_volume *field, const cw_affine *align, const cw_grid *grid,
                         cw_volume *out) {
  const cw_affine map = align ? *align : cw_affine_identity();
  const cw_grid own = *grid; /* grid may lie in *out */
  memset(out, 0, sizeof *out);
  CW_TRY(check_field(context, field));
  cw_affine back;
  CW_TRY(cw_affine_invert(context, &map, &back));
  CW_TRY(cw_volume_create(context, &own, 3, out));
  const cw_status status = cw_volume_resample(context, field, &map, out);
  if (status != CW_OK) {
    cw_volume_free(context, out);
    return status;
  }
  if (align)
    transform_vectors(&back, cw_grid_samples(&own), out->data, out->data, cw_context_threads(context));
  return CW_OK;
}
