/* NRRD images, of the target Counterwarp::Nifti: displacement fields that every version of ITK and 3D Slicer reads
 * alike, which is not so of NIfTI (Slicer before 5.2.2 misreads intent 1006 without a word, later ones warn of 1007).
 */
#ifndef COUNTERWARP_NRRD_H
#define COUNTERWARP_NRRD_H

#include "counterwarp/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a field given in mm, LPS, as a .nrrd file of vectors in the space left-posterior-superior, uncompressed.  The
 * file appears whole under its name or not at all (written beside it, then renamed).
 * Errors: CW_ERROR_ARGUMENT (name, grid), CW_ERROR_SHAPE (not 3 components), CW_ERROR_FILE, CW_ERROR_MEMORY. */
cw_status cw_nrrd_write_field(cw_context *context, const char *path, const cw_volume *field);

#ifdef __cplusplus
}
#endif
#endif
