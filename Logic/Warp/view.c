/* Views: checks, and copies from one order of samples to another. */
#include "counterwarp/view.h"

#include "Warp/vector_row.h"
#include "Warp/view_internal.h"

cw_view cw_volume_view(const cw_volume *volume) {
  const cw_grid *grid = &volume->grid;
  const cw_view view = {.grid = *grid,
                        .components = volume->components,
                        .data = volume->data,
                        .step = {1, grid->size[0], (ptrdiff_t)grid->size[0] * grid->size[1]},
                        .component_step = (ptrdiff_t)cw_grid_samples(grid)};
  return view;
}

cw_status cw_view_check(cw_context *context, const char *what, const cw_view *view, int components) {
  if (!view->data)
    return cw_fail(context, CW_ERROR_ARGUMENT, "%s: expected a volume with samples", what);
  if (view->components != components)
    return cw_fail(context, CW_ERROR_SHAPE, "%s: %d component(s), expected %d", what, view->components, components);
  return cw_grid_check(context, &view->grid);
}

cw_status cw_view_check_size(cw_context *context, const char *what, const cw_view *view, const int size[3]) {
  const int *n = view->grid.size;
  if (n[0] != size[0] || n[1] != size[1] || n[2] != size[2])
    return cw_fail(context, CW_ERROR_SHAPE, "%s: %d x %d x %d samples, expected %d x %d x %d", what, n[0], n[1], n[2],
                   size[0], size[1], size[2]);
  return CW_OK;
}

typedef struct copy_work {
  const cw_view *from, *to;
} copy_work;

static void copy_slices(void *user, int slab, int begin, int end) {
  const copy_work *w = user;
  const int *n = w->from->grid.size;
  (void)slab;
  for (int k = begin; k < end; k++)
    for (int j = 0; j < n[1]; j++) {
      const float *from = cw_view_row(w->from, j, k);
      float *to = cw_view_row(w->to, j, k);
      for (int c = 0; c < w->from->components; c++)
        cw_copy_row(n[0], from + c * w->from->component_step, w->from->step[0], to + c * w->to->component_step,
                    w->to->step[0]);
    }
}

cw_status cw_view_copy(cw_context *context, const cw_view *from, const cw_view *to) {
  CW_TRY(cw_view_check(context, "copy", from, from->components));
  CW_TRY(cw_view_check(context, "copy's target", to, from->components));
  CW_TRY(cw_view_check_size(context, "copy's target", to, from->grid.size));
  copy_work w = {from, to};
  const cw_crew crew = cw_context_crew(context, "copy");
  const int *n = from->grid.size;
  return cw_crew_run(&crew, n[2], (size_t)n[0] * (size_t)n[1], copy_slices, &w);
}
