// The agreement of a mean map with another, against averaging the maps and correlating them.
#include <algorithm>

#include "counterwarp/random.h"
#include "results_fixture.h"

namespace results_test {
namespace {

class Agreement : public ContextTest {
 protected:
  // `count` maps that share a pattern, and another map that shares it too.
  void Fill(int count, size_t samples, double noise) {
    cw_random random = cw_random_stream(7, 1);
    maps.assign(static_cast<size_t>(count), std::vector<float>(samples));
    other.resize(samples);
    for (size_t i = 0; i < samples; i++) {
      const double pattern = cw_random_normal(&random);
      other[i] = static_cast<float>(3 + pattern + 0.3 * cw_random_normal(&random));
      for (auto &map : maps)
        map[i] = static_cast<float>(5 + pattern + noise * cw_random_normal(&random));
    }
  }
  cw_status Ask(cw_summary *s) {
    std::vector<const float *> pointers;
    for (const auto &map : maps)
      pointers.push_back(map.data());
    return cw_map_agreement(context, pointers.data(), static_cast<int>(maps.size()), other.data(), other.size(), s);
  }
  // Of the mean of the maps, each taken times[s] times.
  double OfMean(const std::vector<int> &times) const {
    std::vector<float> mean(other.size());
    for (size_t s = 0; s < maps.size(); s++)
      for (size_t i = 0; i < mean.size(); i++)
        mean[i] += static_cast<float>(times[s]) * maps[s][i] / static_cast<float>(maps.size());
    return cw_correlation(mean.data(), other.data(), mean.size());
  }
  std::vector<std::vector<float>> maps;
  std::vector<float> other;
};

TEST_F(Agreement, IsTheMeanMapsCorrelationAndItsBootstrap) {
  Fill(6, 500, 2);
  cw_summary s;
  ASSERT_OK(Ask(&s));
  EXPECT_EQ(s.count, 6);
  EXPECT_NEAR(s.mean, OfMean(std::vector<int>(6, 1)), 1e-5);
  cw_random random = cw_random_stream(cw_context_seed(context), 0);
  std::vector<double> values;
  for (int r = 0; r < 1000; r++) {
    std::vector<int> times(6);
    for (int k = 0; k < 6; k++)
      times[cw_random_below(&random, 6)]++;
    values.push_back(OfMean(times));
  }
  std::sort(values.begin(), values.end());
  EXPECT_NEAR(s.low, values[25], 1e-5);
  EXPECT_NEAR(s.high, values[974], 1e-5);
  EXPECT_LT(s.low, s.mean);
}

TEST_F(Agreement, IsWiderWhereSubjectsDiffer) {
  cw_summary alike, apart;
  Fill(8, 400, 0.5);
  ASSERT_OK(Ask(&alike));
  Fill(8, 400, 4);
  ASSERT_OK(Ask(&apart));
  EXPECT_GT(alike.mean, apart.mean);
  EXPECT_LT(alike.high - alike.low, apart.high - apart.low);
}

TEST_F(Agreement, OfOneSubjectHasNoInterval) {
  Fill(1, 50, 1);
  cw_summary s;
  ASSERT_OK(Ask(&s));
  EXPECT_NEAR(s.mean, OfMean({1}), 1e-6);
  EXPECT_TRUE(std::isnan(s.low) && std::isnan(s.high));
  std::fill(other.begin(), other.end(), 2.0f);
  ASSERT_OK(Ask(&s));
  EXPECT_EQ(s.mean, 0) << "a map that does not vary";
}

TEST_F(Agreement, SameBitsOnAnyThreads) {
  Fill(7, 300, 1);
  cw_summary one, four;
  ASSERT_OK(Ask(&one));
  cw_context *more = Create(4);
  std::vector<const float *> pointers;
  for (const auto &map : maps)
    pointers.push_back(map.data());
  EXPECT_EQ(cw_map_agreement(more, pointers.data(), 7, other.data(), other.size(), &four), CW_OK);
  cw_context_free(more);
  EXPECT_EQ(one.low, four.low);
  EXPECT_EQ(one.high, four.high);
}

TEST_F(Agreement, RefusesWhatIsNoMap) {
  Fill(3, 20, 1);
  cw_summary s;
  maps[1][4] = NAN;
  EXPECT_EQ(Ask(&s), CW_ERROR_NUMERIC);
  EXPECT_NE(Message().find("map 1"), std::string::npos) << Message();
  maps.clear();
  EXPECT_EQ(Ask(&s), CW_ERROR_ARGUMENT);
  Fill(3, 20, 1);
  for (allocations_left = 0; allocations_left < 2;) {
    const int allowed = allocations_left;
    EXPECT_EQ(Ask(&s), CW_ERROR_MEMORY) << allowed;
    allocations_left = allowed + 1;
  }
  allocations_left = -1;
}

}  // namespace
}  // namespace results_test
