/* Timing and rows of the benchmark programs.  A row is "name <tab> figure <tab> unit" on standard output; run.sh puts
 * the peers' rows of the same name and unit beside it. */
#ifndef COUNTERWARP_BENCHMARK_MEASURE_H
#define COUNTERWARP_BENCHMARK_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "counterwarp/graph.h"
#include "counterwarp/random.h"

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Shortest of several runs after one to warm up, in seconds: at least 5 runs unless they take over 20 s, then until
 * `budget` is spent.  A single one where COUNTERWARP_BENCHMARK_ONCE is set, to see that the programs run. */
static inline double shortest(void (*work)(void *), void *argument, double budget) {
  double best = 1e30, spent = 0;
  work(argument);
  const int most = getenv("COUNTERWARP_BENCHMARK_ONCE") ? 1 : 1000;
  for (int i = 0; i < most && ((i < 5 && spent < 20) || spent < budget); i++) {
    const double start = now();
    work(argument);
    const double taken = now() - start;
    spent += taken;
    best = taken < best ? taken : best;
  }
  return best;
}

static inline void row(const char *name, double figure, const char *unit) {
  printf("%s\t%.4g\t%s\n", name, figure, unit);
  fflush(stdout);
}

/* Largest resident memory of this process so far, MiB. */
static inline double peak_memory(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

/* These programs end at the first failure. */
static inline void need(cw_context *context, cw_status status) {
  if (status == CW_OK)
    return;
  fprintf(stderr, "%s: %s\n", cw_status_name(status), context ? cw_context_message(context) : "");
  exit(1);
}

static inline cw_context *open_context(void) {
  cw_context *context = NULL;
  need(NULL, cw_context_create(NULL, &context));
  return context;
}

/* Uniform numbers in [low, high). */
static inline void fill(float *data, size_t count, uint64_t stream, float low, float high) {
  for (size_t i = 0; i < count; i++)
    data[i] = low + (high - low) * cw_random_at(7, stream, i);
}

#endif
