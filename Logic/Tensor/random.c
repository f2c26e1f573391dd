#include "counterwarp/random.h"

#include <math.h>

/* One Philox4x32-10 block: counter (4 x 32 bit) and key (2 x 32 bit) -> 128 random bits. */
static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static uint64_t bits_at(uint64_t seed, uint64_t stream, uint64_t index) {
  const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t out[4];
  philox(counter, key, out);
  return (uint64_t)out[1] << 32 | out[0];
}

cw_random cw_random_stream(uint64_t seed, uint64_t stream) {
  const cw_random random = {seed, stream, 0};
  return random;
}

uint64_t cw_random_bits(cw_random *random) {
  return bits_at(random->seed, random->stream, random->counter++);
}

double cw_random_unit(cw_random *random) {
  return (double)(cw_random_bits(random) >> 11) * 0x1p-53;
}

double cw_random_uniform(cw_random *random, double low, double high) {
  return low + (high - low) * cw_random_unit(random);
}

double cw_random_normal(cw_random *random) {
  /* Box-Muller; 1 - u lies in (0, 1]. */
  const double radius = sqrt(-2 * log(1 - cw_random_unit(random)));
  return radius * cos(6.283185307179586 * cw_random_unit(random));
}

uint32_t cw_random_below(cw_random *random, uint32_t bound) {
  return (uint32_t)(((cw_random_bits(random) >> 32) * bound) >> 32);
}

float cw_random_at(uint64_t seed, uint64_t stream, uint64_t index) {
  return (float)(bits_at(seed, stream, index) >> 40) * 0x1p-24f;
}

void cw_random_shuffle(cw_random *random, int *order, int n) {
  for (int i = n - 1; i > 0; i--) {
    const int j = (int)cw_random_below(random, (uint32_t)i + 1), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
}
