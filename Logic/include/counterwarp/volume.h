/* Images in physical space.
 *
 * A volume's samples are data[component][k][j][i], i fastest.  Its grid maps an index to millimetres in LPS
 * (x to the patient's left, y posterior, z superior), as ITK and DICOM do; NIfTI files hold RAS, which the readers and
 * writers convert.  A displacement field is a volume of 3 components in mm, LPS, as a pull-back:
 * out(x) = in(x + u(x)). */
#ifndef COUNTERWARP_VOLUME_H
#define COUNTERWARP_VOLUME_H

#include "counterwarp/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* p[r] = m[r][0] a[0] + m[r][1] a[1] + m[r][2] a[2] + m[r][3] */
typedef struct cw_affine {
  double m[3][4];
} cw_affine;

typedef struct cw_grid {
  int size[3];        /* samples along i, j, k */
  cw_affine to_world; /* index (i, j, k) -> LPS mm */
} cw_grid;

typedef struct cw_volume {
  cw_grid grid;
  int components; /* 1 scalar, 3 vector */
  float *data;    /* [component][k][j][i], owned */
} cw_volume;

/* A volume of zeros on a grid.  The caller frees it with cw_volume_free. */
cw_status cw_volume_create(cw_context *context, const cw_grid *grid, int components, cw_volume *volume);
/* Frees the samples and clears the struct; a cleared struct is accepted. */
void cw_volume_free(cw_context *context, cw_volume *volume);
cw_status cw_volume_copy(cw_context *context, const cw_volume *from, cw_volume *to);

/* Number of samples of one component. */
size_t cw_grid_samples(const cw_grid *grid);
/* Voxel size in mm along i, j, k: the lengths of the affine's columns. */
void cw_grid_spacing(const cw_grid *grid, double spacing[3]);
/* The largest |cosine| between two axes: 0 at right angles.  ITK, and with it 3D Slicer and ANTs, refuses NIfTI files
 * whose grid shears by more than CW_SHEAR_ALLOWED. */
#define CW_SHEAR_ALLOWED 1e-4
double cw_grid_shear(const cw_grid *grid);
/* Same size, and corresponding corners within tolerance_mm of each other. */
bool cw_grid_same(const cw_grid *a, const cw_grid *b, double tolerance_mm);
/* CW_ERROR_ARGUMENT unless sizes are positive and the affine is finite and invertible. */
cw_status cw_grid_check(cw_context *context, const cw_grid *grid);
/* Axis-aligned grid of `size`^3 voxels of `spacing` mm in RAS+ index order (i to the right, j anterior, k superior),
 * centred on center (LPS mm). */
cw_grid cw_grid_cube(int size, double spacing, const double center[3]);

cw_affine cw_affine_identity(void);
/* first, then second: (second * first)(p) = second(first(p)) */
cw_affine cw_affine_compose(const cw_affine *second, const cw_affine *first);
/* CW_ERROR_NUMERIC if singular or not finite. */
cw_status cw_affine_invert(cw_context *context, const cw_affine *affine, cw_affine *inverse);
void cw_affine_apply(const cw_affine *affine, const double in[3], double out[3]);
double cw_affine_determinant(const cw_affine *affine);

/* Resampling of `in` on out->grid, trilinear, zero outside; out must be created with in's number of components.
 * between maps a world point of out to a world point of in (NULL: identity).  Vectors are interpolated, not rotated. */
cw_status cw_volume_resample(cw_context *context, const cw_volume *in, const cw_affine *between, cw_volume *out);
/* The same for label images: nearest neighbour. */
cw_status cw_volume_resample_labels(cw_context *context, const cw_volume *in, const cw_affine *between, cw_volume *out);
/* Like cw_volume_resample from a finer to a coarser grid: averages sub-samples of each output voxel (as many along each
 * axis as the voxel sizes ask for), so that no detail aliases. */
cw_status cw_volume_resample_mean(cw_context *context, const cw_volume *in, const cw_affine *between, cw_volume *out);

/* In-place Gaussian smoothing of every component, sigma in voxels (0..1000), truncated at 4 sigma; border: nearest
 * sample. */
cw_status cw_volume_smooth(cw_context *context, cw_volume *volume, double sigma);

#ifdef __cplusplus
}
#endif
#endif
