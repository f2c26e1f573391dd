/* Displacement fields in physical space: millimetres, LPS, on any grid. */
#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Tensor/dispatch.h"
#include "Warp/grid_cell.h"
#include "Warp/jacobian.h"
#include "Warp/sample.h"

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

/* An image and a field on the same grid, to a hundredth of a voxel. */
static cw_status check_pair(cw_context *context, const cw_volume *in, const cw_volume *field) {
  CW_TRY(check_field(context, field));
  if (!in->data || in->components < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "warp: expected an image with samples");
  double spacing[3];
  cw_grid_spacing(&field->grid, spacing);
  if (!cw_grid_same(&in->grid, &field->grid, 0.01 * fmin(spacing[0], fmin(spacing[1], spacing[2]))))
    return cw_fail(context, CW_ERROR_SHAPE, "warp: the field is on another grid, expected the image's own");
  return CW_OK;
}

/* Displacements of one row in voxels: u[axis * n + i] = row `axis` of m times the field's vector. */
CW_CLONES static void field_row_to_voxels(const float m[3][3], const float *x, const float *y, const float *z, int n,
                                          float *restrict u) {
  for (int axis = 0; axis < 3; axis++, u += n) {
    const float a = m[axis][0], b = m[axis][1], c = m[axis][2];
#pragma omp simd
    for (int i = 0; i < n; i++)
      u[i] = a * x[i] + b * y[i] + c * z[i];
  }
}

/* Nearest sample of i + u, or -1 outside. */
static inline int nearest(int i, int n, float u) {
  if (!(u >= (float)-i - 0.5f && u < (float)(n - i) - 0.5f))
    return -1;
  const int at = i + (int)floorf(u + 0.5f);
  return at < 0 ? 0 : at < n ? at : n - 1;
}

static void label_row(const cw_volume *in, int j, int k, const float *u, float *out) {
  const int *size = in->grid.size, n = size[0];
  const size_t samples = cw_grid_samples(&in->grid);
  for (int i = 0; i < n; i++) {
    const int x = nearest(i, n, u[i]), y = nearest(j, size[1], u[n + i]), z = nearest(k, size[2], u[2 * n + i]);
    if (x < 0 || y < 0 || z < 0)
      continue; /* stays zero */
    const size_t at = ((size_t)z * size[1] + y) * size[0] + x;
    for (int c = 0; c < in->components; c++)
      out[c * samples + i] = in->data[c * samples + at];
  }
}

/* Each thread takes a slab of slices and turns one row of displacements into voxels at a time. */
static cw_status warp(cw_context *context, const cw_volume *in, const cw_volume *field, bool labels, cw_volume *out) {
  memset(out, 0, sizeof *out);
  CW_TRY(check_pair(context, in, field));
  cw_affine to_index;
  CW_TRY(cw_affine_invert(context, &field->grid.to_world, &to_index));
  float m[3][3];
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      m[r][c] = (float)to_index.m[r][c];
  const int *size = in->grid.size, n = size[0], slabs = cw_team(cw_context_threads(context), size[2]);
  float *rows = cw_allocate(context, (size_t)slabs * 3, (size_t)n * sizeof *rows);
  if (!rows)
    return CW_ERROR_MEMORY;
  const cw_status status = cw_volume_create(context, &in->grid, in->components, out);
  if (status != CW_OK) {
    cw_release(context, rows);
    return status;
  }
  const size_t samples = cw_grid_samples(&in->grid);
#pragma omp parallel for schedule(static) num_threads(slabs)
  for (int slab = 0; slab < slabs; slab++) {
    float *u = rows + (size_t)slab * 3 * n;
    const int begin = (int)((long long)size[2] * slab / slabs), end = (int)((long long)size[2] * (slab + 1) / slabs);
    for (int k = begin; k < end; k++)
      for (int j = 0; j < size[1]; j++) {
        const size_t at = ((size_t)k * size[1] + j) * n;
        const float *x = field->data + at;
        field_row_to_voxels((const float(*)[3])m, x, x + samples, x + 2 * samples, n, u);
        if (labels)
          label_row(in, j, k, u, out->data + at);
        else
          cw_sample_row(size, in->components, j, k, in->data, u, u + n, u + 2 * (size_t)n, out->data + at);
      }
  }
  cw_release(context, rows);
  return CW_OK;
}

cw_status cw_volume_warp(cw_context *context, const cw_volume *in, const cw_volume *field, cw_volume *out) {
  return warp(context, in, field, false, out);
}

cw_status cw_volume_warp_labels(cw_context *context, const cw_volume *in, const cw_volume *field, cw_volume *out) {
  return warp(context, in, field, true, out);
}

cw_status cw_volume_jacobian(cw_context *context, const cw_volume *field, bool log_of, cw_volume *out, size_t *folded) {
  memset(out, 0, sizeof *out);
  CW_TRY(check_field(context, field));
  CW_TRY(cw_volume_create(context, &field->grid, 1, out));
  double matrix[3][3];
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      matrix[r][c] = field->grid.to_world.m[r][c];
  const size_t count =
      cw_jacobian_on_grid(field->grid.size, matrix, field->data, log_of, out->data, cw_context_threads(context));
  if (folded)
    *folded = count;
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
