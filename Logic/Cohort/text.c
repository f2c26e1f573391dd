/* Small text files: tables and matrices. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort_internal.h"

static const size_t largest_text = (size_t)1 << 30;

static cw_status read_all(cw_context *context, const char *path, FILE *file, char **text, size_t *length) {
  size_t capacity = 1 << 14, used = 0;
  char *buffer = cw_allocate(context, capacity, 1);
  if (!buffer)
    return CW_ERROR_MEMORY;
  for (;;) {
    used += fread(buffer + used, 1, capacity - used - 1, file);
    if (used + 1 < capacity)
      break;
    char *larger = capacity < largest_text ? cw_allocate(context, capacity * 2, 1) : NULL;
    if (!larger) {
      cw_release(context, buffer);
      return capacity < largest_text
                 ? CW_ERROR_MEMORY
                 : cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: a text file of more than 1 GiB", path);
    }
    memcpy(larger, buffer, used);
    cw_release(context, buffer);
    buffer = larger;
    capacity *= 2;
  }
  if (ferror(file)) {
    cw_release(context, buffer);
    return cw_fail(context, CW_ERROR_FILE, "%s: reading failed: %s", path, strerror(errno));
  }
  const size_t mark = used >= 3 && memcmp(buffer, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  memmove(buffer, buffer + mark, used - mark);
  used -= mark;
  buffer[used] = '\0';
  if (memchr(buffer, '\0', used)) {
    cw_release(context, buffer);
    return cw_fail(context, CW_ERROR_FORMAT, "%s: holds zero bytes, so it is not a UTF-8 text file", path);
  }
  *text = buffer;
  *length = used;
  return CW_OK;
}

cw_status cw_text_read(cw_context *context, const char *path, char **text, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return cw_fail(context, CW_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  const cw_status status = read_all(context, path, file, text, length);
  fclose(file);
  return status;
}

bool cw_text_number(const char *text, size_t length, double *number) {
  char buffer[128];
  const char *point = localeconv()->decimal_point;
  const size_t point_length = strlen(point);
  size_t used = 0;
  if (!length)
    return false;
  for (size_t i = 0; i < length; i++) {
    if (used + point_length + 1 >= sizeof buffer)
      return false;
    if (!memchr("+-.0123456789eE", text[i], 15))
      return false; /* also "nan", "inf" and hexadecimal, which nobody writes into such a file on purpose */
    if (text[i] == '.') {
      memcpy(buffer + used, point, point_length);
      used += point_length;
    } else {
      buffer[used++] = text[i];
    }
  }
  buffer[used] = '\0';
  char *end;
  *number = strtod(buffer, &end);
  return *end == '\0' && end != buffer;
}
