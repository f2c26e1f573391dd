// Pooling and upsampling of x[n][c][z][y][x].
#pragma once

#include <algorithm>
#include <cmath>

#include "Reference/convolution.h"

namespace reference {

inline Shape pooled_shape(const Tensor &x, const cw_attributes &a) {
  Shape out = x.shape;
  for (int i = 0; i < 3; i++) {
    int64_t &size = out[static_cast<std::size_t>(2 + i)];
    const int64_t padded = size + a.pads[i] + a.pads[3 + i], begin = size + a.pads[i];
    size = 0;
    /* Windows from 0 on, while they fit, or with ceil_mode while they start before the padding at the end. */
    for (int64_t at = 0;
         a.ceil_mode ? at < begin && (at == 0 || at - a.stride[i] + a.kernel[i] < padded) : at + a.kernel[i] <= padded;
         at += a.stride[i])
      size++;
  }
  return out;
}

// Calls visit(output, value) for every voxel of every window that exists, windows in order.
template <class Visit>
void for_windows(const Tensor &x, const cw_attributes &a, Visit visit) {
  const Shape out = pooled_shape(x, a);
  int64_t o = 0;
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t c = 0; c < out[1]; c++)
      for (int64_t z = 0; z < out[2]; z++)
        for (int64_t j = 0; j < out[3]; j++)
          for (int64_t i = 0; i < out[4]; i++, o++)
            for (int tz = 0; tz < a.kernel[0]; tz++)
              for (int ty = 0; ty < a.kernel[1]; ty++)
                for (int tx = 0; tx < a.kernel[2]; tx++) {
                  const int64_t iz = z * a.stride[0] - a.pads[0] + tz, iy = j * a.stride[1] - a.pads[1] + ty;
                  const int64_t ix = i * a.stride[2] - a.pads[2] + tx;
                  if (x.inside(iz, iy, ix))
                    visit(o, x.at(n, c, iz, iy, ix));
                }
}

inline Tensor max_pool(const Tensor &x, const cw_attributes &a) {
  Tensor y(pooled_shape(x, a));
  std::fill(y.data.begin(), y.data.end(), -HUGE_VAL);
  for_windows(x, a, [&](int64_t o, double v) { y[o] = std::max(y[o], v); });
  return y;
}

// With count_pads, the padding counts as zeros; what lies behind it does not.
inline Tensor average_pool(const Tensor &x, const cw_attributes &a) {
  Tensor y(pooled_shape(x, a)), count(y.shape);
  for_windows(x, a, [&](int64_t o, double v) { y[o] += v, count[o] += 1; });
  for (int64_t o = 0; a.count_pads && o < y.size(); o++) {
    const int64_t place[3] = {o / y.shape[4] / y.shape[3] % y.shape[2], o / y.shape[4] % y.shape[3], o % y.shape[4]};
    count[o] = 1;
    for (int i = 0; i < 3; i++) {
      const int64_t first = place[i] * a.stride[i];
      const int64_t end = x.shape[static_cast<std::size_t>(2 + i)] + a.pads[i] + a.pads[3 + i];
      count[o] *= static_cast<double>(std::min(first + a.kernel[i], end) - first);
    }
  }
  for (int64_t o = 0; o < y.size(); o++)
    y[o] /= count[o];
  return y;
}

inline Tensor global_average_pool(const Tensor &x) {
  Shape shape = x.shape;
  std::fill(shape.begin() + 2, shape.end(), 1);
  Tensor y(shape);
  const int64_t voxels = x.size() / y.size();
  for (int64_t i = 0; i < x.size(); i++)
    y[i / voxels] += x[i] / static_cast<double>(voxels);
  return y;
}

inline Tensor resize_nearest(const Tensor &x, const cw_attributes &a) {
  Tensor y(Shape{x.shape[0], x.shape[1], x.shape[2] * a.scale[0], x.shape[3] * a.scale[1], x.shape[4] * a.scale[2]});
  for (int64_t n = 0; n < y.shape[0]; n++)
    for (int64_t c = 0; c < y.shape[1]; c++)
      for (int64_t z = 0; z < y.shape[2]; z++)
        for (int64_t j = 0; j < y.shape[3]; j++)
          for (int64_t i = 0; i < y.shape[4]; i++)
            y.at(n, c, z, j, i) = x.at(n, c, z / a.scale[0], j / a.scale[1], i / a.scale[2]);
  return y;
}

// Sample at (p + 1/2) / scale - 1/2, coordinates clamped to the grid.
inline Tensor resize_linear(const Tensor &x, const cw_attributes &a) {
  Tensor y(Shape{x.shape[0], x.shape[1], x.shape[2] * a.scale[0], x.shape[3] * a.scale[1], x.shape[4] * a.scale[2]});
  for (int64_t n = 0; n < y.shape[0]; n++)
    for (int64_t c = 0; c < y.shape[1]; c++)
      for (int64_t z = 0; z < y.shape[2]; z++)
        for (int64_t j = 0; j < y.shape[3]; j++)
          for (int64_t i = 0; i < y.shape[4]; i++) {
            const int64_t p[3] = {z, j, i};
            int64_t low[3], high[3];
            double t[3];
            for (int k = 0; k < 3; k++) {
              const double last = static_cast<double>(x.shape[2 + k] - 1);
              const double at = std::clamp((static_cast<double>(p[k]) + 0.5) / a.scale[k] - 0.5, 0.0, last);
              low[k] = static_cast<int64_t>(std::floor(at));
              high[k] = std::min(low[k] + 1, x.shape[2 + k] - 1);
              t[k] = at - static_cast<double>(low[k]);
            }
            double sum = 0;
            for (int corner = 0; corner < 8; corner++) {
              const bool u = corner & 4, v = corner & 2, w = corner & 1;
              sum += (u ? t[0] : 1 - t[0]) * (v ? t[1] : 1 - t[1]) * (w ? t[2] : 1 - t[2]) *
                     x.at(n, c, u ? high[0] : low[0], v ? high[1] : low[1], w ? high[2] : low[2]);
            }
            y.at(n, c, z, j, i) = sum;
          }
  return y;
}

}  // namespace reference
