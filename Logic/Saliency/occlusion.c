/* Occlusion: how far y falls when a box is hidden. */
#include "Saliency/occlusion.h"

#include <math.h>
#include <string.h>

cw_boxes cw_boxes_of(const cw_saliency *s, const cw_saliency_request *request) {
  int longest = 0;
  cw_boxes b = {0};
  for (int a = 0; a < 3; a++)
    longest = s->size[a] > longest ? s->size[a] : longest;
  const int eighth = longest >= 8 ? longest / 8 : 1;
  b.window = request->window ? request->window : eighth;
  b.stride = request->stride ? request->stride : eighth;
  b.stride = b.stride < b.window ? b.stride : b.window; /* every voxel is hidden once at least */
  b.count = 1;
  for (int a = 0; a < 3; a++) {
    b.size[a] = s->size[2 - a];
    const int reach = b.size[a] > b.window ? b.size[a] - b.window : 0;
    b.per_axis[a] = (reach + b.stride - 1) / b.stride + 1;
    b.count *= b.per_axis[a];
  }
  return b;
}

void cw_box_on_axis(const cw_boxes *b, int axis, int place, int *from, int *end) {
  *from = place * b->stride;
  *end = *from + b->window < b->size[axis] ? *from + b->window : b->size[axis];
}

void cw_box(const cw_boxes *b, int index, int from[3], int end[3]) {
  for (int a = 2; a >= 0; index /= b->per_axis[a], a--)
    cw_box_on_axis(b, a, index % b->per_axis[a], &from[a], &end[a]);
}

/* Requests whose boxes are the same share what computes them. */
static bool same_boxes(const cw_boxes *a, const cw_boxes *b) {
  return a->window == b->window && a->stride == b->stride;
}

static int first_of_kind(const cw_saliency *s, int index) {
  const cw_boxes own = cw_boxes_of(s, &s->requests[index]);
  for (int r = 0; r < index; r++) {
    const cw_boxes other = cw_boxes_of(s, &s->requests[r]);
    if (s->requests[r].method == CW_SALIENCY_OCCLUSION && same_boxes(&own, &other))
      return r;
  }
  return index;
}

cw_status cw_occlusion_allocate(cw_context *context, cw_saliency *s) {
  s->occluders = cw_allocate_zero(context, (size_t)s->count, sizeof *s->occluders);
  if (!s->occluders)
    return CW_ERROR_MEMORY;
  for (int r = 0; r < s->count; r++) {
    if (s->requests[r].method != CW_SALIENCY_OCCLUSION || first_of_kind(s, r) != r)
      continue;
    const cw_boxes boxes = cw_boxes_of(s, &s->requests[r]);
    CW_TRY(cw_occluder_create(context, s, &boxes, &s->occluders[r]));
  }
  return CW_OK;
}

void cw_occlusion_free(cw_context *context, cw_saliency *s) {
  for (int r = 0; r < s->count && s->occluders; r++)
    cw_occluder_free(context, s->occluders[r]);
  cw_release(context, s->occluders);
}

size_t cw_occlusion_bytes(const cw_saliency *s) {
  size_t bytes = 0;
  for (int r = 0; r < s->count && s->occluders; r++)
    bytes += s->occluders[r] ? cw_occluder_bytes(s->occluders[r]) : 0;
  return bytes;
}

/* A box that is filled already, as a brain's background may be, changes nothing. */
static bool is_filled(const cw_boxes *b, int index, float fill, const float *image) {
  int from[3], end[3];
  cw_box(b, index, from, end);
  for (int k = from[0]; k < end[0]; k++)
    for (int j = from[1]; j < end[1]; j++) {
      const float *row = image + ((size_t)k * (size_t)b->size[1] + (size_t)j) * (size_t)b->size[2];
      for (int i = from[2]; i < end[2]; i++)
        if (row[i] != fill)
          return false;
    }
  return true;
}

/* Adds `value` to the samples of box `index`. */
static void add_box(const cw_boxes *b, int index, float value, float *to) {
  int from[3], end[3];
  cw_box(b, index, from, end);
  for (int k = from[0]; k < end[0]; k++)
    for (int j = from[1]; j < end[1]; j++) {
      float *row = to + ((size_t)k * (size_t)b->size[1] + (size_t)j) * (size_t)b->size[2];
      for (int i = from[2]; i < end[2]; i++)
        row[i] += value;
    }
}

cw_status cw_occlusion_map(const cw_crew *crew, cw_saliency *s, int index, const float *image,
                           cw_saliency_output output, float *map) {
  const cw_boxes b = cw_boxes_of(s, &s->requests[index]);
  cw_occluder *occluder = s->occluders[first_of_kind(s, index)];
  const int batch = cw_occluder_batch(occluder);
  const float sign = output.negative ? -1 : 1, fill = s->requests[index].fill;
  const float whole = sign * cw_plan_data(s->plan, s->logits)[output.index];
  float *cover = s->copy;
  memset(map, 0, s->samples * sizeof *map);
  memset(cover, 0, s->samples * sizeof *cover);
  cw_occluder_start(occluder, image);
  for (int next = 0; next < b.count;) {
    int chosen[CW_CROPS_AT_ONCE], now = 0;
    for (; next < b.count && now < batch; next++) {
      add_box(&b, next, 1, cover);
      if (!is_filled(&b, next, fill, image))
        chosen[now++] = next;
    }
    const float *logits = now ? cw_occluder_run(occluder, &b, chosen, now, fill) : NULL;
    for (int i = 0; i < now; i++)
      add_box(&b, chosen[i], whole - sign * logits[(size_t)i * (size_t)s->outputs + (size_t)output.index], map);
    CW_TRY(cw_crew_tell(crew, (double)next / b.count));
  }
  for (size_t i = 0; i < s->samples; i++)
    map[i] = cover[i] > 0 ? map[i] / cover[i] : 0;
  return CW_OK;
}
