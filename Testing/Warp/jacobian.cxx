// Jacobian determinants of voxel fields.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

// det(I + du/dx) from differences taken one by one.
std::vector<double> determinants(const Size &s, const std::vector<float> &u, size_t *folded) {
  std::vector<double> out(s.samples());
  *folded = 0;
  for (int k = 0; k < s.n[2]; k++)
    for (int j = 0; j < s.n[1]; j++)
      for (int i = 0; i < s.n[0]; i++) {
        double m[3][3];
        for (int r = 0; r < 3; r++)
          for (int c = 0; c < 3; c++) {
            int low[3] = {i, j, k}, high[3] = {i, j, k};
            if (low[c] > 0)
              low[c]--;
            if (high[c] + 1 < s.n[c])
              high[c]++;
            const auto value = [&](const int at[3]) {
              return double(u[r * s.samples() + (size_t(at[2]) * s.n[1] + at[1]) * s.n[0] + at[0]]);
            };
            const int width = high[c] - low[c];
            m[r][c] = (r == c) + (width ? (value(high) - value(low)) / width : 0);
          }
        const double det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                           m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
        out[(size_t(k) * s.n[1] + j) * s.n[0] + i] = det;
        *folded += det <= 0;
      }
  return out;
}

TEST(Jacobian, IsTheDefinition) {
  for (const Size &s : sizes())
    for (Kind kind : {Kind::Still, Kind::Tiny, Kind::Smooth, Kind::Shifted, Kind::Rough}) {
      const auto u = field(s, kind);
      size_t folded;
      const auto expected = determinants(s, u, &folded);
      std::vector<float> out(s.samples(), NAN), logarithm(s.samples(), NAN);
      EXPECT_EQ(cw_jacobian_determinant(s.n, u.data(), false, out.data(), 1), folded);
      EXPECT_LT(largest_difference(expected, out), 2e-4) << s.text() << ", field " << int(kind);
      EXPECT_EQ(cw_jacobian_determinant(s.n, u.data(), true, logarithm.data(), 2), folded);
      for (size_t i = 0; i < s.samples(); i++) {
        if (expected[i] <= 0) {
          EXPECT_FLOAT_EQ(logarithm[i], std::log(1e-3f));
        } else if (expected[i] > 0.1) {
          EXPECT_NEAR(logarithm[i], std::log(expected[i]), 1e-4);
        }
      }
    }
}

// log J over many magnitudes of J, against the C library.
TEST(Jacobian, LogarithmIsAccurate) {
  const Size s{{97, 3, 3}};
  std::vector<float> u(3 * s.samples()), j(s.samples()), logarithm(s.samples());
  for (double factor = 1e-4; factor < 1e5; factor *= 1.37) {
    for (size_t i = 0; i < s.samples(); i++)
      u[i] = float((factor - 1) * double(i % 97) * (1 + 0.001 * double(i % 97)));
    cw_jacobian_determinant(s.n, u.data(), false, j.data(), 1);
    cw_jacobian_determinant(s.n, u.data(), true, logarithm.data(), 1);
    for (size_t i = 0; i < s.samples(); i++)
      if (j[i] > 0) {
        EXPECT_NEAR(logarithm[i], std::log(double(j[i])), 1e-6 * (1 + std::abs(std::log(double(j[i])))));
      }
  }
}

// NaN passes through and is not counted as a fold.
TEST(Jacobian, NanStaysNan) {
  const Size s{{20, 5, 5}};
  std::vector<float> u(3 * s.samples(), 0.0f), out(s.samples());
  u[(2 * 5 + 2) * 20 + 10] = NAN;
  for (bool log_of : {false, true}) {
    EXPECT_EQ(cw_jacobian_determinant(s.n, u.data(), log_of, out.data(), 1), 0u);
    EXPECT_TRUE(std::isnan(out[(2 * 5 + 2) * 20 + 11]));
    EXPECT_EQ(out[0], log_of ? 0.0f : 1.0f);
  }
}

TEST(Jacobian, ThreadsDoNotChangeBits) {
  for (const Size &s : sizes()) {
    const auto u = field(s, Kind::Rough);
    for (bool log_of : {false, true}) {
      std::vector<float> one(s.samples()), many(s.samples());
      const size_t folded = cw_jacobian_determinant(s.n, u.data(), log_of, one.data(), 1);
      for (int threads : {2, 3, 8}) {
        EXPECT_EQ(cw_jacobian_determinant(s.n, u.data(), log_of, many.data(), threads), folded);
        EXPECT_TRUE(same_bits(one, many));
      }
    }
  }
}

}  // namespace
