/* Adam against a double-precision reference of its formula, and the one-cycle schedule. */
#include "training_fixture.h"

extern "C" {
#include "Training/training_internal.h"
}

namespace {

TEST(Adam, FollowsTheFormula) {
  TestContext context;
  cw_graph *graph = nullptr;
  ASSERT_EQ(cw_graph_create(context, &graph), CW_OK);
  const float start[6] = {0.5f, -1, 2, 0, 0.25f, -0.125f};
  cw_value x, w, y;
  ASSERT_EQ(cw_graph_input(context, graph, "x", CW_SHAPE(CW_BATCH, 3), &x), CW_OK);
  ASSERT_EQ(cw_graph_parameter(context, graph, "w", CW_SHAPE(2, 3), true, start, &w), CW_OK);
  const cw_value inputs[2] = {x, w};
  ASSERT_EQ(cw_graph_node(context, graph, CW_OP_GEMM, "y", nullptr, inputs, 2, &y), CW_OK);
  ASSERT_EQ(cw_graph_output(context, graph, y), CW_OK);
  cw_plan_options po = {};
  po.mode = CW_TRAINING;
  po.batch = 1;
  cw_plan *plan = nullptr;
  ASSERT_EQ(cw_plan_create(context, graph, &po, &plan), CW_OK);
  cw_training_options options = {};
  options.weight_decay = 0.01;
  cw_trainer trainer;
  ASSERT_EQ(cw_trainer_create(context, graph, &options, 1, "head", &trainer), CW_OK);
  double value[6], m[6] = {}, v[6] = {};
  std::copy(start, start + 6, value);
  for (int step = 1; step <= 20; step++) {
    for (int i = 0; i < 3; i++)
      cw_plan_data(plan, x)[i] = static_cast<float>(std::sin(step + i));
    cw_plan_gradient(plan, y)[0] = 1;
    cw_plan_gradient(plan, y)[1] = static_cast<float>(-0.5 * step);
    cw_plan_forward(plan);
    cw_plan_backward(plan);
    for (int i = 0; i < 6; i++) {
      const double g = std::sin(step + i % 3) * (i < 3 ? 1 : -0.5 * step) + 0.01 * value[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      value[i] -= 0.01 * (m[i] / (1 - std::pow(0.9, step))) / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
    }
    cw_trainer_adam(&trainer, plan, nullptr, 0.01, 2);
    trainer.step++;
    for (int i = 0; i < 6; i++)
      ASSERT_NEAR(cw_value_data(graph, w)[i], value[i], 2e-6) << "step " << step << " weight " << i;
  }
  cw_trainer_free(context, &trainer);
  cw_plan_free(context, plan);
  cw_graph_free(context, graph);
  EXPECT_EQ(context.leaked(), 0);
}

TEST(OneCycle, RisesAndFalls) {
  EXPECT_NEAR(cw_one_cycle(1e-3, 0, 100), 8e-5, 1e-9);
  EXPECT_NEAR(cw_one_cycle(1e-3, 30, 100), 2e-3, 1e-9);
  EXPECT_LT(cw_one_cycle(1e-3, 99, 100), 1e-5);
  for (int s = 1; s < 100; s++)
    EXPECT_EQ(cw_one_cycle(1e-3, s, 100) > cw_one_cycle(1e-3, s - 1, 100), s <= 30) << s;
}

}  // namespace
