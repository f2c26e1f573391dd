// Applying models: batches, directions and strengths.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "counterwarp/random.h"
#include "Formats/model_samples.h"
#include "Tensor/test_context.h"

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> drawn(size_t count) {
  std::vector<float> list(count);
  cw_random random = cw_random_stream(8, 0);
  for (float &value : list)
    value = static_cast<float>(cw_random_normal(&random));
  return list;
}

class Apply : public testing::Test {
 protected:
  void SetUp() override {
    model = sample_of_everything(context);
    samples = cw_grid_samples(&model.preprocessing.grid);
    context.reset();
  }
  void TearDown() override {
    EXPECT_EQ(context.leaked(), 0);
    cw_model_free(context, &model);
  }
  TestContext context;
  cw_model model = {};
  size_t samples = 0;
};

// Scan by scan and in batches, with a last batch that is not full.
TEST_F(Apply, BatchesDoNotMatter) {
  const int count = 11;
  const std::vector<float> in = drawn(count * samples);
  std::vector<float> logits(count), fields(3 * count * samples), logit(1), field(3 * samples);
  ASSERT_EQ(cw_model_logits(context, &model, in.data(), count, logits.data()), CW_OK) << context.message();
  ASSERT_EQ(cw_model_fields(context, &model, in.data(), count, -1, fields.data()), CW_OK) << context.message();
  for (int i = 0; i < count; i++) {
    const float *one = in.data() + static_cast<size_t>(i) * samples;
    ASSERT_EQ(cw_model_logits(context, &model, one, 1, logit.data()), CW_OK);
    ASSERT_EQ(cw_model_fields(context, &model, one, 1, -1, field.data()), CW_OK);
    EXPECT_NEAR(logit[0], logits[static_cast<size_t>(i)], 1e-6);
    for (size_t k = 0; k < field.size(); k++)
      ASSERT_NEAR(field[k], fields[static_cast<size_t>(i) * field.size() + k], 1e-5);
  }
  std::vector<float> other(3 * samples);
  ASSERT_EQ(cw_model_fields(context, &model, in.data(), 1, 1, other.data()), CW_OK);
  EXPECT_FALSE(std::equal(other.begin(), other.end(), fields.begin())) << "the direction changes nothing";
}

TEST_F(Apply, ThreadsDoNotMatter) {
  const std::vector<float> in = drawn(3 * samples);
  std::vector<float> one(9 * samples), two(9 * samples);
  TestContext single(1);
  ASSERT_EQ(cw_model_fields(single, &model, in.data(), 3, 1, one.data()), CW_OK) << single.message();
  ASSERT_EQ(cw_model_fields(context, &model, in.data(), 3, 1, two.data()), CW_OK) << context.message();
  EXPECT_TRUE(one == two);
}

TEST_F(Apply, CanBeCancelled) {
  const std::vector<float> in = drawn(9 * samples);
  std::vector<float> logits(9);
  context.cancel = true;
  EXPECT_EQ(cw_model_logits(context, &model, in.data(), 9, logits.data()), CW_ERROR_CANCELLED);
}

TEST_F(Apply, RefusesWrongArguments) {
  std::vector<float> in = drawn(samples), out(3 * samples);
  EXPECT_EQ(cw_model_logits(context, &model, in.data(), 0, out.data()), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_model_fields(context, &model, in.data(), 1, 0.5f, out.data()), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_model_fields(context, &model, in.data(), 1, kNaN, out.data()), CW_ERROR_ARGUMENT);
  in[7] = kNaN;
  EXPECT_EQ(cw_model_logits(context, &model, in.data(), 1, out.data()), CW_ERROR_NUMERIC);
  cw_model classifier = sample_classifier(context, 32, 1);
  EXPECT_EQ(cw_model_fields(context, &classifier, in.data(), 1, 1, out.data()), CW_ERROR_ARGUMENT);
  cw_model_free(context, &classifier);
}

// A velocity's displacement is 0 at strength 0 and starts along the velocity; opposite strengths undo each other.
TEST_F(Apply, StrengthOfVelocities) {
  std::vector<float> v(3 * samples), u(3 * samples), w(3 * samples);
  for (size_t i = 0; i < v.size(); i++)
    v[i] = 0.3f * std::sin(0.3f * static_cast<float>(i % samples)) + 0.01f;
  ASSERT_EQ(cw_model_displacement(context, &model, v.data(), 0, u.data()), CW_OK);
  for (float value : u)
    EXPECT_EQ(value, 0);
  ASSERT_EQ(cw_model_displacement(context, &model, v.data(), 1e-3f, u.data()), CW_OK);
  ASSERT_EQ(cw_model_displacement(context, &model, v.data(), -1e-3f, w.data()), CW_OK);
  for (size_t i = 0; i < u.size(); i++) {
    EXPECT_NEAR(u[i], 1e-3f * v[i], 1e-6f);
    EXPECT_NEAR(w[i], -u[i], 1e-6f);
  }
  v[5] = kNaN;
  EXPECT_EQ(cw_model_displacement(context, &model, v.data(), 1, u.data()), CW_ERROR_NUMERIC);
  v[5] = 0;
  EXPECT_EQ(cw_model_displacement(context, &model, v.data(), kNaN, u.data()), CW_ERROR_ARGUMENT);
}

TEST_F(Apply, StrengthOfDisplacements) {
  cw_model_free(context, &model);
  model = sample_simulator(context, 32, CW_FIELD_DISPLACEMENT, true, 4);
  samples = cw_grid_samples(&model.preprocessing.grid);
  const std::vector<float> field = drawn(3 * samples);
  std::vector<float> u(3 * samples);
  ASSERT_EQ(cw_model_displacement(context, &model, field.data(), -0.5f, u.data()), CW_OK);
  for (size_t i = 0; i < u.size(); i++)
    ASSERT_EQ(u[i], -0.5f * field[i]);
  context.baseline = context.live;
}

TEST_F(Apply, SurvivesFailingAllocations) {
  const std::vector<float> in = drawn(samples);
  std::vector<float> out(3 * samples), moved(3 * samples);
  for (long at = 0;; at++) {
    context.reset(at);
    cw_status status = cw_model_fields(context, &model, in.data(), 1, 1, out.data());
    if (status == CW_OK)
      status = cw_model_displacement(context, &model, out.data(), 1, moved.data());
    EXPECT_EQ(context.leaked(), 0);
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY) << context.message();
  }
  context.reset();
}

}  // namespace
