/* Graphs: shapes are inferred, misuse is refused in a sentence that names the node, appended graphs share or copy
 * parameters, and no allocation failure leaks. */
#include "counterwarp/graph.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(cw_graph_node(context, graph, CW_OP_RELU, "r", nullptr, &bad, 1, &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_node(context, graph, CW_OP_RELU, "r", nullptr, &x, 0, &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_node(context, graph, static_cast<cw_operator>(1000), "r", nullptr, &x, 1, &out),
            CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_output(context, graph, 7), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_graph_rename(context, graph, 7, "y"), CW_ERROR_ARGUMENT);
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
