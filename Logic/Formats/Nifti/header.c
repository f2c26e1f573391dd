/* NIfTI-1 headers, checked field by field and against the file's size before anything believes them. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "nifti_internal.h"

enum {
  HEADER_BYTES = 348,
  LEAST_OFFSET = 352, /* of the data: the header and four bytes that announce extensions */
  PADDING = 16        /* writers may align a file's end; anything longer is another image's data */
};

const char *cw_nifti_name(const char *path) {
  const size_t length = strlen(path), most = 160;
  return length > most ? path + length - most : path;
}

/* Bytes of a sample; 0 where the type is refused, with `what` it is. */
static int sample_bytes(int datatype, const char **what) {
  switch (datatype) {
    case NIFTI_TYPE_UINT8:
    case NIFTI_TYPE_INT8:
      return 1;
    case NIFTI_TYPE_INT16:
    case NIFTI_TYPE_UINT16:
      return 2;
    case NIFTI_TYPE_INT32:
    case NIFTI_TYPE_UINT32:
    case NIFTI_TYPE_FLOAT32:
      return 4;
    case NIFTI_TYPE_INT64:
    case NIFTI_TYPE_UINT64:
    case NIFTI_TYPE_FLOAT64:
      return 8;
    case NIFTI_TYPE_COMPLEX64:
    case NIFTI_TYPE_COMPLEX128:
    case NIFTI_TYPE_COMPLEX256:
      *what = "complex";
      return 0;
    case NIFTI_TYPE_RGB24:
    case NIFTI_TYPE_RGBA32:
      *what = "RGB";
      return 0;
    case NIFTI_TYPE_FLOAT128:
      *what = "128-bit float";
      return 0;
    default:
      *what = "of an unknown type";
      return 0;
  }
}

static cw_status check_identity(cw_context *context, const nifti_1_header *h, const char *name) {
  int32_t size = h->sizeof_hdr;
  if (size == 540 || size == 469893120) /* either byte order */
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: this is a NIfTI-2 file, expected NIfTI-1", name);
  int32_t other = size;
  nifti_swap_4bytes(1, &other);
  if (size != HEADER_BYTES && other != HEADER_BYTES)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: not a NIfTI-1 file (its header does not start with 348)", name);
  if (memcmp(h->magic, "ni1", 4) == 0)
    return cw_fail(context, CW_ERROR_UNSUPPORTED,
                   "%s: header and data lie in two files (.hdr, .img), expected one .nii", name);
  if (memcmp(h->magic, "n+1", 4) != 0)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: not a NIfTI-1 file (the header lacks the mark n+1)", name);
  return CW_OK;
}

static cw_status check_sizes(cw_context *context, const nifti_1_header *h, cw_nifti_kind kind, cw_nifti_file *file) {
  const char *name = file->name;
  const int rank = h->dim[0];
  if (rank < 1 || rank > 7)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: the header names %d dimensions, expected 1 to 7", name, rank);
  int size[8] = {rank, 1, 1, 1, 1, 1, 1, 1};
  for (int axis = 1; axis <= rank; axis++) {
    size[axis] = h->dim[axis];
    if (size[axis] < 1)
      return cw_fail(context, CW_ERROR_FORMAT, "%s: dimension %d has size %d, expected at least 1", name, axis,
                     size[axis]);
  }
  if (rank < 3)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: the image has %d dimensions, expected 3", name, rank);
  if (size[6] > 1 || size[7] > 1)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: dimensions 6 and 7 have sizes %d and %d, expected 1", name,
                   size[6], size[7]);
  if (kind == CW_NIFTI_SCALAR) {
    if (size[5] > 1)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: a voxel holds %d numbers, expected a scalar image", name,
                     size[5]);
    if (size[4] > 1)
      return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: the file holds %d volumes, expected one", name, size[4]);
  } else {
    if (h->intent_code != NIFTI_INTENT_DISPVECT && h->intent_code != NIFTI_INTENT_VECTOR)
      return cw_fail(context, CW_ERROR_UNSUPPORTED,
                     "%s: intent %d, expected a displacement field of intent 1006 or 1007", name, h->intent_code);
    if (size[4] != 1 || size[5] != 3)
      return cw_fail(context, CW_ERROR_UNSUPPORTED,
                     "%s: dimensions 4 and 5 have sizes %d and %d, expected 1 and 3 as a displacement field has", name,
                     size[4], size[5]);
  }
  for (int axis = 0; axis < 3; axis++)
    file->grid.size[axis] = size[axis + 1];
  file->components = size[5];
  file->samples = (size_t)size[1] * (size_t)size[2] * (size_t)size[3];
  return CW_OK;
}

static cw_status check_type(cw_context *context, const nifti_1_header *h, cw_nifti_file *file) {
  const char *what = "";
  file->datatype = h->datatype;
  file->bytes = sample_bytes(h->datatype, &what);
  if (!file->bytes)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: the samples are %s (datatype %d), expected integers or floats",
                   file->name, what, h->datatype);
  if (h->bitpix != 8 * file->bytes)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: the header names %d bits a sample, expected %d for datatype %d",
                   file->name, h->bitpix, 8 * file->bytes, h->datatype);
  /* Zero and not-a-number slopes both say "not scaled". */
  file->slope = 1, file->intercept = 0;
  if (isfinite(h->scl_slope) && h->scl_slope != 0) {
    if (!isfinite(h->scl_inter))
      return cw_fail(context, CW_ERROR_FORMAT, "%s: scl_inter is not finite", file->name);
    file->slope = h->scl_slope, file->intercept = h->scl_inter;
  }
  const double offset = h->vox_offset;
  if (!(offset == 0 || (offset >= LEAST_OFFSET && offset <= 0x1p40 && offset == floor(offset))))
    return cw_fail(context, CW_ERROR_FORMAT, "%s: the data start at byte %g, expected a whole number from %d",
                   file->name, offset, (int)LEAST_OFFSET);
  file->data_offset = offset == 0 ? LEAST_OFFSET : (size_t)offset;
  return CW_OK;
}

/* RAS affine of the q-form: rotation as a quaternion, voxel sizes, handedness. */
static cw_status qform(cw_context *context, const nifti_1_header *h, const char *name, cw_affine *ras) {
  const double square =
      (double)h->quatern_b * h->quatern_b + (double)h->quatern_c * h->quatern_c + (double)h->quatern_d * h->quatern_d;
  if (!(square <= 1.001)) /* NaN too */
    return cw_fail(context, CW_ERROR_FORMAT, "%s: the qform's quaternion has length %g, expected at most 1", name,
                   sqrt(square));
  const mat44 m = nifti_quatern_to_mat44(h->quatern_b, h->quatern_c, h->quatern_d, h->qoffset_x, h->qoffset_y,
                                         h->qoffset_z, h->pixdim[1], h->pixdim[2], h->pixdim[3], h->pixdim[0]);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      ras->m[r][c] = m.m[r][c];
  return CW_OK;
}

static cw_status check_affine(cw_context *context, const nifti_1_header *h, cw_nifti_file *file) {
  cw_affine ras = cw_affine_identity();
  const char *form = "voxel sizes";
  if (h->sform_code > 0) {
    form = "sform";
    const float *rows[3] = {h->srow_x, h->srow_y, h->srow_z};
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 4; c++)
        ras.m[r][c] = rows[r][c];
  } else {
    for (int axis = 0; axis < 3; axis++)
      if (!(h->pixdim[axis + 1] > 0 && isfinite(h->pixdim[axis + 1])))
        return cw_fail(context, CW_ERROR_FORMAT, "%s: the voxel size along axis %d is %g, expected a positive number",
                       file->name, axis + 1, h->pixdim[axis + 1]);
    if (h->qform_code > 0) {
      form = "qform";
      CW_TRY(qform(context, h, file->name, &ras));
    } else {
      for (int axis = 0; axis < 3; axis++)
        ras.m[axis][axis] = h->pixdim[axis + 1];
    }
  }
  switch (h->xyzt_units & 7) {
    case NIFTI_UNITS_METER:
      file->unit = 1000;
      break;
    case NIFTI_UNITS_MICRON:
      file->unit = 0.001;
      break;
    default:
      file->unit = 1; /* unknown units are taken as mm, as everybody does */
  }
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      file->grid.to_world.m[r][c] = ras.m[r][c] * (r < 2 ? -file->unit : file->unit); /* RAS -> LPS */
  if (cw_grid_check(context, &file->grid) != CW_OK)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: the affine (%s) is zero, singular or not finite", file->name, form);
  double spacing[3];
  cw_grid_spacing(&file->grid, spacing);
  for (int axis = 0; axis < 3; axis++)
    if (!(spacing[axis] >= 1e-6 && spacing[axis] <= 1e6))
      return cw_fail(context, CW_ERROR_FORMAT, "%s: voxels measure %g x %g x %g mm (%s), expected 1e-6 to 1e6",
                     file->name, spacing[0], spacing[1], spacing[2], form);
  return CW_OK;
}

cw_status cw_nifti_parse(cw_context *context, const void *header, cw_nifti_kind kind, cw_nifti_file *file) {
  nifti_1_header h;
  memcpy(&h, header, sizeof h);
  CW_TRY(check_identity(context, &h, file->name));
  file->swapped = h.sizeof_hdr != HEADER_BYTES;
  if (file->swapped)
    swap_nifti_header(&h, 1);
  CW_TRY(check_type(context, &h, file));
  CW_TRY(check_sizes(context, &h, kind, file));
  CW_TRY(check_affine(context, &h, file));
  file->intent = h.intent_code;
  file->oriented = h.sform_code > 0 || h.qform_code > 0;
  return CW_OK;
}

/* Opens a compressed stream, or opens it anew. */
static cw_status open_compressed(cw_context *context, const char *path, cw_nifti_file *file) {
  cw_nifti_close(file);
  file->stream = znzopen(path, "rb", 1);
  if (znz_isnull(file->stream))
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be opened as a compressed file", file->name);
  return CW_OK;
}

static cw_status damaged(cw_context *context, const cw_nifti_file *file) {
  return cw_fail(context, CW_ERROR_FORMAT, "%s: the compressed data are damaged or truncated", file->name);
}

/* Bytes up to `enough` that a compressed file really holds, found by unpacking it; its check sum is compared at the
 * end. */
static cw_status measure(cw_context *context, const char *path, uint64_t enough, cw_nifti_file *file,
                         uint64_t *length) {
  CW_TRY(open_compressed(context, path, file));
  char *chunk = cw_allocate(context, CW_NIFTI_CHUNK, 1);
  if (!chunk)
    return CW_ERROR_MEMORY;
  size_t got;
  *length = 0;
  do {
    got = znzread(chunk, 1, CW_NIFTI_CHUNK, file->stream);
    *length += got;
  } while (got > 0 && got <= CW_NIFTI_CHUNK && *length < enough);
  cw_release(context, chunk);
  const bool whole = znzclose(file->stream) == 0 && got <= CW_NIFTI_CHUNK; /* errors are huge as a size_t */
  file->stream = NULL;
  if (!whole)
    return damaged(context, file);
  return open_compressed(context, path, file);
}

static cw_status check_length(cw_context *context, uint64_t length, cw_nifti_file *file) {
  /* Sizes are shorts and the offset is bounded: nothing here overflows 64 bits. */
  const uint64_t wanted =
      file->data_offset + (uint64_t)file->samples * (uint64_t)file->components * (uint64_t)file->bytes;
  if (length < wanted)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: truncated: %llu bytes, expected %llu after its header", file->name,
                   (unsigned long long)length, (unsigned long long)wanted);
  if (length >= wanted + PADDING)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: longer than the %llu bytes expected after its header", file->name,
                   (unsigned long long)wanted);
  if (length > wanted)
    cw_warn(context, "%s: %d bytes after the image are left out", file->name, (int)(length - wanted));
  return CW_OK;
}

cw_status cw_nifti_open(cw_context *context, const char *path, cw_nifti_kind kind, cw_nifti_file *file) {
  memset(file, 0, sizeof *file);
  file->name = cw_nifti_name(path);
  struct stat status;
  if (stat(path, &status) != 0)
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be opened: %s", file->name, strerror(errno));
  if (!S_ISREG(status.st_mode))
    return cw_fail(context, CW_ERROR_FILE, "%s: is not a regular file", file->name);
  errno = 0;
  file->stream = znzopen(path, "rb", 0);
  if (znz_isnull(file->stream))
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be opened: %s", file->name,
                   errno ? strerror(errno) : "out of memory");
  unsigned char header[HEADER_BYTES] = {0};
  size_t got = znzread(header, 1, HEADER_BYTES, file->stream);
  const bool compressed = got > 2 && header[0] == 0x1f && header[1] == 0x8b; /* the name may say otherwise */
  if (compressed) {
    CW_TRY(open_compressed(context, path, file));
    got = znzread(header, 1, HEADER_BYTES, file->stream);
    if (got > HEADER_BYTES)
      return damaged(context, file);
  }
  if (got < HEADER_BYTES)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: %zu bytes long, expected at least a NIfTI-1 header of %d", file->name,
                   got, (int)HEADER_BYTES);
  CW_TRY(cw_nifti_parse(context, header, kind, file));
  uint64_t length = (uint64_t)status.st_size;
  if (compressed) {
    const uint64_t enough =
        file->data_offset + (uint64_t)file->samples * (uint64_t)file->components * (uint64_t)file->bytes + PADDING;
    CW_TRY(measure(context, path, enough, file, &length));
  }
  CW_TRY(check_length(context, length, file));
  if (znzseek(file->stream, (long)file->data_offset, SEEK_SET) < 0)
    return cw_fail(context, CW_ERROR_FILE, "%s: the data cannot be reached", file->name);
  if (!file->oriented)
    cw_warn(context, "%s: no sform and no qform: the axes are taken as right, anterior, superior", file->name);
  return CW_OK;
}

void cw_nifti_close(cw_nifti_file *file) {
  if (!znz_isnull(file->stream))
    znzclose(file->stream);
  file->stream = NULL;
}
