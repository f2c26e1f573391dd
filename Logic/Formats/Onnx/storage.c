#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "Formats/Onnx/onnx_internal.h"

struct cw_onnx_block {
  struct cw_onnx_block *next;
  _Alignas(16) char bytes[];
};

void *cw_onnx_take(cw_onnx_arena *arena, size_t count, size_t size) {
  const size_t extra = sizeof(struct cw_onnx_block);
  if (size && count > (SIZE_MAX - extra) / size) {
    cw_fail(arena->context, CW_ERROR_MEMORY, "memory: %zu items of %zu bytes overflow the address space", count, size);
    return NULL;
  }
  struct cw_onnx_block *block = cw_allocate_zero(arena->context, 1, extra + count * size);
  if (!block)
    return NULL;
  block->next = arena->blocks;
  arena->blocks = block;
  return block->bytes;
}

char *cw_onnx_take_text(cw_onnx_arena *arena, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  char *text = length < 0 ? NULL : cw_onnx_take(arena, (size_t)length + 1, 1);
  if (!text)
    return NULL;
  va_start(arguments, format);
  vsnprintf(text, (size_t)length + 1, format, arguments);
  va_end(arguments);
  return text;
}

void cw_onnx_arena_free(cw_onnx_arena *arena) {
  while (arena->blocks) {
    struct cw_onnx_block *next = arena->blocks->next;
    cw_release(arena->context, arena->blocks);
    arena->blocks = next;
  }
}

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
    return cw_fail(context, CW_ERROR_FORMAT, "'%s' is empty, expected an ONNX model", path);
  if (info.st_size > INT32_MAX)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "'%s' has %lld bytes, an ONNX file holds at most 2 GiB", path,
                   (long long)info.st_size);
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

cw_status cw_onnx_file_read(cw_context *context, const char *path, uint8_t **bytes, size_t *count) {
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

cw_status cw_onnx_file_write(cw_context *context, const char *path, const uint8_t *bytes, size_t count) {
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
