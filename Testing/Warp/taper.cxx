// The window that takes a velocity to zero at the faces.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

double rise(int i, int n, int margin) {
  const int d = std::min(i, n - 1 - i);
  return d >= margin ? 1 : (1 - std::cos(M_PI * d / margin)) / 2;
}

TEST(Taper, IsTheProductOfRaisedCosines) {
  const Size long_row{{600, 3, 4}};
  auto all = sizes();
  all.push_back(long_row);
  for (const Size &s : all)
    for (int margin : {0, 1, 3, 50}) {
      const auto v = noise(3 * s.samples(), 1);
      std::vector<float> out(v.size(), NAN), own = v;
      std::vector<double> expected(v.size());
      for (int axis = 0; axis < 3; axis++)
        for (int k = 0, at = 0; k < s.n[2]; k++)
          for (int j = 0; j < s.n[1]; j++)
            for (int i = 0; i < s.n[0]; i++, at++)
              expected[axis * s.samples() + at] = double(v[axis * s.samples() + at]) * rise(i, s.n[0], margin) *
                                                  rise(j, s.n[1], margin) * rise(k, s.n[2], margin);
      cw_taper(s.n, margin, v.data(), out.data());
      EXPECT_LT(largest_difference(expected, out), 1e-6) << s.text() << ", margin " << margin;
      cw_taper(s.n, margin, own.data(), own.data());
      EXPECT_TRUE(same_bits(own, out)) << "in place";
    }
}

TEST(Taper, VanishesOnTheFacesAndKeepsTheInside) {
  const Size s{{12, 11, 13}};
  const auto v = noise(3 * s.samples(), 1);
  std::vector<float> out(v.size());
  cw_taper(s.n, 4, v.data(), out.data());
  for (int k = 0, at = 0; k < 13; k++)
    for (int j = 0; j < 11; j++)
      for (int i = 0; i < 12; i++, at++) {
        if (i == 0 || j == 0 || k == 0 || i == 11 || j == 10 || k == 12) {
          EXPECT_EQ(out[at], 0.0f);
        }
        if (i >= 4 && i <= 7 && j >= 4 && j <= 6 && k >= 4 && k <= 8) {
          EXPECT_EQ(out[at], v[at]);
        }
      }
}

// <T v, p> = <v, T p>
TEST(Taper, IsItsOwnAdjoint) {
  const Size s{{19, 8, 7}};
  const auto v = noise(3 * s.samples(), 1), p = noise(3 * s.samples(), 2);
  std::vector<float> tv(v.size()), tp(v.size());
  cw_taper(s.n, 3, v.data(), tv.data());
  cw_taper(s.n, 3, p.data(), tp.data());
  EXPECT_NEAR(dot(tv, p), dot(v, tp), 1e-6 * norm(v) * norm(p));
}

}  // namespace
