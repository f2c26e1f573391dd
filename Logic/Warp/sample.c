/* Trilinear sampling of images at displaced voxels, and its adjoint.  Samples outside the box count as zero. */
#include "counterwarp/warp.h"
#include "Warp/grid_cell.h"

/* The eight neighbours of a point: offset, or weight 0 where a neighbour lies outside. */
typedef struct corner_set {
  size_t at[8];
  float x[2], y[2], z[2];                   /* weights of the lower and upper neighbour along an axis; 0 outside */
  float slope_x[2], slope_y[2], slope_z[2]; /* their derivatives by u */
} corner_set;

static void axis_pair(int base, int n, float w, float weight[2], float slope[2], int at[2]) {
  const bool low = base >= 0, high = base + 1 < n;
  weight[0] = low ? 1 - w : 0;
  weight[1] = high ? w : 0;
  slope[0] = low ? -1 : 0;
  slope[1] = high ? 1 : 0;
  at[0] = low ? base : 0;
  at[1] = high ? base + 1 : n - 1;
}

static bool corners_at(const int size[3], int i, int j, int k, float ux, float uy, float uz, corner_set *c) {
  int base[3], x[2], y[2], z[2];
  float w[3];
  if (!cw_cell(i, size[0], ux, &base[0], &w[0]) || !cw_cell(j, size[1], uy, &base[1], &w[1]) ||
      !cw_cell(k, size[2], uz, &base[2], &w[2]))
    return false;
  axis_pair(base[0], size[0], w[0], c->x, c->slope_x, x);
  axis_pair(base[1], size[1], w[1], c->y, c->slope_y, y);
  axis_pair(base[2], size[2], w[2], c->z, c->slope_z, z);
  for (int n = 0; n < 8; n++)
    c->at[n] = ((size_t)z[n >> 2] * size[1] + y[n >> 1 & 1]) * size[0] + x[n & 1];
  return true;
}

void cw_warp_forward(const int size[3], int channels, const float *in, const float *u, float *out, int threads) {
  const size_t samples = cw_samples(size);
#pragma omp parallel for schedule(static) num_threads(cw_team(threads, size[2]))
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const size_t p = ((size_t)k * size[1] + j) * size[0] + i;
        corner_set c;
        const bool touches = corners_at(size, i, j, k, u[p], u[samples + p], u[2 * samples + p], &c);
        for (int channel = 0; channel < channels; channel++) {
          const float *image = in + channel * samples;
          float sum = 0;
          for (int n = 0; touches && n < 8; n++)
            sum += c.x[n & 1] * c.y[n >> 1 & 1] * c.z[n >> 2] * image[c.at[n]];
          out[channel * samples + p] = sum;
        }
      }
}

void cw_warp_backward(const int size[3], int channels, const float *in, const float *u, const float *grad_out,
                      float *grad_in, float *grad_u) {
  const size_t samples = cw_samples(size);
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++) {
        const size_t p = ((size_t)k * size[1] + j) * size[0] + i;
        corner_set c;
        if (!corners_at(size, i, j, k, u[p], u[samples + p], u[2 * samples + p], &c))
          continue;
        float gx = 0, gy = 0, gz = 0;
        for (int channel = 0; channel < channels; channel++) {
          const float g = grad_out[channel * samples + p];
          for (int n = 0; n < 8; n++) {
            const int a = n & 1, b = n >> 1 & 1, d = n >> 2;
            if (grad_in)
              grad_in[channel * samples + c.at[n]] += g * c.x[a] * c.y[b] * c.z[d];
            if (grad_u) {
              const float value = g * in[channel * samples + c.at[n]];
              gx += value * c.slope_x[a] * c.y[b] * c.z[d];
              gy += value * c.x[a] * c.slope_y[b] * c.z[d];
              gz += value * c.x[a] * c.y[b] * c.slope_z[d];
            }
          }
        }
        if (grad_u) {
          grad_u[p] += gx;
          grad_u[samples + p] += gy;
          grad_u[2 * samples + p] += gz;
        }
      }
}
