// The fully connected layer.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case gemm(int64_t batch, int64_t in, int64_t out, bool bias) {
  Case test;
  test.op = CW_OP_GEMM;
  test.batch = static_cast<int>(batch);
  test.operands = {input({batch, in}), parameter({out, in}), bias ? parameter({out}) : absent()};
  return test;
}

// Batches up to 4 stream the weights; larger ones go through sgemm.  Sizes around the parts' borders.
TEST(Gemm, MatchesReference) {
  for (int64_t batch : {1, 2, 3, 4, 5, 9})
    for (const auto &[in, out] : {std::pair<int64_t, int64_t>{1, 1}, {3, 5}, {17, 16}, {65, 129}, {513, 33}, {300, 1}})
      check(gemm(batch, in, out, (batch + in) % 2 == 0), 2e-6, 1e-5);
}

TEST(Gemm, WithoutAndWithBias) {
  for (bool bias : {false, true}) {
    check(gemm(2, 31, 7, bias), 2e-6, 1e-5);
    check(gemm(6, 31, 7, bias), 2e-6, 1e-5);
  }
}

TEST(Gemm, Refuses) {
  Case test = gemm(2, 4, 3, true);
  test.operands[1] = parameter({3, 5});
  expect_refused(test, CW_ERROR_SHAPE, "do not fit");
  test = gemm(2, 4, 3, true);
  test.operands[2] = parameter({4});
  expect_refused(test, CW_ERROR_SHAPE, "bias");
  test = gemm(2, 4, 3, false);
  test.operands[0] = input({2, 4, 1});
  expect_refused(test, CW_ERROR_SHAPE, "2 dimensions");
  test = gemm(2, 4, 3, false);
  test.operands.resize(1);
  expect_refused(test, CW_ERROR_ARGUMENT, "2 to 3 inputs");
}

}  // namespace
