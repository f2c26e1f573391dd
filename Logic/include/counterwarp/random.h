/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 * A number is a pure function of (seed, stream, counter), so results do not depend on threads or call order. */
#ifndef COUNTERWARP_RANDOM_H
#define COUNTERWARP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A sequence of numbers; initialise with cw_random_stream. */
typedef struct cw_random {
  uint64_t seed, stream, counter;
} cw_random;

/* The sequence number `stream` of `seed`, from its start. */
cw_random cw_random_stream(uint64_t seed, uint64_t stream);

/* The next number of the sequence: 64 random bits; uniform in [0, 1); uniform in [low, high); standard normal;
 * uniform integer in [0, bound). */
uint64_t cw_random_bits(cw_random *random);
double cw_random_unit(cw_random *random);
double cw_random_uniform(cw_random *random, double low, double high);
double cw_random_normal(cw_random *random);
uint32_t cw_random_below(cw_random *random, uint32_t bound);

/* to[0..n-1]: standard normal numbers as a function of (seed, stream, index), to float's precision; many at once, other
 * numbers than cw_random_normal's. */
void cw_random_normals(uint64_t seed, uint64_t stream, size_t n, float *to);

/* Random access: uniform in [0, 1) as a function of (seed, stream, index). */
float cw_random_at(uint64_t seed, uint64_t stream, uint64_t index);

/* Shuffles order[0..n-1] (Fisher-Yates). */
void cw_random_shuffle(cw_random *random, int *order, int n);

#ifdef __cplusplus
}
#endif
#endif
