/* Composition of displacement fields, and its adjoint.  The sampled field is held at its border. */
#include "Warp/compose.h"

#include "counterwarp/warp.h"
#include "Warp/block.h"
#include "Warp/grid_cell.h"

/* ---- one voxel at a time ---- */

typedef struct cell {
  size_t at;      /* lower corner */
  size_t step[3]; /* to the next sample along each axis; 0 on an axis of one sample */
  float weight[3], free[3];
} cell;

static inline cell cell_at(const int size[3], int i, int j, int k, float ux, float uy, float uz) {
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

static inline float value_at(const cell *c, const float *a) {
  const float *p = a + c->at, *q = p + c->step[2];
  const size_t x = c->step[0], y = c->step[1];
  const float near = cw_mix(cw_mix(p[0], p[x], c->weight[0]), cw_mix(p[y], p[y + x], c->weight[0]), c->weight[1]);
  const float far = cw_mix(cw_mix(q[0], q[x], c->weight[0]), cw_mix(q[y], q[y + x], c->weight[0]), c->weight[1]);
  return cw_mix(near, far, c->weight[2]);
}

static inline void forward_voxel(const int size[3], int i, int j, int k, const float *a, const float *b, float *w) {
  const size_t samples = cw_samples(size), p = ((size_t)k * size[1] + j) * size[0] + i;
  const cell c = cell_at(size, i, j, k, b[p], b[samples + p], b[2 * samples + p]);
  for (int axis = 0; axis < 3; axis++)
    w[axis * samples + p] = b[axis * samples + p] + value_at(&c, a + axis * samples);
}

static inline void backward_voxel(const int size[3], int i, int j, int k, const float *a, const float *b,
                                  const float *grad_w, float *grad_a, float *grad_b) {
  const size_t samples = cw_samples(size), p = ((size_t)k * size[1] + j) * size[0] + i;
  const cell c = cell_at(size, i, j, k, b[p], b[samples + p], b[2 * samples + p]);
  const float g[3] = {grad_w[p], grad_w[samples + p], grad_w[2 * samples + p]};
  if (grad_b) {
    /* The slope of g . a, whose eight corner values stand in v. */
    float v[8];
    for (int n = 0; n < 8; n++) {
      const float *q = a + c.at + (n & 1 ? c.step[0] : 0) + (n & 2 ? c.step[1] : 0) + (n & 4 ? c.step[2] : 0);
      v[n] = g[0] * q[0] + g[1] * q[samples] + g[2] * q[2 * samples];
    }
    const float slope[3] = {cw_slope_x(v, c.weight), cw_slope_y(v, c.weight), cw_slope_z(v, c.weight)};
    for (int axis = 0; axis < 3; axis++)
      grad_b[axis * samples + p] += c.free[axis] > 0 ? g[axis] + slope[axis] : g[axis];
  }
  if (grad_a)
    for (int n = 0; n < 8; n++) {
      const float weight = (n & 1 ? c.weight[0] : 1 - c.weight[0]) * (n & 2 ? c.weight[1] : 1 - c.weight[1]) *
                           (n & 4 ? c.weight[2] : 1 - c.weight[2]);
      float *q = grad_a + c.at + (n & 1 ? c.step[0] : 0) + (n & 2 ? c.step[1] : 0) + (n & 4 ? c.step[2] : 0);
      q[0] += g[0] * weight;
      q[samples] += g[1] * weight;
      q[2 * samples] += g[2] * weight;
    }
}

/* ---- rows ---- */

CW_CLONES static void compose_forward_row(const int size[3], int j, int k, const float *a, const float *b,
                                          float *restrict w) {
  const size_t samples = cw_samples(size), row = (size_t)size[0], plane = row * size[1];
  const size_t start = (size_t)k * plane + (size_t)j * row;
  const int n = size[0];
  if (n < CW_LANES || size[1] < 2 || size[2] < 2) {
    for (int i = 0; i < n; i++)
      forward_voxel(size, i, j, k, a, b, w);
    return;
  }
  for (int next = 0; next < n; next += CW_LANES) {
    const int i = next < n - CW_LANES ? next : n - CW_LANES; /* the last block overlaps the one before */
    const size_t at = start + i;
    cw_block block;
    const cw_block_kind kind =
        cw_block_place(size, i, j, k, b + at, b + samples + at, b + 2 * samples + at, false, &block);
    if (kind == CW_BLOCK_VOXELS) {
      for (int l = next - i; l < CW_LANES; l++)
        forward_voxel(size, i + l, j, k, a, b, w);
      continue;
    }
    float sum[3][CW_LANES];
    if (kind == CW_BLOCK_DENSE)
      cw_block_sample(&block, a, row, plane, samples, 3, sum);
    for (int axis = 0; axis < 3; axis++) {
      if (kind == CW_BLOCK_SCATTERED)
        cw_block_sample_scattered(&block, a + axis * samples + at, row, plane, sum[axis]);
#pragma omp simd
      for (int l = 0; l < CW_LANES; l++)
        w[axis * samples + at + l] = b[axis * samples + at + l] + sum[axis][l];
    }
  }
}

CW_CLONES static void compose_backward_row(const int size[3], int j, int k, const float *a, const float *b,
                                           const float *grad_w, float *grad_a, float *grad_b) {
  enum { STEP = CW_LANES - 2 }; /* cw_spread_prepare wants two idle lanes */
  const size_t samples = cw_samples(size), row = (size_t)size[0], plane = row * size[1];
  const size_t start = (size_t)k * plane + (size_t)j * row;
  const int n = size[0], blocks_end = n < CW_LANES || size[1] < 2 || size[2] < 2 ? 0 : n - 2;
  for (int next = 0; next < blocks_end; next += STEP) {
    const int i = next < n - CW_LANES ? next : n - CW_LANES, done = next - i;
    const size_t at = start + i;
    cw_block block;
    if (cw_block_place(size, i, j, k, b + at, b + samples + at, b + 2 * samples + at, true, &block) != CW_BLOCK_DENSE) {
      for (int l = done; l < STEP; l++)
        backward_voxel(size, i + l, j, k, a, b, grad_w, grad_a, grad_b);
      continue;
    }
    float g[3][CW_LANES];
    for (int axis = 0; axis < 3; axis++) {
#pragma omp simd
      for (int l = 0; l < CW_LANES; l++)
        g[axis][l] = l >= done && l < STEP ? grad_w[axis * samples + at + l] : 0;
    }
    cw_spread spread;
    if (grad_a)
      cw_spread_prepare(&block, row, plane, 3, (const float(*)[CW_LANES])g, &spread);
    if (grad_b) {
      float slope[3][CW_LANES] = {{0}};
      cw_block_slope(&block, a, row, plane, samples, 3, (const float(*)[CW_LANES])g, slope);
      for (int axis = 0; axis < 3; axis++) {
        float *to = grad_b + axis * samples + at;
#pragma omp simd
        for (int l = 0; l < CW_LANES; l++)
          to[l] += g[axis][l] + slope[axis][l] * (block.held ? block.free[axis][l] : 1);
      }
    }
    if (grad_a)
      cw_spread_add(&block, &spread, samples, 3, grad_a);
  }
  for (int i = blocks_end; i < n; i++)
    backward_voxel(size, i, j, k, a, b, grad_w, grad_a, grad_b);
}

typedef struct compose_work {
  const int *size;
  const float *a, *b;
  float *w;
} compose_work;

static void compose_slices(void *user, int slab, int begin, int end) {
  const compose_work *work = user;
  (void)slab;
  for (int k = begin; k < end; k++)
    for (int j = 0; j < work->size[1]; j++)
      compose_forward_row(work->size, j, k, work->a, work->b, work->w);
}

cw_status cw_compose_run(const cw_crew *crew, const int size[3], const float *a, const float *b, float *w) {
  compose_work work = {size, a, b, w};
  return cw_crew_run(crew, size[2], (size_t)size[0] * (size_t)size[1], compose_slices, &work);
}

void cw_compose_forward(const int size[3], const float *a, const float *b, float *w, int threads) {
  const cw_crew crew = {threads, NULL, "", 0, 1};
  (void)cw_compose_run(&crew, size, a, b, w);
}

void cw_compose_backward(const int size[3], const float *a, const float *b, const float *grad_w, float *grad_a,
                         float *grad_b) {
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      compose_backward_row(size, j, k, a, b, grad_w, grad_a, grad_b);
}
