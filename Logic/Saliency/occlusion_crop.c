/* Occlusion by crops: a hidden box changes a box of every local value, so each stage from cut to cut runs on a crop of
 * fixed size around what its changed outputs read, and the box of outputs goes into the next stage's crop.  Crops end
 * where the volume does or lie inside; there their borders are wrong, but no changed output reads over them. */
#include <math.h>
#include <string.h>

#include "Layers/layer.h"
#include "Saliency/occlusion.h"

enum { WHOLE_AT_ONCE = 2 }; /* the largest maps of more leave the cache */

/* From one cut to the next, or to the logits. */
typedef struct stage {
  cw_cut from;
  cw_graph *graph;
  cw_plan *plan;
  float *in;          /* [batch][channels][crop] */
  const float *out;   /* [batch] of the next cut, or of logits */
  const float *whole; /* the cut's value of the image with nothing hidden */
  int crop[3];
  int origin[CW_CROPS_AT_ONCE][3]; /* of each crop in the value */
} stage;

struct cw_occluder {
  stage *stages;
  int count, batch, threads;
  cw_plan *unhidden; /* gives the cuts' values */
  cw_value image;
};

/* ---- what a box reaches ---- */

static int64_t floor_division(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

/* Samples of a value that read [from, end) of the image along an axis. */
static void changed_samples(const cw_reach *r, int axis, int from, int end, int64_t *first, int64_t *last) {
  *first = -floor_division(r->high[axis] - from, r->stride[axis]);
  *last = floor_division(end - 1 - r->low[axis], r->stride[axis]);
  *first = *first > 0 ? *first : 0;
  *last = *last < r->size[axis] - 1 ? *last : r->size[axis] - 1;
}

/* Samples of `from` that the samples of `to` read which a box changes; the first one is where a crop may start. */
static void read_samples(const cw_reach *from, const cw_reach *to, int axis, int box_from, int box_end, int64_t *first,
                         int64_t *last) {
  const int64_t step = to->stride[axis] / from->stride[axis];
  changed_samples(to, axis, box_from, box_end, first, last);
  if (*first > *last)
    *first = *last = 0; /* nothing changes: any crop will do */
  *first = *first * step + (to->low[axis] - from->low[axis]) / from->stride[axis];
  *last = *last * step + (to->high[axis] - from->high[axis]) / from->stride[axis];
  *first = *first > 0 ? *first / step * step : 0;
  *last = *last < from->size[axis] - 1 ? *last : from->size[axis] - 1;
}

/* The least crop that serves every box.  It ends with the volume when it starts at a whole number of steps. */
static int crop_size(const cw_reach *from, const cw_reach *to, int axis, const cw_boxes *boxes) {
  const int64_t step = to->stride[axis] / from->stride[axis], size = from->size[axis];
  int64_t most = 1;
  for (int place = 0; place < boxes->per_axis[axis]; place++) {
    int64_t first, last;
    int box_from, box_end;
    cw_box_on_axis(boxes, axis, place, &box_from, &box_end);
    read_samples(from, to, axis, box_from, box_end, &first, &last);
    most = last - first + 1 > most ? last - first + 1 : most;
  }
  return (int)(size - (size - most) / step * step);
}

/* ---- which cuts ---- */

static double samples_of(const cw_cut *cut, const int size[3]) {
  return (double)cut->channels * size[0] * size[1] * size[2];
}

/* Multiply-adds of a stage, and what its copies take. */
static double stage_cost(const cw_cut *from, const cw_cut *to, const cw_boxes *boxes) {
  enum { COPY = 8, OVERHEAD = 200000 };
  int crop[3];
  for (int a = 0; a < 3; a++)
    crop[a] = to ? crop_size(&from->reach, &to->reach, a, boxes) : from->reach.size[a];
  const double samples = samples_of(from, crop), share = samples / samples_of(from, from->reach.size);
  return share * (to ? to->work - from->work : -from->work) + COPY * samples + OVERHEAD;
}

/* The cheapest way from the image to the logits; moves its cuts to the front and gives their number.  best, before:
 * [count]. */
static int choose_cuts(cw_cut *cuts, int count, const cw_boxes *boxes, double *best, int *before) {
  int last = 0, chosen = 0;
  for (int j = 0; j < count; j++) {
    best[j] = j ? INFINITY : 0;
    before[j] = -1;
    for (int i = 0; i < j; i++) {
      const double cost = best[i] + stage_cost(&cuts[i], &cuts[j], boxes);
      before[j] = cost < best[j] ? i : before[j];
      best[j] = cost < best[j] ? cost : best[j];
    }
    if (best[j] + stage_cost(&cuts[j], NULL, boxes) < best[last] + stage_cost(&cuts[last], NULL, boxes))
      last = j;
  }
  for (int j = last; j >= 0; j = before[j])
    chosen++;
  for (int j = last, at = chosen - 1; j >= 0; j = before[j], at--)
    before[count + at] = j; /* their order, behind the table */
  for (int i = 0; i < chosen; i++)
    cuts[i] = cuts[before[count + i]];
  return chosen;
}

/* ---- creation ---- */

static cw_status make_stage(cw_context *context, const cw_saliency *s, const cw_occluder *o, stage *g, const cw_cut *to,
                            const cw_boxes *boxes) {
  const cw_value wanted = to ? to->value : s->logits;
  cw_value in, out;
  for (int a = 0; a < 3; a++)
    g->crop[a] = to ? crop_size(&g->from.reach, &to->reach, a, boxes) : g->from.reach.size[a];
  CW_TRY(cw_graph_create(context, &g->graph));
  CW_TRY(cw_graph_input(context, g->graph, cw_value_name(s->graph, g->from.value),
                        CW_SHAPE(CW_BATCH, g->from.channels, g->crop[0], g->crop[1], g->crop[2]), &in));
  CW_TRY(cw_graph_append_part(context, g->graph, s->graph, "", true, &g->from.value, &in, 1, &wanted, 1, &out));
  cw_shape expected = *cw_value_shape(s->graph, wanted);
  for (int a = 0; a < 3 && to; a++)
    expected.d[2 + a] -= (g->from.reach.size[a] - g->crop[a]) / (to->reach.stride[a] / g->from.reach.stride[a]);
  if (!cw_shape_equal(&expected, cw_value_shape(g->graph, out)))
    return cw_fail(context, CW_ERROR_SHAPE, "occlusion: '%s' of a crop has another size than foreseen",
                   cw_value_name(s->graph, wanted));
  cw_plan_options options = {0};
  options.mode = CW_INFERENCE;
  options.batch = o->batch;
  options.outputs = &out;
  options.output_count = 1;
  CW_TRY(cw_plan_create(context, g->graph, &options, &g->plan));
  g->in = cw_plan_data(g->plan, in);
  g->out = cw_plan_data(g->plan, out);
  return CW_OK;
}

static void free_stages(cw_context *context, cw_occluder *o) {
  for (int k = 0; k < o->count && o->stages; k++) {
    cw_plan_free(context, o->stages[k].plan);
    cw_graph_free(context, o->stages[k].graph);
  }
  cw_release(context, o->stages);
  cw_plan_free(context, o->unhidden);
  o->stages = NULL;
  o->unhidden = NULL;
}

static cw_status make_unhidden(cw_context *context, const cw_saliency *s, cw_occluder *o) {
  cw_value *values = cw_allocate(context, (size_t)o->count, sizeof *values);
  if (!values)
    return CW_ERROR_MEMORY;
  for (int k = 1; k < o->count; k++)
    values[k - 1] = o->stages[k].from.value;
  cw_plan_options options = {0};
  options.mode = CW_INFERENCE;
  options.batch = 1;
  options.outputs = values;
  options.output_count = o->count - 1;
  const cw_status status = cw_plan_create(context, s->graph, &options, &o->unhidden);
  cw_release(context, values);
  for (int k = 1; k < o->count && status == CW_OK; k++)
    o->stages[k].whole = cw_plan_data(o->unhidden, o->stages[k].from.value);
  return status;
}

static cw_status make_stages(cw_context *context, const cw_saliency *s, cw_occluder *o, const cw_cut *cuts, int count,
                             const cw_boxes *boxes) {
  o->count = count;
  o->batch = count > 1 ? CW_CROPS_AT_ONCE : WHOLE_AT_ONCE;
  o->stages = cw_allocate_zero(context, (size_t)count, sizeof *o->stages);
  if (!o->stages)
    return CW_ERROR_MEMORY;
  for (int k = 0; k < count; k++) {
    o->stages[k].from = cuts[k];
    CW_TRY(make_stage(context, s, o, &o->stages[k], k + 1 < count ? &cuts[k + 1] : NULL, boxes));
  }
  return count > 1 ? make_unhidden(context, s, o) : CW_OK;
}

cw_status cw_occluder_create(cw_context *context, const cw_saliency *s, const cw_boxes *boxes, cw_occluder **result) {
  cw_cut *cuts;
  int count;
  *result = NULL;
  CW_TRY(cw_occlusion_cuts(context, s, &cuts, &count));
  cw_occluder *o = cw_allocate_zero(context, 1, sizeof *o);
  double *best = cw_allocate(context, (size_t)count, sizeof *best);
  int *before = cw_allocate(context, 2 * (size_t)count, sizeof *before);
  cw_status status = CW_ERROR_MEMORY;
  if (o && best && before) {
    o->threads = s->threads;
    o->image = s->image;
    count = choose_cuts(cuts, count, boxes, best, before);
    status = make_stages(context, s, o, cuts, count, boxes);
    if (status == CW_ERROR_SHAPE && count > 1) { /* a crop that does not fit: the whole network for each box */
      free_stages(context, o);
      status = make_stages(context, s, o, cuts, 1, boxes);
    }
  }
  cw_release(context, cuts);
  cw_release(context, best);
  cw_release(context, before);
  if (status != CW_OK) {
    cw_occluder_free(context, o);
    return status;
  }
  *result = o;
  return CW_OK;
}

void cw_occluder_free(cw_context *context, cw_occluder *o) {
  if (!o)
    return;
  free_stages(context, o);
  cw_release(context, o);
}

size_t cw_occluder_bytes(const cw_occluder *o) {
  size_t bytes = o->unhidden ? cw_plan_bytes(o->unhidden) : 0;
  for (int k = 0; k < o->count; k++)
    bytes += cw_plan_bytes(o->stages[k].plan);
  return bytes;
}

int cw_occluder_batch(const cw_occluder *o) {
  return o->batch;
}

/* ---- running ---- */

void cw_occluder_start(cw_occluder *o, const float *image) {
  o->stages[0].whole = image;
  if (!o->unhidden)
    return;
  const cw_reach *reach = &o->stages[0].from.reach;
  const size_t samples = (size_t)reach->size[0] * (size_t)reach->size[1] * (size_t)reach->size[2];
  memcpy(cw_plan_data(o->unhidden, o->image), image, samples * sizeof *image);
  cw_plan_forward(o->unhidden);
}

/* A block of a volume: rows are `size[2]` samples apart. */
static size_t at(const int size[3], int64_t z, int64_t y, int64_t x) {
  return ((size_t)z * (size_t)size[1] + (size_t)y) * (size_t)size[2] + (size_t)x;
}

static void place_crop(const stage *g, const stage *next, const int from[3], const int end[3], int origin[3]) {
  for (int a = 0; a < 3; a++) {
    int64_t first = 0, last;
    if (next)
      read_samples(&g->from.reach, &next->from.reach, a, from[a], end[a], &first, &last);
    const int most = g->from.reach.size[a] - g->crop[a];
    origin[a] = first < most ? (int)first : most;
  }
}

/* One channel of sample i's crop, as nothing is hidden. */
static void copy_crop(const stage *g, int i, int channel) {
  const int *size = g->from.reach.size, *crop = g->crop, *origin = g->origin[i];
  const float *from = g->whole + (size_t)channel * at(size, size[0], 0, 0);
  float *to = g->in + ((size_t)i * (size_t)g->from.channels + (size_t)channel) * at(crop, crop[0], 0, 0);
  for (int z = 0; z < crop[0]; z++)
    for (int y = 0; y < crop[1]; y++)
      memcpy(to + at(crop, z, y, 0), from + at(size, origin[0] + z, origin[1] + y, origin[2]),
             (size_t)crop[2] * sizeof *to);
}

/* And its box that the hidden one changes: from what the stage before computed, or `fill` in the image itself. */
static void change_box(const stage *g, const stage *before, int i, int channel, const int box_from[3],
                       const int box_end[3], float fill) {
  const int *crop = g->crop, *origin = g->origin[i];
  int64_t first[3], last[3];
  int inner[3] = {0}, shift[3] = {0}; /* the stage before: size of its output, and where that starts in the value */
  for (int a = 0; a < 3; a++) {
    changed_samples(&g->from.reach, a, box_from[a], box_end[a], &first[a], &last[a]);
    first[a] = first[a] > origin[a] ? first[a] : origin[a]; /* what no changed output reads may lie outside */
    last[a] = last[a] < origin[a] + crop[a] - 1 ? last[a] : origin[a] + crop[a] - 1;
    if (first[a] > last[a])
      return;
    if (!before)
      continue;
    const int step = (int)(g->from.reach.stride[a] / before->from.reach.stride[a]);
    inner[a] = g->from.reach.size[a] - (before->from.reach.size[a] - before->crop[a]) / step;
    shift[a] = before->origin[i][a] / step;
  }
  const size_t plane = (size_t)i * (size_t)g->from.channels + (size_t)channel;
  float *to = g->in + plane * at(crop, crop[0], 0, 0);
  for (int64_t z = first[0]; z <= last[0]; z++)
    for (int64_t y = first[1]; y <= last[1]; y++) {
      float *row = to + at(crop, z - origin[0], y - origin[1], first[2] - origin[2]);
      if (before)
        memcpy(row,
               before->out + plane * at(inner, inner[0], 0, 0) +
                   at(inner, z - shift[0], y - shift[1], first[2] - shift[2]),
               (size_t)(last[2] - first[2] + 1) * sizeof *row);
      for (int64_t x = first[2]; x <= last[2] && !before; x++)
        row[x - first[2]] = fill;
    }
}

const float *cw_occluder_run(cw_occluder *o, const cw_boxes *boxes, const int *index, int count, float fill) {
  for (int k = 0; k < o->count; k++) {
    stage *g = &o->stages[k];
    const stage *before = k ? g - 1 : NULL, *next = k + 1 < o->count ? g + 1 : NULL;
    for (int i = 0; i < count; i++) {
      int from[3], end[3];
      cw_box(boxes, index[i], from, end);
      place_crop(g, next, from, end, g->origin[i]);
    }
    const int parts = count * g->from.channels;
    CW_PARALLEL(parts, o->threads)
    for (int p = 0; p < parts; p++) {
      const int i = p / g->from.channels, channel = p % g->from.channels;
      int from[3], end[3];
      cw_box(boxes, index[i], from, end);
      copy_crop(g, i, channel);
      change_box(g, before, i, channel, from, end, fill);
    }
    cw_plan_forward(g->plan);
  }
  return o->stages[o->count - 1].out;
}
