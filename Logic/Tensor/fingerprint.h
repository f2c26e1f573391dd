/* Internal: a number that tells bytes apart. */
#ifndef COUNTERWARP_TENSOR_FINGERPRINT_H
#define COUNTERWARP_TENSOR_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

/* Where a fingerprint begins. */
#define CW_FINGERPRINT_START UINT64_C(0xCBF29CE484222325)

/* Goes on from hash over some bytes: FNV-1a (Fowler, Noll, Vo), 64 bits. */
static inline uint64_t cw_fingerprint(uint64_t hash, const void *bytes, size_t count) {
  const unsigned char *b = (const unsigned char *)bytes;
  for (size_t i = 0; i < count; i++)
    hash = (hash ^ b[i]) * UINT64_C(0x100000001B3);
  return hash;
}

#endif
