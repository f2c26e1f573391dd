// ReLU, LeakyReLU, sigmoid, softmax and log-softmax.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case pointwise(cw_operator op, Shape shape, double low = -1, double high = 1) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(shape[0]);
  test.operands = {input(std::move(shape), low, high)};
  return test;
}

const Shape shapes[] = {
    {1, 1}, {2, 3}, {3, 17}, {1, 16, 1, 1, 1}, {2, 5, 3, 5, 7}, {3, 16, 9, 11, 13}, {1, 1, 33, 31, 35}};

TEST(Activation, ReluMatchesReference) {
  for (const Shape &shape : shapes)
    check(pointwise(CW_OP_RELU, shape), 0, 1e-6);
}

TEST(Activation, LeakyReluMatchesReference) {
  for (float alpha : {0.0f, 0.1f, 1.5f})
    for (const Shape &shape : shapes) {
      Case test = pointwise(CW_OP_LEAKY_RELU, shape);
      test.attributes.alpha = alpha;
      check(test, 1e-6, 1e-6);
    }
}

TEST(Activation, LeakyReluRefusesNegativeSlope) {
  Case test = pointwise(CW_OP_LEAKY_RELU, {1, 4});
  test.attributes.alpha = -0.1f;
  expect_refused(test, CW_ERROR_UNSUPPORTED, "alpha");
  test.attributes.alpha = NAN;
  expect_refused(test, CW_ERROR_UNSUPPORTED, "alpha");
}

TEST(Activation, SigmoidMatchesReference) {
  for (const Shape &shape : shapes)
    check(pointwise(CW_OP_SIGMOID, shape, -6, 6), 1e-6, 2e-6);
}

// Odd values pass as IEEE asks: nothing invents a finite number out of NaN, and large arguments do not overflow.
TEST(Activation, NanAndInfinity) {
  Tensor x(Shape{1, 5});
  x.data = {NAN, INFINITY, -INFINITY, 200, -200};
  const Tensor seed = random_tensor(x.shape, 0.5, 1, 1);
  const std::vector<float> relu = run(pointwise(CW_OP_RELU, x.shape), {x}, {seed}, 1, true).outputs[0];
  EXPECT_TRUE(std::isnan(relu[0]));
  EXPECT_EQ(std::vector<float>(relu.begin() + 1, relu.end()), (std::vector<float>{INFINITY, 0, 200, 0}));
  const std::vector<float> sigmoid = run(pointwise(CW_OP_SIGMOID, x.shape), {x}, {seed}, 1, true).outputs[0];
  EXPECT_TRUE(std::isnan(sigmoid[0]));
  EXPECT_EQ(std::vector<float>(sigmoid.begin() + 1, sigmoid.end()), (std::vector<float>{1, 0, 1, 0}));
}

// At exactly 0 the slope is that of the negative side, as in PyTorch.
TEST(Activation, SlopeAtZero) {
  const Tensor zero(Shape{1, 3});
  Tensor seed(zero.shape);
  seed.data = {1, 2, 3};
  EXPECT_EQ(run(pointwise(CW_OP_RELU, zero.shape), {zero}, {seed}, 1, true).gradients[0],
            (std::vector<float>{0, 0, 0}));
  Case leaky = pointwise(CW_OP_LEAKY_RELU, zero.shape);
  leaky.attributes.alpha = 0.5f;
  EXPECT_EQ(run(leaky, {zero}, {seed}, 1, true).gradients[0], (std::vector<float>{0.5f, 1, 1.5f}));
}

TEST(Softmax, MatchesReference) {
  for (const Shape &shape :
       {Shape{1, 1}, Shape{3, 2}, Shape{2, 17}, Shape{2, 5, 4}, Shape{3, 3, 2, 3, 5}, Shape{2, 3, 2, 2, 2, 3}})
    for (cw_operator op : {CW_OP_SOFTMAX, CW_OP_LOG_SOFTMAX})
      check(pointwise(op, shape, -4, 4), 1e-6, 3e-6);
}

TEST(Softmax, AnyAxis) {
  for (int axis : {1, 2, 3})
    for (cw_operator op : {CW_OP_SOFTMAX, CW_OP_LOG_SOFTMAX}) {
      Case test = pointwise(op, {2, 3, 5, 7}, -4, 4);
      test.attributes.axis = axis;
      check(test, 1e-6, 3e-6);
    }
}

TEST(Softmax, LargeLogitsDoNotOverflow) {
  Tensor x(Shape{1, 3});
  x.data = {1000, 1001, -1000};
  const Tensor seed = random_tensor(x.shape, -1, 1, 1);
  expect_forward(run(pointwise(CW_OP_SOFTMAX, x.shape), {x}, {seed}, 1, true).outputs[0], reference::softmax(x), 1e-6);
  const std::vector<float> y = run(pointwise(CW_OP_LOG_SOFTMAX, x.shape), {x}, {seed}, 1, true).outputs[0];
  EXPECT_NEAR(y[0], -1 - std::log1p(std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(y[2], -2001 - std::log1p(std::exp(-1.0)), 1e-3);
}

TEST(Softmax, RefusesVectors) {
  expect_refused(pointwise(CW_OP_SOFTMAX, {3}), CW_ERROR_SHAPE, "at least 2");
}

}  // namespace
