/* Writing NIfTI-1. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nifti_internal.h"

/* The qform that says the same as the affine, if there is one: no shear, and sizes that survive float. */
static void set_qform(nifti_1_header *h, mat44 ras, const int size[3]) {
  float b, c, d, x, y, z, dx, dy, dz, handed;
  nifti_mat44_to_quatern(ras, &b, &c, &d, &x, &y, &z, &dx, &dy, &dz, &handed);
  const mat44 back = nifti_quatern_to_mat44(b, c, d, x, y, z, dx, dy, dz, handed);
  const double least = fmin(fmin(dx, dy), dz);
  for (int r = 0; r < 3; r++) {
    double apart = 0; /* at the far corner, at most */
    for (int axis = 0; axis < 3; axis++)
      apart += fabs((double)back.m[r][axis] - ras.m[r][axis]) * (size[axis] - 1);
    if (!(apart <= 0.01 * least))
      return;
  }
  h->qform_code = NIFTI_XFORM_SCANNER_ANAT;
  h->pixdim[0] = handed;
  h->quatern_b = b, h->quatern_c = c, h->quatern_d = d;
  h->qoffset_x = x, h->qoffset_y = y, h->qoffset_z = z;
}

static cw_status make_header(cw_context *context, const cw_volume *volume, const char *name, nifti_1_header *h) {
  const cw_grid *grid = &volume->grid;
  CW_TRY(cw_nifti_expect_grid(context, grid, name));
  memset(h, 0, sizeof *h);
  h->sizeof_hdr = 348;
  h->regular = 'r';
  h->dim[0] = 3;
  for (int axis = 1; axis < 8; axis++)
    h->dim[axis] = 1;
  double spacing[3];
  cw_grid_spacing(grid, spacing);
  h->pixdim[0] = 1;
  for (int axis = 0; axis < 3; axis++) {
    if (grid->size[axis] > INT16_MAX)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: %d samples along an axis, NIfTI-1 holds at most %d", name,
                     grid->size[axis], INT16_MAX);
    h->dim[axis + 1] = (short)grid->size[axis];
    h->pixdim[axis + 1] = (float)spacing[axis];
  }
  h->vox_offset = 352;
  h->scl_slope = 1;
  h->xyzt_units = NIFTI_UNITS_MM;
  snprintf(h->descrip, sizeof h->descrip, "Counterwarp %s", cw_version());
  memcpy(h->magic, "n+1", 4);

  mat44 ras = {{{0}}};
  ras.m[3][3] = 1;
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      ras.m[r][c] = (float)(r < 2 ? -grid->to_world.m[r][c] : grid->to_world.m[r][c]); /* LPS -> RAS */
  h->sform_code = NIFTI_XFORM_SCANNER_ANAT;
  memcpy(h->srow_x, ras.m[0], sizeof h->srow_x);
  memcpy(h->srow_y, ras.m[1], sizeof h->srow_y);
  memcpy(h->srow_z, ras.m[2], sizeof h->srow_z);
  set_qform(h, ras, grid->size);
  return CW_OK;
}

/* Rounded to the nearest whole number and clamped to [low, high]; NaN becomes 0. */
static inline float whole(float value, float low, float high) {
  if (!(value == value))
    return 0;
  return value < low ? low : value > high ? high : rintf(value);
}

static size_t encode(const float *from, size_t count, float gain, int datatype, char *to) {
  if (datatype == NIFTI_TYPE_UINT8) {
    for (size_t i = 0; i < count; i++)
      to[i] = (char)(uint8_t)whole(gain * from[i], 0, 255);
    return count;
  }
  if (datatype == NIFTI_TYPE_INT16) {
    for (size_t i = 0; i < count; i++) {
      const int16_t value = (int16_t)whole(gain * from[i], INT16_MIN, INT16_MAX);
      memcpy(to + i * sizeof value, &value, sizeof value);
    }
    return count * sizeof(int16_t);
  }
  for (size_t i = 0; i < count; i++) {
    const float value = gain * from[i];
    memcpy(to + i * sizeof value, &value, sizeof value);
  }
  return count * sizeof(float);
}

/* gain: one factor for each component. */
typedef struct file_content {
  const nifti_1_header *header;
  const cw_volume *volume;
  const float *gain;
} file_content;

static cw_status write_content(cw_context *context, cw_nifti_output *output, const void *what, void *chunk) {
  const file_content *file = what;
  const nifti_1_header *h = file->header;
  const cw_volume *volume = file->volume;
  const float *gain = file->gain;
  const char no_extension[4] = {0};
  CW_TRY(cw_nifti_output_write(context, output, h, sizeof *h));
  CW_TRY(cw_nifti_output_write(context, output, no_extension, sizeof no_extension));
  const size_t samples = cw_grid_samples(&volume->grid), most = CW_NIFTI_CHUNK / sizeof(float);
  for (int c = 0; c < volume->components; c++) {
    const float *from = volume->data + (size_t)c * samples;
    for (size_t done = 0; done < samples; done += most) {
      const size_t count = samples - done < most ? samples - done : most;
      const size_t bytes = encode(from + done, count, gain[c], h->datatype, chunk);
      CW_TRY(cw_nifti_output_write(context, output, chunk, bytes));
    }
  }
  return CW_OK;
}

static cw_status write_file(cw_context *context, const char *path, const nifti_1_header *h, const cw_volume *volume,
                            const float gain[3]) {
  if (!cw_nifti_ends_with(path, ".nii") && !cw_nifti_ends_with(path, ".nii.gz"))
    return cw_fail(context, CW_ERROR_ARGUMENT, "%s: expected a name that ends in .nii or .nii.gz", cw_nifti_name(path));
  const file_content file = {h, volume, gain};
  return cw_nifti_output_whole(context, path, write_content, &file);
}

cw_status cw_nifti_write(cw_context *context, const char *path, const cw_volume *volume, cw_nifti_type type) {
  const char *name = cw_nifti_name(path);
  if (!volume->data || volume->components != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "%s: %d components to write, expected a scalar volume", name,
                   volume->components);
  nifti_1_header h;
  CW_TRY(make_header(context, volume, name, &h));
  switch (type) {
    case CW_NIFTI_FLOAT32:
      h.datatype = NIFTI_TYPE_FLOAT32, h.bitpix = 32;
      break;
    case CW_NIFTI_INT16:
      h.datatype = NIFTI_TYPE_INT16, h.bitpix = 16;
      break;
    case CW_NIFTI_UINT8:
      h.datatype = NIFTI_TYPE_UINT8, h.bitpix = 8;
      break;
    default:
      return cw_fail(context, CW_ERROR_ARGUMENT, "%s: type %d to write, expected a cw_nifti_type", name, (int)type);
  }
  const float gain[3] = {1, 1, 1};
  return write_file(context, path, &h, volume, gain);
}

cw_status cw_nifti_write_field(cw_context *context, const char *path, const cw_volume *field,
                               cw_field_convention convention) {
  const char *name = cw_nifti_name(path);
  if (!field->data || field->components != 3)
    return cw_fail(context, CW_ERROR_SHAPE, "%s: %d components to write, expected a field of 3", name,
                   field->components);
  nifti_1_header h;
  CW_TRY(make_header(context, field, name, &h));
  h.datatype = NIFTI_TYPE_FLOAT32, h.bitpix = 32;
  h.dim[0] = 5, h.dim[5] = 3;
  h.pixdim[4] = h.pixdim[5] = 1;
  const bool ras = convention == CW_FIELD_RAS;
  h.intent_code = ras ? NIFTI_INTENT_DISPVECT : NIFTI_INTENT_VECTOR;
  const float gain[3] = {ras ? -1.0f : 1.0f, ras ? -1.0f : 1.0f, 1};
  return write_file(context, path, &h, field, gain);
}
