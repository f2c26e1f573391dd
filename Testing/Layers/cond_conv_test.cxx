// Conditional convolution: a kernel for each sample, mixed by its routing weights.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case cond_conv(Shape shape, int64_t out_channels, int kernel = 3, int64_t experts = 3, bool direction_only = false) {
  Case test;
  test.op = CW_OP_COND_CONV;
  test.batch = static_cast<int>(shape[0]);
  for (int i = 0; i < 3; i++) {
    test.attributes.kernel[i] = kernel;
    test.attributes.pads[i] = test.attributes.pads[3 + i] = kernel / 2;
  }
  const int64_t batch = shape[0], channels = shape[1];
  test.operands = {input(std::move(shape)),
                   input({batch, 1}),
                   parameter({experts, out_channels, channels, kernel, kernel, kernel}),
                   parameter({out_channels}),
                   parameter({experts, direction_only ? 1 : channels + 1}),
                   parameter({experts})};
  return test;
}

constexpr double forward_tolerance = 3e-6, gradient_tolerance = 2e-5;

TEST(CondConv, MatchesReference) {
  check(cond_conv({1, 1, 1, 1, 1}, 1), forward_tolerance, gradient_tolerance);
  check(cond_conv({2, 1, 8, 8, 8}, 16), forward_tolerance, gradient_tolerance);
  check(cond_conv({1, 16, 6, 7, 8}, 3), forward_tolerance, gradient_tolerance);
  check(cond_conv({3, 3, 5, 7, 9}, 5), forward_tolerance, gradient_tolerance);
  check(cond_conv({2, 17, 3, 4, 5}, 16), forward_tolerance, gradient_tolerance);
  check(cond_conv({1, 5, 3, 2, 17}, 17), forward_tolerance, gradient_tolerance);
}

TEST(CondConv, KernelsAndExperts) {
  check(cond_conv({2, 3, 4, 5, 6}, 4, 1), forward_tolerance, gradient_tolerance);
  check(cond_conv({1, 2, 5, 6, 7}, 3, 5), forward_tolerance, gradient_tolerance);
  check(cond_conv({2, 3, 4, 5, 6}, 4, 3, 1), forward_tolerance, gradient_tolerance);
  check(cond_conv({2, 3, 4, 5, 6}, 4, 3, 5), forward_tolerance, gradient_tolerance);
}

// Routing from the direction alone.
TEST(CondConv, RoutingFromTheDirection) {
  check(cond_conv({3, 3, 4, 5, 6}, 4, 3, 3, true), forward_tolerance, gradient_tolerance);
  check(cond_conv({1, 1, 4, 5, 6}, 2, 3, 2, true), forward_tolerance, gradient_tolerance);
}

TEST(CondConv, InputGradientMode) {
  Case test = cond_conv({2, 3, 5, 6, 7}, 4);
  test.training = false;
  test.attributes.ratio = 0.5f;  // routing dropout belongs to training alone
  check(test, forward_tolerance, gradient_tolerance);
}

// Routing dropout in training: with a ratio near 1 almost nothing but the bias of the routing is left; the gradients of
// dropped features vanish with them.
TEST(CondConv, RoutingDropout) {
  Case test = cond_conv({2, 16, 2, 2, 2}, 2);
  test.attributes.ratio = 0.999f;
  std::vector<Tensor> values, without;
  for (std::size_t i = 0; i < test.operands.size(); i++)
    values.push_back(random_tensor(test.operands[i].shape, -1, 1, i));
  without = values;
  std::fill(without[4].data.begin(), without[4].data.end(), 0.0);
  const Tensor expected = reference::run(test.op, test.attributes, without, true);
  const Tensor seed = random_tensor(expected.shape, -1, 1, 100);
  const Result result = run(test, values, {seed}, 1, true);
  expect_forward(result.outputs[0], expected, forward_tolerance);
  for (float g : result.gradients[4])
    EXPECT_EQ(g, 0);
  for (float g : result.gradients[1])
    EXPECT_EQ(g, 0);
  test.attributes.ratio = 0.5f;
  const Result half = run(test, values, {seed}, 1, true);
  EXPECT_NE(half.outputs, result.outputs);
  for (int threads : {2, 3})
    expect_same_bits(half, run(test, values, {seed}, threads, true), "threads");
}

TEST(CondConv, Refuses) {
  Case test = cond_conv({1, 3, 4, 4, 4}, 2);
  test.operands[2] = parameter({3, 2, 4, 3, 3, 3});
  expect_refused(test, CW_ERROR_SHAPE, "ci");
  test = cond_conv({1, 3, 4, 4, 4}, 2);
  test.operands[4] = parameter({3, 3});
  expect_refused(test, CW_ERROR_SHAPE, "routing");
  test = cond_conv({1, 3, 4, 4, 4}, 2);
  test.operands[1] = input({1, 2});
  expect_refused(test, CW_ERROR_SHAPE, "direction");
  test.operands[1] = parameter({1, 1});  // one for a whole batch
  expect_refused(test, CW_ERROR_SHAPE, "direction");
}

}  // namespace
