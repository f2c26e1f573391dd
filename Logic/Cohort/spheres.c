/* The synthetic kind: two ellipsoid blobs.  The disease shrinks blob A to 0.6 .. 0.8 of its radius and moves nothing
 * beyond 1.5 radii; blob B varies without meaning.  Everything is analytic, so log J is exact. */
#include <math.h>
#include <string.h>

#include "cohort_internal.h"

static const double reach = 1.5; /* of the disease, in radii of the healthy blob */

typedef struct blob {
  double center[3], radius[3]; /* voxels */
  double brightness, mean_radius;
} blob;

static blob draw_blob(cw_random *random, double x, double scale) {
  blob b;
  const double middle[3] = {x, 15.5, 15.5};
  const double base = cw_random_uniform(random, 4.2, 5.4);
  b.mean_radius = 0;
  for (int a = 0; a < 3; a++) {
    b.center[a] = (middle[a] + 0.5 + cw_random_uniform(random, -1.5, 1.5)) * scale - 0.5;
    b.radius[a] = base * cw_random_uniform(random, 0.9, 1.1) * scale;
    b.mean_radius += b.radius[a] / 3;
  }
  b.brightness = cw_random_uniform(random, 0.6, 1.0);
  return b;
}

/* Distance from the centre in radii. */
static double radii(const blob *b, const double p[3]) {
  double sum = 0;
  for (int a = 0; a < 3; a++)
    sum += (p[a] - b->center[a]) * (p[a] - b->center[a]) / (b->radius[a] * b->radius[a]);
  return sqrt(sum);
}

/* The radial pull-back q -> g(q), in healthy radii: q / s within the shrunk blob, then linear back to the identity.
 * Returns g / q, the factor on the vector from the centre; log J = log (g/q)^2 dg/dq. */
static double pull(double q, double s, double *log_jacobian) {
  const double slope = (reach - 1) / (reach - s);
  double ratio = 1, derivative = 1;
  if (q <= s) {
    ratio = derivative = 1 / s;
  } else if (q < reach) {
    ratio = (1 + (q - s) * slope) / q;
    derivative = slope;
  }
  *log_jacobian = log(ratio * ratio * derivative);
  return ratio;
}

/* A soft-edged ball: the edge is as wide for every blob. */
static double profile(const blob *b, const double p[3], double scale) {
  return b->brightness / (1 + exp(-(1 - radii(b, p)) * b->mean_radius / (0.4 * scale)));
}

static void fill(const cw_cohort_options *options, int index, bool diseased, const float *gain, const float *texture,
                 cw_subject *subject) {
  const int n = options->size;
  const bool patient = index % 2 == 1;
  const double scale = n / 32.0;
  cw_random shape = cw_subject_stream(options->seed, index, CW_DRAW_SHAPE),
            disease = cw_subject_stream(options->seed, index, CW_DRAW_DISEASE),
            noise = cw_subject_stream(options->seed, index, CW_DRAW_NOISE);
  const blob a = draw_blob(&shape, 9.5, scale), b = draw_blob(&shape, 22, scale);
  const double s = patient ? cw_random_uniform(&disease, 0.6, 0.8) : 0.7;
  subject->severity = patient ? 1 - s * s * s : 0;
  size_t at = 0;
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++)
      for (int i = 0; i < n; i++, at++) {
        double p[3] = {i, j, k}, log_jacobian;
        const double ratio = pull(radii(&a, p), s, &log_jacobian);
        for (int axis = 0; axis < 3 && diseased; axis++)
          p[axis] = a.center[axis] + (p[axis] - a.center[axis]) * ratio;
        const double image = profile(&a, p, scale) + profile(&b, p, scale);
        subject->image.data[at] =
            (float)(image * (1 + 0.08 * gain[at]) + 0.06 * texture[at] + 0.03 * cw_random_normal(&noise));
        subject->truth_logjac.data[at] = (float)log_jacobian;
        subject->truth_mask.data[at] = fabs(log_jacobian) > 0.05;
        subject->truth_region.data[at] = 1;
      }
}

cw_status cw_spheres_subject(cw_context *context, const cw_cohort_options *options, int index,
                             const cw_subject_variant *variant, cw_subject *subject) {
  const bool diseased = variant->alone ? variant->effect == 0 : index % 2 == 1;
  const int n = options->size;
  const double spacing = options->field_of_view > 0 ? options->field_of_view / n : 2, center[3] = {0, 0, 0};
  const cw_grid grid = cw_grid_cube(n, spacing, center);
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->image));
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->truth_logjac));
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->truth_mask));
  CW_TRY(cw_volume_create(context, &grid, 1, &subject->truth_region));
  const size_t samples = cw_grid_samples(&grid);
  float *fields = cw_allocate(context, 2 * samples, sizeof *fields);
  if (!fields)
    return CW_ERROR_MEMORY;
  cw_random bias = cw_subject_stream(options->seed, index, CW_DRAW_BIAS);
  cw_status status = cw_noise_smooth(context, &bias, n, 5 * n / 32.0, fields);
  if (status == CW_OK)
    status = cw_noise_smooth(context, &bias, n, 2.5 * n / 32.0, fields + samples);
  if (status == CW_OK)
    fill(options, index, diseased, fields, fields + samples, subject);
  cw_release(context, fields);
  return status;
}
