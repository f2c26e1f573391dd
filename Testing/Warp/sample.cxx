// Warping of images: values, both gradients, borders, hostile displacements, threads.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

constexpr int kChannels = 2;

// Every size and kind of field gives what the definition gives.
TEST(Sample, ForwardIsTheDefinition) {
  for (const Size &s : sizes())
    for (Kind kind : kinds()) {
      const auto in = noise(kChannels * s.samples(), 1), u = field(s, kind);
      std::vector<float> out(in.size(), NAN);
      std::vector<double> expected(in.size());
      cw_warp_forward(s.n, kChannels, in.data(), u.data(), out.data(), 1);
      for (int c = 0; c < kChannels; c++)
        for (int k = 0, at = 0; k < s.n[2]; k++)
          for (int j = 0; j < s.n[1]; j++)
            for (int i = 0; i < s.n[0]; i++, at++) {
              double p[3];
              point(s, u, i, j, k, p);
              expected[c * s.samples() + at] = sample(s, in.data() + c * s.samples(), p);
            }
      EXPECT_LT(largest_difference(expected, out), 1e-5) << s.text() << ", field " << int(kind);
    }
}

// <warp(v), p> = <v, warp*(p)> for the image's gradient.
TEST(Sample, ImageGradientIsTheAdjoint) {
  for (const Size &s : sizes())
    for (Kind kind : kinds()) {
      const auto v = noise(kChannels * s.samples(), 1), p = noise(kChannels * s.samples(), 2), u = field(s, kind);
      std::vector<float> warped(v.size()), back(v.size(), 0.0f);
      cw_warp_forward(s.n, kChannels, v.data(), u.data(), warped.data(), 1);
      cw_warp_backward(s.n, kChannels, v.data(), u.data(), p.data(), back.data(), nullptr);
      EXPECT_NEAR(dot(warped, p), dot(v, back), 1e-5 * norm(v) * norm(p)) << s.text() << ", field " << int(kind);
    }
}

// The field's gradient is the analytic slope of the trilinear interpolant.
TEST(Sample, FieldGradientIsTheSlope) {
  for (const Size &s : sizes())
    for (Kind kind : {Kind::Tiny, Kind::Smooth, Kind::Shifted, Kind::Rough, Kind::Wild}) {
      const auto in = noise(kChannels * s.samples(), 1), g = noise(kChannels * s.samples(), 2), u = field(s, kind);
      std::vector<float> grad(3 * s.samples(), 0.0f);
      std::vector<double> expected(grad.size(), 0.0);
      cw_warp_backward(s.n, kChannels, in.data(), u.data(), g.data(), nullptr, grad.data());
      for (int k = 0, at = 0; k < s.n[2]; k++)
        for (int j = 0; j < s.n[1]; j++)
          for (int i = 0; i < s.n[0]; i++, at++) {
            double p[3];
            point(s, u, i, j, k, p);
            for (int axis = 0; axis < 3; axis++)
              for (int c = 0; c < kChannels; c++)
                expected[axis * s.samples() + at] +=
                    double(g[c * s.samples() + at]) * slope(s, in.data() + c * s.samples(), p, axis);
          }
      EXPECT_LT(largest_difference(expected, grad), 1e-4) << s.text() << ", field " << int(kind);
    }
}

// Both gradients against finite differences of <warp, p>, on fields that stay away from the cells' faces.
TEST(Sample, GradientsHoldAgainstFiniteDifferences) {
  const Size s{{13, 6, 5}};
  auto in = noise(s.samples(), 1), p = noise(s.samples(), 2), u = field(s, Kind::Rough);
  for (float &value : u)
    value = std::floor(value) + 0.2f + 0.6f * (value - std::floor(value));
  std::vector<float> grad_in(s.samples(), 0.0f), grad_u(3 * s.samples(), 0.0f), out(s.samples());
  cw_warp_backward(s.n, 1, in.data(), u.data(), p.data(), grad_in.data(), grad_u.data());
  const auto loss = [&] {
    cw_warp_forward(s.n, 1, in.data(), u.data(), out.data(), 1);
    return dot(out, p);
  };
  const auto check = [&](std::vector<float> &x, const std::vector<float> &grad) {
    for (size_t i = 0; i < x.size(); i += 7) {
      const float kept = x[i], h = 0.0625f;
      x[i] = kept + h;
      const double above = loss();
      x[i] = kept - h;
      const double below = loss();
      x[i] = kept;
      EXPECT_NEAR((above - below) / (2 * h), grad[i], 1e-4) << "element " << i;
    }
  };
  check(in, grad_in);
  check(u, grad_u);
}

// Gradients are added to what is there, and asking for one alone gives the same numbers as asking for both.
TEST(Sample, GradientsAreAdded) {
  const Size s{{21, 5, 6}};
  const auto in = noise(s.samples(), 1), p = noise(s.samples(), 2), u = field(s, Kind::Smooth);
  std::vector<float> image(s.samples(), 0.0f), field_grad(3 * s.samples(), 0.0f);
  cw_warp_backward(s.n, 1, in.data(), u.data(), p.data(), image.data(), field_grad.data());
  std::vector<float> image_on(s.samples(), 3.0f), field_on(3 * s.samples(), -2.0f);
  cw_warp_backward(s.n, 1, in.data(), u.data(), p.data(), image_on.data(), nullptr);
  cw_warp_backward(s.n, 1, in.data(), u.data(), p.data(), nullptr, field_on.data());
  for (float &value : image)
    value += 3;
  for (float &value : field_grad)
    value -= 2;
  EXPECT_LT(largest_difference(image, image_on), 1e-5);
  EXPECT_LT(largest_difference(field_grad, field_on), 1e-5);
}

// A zero field is the identity, bit for bit; a whole-voxel shift moves samples and brings zeros in.
TEST(Sample, IdentityAndShift) {
  const Size s{{70, 4, 3}};
  const auto in = noise(s.samples(), 1);
  std::vector<float> u(3 * s.samples(), 0.0f), out(s.samples());
  cw_warp_forward(s.n, 1, in.data(), u.data(), out.data(), 2);
  EXPECT_TRUE(same_bits(in, out));
  std::fill(u.begin(), u.begin() + long(s.samples()), 2.0f);
  cw_warp_forward(s.n, 1, in.data(), u.data(), out.data(), 2);
  for (size_t row = 0; row < s.samples(); row += 70)
    for (size_t i = 0; i < 70; i++)
      EXPECT_EQ(out[row + i], i + 2 < 70 ? in[row + i + 2] : 0.0f);
}

// Half a voxel outside, half the border sample is left; a whole voxel outside, nothing.
TEST(Sample, BorderFadesToZero) {
  const Size s{{5, 5, 5}};
  const std::vector<float> in(s.samples(), 1.0f);
  for (int axis = 0; axis < 3; axis++)
    for (float shift : {-0.5f, -0.25f, 0.5f, 0.75f, 1.0f, -1.0f}) {
      std::vector<float> u(3 * s.samples(), 0.0f), out(s.samples());
      std::fill_n(u.begin() + long(axis * s.samples()), s.samples(), shift);
      cw_warp_forward(s.n, 1, in.data(), u.data(), out.data(), 1);
      const size_t step = axis == 0 ? 1 : axis == 1 ? 5 : 25, face = shift < 0 ? 0 : 4 * step;
      EXPECT_FLOAT_EQ(out[face], 1 - std::abs(shift));
      EXPECT_FLOAT_EQ(out[2 * step], 1.0f);
    }
}

// NaN and displacements beyond any integer read nothing outside the arrays (ASan) and give zeros, with zero gradients.
TEST(Sample, HostileDisplacementsCountAsOutside) {
  for (const Size &s : sizes()) {
    const auto in = noise(s.samples(), 1), u = hostile(s);
    std::vector<float> out(s.samples()), grad_in(s.samples(), 0.0f), grad_u(3 * s.samples(), 0.0f);
    cw_warp_forward(s.n, 1, in.data(), u.data(), out.data(), 2);
    cw_warp_backward(s.n, 1, in.data(), u.data(), in.data(), grad_in.data(), grad_u.data());
    for (size_t i = 0; i < s.samples(); i++) {
      EXPECT_TRUE(std::isfinite(out[i]) && std::isfinite(grad_in[i]));
      bool far = false;
      for (int axis = 0; axis < 3; axis++)
        far = far || !(std::abs(u[axis * s.samples() + i]) < 1e8f);
      if (far) {
        EXPECT_EQ(out[i], 0.0f);
        EXPECT_EQ(grad_u[i], 0.0f);
      }
    }
  }
}

TEST(Sample, ThreadsDoNotChangeBits) {
  for (const Size &s : sizes())
    for (Kind kind : kinds()) {
      const auto in = noise(kChannels * s.samples(), 1), u = field(s, kind);
      std::vector<float> one(in.size()), many(in.size());
      cw_warp_forward(s.n, kChannels, in.data(), u.data(), one.data(), 1);
      for (int threads : {2, 3, 8}) {
        cw_warp_forward(s.n, kChannels, in.data(), u.data(), many.data(), threads);
        EXPECT_TRUE(same_bits(one, many)) << s.text() << ", " << threads << " threads";
      }
    }
}

}  // namespace
