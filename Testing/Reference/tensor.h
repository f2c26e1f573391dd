// Tensors in double precision for the references: slow and obvious on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference {

using Shape = std::vector<int64_t>;

inline int64_t elements(const Shape &shape) {
  int64_t product = 1;
  for (int64_t d : shape)
    product *= d;
  return product;
}

struct Tensor {
  Shape shape;
  std::vector<double> data;

  Tensor() = default;
  explicit Tensor(Shape s) : shape(std::move(s)), data(static_cast<std::size_t>(elements(shape)), 0.0) {}

  bool empty() const { return data.empty(); }
  int64_t size() const { return static_cast<int64_t>(data.size()); }
  double &operator[](int64_t i) { return data[static_cast<std::size_t>(i)]; }
  double operator[](int64_t i) const { return data[static_cast<std::size_t>(i)]; }

  // x[n][c][z][y][x]
  double &at(int64_t n, int64_t c, int64_t z, int64_t y, int64_t x) { return data[offset(n, c, z, y, x)]; }
  double at(int64_t n, int64_t c, int64_t z, int64_t y, int64_t x) const { return data[offset(n, c, z, y, x)]; }
  // The same with 0 outside.
  double or_zero(int64_t n, int64_t c, int64_t z, int64_t y, int64_t x) const {
    return inside(z, y, x) ? at(n, c, z, y, x) : 0.0;
  }
  bool inside(int64_t z, int64_t y, int64_t x) const {
    return z >= 0 && y >= 0 && x >= 0 && z < shape[2] && y < shape[3] && x < shape[4];
  }

 private:
  std::size_t offset(int64_t n, int64_t c, int64_t z, int64_t y, int64_t x) const {
    return static_cast<std::size_t>((((n * shape[1] + c) * shape[2] + z) * shape[3] + y) * shape[4] + x);
  }
};

}  // namespace reference
