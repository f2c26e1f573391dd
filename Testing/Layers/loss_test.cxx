// The losses, one value a sample.
#include <cmath>

#include "Layers/harness.h"

using namespace layers;

namespace {

Case loss(cw_operator op, std::vector<Operand> operands) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(operands[0].shape[0]);
  test.operands = std::move(operands);
  return test;
}

TEST(LossBce, MatchesReference) {
  for (int64_t batch : {1, 2, 3, 17})
    check(loss(CW_OP_LOSS_BCE, {input({batch, 1}, -5, 5), target({batch, 1}, 0, 1)}), 1e-6, 2e-6);
}

// Logits of +-100 give their linear tails, not Inf or NaN.
TEST(LossBce, IsStable) {
  Tensor x(Shape{4, 1}), t(x.shape), seed(Shape{4});
  x.data = {100, 100, -100, -100};
  t.data = {0, 1, 0, 1};
  seed.data = {1, 1, 1, 1};
  const Result result = run(loss(CW_OP_LOSS_BCE, {input({4, 1}), target({4, 1})}), {x, t}, {seed}, 1, true);
  EXPECT_EQ(result.outputs[0][0], 100);
  EXPECT_NEAR(result.outputs[0][1], 0, 1e-30);
  EXPECT_NEAR(result.outputs[0][2], 0, 1e-30);
  EXPECT_EQ(result.outputs[0][3], 100);
  EXPECT_EQ(result.gradients[0][0], 1);
  EXPECT_NEAR(result.gradients[0][1], 0, 1e-30);
  EXPECT_EQ(result.gradients[0][3], -1);
}

TEST(LossShift, MatchesReference) {
  for (float margin : {0.5f, 12.5f, -0.5f}) {
    Case test = loss(CW_OP_LOSS_SHIFT, {input({9, 1}, -3, 3), target({9, 1}, -3, 3), target({9, 1}, -1, 1)});
    test.attributes.shift_margin = margin;
    check(test, 1e-6, 2e-6);
  }
}

TEST(LossShift, MarginsOfTheTwoDirections) {
  Context context;
  cw_context *c = context.get;
  cw_graph *graph = nullptr;
  cw_plan *plan = nullptr;
  cw_value in[3], y = CW_NONE;
  ASSERT_EQ(cw_graph_create(c, &graph), CW_OK);
  const char *names[3] = {"after", "before", "direction"};
  for (int i = 0; i < 3; i++)
    ASSERT_EQ(cw_graph_input(c, graph, names[i], CW_SHAPE(CW_BATCH, 1), &in[i]), CW_OK);
  ASSERT_EQ(cw_graph_node(c, graph, CW_OP_LOSS_SHIFT, "y", nullptr, in, 3, &y), CW_OK);
  ASSERT_EQ(cw_graph_output(c, graph, y), CW_OK);
  cw_plan_options options = {};
  options.mode = CW_INPUT_GRADIENT;
  options.gradients = in;
  options.gradient_count = 1;
  options.batch = 2;
  ASSERT_EQ(cw_plan_create(c, graph, &options, &plan), CW_OK);
  const float after[2] = {3, 3}, before[2] = {1, 1}, direction[2] = {1, -1};
  for (int n = 0; n < 2; n++) {
    cw_plan_data(plan, in[0])[n] = after[n];
    cw_plan_data(plan, in[1])[n] = before[n];
    cw_plan_data(plan, in[2])[n] = direction[n];
    cw_plan_gradient(plan, y)[n] = 1;
  }
  cw_plan_set_margin(plan, CW_NONE, 1, 10);
  cw_plan_forward(plan);
  cw_plan_backward(plan);
  EXPECT_EQ(cw_plan_data(plan, y)[0], 0);   // 1 - 2: reached
  EXPECT_EQ(cw_plan_data(plan, y)[1], 12);  // 10 + 2
  EXPECT_EQ(cw_plan_gradient(plan, in[0])[0], 0);
  EXPECT_EQ(cw_plan_gradient(plan, in[0])[1], 1);
  cw_plan_set_margin(plan, in[1], 7, 7);  // no such loss: nothing changes
  cw_plan_set_margin(plan, y, 5, 0);
  cw_plan_forward(plan);
  EXPECT_EQ(cw_plan_data(plan, y)[0], 3);
  EXPECT_EQ(cw_plan_data(plan, y)[1], 2);
  cw_plan_free(c, plan);
  cw_graph_free(c, graph);
}

const Shape shapes[] = {{1, 1, 1, 1, 1}, {2, 3, 3, 4, 5}, {3, 1, 7, 5, 17}, {1, 3, 33, 17, 31}, {2, 5, 1, 2, 3}};

TEST(LossMse, MatchesReference) {
  for (const Shape &shape : shapes)
    check(loss(CW_OP_LOSS_MSE, {input(shape), input(shape)}), 2e-6, 1e-5);
}

TEST(LossMagnitude, MatchesReference) {
  for (const Shape &shape : shapes)
    check(loss(CW_OP_LOSS_MAGNITUDE, {input(shape)}), 2e-6, 1e-5);
}

TEST(LossSmooth, MatchesReference) {
  for (int norm : {0, 1, 2})
    for (const Shape &shape : shapes) {
      Case test = loss(CW_OP_LOSS_SMOOTH, {input(shape)});
      test.attributes.norm = norm;
      test.attributes.epsilon = 0.3f;
      check(test, 2e-6, 1e-5);
    }
}

// A ramp of slope 2 along x and -3 along y: 2 + 3, or 4 + 9.
TEST(LossSmooth, Ramp) {
  for (int norm : {1, 2}) {
    Case test = loss(CW_OP_LOSS_SMOOTH, {input({1, 3, 4, 5, 6})});
    test.attributes.norm = norm;
    Tensor u(test.operands[0].shape);
    for (int64_t i = 0; i < u.size(); i++)
      u[i] = 2.0 * static_cast<double>(i % 6) - 3.0 * static_cast<double>(i / 6 % 5);
    EXPECT_NEAR(run(test, {u}, {Tensor(Shape{1})}, 1, true).outputs[0][0], norm == 1 ? 5 : 13, 1e-5);
  }
}

// Norm 0 does not prefer an axis: a waving of one component costs what the same waving costs when it is turned into
// two.  Norm 1 charges sqrt(2) times as much.
TEST(LossSmooth, NormZeroHasNoPreferredDirection) {
  for (int norm : {0, 1}) {
    Case test = loss(CW_OP_LOSS_SMOOTH, {input({2, 3, 6, 5, 4})});
    test.attributes.norm = norm;
    test.attributes.epsilon = 0.1f;
    Tensor u(test.operands[0].shape);
    const int64_t plane = 6 * 5 * 4;
    for (int64_t i = 0; i < plane; i++) {
      const double wave = std::sin(0.7 * static_cast<double>(i / 4 % 5));
      u[i] = wave;
      u[3 * plane + i] = wave / std::sqrt(2.0);
      u[4 * plane + i] = wave / std::sqrt(2.0);
    }
    const std::vector<float> y = run(test, {u}, {Tensor(Shape{2})}, 1, true).outputs[0];
    EXPECT_NEAR(y[1] / y[0], norm == 0 ? 1 : std::sqrt(2.0), 1e-5);
  }
}

TEST(Loss, Refuses) {
  expect_refused(loss(CW_OP_LOSS_BCE, {input({2, 3}), target({2, 3})}), CW_ERROR_SHAPE, "N x 1");
  expect_refused(loss(CW_OP_LOSS_MSE, {input({2, 3}), target({2, 4})}), CW_ERROR_SHAPE, "equal shapes");
  expect_refused(loss(CW_OP_LOSS_SMOOTH, {input({2, 3})}), CW_ERROR_SHAPE, "5 dimensions");
  Case smooth = loss(CW_OP_LOSS_SMOOTH, {input({1, 3, 2, 2, 2})});
  smooth.attributes.norm = 3;
  expect_refused(smooth, CW_ERROR_ARGUMENT, "norm");
  smooth.attributes.norm = 0;
  smooth.attributes.epsilon = 0;
  expect_refused(smooth, CW_ERROR_ARGUMENT, "epsilon");
  expect_refused(loss(CW_OP_LOSS_SHIFT, {input({2, 1}), target({2, 1}), target({2, 2})}), CW_ERROR_SHAPE, "N x 1");
}

}  // namespace
