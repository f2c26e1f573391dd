#include "Graph/plan_internal.h"

enum { PAGE = 64 };

static bool overlap_in_time(const cw_buffer *a, const cw_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* Largest first, each at the lowest offset that is free for its whole life: within a few per cent of the peak of live
 * memory for chains of layers with skips. */
size_t cw_buffers_place(cw_buffer *buffers, int count, int *order) {
  size_t total = 0;
  for (int i = 0; i < count; i++) {
    int at = i;
    while (at > 0 && buffers[order[at - 1]].bytes < buffers[i].bytes) {
      order[at] = order[at - 1];
      at--;
    }
    order[at] = i;
  }
  for (int i = 0; i < count; i++) {
    cw_buffer *buffer = &buffers[order[i]];
    buffer->bytes = (buffer->bytes + PAGE - 1) / PAGE * PAGE;
    size_t offset = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (int k = 0; k < i; k++) {
        const cw_buffer *other = &buffers[order[k]];
        if (overlap_in_time(buffer, other) && offset < other->offset + other->bytes &&
            other->offset < offset + buffer->bytes) {
          offset = other->offset + other->bytes;
          moved = true;
        }
      }
    }
    buffer->offset = offset;
    if (offset + buffer->bytes > total)
      total = offset + buffer->bytes;
  }
  return total;
}
