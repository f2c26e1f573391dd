// Group maps against the formula, balanced accuracy, and summaries.
#include "results_fixture.h"

namespace results_test {
namespace {

class Group : public ContextTest {
 protected:
  cw_status Maps(const std::vector<std::vector<float>> &maps) {
    std::vector<const float *> pointers;
    for (const auto &map : maps)
      pointers.push_back(map.data());
    mean.assign(maps[0].size(), -99);
    t.assign(maps[0].size(), -99);
    return cw_group_maps(context, pointers.data(), int(maps.size()), maps[0].size(), mean.data(), t.data());
  }
  std::vector<float> mean, t;
};

TEST_F(Group, SmallNumbers) {
  // Voxel 0: 1 2 3, mean 2, sd 1; voxel 1: -4 -4 2, mean -2, sd sqrt(12); voxel 2: 1 -1 0.
  ASSERT_OK(Maps({{1, -4, 1}, {2, -4, -1}, {3, 2, 0}}));
  EXPECT_FLOAT_EQ(mean[0], 2);
  EXPECT_FLOAT_EQ(t[0], 2 * std::sqrt(3.0f));
  EXPECT_FLOAT_EQ(mean[1], -2);
  EXPECT_FLOAT_EQ(t[1], float(-2 / (std::sqrt(12.0) / std::sqrt(3.0))));
  EXPECT_NEAR(mean[2], 0, 1e-7);
  EXPECT_NEAR(t[2], 0, 1e-7);
}

TEST_F(Group, NoVarianceGivesZero) {
  ASSERT_OK(Maps({{0.1f, 0, -3e-30f}, {0.1f, 0, -3e-30f}, {0.1f, 0, -3e-30f}}));
  EXPECT_EQ(mean, (std::vector<float>{0.1f, 0, -3e-30f}));
  EXPECT_EQ(t, (std::vector<float>{0, 0, 0}));
  ASSERT_OK(Maps({{5, -6}}));  // one map has no spread
  EXPECT_EQ(mean, (std::vector<float>{5, -6}));
  EXPECT_EQ(t, (std::vector<float>{0, 0}));
}

TEST_F(Group, AgainstTheFormulaOnAnyThreads) {
  const size_t samples = 5000;
  std::vector<std::vector<float>> maps(11, std::vector<float>(samples));
  for (size_t s = 0; s < maps.size(); s++)
    for (size_t i = 0; i < samples; i++)  // a large offset, where a one-pass variance would cancel
      maps[s][i] = float(100 + std::sin(1.0 + double(i) * 0.37 + double(s * s) * 1.3));
  ASSERT_OK(Maps(maps));
  for (size_t i = 0; i < samples; i++) {
    long double sum = 0, squares = 0;
    for (const auto &map : maps)
      sum += map[i];
    sum /= maps.size();
    for (const auto &map : maps)
      squares += (map[i] - sum) * (map[i] - sum);
    const long double sd = std::sqrt(squares / (maps.size() - 1));
    ASSERT_NEAR(mean[i], double(sum), 1e-5);
    ASSERT_NEAR(t[i] / double(sum / (sd / std::sqrt((long double)maps.size()))), 1, 1e-6);
  }
  const std::vector<float> mean_1 = mean, t_1 = t;
  cw_context *const kept = context;
  context = Create(3);
  ASSERT_OK(Maps(maps));
  cw_context_free(context);
  context = kept;
  EXPECT_EQ(mean, mean_1);
  EXPECT_EQ(t, t_1);
}

TEST_F(Group, RefusesBadMaps) {
  EXPECT_EQ(Maps({{1, 2}, {1, kNan}}), CW_ERROR_NUMERIC);
  EXPECT_NE(Message().find("map 1"), std::string::npos) << Message();
  EXPECT_EQ(Maps({{1, -kInf}, {1, 2}}), CW_ERROR_NUMERIC);
  EXPECT_EQ(Maps({{kInf, 0}}), CW_ERROR_NUMERIC);
  EXPECT_EQ(cw_group_maps(context, nullptr, 0, 4, mean.data(), t.data()), CW_ERROR_ARGUMENT);
  const float *none = nullptr;
  EXPECT_EQ(cw_group_maps(context, &none, 1, 0, mean.data(), t.data()), CW_ERROR_ARGUMENT);
}

TEST(BalancedAccuracy, CountsEachGroupAlike) {
  const float logits[] = {-1, 2, -3, 0, 4, -5};
  const int labels[] = {0, 0, 0, 0, 1, 1};  // controls: 3 of 4 right (0 is a control), patients: 1 of 2
  EXPECT_DOUBLE_EQ(cw_balanced_accuracy(logits, labels, 6), 0.5 * (0.75 + 0.5));
  EXPECT_DOUBLE_EQ(cw_balanced_accuracy(logits, labels, 4), 0.75) << "controls alone";
  EXPECT_DOUBLE_EQ(cw_balanced_accuracy(logits, labels, 0), 0);
  const float nan[] = {kNan, kNan};
  const int both[] = {0, 1};
  EXPECT_DOUBLE_EQ(cw_balanced_accuracy(nan, both, 2), 0);
}

// Wilson's interval: 8 of 10 from Newcombe (1998)'s formula by hand; 0 and all end at 0 and 1.
TEST(Summary, WilsonsInterval) {
  const cw_summary s = cw_proportion(8, 10);
  EXPECT_EQ(s.count, 10);
  EXPECT_DOUBLE_EQ(s.mean, 0.8);
  EXPECT_NEAR(s.low, 0.4902, 1e-4);
  EXPECT_NEAR(s.high, 0.9433, 1e-4);
  EXPECT_EQ(cw_proportion(0, 10).low, 0);
  EXPECT_NEAR(cw_proportion(0, 10).high, 0.2775, 1e-4);
  EXPECT_EQ(cw_proportion(10, 10).high, 1);
  EXPECT_NEAR(cw_proportion(10, 10).low, 1 - 0.2775, 1e-4);
  EXPECT_TRUE(std::isnan(cw_proportion(0, 0).mean));
}

TEST(Correlation, SignAndNoVariance) {
  const float a[4] = {1, 2, 3, 5}, b[4] = {-2, -4, -6, -10}, flat[4] = {7, 7, 7, 7};
  EXPECT_NEAR(cw_correlation(a, b, 4), -1, 1e-12);
  EXPECT_NEAR(cw_correlation(a, a, 4), 1, 1e-12);
  EXPECT_EQ(cw_correlation(a, flat, 4), 0);
  EXPECT_EQ(cw_correlation(a, b, 0), 0);
}

TEST(Summary, StudentsInterval) {
  // t(0.975) of 1, 2, 4 and 30 degrees of freedom: 12.7062, 4.30265, 2.77645, 2.04227.
  const struct {
    int count;
    double t;
  } table[] = {{2, 12.7062}, {3, 4.30265}, {5, 2.77645}, {31, 2.04227}};
  for (const auto &row : table) {
    std::vector<double> values;
    for (int i = 0; i < row.count; i++)
      values.push_back(3 + i);
    const cw_summary s = cw_summarize(values.data(), row.count);
    EXPECT_EQ(s.count, row.count);
    EXPECT_NEAR(s.mean, 3 + 0.5 * (row.count - 1), 1e-12);
    EXPECT_NEAR(s.sd, std::sqrt(row.count * (row.count + 1) / 12.0), 1e-12);  // of consecutive numbers
    EXPECT_NEAR((s.high - s.mean) / (s.sd / std::sqrt(row.count)), row.t, 1e-4 * row.t);
    EXPECT_NEAR(s.high - s.mean, s.mean - s.low, 1e-9);
  }
  const double one = 7;
  EXPECT_EQ(cw_summarize(&one, 1).mean, 7);
  EXPECT_TRUE(std::isnan(cw_summarize(&one, 1).sd));
  EXPECT_TRUE(std::isnan(cw_summarize(nullptr, 0).mean));
}

}  // namespace
}  // namespace results_test
