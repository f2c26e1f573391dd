// Scores against hand-made cases and a reference that compares every pair of voxels.
#include <cstdint>

#include "results_fixture.h"

namespace results_test {
namespace {

struct Random {  // a plain congruential generator: the same numbers everywhere
  uint64_t state = 1;
  double operator()() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return double(state >> 11) / double(1ull << 53);
  }
};

// The definitions, word by word: O(n^2).
cw_score Reference(const std::vector<float> &map, const std::vector<float> &truth, const std::vector<float> &mask,
                   const std::vector<float> *region) {
  std::vector<size_t> in;
  for (size_t i = 0; i < map.size(); i++)
    if (!region || (*region)[i] != 0)
      in.push_back(i);
  auto pearson = [&](auto f) {
    long double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i : in)
      a += f(map[i]), b += f(truth[i]);
    a /= in.size(), b /= in.size();
    for (size_t i : in) {
      const long double x = f(map[i]) - a, y = f(truth[i]) - b;
      aa += x * x, bb += y * y, ab += x * y;
    }
    return double(ab / std::sqrt(aa * bb));
  };
  cw_score score = {};
  score.signed_correlation = pearson([](float v) { return (long double)v; });
  score.normalised_correlation = pearson([](float v) { return (long double)std::fabs(v); });
  double pairs = 0, wins = 0, positives = 0;
  for (size_t i : in)
    positives += mask[i] != 0;
  for (size_t i : in) {
    if (mask[i] == 0)
      continue;
    double above = 0, above_positives = 0;  // at the threshold |map[i]|
    for (size_t j : in) {
      const float a = std::fabs(map[i]), b = std::fabs(map[j]);
      above += b >= a;
      above_positives += b >= a && mask[j] != 0;
      if (mask[j] != 0)
        continue;
      pairs++;
      wins += a > b ? 1 : a == b ? 0.5 : 0;
    }
    score.average_precision += above_positives / above / positives;
  }
  score.auc = wins / pairs;
  return score;
}

class Score : public ContextTest {
 protected:
  cw_score Of(const std::vector<float> &map, const std::vector<float> &truth, const std::vector<float> &mask,
              const std::vector<float> *region = nullptr) {
    cw_score score = {};
    EXPECT_OK(cw_score_map(context, map.data(), truth.data(), mask.data(), region ? region->data() : nullptr,
                           map.size(), &score));
    return score;
  }
};

TEST_F(Score, HandMade) {
  // Thresholds .9 (precision 1/1), .8 (1/2), .7 (2/3), .6 (2/4); the positives are .9 and .7.
  const cw_score s = Of({0.6f, -0.9f, 0.8f, 0.7f}, {0, -2, 0, 2}, {0, 1, 0, 1});
  EXPECT_NEAR(s.average_precision, 0.5 * 1 + 0.5 * 2 / 3, 1e-12);
  EXPECT_NEAR(s.auc, 3.0 / 4, 1e-12);
  EXPECT_NEAR(s.mass_inside, 1.6 / 3, 1e-6);
  // map - mean = .3, -1.2, .5, .4; truth has mean 0.
  EXPECT_NEAR(s.signed_correlation, (2.4 + 0.8) / std::sqrt((.09 + 1.44 + .25 + .16) * 8), 1e-6);
}

TEST_F(Score, PerfectAndReversed) {
  const std::vector<float> truth = {-3, 2, 0.5f, 0, 0.1f}, mask = {1, 1, 0, 0, 0};
  std::vector<float> minus;
  for (float v : truth)
    minus.push_back(-2 * v);
  for (int sign : {1, -1}) {
    const cw_score s = Of(sign > 0 ? truth : minus, truth, mask);
    EXPECT_NEAR(s.signed_correlation, sign, 1e-12);  // only this one sees the sign
    EXPECT_NEAR(s.normalised_correlation, 1, 1e-12);
    EXPECT_EQ(s.average_precision, 1);
    EXPECT_EQ(s.auc, 1);
  }
  const cw_score worst = Of({0, 0.1f, 2, 3, 4}, truth, mask);
  EXPECT_EQ(worst.auc, 0);
}

TEST_F(Score, AllTiedIsChance) {
  const cw_score s = Of({2, -2, 2, -2, 2}, {1, 0, 0, 0, 3}, {1, 0, 0, 0, 1});
  EXPECT_DOUBLE_EQ(s.auc, 0.5);
  EXPECT_DOUBLE_EQ(s.average_precision, 0.4);  // the share of the mask
  EXPECT_EQ(s.normalised_correlation, 0);      // |map| does not vary
}

TEST_F(Score, ConstantMapOfManyVoxelsHasNoCorrelation) {
  const size_t n = 300000;
  std::vector<float> map(n, 0.1f), truth(n), mask(n);
  for (size_t i = 0; i < n; i++)
    truth[i] = float(i % 7), mask[i] = i % 7 == 3;
  const cw_score s = Of(map, truth, mask);
  EXPECT_EQ(s.signed_correlation, 0);
  EXPECT_EQ(s.normalised_correlation, 0);
}

TEST_F(Score, AgainstEveryPair) {
  Random random;
  for (int levels : {3, 40, 1 << 20}) {  // many ties, some, none
    const size_t n = 1500;
    std::vector<float> map(n), truth(n), mask(n), region(n);
    for (size_t i = 0; i < n; i++) {
      truth[i] = float(random() - 0.4);
      map[i] = float(std::floor(levels * (truth[i] + 1.5 * (random() - 0.5))) / levels);
      mask[i] = std::fabs(truth[i]) > 0.45 ? 1.0f : 0.0f;
      region[i] = random() < 0.7 ? 1.0f : 0.0f;
    }
    const std::vector<float> *const regions[] = {nullptr, &region};
    for (const std::vector<float> *r : regions) {
      const cw_score s = Of(map, truth, mask, r), e = Reference(map, truth, mask, r);
      EXPECT_NEAR(s.signed_correlation, e.signed_correlation, 1e-9);
      EXPECT_NEAR(s.normalised_correlation, e.normalised_correlation, 1e-9);
      EXPECT_NEAR(s.average_precision, e.average_precision, 1e-9);
      EXPECT_NEAR(s.auc, e.auc, 1e-9);
      EXPECT_GT(s.auc, 0.52);  // the case is not an empty one
    }
  }
}

TEST_F(Score, MagnitudesOfAnySizeAreOrdered) {
  Random random;
  std::vector<float> map, truth, mask;
  for (int exponent = -148; exponent < 127; exponent++) {  // denormals included
    map.push_back(std::ldexp(exponent % 2 ? 1.0f : -1.0f, exponent));
    truth.push_back(float(random()));
    mask.push_back(random() < 0.3 ? 1.0f : 0.0f);
  }
  const cw_score s = Of(map, truth, mask), e = Reference(map, truth, mask, nullptr);
  EXPECT_NEAR(s.average_precision, e.average_precision, 1e-12);
  EXPECT_NEAR(s.auc, e.auc, 1e-12);
}

TEST_F(Score, RefusesWhatHasNoScore) {
  const std::vector<float> v = {1, 2, 3, 4}, mask = {0, 1, 1, 0};
  cw_score s;
  auto status = [&](std::vector<float> map, std::vector<float> truth, std::vector<float> m, std::vector<float> region) {
    return cw_score_map(context, map.data(), truth.data(), m.data(), region.data(), map.size(), &s);
  };
  EXPECT_EQ(status({1, 2, kNan, 4}, v, mask, {1, 1, 1, 1}), CW_ERROR_NUMERIC);
  EXPECT_NE(Message().find("map"), std::string::npos);
  EXPECT_EQ(status({1, 2, kNan, 4}, v, mask, {1, 1, 0, 1}), CW_OK) << "outside of the region nothing is read";
  EXPECT_EQ(status({1, kInf, 3, 4}, v, mask, {1, 1, 1, 1}), CW_ERROR_NUMERIC);
  EXPECT_EQ(status(v, {1, -kInf, 3, 4}, mask, {1, 1, 1, 1}), CW_ERROR_NUMERIC);
  EXPECT_NE(Message().find("truth"), std::string::npos);
  EXPECT_EQ(status(v, v, {0, kNan, 1, 0}, {1, 1, 1, 1}), CW_ERROR_NUMERIC);
  EXPECT_EQ(status(v, v, mask, {1, kNan, 1, 1}), CW_ERROR_NUMERIC);
  EXPECT_EQ(status(v, v, mask, {0, 0, 0, 0}), CW_ERROR_ARGUMENT);
  EXPECT_EQ(status(v, v, {0, 0, 0, 0}, {1, 1, 1, 1}), CW_ERROR_ARGUMENT);
  EXPECT_EQ(status(v, v, mask, {0, 1, 1, 0}), CW_ERROR_ARGUMENT) << "the mask holds the whole region";
  EXPECT_EQ(cw_score_map(context, v.data(), v.data(), v.data(), nullptr, 0, &s), CW_ERROR_ARGUMENT);
  allocations_left = 0;
  EXPECT_EQ(status(v, v, mask, {1, 1, 1, 1}), CW_ERROR_MEMORY);
  EXPECT_EQ(live, 1);
  allocations_left = -1;
}

}  // namespace
}  // namespace results_test
