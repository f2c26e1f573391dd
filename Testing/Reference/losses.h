// Losses, one value a sample.
#pragma once

#include <algorithm>
#include <cmath>

#include "Reference/tensor.h"

namespace reference {

inline Tensor bce(const Tensor &logit, const Tensor &target) {
  Tensor y(Shape{logit.shape[0]});
  for (int64_t n = 0; n < y.size(); n++) {
    // log(1 + exp(x)) without overflow
    const double x = logit[n], softplus = x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    y[n] = softplus - target[n] * x;
  }
  return y;
}

// max(margin - o (y' - y), 0); the margin depends on the direction.
inline Tensor shift(const Tensor &after, const Tensor &before, const Tensor &direction, double inject, double remove) {
  Tensor y(Shape{after.shape[0]});
  for (int64_t n = 0; n < y.size(); n++) {
    const double o = direction[n];
    y[n] = std::max(0.0, (o > 0 ? inject : remove) - o * (after[n] - before[n]));
  }
  return y;
}

inline Tensor mse(const Tensor &a, const Tensor &b) {
  Tensor y(Shape{a.shape[0]});
  const int64_t sample = a.size() / a.shape[0];
  for (int64_t i = 0; i < a.size(); i++)
    y[i / sample] += (a[i] - b[i]) * (a[i] - b[i]) / static_cast<double>(sample);
  return y;
}

inline Tensor magnitude(const Tensor &a) {
  return mse(a, Tensor(a.shape));
}

// Mean over voxels of sqrt(sum of all squared forward differences + epsilon^2) - epsilon.
inline Tensor strain(const Tensor &u, double epsilon) {
  Tensor y(Shape{u.shape[0]});
  const double voxels = static_cast<double>(u.shape[2] * u.shape[3] * u.shape[4]);
  for (int64_t n = 0; n < u.shape[0]; n++)
    for (int64_t z = 0; z < u.shape[2]; z++)
      for (int64_t j = 0; j < u.shape[3]; j++)
        for (int64_t i = 0; i < u.shape[4]; i++) {
          double squares = 0;
          for (int64_t c = 0; c < u.shape[1]; c++)
            for (int axis = 0; axis < 3; axis++) {
              const int64_t z1 = z + (axis == 0), j1 = j + (axis == 1), i1 = i + (axis == 2);
              if (u.inside(z1, j1, i1))
                squares += std::pow(u.at(n, c, z1, j1, i1) - u.at(n, c, z, j, i), 2);
            }
          y[n] += (std::sqrt(squares + epsilon * epsilon) - epsilon) / voxels;
        }
  return y;
}

// For each axis the mean of |forward difference|^norm over channels and positions; summed over axes.
inline Tensor smooth(const Tensor &u, int norm) {
  Tensor y(Shape{u.shape[0]});
  for (int64_t n = 0; n < u.shape[0]; n++)
    for (int axis = 0; axis < 3; axis++) {
      double sum = 0, count = 0;
      for (int64_t c = 0; c < u.shape[1]; c++)
        for (int64_t z = 0; z < u.shape[2]; z++)
          for (int64_t j = 0; j < u.shape[3]; j++)
            for (int64_t i = 0; i < u.shape[4]; i++) {
              const int64_t z1 = z + (axis == 0), j1 = j + (axis == 1), i1 = i + (axis == 2);
              if (!u.inside(z1, j1, i1))
                continue;
              const double d = u.at(n, c, z1, j1, i1) - u.at(n, c, z, j, i);
              sum += norm == 1 ? std::fabs(d) : d * d;
              count += 1;
            }
      y[n] += count > 0 ? sum / count : 0;
    }
  return y;
}

}  // namespace reference
