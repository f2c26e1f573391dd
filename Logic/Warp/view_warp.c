/* Images and labels warped by a field in millimetres, on any two grids and in any order of samples. */
#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Warp/grid_cell.h"
#include "Warp/sample.h"
#include "Warp/vector_row.h"
#include "Warp/view_internal.h"

/* Samples of a row taken together: they start from a sample of `in` near their points, so that displacements stay small
 * where the grids differ. */
enum { SEGMENT = 64 };

typedef struct warp_work {
  const cw_volume *in;
  const cw_view *field, *out;
  bool labels, aligned; /* aligned: samples of out lie on samples of in, `shift` of them on */
  int shift[3];
  float to_voxels[3][3]; /* mm -> voxels of in */
  cw_affine map;         /* index of out -> index of in */
  float *rows;           /* for each slab: 3 n displacements, then components * n samples */
} warp_work;

/* Nearest sample of i + u, or -1 outside. */
static inline int nearest(int i, int n, float u) {
  if (!(u >= (float)-i - 0.5f && u < (float)(n - i) - 0.5f))
    return -1;
  const int at = i + (int)floorf(u + 0.5f);
  return at < 0 ? 0 : at < n ? at : n - 1;
}

static void label_row(const cw_volume *in, const int first[3], int n, const float *ux, const float *uy, const float *uz,
                      size_t out_samples, float *out) {
  const int *size = in->grid.size;
  const size_t samples = cw_grid_samples(&in->grid);
  for (int i = 0; i < n; i++) {
    const int x = nearest(first[0] + i, size[0], ux[i]), y = nearest(first[1], size[1], uy[i]),
              z = nearest(first[2], size[2], uz[i]);
    const bool inside = x >= 0 && y >= 0 && z >= 0;
    const size_t at = inside ? ((size_t)z * size[1] + y) * size[0] + x : 0;
    for (int c = 0; c < in->components; c++)
      out[c * out_samples + i] = inside ? in->data[c * samples + at] : 0;
  }
}

static void sample_segment(const warp_work *w, const int first[3], int n, const float *u, int row, size_t out_samples,
                           float *out) {
  const float *ux = u, *uy = u + row, *uz = u + 2 * (size_t)row;
  if (w->labels)
    label_row(w->in, first, n, ux, uy, uz, out_samples, out);
  else
    cw_sample_row(w->in->grid.size, w->in->components, first, n, w->in->data, ux, uy, uz, out_samples, out);
}

/* The sample nearest to p, at most n - room; any sample for NaN. */
static int near_sample(double p, int n, int room) {
  const int last = n > room ? n - room : 0;
  return p > 0 ? p < last ? (int)(p + 0.5) : last : 0;
}

/* Points of samples [begin, begin + n) of row (j, k): u becomes relative to samples of in around first. */
static void place_segment(const warp_work *w, int begin, int n, int j, int k, float *u, int row, int first[3]) {
  const int *size = w->in->grid.size, middle = n / 2;
  const double index[3] = {begin, j, k};
  double start[3];
  cw_affine_apply(&w->map, index, start);
  for (int axis = 0; axis < 3; axis++) {
    const double step = w->map.m[axis][0], at = start[axis] + middle * step + u[axis * row + middle];
    first[axis] = axis ? near_sample(at, size[axis], 1) : near_sample(at - middle, size[0], n);
    const double offset = start[axis] - first[axis], slope = axis ? step : step - 1;
    for (int i = 0; i < n; i++)
      u[axis * row + i] += (float)(offset + i * slope);
  }
}

static void warp_row(const warp_work *w, int j, int k, float *u, size_t out_samples, float *out) {
  const int n = w->field->grid.size[0], *size = w->in->grid.size;
  cw_vector_row(w->to_voxels, n, cw_view_row(w->field, j, k), w->field->step[0], w->field->component_step, u, 1, n);
  if (w->aligned) {
    const int first[3] = {w->shift[0], j + w->shift[1], k + w->shift[2]};
    sample_segment(w, first, n, u, n, out_samples, out);
    return;
  }
  const int at_once = size[0] < SEGMENT ? size[0] : SEGMENT;
  for (int begin = 0; begin < n; begin += at_once) {
    const int count = n - begin < at_once ? n - begin : at_once;
    int first[3];
    place_segment(w, begin, count, j, k, u + begin, n, first);
    sample_segment(w, first, count, u + begin, n, out_samples, out + begin);
  }
}

/* Whether all samples of out lie on samples of in, to 1e-5 of a voxel. */
static bool find_shift(const cw_affine *map, const int out[3], const int in[3], int shift[3]) {
  for (int axis = 0; axis < 3; axis++) {
    const double whole = round(map->m[axis][3]);
    if (!(whole >= 0 && whole + out[axis] <= in[axis]))
      return false;
    shift[axis] = (int)whole;
    double error = fabs(map->m[axis][3] - whole);
    for (int c = 0; c < 3; c++)
      error += fabs(map->m[axis][c] - (axis == c)) * out[c];
    if (!(error < 1e-5))
      return false;
  }
  return true;
}

static void warp_slices(void *user, int slab, int begin, int end) {
  const warp_work *w = user;
  const cw_view *out = w->out;
  const int *n = out->grid.size, components = out->components;
  float *u = w->rows + (size_t)slab * (size_t)(3 + components) * n[0], *row = u + 3 * (size_t)n[0];
  for (int k = begin; k < end; k++)
    for (int j = 0; j < n[1]; j++) {
      float *to = cw_view_row(out, j, k);
      if (out->step[0] == 1 && out->component_step >= 0) {
        warp_row(w, j, k, u, (size_t)out->component_step, to);
        continue;
      }
      warp_row(w, j, k, u, (size_t)n[0], row);
      for (int c = 0; c < components; c++)
        cw_copy_row(n[0], row + (size_t)c * n[0], 1, to + c * out->component_step, out->step[0]);
    }
}

static cw_status check_image(cw_context *context, const cw_volume *in) {
  if (!in->data || in->components < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "warp: expected an image with samples");
  return cw_grid_check(context, &in->grid);
}

cw_status cw_view_warp(cw_context *context, const cw_volume *in, const cw_view *field, bool labels,
                       const cw_view *out) {
  CW_TRY(cw_view_check(context, "field", field, 3));
  CW_TRY(check_image(context, in));
  CW_TRY(cw_view_check(context, "warp's output", out, in->components));
  CW_TRY(cw_view_check_size(context, "warp's output", out, field->grid.size));
  warp_work w = {.in = in, .field = field, .out = out, .labels = labels};
  cw_affine to_index;
  CW_TRY(cw_affine_invert(context, &in->grid.to_world, &to_index));
  w.map = cw_affine_compose(&to_index, &field->grid.to_world);
  w.aligned = find_shift(&w.map, field->grid.size, in->grid.size, w.shift);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      w.to_voxels[r][c] = (float)to_index.m[r][c];
  const int *n = field->grid.size;
  const cw_crew crew = cw_context_crew(context, "warp");
  w.rows = cw_allocate(context, (size_t)cw_crew_slabs(&crew, n[2]) * (size_t)(3 + in->components),
                       (size_t)n[0] * sizeof *w.rows);
  if (!w.rows)
    return CW_ERROR_MEMORY;
  const cw_status status = cw_crew_run(&crew, n[2], (size_t)n[0] * (size_t)n[1], warp_slices, &w);
  cw_release(context, w.rows);
  return status;
}

/* An image and a field on the same grid, to a hundredth of a voxel. */
static cw_status check_pair(cw_context *context, const cw_volume *in, const cw_volume *field) {
  double spacing[3];
  cw_grid_spacing(&field->grid, spacing);
  if (!cw_grid_same(&in->grid, &field->grid, 0.01 * fmin(spacing[0], fmin(spacing[1], spacing[2]))))
    return cw_fail(context, CW_ERROR_SHAPE, "warp: the field is on another grid, expected the image's own");
  return CW_OK;
}

static cw_status warp(cw_context *context, const cw_volume *in, const cw_volume *field, bool labels, cw_volume *out) {
  memset(out, 0, sizeof *out);
  cw_view field_view = cw_volume_view(field);
  CW_TRY(cw_view_check(context, "field", &field_view, 3));
  CW_TRY(check_image(context, in));
  CW_TRY(check_pair(context, in, field));
  field_view.grid = in->grid;
  CW_TRY(cw_volume_create(context, &in->grid, in->components, out));
  const cw_view out_view = cw_volume_view(out);
  const cw_status status = cw_view_warp(context, in, &field_view, labels, &out_view);
  if (status != CW_OK)
    cw_volume_free(context, out);
  return status;
}

cw_status cw_volume_warp(cw_context *context, const cw_volume *in, const cw_volume *field, cw_volume *out) {
  return warp(context, in, field, false, out);
}

cw_status cw_volume_warp_labels(cw_context *context, const cw_volume *in, const cw_volume *field, cw_volume *out) {
  return warp(context, in, field, true, out);
}
