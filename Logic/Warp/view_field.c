/* Exponential and inverse of fields in millimetres, in any order of samples.  The work is done on planes of components
 * in voxels. */
#include <math.h>

#include "counterwarp/view.h"
#include "Warp/compose.h"
#include "Warp/grid_cell.h"
#include "Warp/vector_row.h"
#include "Warp/view_internal.h"

/* Vectors times a matrix, from one view to another. */
typedef struct map_work {
  float m[3][3];
  cw_view from, to;
} map_work;

static void map_slices(void *user, int slab, int begin, int end) {
  const map_work *w = user;
  const cw_view *from = &w->from, *to = &w->to;
  (void)slab;
  for (int k = begin; k < end; k++)
    for (int j = 0; j < from->grid.size[1]; j++)
      cw_vector_row(w->m, from->grid.size[0], cw_view_row(from, j, k), from->step[0], from->component_step,
                    cw_view_row(to, j, k), to->step[0], to->component_step);
}

static cw_status map_vectors(const cw_crew *crew, const cw_affine *map, double factor, const cw_view *from,
                             const cw_view *to) {
  map_work w = {.from = *from, .to = *to};
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      w.m[r][c] = (float)(factor * map->m[r][c]);
  const int *n = from->grid.size;
  return cw_crew_run(crew, n[2], (size_t)n[0] * (size_t)n[1], map_slices, &w);
}

/* A field's samples on a grid, as planes of components. */
static cw_view planes(const cw_grid *grid, float *data) {
  const cw_volume volume = {.grid = *grid, .components = 3, .data = data};
  return cw_volume_view(&volume);
}

static cw_status check(cw_context *context, const char *what, const cw_view *field, const cw_view *out,
                       cw_affine *to_index) {
  CW_TRY(cw_view_check(context, what, field, 3));
  CW_TRY(cw_view_check(context, "the output", out, 3));
  CW_TRY(cw_view_check_size(context, "the output", out, field->grid.size));
  return cw_affine_invert(context, &field->grid.to_world, to_index);
}

/* now and next: memory of a field each. */
static cw_status exponential(cw_context *context, const cw_view *velocity, const cw_affine *to_index, double scale,
                             int squarings, bool automatic, const cw_view *out, float *now, float *next) {
  const cw_crew crew = cw_context_crew(context, "exponential");
  const cw_crew measure = cw_crew_part(&crew, 0, 0.05), begin = cw_crew_part(&crew, automatic ? 0.05 : 0, 0.1),
                middle = cw_crew_part(&crew, 0.1, 0.9), end = cw_crew_part(&crew, 0.9, 1);
  const cw_grid *grid = &velocity->grid;
  cw_view voxels = planes(grid, now);
  if (automatic) {
    CW_TRY(map_vectors(&measure, to_index, 1, velocity, &voxels));
    const int enough = cw_squarings_run(grid->size, now, (float)scale, crew.threads);
    squarings = enough < squarings ? enough : squarings;
  }
  CW_TRY(map_vectors(&begin, to_index, ldexp(scale, -squarings), velocity, &voxels));
  CW_TRY(cw_square_run(&middle, grid->size, squarings, &now, &next));
  voxels = planes(grid, now);
  return map_vectors(&end, &grid->to_world, 1, &voxels, out);
}

cw_status cw_view_exponential(cw_context *context, const cw_view *velocity, double scale, int squarings, bool automatic,
                              const cw_view *out) {
  cw_affine to_index;
  CW_TRY(check(context, "velocity", velocity, out, &to_index));
  if (squarings < 0 || squarings > 30)
    return cw_fail(context, CW_ERROR_ARGUMENT, "exponential: %d squarings, expected 0 to 30", squarings);
  if (!isfinite(scale))
    return cw_fail(context, CW_ERROR_ARGUMENT, "exponential: the scale is not a finite number");
  const size_t field = 3 * cw_grid_samples(&velocity->grid);
  float *both = cw_allocate(context, field, 2 * sizeof *both);
  if (!both)
    return CW_ERROR_MEMORY;
  const cw_status status =
      exponential(context, velocity, &to_index, scale, squarings, automatic, out, both, both + field);
  cw_release(context, both);
  return status;
}

static cw_status invert(cw_context *context, const cw_view *field, const cw_affine *to_index, int iterations,
                        double tolerance, const cw_view *out, float *memory, double *largest, double *residual) {
  const cw_crew crew = cw_context_crew(context, "inverse");
  const cw_crew begin = cw_crew_part(&crew, 0, 0.05), negative = cw_crew_part(&crew, 0.05, 0.1),
                middle = cw_crew_part(&crew, 0.1, 0.9), end = cw_crew_part(&crew, 0.9, 1);
  const cw_grid *grid = &field->grid;
  const size_t samples = 3 * cw_grid_samples(grid);
  float *u = memory, *now = memory + samples, *next = memory + 2 * samples;
  const cw_view u_view = planes(grid, u);
  cw_view now_view = planes(grid, now);
  CW_TRY(map_vectors(&begin, to_index, 1, field, &u_view));
  CW_TRY(map_vectors(&negative, to_index, -1, field, &now_view));
  CW_TRY(cw_invert_run(&middle, grid->size, u, iterations, tolerance, &now, &next, largest, residual));
  now_view = planes(grid, now);
  return map_vectors(&end, &grid->to_world, 1, &now_view, out);
}

cw_status cw_view_invert(cw_context *context, const cw_view *field, int iterations, double tolerance,
                         const cw_view *out, double *residual) {
  cw_affine to_index;
  CW_TRY(check(context, "field", field, out, &to_index));
  if (iterations < 0 || !(tolerance >= 0))
    return cw_fail(context, CW_ERROR_ARGUMENT, "inverse: %d iterations and a tolerance of %g, expected none below 0",
                   iterations, tolerance);
  const size_t samples = 3 * cw_grid_samples(&field->grid);
  const cw_crew crew = cw_context_crew(context, "inverse");
  float *memory = cw_allocate(context, samples, 3 * sizeof *memory);
  double *largest = cw_allocate(context, (size_t)cw_crew_slabs(&crew, field->grid.size[2]), sizeof *largest), found = 0;
  const cw_status status = memory && largest
                               ? invert(context, field, &to_index, iterations, tolerance, out, memory, largest, &found)
                               : CW_ERROR_MEMORY;
  cw_release(context, largest);
  cw_release(context, memory);
  if (residual)
    *residual = found;
  return status;
}
