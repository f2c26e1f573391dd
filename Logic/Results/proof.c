#include "Results/proof.h"

#include <math.h>

#include "counterwarp/results.h"
#include "counterwarp/warp.h"

double cw_length_mm(const cw_model *model, const float *u, size_t at) {
  const double(*m)[4] = model->preprocessing.grid.to_world.m;
  const size_t samples = cw_grid_samples(&model->preprocessing.grid);
  const double x = u[at], y = u[samples + at], z = u[2 * samples + at];
  double square = 0;
  for (int r = 0; r < 3; r++) {
    const double mm = m[r][0] * x + m[r][1] * y + m[r][2] * z;
    square += mm * mm;
  }
  return sqrt(square);
}

cw_status cw_proof_composition(cw_context *context, const cw_proof_request *r, double *error) {
  const cw_grid *grid = &r->model->preprocessing.grid;
  const size_t samples = cw_grid_samples(grid);
  float *a = r->scratch, *b = a + 3 * samples, *both = b + 3 * samples;
  CW_TRY(cw_model_displacement(context, r->model, r->network, 0.4f * r->strength, a));
  CW_TRY(cw_model_displacement(context, r->model, r->network, 0.6f * r->strength, b));
  cw_compose_forward(grid->size, a, b, both, r->threads);
  for (size_t i = 0; i < 3 * samples; i++)
    both[i] -= r->u[i];
  *error = 0;
  for (size_t i = 0; i < samples; i++)
    *error = fmax(*error, cw_length_mm(r->model, both, i));
  return CW_OK;
}

cw_status cw_proof_agreement(cw_context *context, const cw_proof_request *r, double *agreement) {
  const cw_grid *grid = &r->model->preprocessing.grid;
  const size_t samples = cw_grid_samples(grid);
  float *u = r->scratch, *a = u + 3 * samples, *b = a + samples;
  CW_TRY(cw_model_displacement(context, r->model, r->opposite, r->strength, u));
  cw_jacobian_determinant(grid->size, r->u, true, a, r->threads);
  cw_jacobian_determinant(grid->size, u, true, b, r->threads);
  *agreement = -cw_correlation(a, b, samples);
  return CW_OK;
}

double cw_proof_strain(const cw_proof_request *r) {
  const int *size = r->model->preprocessing.grid.size;
  const size_t samples = cw_grid_samples(&r->model->preprocessing.grid);
  const size_t step[3] = {1, (size_t)size[0], (size_t)size[0] * size[1]};
  double sum = 0;
  for (int c = 0; c < 3; c++) {
    const float *u = r->u + c * samples;
    size_t at = 0;
    for (int k = 0; k < size[2]; k++)
      for (int j = 0; j < size[1]; j++)
        for (int i = 0; i < size[0]; i++, at++) {
          const int p[3] = {i, j, k};
          for (int axis = 0; axis < 3; axis++)
            if (p[axis] + 1 < size[axis]) {
              const double d = (double)u[at + step[axis]] - u[at];
              sum += d * d;
            }
        }
  }
  return sqrt(sum / (double)samples);
}
