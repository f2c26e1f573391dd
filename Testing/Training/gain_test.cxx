// The factor of the field that takes scans to their goal, against a search over each scan by itself.
#include <memory>

#include "counterwarp/warp.h"
#include "training_fixture.h"

extern "C" {
#include "Training/training_internal.h"
}

namespace {

constexpr size_t kSamples = static_cast<size_t>(kSize) * kSize * kSize;
constexpr float kRate = 0.1f;  // of the field: o kRate (x - center), so that injection shrinks the ball

// Logit of a ball: smaller balls are patients.  middle: mean intensity at which it is 0.
float LogitOf(const float *scan, double middle) {
  double sum = 0;
  for (size_t i = 0; i < kSamples; i++)
    sum += scan[i];
  return static_cast<float>(100 * (middle - sum / kSamples));
}

class Gain : public ::testing::Test {
 protected:
  void SetUp() override {
    BuildSimulator();
    BuildClassifier(0.08);
    request.dataset = &balls.dataset;
    request.split = &balls.split;
    request.simulator = simulator;
    request.margin = &margin;
    request.field = CW_FIELD_VELOCITY;
    request.squarings = 6;
  }
  void TearDown() override {
    cw_plan_free(context, request.plan);
    cw_graph_free(context, simulator);
    cw_graph_free(context, classifier);
  }

  void BuildSimulator() {
    std::vector<float> shape(3 * kSamples);
    for (size_t i = 0; i < kSamples; i++) {
      const size_t at[3] = {i % kSize, i / kSize % kSize, i / kSize / kSize};
      for (size_t a = 0; a < 3; a++)
        shape[a * kSamples + i] = kRate * (static_cast<float>(at[a]) - 15.5f);
    }
    cw_value image, direction, o, parameter, field;
    ASSERT_EQ(cw_graph_create(context, &simulator), CW_OK);
    ASSERT_EQ(cw_graph_input(context, simulator, "image", CW_SHAPE(CW_BATCH, 1, kSize, kSize, kSize), &image), CW_OK);
    ASSERT_EQ(cw_graph_input(context, simulator, "direction", CW_SHAPE(CW_BATCH, 1), &direction), CW_OK);
    ASSERT_EQ(cw_graph_parameter(context, simulator, "shape", CW_SHAPE(1, 3, kSize, kSize, kSize), false, shape.data(),
                                 &parameter),
              CW_OK);
    cw_attributes a = cw_attributes_default();
    a.shape = CW_SHAPE(CW_BATCH, 1, 1, 1, 1);
    ASSERT_EQ(cw_graph_node(context, simulator, CW_OP_RESHAPE, "o", &a, &direction, 1, &o), CW_OK);
    const cw_value both[] = {o, parameter};
    ASSERT_EQ(cw_graph_node(context, simulator, CW_OP_MUL, "field", nullptr, both, 2, &field), CW_OK);
    ASSERT_EQ(cw_graph_output(context, simulator, field), CW_OK);
  }
  void BuildClassifier(double at) {
    middle = at;
    cw_plan_free(context, request.plan);
    cw_graph_free(context, classifier);
    cw_value image;
    ASSERT_NO_FATAL_FAILURE(MeanClassifier(context, -100, 100 * middle, &classifier, &image, &logit));
    cw_plan_options options = {};
    options.batch = request.batch = 4;
    ASSERT_EQ(cw_plan_create(context, classifier, &options, &request.plan), CW_OK);
    request.classifier = classifier;
    request.image = image;
    request.logit = &logit;
  }

  const float *Scan(int n) const { return &balls.samples[static_cast<size_t>(n) * kSamples]; }
  float LogitAt(int n, float o, double gain) const {
    std::vector<float> v(3 * kSamples), u(3 * kSamples), warped(kSamples);
    for (size_t i = 0; i < kSamples; i++) {
      const size_t at[3] = {i % kSize, i / kSize % kSize, i / kSize / kSize};
      for (size_t a = 0; a < 3; a++)
        v[a * kSamples + i] = static_cast<float>(gain) * o * kRate * (static_cast<float>(at[a]) - 15.5f);
    }
    std::vector<float> steps(3 * kSamples * 8);
    const int *size = balls.dataset.preprocessing.grid.size;
    cw_exponential_forward(size, v.data(), 1, 7, false, steps.data(), u.data(), 1);
    cw_warp_forward(size, 1, Scan(n), u.data(), warped.data(), 1);
    return LogitOf(warped.data(), middle);
  }
  // The factor that scan n needs, by bisection; 2 where that is not enough.
  double Need(int n, float o) const {
    double low = 0.5, high = 2;
    const float before = LogitOf(Scan(n), middle);
    if (cw_margin_share(&margin, o, before, LogitAt(n, o, high)) < 1)
      return high;
    while (high - low > 1e-3) {
      const double half = 0.5 * (low + high);
      (cw_margin_share(&margin, o, before, LogitAt(n, o, half)) >= 1 ? high : low) = half;
    }
    return high;
  }
  // The most that the scans of a direction need: with fewer than 50 scans, 98 % are all.
  double Reference(float o) const {
    double most = 0.5;
    for (int n = 0; n < kScans; n++)
      if ((LogitOf(Scan(n), middle) > 0) == (o < 0))
        most = std::max(most, Need(n, o));
    return most;
  }

  TestContext context{2};
  Balls balls;
  cw_graph *simulator = nullptr, *classifier = nullptr;
  cw_value logit = CW_NONE;
  double middle = 0;
  cw_margin margin = {3, {-INFINITY, INFINITY}};
  cw_gain_request request = {};
};

TEST_F(Gain, IsTheLeastThatTakesScansToTheirGoal) {
  for (int side = 0; side < 2; side++) {
    margin.distance = side ? 1.2 : 3;
    double gain[2];
    ASSERT_EQ(cw_choose_gains(context, &request, gain), CW_OK) << context.message();
    const double expected = Reference(side ? -1.0f : 1.0f);
    EXPECT_GT(expected, 0.55) << "the case has no answer inside the range";
    EXPECT_LT(expected, 1.95);
    EXPECT_NEAR(gain[side], expected, 0.03) << "direction " << side;
  }
}

TEST_F(Gain, StopsAtTheOtherGroupsMedian) {
  double far[2], near[2];
  ASSERT_EQ(cw_choose_gains(context, &request, far), CW_OK);
  margin.median[1] = LogitOf(Scan(0), middle) + 2;  // controls of about this size need less than the margin of 3
  ASSERT_EQ(cw_choose_gains(context, &request, near), CW_OK);
  EXPECT_LT(near[0], far[0] - 0.05);
  EXPECT_NEAR(near[0], Reference(1), 0.03);
  EXPECT_EQ(near[1], far[1]);
}

TEST_F(Gain, StaysInItsRange) {
  double gain[2];
  margin.distance = 1000;
  ASSERT_EQ(cw_choose_gains(context, &request, gain), CW_OK);
  EXPECT_EQ(gain[0], 2);
  EXPECT_EQ(gain[1], 2);
  margin.distance = 1e-3;
  ASSERT_EQ(cw_choose_gains(context, &request, gain), CW_OK);
  EXPECT_EQ(gain[0], 0.5);
  EXPECT_EQ(gain[1], 0.5);
  BuildClassifier(-1);  // all are controls
  margin.distance = 3;
  ASSERT_EQ(cw_choose_gains(context, &request, gain), CW_OK);
  EXPECT_NE(gain[0], 1);
  EXPECT_EQ(gain[1], 1);
}

TEST_F(Gain, LeavesNothingBehindWhenStoppedOrOutOfMemory) {
  double gain[2];
  context.cancel = true;
  EXPECT_EQ(cw_choose_gains(context, &request, gain), CW_ERROR_CANCELLED);
  context.cancel = false;
  context.reset();
  ASSERT_EQ(cw_choose_gains(context, &request, gain), CW_OK);
  EXPECT_EQ(context.leaked(), 0);
  const long calls = context.calls;
  for (long at = 0; at < calls; at++) {
    context.reset(at);
    EXPECT_EQ(cw_choose_gains(context, &request, gain), CW_ERROR_MEMORY) << "allocation " << at;
    EXPECT_EQ(context.leaked(), 0) << "allocation " << at;
  }
  context.reset();
}

TEST_F(Gain, ScalesTheFieldOfEachDirection) {
  cw_graph *scaled = nullptr;
  const double gain[2] = {1.5, 0.75};
  ASSERT_EQ(cw_scale_field(context, simulator, gain, &scaled), CW_OK) << context.message();
  EXPECT_STREQ(cw_value_name(scaled, cw_graph_output_at(scaled, 0)), "field");
  cw_plan_options options = {};
  options.batch = 2;
  cw_plan *plans[2];
  const cw_graph *graphs[2] = {simulator, scaled};
  for (int i = 0; i < 2; i++) {
    ASSERT_EQ(cw_plan_create(context, graphs[i], &options, &plans[i]), CW_OK);
    std::fill_n(cw_plan_data(plans[i], cw_graph_input_at(graphs[i], 0)), 2 * kSamples, 0.0f);
    float *direction = cw_plan_data(plans[i], cw_graph_input_at(graphs[i], 1));
    direction[0] = 1;
    direction[1] = -1;
    cw_plan_forward(plans[i]);
  }
  const float *plain = cw_plan_data(plans[0], cw_graph_output_at(simulator, 0));
  const float *times = cw_plan_data(plans[1], cw_graph_output_at(scaled, 0));
  for (size_t i = 0; i < 6 * kSamples; i++)
    ASSERT_FLOAT_EQ(times[i], static_cast<float>(gain[i >= 3 * kSamples]) * plain[i]) << i;
  for (cw_plan *plan : plans)
    cw_plan_free(context, plan);
  cw_graph_free(context, scaled);
}

}  // namespace
