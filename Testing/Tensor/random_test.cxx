// Random numbers: Philox4x32-10 against its authors' known answers, and whether the distributions are what they say.
#include "counterwarp/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

// Known answers of the Random123 distribution (kat_vectors, philox 4x32 10), the first two words of each.
TEST(Random, PhiloxKnownAnswers) {
  cw_random zeros = {0, 0, 0};
  EXPECT_EQ(cw_random_bits(&zeros), 0xe169c58d6627e8d5u);
  cw_random ones = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
  EXPECT_EQ(cw_random_bits(&ones), 0x41c83b0e408f276du);
  cw_random pi = {0x299f31d0a4093822u, 0x0370734413198a2eu, 0x85a308d3243f6a88u};
  EXPECT_EQ(cw_random_bits(&pi), 0x94fdccebd16cfe09u);
}

TEST(Random, ASequenceIsAFunctionOfSeedStreamAndPosition) {
  cw_random a = cw_random_stream(7, 3), b = cw_random_stream(7, 3);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; i++) {
    const uint64_t bits = cw_random_bits(&a);
    EXPECT_EQ(bits, cw_random_bits(&b));
    seen.insert(bits);
  }
  EXPECT_EQ(seen.size(), 1000u);
  cw_random other_seed = cw_random_stream(8, 3), other_stream = cw_random_stream(7, 4);
  for (int i = 0; i < 1000; i++) {
    EXPECT_EQ(seen.count(cw_random_bits(&other_seed)), 0u);
    EXPECT_EQ(seen.count(cw_random_bits(&other_stream)), 0u);
  }
}

// Chi square over 256 bins, 255 degrees of freedom: mean 255, sd 22.6; 6 sd either way.
template <typename Draw>
static double chi_square(int draws, int bins, Draw draw) {
  std::vector<int> count(bins);
  for (int i = 0; i < draws; i++)
    count.at(draw())++;
  double sum = 0;
  for (int c : count)
    sum += (c - double(draws) / bins) * (c - double(draws) / bins) / (double(draws) / bins);
  return sum;
}

TEST(Random, UnitIsUniform) {
  cw_random random = cw_random_stream(1, 0);
  double least = 1, most = 0;
  const double high = chi_square(200000, 256, [&] {
    const double u = cw_random_unit(&random);
    least = std::min(least, u), most = std::max(most, u);
    return int(u * 256);
  });
  EXPECT_NEAR(high, 255, 135);
  EXPECT_GE(least, 0);
  EXPECT_LT(most, 1);
  // The low half of the 53 bits as well.
  const double low = chi_square(200000, 256, [&] {
    const double u = cw_random_unit(&random) * 0x1p20;
    return int((u - std::floor(u)) * 256);
  });
  EXPECT_NEAR(low, 255, 135);
}

TEST(Random, UniformCoversItsRange) {
  cw_random random = cw_random_stream(2, 0);
  double sum = 0;
  for (int i = 0; i < 100000; i++) {
    const double u = cw_random_uniform(&random, -3, 5);
    ASSERT_GE(u, -3);
    ASSERT_LT(u, 5);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 1, 6 * 8 / std::sqrt(12.0) / std::sqrt(100000.0));  // 6 standard errors
}

TEST(Random, NormalHasItsMomentsAndTails) {
  cw_random random = cw_random_stream(3, 0);
  const int n = 400000;
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, previous = 0, lag = 0;
  int beyond_one = 0, beyond_three = 0;
  for (int i = 0; i < n; i++) {
    const double x = cw_random_normal(&random);
    ASSERT_TRUE(std::isfinite(x));
    m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
    lag += x * previous, previous = x;
    beyond_one += std::fabs(x) > 1, beyond_three += std::fabs(x) > 3;
  }
  const double error = 6 / std::sqrt(double(n));  // 6 standard errors of a mean of unit variance
  EXPECT_NEAR(m1 / n, 0, error);
  EXPECT_NEAR(m2 / n, 1, error * std::sqrt(2.0));
  EXPECT_NEAR(m3 / n, 0, error * std::sqrt(15.0));
  EXPECT_NEAR(m4 / n, 3, error * std::sqrt(96.0));
  EXPECT_NEAR(lag / n, 0, error);
  EXPECT_NEAR(double(beyond_one) / n, 0.317311, error * 0.47);
  EXPECT_NEAR(double(beyond_three) / n, 0.0026998, error * 0.052);
}

TEST(Random, BelowIsUniformAndBelow) {
  cw_random random = cw_random_stream(4, 0);
  EXPECT_NEAR(chi_square(200000, 257, [&] { return int(cw_random_below(&random, 257)); }), 256, 136);
  for (int i = 0; i < 100; i++)
    EXPECT_EQ(cw_random_below(&random, 1), 0u);
  uint32_t most = 0;
  for (int i = 0; i < 1000; i++)
    most = std::max(most, cw_random_below(&random, UINT32_MAX));
  EXPECT_GT(most, 0xf0000000u);
}

TEST(Random, RandomAccessIsUniformInEveryArgument) {
  EXPECT_EQ(cw_random_at(1, 2, 3), cw_random_at(1, 2, 3));
  for (int which = 0; which < 3; which++) {
    uint64_t argument[3] = {5, 6, 7};
    EXPECT_NEAR(chi_square(100000, 256,
                           [&] {
                             argument[which]++;
                             const float u = cw_random_at(argument[0], argument[1], argument[2]);
                             EXPECT_LT(u, 1.0f);
                             return int(u * 256);
                           }),
                255, 135)
        << "argument " << which;
  }
}

TEST(Random, StreamsAreUncorrelated) {
  const int n = 50000;
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += (cw_random_at(9, 0, i) - 0.5) * (cw_random_at(9, 1, i) - 0.5) * 12;
  EXPECT_NEAR(sum / n, 0, 6 / std::sqrt(double(n)));
}

TEST(Random, ShuffleGivesEveryOrderEquallyOften) {
  cw_random random = cw_random_stream(5, 0);
  std::map<std::vector<int>, int> count;
  const int n = 24000;
  for (int i = 0; i < n; i++) {
    std::vector<int> order = {0, 1, 2, 3};
    cw_random_shuffle(&random, order.data(), 4);
    count[order]++;
  }
  ASSERT_EQ(count.size(), 24u);  // all of them permutations
  double sum = 0;
  for (const auto &entry : count)
    sum += (entry.second - n / 24.0) * (entry.second - n / 24.0) / (n / 24.0);
  EXPECT_LT(sum, 23 + 6 * std::sqrt(2 * 23.0));
  int single = 7;
  cw_random_shuffle(&random, &single, 1);
  cw_random_shuffle(&random, nullptr, 0);
  EXPECT_EQ(single, 7);
}

// Many normal numbers at once: the distribution by chi square over 64 bins of equal probability (63 degrees of freedom,
// sd 11.2), its tails, and each number a function of its index alone.
TEST(Random, ManyNormals) {
  std::vector<float> x(400001), again(1000);
  cw_random_normals(5, 9, x.size(), x.data());
  std::vector<double> count(64), sum(4);
  int beyond = 0;
  for (const float v : x) {
    count[std::min(63, static_cast<int>(64 * 0.5 * std::erfc(-v / std::sqrt(2.0))))]++;
    for (int p = 0; p < 4; p++)
      sum[p] += std::pow(v, p + 1) / static_cast<double>(x.size());
    beyond += std::fabs(v) > 3.5;
  }
  double chi = 0;
  for (const double c : count)
    chi += (c - x.size() / 64.0) * (c - x.size() / 64.0) / (x.size() / 64.0);
  EXPECT_NEAR(chi, 63, 6 * 11.2);
  EXPECT_NEAR(sum[0], 0, 6 / std::sqrt(4e5));
  EXPECT_NEAR(sum[1], 1, 6 * std::sqrt(2 / 4e5));
  EXPECT_NEAR(sum[2], 0, 6 * std::sqrt(15 / 4e5));
  EXPECT_NEAR(sum[3], 3, 6 * std::sqrt(96 / 4e5));
  EXPECT_NEAR(beyond, 4.65e-4 * x.size(), 6 * std::sqrt(4.65e-4 * x.size()));
  cw_random_normals(5, 9, again.size(), again.data());
  EXPECT_TRUE(std::equal(again.begin(), again.end(), x.begin()));
  cw_random_normals(5, 10, again.size(), again.data());
  double together = 0;
  for (size_t i = 0; i < again.size(); i++)
    together += again[i] * x[i] / static_cast<double>(again.size());
  EXPECT_NEAR(together, 0, 6 / std::sqrt(1000.0));
}
