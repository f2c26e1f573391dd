/* Exponential of a stationary velocity field by scaling and squaring (Arsigny et al. 2006), and its adjoint. */
#include <string.h>

#include "counterwarp/warp.h"
#include "Tensor/dispatch.h"
#include "Warp/compose.h"
#include "Warp/grid_cell.h"

enum { PART = 16384, MOST_SQUARINGS = 12 };

CW_CLONES static void exponential_scale_part(size_t n, float factor, const float *from, float *to) {
#pragma omp simd
  for (size_t i = 0; i < n; i++)
    to[i] = factor * from[i];
}

CW_CLONES static void exponential_add_scaled(size_t n, float factor, const float *from, float *to) {
#pragma omp simd
  for (size_t i = 0; i < n; i++)
    to[i] += factor * from[i];
}

static void scale_field(size_t n, float factor, const float *from, float *to, int threads) {
  const long parts = (long)((n + PART - 1) / PART);
  const int team = cw_team(threads, parts < 1024 ? (int)parts : 1024);
  (void)team; /* unused without OpenMP */
#pragma omp parallel for schedule(static) num_threads(team)
  for (long part = 0; part < parts; part++) {
    const size_t at = (size_t)part * PART;
    exponential_scale_part(n - at < PART ? n - at : PART, factor, from + at, to + at);
  }
}

cw_status cw_square_run(const cw_crew *crew, const int size[3], int squarings, float **now, float **next) {
  for (int n = 0; n < squarings; n++) {
    const cw_crew part = cw_crew_part(crew, (double)n / squarings, (double)(n + 1) / squarings);
    CW_TRY(cw_compose_run(&part, size, *now, *now, *next));
    float *const swap = *now;
    *now = *next;
    *next = swap;
  }
  return CW_OK;
}

void cw_exponential_forward(const int size[3], const float *v, float scale, int squarings, bool keep_steps,
                            float *steps, float *u, int threads) {
  const size_t field = 3 * cw_samples(size);
  const float factor = ldexpf(scale, -squarings);
  if (keep_steps) {
    scale_field(field, factor, v, squarings ? steps : u, threads);
    for (int n = 0; n < squarings; n++) {
      const float *step = steps + n * field;
      cw_compose_forward(size, step, step, n + 1 < squarings ? steps + (n + 1) * field : u, threads);
    }
    return;
  }
  /* The two fields take turns, so that the last squaring writes u. */
  float *now = squarings % 2 ? steps : u, *next = squarings % 2 ? u : steps;
  scale_field(field, factor, v, now, threads);
  const cw_crew crew = {threads, NULL, "", 0, 1};
  (void)cw_square_run(&crew, size, squarings, &now, &next);
}

void cw_exponential_backward(const int size[3], float scale, int squarings, const float *steps, const float *grad_u,
                             float *grad_v, float *workspace) {
  const size_t field = 3 * cw_samples(size);
  const float *grad = grad_u;
  for (int n = squarings - 1; n >= 0; n--) {
    float *next = workspace + (n % 2) * field;
    const float *step = steps + n * field;
    memset(next, 0, field * sizeof *next);
    cw_compose_backward(size, step, step, grad, next, next);
    grad = next;
  }
  exponential_add_scaled(field, ldexpf(scale, -squarings), grad, grad_v);
}

/* Largest |v|^2, and largest row sum of forward differences; false where one is not finite. */
static bool measure_slice(const int size[3], const float *v, int k, double *square_out, double *slope_out) {
  const size_t samples = cw_samples(size), step[3] = {1, (size_t)size[0], (size_t)size[0] * size[1]};
  double largest = 0, slope = 0;
  bool bad = false;
  for (int j = 0; j < size[1]; j++)
    for (int i = 0; i < size[0]; i++) {
      const int at[3] = {i, j, k};
      const float *p = v + ((size_t)k * size[1] + j) * size[0] + i;
      double square = 0;
      for (int axis = 0; axis < 3; axis++, p += samples) {
        double row = 0;
        square += (double)p[0] * p[0];
        for (int by = 0; by < 3; by++)
          if (at[by] + 1 < size[by])
            row += fabs((double)p[step[by]] - p[0]);
        bad = bad || !isfinite(row);
        slope = row > slope ? row : slope;
      }
      bad = bad || !isfinite(square);
      largest = square > largest ? square : largest;
    }
  *square_out = largest;
  *slope_out = slope;
  return !bad;
}

int cw_squarings_run(const int size[3], const float *v, float scale, int threads) {
  double square = 0, slope = 0;
  int bad = 0;
  const int team = cw_team(threads, size[2]);
  (void)team; /* unused without OpenMP */
#pragma omp parallel for schedule(static) num_threads(team) reduction(max : square, slope) reduction(| : bad)
  for (int k = 0; k < size[2]; k++) {
    double own_square, own_slope;
    bad |= !measure_slice(size, v, k, &own_square, &own_slope);
    square = own_square > square ? own_square : square;
    slope = own_slope > slope ? own_slope : slope;
  }
  if (bad || !isfinite(scale))
    return MOST_SQUARINGS;
  const double largest = fabs((double)scale) * fmax(slope, sqrt(square));
  int squarings = 0;
  while (squarings < MOST_SQUARINGS && !(ldexp(largest, -squarings) < 0.5))
    squarings++;
  return squarings;
}

int cw_exponential_squarings(const int size[3], const float *v, float scale) {
  return cw_squarings_run(size, v, scale, 1);
}
