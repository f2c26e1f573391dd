#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Tensor/part.h"
#ifdef _OPENMP
#include <omp.h>
#endif

struct cw_context {
  cw_context_options options;
  cw_part part;
  char message[512];
};

/* Distance from an aligned block back to the allocator's own pointer is kept in the bytes before the block. */
enum { CW_ALIGNMENT = 64 };

static void *default_allocate(void *user, size_t bytes) {
  (void)user;
  return malloc(bytes);
}

static void default_release(void *user, void *memory) {
  (void)user;
  free(memory);
}

cw_status cw_context_create(const cw_context_options *options, cw_context **context) {
  cw_context_options o = {0};
  if (options)
    o = *options;
  if (!o.allocate || !o.release) {
    o.allocate = default_allocate;
    o.release = default_release;
  }
  if (o.threads <= 0) {
#ifdef _OPENMP
    o.threads = omp_get_num_procs();
#else
    o.threads = 1;
#endif
  }
  *context = o.allocate(o.user, sizeof **context);
  if (!*context)
    return CW_ERROR_MEMORY;
  (*context)->options = o;
  (*context)->part = (cw_part){NULL, 0, 1};
  (*context)->message[0] = '\0';
  return CW_OK;
}

void cw_context_free(cw_context *context) {
  if (context)
    context->options.release(context->options.user, context);
}

const char *cw_context_message(const cw_context *context) {
  return context->message;
}

int cw_context_threads(const cw_context *context) {
  return context->options.threads;
}

uint64_t cw_context_seed(const cw_context *context) {
  return context->options.seed;
}

cw_status cw_fail(cw_context *context, cw_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(context->message, sizeof context->message, format, arguments);
  va_end(arguments);
  return status;
}

void cw_warn(cw_context *context, const char *format, ...) {
  if (!context->options.warn)
    return;
  char sentence[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  context->options.warn(context->options.user, sentence);
}

cw_part cw_part_enter(cw_context *context, const char *stage, double from, double to) {
  const cw_part outer = context->part;
  const double length = outer.to - outer.from;
  const cw_part part = {outer.stage ? outer.stage : stage, outer.from + from * length, outer.from + to * length};
  context->part = part;
  return outer;
}

void cw_part_leave(cw_context *context, cw_part outer) {
  context->part = outer;
}

cw_status cw_progress(cw_context *context, const char *stage, double fraction) {
  const cw_part *part = &context->part;
  const char *name = part->stage ? part->stage : stage;
  const double whole = part->from + fraction * (part->to - part->from);
  if (context->options.progress && !context->options.progress(context->options.user, name, whole))
    return cw_fail(context, CW_ERROR_CANCELLED, "%s: cancelled", name);
  return CW_OK;
}

void *cw_allocate(cw_context *context, size_t count, size_t size) {
  const size_t extra = CW_ALIGNMENT + sizeof(void *);
  if (size && count > (SIZE_MAX - extra) / size) {
    cw_fail(context, CW_ERROR_MEMORY, "memory: %zu items of %zu bytes overflow the address space", count, size);
    return NULL;
  }
  char *raw = context->options.allocate(context->options.user, count * size + extra);
  if (!raw) {
    cw_fail(context, CW_ERROR_MEMORY, "memory: %zu bytes could not be allocated", count * size);
    return NULL;
  }
  char *block = raw + sizeof(void *);
  block += (CW_ALIGNMENT - (uintptr_t)block % CW_ALIGNMENT) % CW_ALIGNMENT;
  memcpy(block - sizeof raw, &raw, sizeof raw);
  return block;
}

void *cw_allocate_zero(cw_context *context, size_t count, size_t size) {
  void *memory = cw_allocate(context, count, size);
  if (memory)
    memset(memory, 0, count * size);
  return memory;
}

void cw_release(cw_context *context, void *memory) {
  if (!memory)
    return;
  void *raw;
  memcpy(&raw, (char *)memory - sizeof raw, sizeof raw);
  context->options.release(context->options.user, raw);
}

char *cw_copy_string(cw_context *context, const char *text) {
  const size_t bytes = strlen(text) + 1;
  char *copy = cw_allocate(context, bytes, 1);
  if (copy)
    memcpy(copy, text, bytes);
  return copy;
}

const char *cw_version(void) {
  return CW_VERSION;
}

const char *cw_status_name(cw_status status) {
  switch (status) {
    case CW_OK:
      return "CW_OK";
    case CW_ERROR_ARGUMENT:
      return "CW_ERROR_ARGUMENT";
    case CW_ERROR_SHAPE:
      return "CW_ERROR_SHAPE";
    case CW_ERROR_MEMORY:
      return "CW_ERROR_MEMORY";
    case CW_ERROR_FILE:
      return "CW_ERROR_FILE";
    case CW_ERROR_FORMAT:
      return "CW_ERROR_FORMAT";
    case CW_ERROR_UNSUPPORTED:
      return "CW_ERROR_UNSUPPORTED";
    case CW_ERROR_NUMERIC:
      return "CW_ERROR_NUMERIC";
    case CW_ERROR_CANCELLED:
      return "CW_ERROR_CANCELLED";
  }
  return "unknown status";
}
