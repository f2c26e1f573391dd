/* A simulator of several classifiers: each one's logit is moved, whatever its scale; the file's logit is their mean. */
#include "counterwarp/warp.h"
#include "training_fixture.h"

namespace {

cw_graph *Trained(cw_context *context, const Balls &balls, uint64_t seed) {
  cw_training_options options = cw_classifier_training_defaults(kSize);
  options.wait = 0;
  options.steps = 24;
  options.batch = 4;
  options.evaluate_every = 12;
  options.seed = seed;
  cw_graph *graph = nullptr;
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_OK);
  return graph;
}

/* Multiplies the logit: the last fully connected layer's weights and bias. */
void Scale(const cw_graph *graph, float by) {
  const cw_node_view last = cw_graph_node_at(graph, cw_graph_node_count(graph) - 1);
  ASSERT_EQ(last.op, CW_OP_GEMM);
  for (int i = 1; i < 3; i++) {
    float *data = cw_value_data(graph, last.inputs[i]);
    for (int64_t k = 0; k < cw_shape_elements(cw_value_shape(graph, last.inputs[i]), 1); k++)
      data[k] *= by;
  }
}

cw_simulator_training_options Options() {
  cw_simulator_training_options o = cw_simulator_training_defaults(kSize, CW_OBJECTIVE_CONSTRAINED);
  o.common.steps = 30;
  o.common.batch = 2;
  o.common.evaluate_every = 30;
  o.common.learning_rate = 1e-3;
  o.cycle_from = 1;
  o.smoothness = 30;
  o.magnitude = 10;
  o.cycle = 10;
  return o;
}

class Ensemble : public testing::Test {
 protected:
  void SetUp() override {
    for (int k = 0; k < 2; k++)
      classifier[k] = Trained(context, balls, k + 1);
    ASSERT_TRUE(classifier[0] && classifier[1]);
  }
  void TearDown() override {
    for (cw_graph *graph : classifier)
      cw_graph_free(context, graph);
  }
  cw_model Model(cw_model_kind kind, cw_graph *graph) const {
    cw_model model = {};
    model.kind = kind;
    model.graph = graph;
    model.preprocessing = balls.dataset.preprocessing;
    model.field = CW_FIELD_VELOCITY;
    return model;
  }
  const float *Scan(int n) const { return &balls.samples[static_cast<size_t>(n) * kSize * kSize * kSize]; }

  TestContext context{2};
  Balls balls;
  cw_graph *classifier[2] = {};
};

TEST_F(Ensemble, EachLogitIsMovedWhateverItsScale) {
  Scale(classifier[1], 20);
  cw_graph *both = nullptr, *simulator = nullptr, *joined = nullptr;
  ASSERT_EQ(cw_network_ensemble(context, classifier, 2, &both), CW_OK) << context.message();
  const cw_simulator_training_options options = Options();
  cw_training_summary summary = {};
  ASSERT_EQ(cw_train_simulator(context, &balls.dataset, &balls.split, both, &options, &simulator, &summary), CW_OK)
      << context.message();
  EXPECT_GT(summary.margin[0].distance, 0);
  EXPECT_GT(summary.margin[1].distance, 5 * summary.margin[0].distance) << "each in its own units";
  double shares[2];
  cw_margin_shares(summary.margin, 2, shares);
  EXPECT_NEAR(shares[0] * summary.margin[0].distance, shares[1] * summary.margin[1].distance, 1e-9)
      << "they count alike";
  EXPECT_NEAR(shares[0] * summary.margin[0].distance + shares[1] * summary.margin[1].distance,
              0.5 * (summary.margin[0].distance + summary.margin[1].distance), 1e-9);
  ASSERT_EQ(cw_simulator_join(context, simulator, both, shares, CW_FIELD_VELOCITY, &joined), CW_OK)
      << context.message();
  const cw_model model = Model(CW_MODEL_SIMULATOR, joined);
  const size_t samples = static_cast<size_t>(kSize) * kSize * kSize;
  std::vector<float> field(3 * samples), u(3 * samples), warped(samples);
  double share[2] = {0, 0};
  for (const int n : balls.validation) {
    const float o = balls.label[n] ? -1.0f : 1.0f;
    ASSERT_EQ(cw_model_fields(context, &model, Scan(n), 1, o, field.data()), CW_OK);
    ASSERT_EQ(cw_model_displacement(context, &model, field.data(), 1, u.data()), CW_OK);
    cw_warp_forward(balls.dataset.preprocessing.grid.size, 1, Scan(n), u.data(), warped.data(), 1);
    float sum = 0, logit = 0;
    for (int k = 0; k < 2; k++) {
      const cw_model own = Model(CW_MODEL_CLASSIFIER, classifier[k]);
      float before, after;
      ASSERT_EQ(cw_model_logits(context, &own, Scan(n), 1, &before), CW_OK);
      ASSERT_EQ(cw_model_logits(context, &own, warped.data(), 1, &after), CW_OK);
      EXPECT_GT(o * (after - before), 0) << "scan " << n << ", classifier " << k;
      share[k] += o * (after - before) / summary.margin[k].distance / static_cast<double>(balls.validation.size());
      sum += static_cast<float>(shares[k]) * before;
    }
    ASSERT_EQ(cw_model_logits(context, &model, Scan(n), 1, &logit), CW_OK);
    EXPECT_NEAR(logit, sum, 1e-5 * (1 + std::fabs(sum)));
  }
  for (const double reached : share)
    EXPECT_GT(reached, 0.3) << "of the margin";
  for (cw_graph *graph : {both, simulator, joined})
    cw_graph_free(context, graph);
}

TEST_F(Ensemble, OfOneIsThatClassifierAlone) {
  cw_graph *one = nullptr, *simulator[2] = {};
  ASSERT_EQ(cw_network_ensemble(context, classifier, 1, &one), CW_OK) << context.message();
  cw_simulator_training_options options = Options();
  options.common.steps = 2;
  for (int i = 0; i < 2; i++)
    ASSERT_EQ(cw_train_simulator(context, &balls.dataset, &balls.split, i ? one : classifier[0], &options,
                                 &simulator[i], nullptr),
              CW_OK)
        << context.message();
  EXPECT_EQ(Values(simulator[0]), Values(simulator[1]));
  for (cw_graph *graph : {one, simulator[0], simulator[1]})
    cw_graph_free(context, graph);
}

TEST_F(Ensemble, RefusesWhatDoesNotFit) {
  cw_graph *larger = nullptr, *together = nullptr;
  ASSERT_EQ(cw_network_classifier(context, 48, 1, &larger), CW_OK);
  const cw_graph *list[CW_MAX_CLASSIFIERS + 1] = {classifier[0], larger};
  EXPECT_EQ(cw_network_ensemble(context, list, 2, &together), CW_ERROR_SHAPE);
  EXPECT_NE(std::string(context.message()).find("classifier 2"), std::string::npos) << context.message();
  EXPECT_EQ(cw_network_ensemble(context, list, 0, &together), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_network_ensemble(context, list, CW_MAX_CLASSIFIERS + 1, &together), CW_ERROR_ARGUMENT);
  EXPECT_EQ(together, nullptr);
  cw_graph_free(context, larger);
}

}  // namespace
