// Transpose, slice, pad, gather, expand.
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

template <class To>
void put(To &to, std::initializer_list<int> values) {
  std::copy(values.begin(), values.end(), to);
}

TEST(Transpose, MatchesReference) {
  for (const auto &order : {std::array<int, 4>{0, 1, 2, 3}, {0, 3, 2, 1}, {0, 2, 1, 3}, {2, 0, 3, 1}, {3, 2, 1, 0}}) {
    Case test = of(CW_OP_TRANSPOSE, {input({2, 3, 4, 50})});
    std::copy(order.begin(), order.end(), test.attributes.order);
    check(test, 0, 1e-6);
  }
  Case large = of(CW_OP_TRANSPOSE, {input({1, 130, 190})});
  put(large.attributes.order, {0, 2, 1});
  check(large, 0, 1e-6);
}

TEST(Transpose, Refuses) {
  Case test = of(CW_OP_TRANSPOSE, {input({2, 3, 4})});
  put(test.attributes.order, {0, 1, 1});
  expect_refused(test, CW_ERROR_SHAPE, "order");
  put(test.attributes.order, {0, 1, 3});
  expect_refused(test, CW_ERROR_SHAPE, "order");
}

Case slice(Shape shape, cw_shape to, std::initializer_list<int> begin, std::initializer_list<int> step) {
  Case test = of(CW_OP_SLICE, {input(std::move(shape))});
  test.attributes.shape = to;
  put(test.attributes.begin, begin);
  put(test.attributes.step, step);
  return test;
}

TEST(Slice, MatchesReference) {
  check(slice({2, 3, 4}, CW_SHAPE(CW_BATCH, 3, 4), {0, 0, 0}, {1, 1, 1}), 0, 1e-6);
  check(slice({2, 5, 6, 7}, CW_SHAPE(CW_BATCH, 2, 6, 3), {0, 1, 0, 6}, {1, 2, 1, -3}), 0, 1e-6);
  check(slice({1, 1, 40, 50, 60}, CW_SHAPE(CW_BATCH, 1, 20, 49, 1), {0, 0, 1, 1, 59}, {1, 1, 2, 1, 1}), 0, 1e-6);
}

TEST(Slice, Refuses) {
  expect_refused(slice({2, 3}, CW_SHAPE(CW_BATCH, 3), {0, 1}, {1, 1}), CW_ERROR_SHAPE, "leave axis 1");
  expect_refused(slice({2, 3}, CW_SHAPE(CW_BATCH, 2), {0, 0}, {1, -1}), CW_ERROR_SHAPE, "leave axis 1");
  expect_refused(slice({2, 3}, CW_SHAPE(CW_BATCH, 2), {0, 0}, {1, 0}), CW_ERROR_SHAPE, "leave axis 1");
  expect_refused(slice({2, 3}, CW_SHAPE(CW_BATCH, 2, 1), {0, 0, 0}, {1, 1, 1}), CW_ERROR_SHAPE, "axes");
  expect_refused(slice({2, 3}, CW_SHAPE(CW_BATCH, 2), {1, 0}, {1, 1}), CW_ERROR_UNSUPPORTED, "batch");
}

Case pad(Shape shape, cw_fill fill, std::initializer_list<int> begin, std::initializer_list<int> end) {
  Case test = of(CW_OP_PAD, {input(std::move(shape))});
  test.attributes.fill = fill;
  test.attributes.alpha = 0.5f;
  put(test.attributes.begin, begin);
  put(test.attributes.end, end);
  return test;
}

TEST(Pad, MatchesReference) {
  for (cw_fill fill : {CW_FILL_CONSTANT, CW_FILL_REFLECT, CW_FILL_EDGE}) {
    check(pad({2, 3, 4, 5, 6}, fill, {0, 0, 1, 0, 2}, {0, 0, 0, 3, 1}), 0, 1e-6);
    check(pad({2, 3, 4}, fill, {0, 2, 3}, {0, 1, 0}), 0, 1e-6);
  }
  check(pad({2, 5, 7}, CW_FILL_CONSTANT, {0, -2, 1}, {0, 1, -3}), 0, 1e-6);  // negative: cropped
}

TEST(Pad, Refuses) {
  expect_refused(pad({2, 3}, CW_FILL_REFLECT, {0, 3}, {0, 0}), CW_ERROR_SHAPE, "do not fit");
  expect_refused(pad({2, 3}, CW_FILL_CONSTANT, {0, -2}, {0, -1}), CW_ERROR_SHAPE, "do not fit");
  expect_refused(pad({2, 3}, CW_FILL_CONSTANT, {1, 0}, {0, 0}), CW_ERROR_UNSUPPORTED, "batch");
}

// Indices are whole numbers from 0 on; one may come twice.
TEST(Gather, MatchesReference) {
  Case test = of(CW_OP_GATHER, {input({2, 4, 3, 5}), buffer({3})});
  const Tensor x = random_tensor({2, 4, 3, 5}, -1, 1, 1);
  Tensor indices(Shape{3});
  indices.data = {2, 0, 2};
  for (int axis : {1, 2, 3}) {
    test.attributes.axis = axis;
    const Tensor expected = reference::gather(x, indices, axis), seed = random_tensor(expected.shape, -1, 1, 2);
    const Result result = run(test, {x, indices}, {seed}, 2, true);
    expect_forward(result.outputs[0], expected, 0);
    expect_gradient(test, {x, indices}, seed, 0, result.gradients[0], 1e-6);
  }
  test.attributes.axis = 0;
  expect_refused(test, CW_ERROR_UNSUPPORTED, "batch");
}

TEST(Expand, MatchesReference) {
  Case test = of(CW_OP_EXPAND, {input({2, 1, 5})});
  test.attributes.shape = CW_SHAPE(CW_BATCH, 3, 5);
  check(test, 0, 1e-6);
  test = of(CW_OP_EXPAND, {input({2, 4, 1, 1})});
  test.attributes.shape = CW_SHAPE(CW_BATCH, 4, 33, 65);
  check(test, 0, 1e-6);
  test.attributes.shape = CW_SHAPE(CW_BATCH, 1, 33, 65);
  expect_refused(test, CW_ERROR_SHAPE, "more samples");
}

}  // namespace
