/* Warping on samples that stay where a host keeps them (ITK and VTK keep vectors interleaved, for one).
 *
 * All functions work in millimetres (LPS) on any grid, report progress (stage: the function's name) and can be
 * cancelled about every two million samples.  Same bits on any number of threads, in any order of samples. */
#ifndef COUNTERWARP_VIEW_H
#define COUNTERWARP_VIEW_H

#include "counterwarp/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed samples: component c of sample (i, j, k) is data[c * component_step + i * step[0] + j * step[1] +
 * k * step[2]].  Views that a function takes as input are only read. */
typedef struct cw_view {
  cw_grid grid;
  int components;
  float *data;
  ptrdiff_t step[3], component_step;
} cw_view;

/* A volume's own samples. */
cw_view cw_volume_view(const cw_volume *volume);

/* Copies between views of the same size and number of components; their worlds may differ.  CW_ERROR_SHAPE. */
cw_status cw_view_copy(cw_context *context, const cw_view *from, const cw_view *to);

/* out(x) = in(x + field(x)): trilinear, or for label images nearest; zero outside of in.  in: on any grid; field: 3
 * components in mm; out: on field's grid (size checked, world taken from field), in's components. */
cw_status cw_view_warp(cw_context *context, const cw_volume *in, const cw_view *field, bool labels, const cw_view *out);

/* det(I + du/dx), or its log, as cw_volume_jacobian, for a box of the field that starts at sample first[3] and has
 * out's size.  Differences are one-sided at the field's border only, so that a box and a border of one sample around it
 * give what the whole field gives.  folded (NULL allowed) receives the number of samples of out with J <= 0. */
cw_status cw_view_jacobian(cw_context *context, const cw_view *field, const int first[3], bool log_of,
                           const cw_view *out, size_t *folded);

/* exp(scale * velocity) by scaling and squaring; velocity in mm.  squarings: 0..30; automatic: as many as
 * cw_exponential_squarings asks for, but no more.  out: 3 components on the same grid; may be the velocity's own
 * samples.
 */
cw_status cw_view_exponential(cw_context *context, const cw_view *velocity, double scale, int squarings, bool automatic,
                              const cw_view *out);

/* The inverse field by fixed-point iteration, as cw_invert_field: until the largest residual is under tolerance
 * (voxels) or after `iterations`.  residual (NULL allowed): the largest one, in voxels.  out as above. */
cw_status cw_view_invert(cw_context *context, const cw_view *field, int iterations, double tolerance,
                         const cw_view *out, double *residual);

#ifdef __cplusplus
}
#endif
#endif
