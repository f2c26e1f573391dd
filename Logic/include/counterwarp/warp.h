/* Warping: sampling, composition, exponential, inverse and Jacobian determinant, with adjoints.
 *
 * Fields here are u[axis][k][j][i] in voxels, axis 0 = i (x), 1 = j (y), 2 = k (z), as pull-backs:
 * out(p) = in(p + u(p)).  size = {nx, ny, nz}.  Kernels do not fail and do not allocate; the same inputs give the same
 * bits on any number of threads.  Functions on cw_volume work in millimetres (LPS) on any grid. */
#ifndef COUNTERWARP_WARP_H
#define COUNTERWARP_WARP_H

#include "counterwarp/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[c](p) = in[c](p + u(p)), trilinear; samples outside count as zero.  in, out: [channels][nz][ny][nx]. */
void cw_warp_forward(const int size[3], int channels, const float *in, const float *u, float *out, int threads);
/* Adjoint of the above; grad_in and grad_u may each be NULL, and are ADDED to.  Serial (parallelise over samples). */
void cw_warp_backward(const int size[3], int channels, const float *in, const float *u, const float *grad_out,
                      float *grad_in, float *grad_u);

/* w(p) = b(p) + a(p + b(p)): the field of "x -> a's map after b's map", out(p) = in(p + w(p)) warps by a, then by b.
 * a is sampled trilinearly, clamped to its border. */
void cw_compose_forward(const int size[3], const float *a, const float *b, float *w, int threads);
/* Adjoint; grad_a and grad_b (NULL allowed) are ADDED to; they may be the same array when a == b.  Serial. */
void cw_compose_backward(const int size[3], const float *a, const float *b, const float *grad_w, float *grad_a,
                         float *grad_b);

/* u = exp(scale * v) by scaling and squaring (Arsigny et al. 2006): u_0 = scale v / 2^N, u_{n+1} = u_n o u_n.
 * steps receives u_0 .. u_{N-1}, [squarings][3][nz][ny][nx], and must be kept for the backward pass; for inference it
 * needs only one field ([1][3][nz][ny][nx]) with keep_steps false.  u, v and steps are distinct. */
void cw_exponential_forward(const int size[3], const float *v, float scale, int squarings, bool keep_steps,
                            float *steps, float *u, int threads);
/* Adjoint: grad_v is ADDED to.  workspace: [2][3][nz][ny][nx].  Serial. */
void cw_exponential_backward(const int size[3], float scale, int squarings, const float *steps, const float *grad_u,
                             float *grad_v, float *workspace);
/* Smallest N with max |grad v| * |scale| / 2^N < 0.5 and max |v| * |scale| / 2^N < 0.5 (voxels), 0..12.
 * |grad v| is the largest absolute row sum of the Jacobian matrix of v by forward differences. */
int cw_exponential_squarings(const int size[3], const float *v, float scale);

/* out = v * window(p), where the window is 0 on the outermost voxel layer of the box and rises as a raised cosine to 1
 * over `margin` voxels from each face (product over axes).  Self-adjoint: it serves the backward pass too.
 * in == out allowed. */
void cw_taper(const int size[3], int margin, const float *in, float *out);

/* det(I + du/dx) by central differences, one-sided at the border.  spacing-free: u in voxels.  log_of: natural
 * logarithm, with J <= 0 clamped to 1e-3 first.  Returns the number of voxels with J <= 0. */
size_t cw_jacobian_determinant(const int size[3], const float *u, bool log_of, float *out, int threads);

/* Inverse of a field by fixed-point iteration, w <- -u(p + w(p)), from w = -u, with shorter steps where that does not
 * converge (strains of 1 and more); stops after `iterations` or when the
 * largest residual |w(p) + u(p + w(p))| is under tolerance (voxels).  w and scratch: [3][nz][ny][nx], distinct.
 * Returns the largest residual in voxels over voxels whose inverse point lies inside the box. */
double cw_invert_field(const int size[3], const float *u, int iterations, double tolerance, float *w, float *scratch,
                       int threads);

/* The displacement u that makes moving(x + u(x)) like fixed(x): 60 small smooth warps, composed, each up the gradient
 * of the local cross-correlation (Avants et al. 2008) in a Gaussian window of 2 voxels.  Gain and offset of either
 * image count for nothing as long as they vary little within the window, so that a region that is only darker is left
 * alone. u: [3][nz][ny][nx] voxels, caller's, zero at the box's faces.  Images of any scale. CW_ERROR_NUMERIC for NaN
 * or Inf, CW_ERROR_MEMORY, CW_ERROR_CANCELLED. */
cw_status cw_match(cw_context *context, const int size[3], const float *fixed, const float *moving, float *u);

/* ---- in physical space ---- */

/* out(x) = in(x + field(x)) on in's own grid; field (mm, LPS) must be on the same grid.  out is created. */
cw_status cw_volume_warp(cw_context *context, const cw_volume *in, const cw_volume *field, cw_volume *out);
/* Label image: nearest neighbour. */
cw_status cw_volume_warp_labels(cw_context *context, const cw_volume *in, const cw_volume *field, cw_volume *out);
/* Jacobian determinant det(I + du/dx) (or its log) of a field in mm on any grid: derivatives along the index axes are
 * carried to world axes with the inverse of the grid's matrix.  out is created; folded (NULL allowed) receives the
 * number of voxels with J <= 0. */
cw_status cw_volume_jacobian(cw_context *context, const cw_volume *field, bool log_of, cw_volume *out, size_t *folded);
/* Voxel displacements u (on grid) <-> a field in mm, LPS (field is created / u has 3 * samples floats). */
cw_status cw_field_from_voxels(cw_context *context, const cw_grid *grid, const float *u, cw_volume *field);
cw_status cw_field_to_voxels(cw_context *context, const cw_volume *field, float *u);
/* A field in mm on one grid carried to another grid, zero outside.  align maps world points of `grid` to world points
 * of the field's space (NULL: identity); vectors are taken back by the inverse of its linear part:
 * u'(x) = A^-1 (u(A x)).  out is created. */
cw_status cw_field_carry(cw_context *context, const cw_volume *field, const cw_affine *align, const cw_grid *grid,
                         cw_volume *out);

#ifdef __cplusplus
}
#endif
#endif
