// Composition of fields: values, both gradients, borders, hostile displacements, threads.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

TEST(Compose, ForwardIsTheDefinition) {
  for (const Size &s : sizes())
    for (Kind kind : kinds()) {
      const auto a = noise(3 * s.samples(), 1), b = field(s, kind);
      std::vector<float> w(a.size(), NAN);
      cw_compose_forward(s.n, a.data(), b.data(), w.data(), 1);
      EXPECT_LT(largest_difference(compose(s, a, b), w), 3e-5) << s.text() << ", field " << int(kind);
    }
}

// Warping by w = a o b is warping by a, then by b, up to interpolation (smooth data, away from the border).
TEST(Compose, OrderIsFirstAThenB) {
  const Size s{{40, 38, 36}};
  const auto a = waves(s, 1, 1.5, 40), b = waves(s, 2, 1.5, 40);
  auto image = waves(s, 3, 1, 30);
  image.resize(s.samples());
  std::vector<float> w(a.size()), once(s.samples()), first(s.samples()), then(s.samples());
  cw_compose_forward(s.n, a.data(), b.data(), w.data(), 2);
  cw_warp_forward(s.n, 1, image.data(), w.data(), once.data(), 2);
  cw_warp_forward(s.n, 1, image.data(), a.data(), first.data(), 2);
  cw_warp_forward(s.n, 1, first.data(), b.data(), then.data(), 2);
  double largest = 0;
  for (int k = 5; k < 31; k++)
    for (int j = 5; j < 33; j++)
      for (int i = 5; i < 35; i++) {
        const size_t at = (size_t(k) * 38 + j) * 40 + i;
        largest = std::max(largest, double(std::abs(once[at] - then[at])));
      }
  EXPECT_LT(largest, 0.02);
}

// With b held, w depends linearly on a: <w(a) - w(0), p> = <a, w*(p)>.
TEST(Compose, GradientOfAIsTheAdjoint) {
  for (const Size &s : sizes())
    for (Kind kind : kinds()) {
      const auto a = noise(3 * s.samples(), 1), p = noise(3 * s.samples(), 2), b = field(s, kind);
      std::vector<float> w(a.size()), grad(a.size(), 0.0f);
      cw_compose_forward(s.n, a.data(), b.data(), w.data(), 1);
      cw_compose_backward(s.n, a.data(), b.data(), p.data(), grad.data(), nullptr);
      const double scale = norm(p) * (norm(a) + norm(b));
      EXPECT_NEAR(dot(w, p) - dot(b, p), dot(a, grad), 1e-5 * scale) << s.text() << ", field " << int(kind);
    }
}

// b's gradient is p plus the analytic slope of a; none where the point is held at the border.
TEST(Compose, GradientOfBIsTheSlope) {
  for (const Size &s : sizes())
    for (Kind kind : {Kind::Tiny, Kind::Smooth, Kind::Shifted, Kind::Rough, Kind::Wild}) {
      const auto a = noise(3 * s.samples(), 1), p = noise(3 * s.samples(), 2), b = field(s, kind);
      std::vector<float> grad(a.size(), 0.0f);
      std::vector<double> expected(p.begin(), p.end());
      cw_compose_backward(s.n, a.data(), b.data(), p.data(), nullptr, grad.data());
      for (int k = 0, at = 0; k < s.n[2]; k++)
        for (int j = 0; j < s.n[1]; j++)
          for (int i = 0; i < s.n[0]; i++, at++) {
            double x[3], held[3];
            point(s, b, i, j, k, x);
            for (int axis = 0; axis < 3; axis++)
              held[axis] = hold(x[axis], s.n[axis]);
            for (int axis = 0; axis < 3; axis++)
              for (int c = 0; c < 3 && held[axis] == x[axis]; c++)
                expected[axis * s.samples() + at] +=
                    double(p[c * s.samples() + at]) * slope(s, a.data() + c * s.samples(), held, axis);
          }
      EXPECT_LT(largest_difference(expected, grad), 1e-4) << s.text() << ", field " << int(kind);
    }
}

TEST(Compose, GradientsHoldAgainstFiniteDifferences) {
  const Size s{{11, 5, 6}};
  auto a = noise(3 * s.samples(), 1), b = field(s, Kind::Rough);
  const auto p = noise(3 * s.samples(), 2);
  for (float &value : b)
    value = std::floor(value) + 0.2f + 0.6f * (value - std::floor(value));
  std::vector<float> grad_a(a.size(), 0.0f), grad_b(a.size(), 0.0f), w(a.size());
  cw_compose_backward(s.n, a.data(), b.data(), p.data(), grad_a.data(), grad_b.data());
  const auto loss = [&] {
    cw_compose_forward(s.n, a.data(), b.data(), w.data(), 1);
    return dot(w, p);
  };
  const auto check = [&](std::vector<float> &x, const std::vector<float> &grad) {
    for (size_t i = 0; i < x.size(); i += 11) {
      const float kept = x[i], h = 0.0625f;
      x[i] = kept + h;
      const double above = loss();
      x[i] = kept - h;
      const double below = loss();
      x[i] = kept;
      EXPECT_NEAR((above - below) / (2 * h), grad[i], 2e-4) << "element " << i;
    }
  };
  check(a, grad_a);
  check(b, grad_b);
}

// One array may receive both gradients when a == b: it then holds their sum.
TEST(Compose, OneArrayTakesBothGradients) {
  for (Kind kind : kinds()) {
    const Size s{{34, 9, 7}};
    const auto a = field(s, kind), p = noise(3 * s.samples(), 2);
    std::vector<float> grad_a(a.size(), 0.0f), grad_b(a.size(), 0.0f), both(a.size(), 1.0f);
    cw_compose_backward(s.n, a.data(), a.data(), p.data(), grad_a.data(), grad_b.data());
    cw_compose_backward(s.n, a.data(), a.data(), p.data(), both.data(), both.data());
    for (size_t i = 0; i < a.size(); i++)
      grad_a[i] += grad_b[i] + 1;
    EXPECT_LT(largest_difference(grad_a, both), 2e-4 * (1 + norm(a) / std::sqrt(double(a.size()))));
  }
}

// NaN and huge displacements stay inside the arrays (ASan); voxels with finite ones get finite results.
TEST(Compose, HostileDisplacementsStayInside) {
  for (const Size &s : sizes()) {
    const auto a = noise(3 * s.samples(), 1), b = hostile(s);
    std::vector<float> w(a.size()), grad_a(a.size(), 0.0f), grad_b(a.size(), 0.0f);
    cw_compose_forward(s.n, a.data(), b.data(), w.data(), 2);
    cw_compose_backward(s.n, a.data(), b.data(), a.data(), grad_a.data(), grad_b.data());
    for (size_t i = 0; i < a.size(); i++) {
      EXPECT_TRUE(std::isfinite(grad_a[i]));
      EXPECT_TRUE(std::isfinite(w[i]) || !std::isfinite(b[i]) || std::abs(b[i]) > 1e38f);
    }
  }
}

TEST(Compose, ThreadsDoNotChangeBits) {
  for (const Size &s : sizes())
    for (Kind kind : kinds()) {
      const auto a = noise(3 * s.samples(), 1), b = field(s, kind);
      std::vector<float> one(a.size()), many(a.size());
      cw_compose_forward(s.n, a.data(), b.data(), one.data(), 1);
      for (int threads : {2, 3, 8}) {
        cw_compose_forward(s.n, a.data(), b.data(), many.data(), threads);
        EXPECT_TRUE(same_bits(one, many)) << s.text() << ", " << threads << " threads";
      }
    }
}

}  // namespace
