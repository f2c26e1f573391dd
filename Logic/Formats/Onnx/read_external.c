/* Weights in a file beside the model.  A model comes from elsewhere, so four layers keep it from reading other files:
 * the path, made canonical, lies in the model's folder; no part of it is a symbolic link; the file is opened without
 * following one (O_NOFOLLOW); and it is a regular file that has no second name (a hard link into it). */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "Formats/Onnx/onnx_internal.h"

static const char *entry(const CwOnnx__TensorProto *tensor, const char *key) {
  for (size_t i = 0; i < tensor->n_external_data; i++)
    if (!strcmp(tensor->external_data[i]->key, key))
      return tensor->external_data[i]->value;
  return "";
}

const char *cw_onnx_external_location(const CwOnnx__TensorProto *tensor) {
  return entry(tensor, "location");
}

static cw_status refuse(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor, const char *reason) {
  char name[72], file[72];
  return cw_fail(r->context, CW_ERROR_FILE, "onnx: tensor '%s' keeps its data in '%s', %s",
                 cw_onnx_label(tensor->name, name), cw_onnx_label(entry(tensor, "location"), file), reason);
}

/* A count of bytes; false unless it is one. */
static bool count_of(const char *text, uint64_t *count) {
  char *end;
  if (*text < '0' || *text > '9')
    return false;
  errno = 0;
  *count = strtoull(text, &end, 10);
  return !errno && !*end && *count <= INT64_MAX;
}

/* No way out of the folder is even asked for. */
static bool stays_inside(const char *location) {
  if (!*location || *location == '/' || strlen(location) >= PATH_MAX / 2)
    return false;
  for (const char *at = location; at; at = strchr(at, '/')) {
    at += *at == '/';
    if (!strncmp(at, "..", 2) && (!at[2] || at[2] == '/'))
      return false;
    if (!*at || *at == '/')
      return false;
  }
  return true;
}

/* The file, open, after all four checks; -1: refused. */
static int open_inside(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor, cw_status *status, struct stat *info) {
  const char *location = cw_onnx_external_location(tensor);
  char folder[PATH_MAX], wanted[PATH_MAX], canonical[PATH_MAX];
  struct stat named, opened;
  while (!strncmp(location, "./", 2))
    location += 2;
  if (!r->request->folder || !stays_inside(location)) {
    *status = refuse(r, tensor, "which is not a name within the model's folder");
    return -1;
  }
  if (!realpath(r->request->folder, folder) || strlen(folder) + strlen(location) + 2 > sizeof wanted) {
    *status = refuse(r, tensor, "and the model's folder cannot be found");
    return -1;
  }
  strcpy(wanted, folder);
  if (strcmp(folder, "/") != 0)
    strcat(wanted, "/");
  strcat(wanted, location);
  if (!realpath(wanted, canonical) || lstat(wanted, &named) != 0) {
    *status = refuse(r, tensor, "which is not there");
    return -1;
  }
  if (strcmp(wanted, canonical) != 0 || S_ISLNK(named.st_mode)) {
    *status = refuse(r, tensor, "which is reached by a symbolic link");
    return -1;
  }
  const int file = open(wanted, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (file < 0 || fstat(file, &opened) != 0) {
    *status = refuse(r, tensor, "which cannot be opened");
  } else if (!S_ISREG(opened.st_mode) || opened.st_nlink != 1 || opened.st_dev != named.st_dev ||
             opened.st_ino != named.st_ino) {
    *status = refuse(r, tensor, "which is not a regular file with one name only");
  } else {
    *info = opened;
    *status = CW_OK;
    return file;
  }
  if (file >= 0)
    close(file);
  return -1;
}

/* What the file holds may be allocated, however many tensors lie in it. */
static cw_status count_file(cw_onnx_reader *r, const struct stat *opened) {
  const uint64_t device = (uint64_t)opened->st_dev, inode = (uint64_t)opened->st_ino;
  for (const cw_onnx_side_file *f = r->side_files; f; f = f->next)
    if (f->device == device && f->inode == inode)
      return CW_OK;
  cw_onnx_side_file *f = cw_onnx_take(&r->arena, 1, sizeof *f);
  if (!f)
    return CW_ERROR_MEMORY;
  *f = (cw_onnx_side_file){r->side_files, device, inode};
  r->side_files = f;
  const uint64_t more = (uint64_t)opened->st_size, most = (SIZE_MAX - r->arena.left) / CW_ONNX_PER_BYTE;
  r->arena.left += CW_ONNX_PER_BYTE * (size_t)(more < most ? more : most);
  return CW_OK;
}

cw_status cw_onnx_external(cw_onnx_reader *r, const CwOnnx__TensorProto *tensor, size_t bytes, uint8_t **data) {
  const char *offset_text = entry(tensor, "offset"), *length_text = entry(tensor, "length");
  uint64_t offset = 0, length = bytes;
  cw_status status = CW_OK;
  struct stat info;
  if ((*offset_text && !count_of(offset_text, &offset)) || (*length_text && !count_of(length_text, &length)))
    return refuse(r, tensor, "with an offset or length that is no number");
  if (length != bytes)
    return refuse(r, tensor, "with a length that does not fit its shape");
  const int file = open_inside(r, tensor, &status, &info);
  if (file < 0)
    return status;
  uint8_t *block = NULL;
  if (offset > (uint64_t)info.st_size || bytes > (uint64_t)info.st_size - offset)
    status = refuse(r, tensor, "which is shorter than the tensor asks for");
  else if (!data)
    status = count_file(r, &info);
  else if (!cw_onnx_spend(&r->arena, bytes) || !(block = cw_allocate(r->context, bytes + 1, 1)))
    status = CW_ERROR_MEMORY;
  for (size_t at = 0; data && status == CW_OK && at < bytes;) {
    const ssize_t got = pread(file, block + at, bytes - at, (off_t)(offset + at));
    if (got > 0)
      at += (size_t)got;
    else if (got == 0 || errno != EINTR)
      status = refuse(r, tensor, "which could not be read");
  }
  close(file);
  if (status != CW_OK) {
    cw_release(r->context, block);
    block = NULL;
  }
  if (data)
    *data = block;
  return status;
}
