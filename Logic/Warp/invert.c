/* Inverse of a displacement field by fixed-point iteration. */
#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"
#include "Warp/compose.h"
#include "Warp/grid_cell.h"

typedef struct step_work {
  const int *size;
  const float *w;
  float *next, step;
  double *largest; /* for each slab */
} step_work;

/* next(p) = w(p) - step r(p), given the residual r = w + u o w in its place; with a step of 1 that is -u(p + w(p)). The
 * largest |sum|^2 where p + w(p) lies inside the box. */
static void step_slices(void *user, int slab, int begin, int end) {
  const step_work *work = user;
  const int *size = work->size;
  const size_t samples = cw_samples(size);
  double largest = work->largest[slab];
  for (int k = begin; k < end; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const size_t p = ((size_t)k * size[1] + j) * size[0] + i;
        const int at[3] = {i, j, k};
        double square = 0;
        bool inside = true;
        for (int axis = 0; axis < 3; axis++) {
          const float residual = work->next[axis * samples + p], own = work->w[axis * samples + p];
          square += (double)residual * residual;
          inside = inside && own >= (float)-at[axis] && own <= (float)(size[axis] - 1 - at[axis]);
          work->next[axis * samples + p] = own - work->step * residual;
        }
        if (inside && square > largest)
          largest = square;
      }
  work->largest[slab] = largest;
}

cw_status cw_invert_run(const cw_crew *crew, const int size[3], const float *u, int iterations, double tolerance,
                        float **now, float **next, double *largest, double *residual) {
  const int slabs = cw_crew_slabs(crew, size[2]);
  /* A whole step converges where no eigenvalue l of Du is 1 or more, the step s where |1 - s (1 + l)| < 1. */
  const float least_step = 0.125f;
  float step = 1;
  double before = INFINITY;
  for (int n = 0;; n++) {
    const double from = n / (iterations + 1.0), to = (n + 1) / (iterations + 1.0);
    const cw_crew first = cw_crew_part(crew, from, 0.5 * (from + to)),
                  second = cw_crew_part(crew, 0.5 * (from + to), to);
    CW_TRY(cw_compose_run(&first, size, u, *now, *next));
    memset(largest, 0, (size_t)slabs * sizeof *largest);
    step_work work = {size, *now, *next, step, largest};
    CW_TRY(cw_crew_run(&second, size[2], (size_t)size[0] * (size_t)size[1], step_slices, &work));
    double square = 0;
    for (int slab = 0; slab < slabs; slab++)
      square = fmax(square, largest[slab]);
    *residual = sqrt(square);
    if (n >= iterations || *residual < tolerance)
      return CW_OK;
    if (*residual > 0.9 * before && step > least_step)
      step /= 2;
    before = *residual;
    float *const swap = *now;
    *now = *next;
    *next = swap;
  }
}

double cw_invert_field(const int size[3], const float *u, int iterations, double tolerance, float *w, float *scratch,
                       int threads) {
  enum { MOST_THREADS = 256 };
  const size_t field = 3 * cw_samples(size);
  const cw_crew crew = {threads < MOST_THREADS ? threads : MOST_THREADS, NULL, "", 0, 1};
  float *now = w, *next = scratch;
  double largest[MOST_THREADS], residual = 0;
  for (size_t i = 0; i < field; i++)
    now[i] = -u[i];
  (void)cw_invert_run(&crew, size, u, iterations, tolerance, &now, &next, largest, &residual);
  if (now != w)
    memcpy(w, now, field * sizeof *w);
  return residual;
}
