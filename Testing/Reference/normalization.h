// Batch normalisation of x[n][c][...].
#pragma once

#include <cmath>

#include "counterwarp/graph.h"
#include "Reference/tensor.h"

namespace reference {

// Mean and (biased) variance of each channel over the batch and all voxels.
inline void channel_statistics(const Tensor &x, Tensor &mean, Tensor &variance) {
  const int64_t batch = x.shape[0], channels = x.shape[1], voxels = x.size() / (batch * channels);
  const double count = static_cast<double>(batch * voxels);
  mean = variance = Tensor(Shape{channels});
  for (int64_t c = 0; c < channels; c++) {
    for (int64_t n = 0; n < batch; n++)
      for (int64_t v = 0; v < voxels; v++)
        mean[c] += x[(n * channels + c) * voxels + v] / count;
    for (int64_t n = 0; n < batch; n++)
      for (int64_t v = 0; v < voxels; v++) {
        const double d = x[(n * channels + c) * voxels + v] - mean[c];
        variance[c] += d * d / count;
      }
  }
}

// y = scale (x - mean) / sqrt(variance + epsilon) + shift
inline Tensor normalize(const Tensor &x, const Tensor &scale, const Tensor &shift, const Tensor &mean,
                        const Tensor &variance, double epsilon) {
  const int64_t channels = x.shape[1], voxels = x.size() / (x.shape[0] * channels);
  Tensor y(x.shape);
  for (int64_t i = 0; i < x.size(); i++) {
    const int64_t c = i / voxels % channels;
    y[i] = scale[c] * (x[i] - mean[c]) / std::sqrt(variance[c] + epsilon) + shift[c];
  }
  return y;
}

// With the statistics of the batch in training, else with the running ones.
inline Tensor batch_norm(const Tensor &x, const Tensor &scale, const Tensor &shift, const Tensor &mean,
                         const Tensor &variance, const cw_attributes &a, bool training) {
  if (!training)
    return normalize(x, scale, shift, mean, variance, a.epsilon);
  Tensor batch_mean, batch_variance;
  channel_statistics(x, batch_mean, batch_variance);
  return normalize(x, scale, shift, batch_mean, batch_variance, a.epsilon);
}

}  // namespace reference
