/* Occlusion: how far y falls when a box is hidden. */
#include <math.h>
#include <string.h>

#include "Saliency/saliency_internal.h"

enum { MOST_AT_ONCE = 2 }; /* more only take more memory: the largest maps leave the cache */

cw_status cw_occlusion_allocate(cw_context *context, cw_saliency *s) {
  cw_plan_options options = {0};
  options.mode = CW_INFERENCE;
  options.batch = MOST_AT_ONCE;
  options.outputs = &s->logits;
  options.output_count = 1;
  return cw_plan_create(context, s->graph, &options, &s->occlusion);
}

/* Boxes at multiples of the stride, cut at the volume's end. */
typedef struct boxes {
  int window, stride, per_axis[3], size[3], count;
} boxes;

static boxes boxes_of(const cw_saliency *s, const cw_saliency_request *request) {
  int longest = 0;
  boxes b = {0};
  for (int a = 0; a < 3; a++)
    longest = s->size[a] > longest ? s->size[a] : longest;
  const int eighth = longest >= 8 ? longest / 8 : 1;
  b.window = request->window ? request->window : eighth;
  b.stride = request->stride ? request->stride : eighth;
  b.stride = b.stride < b.window ? b.stride : b.window; /* every voxel is hidden once at least */
  b.count = 1;
  for (int a = 0; a < 3; a++) {
    b.size[a] = s->size[a];
    const int reach = s->size[a] > b.window ? s->size[a] - b.window : 0;
    b.per_axis[a] = (reach + b.stride - 1) / b.stride + 1;
    b.count *= b.per_axis[a];
  }
  return b;
}

/* Adds `value` to the samples of box `index`. */
static void add_box(const boxes *b, int index, float value, bool fill, float *to) {
  int from[3], end[3];
  for (int a = 0, rest = index; a < 3; rest /= b->per_axis[a], a++) {
    from[a] = rest % b->per_axis[a] * b->stride;
    end[a] = from[a] + b->window < b->size[a] ? from[a] + b->window : b->size[a];
  }
  for (int k = from[2]; k < end[2]; k++)
    for (int j = from[1]; j < end[1]; j++) {
      float *row = to + ((size_t)k * (size_t)b->size[1] + (size_t)j) * (size_t)b->size[0];
      for (int i = from[0]; i < end[0]; i++)
        row[i] = fill ? value : row[i] + value;
    }
}

cw_status cw_occlusion_map(cw_context *context, cw_saliency *s, const cw_saliency_request *request, const float *image,
                           cw_saliency_output output, float *map) {
  const boxes b = boxes_of(s, request);
  const float sign = output.negative ? -1 : 1;
  float *in = cw_plan_data(s->occlusion, s->image), *logits = cw_plan_data(s->occlusion, s->logits);
  const float whole = sign * cw_plan_data(s->plan, s->logits)[output.index];
  float *cover = s->copy;
  memset(map, 0, s->samples * sizeof *map);
  memset(cover, 0, s->samples * sizeof *cover);
  for (int first = 0; first < b.count; first += MOST_AT_ONCE) {
    const int now = b.count - first < MOST_AT_ONCE ? b.count - first : MOST_AT_ONCE;
    for (int i = 0; i < MOST_AT_ONCE; i++) {
      memcpy(in + (size_t)i * s->samples, image, s->samples * sizeof *in);
      if (i < now)
        add_box(&b, first + i, request->fill, true, in + (size_t)i * s->samples);
    }
    cw_plan_forward(s->occlusion);
    for (int i = 0; i < now; i++) {
      const float fall = whole - sign * logits[(size_t)i * (size_t)s->outputs + (size_t)output.index];
      add_box(&b, first + i, fall, false, map);
      add_box(&b, first + i, 1, false, cover);
    }
    CW_TRY(cw_progress(context, "occlusion", (double)(first + now) / b.count));
  }
  for (size_t i = 0; i < s->samples; i++)
    map[i] = cover[i] > 0 ? map[i] / cover[i] : 0;
  return CW_OK;
}
