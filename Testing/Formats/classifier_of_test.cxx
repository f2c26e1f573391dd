// The classifier inside a simulator is the one that its own file holds.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "counterwarp/random.h"
#include "counterwarp/saliency.h"
#include "counterwarp/training.h"
#include "Formats/model_samples.h"
#include "Tensor/test_context.h"

namespace {

class ClassifierOf : public testing::Test {
 protected:
  void SetUp() override {
    classifier = sample_classifier(context, 32, 5);
    const cw_graph *both[] = {classifier.graph, classifier.graph};
    check(context, cw_network_ensemble(context, both, 1, &one));
    check(context, cw_network_ensemble(context, both, 2, &two));
  }
  void TearDown() override {
    cw_graph_free(context, one);
    cw_graph_free(context, two);
    cw_model_free(context, &classifier);
  }
  // A simulator of these classifiers, through a file.
  cw_model Simulator(const cw_graph *classifiers) {
    cw_simulator_options options = {};
    options.size = 32;
    options.seed = 3;
    cw_graph *network = nullptr;
    check(context, cw_network_simulator(context, &options, &network));
    cw_model model = {};
    model.kind = CW_MODEL_SIMULATOR;
    model.preprocessing = classifier.preprocessing;
    check(context, cw_simulator_join(context, network, classifiers, nullptr, CW_FIELD_VELOCITY, &model.graph));
    cw_graph_free(context, network);
    cw_model read = Again(model);
    cw_model_free(context, &model);
    return read;
  }
  cw_model Again(const cw_model &model) {
    const std::string path = testing::TempDir() + "cw_classifier_of_" + std::to_string(getpid()) + ".onnx";
    cw_model read = {};
    check(context, cw_model_write(context, path.c_str(), &model));
    check(context, cw_model_read(context, path.c_str(), &read));
    std::remove(path.c_str());
    return read;
  }
  std::string Fingerprint(const cw_model &model) {
    cw_graph *graph = nullptr;
    check(context, cw_model_classifier(context, &model, &graph));
    char text[17];
    cw_graph_fingerprint(graph, text);
    cw_graph_free(context, graph);
    return text;
  }
  TestContext context;
  cw_model classifier = {};
  cw_graph *one = nullptr, *two = nullptr;
};

TEST_F(ClassifierOf, TheSimulatorsIsTheClassifiers) {
  cw_model simulator = Simulator(one);
  cw_graph *held = nullptr;
  ASSERT_EQ(cw_model_classifier(context, &simulator, &held), CW_OK) << context.message();
  EXPECT_EQ(cw_graph_input_count(held), 1);
  EXPECT_EQ(cw_graph_output_count(held), 1);
  EXPECT_LT(cw_graph_node_count(held), cw_graph_node_count(simulator.graph) / 2);
  // Logits and gradients are the file's own, to the bit.
  std::vector<float> image(32 * 32 * 32), map(image.size()), expected(image.size());
  cw_random random = cw_random_stream(1, 0);
  for (float &value : image)
    value = static_cast<float>(cw_random_normal(&random));
  const cw_saliency_request request = cw_saliency_default(CW_SALIENCY_GRADIENT, CW_SIGNED);
  const std::pair<const cw_graph *, float *> sides[] = {{classifier.graph, expected.data()}, {held, map.data()}};
  double y[2];
  for (int i = 0; i < 2; i++) {
    cw_saliency *saliency = nullptr;
    cw_saliency_note note;
    float *maps[] = {sides[i].second};
    ASSERT_EQ(cw_saliency_create(context, sides[i].first, &request, 1, &saliency), CW_OK) << context.message();
    ASSERT_EQ(cw_saliency_maps(context, saliency, image.data(), {0, false}, maps, &note), CW_OK) << context.message();
    y[i] = note.y;
    cw_saliency_free(context, saliency);
  }
  EXPECT_EQ(y[0], y[1]);
  EXPECT_EQ(map, expected);
  cw_graph_free(context, held);
  cw_model_free(context, &simulator);
}

TEST_F(ClassifierOf, FingerprintsTellNetworksApart) {
  cw_model simulator = Simulator(one), ensemble = Simulator(two), again = Again(classifier);
  const std::string print = Fingerprint(classifier);
  EXPECT_EQ(print.size(), 16u);
  EXPECT_EQ(Fingerprint(again), print);
  EXPECT_EQ(Fingerprint(simulator), print);
  EXPECT_NE(Fingerprint(ensemble), print);
  for (int v = cw_graph_value_count(again.graph) - 1; v >= 0; v--)
    if (float *data = cw_value_data(again.graph, v)) {
      data[0] += 1;
      break;
    }
  EXPECT_NE(Fingerprint(again), print);
  for (cw_model *model : {&simulator, &ensemble, &again})
    cw_model_free(context, model);
}

TEST_F(ClassifierOf, EveryAllocationMayFail) {
  cw_model simulator = sample_of_everything(context);
  cw_status status = CW_ERROR_MEMORY;
  int at = 0;
  for (; status != CW_OK; at++) {
    context.reset(at);
    cw_graph *held = nullptr;
    status = cw_model_classifier(context, &simulator, &held);
    ASSERT_TRUE(status == CW_OK || status == CW_ERROR_MEMORY) << context.message();
    if (status == CW_OK)
      cw_graph_free(context, held);
    else
      ASSERT_EQ(held, nullptr);
    ASSERT_EQ(context.leaked(), 0);
  }
  EXPECT_GT(at, 5);
  context.reset();
  cw_model_free(context, &simulator);
}

}  // namespace
