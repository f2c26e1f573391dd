#include <stdio.h>

#include "counterwarp/graph.h"

cw_shape cw_shape_of(int rank, const int64_t *d) {
  cw_shape shape = {0};
  shape.rank = rank < CW_MAX_RANK ? rank : CW_MAX_RANK;
  for (int i = 0; i < shape.rank; i++)
    shape.d[i] = d[i];
  return shape;
}

int64_t cw_shape_elements(const cw_shape *shape, int64_t batch) {
  int64_t product = 1;
  for (int i = 0; i < shape->rank; i++) {
    const int64_t d = shape->d[i] == CW_BATCH ? batch : shape->d[i];
    if (d <= 0 || product > INT64_MAX / d)
      return 0;
    product *= d;
  }
  return product;
}

bool cw_shape_equal(const cw_shape *a, const cw_shape *b) {
  if (a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->d[i] != b->d[i])
      return false;
  return true;
}

void cw_shape_text(const cw_shape *shape, char text[96]) {
  size_t used = 0;
  text[0] = '\0';
  for (int i = 0; i < shape->rank && used < 80; i++) {
    if (i)
      used += (size_t)snprintf(text + used, 96 - used, " x ");
    if (shape->d[i] == CW_BATCH)
      used += (size_t)snprintf(text + used, 96 - used, "N");
    else
      used += (size_t)snprintf(text + used, 96 - used, "%lld", (long long)shape->d[i]);
  }
}
