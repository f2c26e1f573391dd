/* Files that appear whole or not at all. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nifti_internal.h"

bool cw_nifti_ends_with(const char *text, const char *end) {
  const size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

static void release(cw_context *context, cw_nifti_output *output) {
  cw_release(context, output->temporary);
  cw_release(context, output->final);
  output->temporary = output->final = NULL;
}

/* Creates a file of a name that nobody has, beside the final one so that the rename stays within one file system. */
static cw_status create_temporary(cw_context *context, cw_nifti_output *output) {
  const size_t room = strlen(output->final) + 40;
  output->temporary = cw_allocate(context, room, 1);
  if (!output->temporary)
    return CW_ERROR_MEMORY;
  for (int attempt = 0; attempt < 1000; attempt++) {
    snprintf(output->temporary, room, "%s.%ld-%d.part", output->final, (long)getpid(), attempt);
    const int descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (descriptor >= 0) {
      close(descriptor);
      return CW_OK;
    }
    if (errno != EEXIST)
      break;
  }
  return cw_fail(context, CW_ERROR_FILE, "%s: cannot be written: %s", output->name, strerror(errno));
}

cw_status cw_nifti_output_open(cw_context *context, const char *path, cw_nifti_output *output) {
  memset(output, 0, sizeof *output);
  output->name = cw_nifti_name(path);
  const bool compress = cw_nifti_ends_with(path, ".gz");
  struct stat old;
  if (stat(path, &old) == 0 && !S_ISREG(old.st_mode)) /* a rename would replace a device or fail on a folder */
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be written: it exists and is not a regular file", output->name);
  output->final = cw_copy_string(context, path);
  cw_status status = output->final ? create_temporary(context, output) : CW_ERROR_MEMORY;
  if (status == CW_OK) {
    /* Level 1: float maps hardly shrink further, and take three times as long to. */
    output->stream = znzopen(output->temporary, compress ? "wb1" : "wb", compress);
    if (znz_isnull(output->stream)) {
      status = cw_fail(context, CW_ERROR_FILE, "%s: cannot be written: %s", output->name, strerror(errno));
      unlink(output->temporary);
    }
  }
  if (status != CW_OK)
    release(context, output);
  return status;
}

cw_status cw_nifti_output_write(cw_context *context, cw_nifti_output *output, const void *data, size_t bytes) {
  errno = 0;
  if (znzwrite(data, 1, bytes, output->stream) != bytes)
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be written: %s", output->name,
                   errno ? strerror(errno) : "writing failed");
  return CW_OK;
}

/* Waits until a file, or a folder's entry, is on the disk. */
static int sync_path(const char *path) {
  const int descriptor = open(path, O_RDONLY);
  if (descriptor < 0)
    return -1;
  const int result = fsync(descriptor), reason = errno;
  close(descriptor);
  errno = reason;
  return result;
}

cw_status cw_nifti_output_close(cw_context *context, cw_nifti_output *output, bool keep) {
  errno = 0;
  /* Closing writes what is still buffered, so that a full disk may show only here. */
  bool good = znzclose(output->stream) == 0 && keep;
  good = good && sync_path(output->temporary) == 0 && rename(output->temporary, output->final) == 0;
  const int reason = errno;
  if (!good)
    unlink(output->temporary);
  if (good) {
    char *slash = strrchr(output->final, '/');
    if (slash)
      slash[slash == output->final] = '\0';
    sync_path(slash ? output->final : "."); /* best effort: the file itself is safe */
  }
  release(context, output);
  if (!good && keep)
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be written: %s", output->name,
                   reason ? strerror(reason) : "writing failed");
  return CW_OK;
}

cw_status cw_nifti_output_whole(cw_context *context, const char *path, cw_nifti_content *content, const void *what) {
  void *chunk = cw_allocate(context, CW_NIFTI_CHUNK, 1);
  if (!chunk)
    return CW_ERROR_MEMORY;
  cw_nifti_output output;
  cw_status status = cw_nifti_output_open(context, path, &output);
  if (status == CW_OK) {
    status = content(context, &output, what, chunk);
    const cw_status closed = cw_nifti_output_close(context, &output, status == CW_OK);
    status = status != CW_OK ? status : closed;
  }
  cw_release(context, chunk);
  return status;
}

cw_status cw_nifti_expect_grid(cw_context *context, const cw_grid *grid, const char *name) {
  return cw_grid_check(context, grid) == CW_OK
             ? CW_OK
             : cw_fail(context, CW_ERROR_ARGUMENT, "%s: the grid to write has no positive size or no invertible affine",
                       name);
}
