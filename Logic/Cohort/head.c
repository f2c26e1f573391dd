/* A subject's own deformation, and the disease as it looks on the subject's grid. */
#include "head.h"

#include "counterwarp/warp.h"

static void invert3(const float m[3][3], float out[3][3]) {
  double determinant = 0;
  for (int c = 0; c < 3; c++)
    determinant +=
        m[0][c] * ((double)m[1][(c + 1) % 3] * m[2][(c + 2) % 3] - (double)m[1][(c + 2) % 3] * m[2][(c + 1) % 3]);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++) {
      const int a = (c + 1) % 3, b = (c + 2) % 3, d = (r + 1) % 3, e = (r + 2) % 3;
      out[r][c] = (float)(((double)m[a][d] * m[b][e] - (double)m[a][e] * m[b][d]) / determinant);
    }
}

cw_status cw_head_shape(cw_context *context, cw_random *random, cw_head *h) {
  const double amount = h->brains->options.variability;
  const int n = h->coarse, size[3] = {n, n, n};
  const size_t samples = cw_head_coarse_samples(h);
  float *v = cw_allocate(context, 7 * samples, sizeof *v);
  if (!v)
    return CW_ERROR_MEMORY;
  float *fine = v + 3 * samples, *steps = fine + samples;
  cw_status status = CW_OK;
  for (int c = 0; c < 3 && status == CW_OK; c++) {
    float *to = v + c * samples;
    status = cw_noise_smooth(context, random, n, 20 / h->coarse_mm, to);
    if (status == CW_OK)
      status = cw_noise_smooth(context, random, n, 8 / h->coarse_mm, fine);
    const float large = (float)(amount * 0.8 / h->coarse_mm), small = (float)(amount * 0.32 / h->coarse_mm);
    for (size_t s = 0; s < samples && status == CW_OK; s++)
      to[s] = large * to[s] + small * fine[s];
  }
  if (status == CW_OK) {
    const int threads = cw_context_threads(context), least = cw_exponential_squarings(size, v, 1) + 3;
    cw_exponential_forward(size, v, 1, least < 12 ? least : 12, false, steps, h->t, threads);
    cw_jacobian_determinant(size, h->t, true, h->log_t, threads);
  }
  cw_release(context, v);
  const double pose = amount < 1 ? amount : 1; /* heads of any variability stay in the field of view */
  for (int r = 0; r < 3; r++) {
    for (int c = 0; c < 3; c++)
      h->linear[r][c] =
          (float)((r == c) + pose * ((r == c ? 0.03 * cw_random_normal(random) : 0) + 0.01 * cw_random_normal(random)));
    h->shift[r] = (float)(pose * cw_random_normal(random));
  }
  invert3((const float(*)[3])h->linear, h->inverse);
  return status;
}

/* By y <- y + linear^-1 (phi T x - T y), which gains a digit or so a step. */
bool cw_head_pull(const cw_head *h, const float x[3], float y[3]) {
  float goal[3], u[3], here[3];
  cw_cell c = cw_head_coarse_cell(h, x);
  cw_head_to_template(h, x, &c, goal);
  cw_head_disease(h, goal, u);
  for (int a = 0; a < 3; a++) {
    y[a] = x[a];
    goal[a] += u[a];
  }
  if (u[0] * u[0] + u[1] * u[1] + u[2] * u[2] < 1e-6f) /* a micrometre */
    return false;
  for (int step = 0; step < 6; step++) {
    c = cw_head_coarse_cell(h, y);
    cw_head_to_template(h, y, &c, here);
    for (int a = 0; a < 3; a++)
      y[a] += h->inverse[a][0] * (goal[0] - here[0]) + h->inverse[a][1] * (goal[1] - here[1]) +
              h->inverse[a][2] * (goal[2] - here[2]);
  }
  return true;
}

void cw_head_find_correction(const cw_head *h, int threads) {
  const int n = h->coarse;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++)
      for (int i = 0; i < n; i++) {
        const int index[3] = {i, j, k};
        const size_t at = ((size_t)k * n + j) * n + i;
        float x[3], y[3];
        for (int a = 0; a < 3; a++)
          x[a] = (float)(h->brains->centre[a] + (index[a] - 0.5 * (n - 1)) * h->coarse_mm);
        h->correction[at] = 0;
        if (cw_head_pull(h, x, y)) {
          const cw_cell c = cw_head_coarse_cell(h, y);
          h->correction[at] = h->log_t[at] - cw_head_sample(&c, h->log_t);
        }
      }
}
