/* What the machine can do: the BLAS's sgemm on every thread, and memory bandwidth. */
#ifdef _OPENMP
#include <omp.h>
#endif
#include <string.h>

#include "measure.h"
#include "Tensor/sgemm.h"

enum { SIDE = 768, FLOATS = 1 << 25 };

typedef struct machine {
  int threads;
  float *a, *b, *c;
} machine;

/* One product a thread, each on matrices of its own. */
static void products(void *argument) {
  const machine *m = argument;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
  for (int t = 0; t < m->threads; t++) {
    const size_t at = (size_t)t * SIDE * SIDE;
    cw_sgemm(false, false, SIDE, SIDE, SIDE, 1, m->a + at, SIDE, m->b + at, SIDE, 0, m->c + at, SIDE);
  }
}

static void copy(void *argument) {
  const machine *m = argument;
  const size_t part = FLOATS / (size_t)m->threads;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
  for (int t = 0; t < m->threads; t++)
    memcpy(m->b + t * part, m->a + t * part, part * sizeof(float));
}

int main(void) {
  cw_context *context = open_context();
  machine m = {cw_context_threads(context), NULL, NULL, NULL};
  const size_t matrices = (size_t)m.threads * SIDE * SIDE, count = matrices > FLOATS ? matrices : FLOATS;
  m.a = cw_allocate(context, count, sizeof(float));
  m.b = cw_allocate(context, count, sizeof(float));
  m.c = cw_allocate(context, matrices, sizeof(float));
  if (!m.a || !m.b || !m.c)
    return 1;
  fill(m.a, count, 1, -1, 1);
  fill(m.b, count, 2, -1, 1);
  row("sgemm", m.threads * 2.0 * SIDE * SIDE * SIDE / shortest(products, &m, 1) * 1e-9, "GFLOP/s");
  row("memory copy, bytes read and written", 2.0 * FLOATS * sizeof(float) / shortest(copy, &m, 1) * 1e-9, "GB/s");
  cw_release(context, m.a);
  cw_release(context, m.b);
  cw_release(context, m.c);
  cw_context_free(context);
  return 0;
}
