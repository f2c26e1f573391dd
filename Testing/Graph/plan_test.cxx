/* Plans: a plan that reuses memory and fuses nodes gives what one gives in which every value keeps its own memory; it
 * needs far less of it; nothing is allocated while it runs; no allocation failure leaks; and a host can stop it inside
 * a large convolution. */
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "counterwarp/graph.h"
#include "counterwarp/networks.h"
extern "C" {
#include "Graph/rule.h"
}
#include "Tensor/test_context.h"

namespace {

struct Plan {
  Plan(TestContext &context, const cw_graph *graph, cw_mode mode, int batch, bool keep_all) : context(context) {
    cw_plan_options options = {};
    options.mode = mode;
    options.batch = batch;
    options.keep_all = keep_all;
    EXPECT_EQ(cw_plan_create(context, graph, &options, &plan), CW_OK) << context.message();
  }
  ~Plan() { cw_plan_free(context, plan); }
  TestContext &context;
  cw_plan *plan = nullptr;
};

void Fill(float *data, int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int64_t i = 0; i < count; i++)
    data[i] = uniform(random);
}

cw_graph *Simulator(TestContext &context) {
  cw_graph *graph = nullptr;
  cw_simulator_options options = {};
  options.size = 32;
  options.taper_margin = 2;
  options.seed = 5;
  EXPECT_EQ(cw_network_simulator(context, &options, &graph), CW_OK);
  return graph;
}

void Execute(const cw_graph *graph, cw_plan *plan, int batch, bool backward) {
  const int64_t voxels = 32 * 32 * 32;
  Fill(cw_plan_data(plan, cw_graph_input_at(graph, 0)), batch * voxels, 1);
  for (int n = 0; n < batch; n++)
    cw_plan_data(plan, cw_graph_input_at(graph, 1))[n] = n % 2 ? 1.0f : -1.0f;
  cw_plan_forward(plan);
  if (!backward)
    return;
  Fill(cw_plan_gradient(plan, cw_graph_output_at(graph, 0)), batch * 3 * voxels, 2);
  cw_plan_backward(plan);
}

double Distance(const float *a, const float *b, int64_t count) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < count; i++) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / (norm + 1e-30));
}

TEST(Plan, ReusedMemoryGivesTheSame) {
  TestContext context;
  cw_graph *graph = Simulator(context);
  const int batch = 2;
  {
    Plan lean(context, graph, CW_TRAINING, batch, false), wide(context, graph, CW_TRAINING, batch, true);
    EXPECT_LT(cw_plan_bytes(lean.plan), 0.6 * cw_plan_bytes(wide.plan));
    Execute(graph, lean.plan, batch, true);
    Execute(graph, wide.plan, batch, true);
    const cw_value out = cw_graph_output_at(graph, 0);
    EXPECT_LT(Distance(cw_plan_data(lean.plan, out), cw_plan_data(wide.plan, out), batch * 3 * 32768), 1e-5);
    int compared = 0;
    for (int v = 0; v < cw_graph_value_count(graph); v++) {
      if (cw_value_kind_of(graph, v) != CW_VALUE_PARAMETER)
        continue;
      const int64_t count = cw_shape_elements(cw_value_shape(graph, v), 1);
      ASSERT_NE(cw_plan_gradient(lean.plan, v), nullptr);
      EXPECT_LT(Distance(cw_plan_gradient(lean.plan, v), cw_plan_gradient(wide.plan, v), count), 2e-3)
          << cw_value_name(graph, v);
      compared++;
    }
    EXPECT_GT(compared, 40);
  }
  cw_graph_free(context, graph);
}

TEST(Plan, RunsWithoutAllocating) {
  TestContext context;
  cw_graph *graph = Simulator(context);
  {
    Plan plan(context, graph, CW_TRAINING, 1, false);
    context.reset();
    Execute(graph, plan.plan, 1, true);
    EXPECT_EQ(context.calls, 0);
  }
  cw_graph_free(context, graph);
}

TEST(Plan, SameBitsOnAnyNumberOfThreads) {
  std::vector<float> gradients[3];
  for (int threads : {1, 2, 3}) {
    TestContext context(threads);
    cw_graph *graph = Simulator(context);
    {
      Plan plan(context, graph, CW_TRAINING, 3, false);
      Execute(graph, plan.plan, 3, true);
      for (int v = 0; v < cw_graph_value_count(graph); v++)
        if (cw_value_kind_of(graph, v) == CW_VALUE_PARAMETER) {
          const float *g = cw_plan_gradient(plan.plan, v);
          gradients[threads - 1].insert(gradients[threads - 1].end(), g,
                                        g + cw_shape_elements(cw_value_shape(graph, v), 1));
        }
    }
    cw_graph_free(context, graph);
  }
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_EQ(gradients[0], gradients[2]);
}

TEST(Plan, OnlyWhatOutputsNeedIsRun) {
  TestContext context;
  cw_graph *graph = Simulator(context);
  const cw_value early = cw_graph_find(graph, "down1.cc");
  ASSERT_NE(early, CW_NONE);
  cw_plan_options options = {};
  options.batch = 1;
  cw_plan *part = nullptr, *whole = nullptr;
  ASSERT_EQ(cw_plan_create(context, graph, &options, &whole), CW_OK);
  options.outputs = &early;
  options.output_count = 1;
  ASSERT_EQ(cw_plan_create(context, graph, &options, &part), CW_OK);
  EXPECT_LT(cw_plan_bytes(part), cw_plan_bytes(whole));
  EXPECT_EQ(cw_plan_data(part, cw_graph_output_at(graph, 0)), nullptr);
  EXPECT_NE(cw_plan_data(part, early), nullptr);
  cw_plan_free(context, part);
  cw_plan_free(context, whole);
  cw_graph_free(context, graph);
}

TEST(Plan, RefusesMisuseAndSurvivesFailedAllocations) {
  TestContext context;
  cw_graph *graph = Simulator(context);
  cw_plan *plan = nullptr;
  cw_plan_options options = {};
  EXPECT_EQ(cw_plan_create(context, graph, &options, &plan), CW_ERROR_ARGUMENT);
  const cw_value nowhere = 100000;
  options.batch = 1;
  options.outputs = &nowhere;
  options.output_count = 1;
  EXPECT_EQ(cw_plan_create(context, graph, &options, &plan), CW_ERROR_ARGUMENT);
  options.outputs = nullptr;
  context.reset();
  ASSERT_EQ(cw_plan_create(context, graph, &options, &plan), CW_OK);
  cw_plan_free(context, plan);
  const long calls = context.calls;
  for (long at = 0; at < calls; at++) {
    context.reset(at);
    EXPECT_EQ(cw_plan_create(context, graph, &options, &plan), CW_ERROR_MEMORY) << at;
    EXPECT_EQ(plan, nullptr);
    EXPECT_EQ(context.leaked(), 0) << at;
  }
  cw_graph_free(context, graph);
}

// 4.3 billion multiply-adds in one node, both ways: the host hears of them in between, and what it stops ends there.
TEST(Plan, AHostStopsALargeConvolution) {
  TestContext context;
  cw_graph *graph = nullptr;
  ASSERT_EQ(cw_graph_create(context, &graph), CW_OK);
  cw_value in[2], out;
  ASSERT_EQ(cw_graph_input(context, graph, "x", CW_SHAPE(CW_BATCH, 32, 54, 54, 54), &in[0]), CW_OK);
  ASSERT_EQ(cw_graph_parameter(context, graph, "w", CW_SHAPE(32, 32, 3, 3, 3), true, nullptr, &in[1]), CW_OK);
  cw_attributes attributes = cw_attributes_default();
  for (int a = 0; a < 3; a++) {
    attributes.kernel[a] = 3;
    attributes.pads[a] = attributes.pads[3 + a] = 1;
  }
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_CONV, "y", &attributes, in, 2, &out), CW_OK);
  ASSERT_EQ(cw_graph_output(context, graph, out), CW_OK);
  Plan plan(context, graph, CW_INPUT_GRADIENT, 1, true);
  Fill(cw_plan_gradient(plan.plan, out), 32 * 54 * 54 * 54, 3);  // zeros would be passed over
  for (const auto run : {cw_plan_forward_run, cw_plan_backward_run}) {
    const cw_crew crew = cw_context_crew(context, "network");
    context.reset();
    context.stages.clear();
    EXPECT_EQ(run(&crew, plan.plan), CW_OK);
    EXPECT_GE(context.stages.size(), 3u);
    EXPECT_EQ(context.fraction, 1);
    context.stages.clear();
    context.cancel = true;
    EXPECT_EQ(run(&crew, plan.plan), CW_ERROR_CANCELLED);
    EXPECT_EQ(context.stages.size(), 1u);
    EXPECT_LT(context.fraction, 1);
    context.cancel = false;
  }
  cw_plan_free(context, plan.plan);
  plan.plan = nullptr;
  cw_graph_free(context, graph);
}

}  // namespace
