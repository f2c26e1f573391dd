// Concat and reshape; values that a node reads twice.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case combine(cw_operator op, std::vector<Operand> operands) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(operands[0].shape[0]);
  test.operands = std::move(operands);
  return test;
}

TEST(Concat, MatchesReference) {
  check(combine(CW_OP_CONCAT, {input({1, 3})}), 0, 1e-6);
  check(combine(CW_OP_CONCAT, {input({3, 512}), input({3, 1})}), 0, 1e-6);
  check(combine(CW_OP_CONCAT, {input({2, 1, 3, 4, 5}), input({2, 5, 3, 4, 5}), input({2, 2, 3, 4, 5})}), 0, 1e-6);
}

TEST(Concat, AnyAxis) {
  for (int axis : {1, 2, 3}) {
    std::vector<Operand> operands;
    for (int64_t size : {1, 3, 2}) {
      Shape shape{2, 3, 4, 5};
      shape[static_cast<std::size_t>(axis)] = size;
      operands.push_back(size == 3 ? parameter(shape) : input(shape));
      operands.back().shape[0] = 2;
    }
    operands[1].role = Role::Input;
    Case test = combine(CW_OP_CONCAT, operands);
    test.attributes.axis = axis;
    check(test, 0, 1e-6);
  }
}

TEST(Reshape, MatchesReference) {
  Case flatten = combine(CW_OP_RESHAPE, {input({3, 5, 2, 3, 4})});
  flatten.attributes.shape = CW_SHAPE(CW_BATCH, 120);
  check(flatten, 0, 1e-6);
  Case volume = combine(CW_OP_RESHAPE, {input({2, 1024})});
  volume.attributes.shape = CW_SHAPE(CW_BATCH, 16, 4, 4, 4);
  check(volume, 0, 1e-6);
}

// One value as both inputs receives both gradients.
TEST(Combine, SameValueTwice) {
  for (cw_operator op : {CW_OP_ADD, CW_OP_CONCAT}) {
    Context context;
    cw_context *c = context.get;
    cw_graph *graph = nullptr;
    cw_plan *plan = nullptr;
    cw_value x = CW_NONE, y = CW_NONE;
    ASSERT_EQ(cw_graph_create(c, &graph), CW_OK);
    ASSERT_EQ(cw_graph_input(c, graph, "x", CW_SHAPE(CW_BATCH, 2), &x), CW_OK);
    const cw_value inputs[2] = {x, x};
    ASSERT_EQ(cw_graph_node(c, graph, op, "y", nullptr, inputs, 2, &y), CW_OK);
    ASSERT_EQ(cw_graph_output(c, graph, y), CW_OK);
    cw_plan_options options = {};
    options.mode = CW_INPUT_GRADIENT;
    options.batch = 1;
    ASSERT_EQ(cw_plan_create(c, graph, &options, &plan), CW_OK);
    cw_plan_data(plan, x)[0] = 1;
    cw_plan_data(plan, x)[1] = 2;
    cw_plan_forward(plan);
    for (int i = 0; i < (op == CW_OP_ADD ? 2 : 4); i++)
      cw_plan_gradient(plan, y)[i] = static_cast<float>(1 << i);
    cw_plan_backward(plan);
    EXPECT_EQ(cw_plan_data(plan, y)[1], op == CW_OP_ADD ? 4 : 2);
    EXPECT_EQ(cw_plan_gradient(plan, x)[0], op == CW_OP_ADD ? 2 : 5);
    EXPECT_EQ(cw_plan_gradient(plan, x)[1], op == CW_OP_ADD ? 4 : 10);
    cw_plan_free(c, plan);
    cw_graph_free(c, graph);
  }
}

TEST(Combine, Refuses) {
  expect_refused(combine(CW_OP_CONCAT, {input({1, 3, 4}), input({1, 3, 5})}), CW_ERROR_SHAPE, "but for axis 1");
  expect_refused(combine(CW_OP_CONCAT, {input({1, 3, 4}), input({1, 3})}), CW_ERROR_SHAPE, "but for axis 1");
  expect_refused(combine(CW_OP_CONCAT, {input({1})}), CW_ERROR_SHAPE, "not the batch");
  Case reshape = combine(CW_OP_RESHAPE, {input({2, 6})});
  for (const cw_shape &shape : {CW_SHAPE(CW_BATCH, 5), CW_SHAPE(12), CW_SHAPE(CW_BATCH, -2, -3), CW_SHAPE(CW_BATCH, 0),
                                CW_SHAPE(CW_BATCH, INT64_MAX, 2), cw_shape_of(0, nullptr)}) {
    reshape.attributes.shape = shape;
    expect_refused(reshape, CW_ERROR_SHAPE, "cannot reshape");
  }
}

}  // namespace
