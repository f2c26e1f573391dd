// Maximum, average and global average pooling.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case pool(cw_operator op, Shape shape, std::vector<int> kernel, std::vector<int> stride,
          std::vector<int> pads = {0, 0, 0, 0, 0, 0}) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(shape[0]);
  test.operands = {input(std::move(shape))};
  for (int i = 0; i < 3; i++) {
    test.attributes.kernel[i] = kernel[i];
    test.attributes.stride[i] = stride[i];
    test.attributes.pads[i] = pads[i];
    test.attributes.pads[3 + i] = pads[3 + i];
  }
  return test;
}

std::vector<Case> cases(cw_operator op) {
  return {
      pool(op, {1, 1, 2, 2, 2}, {2, 2, 2}, {2, 2, 2}),                      // one window
      pool(op, {2, 16, 8, 8, 8}, {2, 2, 2}, {2, 2, 2}),                     // the networks' own
      pool(op, {3, 5, 7, 9, 11}, {2, 2, 2}, {2, 2, 2}),                     // odd sizes leave voxels over
      pool(op, {1, 17, 4, 6, 34}, {2, 2, 2}, {2, 2, 2}),                    // tails of the vector loop
      pool(op, {2, 3, 7, 8, 9}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1, 1, 1, 1}),  // overlapping, padded
      pool(op, {1, 3, 5, 6, 7}, {1, 2, 3}, {1, 3, 2}, {0, 1, 2, 0, 0, 1}),  // all different
      pool(op, {1, 2, 5, 5, 5}, {2, 2, 2}, {1, 1, 1}),
      pool(op, {1, 2, 5, 5, 5}, {2, 2, 2}, {3, 3, 3}),                        // gaps between windows
      pool(op, {1, 2, 9, 8, 8}, {7, 7, 7}, {1, 1, 1}, {3, 3, 3, 3, 3, 3}),    // more taps than a byte counts
      pool(op, {1, 1, 2, 3, 300}, {2, 3, 4}, {1, 1, 1}, {0, 1, 3, 0, 1, 2}),  // long rows
      pool(op, {1, 1, 3, 3, 401}, {3, 3, 3}, {2, 2, 3}, {1, 1, 1, 1, 1, 1}),
      pool(op, {1, 1, 2, 2, 1100}, {2, 2, 3}, {1, 1, 2}, {0, 0, 1, 0, 0, 1}),  // rows in several pieces
  };
}

TEST(MaxPool, MatchesReference) {
  for (const Case &test : cases(CW_OP_MAX_POOL))
    check(test, 0, 1e-6);
}

TEST(AveragePool, MatchesReference) {
  for (const Case &test : cases(CW_OP_AVERAGE_POOL))
    check(test, 1e-6, 2e-6);
}

// Windows that reach over the end, and averages over the padding.
TEST(Pool, CeilModeAndCountedPads) {
  for (cw_operator op : {CW_OP_MAX_POOL, CW_OP_AVERAGE_POOL})
    for (bool ceil_mode : {false, true})
      for (bool count_pads : {false, true})
        for (Case test : {pool(op, {2, 3, 7, 8, 9}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1, 1, 1, 1}),
                          pool(op, {1, 2, 5, 7, 9}, {2, 2, 2}, {2, 2, 2}),
                          pool(op, {1, 2, 5, 6, 7}, {2, 3, 3}, {3, 2, 3}, {1, 0, 2, 0, 2, 1})}) {
          test.attributes.ceil_mode = ceil_mode;
          test.attributes.count_pads = count_pads;
          check(test, 1e-6, 2e-6);
        }
}

// A window of equal values sends its gradient to the first, once; windows of -Inf have a maximum too.
TEST(MaxPool, TiesAndInfinity) {
  for (int kernel : {2, 3}) {
    const Case test = pool(CW_OP_MAX_POOL, {1, 1, kernel, kernel, kernel}, {kernel, kernel, kernel}, {2, 2, 2});
    Tensor x(test.operands[0].shape), seed(Shape{1, 1, 1, 1, 1});
    seed[0] = 3;
    for (double value : {0.0, -HUGE_VAL}) {
      std::fill(x.data.begin(), x.data.end(), value);
      const Result result = run(test, {x}, {seed}, 1, true);
      EXPECT_EQ(result.outputs[0][0], static_cast<float>(value));
      EXPECT_EQ(result.gradients[0][0], 3);
      for (std::size_t i = 1; i < result.gradients[0].size(); i++)
        EXPECT_EQ(result.gradients[0][i], 0) << i;
    }
  }
}

// NaN is not lost in a maximum, wherever it stands.
TEST(MaxPool, NanPasses) {
  for (int kernel : {2, 3})
    for (int at = 0; at < kernel * kernel * kernel; at++) {
      const Case test = pool(CW_OP_MAX_POOL, {1, 1, kernel, kernel, kernel}, {kernel, kernel, kernel}, {2, 2, 2});
      Tensor x = random_tensor(test.operands[0].shape, -1, 1, 1), seed(Shape{1, 1, 1, 1, 1});
      x[at] = NAN;
      EXPECT_TRUE(std::isnan(run(test, {x}, {seed}, 1, true).outputs[0][0])) << at;
    }
}

TEST(GlobalAveragePool, MatchesReference) {
  for (const Shape &shape :
       {Shape{1, 1, 1, 1, 1}, Shape{2, 3, 7}, Shape{3, 16, 5, 6, 7}, Shape{2, 17, 2, 2}, Shape{1, 5, 17, 16, 15}}) {
    Case test;
    test.op = CW_OP_GLOBAL_AVERAGE_POOL;
    test.batch = static_cast<int>(shape[0]);
    test.operands = {input(shape)};
    check(test, 1e-6, 2e-6);
  }
}

// A mean far from 0 keeps its digits: the sum runs in double.
TEST(GlobalAveragePool, LargeMean) {
  Case test;
  test.op = CW_OP_GLOBAL_AVERAGE_POOL;
  test.operands = {input({1, 1, 48, 48, 48}, 999, 1001)};
  const Tensor x = random_tensor(test.operands[0].shape, 999, 1001, 1), y = reference::global_average_pool(x);
  EXPECT_NEAR(run(test, {x}, {Tensor(y.shape)}, 2, true).outputs[0][0], y[0], 2e-4);
}

TEST(Pool, Refuses) {
  const Shape shape{1, 2, 4, 4, 4};
  expect_refused(pool(CW_OP_MAX_POOL, {1, 2, 4}, {2, 2, 2}, {2, 2, 2}), CW_ERROR_SHAPE, "5 dimensions");
  expect_refused(pool(CW_OP_MAX_POOL, shape, {5, 2, 2}, {2, 2, 2}), CW_ERROR_SHAPE, "fewer than the kernel");
  expect_refused(pool(CW_OP_MAX_POOL, shape, {0, 2, 2}, {2, 2, 2}), CW_ERROR_ARGUMENT, "kernel");
  expect_refused(pool(CW_OP_MAX_POOL, shape, {2, 2, 2}, {2, 0, 2}), CW_ERROR_ARGUMENT, "stride");
  expect_refused(pool(CW_OP_AVERAGE_POOL, shape, {2, 2, 2}, {2, 2, 2}, {2, 0, 0, 0, 0, 0}), CW_ERROR_ARGUMENT, "pad");
  expect_refused(pool(CW_OP_AVERAGE_POOL, shape, {2, 2, 2}, {2, 2, 2}, {0, 0, 0, 0, -1, 0}), CW_ERROR_ARGUMENT, "pad");
  Case dilated = pool(CW_OP_MAX_POOL, shape, {2, 2, 2}, {2, 2, 2});
  dilated.attributes.dilation[1] = 2;
  expect_refused(dilated, CW_ERROR_UNSUPPORTED, "dilation");
  Case flat = pool(CW_OP_GLOBAL_AVERAGE_POOL, {1, 2}, {1, 1, 1}, {1, 1, 1});
  expect_refused(flat, CW_ERROR_SHAPE, "at least 3");
}

}  // namespace
