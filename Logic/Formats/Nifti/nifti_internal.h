/* Internal: what reading and writing NIfTI-1 share. */
#ifndef COUNTERWARP_NIFTI_INTERNAL_H
#define COUNTERWARP_NIFTI_INTERNAL_H

#include <nifti1_io.h>

#include "counterwarp/nifti.h"

/* Bytes moved at a time between a file and the samples; a multiple of every sample's size. */
enum { CW_NIFTI_CHUNK = 1 << 20 };

/* An open file whose header was found to be sound and in agreement with the file's size. */
typedef struct cw_nifti_file {
  const char *name; /* the path's end, for messages */
  znzFile stream;
  bool swapped;            /* the other byte order */
  bool oriented;           /* has an sform or a qform */
  int datatype, bytes;     /* of a sample */
  double slope, intercept; /* value = slope * stored + intercept */
  double unit;             /* mm in one unit of the file */
  int intent, components;  /* components: samples of the fifth dimension */
  size_t samples, data_offset;
  cw_grid grid; /* LPS, mm */
} cw_nifti_file;

/* What the caller expects of the dimensions beyond the third. */
typedef enum cw_nifti_kind { CW_NIFTI_SCALAR, CW_NIFTI_FIELD } cw_nifti_kind;

/* The end of a path, short enough that the sentence around it fits into a message. */
const char *cw_nifti_name(const char *path);

/* Opens, checks and describes a file; file->stream must be closed with cw_nifti_close, also after a failure. */
cw_status cw_nifti_open(cw_context *context, const char *path, cw_nifti_kind kind, cw_nifti_file *file);
void cw_nifti_close(cw_nifti_file *file);

/* Fills file from a raw header (348 bytes in the file's byte order) without touching the stream. */
cw_status cw_nifti_parse(cw_context *context, const void *header, cw_nifti_kind kind, cw_nifti_file *file);

bool cw_nifti_ends_with(const char *text, const char *end);
/* CW_ERROR_ARGUMENT unless the grid can be written. */
cw_status cw_nifti_expect_grid(cw_context *context, const cw_grid *grid, const char *name);

/* A file that appears whole under its name or not at all: written beside it, then renamed. */
typedef struct cw_nifti_output {
  const char *name;
  char *temporary, *final;
  znzFile stream;
} cw_nifti_output;

/* Compresses where the name ends in .gz. */
cw_status cw_nifti_output_open(cw_context *context, const char *path, cw_nifti_output *output);
cw_status cw_nifti_output_write(cw_context *context, cw_nifti_output *output, const void *data, size_t bytes);
/* The whole of it: opens, lets `content` write (with CW_NIFTI_CHUNK bytes to gather in), closes. */
typedef cw_status cw_nifti_content(cw_context *context, cw_nifti_output *output, const void *what, void *chunk);
cw_status cw_nifti_output_whole(cw_context *context, const char *path, cw_nifti_content *content, const void *what);
/* Flushes to the disk and renames, or, unless keep, removes what was written.  Called once after a successful open. */
cw_status cw_nifti_output_close(cw_context *context, cw_nifti_output *output, bool keep);

#endif
