/* Internal: order of numbers. */
#ifndef COUNTERWARP_TENSOR_SORT_H
#define COUNTERWARP_TENSOR_SORT_H

#include <string.h>

#include "counterwarp/context.h"

/* Bits that are ordered as the numbers are; -0 before +0, NaN at the ends. */
static inline uint32_t cw_sort_key(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
/* order[0..n-1]: indices of keys from the least to the largest, equal keys in the order of their indices.  scratch:
 * [n]. By radix, O(n). */
void cw_sort_order(const uint32_t *keys, size_t n, uint32_t *order, uint32_t *scratch);

#endif
