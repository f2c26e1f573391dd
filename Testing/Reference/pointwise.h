// Activations, softmax, the fully connected layer, and layers that move data.
#pragma once

#include <algorithm>
#include <cmath>

#include "Reference/tensor.h"

namespace reference {

template <class Function>
Tensor map(const Tensor &x, Function f) {
  Tensor y(x.shape);
  std::transform(x.data.begin(), x.data.end(), y.data.begin(), f);
  return y;
}

inline Tensor relu(const Tensor &x) {
  return map(x, [](double v) { return v > 0 ? v : 0.0; });
}

inline Tensor leaky_relu(const Tensor &x, double alpha) {
  return map(x, [alpha](double v) { return v > 0 ? v : alpha * v; });
}

inline Tensor sigmoid(const Tensor &x) {
  return map(x, [](double v) { return 1 / (1 + std::exp(-v)); });
}

inline Tensor softmax(const Tensor &x, int axis = 1) {
  const int64_t channels = x.shape[static_cast<std::size_t>(axis)];
  int64_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < x.shape.size(); i++)
    inner *= x.shape[i];
  Tensor y(x.shape);
  for (int64_t n = 0; n < x.size() / (channels * inner); n++)
    for (int64_t i = 0; i < inner; i++) {
      const int64_t first = n * channels * inner + i;
      double largest = x[first], sum = 0;
      for (int64_t c = 0; c < channels; c++)
        largest = std::max(largest, x[first + c * inner]);
      for (int64_t c = 0; c < channels; c++)
        sum += std::exp(x[first + c * inner] - largest);
      for (int64_t c = 0; c < channels; c++)
        y[first + c * inner] = std::exp(x[first + c * inner] - largest) / sum;
    }
  return y;
}

inline Tensor log_softmax(const Tensor &x, int axis = 1) {
  return map(softmax(x, axis), [](double v) { return std::log(v); });
}

// y = x W^T + b
inline Tensor gemm(const Tensor &x, const Tensor &w, const Tensor &b) {
  Tensor y(Shape{x.shape[0], w.shape[0]});
  for (int64_t n = 0; n < y.shape[0]; n++)
    for (int64_t o = 0; o < y.shape[1]; o++) {
      double sum = b.empty() ? 0.0 : b[o];
      for (int64_t i = 0; i < x.shape[1]; i++)
        sum += x[n * x.shape[1] + i] * w[o * x.shape[1] + i];
      y[n * y.shape[1] + o] = sum;
    }
  return y;
}

inline Tensor reshape(const Tensor &x, const Shape &shape) {
  Tensor y(shape);
  y.data = x.data;
  return y;
}

}  // namespace reference
