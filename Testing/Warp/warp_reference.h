// Slow, obvious double-precision references of the warp's kernels, and the inputs that its tests share.
#ifndef COUNTERWARP_TESTING_WARP_REFERENCE_H
#define COUNTERWARP_TESTING_WARP_REFERENCE_H

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "counterwarp/random.h"
#include "counterwarp/warp.h"

namespace reference {

struct Size {
  int n[3];
  size_t samples() const { return size_t(n[0]) * n[1] * n[2]; }
  std::string text() const {
    return std::to_string(n[0]) + " x " + std::to_string(n[1]) + " x " + std::to_string(n[2]);
  }
};

// Odd sizes, axes of one sample, rows longer and shorter than any vector.
inline std::vector<Size> sizes() {
  return {{{1, 1, 1}}, {{1, 9, 4}},  {{5, 1, 6}},   {{33, 7, 1}},   {{2, 2, 2}},
          {{3, 4, 5}}, {{17, 6, 5}}, {{64, 12, 9}}, {{131, 10, 8}}, {{40, 33, 31}}};
}

enum class Kind {
  Still,    // zero
  Tiny,     // smooth, under a tenth of a voxel
  Smooth,   // smooth, a few voxels: what a registration gives
  Shifted,  // smooth, around an offset of several voxels: leaves the box on one side
  Rough,    // independent noise of one voxel
  Wild,     // independent noise far beyond the box
};
inline std::vector<Kind> kinds() {
  return {Kind::Still, Kind::Tiny, Kind::Smooth, Kind::Shifted, Kind::Rough, Kind::Wild};
}

inline std::vector<float> noise(size_t n, uint64_t stream, double amplitude = 1) {
  cw_random random = cw_random_stream(4711, stream);
  std::vector<float> x(n);
  for (float &value : x)
    value = float(amplitude * cw_random_normal(&random));
  return x;
}

// Three components of a few random waves of at least `wavelength` voxels, largest value about `amplitude`.
inline std::vector<float> waves(const Size &s, uint64_t stream, double amplitude, double wavelength) {
  std::vector<float> u(3 * s.samples());
  cw_random random = cw_random_stream(815, stream);
  for (int axis = 0; axis < 3; axis++) {
    double f[3][3], phase[3];
    for (int w = 0; w < 3; w++) {
      phase[w] = cw_random_uniform(&random, 0, 6.2831853);
      for (double &component : f[w])
        component = cw_random_uniform(&random, -1, 1) * 6.2831853 / wavelength / 1.7320508;
    }
    for (int k = 0; k < s.n[2]; k++)
      for (int j = 0; j < s.n[1]; j++)
        for (int i = 0; i < s.n[0]; i++) {
          double sum = 0;
          for (int w = 0; w < 3; w++)
            sum += std::sin(f[w][0] * i + f[w][1] * j + f[w][2] * k + phase[w]);
          u[axis * s.samples() + (size_t(k) * s.n[1] + j) * s.n[0] + i] = float(amplitude * sum / 3);
        }
  }
  return u;
}

inline std::vector<float> field(const Size &s, Kind kind, uint64_t stream = 0) {
  std::vector<float> u;
  switch (kind) {
    case Kind::Still:
      return std::vector<float>(3 * s.samples(), 0.0f);
    case Kind::Tiny:
      return waves(s, stream, 0.1, 20);
    case Kind::Smooth:
      return waves(s, stream, 3, 40);
    case Kind::Shifted:
      u = waves(s, stream, 0.6, 30);
      for (size_t i = 0; i < u.size(); i++)
        u[i] += i < s.samples() ? 5.3f : i < 2 * s.samples() ? -2.6f : 1.4f;
      return u;
    case Kind::Rough:
      return noise(3 * s.samples(), stream, 1);
    case Kind::Wild:
      return noise(3 * s.samples(), stream, 50);
  }
  return u;
}

// A point's displacement from sample (i, j, k), in double.
template <class T>
void point(const Size &s, const std::vector<T> &u, int i, int j, int k, double p[3]) {
  const size_t at = (size_t(k) * s.n[1] + j) * s.n[0] + i;
  p[0] = i + double(u[at]);
  p[1] = j + double(u[s.samples() + at]);
  p[2] = k + double(u[2 * s.samples() + at]);
}

// Trilinear, samples outside count as zero.
template <class T>
double sample(const Size &s, const T *image, const double p[3]) {
  double sum = 0;
  const double x = std::floor(p[0]), y = std::floor(p[1]), z = std::floor(p[2]);
  for (int n = 0; n < 8; n++) {
    const double a = x + (n & 1), b = y + (n >> 1 & 1), c = z + (n >> 2);
    if (a < 0 || b < 0 || c < 0 || a >= s.n[0] || b >= s.n[1] || c >= s.n[2])
      continue;
    const double weight = (1 - std::abs(p[0] - a)) * (1 - std::abs(p[1] - b)) * (1 - std::abs(p[2] - c));
    sum += weight * double(image[(size_t(c) * s.n[1] + size_t(b)) * s.n[0] + size_t(a)]);
  }
  return sum;
}

// Derivative of the above along an axis: the difference between the two faces of the cell.
template <class T>
double slope(const Size &s, const T *image, const double p[3], int axis) {
  double low[3] = {p[0], p[1], p[2]}, high[3] = {p[0], p[1], p[2]};
  low[axis] = std::floor(p[axis]);
  high[axis] = low[axis] + 1;
  return sample(s, image, high) - sample(s, image, low);
}

inline double hold(double p, int n) {
  return p < 0 ? 0 : p > n - 1 ? n - 1 : p;
}

// w = b + a(p + b), a held at its border.
template <class T>
std::vector<double> compose(const Size &s, const std::vector<T> &a, const std::vector<T> &b) {
  std::vector<double> w(b.size());
  for (int k = 0; k < s.n[2]; k++)
    for (int j = 0; j < s.n[1]; j++)
      for (int i = 0; i < s.n[0]; i++) {
        double p[3];
        point(s, b, i, j, k, p);
        for (int axis = 0; axis < 3; axis++)
          p[axis] = hold(p[axis], s.n[axis]);
        const size_t at = (size_t(k) * s.n[1] + j) * s.n[0] + i;
        for (int axis = 0; axis < 3; axis++)
          w[axis * s.samples() + at] = double(b[axis * s.samples() + at]) + sample(s, a.data() + axis * s.samples(), p);
      }
  return w;
}

template <class T>
std::vector<double> exponential(const Size &s, const std::vector<T> &v, double scale, int squarings) {
  std::vector<double> u(v.begin(), v.end());
  for (double &value : u)
    value *= scale / std::pow(2.0, squarings);
  for (int n = 0; n < squarings; n++)
    u = compose(s, u, u);
  return u;
}

template <class A, class B>
double dot(const std::vector<A> &a, const std::vector<B> &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++)
    sum += double(a[i]) * double(b[i]);
  return sum;
}

template <class A>
double norm(const std::vector<A> &a) {
  return std::sqrt(dot(a, a));
}

template <class A, class B>
double largest_difference(const std::vector<A> &a, const std::vector<B> &b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const double d = std::abs(double(a[i]) - double(b[i]));
    if (!(d <= largest))
      largest = d;
  }
  return largest;
}

// The same bits, NaN included.
inline bool same_bits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)));
}

// Displacements that a kernel must survive: NaN, infinities, beyond int, just inside and outside the box.
inline std::vector<float> hostile(const Size &s) {
  const float bad[] = {NAN,   INFINITY, -INFINITY, 1e30f, -1e30f, 2147483648.0f, -2147483904.0f, 1e9f, -1e9f,
                       -1.0f, -0.0f,    1e-42f,    0.5f,  -1e-9f, float(s.n[0]), float(-s.n[0]), 3e38f};
  cw_random random = cw_random_stream(13, 0);
  std::vector<float> u(3 * s.samples());
  for (float &value : u)
    value = cw_random_below(&random, 3) ? float(cw_random_normal(&random)) : bad[cw_random_below(&random, 17)];
  return u;
}

}  // namespace reference

#endif
