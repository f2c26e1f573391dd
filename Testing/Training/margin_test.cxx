// How far a logit has to move, against medians worked out by hand.
#include "training_fixture.h"

extern "C" {
#include "Training/training_internal.h"
}

namespace {

// Scans that are one number each; the classifier's logit is slope times that number.
class Margin : public ::testing::Test {
 protected:
  static constexpr size_t kSamples = static_cast<size_t>(kSize) * kSize * kSize;

  // Scans of {number, label}; the first `train` to learn from, the others kept back.
  cw_status Choose(const std::vector<std::pair<float, int>> &scans, size_t train, double slope = 1) {
    std::vector<float> samples(scans.size() * kSamples);
    std::vector<int> label, rows;
    for (size_t n = 0; n < scans.size(); n++) {
      std::fill_n(samples.begin() + static_cast<std::ptrdiff_t>(n * kSamples), kSamples, scans[n].first);
      label.push_back(scans[n].second);
      rows.push_back(static_cast<int>(n));
    }
    cw_dataset dataset = {};
    const double center[3] = {0, 0, 0};
    dataset.count = static_cast<int>(scans.size());
    dataset.preprocessing.grid = cw_grid_cube(kSize, 2, center);
    dataset.samples = samples.data();
    dataset.label = label.data();
    const cw_split split = {rows.data(), rows.data() + train, static_cast<int>(train),
                            static_cast<int>(scans.size() - train)};
    cw_graph *graph = nullptr;
    cw_margin_request request = {};
    MeanClassifier(context, slope, 0, &graph, &request.image, &request.logit);
    cw_plan_options options = {};
    options.batch = request.batch = 4;
    EXPECT_EQ(cw_plan_create(context, graph, &options, &request.plan), CW_OK);
    request.dataset = &dataset;
    request.split = &split;
    const cw_status status = cw_choose_margin(context, &request, &margin);
    cw_plan_free(context, request.plan);
    cw_graph_free(context, graph);
    return status;
  }

  TestContext context{1};
  cw_margin margin = {0, {0, 0}};
  const std::vector<std::pair<float, int>> apart{{-3, 0}, {-4, 0}, {-5, 0}, {5, 1}, {6, 1}, {7, 1}};
};

TEST_F(Margin, IsTheDistanceOfTheMedians) {
  ASSERT_EQ(Choose(apart, 6), CW_OK) << context.message();
  EXPECT_NEAR(margin.distance, 10, 1e-4);
  EXPECT_NEAR(margin.median[0], -4, 1e-4);
  EXPECT_NEAR(margin.median[1], 6, 1e-4);
}

TEST_F(Margin, DoesNotDependOnTheLogitsScale) {
  ASSERT_EQ(Choose(apart, 6, 0.01), CW_OK) << context.message();
  EXPECT_NEAR(margin.distance, 0.1, 1e-6) << "a classifier that tells the groups apart by small logits";
  EXPECT_NEAR(margin.median[1], 0.06, 1e-6);
}

TEST_F(Margin, IsTheSmallerOfLearnedAndKeptBack) {
  std::vector<std::pair<float, int>> scans = apart;
  for (const auto &scan : {std::pair(-1.f, 0), {-1.5f, 0}, {-2.f, 0}, {2.f, 1}, {2.5f, 1}, {3.f, 1}})
    scans.push_back(scan);
  ASSERT_EQ(Choose(scans, 6), CW_OK) << context.message();
  EXPECT_NEAR(margin.distance, 4, 1e-4) << "of those kept back: 2.5 - -1.5";
  EXPECT_NEAR(margin.median[0], -1.5, 1e-4);
  for (size_t n = 6; n < scans.size(); n++)
    scans[n].first *= 10;
  margin = {0, {0, 0}};
  ASSERT_EQ(Choose(scans, 6), CW_OK);
  EXPECT_NEAR(margin.distance, 10, 1e-4) << "of those learned from";
  scans.resize(6);
  for (const auto &scan : {std::pair(0.5f, 0), {0.4f, 1}})
    scans.push_back(scan);
  margin = {0, {0, 0}};
  ASSERT_EQ(Choose(scans, 6), CW_OK);
  EXPECT_NEAR(margin.distance, 10, 1e-4) << "one scan of each group is no median";
}

TEST_F(Margin, OfOverlappingGroupsIsTheirSpread) {
  // Medians 0 and 0.5; both groups' median absolute deviation is 4.
  ASSERT_EQ(
      Choose({{-6, 0}, {-4, 0}, {0, 0}, {4, 0}, {6, 0}, {-5.5f, 1}, {-3.5f, 1}, {.5f, 1}, {4.5f, 1}, {6.5f, 1}}, 10),
      CW_OK)
      << context.message();
  EXPECT_NEAR(margin.distance, 1.4826 * 4, 1e-3);
  EXPECT_EQ(cw_margin_share(&margin, 1, 5, 5), 0) << "no median is a goal: every scan has the whole way to go";
  EXPECT_EQ(cw_margin_share(&margin, -1, -5, -5), 0);
}

TEST_F(Margin, IsWhatIsAskedFor) {
  margin.distance = 2.5;
  ASSERT_EQ(Choose(apart, 6), CW_OK);
  EXPECT_EQ(margin.distance, 2.5);
  EXPECT_NEAR(margin.median[1], 6, 1e-4);
}

TEST_F(Margin, NeedsLogitsThatDiffer) {
  EXPECT_EQ(Choose(apart, 6, 0), CW_ERROR_ARGUMENT);
  EXPECT_NE(std::string(context.message()).find("the same logit"), std::string::npos) << context.message();
  EXPECT_EQ(Choose(apart, 6, NAN), CW_ERROR_NUMERIC);
  margin.distance = 1;
  EXPECT_EQ(Choose(apart, 6, 0), CW_OK) << "a margin is given";
}

TEST_F(Margin, IsReachedByItsDistanceOrAtTheOtherMedian) {
  const cw_margin m = {8, {-3, 5}};
  EXPECT_DOUBLE_EQ(cw_margin_share(&m, 1, -6, -2), 0.5) << "8 to go";
  EXPECT_DOUBLE_EQ(cw_margin_share(&m, 1, -6, 2), 1);
  EXPECT_DOUBLE_EQ(cw_margin_share(&m, 1, 1, 3), 0.5) << "4 to go to the patients' median";
  EXPECT_DOUBLE_EQ(cw_margin_share(&m, 1, 6, 5), 1) << "there from the start";
  EXPECT_DOUBLE_EQ(cw_margin_share(&m, -1, 9, 5), 0.5);
  EXPECT_DOUBLE_EQ(cw_margin_share(&m, -1, 1, 3), -0.5) << "the wrong way";
}

}  // namespace
