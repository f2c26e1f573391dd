// The inverse of a field.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

// u o w = id where the inverse's point lies inside the box, and the residual says how far off it is.
TEST(Invert, CompositionIsTheIdentity) {
  const Size s{{40, 33, 31}};
  const auto u = waves(s, 3, 2.5, 40);
  std::vector<float> w(u.size()), scratch(u.size());
  const double residual = cw_invert_field(s.n, u.data(), 50, 1e-4, w.data(), scratch.data(), 2);
  EXPECT_LT(residual, 1e-4);
  const auto left = compose(s, u, w);
  double largest = 0;
  for (int k = 0; k < s.n[2]; k++)
    for (int j = 0; j < s.n[1]; j++)
      for (int i = 0; i < s.n[0]; i++) {
        double p[3], square = 0;
        point(s, w, i, j, k, p);
        const size_t at = (size_t(k) * s.n[1] + j) * s.n[0] + i;
        bool inside = true;
        for (int axis = 0; axis < 3; axis++) {
          inside = inside && p[axis] >= 0 && p[axis] <= s.n[axis] - 1;
          square += left[axis * s.samples() + at] * left[axis * s.samples() + at];
        }
        if (inside)
          largest = std::max(largest, std::sqrt(square));
      }
  EXPECT_NEAR(largest, residual, 1e-5);
}

// A constant shift is inverted at once and everywhere; few iterations of a steep field leave a residual that is told.
TEST(Invert, StopsEarlyAndReportsWhatIsLeft) {
  const Size s{{16, 9, 8}};
  std::vector<float> u(3 * s.samples(), 1.5f), w(u.size()), scratch(u.size());
  EXPECT_EQ(cw_invert_field(s.n, u.data(), 0, 0, w.data(), scratch.data(), 1), 0);
  EXPECT_EQ(w[5], -1.5f);
  const auto steep = waves(s, 3, 2, 12);
  const double none = cw_invert_field(s.n, steep.data(), 0, 0, w.data(), scratch.data(), 1);
  const double three = cw_invert_field(s.n, steep.data(), 3, 0, w.data(), scratch.data(), 1);
  const double many = cw_invert_field(s.n, steep.data(), 40, 0, w.data(), scratch.data(), 1);
  EXPECT_GT(none, 0.1);
  EXPECT_LT(three, none);
  EXPECT_LT(many, three);
}

// u = 7 tanh((x - c) / 4): a strain of 1.75 in the middle, where w <- -u(p + w) alone runs away.
TEST(Invert, ConvergesWhereTissueMoreThanDoubles) {
  const Size s{{48, 9, 8}};
  std::vector<float> u(3 * s.samples()), w(u.size()), scratch(u.size());
  for (size_t i = 0; i < s.samples(); i++)
    u[i] = float(7 * std::tanh((double(i % 48) - 23.5) / 4));
  const double residual = cw_invert_field(s.n, u.data(), 60, 1e-4, w.data(), scratch.data(), 2);
  EXPECT_LT(residual, 1e-4);
  // By bisection on the same piecewise linear field.
  const auto forward = [&](double x) {
    const int cell = std::min(46, int(x));
    return x + u[cell] + (x - cell) * (u[cell + 1] - u[cell]);
  };
  for (int i = 10; i < 38; i++) {
    double low = 0, high = 47;
    for (int n = 0; n < 60; n++)
      (forward(0.5 * (low + high)) < i ? low : high) = 0.5 * (low + high);
    EXPECT_NEAR(i + w[(3 * 9 + 4) * 48 + i], low, 2e-4) << i;
  }
}

TEST(Invert, HostileFieldsStayInside) {
  for (const Size &s : sizes()) {
    const auto u = hostile(s);
    std::vector<float> w(u.size()), scratch(u.size());
    const double residual = cw_invert_field(s.n, u.data(), 5, 1e-3, w.data(), scratch.data(), 2);
    EXPECT_GE(residual, 0);
  }
}

TEST(Invert, ThreadsDoNotChangeBits) {
  const Size s{{33, 14, 12}};
  const auto u = waves(s, 2, 2, 20);
  std::vector<float> one(u.size()), many(u.size()), scratch(u.size());
  const double residual = cw_invert_field(s.n, u.data(), 7, 0, one.data(), scratch.data(), 1);
  for (int threads : {2, 5}) {
    EXPECT_EQ(cw_invert_field(s.n, u.data(), 7, 0, many.data(), scratch.data(), threads), residual);
    EXPECT_TRUE(same_bits(one, many));
  }
}

}  // namespace
