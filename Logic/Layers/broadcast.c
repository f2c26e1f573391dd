#include "Layers/broadcast.h"

#include <string.h>

enum { COLUMNS = 1024 }; /* of a task that adds rows */

/* Size of axis `axis` of a result of `rank` axes; missing leading axes have one sample. */
static int64_t size_at(const cw_shape *shape, int rank, int axis) {
  const int own = axis - (rank - shape->rank);
  return own < 0 ? 1 : shape->d[own];
}

cw_status cw_broadcast_infer(cw_context *context, const cw_shape *in, int count, cw_shape *out) {
  int rank = 0;
  for (int i = 0; i < count; i++)
    rank = in[i].rank > rank ? in[i].rank : rank;
  out->rank = rank;
  for (int axis = 0; axis < rank; axis++) {
    int64_t size = 1;
    for (int i = 0; i < count; i++) {
      const int64_t own = size_at(&in[i], rank, axis);
      if (own == 1 || own == size)
        continue;
      if (size != 1) {
        char text_a[96], text_b[96];
        cw_shape_text(&in[0], text_a);
        cw_shape_text(&in[i], text_b);
        return cw_fail(context, CW_ERROR_SHAPE,
                       "inputs of shape %s and %s, expected equal sizes, or 1, on each axis from the last", text_a,
                       text_b);
      }
      size = own;
    }
    out->d[axis] = size;
  }
  return CW_OK;
}

cw_broadcast cw_broadcast_of(const cw_shape *out, const cw_shape *in, int count) {
  cw_broadcast b = {0};
  int64_t next[3] = {1, 1, 1};
  b.count = count;
  /* From the last axis to the first; an axis joins the one before it where every operand goes on alike. */
  for (int axis = out->rank - 1; axis >= 0; axis--) {
    int64_t stride[3] = {0};
    if (out->d[axis] == 1)
      continue;
    for (int i = 0; i < count; i++)
      if (size_at(&in[i], out->rank, axis) != 1) {
        stride[i] = next[i];
        next[i] *= out->d[axis];
      }
    bool joins = b.rank > 0;
    for (int i = 0; i < count && joins; i++)
      joins = stride[i] == b.stride[i][b.rank - 1] * b.d[b.rank - 1];
    if (joins) {
      b.d[b.rank - 1] *= out->d[axis];
      continue;
    }
    for (int i = 0; i < count; i++)
      b.stride[i][b.rank] = stride[i];
    b.d[b.rank++] = out->d[axis];
  }
  if (!b.rank)
    b.d[b.rank++] = 1;
  for (int i = 0, k = b.rank - 1; i < k; i++, k--) {
    const int64_t d = b.d[i];
    b.d[i] = b.d[k];
    b.d[k] = d;
    for (int o = 0; o < count; o++) {
      const int64_t stride = b.stride[o][i];
      b.stride[o][i] = b.stride[o][k];
      b.stride[o][k] = stride;
    }
  }
  int64_t row = 1;
  for (int i = b.rank - 1; i >= 0; i--) {
    b.row[i] = row;
    row *= b.d[i];
  }
  return b;
}

bool cw_broadcast_whole(const cw_broadcast *b, int operand) {
  for (int i = 0; i < b->rank; i++)
    if (b->d[i] != 1 && !b->stride[operand][i])
      return false;
  return true;
}

void cw_broadcast_at(const cw_broadcast *b, int64_t element, int64_t offset[3]) {
  offset[0] = offset[1] = offset[2] = 0;
  for (int i = 0; i < b->rank; i++) {
    const int64_t at = element / b->row[i];
    element -= at * b->row[i];
    for (int o = 0; o < b->count; o++)
      offset[o] += at * b->stride[o][i];
  }
}

int64_t cw_broadcast_run(const cw_broadcast *b, int64_t element, int64_t most) {
  const int64_t width = b->d[b->rank - 1], rest = width - element % width;
  return rest < most ? rest : most;
}

void cw_broadcast_each(const cw_call *call, const cw_broadcast *b, int64_t n, cw_run_visit visit, const void *user) {
  const int64_t parts = cw_parts(n);
  CW_PARALLEL(parts, call->threads)
  for (int64_t p = 0; p < parts; p++) {
    const int64_t end = p * CW_PART + cw_part_length(n, p);
    for (int64_t i = p * CW_PART, run; i < end; i += run) {
      int64_t at[3];
      run = cw_broadcast_run(b, i, end - i);
      cw_broadcast_at(b, i, at);
      visit(call, b, user, i, run, at);
    }
  }
}

/* ---- sums over what repeats ---- */

/* Axes of the result, apart: those that the operand has and those along which it repeats; the last axis in neither. */
typedef struct split_axes {
  int own, repeated;
  int64_t own_d[CW_MAX_RANK], own_row[CW_MAX_RANK], repeated_d[CW_MAX_RANK], repeated_row[CW_MAX_RANK];
  int64_t owns, repeats; /* products */
} split_axes;

static split_axes split(const cw_broadcast *b, int operand) {
  split_axes s = {0};
  s.owns = s.repeats = 1;
  for (int i = 0; i < b->rank - 1; i++) {
    if (b->stride[operand][i]) {
      s.own_d[s.own] = b->d[i];
      s.own_row[s.own++] = b->row[i];
      s.owns *= b->d[i];
    } else {
      s.repeated_d[s.repeated] = b->d[i];
      s.repeated_row[s.repeated++] = b->row[i];
      s.repeats *= b->d[i];
    }
  }
  return s;
}

static int64_t offset_of(int64_t index, int axes, const int64_t *d, const int64_t *row) {
  int64_t offset = 0;
  for (int i = axes - 1; i >= 0; i--) {
    offset += index % d[i] * row[i];
    index /= d[i];
  }
  return offset;
}

/* The operand repeats along rows: each of its elements is a sum of rows. */
static void reduce_rows(const split_axes *s, int64_t width, const float *g, bool accumulate, float *to, int threads) {
  (void)threads;
  CW_PARALLEL(s->owns, threads)
  for (int64_t k = 0; k < s->owns; k++) {
    const float *from = g + offset_of(k, s->own, s->own_d, s->own_row);
    double sum = 0;
    for (int64_t r = 0; r < s->repeats; r++)
      sum += cw_sum(width, from + offset_of(r, s->repeated, s->repeated_d, s->repeated_row));
    to[k] = (accumulate ? to[k] : 0) + (float)sum;
  }
}

/* The operand has rows of its own: rows are added up. */
static void reduce_columns(const split_axes *s, int64_t width, const float *g, bool accumulate, float *to,
                           int threads) {
  (void)threads;
  const int64_t pieces = (width + COLUMNS - 1) / COLUMNS, tasks = s->owns * pieces;
  CW_PARALLEL(tasks, threads)
  for (int64_t t = 0; t < tasks; t++) {
    const int64_t k = t / pieces, at = t % pieces * COLUMNS, n = width - at < COLUMNS ? width - at : COLUMNS;
    const float *from = g + offset_of(k, s->own, s->own_d, s->own_row) + at;
    float *sums = to + k * width + at;
    for (int64_t r = 0; r < s->repeats; r++)
      cw_pass(n, from + offset_of(r, s->repeated, s->repeated_d, s->repeated_row), accumulate || r > 0, sums, 1);
  }
}

void cw_broadcast_reduce(const cw_broadcast *b, int operand, const float *g, bool accumulate, float *to, int threads) {
  const split_axes s = split(b, operand);
  const int64_t width = b->d[b->rank - 1];
  if (b->stride[operand][b->rank - 1])
    reduce_columns(&s, width, g, accumulate, to, threads);
  else
    reduce_rows(&s, width, g, accumulate, to, threads);
}
