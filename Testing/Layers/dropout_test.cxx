// Inverted dropout.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case dropout(Shape shape, float ratio, bool training) {
  Case test;
  test.op = CW_OP_DROPOUT;
  test.batch = static_cast<int>(shape[0]);
  test.operands = {input(std::move(shape))};
  test.attributes.ratio = ratio;
  test.training = training;
  return test;
}

TEST(Dropout, IsTheIdentityOutsideTraining) {
  check(dropout({2, 3, 5, 7, 9}, 0.5f, false), 0, 1e-6);
  check(dropout({2, 17}, 0.0f, true), 0, 1e-6);
  Case frozen = dropout({2, 17}, 0.5f, true);
  frozen.attributes.frozen = true;
  check(frozen, 0, 1e-6);
}

// In training a share of `ratio` becomes 0 and the rest grows by 1 / (1 - ratio), forward and backward alike.
TEST(Dropout, DropsAndScales) {
  const float ratio = 0.3f;
  const Case test = dropout({1, 40000}, ratio, true);
  const Tensor x = random_tensor(test.operands[0].shape, 0.5, 1, 1), seed = random_tensor(x.shape, 0.5, 1, 2);
  const Result result = run(test, {x}, {seed}, 1, true);
  int dropped = 0;
  for (std::size_t i = 0; i < x.data.size(); i++) {
    const float y = result.outputs[0][i], g = result.gradients[0][i];
    if (y == 0) {
      dropped++;
      ASSERT_EQ(g, 0) << i;
    } else {
      ASSERT_NEAR(y, x.data[i] / (1 - ratio), 1e-6) << i;
      ASSERT_NEAR(g, seed.data[i] / (1 - ratio), 1e-6) << i;
    }
  }
  EXPECT_NEAR(dropped / 40000.0, ratio, 0.012);  // 5 standard deviations
  for (int threads : {2, 3})
    expect_same_bits(result, run(test, {x}, {seed}, threads, true), "threads");
}

// The mask follows the step number and nothing else.
TEST(Dropout, MaskFollowsTheStep) {
  Context context;
  cw_context *c = context.get;
  cw_graph *graph = nullptr;
  cw_plan *plan = nullptr;
  cw_value x = CW_NONE, y = CW_NONE;
  cw_attributes attributes = cw_attributes_default();
  attributes.ratio = 0.5f;
  ASSERT_EQ(cw_graph_create(c, &graph), CW_OK);
  ASSERT_EQ(cw_graph_input(c, graph, "x", CW_SHAPE(CW_BATCH, 256), &x), CW_OK);
  ASSERT_EQ(cw_graph_node(c, graph, CW_OP_DROPOUT, "y", &attributes, &x, 1, &y), CW_OK);
  ASSERT_EQ(cw_graph_output(c, graph, y), CW_OK);
  cw_plan_options options = {};
  options.mode = CW_TRAINING;
  options.batch = 1;
  ASSERT_EQ(cw_plan_create(c, graph, &options, &plan), CW_OK);
  std::fill_n(cw_plan_data(plan, x), 256, 1.0f);
  const auto mask = [&](uint64_t step) {
    cw_plan_set_step(plan, step);
    cw_plan_forward(plan);
    return std::vector<float>(cw_plan_data(plan, y), cw_plan_data(plan, y) + 256);
  };
  const std::vector<float> first = mask(1), second = mask(2);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, mask(1));
  cw_plan_free(c, plan);
  cw_graph_free(c, graph);
}

TEST(Dropout, Refuses) {
  for (float ratio : {-0.1f, 1.0f, NAN})
    expect_refused(dropout({1, 4}, ratio, true), CW_ERROR_ARGUMENT, "ratio");
}

}  // namespace
