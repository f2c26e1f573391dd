/* Trilinear sampling of images at displaced voxels, and its adjoint.  Samples outside the box count as zero. */
#include "Warp/sample.h"

#include "counterwarp/warp.h"
#include "Warp/block.h"
#include "Warp/grid_cell.h"

/* ---- one voxel at a time ---- */

/* The eight neighbours n = x + 2 y + 4 z of a point. */
typedef struct corner_set {
  ptrdiff_t at; /* offset of the lower corner, which may lie outside */
  ptrdiff_t step[3];
  float weight[3];
  unsigned inside; /* bit n: neighbour n exists */
} corner_set;

static inline bool corners_at(const int size[3], int i, int j, int k, float ux, float uy, float uz, corner_set *c) {
  int x, y, z;
  if (!cw_cell(i, size[0], ux, &x, &c->weight[0]) || !cw_cell(j, size[1], uy, &y, &c->weight[1]) ||
      !cw_cell(k, size[2], uz, &z, &c->weight[2]))
    return false;
  c->step[0] = 1;
  c->step[1] = size[0];
  c->step[2] = (ptrdiff_t)size[0] * size[1];
  c->at = z * c->step[2] + y * c->step[1] + x;
  c->inside = (x >= 0 ? 0x55u : 0) | (x + 1 < size[0] ? 0xaau : 0);
  c->inside &= (y >= 0 ? 0x33u : 0) | (y + 1 < size[1] ? 0xccu : 0);
  c->inside &= (z >= 0 ? 0x0fu : 0) | (z + 1 < size[2] ? 0xf0u : 0);
  return true;
}

static inline ptrdiff_t corner(const corner_set *c, int n) {
  return c->at + (n & 1 ? c->step[0] : 0) + (n & 2 ? c->step[1] : 0) + (n & 4 ? c->step[2] : 0);
}

static inline void corner_values(const corner_set *c, const float *in, float v[8]) {
  if (c->inside == 0xff) {
    const float *p = in + c->at, *q = p + c->step[2];
    const ptrdiff_t y = c->step[1];
    v[0] = p[0], v[1] = p[1], v[2] = p[y], v[3] = p[y + 1];
    v[4] = q[0], v[5] = q[1], v[6] = q[y], v[7] = q[y + 1];
    return;
  }
  for (int n = 0; n < 8; n++)
    v[n] = c->inside >> n & 1 ? in[corner(c, n)] : 0;
}

static inline float value_at(const corner_set *c, const float *in) {
  float v[8];
  corner_values(c, in, v);
  const float x = c->weight[0], y = c->weight[1], z = c->weight[2];
  return cw_mix(cw_mix(cw_mix(v[0], v[1], x), cw_mix(v[2], v[3], x), y),
                cw_mix(cw_mix(v[4], v[5], x), cw_mix(v[6], v[7], x), y), z);
}

static inline void backward_voxel(const int size[3], int channels, int i, int j, int k, const float *in, const float *u,
                                  const float *grad_out, float *grad_in, float *grad_u) {
  const size_t samples = cw_samples(size), p = ((size_t)k * size[1] + j) * size[0] + i;
  corner_set c;
  if (!corners_at(size, i, j, k, u[p], u[samples + p], u[2 * samples + p], &c))
    return;
  float slope[3] = {0, 0, 0};
  for (int channel = 0; channel < channels; channel++) {
    const float g = grad_out[channel * samples + p];
    if (grad_u) {
      float v[8];
      corner_values(&c, in + channel * samples, v);
      slope[0] += g * cw_slope_x(v, c.weight);
      slope[1] += g * cw_slope_y(v, c.weight);
      slope[2] += g * cw_slope_z(v, c.weight);
    }
    for (int n = 0; grad_in && n < 8; n++)
      if (c.inside >> n & 1)
        grad_in[channel * samples + corner(&c, n)] += g * (n & 1 ? c.weight[0] : 1 - c.weight[0]) *
                                                      (n & 2 ? c.weight[1] : 1 - c.weight[1]) *
                                                      (n & 4 ? c.weight[2] : 1 - c.weight[2]);
  }
  for (int axis = 0; axis < 3 && grad_u; axis++)
    grad_u[axis * samples + p] += slope[axis];
}

/* ---- rows ---- */

/* Rows and boxes that the block path cannot take. */
static bool is_small(const int size[3]) {
  return size[0] < CW_LANES || size[1] < 2 || size[2] < 2;
}

CW_CLONES static void sample_forward_row(const int size[3], int channels, int first, int j, int k, int n,
                                         const float *in, const float *ux, const float *uy, const float *uz,
                                         size_t out_samples, float *out) {
  const size_t samples = cw_samples(size), row = (size_t)size[0], plane = row * size[1];
  const int lanes = is_small(size) || n < CW_LANES ? n : CW_LANES;
  for (int next = 0; next < n; next += lanes) {
    const int i = next < n - lanes ? next : n - lanes; /* the last block overlaps the one before */
    cw_block block;
    const cw_block_kind kind = lanes == CW_LANES
                                   ? cw_block_place(size, first + i, j, k, ux + i, uy + i, uz + i, false, &block)
                                   : CW_BLOCK_VOXELS;
    if (kind == CW_BLOCK_SCATTERED && !block.held) {
      const size_t at = (size_t)k * plane + (size_t)j * row + (size_t)(first + i);
      for (int channel = 0; channel < channels; channel++)
        cw_block_sample_scattered(&block, in + channel * samples + at, row, plane, out + channel * out_samples + i);
      continue;
    }
    if (kind == CW_BLOCK_DENSE && !block.held) {
      for (int channel = 0; channel < channels; channel++)
        cw_block_sample(&block, in + channel * samples, row, plane, 0, 1,
                        (float(*)[CW_LANES])(out + channel * out_samples + i));
      continue;
    }
    for (int at = next; at < i + lanes; at++) {
      corner_set c = {0};
      const bool touches = corners_at(size, first + at, j, k, ux[at], uy[at], uz[at], &c);
      for (int channel = 0; channel < channels; channel++)
        out[channel * out_samples + at] = touches ? value_at(&c, in + channel * samples) : 0;
    }
  }
}

CW_CLONES static void sample_backward_row(const int size[3], int channels, int j, int k, const float *in,
                                          const float *u, const float *grad_out, float *grad_in, float *grad_u) {
  enum { STEP = CW_LANES - 2 }; /* cw_spread_prepare wants two idle lanes */
  const size_t samples = cw_samples(size), row = (size_t)size[0], plane = row * size[1];
  const size_t start = (size_t)k * plane + (size_t)j * row;
  const int n = size[0], blocks_end = is_small(size) ? 0 : n - 2;
  for (int next = 0; next < blocks_end; next += STEP) {
    const int i = next < n - CW_LANES ? next : n - CW_LANES, done = next - i;
    const size_t at = start + i;
    cw_block block;
    if (cw_block_place(size, i, j, k, u + at, u + samples + at, u + 2 * samples + at, true, &block) != CW_BLOCK_DENSE ||
        block.held) {
      for (int l = done; l < STEP; l++)
        backward_voxel(size, channels, i + l, j, k, in, u, grad_out, grad_in, grad_u);
      continue;
    }
    float slope[3][CW_LANES] = {{0}};
    for (int channel = 0; channel < channels; channel++) {
      float g[1][CW_LANES];
#pragma omp simd
      for (int l = 0; l < CW_LANES; l++)
        g[0][l] = l >= done && l < STEP ? grad_out[channel * samples + at + l] : 0;
      cw_spread spread;
      if (grad_in)
        cw_spread_prepare(&block, row, plane, 1, (const float(*)[CW_LANES])g, &spread);
      if (grad_u)
        cw_block_slope(&block, in + channel * samples, row, plane, samples, 1, (const float(*)[CW_LANES])g, slope);
      if (grad_in)
        cw_spread_add(&block, &spread, samples, 1, grad_in + channel * samples);
    }
    for (int axis = 0; axis < 3 && grad_u; axis++) {
      float *to = grad_u + axis * samples + at;
#pragma omp simd
      for (int l = 0; l < CW_LANES; l++)
        to[l] += slope[axis][l];
    }
  }
  for (int i = blocks_end; i < n; i++)
    backward_voxel(size, channels, i, j, k, in, u, grad_out, grad_in, grad_u);
}

void cw_sample_row(const int size[3], int channels, const int first[3], int n, const float *in, const float *ux,
                   const float *uy, const float *uz, size_t out_samples, float *out) {
  sample_forward_row(size, channels, first[0], first[1], first[2], n, in, ux, uy, uz, out_samples, out);
}

void cw_warp_forward(const int size[3], int channels, const float *in, const float *u, float *out, int threads) {
  const size_t samples = cw_samples(size);
  const int team = cw_team(threads, size[2]);
  (void)team; /* unused without OpenMP */
#pragma omp parallel for schedule(static) num_threads(team)
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++) {
      const size_t at = ((size_t)k * size[1] + j) * size[0];
      sample_forward_row(size, channels, 0, j, k, size[0], in, u + at, u + samples + at, u + 2 * samples + at, samples,
                         out + at);
    }
}

void cw_warp_backward(const int size[3], int channels, const float *in, const float *u, const float *grad_out,
                      float *grad_in, float *grad_u) {
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      sample_backward_row(size, channels, j, k, in, u, grad_out, grad_in, grad_u);
}
