/* Deformable registration that is blind to brightness: greedy ascent of the local cross-correlation (Avants et al.,
 * Medical Image Analysis 2008), each step a small smooth warp composed with what stands. */
#include <math.h>
#include <string.h>

#include "counterwarp/warp.h"

enum { match_steps = 60, match_margin = 2 };
static const double window = 2;        /* voxels: Gaussian in which images are compared */
static const double step_smooth = 1.5; /* of each step */
static const double field_smooth = 0.3;
static const float step_length = 0.3f; /* voxels: the farthest that a step moves; far below what could fold */
static const double quiet = 0.03;      /* share of the mean local variance that counts as noise */

typedef struct match {
  cw_context *context;
  const int *size;
  cw_grid grid;
  size_t samples;
  const float *fixed, *moving;
  float *fixed_mean, *fixed_variance; /* [..] each */
  float *warped, *mean, *variance, *covariance;
  float *step, *joined; /* [3][..] */
  float fixed_noise;
} match;

static cw_status smooth(const match *m, float *data, int components, double sigma) {
  cw_volume volume = {.grid = m->grid, .components = components, .data = data};
  return cw_volume_smooth(m->context, &volume, sigma);
}

/* Mean and variance of an image in the window around each voxel; returns the variance that counts as noise. */
static cw_status local_moments(const match *m, const float *image, float *mean, float *variance, float *noise) {
  double sum = 0;
  for (size_t s = 0; s < m->samples; s++) {
    mean[s] = image[s];
    variance[s] = image[s] * image[s];
  }
  CW_TRY(smooth(m, mean, 1, window));
  CW_TRY(smooth(m, variance, 1, window));
  for (size_t s = 0; s < m->samples; s++) {
    variance[s] = fmaxf(variance[s] - mean[s] * mean[s], 0);
    sum += variance[s];
  }
  *noise = (float)(quiet * sum / (double)m->samples);
  return CW_OK;
}

/* The gradient of the squared local correlation with respect to the warp, into m->step. */
static void ascend(const match *m, float noise) {
  const int *n = m->size;
  const size_t stride[3] = {1, (size_t)n[0], (size_t)n[0] * n[1]};
  const int threads = cw_context_threads(m->context);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int k = 0; k < n[2]; k++)
    for (int j = 0; j < n[1]; j++)
      for (int i = 0; i < n[0]; i++) {
        const int p[3] = {i, j, k};
        const size_t at = i + stride[1] * j + stride[2] * k;
        /* The noise takes weight from flat places; the residual does without, so that what fits stays. */
        const float cov = m->covariance[at], own = m->variance[at];
        const float gain = own > 0 ? cov / own : 0;
        const float below = (own + noise) * (m->fixed_variance[at] + m->fixed_noise);
        const float force =
            below > 0 ? cov / below * (m->fixed[at] - m->fixed_mean[at] - gain * (m->warped[at] - m->mean[at])) : 0;
        for (int a = 0; a < 3; a++) {
          const size_t low = p[a] > 0 ? at - stride[a] : at, high = p[a] < n[a] - 1 ? at + stride[a] : at;
          m->step[a * m->samples + at] = force * (m->warped[high] - m->warped[low]) * 0.5f;
        }
      }
}

static float longest(const match *m, const float *field) {
  float most = 0;
  for (size_t s = 0; s < m->samples; s++) {
    const float x = field[s], y = field[m->samples + s], z = field[2 * m->samples + s];
    most = fmaxf(most, x * x + y * y + z * z);
  }
  return sqrtf(most);
}

static cw_status take_step(match *m, float *u) {
  const int threads = cw_context_threads(m->context);
  float noise;
  cw_warp_forward(m->size, 1, m->moving, u, m->warped, threads);
  CW_TRY(local_moments(m, m->warped, m->mean, m->variance, &noise));
  for (size_t s = 0; s < m->samples; s++)
    m->covariance[s] = m->fixed[s] * m->warped[s];
  CW_TRY(smooth(m, m->covariance, 1, window));
  for (size_t s = 0; s < m->samples; s++)
    m->covariance[s] -= m->fixed_mean[s] * m->mean[s];
  ascend(m, noise);
  CW_TRY(smooth(m, m->step, 3, step_smooth));
  cw_taper(m->size, match_margin, m->step, m->step);
  const float length = longest(m, m->step);
  /* A gradient of 1 a voxel is a step of one voxel; far from the goal all steps are as long as they may be. */
  for (size_t s = 0; s < 3 * m->samples && length > step_length; s++)
    m->step[s] *= step_length / length;
  cw_compose_forward(m->size, u, m->step, m->joined, threads);
  memcpy(u, m->joined, 3 * m->samples * sizeof *u);
  CW_TRY(smooth(m, u, 3, field_smooth));
  cw_taper(m->size, match_margin, u, u);
  return CW_OK;
}

/* A copy whose largest magnitude is between 1/2 and 1, exactly: products of variances stay in range. */
static void copy_scaled(const float *image, size_t samples, float *copy) {
  float most = 0;
  int exponent = 0;
  for (size_t s = 0; s < samples; s++)
    most = fmaxf(most, fabsf(image[s]));
  frexpf(most, &exponent);
  for (size_t s = 0; s < samples; s++)
    copy[s] = ldexpf(image[s], -exponent);
}

cw_status cw_match(cw_context *context, const int size[3], const float *fixed, const float *moving, float *u) {
  const double origin[3] = {0, 0, 0};
  match m = {.context = context, .size = size, .grid = cw_grid_cube(1, 1, origin)};
  memcpy(m.grid.size, size, sizeof m.grid.size);
  m.samples = cw_grid_samples(&m.grid);
  for (size_t s = 0; s < m.samples; s++)
    if (!isfinite(fixed[s]) || !isfinite(moving[s]))
      return cw_fail(context, CW_ERROR_NUMERIC, "match: an image holds NaN or Inf");
  float *memory = cw_allocate(context, 14 * m.samples, sizeof *memory);
  if (!memory)
    return CW_ERROR_MEMORY;
  m.fixed_mean = memory;
  m.fixed_variance = m.fixed_mean + m.samples;
  m.warped = m.fixed_variance + m.samples;
  m.mean = m.warped + m.samples;
  m.variance = m.mean + m.samples;
  m.covariance = m.variance + m.samples;
  m.step = m.covariance + m.samples;
  m.joined = m.step + 3 * m.samples;
  float *const own_fixed = m.joined + 3 * m.samples, *const own_moving = own_fixed + m.samples;
  copy_scaled(fixed, m.samples, own_fixed);
  copy_scaled(moving, m.samples, own_moving);
  m.fixed = own_fixed;
  m.moving = own_moving;
  memset(u, 0, 3 * m.samples * sizeof *u);
  cw_status status = local_moments(&m, m.fixed, m.fixed_mean, m.fixed_variance, &m.fixed_noise);
  for (int i = 0; i < match_steps && status == CW_OK; i++) {
    status = cw_progress(context, "matching shapes", (double)i / match_steps);
    if (status == CW_OK)
      status = take_step(&m, u);
  }
  cw_release(context, memory);
  return status;
}
