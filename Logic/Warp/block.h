/* Internal: the fast path of trilinear sampling, a block of neighbouring voxels of a row at a time.
 *
 * Smooth fields move neighbours alike: along each axis the cells of a block start at voxel + c or voxel + c + 1 for one
 * whole number c.  The block's samples then lie in 2 or 3 shifted rows along each axis, read as plain vectors, and each
 * voxel's trilinear weights are spread over these taps, with zeros for the neighbours that it does not use.  No gather,
 * no scatter, no test inside.  Other blocks take the voxel-wise path. */
#ifndef COUNTERWARP_WARP_BLOCK_H
#define COUNTERWARP_WARP_BLOCK_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "Tensor/dispatch.h"
#include "Warp/grid_cell.h"

enum { CW_LANES = 16 };

typedef struct cw_block {
  float cell[3][CW_LANES], part[3][CW_LANES]; /* u = cell + part, cell whole */
  float weight[3][3][CW_LANES];               /* [axis][tap][lane] */
  float slope[3][3][CW_LANES];                /* their derivatives by the displacement */
  float free[3][CW_LANES]; /* if held: 1 where the point moves with u along this axis, 0 where it does not */
  int offset[CW_LANES];    /* scattered: of the lower corner, from the block's own lane 0 */
  int taps[3];             /* dense: 2 or 3 along each axis */
  ptrdiff_t first;         /* dense: offset of the first tap of lane 0 */
  bool held;               /* some point is held */
} cw_block;

typedef enum cw_block_kind {
  CW_BLOCK_VOXELS,    /* to be taken voxel by voxel */
  CW_BLOCK_DENSE,     /* on 2 or 3 taps along each axis */
  CW_BLOCK_SCATTERED, /* all eight neighbours of every point inside the box */
} cw_block_kind;

CW_INLINE void cw_block_floor(const float *u, float *restrict cell, float *restrict part) {
#pragma omp simd
  for (int l = 0; l < CW_LANES; l++) {
    cell[l] = floorf(u[l]);
    part[l] = u[l] - cell[l];
  }
}

/* The same for points i + u clamped to [0, n - 1]; i = start + step * lane; n >= 2.  NaN is held at 0. */
CW_INLINE void cw_block_clamp(const float *u, int start, int step, int n, float *restrict cell, float *restrict part,
                              float *restrict free) {
#pragma omp simd
  for (int l = 0; l < CW_LANES; l++) {
    const float down = (float)-(start + step * l), up = (float)(n - 1 - (start + step * l));
    const float at_least = u[l] >= down ? u[l] : down;
    const float point = at_least <= up ? at_least : up;
    const float below = floorf(point), last = up - 1;
    const float base = below < last ? below : last; /* the border sample: the upper end of the last cell */
    cell[l] = base;
    part[l] = point - base;
    free[l] = point == u[l] ? 1.0f : 0.0f;
  }
}

/* How the cells lie against lane 0's, a byte an axis: bit 2 is set by cells equal to it, 1 and 3 by those one below and
 * above, 0 (also NaN) and 4 by those farther off.  One reduction serves all axes. */
CW_INLINE int cw_block_relief(float (*restrict cell)[CW_LANES]) {
  const float x = cell[0][0] - 2, y = cell[1][0] - 2, z = cell[2][0] - 2;
  int relief = 0;
#pragma omp simd reduction(| : relief)
  for (int l = 0; l < CW_LANES; l++) {
    float dx = cell[0][l] - x, dy = cell[1][l] - y, dz = cell[2][l] - z;
    dx = dx > 0 ? dx : 0, dy = dy > 0 ? dy : 0, dz = dz > 0 ? dz : 0;
    dx = dx < 4 ? dx : 4, dy = dy < 4 ? dy : 4, dz = dz < 4 ? dz : 4;
    relief |= 1 << (int)dx | 1 << ((int)dy + 8) | 1 << ((int)dz + 16);
  }
  return relief;
}

/* Taps and their first cell from the relief; false where the cells are more than two. */
CW_INLINE bool cw_block_levels(int relief, cw_block *b, int low[3]) {
  for (int axis = 0; axis < 3; axis++) {
    const int bits = relief >> 8 * axis & 31;
    if (bits & 17 || (bits & 10) == 10)
      return false;
    low[axis] = (int)b->cell[axis][0] - (bits >> 1 & 1);
    b->taps[axis] = bits == 4 ? 2 : 3;
  }
  return true;
}

/* Weights of the taps low, low + 1, low + 2. */
CW_INLINE void cw_block_weights(cw_block *b, int axis, int low, bool slopes) {
  const float *cell = b->cell[axis], *part = b->part[axis], base = (float)low;
  if (b->taps[axis] == 2) {
#pragma omp simd
    for (int l = 0; l < CW_LANES; l++) {
      b->weight[axis][0][l] = 1 - part[l];
      b->weight[axis][1][l] = part[l];
      b->weight[axis][2][l] = 0;
      if (slopes) {
        b->slope[axis][0][l] = -1;
        b->slope[axis][1][l] = 1;
        b->slope[axis][2][l] = 0;
      }
    }
    return;
  }
#pragma omp simd
  for (int l = 0; l < CW_LANES; l++) {
    const float upper = cell[l] - base, lower = 1 - upper; /* which of the two cells: 0 or 1 */
    b->weight[axis][0][l] = lower * (1 - part[l]);
    b->weight[axis][1][l] = lower * part[l] + upper * (1 - part[l]);
    b->weight[axis][2][l] = upper * part[l];
    if (slopes) {
      b->slope[axis][0][l] = -lower;
      b->slope[axis][1][l] = lower - upper;
      b->slope[axis][2][l] = upper;
    }
  }
}

/* Corners of points that follow no common pattern; not where one lies outside. */
CW_INLINE cw_block_kind cw_block_scatter(const int size[3], int i, int j, int k, cw_block *b) {
  const ptrdiff_t plane = (ptrdiff_t)size[0] * size[1];
  if (plane * size[2] > 1 << 30)
    return CW_BLOCK_VOXELS;
  const float x_end = (float)(size[0] - 2 - i), y_end = (float)(size[1] - 2 - j), z_end = (float)(size[2] - 2 - k);
  const float x_begin = (float)-i, y_begin = (float)-j, z_begin = (float)-k;
  const int row = size[0], slice = (int)plane;
  int outside = 0;
#pragma omp simd reduction(| : outside)
  for (int l = 0; l < CW_LANES; l++) {
    const float x = b->cell[0][l] + (float)l, y = b->cell[1][l], z = b->cell[2][l];
    const int in_x = x >= x_begin && x <= x_end, in_y = y >= y_begin && y <= y_end, in_z = z >= z_begin && z <= z_end;
    outside |= !(in_x & in_y & in_z);
    b->offset[l] = (int)(in_z ? z : 0) * slice + (int)(in_y ? y : 0) * row + (int)(in_x ? x : 0);
  }
  return outside ? CW_BLOCK_VOXELS : CW_BLOCK_SCATTERED;
}

/* The taps of points clamped to the box. */
CW_INLINE bool cw_block_place_clamped(const int size[3], int i, int j, int k, const float *ux, const float *uy,
                                      const float *uz, cw_block *b, int low[3]) {
  cw_block_clamp(ux, i, 1, size[0], b->cell[0], b->part[0], b->free[0]);
  cw_block_clamp(uy, j, 0, size[1], b->cell[1], b->part[1], b->free[1]);
  cw_block_clamp(uz, k, 0, size[2], b->cell[2], b->part[2], b->free[2]);
  int held = 0;
#pragma omp simd reduction(| : held)
  for (int l = 0; l < CW_LANES; l++)
    held |= b->free[0][l] * b->free[1][l] * b->free[2][l] == 0;
  b->held = held;
  return cw_block_levels(cw_block_relief(b->cell), b, low);
}

/* The samples that lanes (i .. i + CW_LANES - 1, j, k) need, whose displacements start at ux, uy, uz.  Points outside
 * the box are held at its border.  Needs at least 2 samples along each axis and CW_LANES along x. */
CW_INLINE cw_block_kind cw_block_place(const int size[3], int i, int j, int k, const float *ux, const float *uy,
                                       const float *uz, bool slopes, cw_block *b) {
  const ptrdiff_t row = size[0], plane = row * size[1];
  int low[3] = {0, 0, 0};
  b->held = false; /* and free is not set */
  b->first = 0;
  b->taps[0] = b->taps[1] = b->taps[2] = 2;
  bool inside = i + CW_LANES < size[0] && j + 1 < size[1] && k + 1 < size[2]; /* else some point may be held */
  if (inside) {
    cw_block_floor(ux, b->cell[0], b->part[0]);
    cw_block_floor(uy, b->cell[1], b->part[1]);
    cw_block_floor(uz, b->cell[2], b->part[2]);
    const float far = (float)(1 << 24); /* beyond any box, and safe to convert */
    const int relief = cw_block_relief(b->cell);
    if (!(fabsf(b->cell[0][0]) < far && fabsf(b->cell[1][0]) < far && fabsf(b->cell[2][0]) < far))
      return CW_BLOCK_VOXELS;
    if (!cw_block_levels(relief, b, low)) {
      if (cw_block_scatter(size, i, j, k, b) == CW_BLOCK_SCATTERED)
        return CW_BLOCK_SCATTERED;
      inside = false;
    } else {
      inside = i + low[0] >= 0 && i + low[0] + b->taps[0] + CW_LANES - 1 <= size[0] && j + low[1] >= 0 &&
               j + low[1] + b->taps[1] <= size[1] && k + low[2] >= 0 && k + low[2] + b->taps[2] <= size[2];
    }
  }
  if (!inside && !cw_block_place_clamped(size, i, j, k, ux, uy, uz, b, low))
    return cw_block_scatter(size, i, j, k, b);
  b->first = (k + low[2]) * plane + (j + low[1]) * row + i + low[0];
  /* A tap of weight 0 may lie beside its row, but never outside the array. */
  const ptrdiff_t end = b->first + (b->taps[2] - 1) * plane + (b->taps[1] - 1) * row + b->taps[0] + CW_LANES - 1;
  if (b->first < 0 || end > plane * size[2])
    return cw_block_scatter(size, i, j, k, b);
  for (int axis = 0; axis < 3; axis++)
    cw_block_weights(b, axis, low[axis], slopes);
  return CW_BLOCK_DENSE;
}

/* sum[l] = the trilinear sample at a scattered block's points; a points at its lane 0 in the sampled array. */
CW_INLINE void cw_block_sample_scattered(const cw_block *b, const float *a, ptrdiff_t row, ptrdiff_t plane,
                                         float *restrict sum) {
  for (int l = 0; l < CW_LANES; l++) {
    const float *p = a + b->offset[l], *q = p + plane;
    const float x = b->part[0][l], y = b->part[1][l], z = b->part[2][l];
    const float near = cw_mix(cw_mix(p[0], p[1], x), cw_mix(p[row], p[row + 1], x), y);
    const float far = cw_mix(cw_mix(q[0], q[1], x), cw_mix(q[row], q[row + 1], x), y);
    sum[l] = cw_mix(near, far, z);
  }
}

/* Rows and planes of taps as sums; TX, TY, TZ are constants where these are expanded. */
#define CW_TAPS(n, w, a0, a1, a2) ((n) == 3 ? w##0 * (a0) + w##1 * (a1) + w##2 * (a2) : w##0 * (a0) + w##1 * (a1))

/* sum[component][l] = the trilinear sample of p, which points at the first tap of lane 0, for COUNT (1 or 3) components
 * `samples` apart. */
CW_INLINE void cw_block_sample_taps(const cw_block *b, const float *p, size_t row, size_t plane, size_t samples,
                                    const int COUNT, const int TX, const int TY, const int TZ,
                                    float (*restrict sum)[CW_LANES]) {
  const float *q = p + samples, *r = q + samples;
#pragma omp simd
  for (int l = 0; l < CW_LANES; l++) {
    const float x0 = b->weight[0][0][l], x1 = b->weight[0][1][l], x2 = b->weight[0][2][l];
    const float y0 = b->weight[1][0][l], y1 = b->weight[1][1][l], y2 = b->weight[1][2][l];
    const float z0 = b->weight[2][0][l], z1 = b->weight[2][1][l], z2 = b->weight[2][2][l];
#define CW_ROW(s) CW_TAPS(TX, x, (s)[l], (s)[l + 1], (s)[l + 2])
#define CW_PLANE(s) CW_TAPS(TY, y, CW_ROW(s), CW_ROW((s) + row), CW_ROW((s) + 2 * row))
#define CW_BOX(s) CW_TAPS(TZ, z, CW_PLANE(s), CW_PLANE((s) + plane), CW_PLANE((s) + 2 * plane))
    sum[0][l] = CW_BOX(p);
    if (COUNT == 3) {
      sum[1][l] = CW_BOX(q);
      sum[2][l] = CW_BOX(r);
    }
#undef CW_ROW
#undef CW_PLANE
#undef CW_BOX
  }
}

/* grad[axis][l] += g . (derivative of the sample of a by the displacement along axis), summed over COUNT components
 * whose data lie `samples` apart; g[component][lane]. */
CW_INLINE void cw_block_slope_taps(const cw_block *b, const float *p, size_t row, size_t plane, size_t samples,
                                   const int COUNT, const int TX, const int TY, const int TZ,
                                   const float (*restrict g)[CW_LANES], float (*restrict grad)[CW_LANES]) {
#pragma omp simd
  for (int l = 0; l < CW_LANES; l++) {
    const float x0 = b->weight[0][0][l], x1 = b->weight[0][1][l], x2 = b->weight[0][2][l];
    const float y0 = b->weight[1][0][l], y1 = b->weight[1][1][l], y2 = b->weight[1][2][l];
    const float z0 = b->weight[2][0][l], z1 = b->weight[2][1][l], z2 = b->weight[2][2][l];
    const float sx0 = b->slope[0][0][l], sx1 = b->slope[0][1][l], sx2 = b->slope[0][2][l];
    const float sy0 = b->slope[1][0][l], sy1 = b->slope[1][1][l], sy2 = b->slope[1][2][l];
    const float sz0 = b->slope[2][0][l], sz1 = b->slope[2][1][l], sz2 = b->slope[2][2][l];
    float gx = 0, gy = 0, gz = 0;
#define CW_DOT(q, t) \
  (COUNT == 3 ? g[0][l] * (q)[l + (t)] + g[1][l] * (q)[samples + l + (t)] + g[2][l] * (q)[2 * samples + l + (t)] \
              : g[0][l] * (q)[l + (t)])
#define CW_ROW(q, wy, wsy) \
  { \
    const float d0 = CW_DOT(q, 0), d1 = CW_DOT(q, 1), d2 = TX == 3 ? CW_DOT(q, 2) : 0; \
    const float value = CW_TAPS(TX, x, d0, d1, d2); \
    plane_slope += (wy)*CW_TAPS(TX, sx, d0, d1, d2); \
    plane_value += (wy)*value; \
    plane_across += (wsy)*value; \
  }
#define CW_PLANE(q, wz, wsz) \
  { \
    float plane_value = 0, plane_slope = 0, plane_across = 0; \
    CW_ROW(q, y0, sy0) \
    CW_ROW((q) + row, y1, sy1) \
    if (TY == 3) \
      CW_ROW((q) + 2 * row, y2, sy2) \
    gx += (wz)*plane_slope; \
    gy += (wz)*plane_across; \
    gz += (wsz)*plane_value; \
  }
    CW_PLANE(p, z0, sz0)
    CW_PLANE(p + plane, z1, sz1)
    if (TZ == 3)
      CW_PLANE(p + 2 * plane, z2, sz2)
#undef CW_DOT
#undef CW_ROW
#undef CW_PLANE
    grad[0][l] += gx;
    grad[1][l] += gy;
    grad[2][l] += gz;
  }
}

/* Calls f(..., TX, TY, TZ, ...) with constants. */
#define CW_BLOCK_CASES(b, CALL) \
  switch (((b)->taps[0] - 2) | ((b)->taps[1] - 2) << 1 | ((b)->taps[2] - 2) << 2) { \
    case 0: \
      CALL(2, 2, 2); \
      break; \
    case 1: \
      CALL(3, 2, 2); \
      break; \
    case 2: \
      CALL(2, 3, 2); \
      break; \
    case 3: \
      CALL(3, 3, 2); \
      break; \
    case 4: \
      CALL(2, 2, 3); \
      break; \
    case 5: \
      CALL(3, 2, 3); \
      break; \
    case 6: \
      CALL(2, 3, 3); \
      break; \
    default: \
      CALL(3, 3, 3); \
  }

CW_INLINE void cw_block_sample(const cw_block *b, const float *a, size_t row, size_t plane, size_t samples,
                               const int COUNT, float (*restrict sum)[CW_LANES]) {
  const float *p = a + b->first;
#define CW_CALL(TX, TY, TZ) cw_block_sample_taps(b, p, row, plane, samples, COUNT, TX, TY, TZ, sum)
  CW_BLOCK_CASES(b, CW_CALL)
#undef CW_CALL
}

CW_INLINE void cw_block_slope(const cw_block *b, const float *a, size_t row, size_t plane, size_t samples,
                              const int COUNT, const float (*restrict g)[CW_LANES], float (*restrict grad)[CW_LANES]) {
  const float *p = a + b->first;
#define CW_CALL(TX, TY, TZ) cw_block_slope_taps(b, p, row, plane, samples, COUNT, TX, TY, TZ, g, grad)
  CW_BLOCK_CASES(b, CW_CALL)
#undef CW_CALL
}

/* The adjoint of cw_block_sample in two steps, with other work between them: the first writes vectors that the second
 * reads shifted by a lane or two, which is slow while the stores are still on their way. */
typedef struct cw_spread {
  float across[9][CW_LANES + 2];   /* weight_y weight_z of every row of taps */
  float along[3][3][CW_LANES + 2]; /* [component][tap]: g weight_x */
  ptrdiff_t row[9];                /* offset of lane 0 in every row of taps */
  int rows;
} cw_spread;

/* g[component][lane]; its last two lanes must be zero, so that a row of taps is written within one vector. */
CW_INLINE void cw_spread_prepare(const cw_block *b, size_t row, size_t plane, const int COUNT,
                                 const float (*restrict g)[CW_LANES], cw_spread *spread) {
  int r = 0;
  for (int tz = 0; tz < b->taps[2]; tz++)
    for (int ty = 0; ty < b->taps[1]; ty++, r++) {
      float *across = spread->across[r];
      across[0] = across[1] = 0;
#pragma omp simd
      for (int l = 0; l < CW_LANES; l++)
        across[l + 2] = b->weight[1][ty][l] * b->weight[2][tz][l];
      spread->row[r] = b->first + tz * (ptrdiff_t)plane + ty * (ptrdiff_t)row;
    }
  spread->rows = r;
  for (int c = 0; c < COUNT; c++)
    for (int t = 0; t < 3; t++) {
      float *along = spread->along[c][t];
      along[0] = along[1] = 0;
#pragma omp simd
      for (int l = 0; l < CW_LANES; l++)
        along[l + 2] = g[c][l] * b->weight[0][t][l];
    }
}

/* to[component][row of taps][l] += sum over t of (g weight)_t[l - t].  The rows' weights serve all components. */
CW_INLINE void cw_spread_rows(const cw_spread *spread, size_t samples, const int COUNT, const int TX, float *to) {
  for (int r = 0; r < spread->rows; r++) {
    float *restrict p = to + spread->row[r];
    float *restrict q = COUNT == 3 ? p + samples : p, *restrict s = COUNT == 3 ? q + samples : p;
    const float *w = spread->across[r];
#define CW_ALONG(c) \
  (TX == 3 ? w0 * spread->along[c][0][l + 2] + w1 * spread->along[c][1][l + 1] + w2 * spread->along[c][2][l] \
           : w0 * spread->along[c][0][l + 2] + w1 * spread->along[c][1][l + 1])
#pragma omp simd
    for (int l = 0; l < CW_LANES; l++) {
      const float w0 = w[l + 2], w1 = w[l + 1], w2 = w[l];
      (void)w2;
      p[l] += CW_ALONG(0);
      if (COUNT == 3) {
        q[l] += CW_ALONG(1);
        s[l] += CW_ALONG(2);
      }
    }
#undef CW_ALONG
  }
}

CW_INLINE void cw_spread_add(const cw_block *b, const cw_spread *spread, size_t samples, const int COUNT, float *to) {
  if (b->taps[0] == 3)
    cw_spread_rows(spread, samples, COUNT, 3, to);
  else
    cw_spread_rows(spread, samples, COUNT, 2, to);
}

#endif
