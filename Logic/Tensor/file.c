#define _POSIX_C_SOURCE 200809L
#include "Tensor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads `count` bytes, resuming after interruptions. */
static bool read_all(int file, uint8_t *bytes, size_t count) {
  while (count) {
    const ssize_t got = read(file, bytes, count);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    bytes += got;
    count -= (size_t)got;
  }
  return true;
}

static bool write_all(int file, const uint8_t *bytes, size_t count) {
  while (count) {
    const ssize_t put = write(file, bytes, count);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return false;
    bytes += put;
    count -= (size_t)put;
  }
  return true;
}

static cw_status read_open_file(cw_context *context, int file, const char *path, uint8_t **bytes, size_t *count) {
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
    return cw_fail(context, CW_ERROR_FILE, "'%s' is not a regular file", path);
  if (info.st_size <= 0)
    return cw_fail(context, CW_ERROR_FORMAT, "'%s' is empty", path);
  if (info.st_size > (off_t)(SIZE_MAX / 2))
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "'%s' is larger than the address space", path);
  *count = (size_t)info.st_size;
  *bytes = cw_allocate(context, *count, 1);
  if (!*bytes)
    return CW_ERROR_MEMORY;
  if (!read_all(file, *bytes, *count)) {
    cw_release(context, *bytes);
    *bytes = NULL;
    return cw_fail(context, CW_ERROR_FILE, "'%s' could not be read to its end", path);
  }
  return CW_OK;
}

cw_status cw_file_read(cw_context *context, const char *path, uint8_t **bytes, size_t *count) {
  *bytes = NULL;
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return cw_fail(context, CW_ERROR_FILE, "'%s' cannot be opened: %s", path, strerror(errno));
  const cw_status status = read_open_file(context, file, path, bytes, count);
  close(file);
  return status;
}

/* The name in the folder becomes durable too; where folders cannot be synced, the file still stands. */
static void sync_folder(char *path) {
  char *slash = strrchr(path, '/');
  if (slash)
    slash[slash == path ? 1 : 0] = '\0';
  const int folder = open(slash ? path : ".", O_RDONLY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
}

cw_status cw_file_write(cw_context *context, const char *path, const uint8_t *bytes, size_t count) {
  const size_t room = strlen(path) + 48;
  char *beside = cw_allocate(context, room, 1);
  if (!beside)
    return CW_ERROR_MEMORY;
  int file = -1;
  for (int attempt = 0; attempt < 100 && file < 0; attempt++) {
    snprintf(beside, room, "%s.%ld-%d.part", path, (long)getpid(), attempt);
    file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno != EEXIST)
      break;
  }
  if (file < 0) {
    cw_release(context, beside);
    return cw_fail(context, CW_ERROR_FILE, "'%s' cannot be written: %s", path, strerror(errno));
  }
  bool good = write_all(file, bytes, count) && fsync(file) == 0;
  int cause = errno;
  if (close(file) != 0 && good) {
    good = false;
    cause = errno;
  }
  if (good && rename(beside, path) != 0) {
    good = false;
    cause = errno;
  }
  if (good)
    sync_folder(beside);
  else
    unlink(beside);
  cw_release(context, beside);
  return good ? CW_OK : cw_fail(context, CW_ERROR_FILE, "'%s' could not be written: %s", path, strerror(cause));
}
