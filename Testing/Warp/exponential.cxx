// The exponential of a velocity field: values, gradient, group properties, folds, squarings.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

std::vector<float> tapered(const Size &s, uint64_t stream, double amplitude, double wavelength, int margin) {
  auto v = waves(s, stream, amplitude, wavelength);
  cw_taper(s.n, margin, v.data(), v.data());
  return v;
}

std::vector<float> exponential_of(const Size &s, const std::vector<float> &v, float scale, int squarings) {
  std::vector<float> u(v.size(), NAN), step(v.size());
  cw_exponential_forward(s.n, v.data(), scale, squarings, false, step.data(), u.data(), 2);
  return u;
}

std::vector<float> compose_of(const Size &s, const std::vector<float> &a, const std::vector<float> &b) {
  std::vector<float> w(a.size());
  cw_compose_forward(s.n, a.data(), b.data(), w.data(), 2);
  return w;
}

TEST(Exponential, ForwardIsTheDefinition) {
  for (const Size &s : sizes())
    for (int squarings : {0, 1, 4, 7}) {
      const auto v = waves(s, 1, 2.5, 30);
      const auto expected = exponential(s, v, 0.75, squarings);
      EXPECT_LT(largest_difference(expected, exponential_of(s, v, 0.75f, squarings)), 2e-4) << s.text();
    }
}

// Keeping the steps changes no bit of the result, and the steps are u_0, u_1, ...
TEST(Exponential, KeptStepsAreTheSteps) {
  const Size s{{21, 12, 9}};
  const auto v = waves(s, 1, 2, 20);
  for (int squarings : {0, 1, 2, 5}) {
    std::vector<float> steps(size_t(squarings) * v.size()), u(v.size());
    cw_exponential_forward(s.n, v.data(), 1, squarings, true, steps.data(), u.data(), 1);
    EXPECT_TRUE(same_bits(u, exponential_of(s, v, 1, squarings)));
    for (int n = 0; n < squarings; n++) {
      const std::vector<float> step(steps.begin() + long(n * v.size()), steps.begin() + long((n + 1) * v.size()));
      EXPECT_LT(largest_difference(exponential(s, v, std::pow(0.5, squarings - n), n), step), 1e-4);
    }
  }
}

// The gradient, along random smooth directions, against central differences of the double-precision reference.
TEST(Exponential, GradientHoldsAgainstFiniteDifferences) {
  const Size s{{18, 13, 11}};
  for (int squarings : {0, 1, 3, 6})
    for (double amplitude : {0.5, 2.0}) {
      const auto v = tapered(s, 1, amplitude, 14, 3), p = noise(v.size(), 2);
      std::vector<float> steps(size_t(squarings) * v.size()), u(v.size()), work(2 * v.size(), NAN);
      cw_exponential_forward(s.n, v.data(), 1.5f, squarings, true, steps.data(), u.data(), 1);
      std::vector<float> grad(v.size(), 0.25f);
      cw_exponential_backward(s.n, 1.5f, squarings, steps.data(), p.data(), grad.data(), work.data());
      for (float &value : grad)
        value -= 0.25f; /* added to what was there */
      for (int direction = 0; direction < 3; direction++) {
        const auto d = tapered(s, 10 + uint64_t(direction), 1, 14, 3);
        const double h = 1e-5;
        std::vector<double> above(v.begin(), v.end()), below = above;
        for (size_t i = 0; i < v.size(); i++) {
          above[i] += h * d[i];
          below[i] -= h * d[i];
        }
        const double slope =
            (dot(exponential(s, above, 1.5, squarings), p) - dot(exponential(s, below, 1.5, squarings), p)) / (2 * h);
        EXPECT_NEAR(slope, dot(grad, d), 1e-3 * norm(d) * norm(p)) << squarings << " squarings, " << amplitude;
      }
    }
}

// exp(v) o exp(-v) = id and exp(sv) o exp(tv) = exp((s+t)v), up to discretisation.
TEST(Exponential, IsAGroupAlongTheVelocity) {
  const Size s{{48, 44, 40}};
  const auto v = tapered(s, 5, 2, 48, 14);
  const int squarings = cw_exponential_squarings(s.n, v.data(), 1);
  const auto forth = exponential_of(s, v, 1, squarings), back = exponential_of(s, v, -1, squarings);
  const std::vector<float> zero(v.size(), 0.0f);
  EXPECT_GT(largest_difference(forth, zero), 0.8); /* a warp worth the test */
  EXPECT_LT(largest_difference(compose_of(s, forth, back), zero), 0.06);
  EXPECT_LT(largest_difference(compose_of(s, back, forth), zero), 0.06);
  const auto part = exponential_of(s, v, 0.3f, squarings), rest = exponential_of(s, v, 0.7f, squarings);
  EXPECT_LT(largest_difference(compose_of(s, part, rest), forth), 0.06);
}

// A tapered velocity with the chosen squarings folds nowhere, though the same field as a displacement does.
TEST(Exponential, TaperedVelocityDoesNotFold) {
  const Size s{{40, 40, 40}};
  for (uint64_t stream = 0; stream < 4; stream++) {
    const auto v = tapered(s, stream, 6, 12, 6);
    std::vector<float> j(s.samples());
    EXPECT_GT(cw_jacobian_determinant(s.n, v.data(), false, j.data(), 2), 0u);
    const int squarings = cw_exponential_squarings(s.n, v.data(), 1);
    EXPECT_EQ(cw_jacobian_determinant(s.n, exponential_of(s, v, 1, squarings).data(), false, j.data(), 2), 0u);
  }
}

// The smallest N that meets both bounds.
TEST(Exponential, SquaringsAreTheSmallestThatSuffice) {
  const Size s{{9, 8, 7}};
  std::vector<float> v(3 * s.samples(), 0.0f);
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), 1), 0);
  std::fill(v.begin(), v.end(), 3.0f); /* length 3 sqrt(3) = 5.2; no slope */
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), 1), 4);
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), -2), 5);
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), 0), 0);
  std::fill(v.begin(), v.end(), 0.0f);
  v[(3 * 8 + 4) * 9 + 4] = 0.45f; /* one spike: the row sum of three differences is 1.35 at it */
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), 1), 2);
  v[0] = NAN;
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), 1), 12);
  v[0] = 1e30f;
  EXPECT_EQ(cw_exponential_squarings(s.n, v.data(), 1), 12);
}

TEST(Exponential, HostileVelocitiesStayInside) {
  for (const Size &s : sizes()) {
    const auto v = hostile(s), g = noise(v.size(), 1);
    std::vector<float> steps(3 * v.size()), u(v.size()), grad(v.size(), 0.0f), work(2 * v.size());
    cw_exponential_forward(s.n, v.data(), 1, 3, true, steps.data(), u.data(), 2);
    cw_exponential_backward(s.n, 1, 3, steps.data(), g.data(), grad.data(), work.data());
    const int squarings = cw_exponential_squarings(s.n, v.data(), 1);
    EXPECT_TRUE(squarings >= 0 && squarings <= 12);
  }
}

TEST(Exponential, ThreadsDoNotChangeBits) {
  const Size s{{37, 20, 15}};
  const auto v = waves(s, 1, 5, 25);
  std::vector<float> step(v.size()), one(v.size()), many(v.size());
  cw_exponential_forward(s.n, v.data(), 1, 6, false, step.data(), one.data(), 1);
  for (int threads : {2, 3, 8}) {
    cw_exponential_forward(s.n, v.data(), 1, 6, false, step.data(), many.data(), threads);
    EXPECT_TRUE(same_bits(one, many));
  }
}

}  // namespace
