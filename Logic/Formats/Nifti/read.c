/* Reading NIfTI-1: samples of any type and byte order become floats, chunk by chunk. */
#include <math.h>
#include <string.h>

#include "nifti_internal.h"

#define CONVERT(type) \
  do { \
    for (size_t i = 0; i < count; i++) { \
      type stored; \
      memcpy(&stored, from + i * sizeof stored, sizeof stored); \
      to[i] = (float)((double)stored * file->slope + file->intercept); \
    } \
  } while (0)

static void convert(const cw_nifti_file *file, const char *from, size_t count, float *to) {
  switch (file->datatype) {
    case NIFTI_TYPE_UINT8:
      CONVERT(uint8_t);
      break;
    case NIFTI_TYPE_INT8:
      CONVERT(int8_t);
      break;
    case NIFTI_TYPE_INT16:
      CONVERT(int16_t);
      break;
    case NIFTI_TYPE_UINT16:
      CONVERT(uint16_t);
      break;
    case NIFTI_TYPE_INT32:
      CONVERT(int32_t);
      break;
    case NIFTI_TYPE_UINT32:
      CONVERT(uint32_t);
      break;
    case NIFTI_TYPE_INT64:
      CONVERT(int64_t);
      break;
    case NIFTI_TYPE_UINT64:
      CONVERT(uint64_t);
      break;
    case NIFTI_TYPE_FLOAT32:
      CONVERT(float);
      break;
    case NIFTI_TYPE_FLOAT64:
      CONVERT(double);
      break;
  }
}

/* Reads all samples; counts those that are not finite and sets them to 0. */
static cw_status read_samples(cw_context *context, const cw_nifti_file *file, char *chunk, float *data, size_t *bad) {
  const size_t total = file->samples * (size_t)file->components, most = CW_NIFTI_CHUNK / (size_t)file->bytes;
  for (size_t done = 0; done < total;) {
    const size_t count = total - done < most ? total - done : most, bytes = count * (size_t)file->bytes;
    if (znzread(chunk, 1, bytes, file->stream) != bytes)
      return cw_fail(context, CW_ERROR_FILE, "%s: the data cannot be read", file->name);
    if (file->swapped && file->bytes > 1)
      nifti_swap_Nbytes(count, file->bytes, chunk);
    float *to = data + done;
    convert(file, chunk, count, to);
    for (size_t i = 0; i < count; i++) {
      if (!isfinite(to[i])) {
        to[i] = 0;
        ++*bad;
      }
    }
    done += count;
  }
  return CW_OK;
}

static cw_status read_volume(cw_context *context, const cw_nifti_file *file, cw_volume *volume) {
  CW_TRY(cw_volume_create(context, &file->grid, file->components, volume));
  char *chunk = cw_allocate(context, CW_NIFTI_CHUNK, 1);
  size_t bad = 0;
  cw_status status = chunk ? read_samples(context, file, chunk, volume->data, &bad) : CW_ERROR_MEMORY;
  cw_release(context, chunk);
  const size_t total = file->samples * (size_t)file->components;
  if (status == CW_OK && bad == total)
    status = cw_fail(context, CW_ERROR_FORMAT, "%s: every voxel is NaN or Inf", file->name);
  if (status != CW_OK)
    cw_volume_free(context, volume);
  else if (bad)
    cw_warn(context, "%s: %zu of %zu voxels are NaN or Inf and count as 0", file->name, bad, total);
  return status;
}

cw_status cw_nifti_read(cw_context *context, const char *path, cw_volume *volume) {
  memset(volume, 0, sizeof *volume);
  cw_nifti_file file;
  cw_status status = cw_nifti_open(context, path, CW_NIFTI_SCALAR, &file);
  if (status == CW_OK)
    status = read_volume(context, &file, volume);
  cw_nifti_close(&file);
  return status;
}

cw_status cw_nifti_read_field(cw_context *context, const char *path, cw_volume *field) {
  memset(field, 0, sizeof *field);
  cw_nifti_file file;
  cw_status status = cw_nifti_open(context, path, CW_NIFTI_FIELD, &file);
  if (status == CW_OK)
    status = read_volume(context, &file, field);
  cw_nifti_close(&file);
  if (status != CW_OK)
    return status;
  for (int axis = 0; axis < 3; axis++) {
    const bool turn = axis < 2 && file.intent == NIFTI_INTENT_DISPVECT; /* RAS numbers */
    const float gain = (float)(turn ? -file.unit : file.unit);
    float *at = field->data + axis * file.samples;
    if (gain != 1)
      for (size_t i = 0; i < file.samples; i++)
        at[i] *= gain;
  }
  return CW_OK;
}
