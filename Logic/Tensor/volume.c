/* Volumes, grids and affine maps. */
#include "counterwarp/volume.h"

#include <math.h>
#include <string.h>

/* ---- affine maps ---- */

cw_affine cw_affine_identity(void) {
  const cw_affine identity = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  return identity;
}

cw_affine cw_affine_compose(const cw_affine *second, const cw_affine *first) {
  cw_affine product;
  for (int r = 0; r < 3; r++) {
    for (int c = 0; c < 4; c++) {
      double sum = c == 3 ? second->m[r][3] : 0;
      for (int s = 0; s < 3; s++)
        sum += second->m[r][s] * first->m[s][c];
      product.m[r][c] = sum;
    }
  }
  return product;
}

void cw_affine_apply(const cw_affine *affine, const double in[3], double out[3]) {
  const double x = in[0], y = in[1], z = in[2];
  for (int r = 0; r < 3; r++)
    out[r] = affine->m[r][0] * x + affine->m[r][1] * y + affine->m[r][2] * z + affine->m[r][3];
}

double cw_affine_determinant(const cw_affine *affine) {
  const double(*m)[4] = affine->m;
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

static bool is_finite(const cw_affine *affine) {
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      if (!isfinite(affine->m[r][c]))
        return false;
  return true;
}

static double column_length(const cw_affine *affine, int column) {
  return hypot(hypot(affine->m[0][column], affine->m[1][column]), affine->m[2][column]);
}

/* The volume spanned by the columns, relative to their lengths: 1 for orthogonal axes, 0 for axes in one plane. */
static bool is_invertible(const cw_affine *affine) {
  cw_affine unit = *affine;
  for (int c = 0; c < 3; c++) {
    const double length = column_length(affine, c);
    if (!(length >= 1e-100 && length <= 1e100))
      return false;
    for (int r = 0; r < 3; r++)
      unit.m[r][c] /= length;
  }
  return fabs(cw_affine_determinant(&unit)) > 1e-9;
}

cw_status cw_affine_invert(cw_context *context, const cw_affine *affine, cw_affine *inverse) {
  if (!is_finite(affine))
    return cw_fail(context, CW_ERROR_NUMERIC, "affine: expected finite numbers");
  if (!is_invertible(affine))
    return cw_fail(context, CW_ERROR_NUMERIC, "affine: the matrix is singular, expected an invertible one");
  const double(*m)[4] = affine->m;
  const double determinant = cw_affine_determinant(affine);
  cw_affine result;
  for (int r = 0; r < 3; r++) {
    for (int c = 0; c < 3; c++) {
      /* Cofactor of (c, r); cyclic indices carry the sign. */
      const int a = (c + 1) % 3, b = (c + 2) % 3, d = (r + 1) % 3, e = (r + 2) % 3;
      result.m[r][c] = (m[a][d] * m[b][e] - m[a][e] * m[b][d]) / determinant;
    }
  }
  for (int r = 0; r < 3; r++)
    result.m[r][3] = -(result.m[r][0] * m[0][3] + result.m[r][1] * m[1][3] + result.m[r][2] * m[2][3]);
  if (!is_finite(&result))
    return cw_fail(context, CW_ERROR_NUMERIC, "affine: the inverse is out of range");
  *inverse = result;
  return CW_OK;
}

/* ---- grids ---- */

size_t cw_grid_samples(const cw_grid *grid) {
  return (size_t)grid->size[0] * (size_t)grid->size[1] * (size_t)grid->size[2];
}

void cw_grid_spacing(const cw_grid *grid, double spacing[3]) {
  for (int axis = 0; axis < 3; axis++)
    spacing[axis] = column_length(&grid->to_world, axis);
}

double cw_grid_shear(const cw_grid *grid) {
  const cw_affine *m = &grid->to_world;
  double largest = 0;
  for (int a = 0; a < 3; a++)
    for (int b = 0; b < a; b++) {
      double product = 0;
      for (int r = 0; r < 3; r++)
        product += m->m[r][a] * m->m[r][b];
      largest = fmax(largest, fabs(product) / (column_length(m, a) * column_length(m, b)));
    }
  return largest;
}

bool cw_grid_same(const cw_grid *a, const cw_grid *b, double tolerance_mm) {
  for (int axis = 0; axis < 3; axis++)
    if (a->size[axis] != b->size[axis])
      return false;
  for (int corner = 0; corner < 8; corner++) {
    double index[3], at_a[3], at_b[3], square = 0;
    for (int axis = 0; axis < 3; axis++)
      index[axis] = corner >> axis & 1 ? a->size[axis] - 1 : 0;
    cw_affine_apply(&a->to_world, index, at_a);
    cw_affine_apply(&b->to_world, index, at_b);
    for (int axis = 0; axis < 3; axis++)
      square += (at_a[axis] - at_b[axis]) * (at_a[axis] - at_b[axis]);
    if (!(sqrt(square) <= tolerance_mm)) /* NaN: not the same */
      return false;
  }
  return true;
}

cw_status cw_grid_check(cw_context *context, const cw_grid *grid) {
  const int *n = grid->size;
  if (n[0] < 1 || n[1] < 1 || n[2] < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "grid: size %d x %d x %d, expected positive sizes", n[0], n[1], n[2]);
  if ((size_t)n[0] > SIZE_MAX / sizeof(float) / (size_t)n[1] / (size_t)n[2])
    return cw_fail(context, CW_ERROR_ARGUMENT, "grid: size %d x %d x %d overflows the address space", n[0], n[1], n[2]);
  if (!is_finite(&grid->to_world))
    return cw_fail(context, CW_ERROR_ARGUMENT, "grid: the affine holds NaN or Inf, expected finite numbers");
  if (!is_invertible(&grid->to_world))
    return cw_fail(context, CW_ERROR_ARGUMENT, "grid: the affine is singular, expected an invertible one");
  return CW_OK;
}

cw_grid cw_grid_cube(int size, double spacing, const double center[3]) {
  /* RAS+ index order in LPS numbers: x and y fall along i and j. */
  const double step[3] = {-spacing, -spacing, spacing};
  cw_grid grid = {.size = {size, size, size}};
  for (int axis = 0; axis < 3; axis++) {
    grid.to_world.m[axis][axis] = step[axis];
    grid.to_world.m[axis][3] = center[axis] - step[axis] * (size - 1) / 2;
  }
  return grid;
}

/* ---- volumes ---- */

static cw_status create(cw_context *context, const cw_grid *grid, int components, bool zero, cw_volume *volume) {
  const cw_grid own = *grid; /* grid may lie in *volume */
  memset(volume, 0, sizeof *volume);
  CW_TRY(cw_grid_check(context, &own));
  if (components < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "volume: %d components, expected at least 1", components);
  const size_t samples = cw_grid_samples(&own), bytes = sizeof(float) * (size_t)components;
  float *data = zero ? cw_allocate_zero(context, samples, bytes) : cw_allocate(context, samples, bytes);
  if (!data)
    return CW_ERROR_MEMORY;
  volume->grid = own;
  volume->components = components;
  volume->data = data;
  return CW_OK;
}

cw_status cw_volume_create(cw_context *context, const cw_grid *grid, int components, cw_volume *volume) {
  return create(context, grid, components, true, volume);
}

void cw_volume_free(cw_context *context, cw_volume *volume) {
  cw_release(context, volume->data);
  memset(volume, 0, sizeof *volume);
}

cw_status cw_volume_copy(cw_context *context, const cw_volume *from, cw_volume *to) {
  if (!from->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "volume: nothing to copy, expected a volume with samples");
  CW_TRY(create(context, &from->grid, from->components, false, to));
  memcpy(to->data, from->data, cw_grid_samples(&from->grid) * (size_t)from->components * sizeof(float));
  return CW_OK;
}
