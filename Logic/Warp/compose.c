/* Composition of displacement fields, and its adjoint.  The sampled field is held at its border. */
#include "counterwarp/warp.h"
#include "Warp/grid_cell.h"

typedef struct cell {
  size_t at;      /* lower corner */
  size_t step[3]; /* to the next sample along each axis; 0 on an axis of one sample */
  float weight[3], free[3];
} cell;

static cell cell_at(const int size[3], int i, int j, int k, float ux, float uy, float uz) {
  cell c;
  int x, y, z;
  cw_cell_clamped(i, size[0], ux, &x, &c.weight[0], &c.free[0]);
  cw_cell_clamped(j, size[1], uy, &y, &c.weight[1], &c.free[1]);
  cw_cell_clamped(k, size[2], uz, &z, &c.weight[2], &c.free[2]);
  c.at = ((size_t)z * size[1] + y) * size[0] + x;
  c.step[0] = size[0] > 1;
  c.step[1] = size[1] > 1 ? (size_t)size[0] : 0;
  c.step[2] = size[2] > 1 ? (size_t)size[0] * size[1] : 0;
  return c;
}

static float value_at(const cell *c, const float *a) {
  const float *p = a + c->at, *q = p + c->step[2];
  const size_t x = c->step[0], y = c->step[1];
  const float near = cw_mix(cw_mix(p[0], p[x], c->weight[0]), cw_mix(p[y], p[y + x], c->weight[0]), c->weight[1]);
  const float far = cw_mix(cw_mix(q[0], q[x], c->weight[0]), cw_mix(q[y], q[y + x], c->weight[0]), c->weight[1]);
  return cw_mix(near, far, c->weight[2]);
}

void cw_compose_forward(const int size[3], const float *a, const float *b, float *w, int threads) {
  const size_t samples = cw_samples(size);
#pragma omp parallel for schedule(static) num_threads(cw_team(threads, size[2]))
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const size_t p = ((size_t)k * size[1] + j) * size[0] + i;
        const cell c = cell_at(size, i, j, k, b[p], b[samples + p], b[2 * samples + p]);
        for (int axis = 0; axis < 3; axis++)
          w[axis * samples + p] = b[axis * samples + p] + value_at(&c, a + axis * samples);
      }
}

void cw_compose_backward(const int size[3], const float *a, const float *b, const float *grad_w, float *grad_a,
                         float *grad_b) {
  const size_t samples = cw_samples(size);
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const size_t p = ((size_t)k * size[1] + j) * size[0] + i;
        const cell c = cell_at(size, i, j, k, b[p], b[samples + p], b[2 * samples + p]);
        const float wx = c.weight[0], wy = c.weight[1], wz = c.weight[2];
        float slope[3] = {0, 0, 0};
        for (int axis = 0; axis < 3; axis++) {
          const float g = grad_w[axis * samples + p];
          for (int n = 0; n < 8; n++) {
            const int d = n & 1, e = n >> 1 & 1, f = n >> 2;
            const float x = d ? wx : 1 - wx, y = e ? wy : 1 - wy, z = f ? wz : 1 - wz;
            const size_t at = axis * samples + c.at + d * c.step[0] + e * c.step[1] + f * c.step[2];
            slope[0] += g * a[at] * (d ? 1 : -1) * y * z;
            slope[1] += g * a[at] * x * (e ? 1 : -1) * z;
            slope[2] += g * a[at] * x * y * (f ? 1 : -1);
            if (grad_a)
              grad_a[at] += g * x * y * z;
          }
        }
        for (int axis = 0; axis < 3 && grad_b; axis++)
          grad_b[axis * samples + p] += grad_w[axis * samples + p] + slope[axis] * c.free[axis];
      }
}
