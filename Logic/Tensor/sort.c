#include "Tensor/sort.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* One pass by the digit at `shift`. */
static void pass(const uint32_t *keys, size_t n, int shift, const uint32_t *from, uint32_t *to) {
  size_t start[DIGITS] = {0}, before = 0;
  for (size_t i = 0; i < n; i++)
    start[keys[i] >> shift & (DIGITS - 1)]++;
  for (int d = 0; d < DIGITS; d++) {
    const size_t here = start[d];
    start[d] = before;
    before += here;
  }
  for (size_t i = 0; i < n; i++)
    to[start[keys[from[i]] >> shift & (DIGITS - 1)]++] = from[i];
}

void cw_sort_order(const uint32_t *keys, size_t n, uint32_t *order, uint32_t *scratch) {
  for (size_t i = 0; i < n; i++)
    scratch[i] = (uint32_t)i;
  pass(keys, n, 0, scratch, order);
  pass(keys, n, DIGIT_BITS, order, scratch);
  pass(keys, n, 2 * DIGIT_BITS, scratch, order);
}
