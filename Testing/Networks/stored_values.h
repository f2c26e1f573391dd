/* The values that Testing/Reference/pytorch_networks.py stored, and the formulas of its parameters and images. */
#ifndef COUNTERWARP_TESTING_STORED_VALUES_H
#define COUNTERWARP_TESTING_STORED_VALUES_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "counterwarp/graph.h"

namespace stored {

inline uint32_t Fnv1a(const std::string &name) {
  uint32_t h = 2166136261u;
  for (const unsigned char c : name)
    h = (h ^ c) * 16777619u;
  return h;
}

/* Number `index` of the sequence `name`: uniform in [-1, 1), a multiple of 2^-23. */
class Unit {
 public:
  explicit Unit(const std::string &name) : seed_(Fnv1a(name)) {}
  double operator[](size_t index) const {
    uint32_t x = static_cast<uint32_t>(index) * 0x9E3779B9u + seed_;
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    x ^= x >> 16;
    return (x >> 8) / 8388608.0 - 1.0;
  }

 private:
  uint32_t seed_;
};

inline bool EndsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/* Fills a parameter of a reference network, as `parameter` and `parameters` of the script do. */
inline void FillParameter(int salt, const std::string &name, const cw_shape &shape, float output_scale, float *data) {
  double offset = 0, scale = 0.1;
  if (name.find(".norm.") != std::string::npos) {
    scale = EndsWith(name, ".variance") ? 0.5 : 0.2;
    offset = EndsWith(name, ".scale") || EndsWith(name, ".variance") ? 1 : 0;
  } else if (EndsWith(name, ".weight")) {
    double inputs = 1;
    for (int i = EndsWith(name, "cc.weight") ? 2 : 1; i < shape.rank; i++)
      inputs *= static_cast<double>(shape.d[i]);
    scale = std::sqrt(6.0 / inputs);
  }
  const bool output = name == "output.cc.weight" || name == "output.cc.bias";
  const Unit unit(std::to_string(salt) + "/" + name);
  const size_t count = static_cast<size_t>(cw_shape_elements(&shape, 1));
  for (size_t i = 0; i < count; i++) {
    data[i] = static_cast<float>(offset + scale * unit[i]);
    if (output)
      data[i] *= output_scale;
  }
}

inline void FillImage(int salt, int size, int batch, float *data) {
  const Unit unit(std::to_string(salt) + "/image");
  const double step = 32.0 / size;
  size_t at = 0;
  for (int n = 0; n < batch; n++)
    for (int k = 0; k < size; k++)
      for (int j = 0; j < size; j++)
        for (int i = 0; i < size; i++, at++) {
          const double x = i * step, y = j * step, z = k * step;
          const double wave = std::sin(0.31 * x + 0.7 * n) * std::cos(0.23 * y - 0.4 * n) +
                              std::sin(0.27 * z + 0.11 * x) + std::cos(0.19 * (x + y - z) + n);
          data[at] = static_cast<float>(0.5 + wave / 6 + 0.1 * unit[at]);
        }
}

/* Arrays by name. */
class Values {
 public:
  explicit Values(const std::string &folder) {
    std::ifstream index(folder + "/index.tsv"), numbers(folder + "/values.f32", std::ios::binary);
    std::string name;
    size_t count = 0;
    while (index >> name >> count) {
      std::vector<unsigned char> bytes(4 * count);
      if (!numbers.read(reinterpret_cast<char *>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
        throw std::runtime_error("values.f32 ends before " + name);
      std::vector<double> &array = arrays_[name];
      for (size_t i = 0; i < count; i++) {
        const uint32_t bits = bytes[4 * i] | bytes[4 * i + 1] << 8 | bytes[4 * i + 2] << 16 |
                              static_cast<uint32_t>(bytes[4 * i + 3]) << 24;
        float value;
        std::memcpy(&value, &bits, sizeof value);
        array.push_back(value);
      }
    }
    if (arrays_.empty())
      throw std::runtime_error("no stored values in " + folder);
  }
  bool Has(const std::string &name) const { return arrays_.count(name) > 0; }
  const std::vector<double> &operator[](const std::string &name) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end())
      throw std::runtime_error("no stored values named " + name);
    return found->second;
  }
  /* Rest of the names that start with `prefix`. */
  std::vector<std::string> Below(const std::string &prefix) const {
    std::vector<std::string> names;
    for (const auto &item : arrays_)
      if (item.first.compare(0, prefix.size(), prefix) == 0)
        names.push_back(item.first.substr(prefix.size()));
    return names;
  }

 private:
  std::map<std::string, std::vector<double>> arrays_;
};

/* What is stored of a large array: element count, sum, L2 norm, dot products with four directions. */
struct Digest {
  double count = 0, sum = 0, norm = 0, dot[4] = {};

  explicit Digest(const std::vector<double> &a) {
    if (a.size() != 7)
      throw std::runtime_error("a digest has 7 numbers");
    count = a[0], sum = a[1], norm = a[2];
    std::copy(a.begin() + 3, a.end(), dot);
  }
  Digest(const float *a, size_t n) : count(static_cast<double>(n)) {
    const Unit direction[4] = {Unit("direction0"), Unit("direction1"), Unit("direction2"), Unit("direction3")};
    for (size_t i = 0; i < n; i++) {
      sum += a[i];
      norm += static_cast<double>(a[i]) * a[i];
      for (int k = 0; k < 4; k++)
        dot[k] += a[i] * direction[k][i];
    }
    norm = std::sqrt(norm);
  }
  /* Estimate of |this - other| (L2): the directions' entries are independent, of mean 0 and variance 1/3. */
  double Distance(const Digest &other) const {
    double squares = 0;
    for (int k = 0; k < 4; k++)
      squares += (dot[k] - other.dot[k]) * (dot[k] - other.dot[k]);
    return std::max({std::sqrt(0.75 * squares), std::fabs(norm - other.norm),
                     std::fabs(sum - other.sum) / std::sqrt(std::max(count, 1.0))});
  }
};

/* |a - b| / |b| */
inline double RelativeDistance(const std::vector<double> &a, const std::vector<double> &b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.size(); i++) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace stored

#endif
