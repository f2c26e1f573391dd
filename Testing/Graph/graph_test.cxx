/* Graphs: shapes are inferred, misuse is refused in a sentence that names the node, appended graphs share or copy
 * parameters, and no allocation failure leaks. */
#include "counterwarp/graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "counterwarp/networks.h"
#include "Tensor/test_context.h"

namespace {

class GraphTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(cw_graph_create(context, &graph), CW_OK); }
  void TearDown() override {
    cw_graph_free(context, graph);
    EXPECT_EQ(context.leaked(), 0);
  }
  cw_value Input(const char *name, cw_shape shape) {
    cw_value value = CW_NONE;
    EXPECT_EQ(cw_graph_input(context, graph, name, shape, &value), CW_OK);
    return value;
  }
  TestContext context;
  cw_graph *graph = nullptr;
};

TEST_F(GraphTest, ShapeErrorsNameTheNodeAndTheReason) {
  const cw_value inputs[2] = {Input("a", CW_SHAPE(CW_BATCH, 3, 4, 4, 4)), Input("b", CW_SHAPE(CW_BATCH, 3, 4, 4, 5))};
  cw_value out;
  EXPECT_EQ(cw_graph_node(context, graph, CW_OP_ADD, "sum", nullptr, inputs, 2, &out), CW_ERROR_SHAPE);
  EXPECT_NE(context.message().find("'sum' (Add)"), std::string::npos) << context.message();
  EXPECT_EQ(cw_graph_node_count(graph), 0);
}

TEST_F(GraphTest, RefusesMisuse) {
  const cw_value x = Input("x", CW_SHAPE(CW_BATCH, 3)), bad = 99;
  cw_value out;
  EXPECT_EQ(cw_graph_input(context, graph, "x", CW_SHAPE(CW_BATCH, 3), &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_input(context, graph, "", CW_SHAPE(CW_BATCH, 3), &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_input(context, graph, "zero", CW_SHAPE(CW_BATCH, 0), &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_graph_input(context, graph, "huge", CW_SHAPE(INT64_MAX, 2), &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_graph_input(context, graph, "large", CW_SHAPE(CW_BATCH, 1 << 16, 1 << 15), &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_graph_node(context, graph, CW_OP_RELU, "r", nullptr, &bad, 1, &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_node(context, graph, CW_OP_RELU, "r", nullptr, &x, 0, &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_node(context, graph, static_cast<cw_operator>(1000), "r", nullptr, &x, 1, &out),
            CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_output(context, graph, 7), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_rename(context, graph, 7, "y"), CW_ERROR_ARGUMENT);
}

// Names lead to values through growth, renaming and trimming.
TEST_F(GraphTest, FindsEveryName) {
  enum { COUNT = 3000 };
  cw_value value = Input("x", CW_SHAPE(CW_BATCH, 2));
  const auto name = [](int i) { return "value " + std::to_string(i); };
  for (int i = 0; i < COUNT; i++)
    ASSERT_EQ(cw_graph_node(context, graph, CW_OP_NEG, name(i).c_str(), nullptr, &value, 1, &value), CW_OK);
  cw_value dead;
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_NEG, "dead", nullptr, &value, 1, &dead), CW_OK);
  for (int i = 0; i < COUNT; i++)
    ASSERT_EQ(cw_graph_find(graph, name(i).c_str()), i + 1);
  ASSERT_EQ(cw_graph_rename(context, graph, 5, "five"), CW_OK);
  EXPECT_EQ(cw_graph_find(graph, name(4).c_str()), CW_NONE);
  EXPECT_EQ(cw_graph_find(graph, "five"), 5);
  ASSERT_EQ(cw_graph_output(context, graph, value), CW_OK);
  ASSERT_EQ(cw_graph_trim(context, graph), CW_OK);
  EXPECT_EQ(cw_graph_find(graph, "dead"), CW_NONE);
  EXPECT_EQ(cw_graph_find(graph, name(COUNT - 1).c_str()), COUNT);
  EXPECT_EQ(cw_graph_node(context, graph, CW_OP_NEG, "five", nullptr, &value, 1, &value), CW_ERROR_ARGUMENT);
}

// What no output depends on goes; the rest computes what it did.
TEST_F(GraphTest, TrimDropsWhatNoOutputNeeds) {
  const cw_value x = Input("x", CW_SHAPE(CW_BATCH, 2));
  cw_value dead, used, first, second, y, tail;
  const float weights[2] = {3, 4};
  ASSERT_EQ(cw_graph_parameter(context, graph, "dead", CW_SHAPE(2), true, weights, &dead), CW_OK);
  const cw_value lost[2] = {x, dead};
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_MUL, "first", nullptr, lost, 2, &first), CW_OK);
  ASSERT_EQ(cw_graph_parameter(context, graph, "used", CW_SHAPE(2), true, weights, &used), CW_OK);
  const cw_value kept[2] = {x, used};
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_MUL, "second", nullptr, kept, 2, &second), CW_OK);
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_NEG, "y", nullptr, &second, 1, &y), CW_OK);
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_SIGMOID, "tail", nullptr, &y, 1, &tail), CW_OK);
  ASSERT_EQ(cw_graph_output(context, graph, y), CW_OK);
  ASSERT_EQ(cw_graph_trim(context, graph), CW_OK);
  EXPECT_EQ(cw_graph_node_count(graph), 2);
  EXPECT_EQ(cw_graph_value_count(graph), 4);
  EXPECT_EQ(cw_graph_find(graph, "dead"), CW_NONE);
  EXPECT_EQ(cw_graph_find(graph, "tail"), CW_NONE);
  cw_plan_options options = {};
  options.batch = 1;
  cw_plan *plan = nullptr;
  ASSERT_EQ(cw_plan_create(context, graph, &options, &plan), CW_OK);
  float *in = cw_plan_data(plan, cw_graph_input_at(graph, 0));
  in[0] = in[1] = 2;
  cw_plan_forward(plan);
  EXPECT_EQ(cw_plan_data(plan, cw_graph_output_at(graph, 0))[1], -8);
  cw_plan_free(context, plan);
}

// The batch may be another axis inside a graph, and reshapes keep samples together.
TEST_F(GraphTest, TheBatchMayMove) {
  const cw_value x = Input("x", CW_SHAPE(CW_BATCH, 6, 4));
  cw_attributes a = cw_attributes_default();
  const int order[3] = {1, 0, 2};
  std::copy(order, order + 3, a.order);
  cw_value moved, y;
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_TRANSPOSE, "moved", &a, &x, 1, &moved), CW_OK);
  a.shape = CW_SHAPE(2, 3, CW_BATCH, 4);
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_RESHAPE, "parted", &a, &moved, 1, &y), CW_OK) << context.message();
  for (const cw_shape &bad : {CW_SHAPE(CW_BATCH, 6, 4), CW_SHAPE(6, 4, CW_BATCH), CW_SHAPE(CW_BATCH, CW_BATCH, 24),
                              CW_SHAPE(3, CW_BATCH, 8)}) {
    a.shape = bad;
    EXPECT_EQ(cw_graph_node(context, graph, CW_OP_RESHAPE, "bad", &a, &moved, 1, &y), CW_ERROR_SHAPE);
  }
}

// From a value in the middle on, at another size, without what is not needed.
TEST_F(GraphTest, AppendsAPart) {
  cw_graph *from = nullptr;
  ASSERT_EQ(cw_network_classifier(context, 32, 1, &from), CW_OK);
  const cw_value x = Input("x", CW_SHAPE(CW_BATCH, 16, 10, 6, 8)), logit = cw_graph_output_at(from, 0);
  const cw_value given = cw_graph_find(from, "block1.pool"), wanted[] = {cw_graph_find(from, "block2.pool"), given};
  cw_value made[2];
  ASSERT_EQ(cw_graph_append_part(context, graph, from, "p/", true, &given, &x, 1, wanted, 2, made), CW_OK);
  const cw_shape expected = CW_SHAPE(CW_BATCH, 32, 5, 3, 4);
  EXPECT_TRUE(cw_shape_equal(cw_value_shape(graph, made[0]), &expected));
  EXPECT_EQ(made[1], x);
  EXPECT_EQ(cw_graph_node_count(graph), 4) << "convolution, rectifier, batch norm and pooling of block 2";
  EXPECT_EQ(cw_graph_find(graph, "p/block1.conv.weight"), CW_NONE);
  EXPECT_EQ(cw_value_data(graph, cw_graph_find(graph, "p/block2.conv.weight")),
            cw_value_data(from, cw_graph_find(from, "block2.conv.weight")));
  // What lies before the given value is not there.
  const cw_value early = cw_graph_find(from, "block1.conv"), image = cw_graph_input_at(from, 0);
  EXPECT_EQ(cw_graph_append_part(context, graph, from, "q/", true, &given, &x, 1, &early, 1, made), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_append_part(context, graph, from, "r/", true, &given, &x, 1, &image, 1, made), CW_ERROR_ARGUMENT);
  // The size of the fully connected layer does not fit any more.
  EXPECT_EQ(cw_graph_append_part(context, graph, from, "s/", true, &given, &x, 1, &logit, 1, made), CW_ERROR_SHAPE);
  cw_graph_free(context, from);
}

TEST_F(GraphTest, AppendSharesParametersAndCopyDoesNot) {
  cw_graph *part = nullptr;
  ASSERT_EQ(cw_network_classifier(context, 32, 1, &part), CW_OK);
  const cw_value x = Input("x", CW_SHAPE(CW_BATCH, 1, 32, 32, 32)), wanted = cw_graph_output_at(part, 0);
  cw_value y;
  ASSERT_EQ(cw_graph_append(context, graph, part, "a/", false, &x, &wanted, 1, &y), CW_OK);
  const int once = cw_graph_value_count(graph);
  ASSERT_EQ(cw_graph_append(context, graph, part, "b/", false, &x, &wanted, 1, &y), CW_OK);
  const cw_value w = cw_graph_find(part, "fc1.weight"), shared = cw_graph_find(graph, "a/fc1.weight");
  EXPECT_EQ(cw_value_data(graph, shared), cw_value_data(part, w));
  EXPECT_EQ(cw_graph_find(graph, "b/fc1.weight"), CW_NONE) << "the second append has parameters of its own";
  EXPECT_LT(cw_graph_value_count(graph), 2 * once - 1);
  ASSERT_EQ(cw_graph_append(context, graph, part, "c/", true, &x, &wanted, 1, &y), CW_OK);
  EXPECT_EQ(cw_value_kind_of(graph, cw_graph_find(graph, "c/fc1.weight")), CW_VALUE_BUFFER);
  ASSERT_EQ(cw_graph_append_copy(context, graph, part, "d/", &x, &wanted, 1, &y), CW_OK);
  EXPECT_NE(cw_value_data(graph, cw_graph_find(graph, "d/fc1.weight")), cw_value_data(part, w));
  cw_graph_free(context, part);
}

TEST(Networks, SizesAndAllocationFailures) {
  TestContext context;
  cw_graph *graph = nullptr;
  for (int size : {0, 31, 40, 144, -16})
    EXPECT_EQ(cw_network_classifier(context, size, 1, &graph), CW_ERROR_ARGUMENT) << size;
  for (int size : {32, 48, 64, 80, 96, 112, 128}) {
    ASSERT_EQ(cw_network_classifier(context, size, 1, &graph), CW_OK) << context.message();
    cw_graph_free(context, graph);
    cw_simulator_options options = {};
    options.size = size;
    options.taper_margin = 2;
    ASSERT_EQ(cw_network_simulator(context, &options, &graph), CW_OK) << context.message();
    const cw_shape *field = cw_value_shape(graph, cw_graph_output_at(graph, 0));
    EXPECT_EQ(field->d[1], 3);
    EXPECT_EQ(field->d[4], size);
    cw_graph_free(context, graph);
  }
  context.reset();
  cw_simulator_options options = {};
  options.size = 32;
  ASSERT_EQ(cw_network_simulator(context, &options, &graph), CW_OK);
  cw_graph_free(context, graph);
  const long calls = context.calls;
  for (long at = 0; at < calls; at += 7) {
    context.reset(at);
    ASSERT_EQ(cw_network_simulator(context, &options, &graph), CW_ERROR_MEMORY) << at;
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(context.leaked(), 0) << at;
  }
}

}  // namespace
