// Convolution (cross-correlation, as in ONNX) and conditional convolution.
#pragma once

#include <cmath>

#include "counterwarp/graph.h"
#include "Reference/tensor.h"

namespace reference {

inline int64_t window_count(int64_t size, int begin, int end, int kernel, int dilation, int stride) {
  return (size + begin + end - (static_cast<int64_t>(kernel) - 1) * dilation - 1) / stride + 1;
}

// y[n][o][p] = b[o] + sum_{i, t} w[o][i][t] x[n][group(o) + i][stride p - pad + dilation t].  w: [co, ci / groups, k,
// k, k]
inline Tensor conv(const Tensor &x, const Tensor &w, const Tensor &b, const cw_attributes &a) {
  Shape out{x.shape[0], w.shape[0], 0, 0, 0};
  for (int i = 0; i < 3; i++)
    out[2 + i] = window_count(x.shape[2 + i], a.pads[i], a.pads[3 + i], static_cast<int>(w.shape[2 + i]), a.dilation[i],
                              a.stride[i]);
  Tensor y(out);
  const int64_t out_per_group = w.shape[0] / a.groups, in_per_group = w.shape[1];
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t o = 0; o < out[1]; o++)
      for (int64_t z = 0; z < out[2]; z++)
        for (int64_t j = 0; j < out[3]; j++)
          for (int64_t i = 0; i < out[4]; i++) {
            double sum = b.empty() ? 0.0 : b[o];
            for (int64_t c = 0; c < in_per_group; c++)
              for (int64_t tz = 0; tz < w.shape[2]; tz++)
                for (int64_t ty = 0; ty < w.shape[3]; ty++)
                  for (int64_t tx = 0; tx < w.shape[4]; tx++)
                    sum += w.at(o, c, tz, ty, tx) * x.or_zero(n, o / out_per_group * in_per_group + c,
                                                              z * a.stride[0] - a.pads[0] + tz * a.dilation[0],
                                                              j * a.stride[1] - a.pads[1] + ty * a.dilation[1],
                                                              i * a.stride[2] - a.pads[2] + tx * a.dilation[2]);
            y.at(n, o, z, j, i) = sum;
          }
  return y;
}

// Routing weights of each sample: r = sigmoid(R concat(global average of x, o) + c), or from o alone if R is [E, 1].
inline Tensor routing(const Tensor &x, const Tensor &o, const Tensor &matrix, const Tensor &shift) {
  const int64_t batch = x.shape[0], channels = x.shape[1], voxels = x.size() / (batch * channels);
  const int64_t experts = matrix.shape[0], columns = matrix.shape[1];
  Tensor r(Shape{batch, experts});
  for (int64_t n = 0; n < batch; n++) {
    std::vector<double> features;
    for (int64_t c = 0; c < channels && columns > 1; c++) {
      double mean = 0;
      for (int64_t v = 0; v < voxels; v++)
        mean += x[(n * channels + c) * voxels + v] / static_cast<double>(voxels);
      features.push_back(mean);
    }
    features.push_back(o[n]);
    for (int64_t e = 0; e < experts; e++) {
      double sum = shift[e];
      for (int64_t k = 0; k < columns; k++)
        sum += matrix[e * columns + k] * features[static_cast<std::size_t>(k)];
      r[n * experts + e] = 1 / (1 + std::exp(-sum));
    }
  }
  return r;
}

// Each sample is convolved with its own kernel sum_e r[n][e] w[e]; the bias is shared.  w: [E, co, ci, k, k, k]
inline Tensor cond_conv(const Tensor &x, const Tensor &o, const Tensor &w, const Tensor &b, const Tensor &matrix,
                        const Tensor &shift, const cw_attributes &a) {
  const Tensor r = routing(x, o, matrix, shift);
  const int64_t experts = w.shape[0], kernel_size = w.size() / experts, sample = x.size() / x.shape[0];
  Tensor y;
  for (int64_t n = 0; n < x.shape[0]; n++) {
    Tensor kernel(Shape(w.shape.begin() + 1, w.shape.end()));
    for (int64_t e = 0; e < experts; e++)
      for (int64_t k = 0; k < kernel_size; k++)
        kernel[k] += r[n * experts + e] * w[e * kernel_size + k];
    Tensor one(Shape{1, x.shape[1], x.shape[2], x.shape[3], x.shape[4]});
    for (int64_t i = 0; i < sample; i++)
      one[i] = x[n * sample + i];
    const Tensor out = conv(one, kernel, b, a);
    if (n == 0) {
      Shape shape = out.shape;
      shape[0] = x.shape[0];
      y = Tensor(shape);
    }
    for (int64_t i = 0; i < out.size(); i++)
      y[n * out.size() + i] = out[i];
  }
  return y;
}

}  // namespace reference
