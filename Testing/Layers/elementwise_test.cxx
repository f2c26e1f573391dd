// Functions of one, two and three operands, element by element and broadcast; reductions.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case of(cw_operator op, std::vector<Operand> operands) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(operands[0].shape[0]);
  test.operands = std::move(operands);
  return test;
}

const cw_operator binaries[] = {CW_OP_ADD, CW_OP_SUB, CW_OP_MUL,     CW_OP_DIV, CW_OP_POW,
                                CW_OP_MIN, CW_OP_MAX, CW_OP_GREATER, CW_OP_LESS};

// What exports hold: equal shapes, a scalar, one value a channel, a gate for each channel of a sample, the last axis,
// a table for all samples, and both operands repeating.
TEST(Binary, BroadcastsAsNumpy) {
  struct {
    Shape a, b;
    Role role;
  } const shapes[] = {{{2, 5, 3, 5, 7}, {2, 5, 3, 5, 7}, Role::Input},
                      {{1, 3, 19, 17, 61}, {1, 3, 19, 17, 61}, Role::Input},
                      {{3, 17}, {1}, Role::Parameter},
                      {{2, 5, 3, 5, 7}, {5, 1, 1, 1}, Role::Parameter},
                      {{2, 16, 12, 11, 13}, {2, 16, 1, 1, 1}, Role::Input},
                      {{2, 3, 1, 1, 1}, {2, 3, 4, 5, 6}, Role::Input},
                      {{2, 9, 48}, {48}, Role::Parameter},
                      {{2, 9, 48}, {1, 9, 48}, Role::Parameter},
                      {{2, 1, 7}, {2, 5, 1}, Role::Input},
                      {{2, 3, 1, 4, 1}, {3, 5, 1, 6}, Role::Parameter},
                      {{1, 1}, {1}, Role::Parameter}};
  for (cw_operator op : binaries)
    for (const auto &s : shapes) {
      Operand a = input(s.a, 0.3, 2), b = input(s.b, 0.3, 2);
      b.role = s.role;
      check(of(op, {a, b}), 1e-6, 3e-6);
    }
}

TEST(Binary, PRelu) {
  check(of(CW_OP_PRELU, {input({2, 5, 3, 5, 7}), parameter({5, 1, 1, 1})}), 1e-6, 2e-6);
  check(of(CW_OP_PRELU, {input({3, 4}), parameter({1})}), 1e-6, 2e-6);
  expect_refused(of(CW_OP_PRELU, {input({2, 1, 1}), parameter({5, 1})}), CW_ERROR_SHAPE, "slopes");
}

TEST(Binary, Where) {
  Operand condition = buffer({1, 5, 1}, -1, 1);
  Case mixed = of(CW_OP_WHERE, {condition, input({2, 1, 7}), input({2, 5, 7})});
  mixed.batch = 2;
  check(mixed, 0, 1e-6);
  Case test = of(CW_OP_WHERE, {target({2, 5}), input({2, 5}), parameter({1})});
  Tensor x(Shape{2, 5});
  for (int64_t i = 0; i < 10; i++)
    x[i] = static_cast<double>(i % 2);
  const Tensor a = random_tensor({2, 5}, -1, 1, 1), b = random_tensor({1}, -1, 1, 2);
  const Result result = run(test, {x, a, b}, {a}, 1, true);
  for (std::size_t i = 0; i < 10; i++)
    EXPECT_EQ(result.outputs[0][i], static_cast<float>(i % 2 ? a.data[i] : b.data[0]));
}

TEST(Binary, RefusesUnequalSizes) {
  for (cw_operator op : binaries)
    expect_refused(of(op, {input({1, 3}), input({1, 4})}), CW_ERROR_SHAPE, "equal sizes");
  expect_refused(of(CW_OP_ADD, {input({1, 3}), parameter({5, 1})}), CW_ERROR_SHAPE, "equal sizes");
}

TEST(Unary, MatchesReference) {
  struct {
    cw_operator op;
    double low, high;
    float alpha, beta;
  } const functions[] = {{CW_OP_ABS, -2, 2, 0, 0},
                         {CW_OP_NEG, -2, 2, 0, 0},
                         {CW_OP_RECIPROCAL, 0.3, 3, 0, 0},
                         {CW_OP_SQRT, 0.1, 4, 0, 0},
                         {CW_OP_EXP, -4, 4, 0, 0},
                         {CW_OP_LOG, 0.1, 4, 0, 0},
                         {CW_OP_TANH, -3, 3, 0, 0},
                         {CW_OP_ERF, -3, 3, 0, 0},
                         {CW_OP_SOFTPLUS, -6, 6, 0, 0},
                         {CW_OP_SOFTSIGN, -3, 3, 0, 0},
                         {CW_OP_ELU, -3, 3, 1.3f, 0},
                         {CW_OP_SELU, -3, 3, 1.67326f, 1.0507f},
                         {CW_OP_HARD_SIGMOID, -4, 4, 0.2f, 0.5f},
                         {CW_OP_HARD_SWISH, -5, 5, 0, 0},
                         {CW_OP_CLIP, -2, 2, -0.7f, 1.1f}};
  for (const auto &f : functions)
    for (const Shape &shape : {Shape{1, 1}, Shape{3, 17}, Shape{1, 3, 33, 31, 35}}) {
      Case test = of(f.op, {input(shape, f.low, f.high)});
      test.attributes.alpha = f.alpha;
      test.attributes.beta = f.beta;
      check(test, 1e-6, 3e-6);
    }
}

TEST(Unary, LargeValuesDoNotOverflow) {
  Tensor x(Shape{1, 4});
  x.data = {200, -200, 1000, -1000};
  const std::vector<float> y = run(of(CW_OP_SOFTPLUS, {input(x.shape)}), {x}, {x}, 1, true).outputs[0];
  EXPECT_EQ(y, (std::vector<float>{200, 0, 1000, 0}));
}

TEST(Unary, Refuses) {
  Case clip = of(CW_OP_CLIP, {input({1, 3})});
  clip.attributes.alpha = 1;
  clip.attributes.beta = 0;
  expect_refused(clip, CW_ERROR_ARGUMENT, "bounds");
  Case elu = of(CW_OP_ELU, {input({1, 3})});
  elu.attributes.alpha = NAN;
  expect_refused(elu, CW_ERROR_ARGUMENT, "finite");
}

TEST(Reduce, MatchesReference) {
  for (cw_operator op : {CW_OP_REDUCE_MEAN, CW_OP_REDUCE_SUM, CW_OP_REDUCE_MAX})
    for (const Shape &shape : {Shape{2, 3, 4, 5, 6}, Shape{1, 17, 9, 13, 37}}) {
      if (op == CW_OP_REDUCE_MAX && shape[0] == 1)
        continue; /* among so many, some are closer to the largest than a finite difference */
      for (unsigned axes : {0x2u, 0x4u, 0x1cu, 0x14u, 0x10u, 0x1eu})
        for (bool keep : {false, true}) {
          Case test = of(op, {input(shape)});
          test.attributes.axes = axes;
          test.attributes.keep_axes = keep;
          check(test, 1e-6, 2e-6);
        }
    }
}

TEST(Reduce, Refuses) {
  Case test = of(CW_OP_REDUCE_SUM, {input({2, 3})});
  expect_refused(test, CW_ERROR_SHAPE, "axes");
  test.attributes.axes = 1;
  expect_refused(test, CW_ERROR_UNSUPPORTED, "batch");
  test.attributes.axes = 4;
  expect_refused(test, CW_ERROR_SHAPE, "axes");
}

}  // namespace
