// Batch normalisation in training and inference.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case batch_norm(Shape shape, bool training, double low = -1, double high = 1) {
  Case test;
  test.op = CW_OP_BATCH_NORM;
  test.batch = static_cast<int>(shape[0]);
  test.training = training;
  const int64_t channels = shape[1];
  test.operands = {input(std::move(shape), low, high), parameter({channels}, 0.5, 1.5), parameter({channels}),
                   buffer({channels}), buffer({channels}, 0.2, 2)};
  return test;
}

const Shape shapes[] = {{2, 1, 2, 2, 2},  {1, 3, 4, 5, 7},  {3, 5, 3, 4, 5},
                        {2, 16, 8, 8, 8}, {1, 17, 5, 5, 5}, {2, 3, 17, 9, 11}};

TEST(BatchNorm, TrainingMatchesReference) {
  for (const Shape &shape : shapes)
    check(batch_norm(shape, true), 3e-6, 2e-5);
}

TEST(BatchNorm, InferenceMatchesReference) {
  for (const Shape &shape : shapes)
    check(batch_norm(shape, false), 3e-6, 1e-5);
}

// Frozen: a training step takes the running statistics and leaves them alone.
TEST(BatchNorm, FrozenMatchesReference) {
  Case test = batch_norm({2, 5, 3, 4, 5}, true);
  test.attributes.frozen = true;
  check(test, 3e-6, 1e-5);
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < test.operands.size(); i++)
    values.push_back(random_tensor(test.operands[i].shape, test.operands[i].low, test.operands[i].high, i));
  const Result result = run(test, values, {random_tensor(test.operands[0].shape, -1, 1, 9)}, 2, true);
  EXPECT_EQ(result.buffers[3], to_float(values[3].data));
  EXPECT_EQ(result.buffers[4], to_float(values[4].data));
}

// running = (1 - m) running + m batch, the variance with n - 1, as in PyTorch.  m is at least 1 / (step + 1): the first
// steps take the plain mean over steps, so that early statistics owe nothing to their initial values.
TEST(BatchNorm, RunningStatistics) {
  for (const Shape &shape : shapes)
    for (uint64_t step : {0, 1, 2, 3, 1000}) {
      Case test = batch_norm(shape, true, 1, 3);
      test.attributes.momentum = 0.25f;
      test.step = step;
      const double m = std::max(0.25, 1.0 / (static_cast<double>(step) + 1));
      std::vector<Tensor> values;
      for (std::size_t i = 0; i < test.operands.size(); i++)
        values.push_back(random_tensor(test.operands[i].shape, test.operands[i].low, test.operands[i].high, i));
      Tensor mean, variance;
      reference::channel_statistics(values[0], mean, variance);
      const double count = static_cast<double>(values[0].size() / shape[1]);
      const Result result = run(test, values, {random_tensor(shape, -1, 1, 9)}, 2, true);
      for (std::size_t c = 0; c < mean.data.size(); c++) {
        ASSERT_NEAR(result.buffers[3][c], (1 - m) * values[3].data[c] + m * mean.data[c], 2e-6) << "step " << step;
        ASSERT_NEAR(result.buffers[4][c], (1 - m) * values[4].data[c] + m * variance.data[c] * count / (count - 1),
                    2e-6)
            << "step " << step;
      }
    }
}

// A mean far from 0 does not eat the variance's digits.
TEST(BatchNorm, LargeMean) {
  check(batch_norm({2, 3, 8, 8, 8}, true, 99, 101), 1e-4, 5e-4);
}

// A constant channel gives its shift, not NaN.
TEST(BatchNorm, ConstantChannel) {
  Case test = batch_norm({2, 2, 3, 3, 3}, true, 0.7, 0.7);
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < test.operands.size(); i++)
    values.push_back(random_tensor(test.operands[i].shape, test.operands[i].low, test.operands[i].high, i));
  const Result result = run(test, values, {random_tensor(test.operands[0].shape, -1, 1, 9)}, 2, true);
  for (std::size_t i = 0; i < result.outputs[0].size(); i++)
    EXPECT_NEAR(result.outputs[0][i], values[2].data[i / 27 % 2], 1e-4);
  for (float g : result.gradients[0])
    EXPECT_TRUE(std::isfinite(g));
}

TEST(BatchNorm, Refuses) {
  Case test = batch_norm({1, 3, 2, 2, 2}, true);
  test.operands[1] = parameter({4});
  expect_refused(test, CW_ERROR_SHAPE, "");
  test = batch_norm({1, 3, 2, 2, 2}, true);
  test.operands[4] = buffer({2});
  expect_refused(test, CW_ERROR_SHAPE, "");
}

}  // namespace
