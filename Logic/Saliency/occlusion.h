/* Internal: what the files of occlusion share.  Axes are D, H, W. */
#ifndef COUNTERWARP_SALIENCY_OCCLUSION_H
#define COUNTERWARP_SALIENCY_OCCLUSION_H

#include "Saliency/saliency_internal.h"

/* Which samples of the image a value reads: sample o along an axis those from o stride + low to o stride + high, what
 * lies outside being padding.  Moving the image by `stride` moves the value by one. */
typedef struct cw_reach {
  bool local; /* else the value reads the whole image, or moves in no such way */
  int size[3];
  int64_t stride[3], low[3], high[3];
} cw_reach;

/* A value through which every path from the image to the logits goes, all before it being local. */
typedef struct cw_cut {
  cw_value value;
  int channels;
  cw_reach reach;
  double work; /* of all nodes before it, in multiply-adds */
} cw_cut;

/* The cuts in their order, the image first.  The caller releases them. */
cw_status cw_occlusion_cuts(cw_context *context, const cw_saliency *saliency, cw_cut **cuts, int *count);

/* Boxes at multiples of the stride, cut at the volume's end. */
typedef struct cw_boxes {
  int window, stride, per_axis[3], size[3], count;
} cw_boxes;

cw_boxes cw_boxes_of(const cw_saliency *saliency, const cw_saliency_request *request);
/* Samples from[a] to end[a] - 1 of box `index`; along one axis of the box number `place` there. */
void cw_box(const cw_boxes *boxes, int index, int from[3], int end[3]);
void cw_box_on_axis(const cw_boxes *boxes, int axis, int place, int *from, int *end);

enum { CW_CROPS_AT_ONCE = 8 }; /* more only take more memory */

/* y of the image with boxes hidden, where only what a box reaches is computed anew: from cut to cut a crop, and the
 * whole of what lies behind the last. */
typedef struct cw_occluder cw_occluder;

cw_status cw_occluder_create(cw_context *context, const cw_saliency *saliency, const cw_boxes *boxes,
                             cw_occluder **occluder);
void cw_occluder_free(cw_context *context, cw_occluder *occluder);
size_t cw_occluder_bytes(const cw_occluder *occluder);
/* Boxes that one run takes at most. */
int cw_occluder_batch(const cw_occluder *occluder);
/* The image that the next runs hide parts of; it must stay where it is. */
void cw_occluder_start(cw_occluder *occluder, const float *image);
/* Hides the boxes index[0 .. count - 1], each by itself, with `fill`; -> their logits, [count][outputs]. */
const float *cw_occluder_run(cw_occluder *occluder, const cw_boxes *boxes, const int *index, int count, float fill);

#endif
