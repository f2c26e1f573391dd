/* What is refused, and what a map of nothing says. */
#include <gtest/gtest.h>

#include <algorithm>

#include "example_networks.h"
#include "Tensor/test_context.h"

namespace {

using example::Maps;
using example::Network;

void expect_refused(TestContext &context, const cw_graph *graph, const cw_saliency_request &request, cw_status status,
                    const std::string &words) {
  cw_saliency *saliency = nullptr;
  EXPECT_EQ(cw_saliency_create(context, graph, &request, 1, &saliency), status);
  EXPECT_NE(context.message().find(words), std::string::npos) << context.message();
  EXPECT_EQ(saliency, nullptr);
  cw_saliency_free(context, saliency);
}

}  // namespace

TEST(Names, ThereAndBack) {
  TestContext context;
  cw_saliency_request request;
  char name[64];
  const std::pair<const char *, const char *> full[] = {{"gradient", "gradient"},
                                                        {"gradient.signed", "gradient"},
                                                        {"gradcam", "gradcam.positive"},
                                                        {"gradcam-plusplus.signed", "gradcam-plusplus.signed"},
                                                        {"fullgrad", "fullgrad.absolute"},
                                                        {"rectgrad-x-input", "rectgrad-x-input.positive"},
                                                        {"rectgrad-x-input.signed", "rectgrad-x-input.signed"},
                                                        {"lrp", "lrp-zplus"},
                                                        {"lrp.signed", "lrp-epsilon"},
                                                        {"lrp.absolute", "lrp-absolute"},
                                                        {"lrp-alpha2-beta1", "lrp-alpha2-beta1"},
                                                        {"lrp-composite", "lrp-composite"},
                                                        {"occlusion.positive", "occlusion.positive"}};
  for (const auto &[given, expected] : full) {
    ASSERT_EQ(cw_saliency_parse(context, given, &request), CW_OK) << given;
    cw_saliency_name(&request, name);
    EXPECT_STREQ(name, expected);
    ASSERT_EQ(cw_saliency_parse(context, name, &request), CW_OK) << name;
  }
  for (const char *bad :
       {"", ".", "gradcam.", "gradcam.negative", "lrp-epsilon.positive", "Gradient", "gradient.signed.x",
        "a name that is far longer than any of the methods that there are, on purpose"})
    EXPECT_EQ(cw_saliency_parse(context, bad, &request), CW_ERROR_ARGUMENT) << bad;
}

TEST(Refusals, SettingsAndLayers) {
  TestContext context;
  const Network network(context, "dense", 1);
  cw_saliency_request r = cw_saliency_default(CW_SALIENCY_GRADCAM, CW_SIGNED);
  r.layer = network.find("fc");
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "'fc'");
  r.layer = 10000;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "none");
  r.layer = network.find("image");
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "'image'");
  r = cw_saliency_default(CW_SALIENCY_SMOOTHGRAD, CW_SIGNED);
  r.samples = 0;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "samples");
  r.samples = 1;
  r.noise = NAN;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "noise");
  r = cw_saliency_default(CW_SALIENCY_RECTGRAD, CW_SIGNED);
  r.percentile = 100;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "percentile");
  r = cw_saliency_default(CW_SALIENCY_LRP, CW_SIGNED);
  r.lrp.epsilon = 0;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "epsilon");
  r = cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED);
  r.window = 2;
  r.stride = 3;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "stride");
  r.method = CW_SALIENCY_METHODS;
  expect_refused(context, network.graph, r, CW_ERROR_ARGUMENT, "unknown");

  r = cw_saliency_default(CW_SALIENCY_GRADIENT, CW_SIGNED);
  cw_saliency *saliency = nullptr;
  ASSERT_EQ(cw_saliency_create(context, network.graph, &r, 1, &saliency), CW_OK);
  std::vector<float> image = network.image(1);
  EXPECT_EQ(example::maps(context, saliency, 1, image, {2, false}).status, CW_ERROR_ARGUMENT);
  EXPECT_EQ(example::maps(context, saliency, 1, image, {-1, false}).status, CW_ERROR_ARGUMENT);
  image[17] = NAN;
  EXPECT_EQ(example::maps(context, saliency, 1, image, {0, false}).status, CW_ERROR_NUMERIC);
  cw_saliency_free(context, saliency);
}

// Operators without a rule: a clear sentence for the methods that need one, while the others work, and say their gap.
TEST(Refusals, OperatorsWithoutARule) {
  TestContext context;
  Network network(context, "plain", 1);
  cw_value squashed, logits;
  const cw_attributes a = cw_attributes_default();
  const cw_value fc = network.find("fc2"), w = [&] {
    cw_value value;
    const float ones[4] = {1, -1, 2, 0.5};
    EXPECT_EQ(cw_graph_parameter(context, network.graph, "top.weight", CW_SHAPE(2, 2), true, ones, &value), CW_OK);
    return value;
  }();
  ASSERT_EQ(cw_graph_node(context, network.graph, CW_OP_SIGMOID, "squash", &a, &fc, 1, &squashed), CW_OK);
  const cw_value inputs[] = {squashed, w};
  ASSERT_EQ(cw_graph_node(context, network.graph, CW_OP_GEMM, "top", &a, inputs, 2, &logits), CW_OK);
  cw_graph *deeper = nullptr;
  ASSERT_EQ(cw_graph_create(context, &deeper), CW_OK);
  cw_value image, out;
  ASSERT_EQ(cw_graph_input(context, deeper, "image", CW_SHAPE(CW_BATCH, 1, 16, 16, 16), &image), CW_OK);
  ASSERT_EQ(cw_graph_append(context, deeper, network.graph, "", false, &image, &logits, 1, &out), CW_OK);
  ASSERT_EQ(cw_graph_output(context, deeper, out), CW_OK);
  for (const char *name : {"lrp", "lrp-epsilon"})
    expect_refused(context, deeper, example::requests(context, {name})[0], CW_ERROR_UNSUPPORTED,
                   "'squash' (Sigmoid); ask for gradient-x-input");
  const Maps m =
      example::maps(context, deeper, example::requests(context, {"gradient", "gradcam", "fullgrad"}), network.image(1));
  EXPECT_EQ(m.status, CW_OK);
  EXPECT_GT(std::fabs(m.note[2].gap), 0.1 * std::fabs(m.note[2].y)) << "no piecewise linear network";
  cw_graph_free(context, deeper);
}

// A squashed output is explained by what goes into it.
TEST(Outputs, LogitsBeforeASigmoid) {
  TestContext context;
  Network network(context, "residual", 1);
  const Maps before = example::maps(context, network.graph, example::requests(context, {"gradient"}), network.image(1));
  const cw_attributes a = cw_attributes_default();
  const cw_value fc = network.find("fc");
  cw_value squashed;
  ASSERT_EQ(cw_graph_node(context, network.graph, CW_OP_SOFTMAX, "squash", &a, &fc, 1, &squashed), CW_OK);
  cw_graph *deeper = nullptr;
  ASSERT_EQ(cw_graph_create(context, &deeper), CW_OK);
  cw_value image, out;
  ASSERT_EQ(cw_graph_input(context, deeper, "image", CW_SHAPE(CW_BATCH, 1, 16, 16, 16), &image), CW_OK);
  ASSERT_EQ(cw_graph_append(context, deeper, network.graph, "", false, &image, &squashed, 1, &out), CW_OK);
  ASSERT_EQ(cw_graph_output(context, deeper, out), CW_OK);
  const Maps after = example::maps(context, deeper, example::requests(context, {"gradient"}), network.image(1));
  EXPECT_EQ(before.map[0], after.map[0]);
  cw_graph_free(context, deeper);
}

// No silent zero or NaN map.
TEST(Empty, WarnsWithTheReason) {
  TestContext context;
  Network network(context, "plain", 1);
  const auto requests = example::requests(context, {"gradient", "gradcam", "lrp-zplus", "smoothgrad", "occlusion"});
  const cw_value weight = network.find("c2.weight");
  float *w = cw_value_data(network.graph, weight);
  for (int64_t i = 0; i < cw_shape_elements(cw_value_shape(network.graph, weight), 1); i++)
    w[i] = -std::fabs(w[i]);  // the images are positive: the second layer is dead
  context.reset();
  const Maps dead = example::maps(context, network.graph, requests, network.image(1));
  ASSERT_EQ(dead.status, CW_OK);
  EXPECT_EQ(context.warnings.size(), requests.size());
  for (size_t r = 0; r < requests.size(); r++) {
    EXPECT_TRUE(dead.note[r].empty) << r;
    EXPECT_TRUE(dead.note[r].finite) << r;
    EXPECT_NE(std::string(dead.note[r].reason).find("zero"), std::string::npos) << dead.note[r].reason;
  }
  EXPECT_NE(std::string(dead.note[0].reason).find("'fc1'"), std::string::npos) << dead.note[0].reason;

  // Weights whose product is out of range: logits stay finite by a zero in between.
  Network wild(context, "plain", 1);
  for (const char *name : {"c1.weight", "c2.weight", "fc1.weight", "fc2.weight"}) {
    const cw_value value = wild.find(name);
    for (int64_t i = 0; i < cw_shape_elements(cw_value_shape(wild.graph, value), 1); i++)
      cw_value_data(wild.graph, value)[i] *= 1e12f;
  }
  std::vector<float> image = wild.image(1);
  for (float &value : image)
    value *= 1e-30f;
  context.reset();
  const Maps out = example::maps(context, wild.graph, example::requests(context, {"gradient"}), image);
  ASSERT_EQ(out.status, CW_OK) << context.message();
  EXPECT_FALSE(out.note[0].finite);
  ASSERT_EQ(context.warnings.size(), 1u);
  EXPECT_NE(context.warnings[0].find("not finite"), std::string::npos) << context.warnings[0];
}

// Progress rises from node to node, in whatever order the maps are asked for; at every report a host may stop it, and
// what it asks for next has the same bits as ever.
TEST(Stopped, AtAnyReport) {
  struct Host {
    std::vector<double> heard;
    size_t most = SIZE_MAX;
  } host;
  cw_context_options options{};
  options.user = &host;
  options.progress = [](void *user, const char *, double fraction) {
    auto *self = static_cast<Host *>(user);
    self->heard.push_back(fraction);
    return self->heard.size() < self->most;
  };
  options.threads = 1;
  cw_context *context = nullptr;
  ASSERT_EQ(cw_context_create(&options, &context), CW_OK);
  TestContext other;
  const Network network(other, "dense", 1);
  auto requests = example::requests(
      other, {"smoothgrad", "gradient", "lrp", "integrated-gradients", "guided-backprop", "occlusion"});
  for (auto &request : requests) {
    request.samples = 2;
    request.window = request.stride = 8;
  }
  cw_saliency *saliency = nullptr;
  ASSERT_EQ(cw_saliency_create(context, network.graph, requests.data(), int(requests.size()), &saliency), CW_OK);
  const auto run = [&] {
    host.heard.clear();
    return example::maps(context, saliency, requests.size(), network.image(1), {0, false});
  };
  const Maps expected = run();
  ASSERT_EQ(expected.status, CW_OK);
  EXPECT_TRUE(std::is_sorted(host.heard.begin(), host.heard.end()));
  EXPECT_NEAR(host.heard.back(), 1, 1e-12);
  const size_t reports = host.heard.size();
  EXPECT_GT(reports, 50u);
  for (size_t at = 1; at <= reports; at += 1 + reports / 20) {
    host.most = at;
    EXPECT_EQ(run().status, CW_ERROR_CANCELLED) << at;
    EXPECT_EQ(host.heard.size(), at) << "it went on";
    host.most = SIZE_MAX;
    EXPECT_EQ(run().map, expected.map) << at;
  }
  cw_saliency_free(context, saliency);
  cw_context_free(context);
}

TEST(Memory, EveryAllocationMayFail) {
  TestContext context;
  const Network network(context, "dense", 1);
  const auto requests = example::requests(context, {"gradient", "fullgrad", "lrp", "smoothgrad", "occlusion"});
  const int count = static_cast<int>(requests.size());
  for (long at = 0;; at++) {
    context.reset(at);
    cw_saliency *saliency = nullptr;
    const cw_status status = cw_saliency_create(context, network.graph, requests.data(), count, &saliency);
    cw_saliency_free(context, saliency);
    EXPECT_EQ(context.leaked(), 0) << at;
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY) << at;
  }
  // The call itself allocates nothing.
  context.reset();
  cw_saliency *saliency = nullptr;
  ASSERT_EQ(cw_saliency_create(context, network.graph, requests.data(), count, &saliency), CW_OK);
  context.reset(0);
  EXPECT_EQ(example::maps(context, saliency, requests.size(), network.image(1), {0, false}).status, CW_OK);
  EXPECT_EQ(context.calls, 0);
  context.cancel = true;
  EXPECT_EQ(example::maps(context, saliency, requests.size(), network.image(1), {0, false}).status, CW_ERROR_CANCELLED);
  cw_saliency_free(context, saliency);
}
