#include "Warp/vector_row.h"

#include <string.h>

#include "Tensor/dispatch.h"

CW_CLONES static void vector_row_planar(const float m[3][3], int n, const float *from, ptrdiff_t component,
                                        float *restrict to, ptrdiff_t to_component) {
  const float *x = from, *y = from + component, *z = from + 2 * component;
  for (int axis = 0; axis < 3; axis++, to += to_component) {
    const float a = m[axis][0], b = m[axis][1], c = m[axis][2];
#pragma omp simd
    for (int i = 0; i < n; i++)
      to[i] = a * x[i] + b * y[i] + c * z[i];
  }
}

/* x y z x y z .. to planes. */
CW_CLONES static void vector_row_split(const float m[3][3], int n, const float *restrict from, float *restrict to,
                                       ptrdiff_t to_component) {
  float *restrict u = to, *restrict v = to + to_component, *restrict w = to + 2 * to_component;
  const float a = m[0][0], b = m[0][1], c = m[0][2], d = m[1][0], e = m[1][1], f = m[1][2], g = m[2][0], h = m[2][1],
              i = m[2][2];
  for (int l = 0; l < n; l++) {
    const float x = from[3 * l], y = from[3 * l + 1], z = from[3 * l + 2];
    u[l] = a * x + b * y + c * z;
    v[l] = d * x + e * y + f * z;
    w[l] = g * x + h * y + i * z;
  }
}

/* Planes to x y z x y z .. */
CW_CLONES static void vector_row_join(const float m[3][3], int n, const float *restrict from, ptrdiff_t component,
                                      float *restrict to) {
  const float *restrict x = from, *restrict y = from + component, *restrict z = from + 2 * component;
  const float a = m[0][0], b = m[0][1], c = m[0][2], d = m[1][0], e = m[1][1], f = m[1][2], g = m[2][0], h = m[2][1],
              i = m[2][2];
  for (int l = 0; l < n; l++) {
    to[3 * l] = a * x[l] + b * y[l] + c * z[l];
    to[3 * l + 1] = d * x[l] + e * y[l] + f * z[l];
    to[3 * l + 2] = g * x[l] + h * y[l] + i * z[l];
  }
}

/* Any steps. */
CW_CLONES static void vector_row_strided(const float m[3][3], int n, const float *from, ptrdiff_t from_step,
                                         ptrdiff_t from_component, float *to, ptrdiff_t to_step,
                                         ptrdiff_t to_component) {
  for (int i = 0; i < n; i++) {
    const float *p = from + i * from_step;
    const float x = p[0], y = p[from_component], z = p[2 * from_component];
    for (int axis = 0; axis < 3; axis++)
      to[i * to_step + axis * to_component] = m[axis][0] * x + m[axis][1] * y + m[axis][2] * z;
  }
}

void cw_vector_row(const float m[3][3], int n, const float *from, ptrdiff_t from_step, ptrdiff_t from_component,
                   float *to, ptrdiff_t to_step, ptrdiff_t to_component) {
  const bool from_joined = from_step == 3 && from_component == 1, to_joined = to_step == 3 && to_component == 1;
  if (from_step == 1 && to_step == 1) {
    vector_row_planar(m, n, from, from_component, to, to_component);
  } else if (from_joined && to_step == 1) {
    vector_row_split(m, n, from, to, to_component);
  } else if (from_step == 1 && to_joined) {
    vector_row_join(m, n, from, from_component, to);
  } else {
    vector_row_strided(m, n, from, from_step, from_component, to, to_step, to_component);
  }
}

void cw_copy_row(int n, const float *from, ptrdiff_t from_step, float *to, ptrdiff_t to_step) {
  if (from_step == 1 && to_step == 1) {
    memcpy(to, from, (size_t)n * sizeof *to);
    return;
  }
  for (int i = 0; i < n; i++)
    to[i * to_step] = from[i * from_step];
}
