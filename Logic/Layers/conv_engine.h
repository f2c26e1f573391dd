/* Internal: convolution of any kernel, stride, padding, dilation and groups, in one engine.
 *
 * Forward, the input gradient (a convolution with flipped, transposed kernels of a zero-interleaved input) and the
 * conditional convolution's per-sample kernels are the same problem. */
#ifndef COUNTERWARP_LAYERS_CONV_ENGINE_H
#define COUNTERWARP_LAYERS_CONV_ENGINE_H

#include "Graph/operator.h"

/* y[n][co][z][y][x] = bias[co] + sum w[co][ci][kz][ky][kx] X[n][ci][z sz - pz + kz dz][..][..], zero outside, where X
 * is x with insert - 1 zeros between neighbours.  Axes are D, H, W; channels count one group. */
typedef struct cw_conv_problem {
  int batch, groups, in_channels, out_channels;
  int in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], insert[3];
  bool transposed; /* the kernels are stored for the problem whose gradient this is: w[groups * ci][co][k], flipped */
} cw_conv_problem;

/* The forward problem of a Conv node. */
cw_conv_problem cw_conv_forward_problem(const cw_shape *x, const cw_shape *y, const cw_attributes *attributes);
/* The problem that carries dy to dx. */
cw_conv_problem cw_conv_gradient_problem(const cw_conv_problem *forward);

/* Floats of one packed kernel set (all groups). */
size_t cw_conv_packed_floats(const cw_conv_problem *problem);
/* Kernels mixed as they are packed: sum over e of share[e] w[e * stride ..]. */
typedef struct cw_conv_mix {
  int experts;
  size_t stride;
  const float *share;
} cw_conv_mix;
/* Blocks that a kernel set is packed by; any of them at the same time. */
int cw_conv_pack_blocks(const cw_conv_problem *problem);
/* Packs block `index` of the stored kernels to its place: packed[group][block of co][ci][k][co in block], or the matrix
 * of conv_columns.h where that suits.  mix: NULL, or how several such sets are mixed. */
void cw_conv_pack(const cw_conv_problem *problem, const float *w, const cw_conv_mix *mix, int index, float *packed);
/* The kernels for cw_conv_run: w itself where it is stored so, otherwise packed into `packed`. */
const float *cw_conv_prepare(const cw_conv_problem *problem, const float *w, float *packed, int threads);

/* Bytes of scratch for a run on `threads` threads. */
size_t cw_conv_run_workspace(const cw_conv_problem *problem, int threads);
/* Runs the problem.  packed_stride and bias_stride: floats between the kernels and biases of two samples, 0 when all
 * share one.  report: told now and then, may be NULL. */
void cw_conv_run(const cw_conv_problem *problem, const float *x, const float *packed, size_t packed_stride,
                 const float *bias, size_t bias_stride, float *y, bool accumulate, void *workspace, int threads,
                 cw_report *report);

/* Gradient to the kernels, one for each sample: dw[n][groups * co][ci][k], overwritten. */
size_t cw_conv_weight_workspace(const cw_conv_problem *forward, int threads);
void cw_conv_weight_gradient(const cw_conv_problem *forward, const float *x, const float *dy, float *dw,
                             void *workspace, int threads);
/* dw (+)= their sum over the batch, in order; the kernels of each sample stand first in the workspace. */
void cw_conv_weight_gradient_sum(const cw_conv_problem *forward, const float *x, const float *dy, float *dw,
                                 bool accumulate, void *workspace, int threads);

/* db[co] (+)= sum of dy over the batch and positions, in a fixed order. */
void cw_conv_bias_gradient(const cw_shape *y, const float *dy, float *db, bool accumulate, int threads);

/* Sum of `count` floats in a fixed order. */
double cw_conv_sum(const float *x, size_t count);

/* ---- rows with their halo, shared by conv_engine.c and conv_weight.c ---- */

/* How input rows are stored: each row in stride[2] phases, so that a tap is a contiguous shifted row for any stride. */
typedef struct cw_conv_ring {
  int slots;         /* planes kept: (kernel - 1) * dilation + 1 along D */
  int rows;          /* rows of a plane tile, with halo */
  int phase;         /* floats of one phase */
  int pitch;         /* floats of a row: phase * stride[2] */
  size_t plane;      /* floats of one plane of all channels */
  ptrdiff_t channel; /* floats between channels */
} cw_conv_ring;

cw_conv_ring cw_conv_ring_of(const cw_conv_problem *problem, int channels, int out_rows);
/* Copies plane z (of the padded, zero-interleaved input; may lie outside) for rows row0 .. row0 + ring->rows - 1 (same
 * coordinates) of `channels` channels into `plane`. x points to the first channel. */
void cw_conv_ring_fill(const cw_conv_problem *problem, const cw_conv_ring *ring, const float *x, int channels, int z,
                       int row0, float *plane);
/* Offset of tap (ky, kx) inside a plane. */
ptrdiff_t cw_conv_ring_tap(const cw_conv_problem *problem, const cw_conv_ring *ring, int ky, int kx);

#endif
