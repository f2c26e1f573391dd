#include <stdarg.h>
#include <stdio.h>

#include "Formats/Onnx/onnx_internal.h"

struct cw_onnx_block {
  struct cw_onnx_block *next;
  _Alignas(16) char bytes[];
};

bool cw_onnx_spend(cw_onnx_arena *arena, size_t bytes) {
  arena->exceeded = arena->exceeded || (arena->limited && bytes > arena->left);
  if (arena->limited && !arena->exceeded)
    arena->left -= bytes;
  return !arena->exceeded;
}

void *cw_onnx_take(cw_onnx_arena *arena, size_t count, size_t size) {
  const size_t extra = sizeof(struct cw_onnx_block);
  if (size && count > (SIZE_MAX - extra) / size) {
    cw_fail(arena->context, CW_ERROR_MEMORY, "memory: %zu items of %zu bytes overflow the address space", count, size);
    return NULL;
  }
  if (!cw_onnx_spend(arena, extra + count * size))
    return NULL;
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
