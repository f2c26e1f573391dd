#include "counterwarp/random.h"

#include <math.h>
#include <string.h>

#include "Tensor/dispatch.h"

/* One Philox4x32-10 block: counter (4 x 32 bit) and key (2 x 32 bit) -> 128 random bits. */
CW_INLINE void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
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

/* Natural logarithm of u in (0, 1]: u = 2^e m with m in [sqrt(1/2), sqrt 2), ln m = 2 atanh((m - 1) / (m + 1)). */
CW_INLINE float log_of(float u) {
  uint32_t bits;
  memcpy(&bits, &u, sizeof bits);
  const uint32_t from = bits - 0x3f3504f3u; /* of sqrt(1/2) */
  const int32_t exponent = (int32_t)from >> 23;
  bits = (from & 0x007fffffu) + 0x3f3504f3u;
  float m;
  memcpy(&m, &bits, sizeof m);
  const float s = (m - 1) / (m + 1), z = s * s;
  const float series = 2 * s * (1 + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9)))));
  return (float)exponent * 0.69314718f + series;
}

/* Sine and cosine of t turns, t in [0, 1): Taylor series within an eighth of a turn. */
CW_INLINE void turn(float t, float *sine, float *cosine) {
  const int32_t quarter = (int32_t)(4 * t + 0.5f);
  const float x = 6.2831853f * (t - 0.25f * (float)quarter), z = x * x;
  const float s = x * (1 + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
  const float c = 1 + z * (-1.0f / 2 + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
  const float first = quarter & 1 ? c : s, second = quarter & 1 ? s : c;
  *sine = quarter & 2 ? -first : first;
  *cosine = (quarter + 1) & 2 ? -second : second;
}

enum { BLOCKS = 64 };

/* Four numbers from each of BLOCKS Philox blocks: two pairs by Box-Muller. */
CW_CLONES static void normal_blocks(uint64_t seed, uint64_t stream, uint64_t first, float to[4][BLOCKS]) {
  for (int b = 0; b < BLOCKS; b++) {
    const uint64_t block = first + (uint64_t)b;
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t bits[4];
    philox(counter, key, bits);
    for (int pair = 0; pair < 2; pair++) {
      const float u = (float)((int32_t)(bits[2 * pair] >> 8) + 1) * 0x1p-24f;
      const float t = (float)(int32_t)(bits[2 * pair + 1] >> 8) * 0x1p-24f;
      const float radius = sqrtf(-2 * log_of(u));
      float sine, cosine;
      turn(t, &sine, &cosine);
      to[2 * pair][b] = radius * cosine;
      to[2 * pair + 1][b] = radius * sine;
    }
  }
}

void cw_random_normals(uint64_t seed, uint64_t stream, size_t n, float *to) {
  float part[4][BLOCKS];
  for (size_t at = 0; at < n; at += 4 * BLOCKS) {
    normal_blocks(seed, stream, at / 4, part);
    const size_t count = n - at < 4 * BLOCKS ? n - at : 4 * BLOCKS;
    memcpy(to + at, part, count * sizeof *to);
  }
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
