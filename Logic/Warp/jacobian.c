/* Jacobian determinant of a displacement field. */
#include "Warp/jacobian.h"

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Warp/block.h"
#include "Warp/grid_cell.h"
#include "Warp/vector_row.h"
#include "Warp/view_internal.h"

enum { CHUNK = 64 };

/* The grid's matrix, the reciprocal of its determinant, and the field at one row. */
typedef struct row_view {
  float m[3][3], gain;
  const float *at[3]; /* components */
  ptrdiff_t low[3], high[3];
  float factor[3]; /* of the differences along x, y, z */
} row_view;

/* Neighbours of sample i along an axis: central, or one-sided at the border. */
static void set_difference(row_view *v, int axis, int i, int n, size_t step) {
  v->low[axis] = i > 0 ? -(ptrdiff_t)step : 0;
  v->high[axis] = i + 1 < n ? (ptrdiff_t)step : 0;
  v->factor[axis] = i > 0 && i + 1 < n ? 0.5f : 1;
}

/* Determinants of n samples from i on; all have the same kind of difference along x. */
CW_INLINE void determinants(const row_view *v, int i, int n, float *restrict out) {
  const float *a = v->at[0] + i, *b = v->at[1] + i, *c = v->at[2] + i;
  const float fx = v->factor[0], fy = v->factor[1], fz = v->factor[2], gain = v->gain;
  const ptrdiff_t xl = v->low[0], xh = v->high[0], yl = v->low[1], yh = v->high[1], zl = v->low[2], zh = v->high[2];
#pragma omp simd
  for (int l = 0; l < n; l++) {
    const float ax = v->m[0][0] + fx * (a[l + xh] - a[l + xl]), ay = v->m[0][1] + fy * (a[l + yh] - a[l + yl]),
                az = v->m[0][2] + fz * (a[l + zh] - a[l + zl]);
    const float bx = v->m[1][0] + fx * (b[l + xh] - b[l + xl]), by = v->m[1][1] + fy * (b[l + yh] - b[l + yl]),
                bz = v->m[1][2] + fz * (b[l + zh] - b[l + zl]);
    const float cx = v->m[2][0] + fx * (c[l + xh] - c[l + xl]), cy = v->m[2][1] + fy * (c[l + yh] - c[l + yl]),
                cz = v->m[2][2] + fz * (c[l + zh] - c[l + zl]);
    out[l] = gain * (ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx));
  }
}

CW_INLINE int count_folds(int n, const float *j) {
  int folded = 0;
#pragma omp simd reduction(+ : folded)
  for (int l = 0; l < n; l++)
    folded += j[l] <= 0;
  return folded;
}

/* ln x = e ln 2 + ln m with m in [sqrt(1/2), sqrt(2)): ln m = 2 artanh t, t = (m - 1) / (m + 1), |t| <= 0.172, whose
 * series to t^9 leaves 4e-9.  x > 0 normal, +Inf or NaN; smaller ones count as the smallest normal. */
CW_INLINE void logarithms(int n, float *restrict x) {
#pragma omp simd
  for (int l = 0; l < n; l++) {
    const float at_least = x[l] < FLT_MIN ? FLT_MIN : x[l];
    int32_t bits;
    memcpy(&bits, &at_least, sizeof bits);
    const int32_t shifted = bits - 0x3f3504f3; /* sqrt(1/2) */
    const float exponent = (float)(shifted >> 23);
    bits -= (int32_t)((uint32_t)(shifted >> 23) << 23);
    float m;
    memcpy(&m, &bits, sizeof m);
    const float t = (m - 1) / (m + 1), s = t * t;
    const float series = s * (0.333333333f + s * (0.2f + s * (0.142857143f + s * 0.111111111f)));
    const float value = exponent * 0.693147181f + 2 * (t + t * series);
    x[l] = at_least <= FLT_MAX ? value : at_least; /* Inf and NaN stay */
  }
}

/* Determinants, or their logarithms, of samples [x, x + n) of a row of nx; v points at sample x.  Returns the number of
 * folds. */
CW_CLONES static int jacobian_row(row_view v, int nx, int x, int n, bool log_of, float *out) {
  int folded = 0;
  for (int i = 0; i < n; i += CHUNK) {
    const int end = i + CHUNK < n ? i + CHUNK : n;
    int from = i, to = end;
    if (x + from == 0) {
      set_difference(&v, 0, 0, nx, 1);
      determinants(&v, from, 1, out + from);
      from++;
    }
    if (x + to == nx && from < to) {
      set_difference(&v, 0, nx - 1, nx, 1);
      determinants(&v, to - 1, 1, out + to - 1);
      to--;
    }
    if (from < to) {
      set_difference(&v, 0, 1, 3, 1);
      determinants(&v, from, to - from, out + from);
    }
    folded += count_folds(end - i, out + i);
    if (log_of) {
#pragma omp simd
      for (int l = i; l < end; l++)
        out[l] = out[l] <= 0 ? 1e-3f : out[l];
      logarithms(end - i, out + i);
    }
  }
  return folded;
}

/* ---- fields and results in any order of samples ---- */

enum { PLANES = 3 }; /* slices that a difference along z touches */

typedef struct jacobian_work {
  float matrix[3][3], gain;
  const cw_view *field, *out;
  int first[3];
  bool log_of;
  size_t *folded;
  float *rows; /* for each slab: PLANES slices of 3 components, then a row of results; NULL if not needed */
} jacobian_work;

static size_t plane_samples(const cw_view *field) {
  return (size_t)field->grid.size[0] * (size_t)field->grid.size[1];
}

static size_t slab_room(const cw_view *field, const cw_view *out) {
  return (field->step[0] == 1 ? 0 : PLANES * 3 * plane_samples(field)) +
         (out->step[0] == 1 ? 0 : (size_t)out->grid.size[0]);
}

size_t cw_jacobian_room(const cw_crew *crew, const cw_view *field, const cw_view *out) {
  return (size_t)cw_crew_slabs(crew, out->grid.size[2]) * slab_room(field, out);
}

/* Slice k of the field as planes of components, in its place of the ring. */
static void split_plane(const cw_view *field, int k, float *ring) {
  static const float unit[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const int *n = field->grid.size;
  const size_t plane = plane_samples(field);
  float *to = ring + (size_t)(k % PLANES) * 3 * plane;
  for (int j = 0; j < n[1]; j++)
    cw_vector_row(unit, n[0], cw_view_row(field, j, k), field->step[0], field->component_step, to + (size_t)j * n[0], 1,
                  (ptrdiff_t)plane);
}

/* The field around row (j, k): in its own memory, or in the ring of planes. */
static row_view view_row(const jacobian_work *w, const float *ring, int j, int k) {
  row_view v = {.gain = w->gain};
  memcpy(v.m, w->matrix, sizeof v.m);
  const int *n = w->field->grid.size;
  const bool split = ring != NULL;
  const size_t plane = plane_samples(w->field);
  const float *row = split ? ring + (size_t)(k % PLANES) * 3 * plane + (size_t)j * n[0] : cw_view_row(w->field, j, k);
  for (int r = 0; r < 3; r++)
    v.at[r] = row + w->first[0] + r * (split ? (ptrdiff_t)plane : w->field->component_step);
  set_difference(&v, 1, j, n[1], 1);
  set_difference(&v, 2, k, n[2], 1);
  const ptrdiff_t line = split ? n[0] : w->field->step[1];
  v.low[1] *= line, v.high[1] *= line;
  if (split) {
    const ptrdiff_t own = k % PLANES, room = 3 * (ptrdiff_t)plane;
    v.low[2] = v.low[2] ? ((k - 1) % PLANES - own) * room : 0;
    v.high[2] = v.high[2] ? ((k + 1) % PLANES - own) * room : 0;
  } else {
    v.low[2] *= w->field->step[2], v.high[2] *= w->field->step[2];
  }
  return v;
}

static void jacobian_slices(void *user, int slab, int begin, int end) {
  const jacobian_work *w = user;
  const cw_view *field = w->field, *out = w->out;
  const int *n = field->grid.size, *box = out->grid.size;
  float *room = w->rows ? w->rows + (size_t)slab * slab_room(field, out) : NULL;
  float *ring = field->step[0] == 1 ? NULL : room;
  float *result = out->step[0] == 1 ? NULL : room + (ring ? PLANES * 3 * plane_samples(field) : 0);
  int ready = w->first[2] + begin - 1; /* next slice that the ring lacks */
  for (int z = begin; z < end; z++) {
    const int k = w->first[2] + z;
    for (; ring && ready <= k + 1; ready++)
      if (ready >= 0 && ready < n[2])
        split_plane(field, ready, ring);
    for (int y = 0; y < box[1]; y++) {
      const row_view v = view_row(w, ring, w->first[1] + y, k);
      float *to = cw_view_row(out, y, z);
      w->folded[slab] += (size_t)jacobian_row(v, n[0], w->first[0], box[0], w->log_of, result ? result : to);
      if (result)
        cw_copy_row(box[0], result, 1, to, out->step[0]);
    }
  }
}

cw_status cw_jacobian_run(const cw_crew *crew, const double matrix[3][3], const cw_view *field, const int first[3],
                          bool log_of, const cw_view *out, size_t *folded, float *rows) {
  const double(*m)[3] = matrix;
  const double determinant = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                             m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                             m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  const int *box = out->grid.size, slabs = cw_crew_slabs(crew, box[2]);
  jacobian_work w = {.gain = (float)(1 / determinant),
                     .field = field,
                     .out = out,
                     .first = {first[0], first[1], first[2]},
                     .log_of = log_of,
                     .folded = folded,
                     .rows = rows};
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      w.matrix[r][c] = (float)m[r][c];
  memset(folded, 0, (size_t)slabs * sizeof *folded);
  return cw_crew_run(crew, box[2], (size_t)box[0] * (size_t)box[1], jacobian_slices, &w);
}

size_t cw_jacobian_determinant(const int size[3], const float *u, bool log_of, float *out, int threads) {
  enum { MOST_THREADS = 256 };
  const double identity[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const cw_crew crew = {threads < MOST_THREADS ? threads : MOST_THREADS, NULL, "", 0, 1};
  const cw_volume field = {.grid = {.size = {size[0], size[1], size[2]}}, .components = 3, .data = (float *)u};
  const cw_volume result = {.grid = field.grid, .components = 1, .data = out};
  const cw_view field_view = cw_volume_view(&field), out_view = cw_volume_view(&result);
  const int first[3] = {0, 0, 0};
  size_t folded[MOST_THREADS], sum = 0;
  (void)cw_jacobian_run(&crew, identity, &field_view, first, log_of, &out_view, folded, NULL);
  for (int slab = 0; slab < cw_crew_slabs(&crew, size[2]); slab++)
    sum += folded[slab];
  return sum;
}

cw_status cw_view_jacobian(cw_context *context, const cw_view *field, const int first[3], bool log_of,
                           const cw_view *out, size_t *folded) {
  CW_TRY(cw_view_check(context, "field", field, 3));
  if (!out->data || out->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "Jacobian's output: expected samples of one component");
  double matrix[3][3];
  for (int axis = 0; axis < 3; axis++) {
    const int n = out->grid.size[axis];
    if (first[axis] < 0 || n < 1 || n > field->grid.size[axis] - first[axis])
      return cw_fail(context, CW_ERROR_SHAPE,
                     "Jacobian: a box of %d samples from %d on along axis %d, where the field has %d", n, first[axis],
                     axis, field->grid.size[axis]);
    for (int c = 0; c < 3; c++)
      matrix[axis][c] = field->grid.to_world.m[axis][c];
  }
  const cw_crew crew = cw_context_crew(context, "Jacobian");
  const int slabs = cw_crew_slabs(&crew, out->grid.size[2]);
  const size_t room = cw_jacobian_room(&crew, field, out);
  size_t *folds = cw_allocate(context, (size_t)slabs, sizeof *folds), sum = 0;
  float *rows = room ? cw_allocate(context, room, sizeof *rows) : NULL;
  cw_status status = !folds || (room && !rows) ? CW_ERROR_MEMORY : CW_OK;
  if (status == CW_OK)
    status = cw_jacobian_run(&crew, matrix, field, first, log_of, out, folds, rows);
  for (int slab = 0; slab < slabs && status == CW_OK; slab++)
    sum += folds[slab];
  cw_release(context, rows);
  cw_release(context, folds);
  if (folded)
    *folded = sum;
  return status;
}

cw_status cw_volume_jacobian(cw_context *context, const cw_volume *field, bool log_of, cw_volume *out, size_t *folded) {
  memset(out, 0, sizeof *out);
  const cw_view view = cw_volume_view(field);
  CW_TRY(cw_view_check(context, "field", &view, 3));
  CW_TRY(cw_volume_create(context, &field->grid, 1, out));
  const cw_view out_view = cw_volume_view(out);
  const int first[3] = {0, 0, 0};
  const cw_status status = cw_view_jacobian(context, &view, first, log_of, &out_view, folded);
  if (status != CW_OK)
    cw_volume_free(context, out);
  return status;
}
