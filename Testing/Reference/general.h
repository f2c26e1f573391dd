// Broadcasting, reductions, rearrangements, matrix products, layer norm and resizing: element by element, from the
// index of each output.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "Reference/convolution.h"

namespace reference {

using Index = std::vector<int64_t>;

inline Index index_of(const Shape &shape, int64_t element) {
  Index index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    index[i] = element % shape[i];
    element /= shape[i];
  }
  return index;
}

inline int64_t element_of(const Shape &shape, const Index &index) {
  int64_t element = 0;
  for (std::size_t i = 0; i < shape.size(); i++)
    element = element * shape[i] + index[i];
  return element;
}

// The element that a broadcast operand shows at an index of the result.
inline double shown(const Tensor &x, const Index &index) {
  Index own(x.shape.size());
  for (std::size_t i = 0; i < own.size(); i++)
    own[i] = x.shape[i] == 1 ? 0 : index[index.size() - own.size() + i];
  return x[element_of(x.shape, own)];
}

inline Shape broadcast_shape(const std::vector<Tensor> &in) {
  Shape out;
  for (const Tensor &x : in)
    for (std::size_t i = 0; i < x.shape.size(); i++) {
      if (i >= out.size())
        out.insert(out.begin(), 1);
      int64_t &d = out[out.size() - 1 - i];
      d = std::max(d, x.shape[x.shape.size() - 1 - i]);
    }
  return out;
}

template <class Function>
Tensor zip(const std::vector<Tensor> &in, Function f) {
  Tensor y(broadcast_shape(in));
  for (int64_t e = 0; e < y.size(); e++) {
    const Index at = index_of(y.shape, e);
    y[e] = f(shown(in[0], at), shown(in[1], at), in.size() > 2 ? shown(in[2], at) : 0.0);
  }
  return y;
}

inline Tensor binary(cw_operator op, const std::vector<Tensor> &in) {
  return zip(in, [op](double a, double b, double c) -> double {
    switch (op) {
      case CW_OP_ADD:
        return a + b;
      case CW_OP_SUB:
        return a - b;
      case CW_OP_MUL:
        return a * b;
      case CW_OP_DIV:
        return a / b;
      case CW_OP_POW:
        return std::pow(a, b);
      case CW_OP_MIN:
        return std::min(a, b);
      case CW_OP_MAX:
        return std::max(a, b);
      case CW_OP_PRELU:
        return a < 0 ? a * b : a;
      case CW_OP_GREATER:
        return a > b;
      case CW_OP_LESS:
        return a < b;
      default:
        return a != 0 ? b : c;
    }
  });
}

inline double unary(cw_operator op, double x, double alpha, double beta) {
  const auto limit = [](double v, double low, double high) { return std::max(low, std::min(high, v)); };
  switch (op) {
    case CW_OP_ABS:
      return std::fabs(x);
    case CW_OP_NEG:
      return -x;
    case CW_OP_RECIPROCAL:
      return 1 / x;
    case CW_OP_SQRT:
      return std::sqrt(x);
    case CW_OP_EXP:
      return std::exp(x);
    case CW_OP_LOG:
      return std::log(x);
    case CW_OP_TANH:
      return std::tanh(x);
    case CW_OP_ERF:
      return std::erf(x);
    case CW_OP_SOFTPLUS:
      return std::log1p(std::exp(x));
    case CW_OP_SOFTSIGN:
      return x / (1 + std::fabs(x));
    case CW_OP_ELU:
      return x > 0 ? x : alpha * (std::exp(x) - 1);
    case CW_OP_SELU:
      return beta * (x > 0 ? x : alpha * (std::exp(x) - 1));
    case CW_OP_HARD_SIGMOID:
      return limit(alpha * x + beta, 0, 1);
    case CW_OP_HARD_SWISH:
      return x * limit(x / 6 + 0.5, 0, 1);
    default:
      return limit(x, alpha, beta);
  }
}

inline Tensor reduce(cw_operator op, const Tensor &x, const cw_attributes &a) {
  Shape kept = x.shape, shape;
  for (std::size_t i = 0; i < x.shape.size(); i++)
    if (a.axes >> i & 1)
      kept[i] = 1;
    else
      shape.push_back(x.shape[i]);
  Tensor y(kept);
  if (op == CW_OP_REDUCE_MAX)
    std::fill(y.data.begin(), y.data.end(), -std::numeric_limits<double>::infinity());
  for (int64_t e = 0; e < x.size(); e++) {
    Index at = index_of(x.shape, e);
    for (std::size_t i = 0; i < at.size(); i++)
      at[i] = kept[i] == 1 ? 0 : at[i];
    double &to = y[element_of(kept, at)];
    to = op == CW_OP_REDUCE_MAX ? std::max(to, x[e]) : to + x[e];
  }
  if (op == CW_OP_REDUCE_MEAN)
    for (double &v : y.data)
      v *= static_cast<double>(y.size()) / static_cast<double>(x.size());
  if (!a.keep_axes)
    y.shape = shape;
  return y;
}

inline Tensor matmul(const Tensor &a, const Tensor &b) {
  const std::size_t ra = a.shape.size(), rb = b.shape.size();
  Tensor lead_a(Shape(a.shape.begin(), a.shape.end() - 2)), lead_b(Shape(b.shape.begin(), b.shape.end() - 2));
  Shape shape = broadcast_shape({lead_a, lead_b});
  const int64_t m = a.shape[ra - 2], k = a.shape[ra - 1], n = b.shape[rb - 1];
  const Shape lead = shape;
  shape.push_back(m);
  shape.push_back(n);
  for (int64_t i = 0; i < lead_a.size(); i++)
    lead_a[i] = static_cast<double>(i);
  for (int64_t i = 0; i < lead_b.size(); i++)
    lead_b[i] = static_cast<double>(i);
  Tensor y(shape);
  for (int64_t e = 0; e < y.size(); e++) {
    const Index at = index_of(shape, e), front(at.begin(), at.end() - 2);
    const int64_t ma = lead_a.shape.empty() ? 0 : static_cast<int64_t>(shown(lead_a, front));
    const int64_t mb = lead_b.shape.empty() ? 0 : static_cast<int64_t>(shown(lead_b, front));
    for (int64_t i = 0; i < k; i++)
      y[e] += a[(ma * m + at[at.size() - 2]) * k + i] * b[(mb * k + i) * n + at.back()];
  }
  return y;
}

// Groups of neighbouring elements, each with mean 0 and deviation 1, then scaled.  first: of the axes of a group.
inline Tensor standardize(const Tensor &x, const Tensor &scale, const Tensor &bias, int first, bool a_channel,
                          double epsilon) {
  Tensor y(x.shape);
  int64_t size = 1;
  for (std::size_t i = static_cast<std::size_t>(first); i < x.shape.size(); i++)
    size *= x.shape[i];
  for (int64_t g = 0; g < x.size() / size; g++) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < size; i++)
      mean += x[g * size + i] / static_cast<double>(size);
    for (int64_t i = 0; i < size; i++)
      variance += (x[g * size + i] - mean) * (x[g * size + i] - mean) / static_cast<double>(size);
    for (int64_t i = 0; i < size; i++) {
      const int64_t p = a_channel ? g % x.shape[1] : i;
      y[g * size + i] =
          (x[g * size + i] - mean) / std::sqrt(variance + epsilon) * scale[p] + (bias.empty() ? 0 : bias[p]);
    }
  }
  return y;
}

inline Tensor conv_transpose(const Tensor &x, const Tensor &w, const Tensor &b, const cw_attributes &a) {
  Shape out{x.shape[0], w.shape[1] * a.groups, 0, 0, 0};
  for (std::size_t i = 0; i < 3; i++)
    out[2 + i] = (x.shape[2 + i] - 1) * a.stride[i] + a.dilation[i] * (w.shape[2 + i] - 1) + 1 + a.more[i] - a.pads[i] -
                 a.pads[3 + i];
  Tensor y(out);
  const int64_t per = w.shape[1], in_per = x.shape[1] / a.groups;
  for (int64_t n = 0; n < out[0]; n++) {
    for (int64_t o = 0; o < out[1]; o++)
      for (int64_t v = 0; v < out[2] * out[3] * out[4]; v++)
        y[(n * out[1] + o) * out[2] * out[3] * out[4] + v] = b.empty() ? 0.0 : b[o];
    for (int64_t c = 0; c < x.shape[1]; c++)
      for (int64_t e = 0; e < x.shape[2] * x.shape[3] * x.shape[4]; e++)
        for (int64_t o = 0; o < per; o++)
          for (int64_t t = 0; t < w.shape[2] * w.shape[3] * w.shape[4]; t++) {
            const Index p = index_of({x.shape[2], x.shape[3], x.shape[4]}, e);
            const Index k = index_of({w.shape[2], w.shape[3], w.shape[4]}, t);
            Index at(3);
            for (std::size_t i = 0; i < 3; i++)
              at[i] = p[i] * a.stride[i] - a.pads[i] + k[i] * a.dilation[i];
            if (y.inside(at[0], at[1], at[2]))
              y.at(n, c / in_per * per + o, at[0], at[1], at[2]) +=
                  x.at(n, c, p[0], p[1], p[2]) * w.at(c, o, k[0], k[1], k[2]);
          }
  }
  return y;
}

inline Tensor concat_on(const std::vector<Tensor> &in, int axis) {
  const std::size_t on = static_cast<std::size_t>(axis);
  Shape shape = in[0].shape;
  shape[on] = 0;
  for (const Tensor &x : in)
    shape[on] += x.shape[on];
  Tensor y(shape);
  int64_t offset = 0;
  for (const Tensor &x : in) {
    for (int64_t e = 0; e < x.size(); e++) {
      Index at = index_of(x.shape, e);
      at[on] += offset;
      y[element_of(shape, at)] = x[e];
    }
    offset += x.shape[on];
  }
  return y;
}

// y[index] = x[source(index)]; source gives an empty index where the constant stands.
template <class Source>
Tensor rearrange(const Tensor &x, const Shape &shape, double constant, Source source) {
  Tensor y(shape);
  for (int64_t e = 0; e < y.size(); e++) {
    const Index at = source(index_of(shape, e));
    y[e] = at.empty() ? constant : x[element_of(x.shape, at)];
  }
  return y;
}

inline Tensor transpose(const Tensor &x, const cw_attributes &a) {
  Shape shape(x.shape.size());
  for (std::size_t i = 0; i < shape.size(); i++)
    shape[i] = x.shape[static_cast<std::size_t>(a.order[i])];
  return rearrange(x, shape, 0, [&](const Index &at) {
    Index from(at.size());
    for (std::size_t i = 0; i < at.size(); i++)
      from[static_cast<std::size_t>(a.order[i])] = at[i];
    return from;
  });
}

inline Shape with_batch(const cw_shape &shape, int64_t batch) {
  Shape out(shape.d, shape.d + shape.rank);
  std::replace(out.begin(), out.end(), static_cast<int64_t>(CW_BATCH), batch);
  return out;
}

inline Tensor slice(const Tensor &x, const cw_attributes &a) {
  return rearrange(x, with_batch(a.shape, x.shape[0]), 0, [&](Index at) {
    for (std::size_t i = 0; i < at.size(); i++)
      at[i] = a.begin[i] + at[i] * a.step[i];
    return at;
  });
}

inline Tensor pad(const Tensor &x, const cw_attributes &a) {
  Shape shape = x.shape;
  for (std::size_t i = 0; i < shape.size(); i++)
    shape[i] += a.begin[i] + a.end[i];
  return rearrange(x, shape, a.alpha, [&](Index at) {
    for (std::size_t i = 0; i < at.size(); i++) {
      const int64_t size = x.shape[i];
      int64_t p = at[i] - a.begin[i];
      if (a.fill == CW_FILL_REFLECT)
        while (p < 0 || p >= size)
          p = p < 0 ? -p : 2 * size - 2 - p;
      else if (a.fill == CW_FILL_EDGE)
        p = std::max<int64_t>(0, std::min(p, size - 1));
      if (p < 0 || p >= size)
        return Index();
      at[i] = p;
    }
    return at;
  });
}

inline Tensor gather(const Tensor &x, const Tensor &indices, int axis) {
  Shape shape = x.shape;
  const std::size_t on = static_cast<std::size_t>(axis);
  shape[on] = indices.size();
  return rearrange(x, shape, 0, [&](Index at) {
    at[on] = static_cast<int64_t>(indices[at[on]]);
    return at;
  });
}

inline Tensor expand(const Tensor &x, const cw_attributes &a, int64_t batch) {
  Tensor y(with_batch(a.shape, batch));
  for (int64_t e = 0; e < y.size(); e++)
    y[e] = shown(x, index_of(y.shape, e));
  return y;
}

// One axis after the other.
inline Tensor resize(const Tensor &x, const cw_attributes &a) {
  Tensor now = x;
  for (int axis = 0; axis < 3; axis++) {
    const std::size_t on = static_cast<std::size_t>(2 + axis);
    Shape shape = now.shape;
    const int64_t in = shape[on], out = a.shape.d[2 + axis];
    shape[on] = out;
    Tensor y(shape);
    for (int64_t e = 0; e < y.size(); e++) {
      Index at = index_of(shape, e);
      // A factor that is the ratio of the sizes is that ratio, not its rounding to float.
      const double ratio = static_cast<double>(out) / static_cast<double>(in);
      const bool exact = a.factor[axis] == static_cast<float>(ratio);
      const double o = static_cast<double>(at[on]), f = exact ? ratio : a.factor[axis];
      double p = (o + 0.5) / f - 0.5;
      if (a.sampling == CW_SAMPLE_ASYMMETRIC)
        p = o / f;
      if (a.sampling == CW_SAMPLE_CORNERS)
        p = out > 1 ? o * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
      if (a.sampling == CW_SAMPLE_TORCH_HALF && out == 1)
        p = 0;
      const auto read = [&](double where) {
        at[on] = static_cast<int64_t>(std::max(0.0, std::min(where, static_cast<double>(in - 1))));
        return now[element_of(now.shape, at)];
      };
      if (a.linear) {
        p = std::max(0.0, std::min(p, static_cast<double>(in - 1)));
        y[e] = (1 - (p - std::floor(p))) * read(std::floor(p)) + (p - std::floor(p)) * read(std::floor(p) + 1);
      } else {
        y[e] = read(a.rounding == CW_ROUND_FLOOR     ? std::floor(p)
                    : a.rounding == CW_ROUND_CEIL    ? std::ceil(p)
                    : a.rounding == CW_ROUND_HALF_UP ? std::floor(p + 0.5)
                                                     : std::ceil(p - 0.5));
      }
    }
    now = y;
  }
  return now;
}

}  // namespace reference
