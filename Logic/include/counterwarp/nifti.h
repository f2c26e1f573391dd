/* NIfTI-1 images through nifticlib.  A target of its own (Counterwarp::Nifti): programs that link ITK read images with
 * ITK's bundled copy instead. */
#ifndef COUNTERWARP_NIFTI_H
#define COUNTERWARP_NIFTI_H

#include "counterwarp/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cw_field_convention {
  CW_FIELD_RAS, /* intent 1006 (DISPVECT), RAS numbers: 3D Slicer from 5.2.2; ITK from 5.4 */
  CW_FIELD_LPS  /* intent 1007 (VECTOR), LPS numbers: ANTs, ITK 5.2 */
} cw_field_convention;

/* Reads a .nii or .nii.gz scalar image of one volume: every integer and float type, scl_slope and scl_inter applied,
 * sform (preferred) or qform, both byte orders.  NaN and Inf voxels become 0 with a warning.  The header is checked
 * against the file before the data are read.
 * Errors: CW_ERROR_FILE; CW_ERROR_FORMAT (truncated, sizes do not match, zero or NaN affine, no finite voxel);
 * CW_ERROR_UNSUPPORTED (several volumes, RGB, complex, 128-bit types, NIfTI-2, .hdr/.img pairs). */
cw_status cw_nifti_read(cw_context *context, const char *path, cw_volume *volume);
/* Reads a displacement field of intent 1006 or 1007 (5-D, 3 components) into mm, LPS. */
cw_status cw_nifti_read_field(cw_context *context, const char *path, cw_volume *field);

typedef enum cw_nifti_type { CW_NIFTI_FLOAT32, CW_NIFTI_INT16, CW_NIFTI_UINT8 } cw_nifti_type;

/* Writes a scalar volume; .nii.gz compresses.  The file appears whole under its name or not at all (written beside it,
 * then renamed).  Both sform and qform are set where the affine allows a qform; sform always.  For integer types
 * samples are rounded and clamped, NaN becomes 0. */
cw_status cw_nifti_write(cw_context *context, const char *path, const cw_volume *volume, cw_nifti_type type);
/* Writes a field given in mm, LPS, as 5-D vector NIfTI of the chosen convention. */
cw_status cw_nifti_write_field(cw_context *context, const char *path, const cw_volume *field,
                               cw_field_convention convention);

#ifdef __cplusplus
}
#endif
#endif
