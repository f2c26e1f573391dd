/* The sanity checks against the same steps by hand. */
#include <gtest/gtest.h>

#include "example_networks.h"
#include "Tensor/test_context.h"

namespace {

using example::Network;

const std::initializer_list<const char *> kMethods = {"gradient",    "fullgrad", "gradcam", "guided-backprop.signed",
                                                      "lrp-epsilon", "lrp-zplus"};
constexpr int kScans = 3;
constexpr uint64_t kSeed = 11;

struct Sanity {
  Sanity(TestContext &context, const Network &network) : context_(context) {
    const auto requests = example::requests(context, kMethods);
    EXPECT_EQ(cw_sanity_create(context, network.graph, requests.data(), static_cast<int>(requests.size()), kScans,
                               kSeed, &sanity),
              CW_OK)
        << context.message();
  }
  ~Sanity() { cw_sanity_free(context_, sanity); }
  cw_sanity_method result(int method) {
    cw_sanity_method result;
    EXPECT_EQ(cw_sanity_result(context_, sanity, method, &result), CW_OK) << context_.message();
    return result;
  }
  TestContext &context_;
  cw_sanity *sanity = nullptr;
};

cw_similarity similarity(TestContext &context, const std::vector<float> &a, const std::vector<float> &b,
                         const std::vector<float> &region, int side) {
  const int size[3] = {side, side, side};
  cw_similarity s = {};
  EXPECT_EQ(cw_map_similarity(context, a.data(), b.data(), region.data(), size, &s), CW_OK);
  return s;
}

}  // namespace

TEST(Sanity, IsWhatItsStepsGive) {
  TestContext context;
  const Network network(context, "plain", 1);
  std::vector<float> region(network.samples(), 1);
  for (size_t i = 0; i < region.size(); i += 5)
    region[i] = 0;
  Sanity sanity(context, network);
  const auto requests = example::requests(context, kMethods);
  std::vector<std::vector<double>> cascade(4), alone(4);  // by layer: absolute rank of the gradient, by scan
  std::vector<double> output;
  cw_random_layers layers;
  ASSERT_EQ(cw_random_layers_of(context, network.graph, &layers), CW_OK);
  for (int scan = 0; scan < kScans; scan++) {
    const std::vector<float> image = network.image(scan + 1);
    ASSERT_EQ(cw_sanity_add(context, sanity.sanity, image.data(), region.data()), CW_OK) << context.message();
    const auto probe = example::maps(context, network.graph, requests, image, {0, false});
    const auto second = example::maps(context, network.graph, requests, image, {1, false});
    const bool zero = probe.note[0].y > second.note[0].y;
    const auto &top = zero ? probe : second;
    output.push_back(similarity(context, top.map[0], (zero ? second : probe).map[0], region, 16).signed_rank);
    const Network down(context, "plain", 1);
    for (int part = 3; part >= 0; part--) {
      const Network one(context, "plain", 1);
      for (const Network *drawn : {&down, &one}) {
        cw_random_layer_draw(drawn->graph, &layers, part, kSeed + static_cast<uint64_t>(scan));
        const auto m = example::maps(context, drawn->graph, requests, image, {zero ? 0 : 1, false});
        (drawn == &down ? cascade : alone)[static_cast<size_t>(part)].push_back(
            similarity(context, top.map[0], m.map[0], region, 16).absolute_rank);
      }
    }
  }
  EXPECT_EQ(cw_sanity_add(context, sanity.sanity, network.image(1).data(), nullptr), CW_ERROR_ARGUMENT) << "no room";
  const cw_sanity_method gradient = sanity.result(0);
  const auto expect = [](const cw_summary &got, const std::vector<double> &values) {
    const cw_summary wanted = cw_summarize(values.data(), static_cast<int>(values.size()));
    EXPECT_EQ(got.count, wanted.count);
    EXPECT_DOUBLE_EQ(got.mean, wanted.mean);
    EXPECT_DOUBLE_EQ(got.low, wanted.low);
  };
  expect(gradient.output.signed_rank, output);
  for (size_t part = 0; part < 4; part++) {
    expect(gradient.cascade[part].absolute_rank, cascade[part]);
    expect(gradient.independent[part].absolute_rank, alone[part]);
  }
  EXPECT_EQ(gradient.unrelated.signed_rank.count, kScans - 1);
  EXPECT_EQ(sanity.result(3).cascade[0].ssim.mean, sanity.result(0).cascade[0].ssim.mean) << "it is the gradient";
  cw_random_layers_free(context, &layers);
}

// What holds by construction is said to; twice the same bits, on any number of threads.
TEST(Sanity, FactsVerdictsAndBits) {
  TestContext context, one(1);
  const Network network(context, "classifier", 1), again(one, "classifier", 1);
  Sanity a(context, network), b(one, again);
  ASSERT_EQ(cw_sanity_add(context, a.sanity, network.image(0).data(), nullptr), CW_OK);
  ASSERT_EQ(cw_sanity_add(one, b.sanity, again.image(0).data(), nullptr), CW_OK);
  for (int m = 0; m < 6; m++) {
    const cw_sanity_method x = a.result(m);
    for (int part = 0; part < 7; part++) {
      const double ssim = x.cascade[part].ssim.mean, rank = x.independent[part].signed_rank.mean;
      const cw_sanity_method y = b.result(m);
      EXPECT_EQ(ssim, y.cascade[part].ssim.mean);
      EXPECT_EQ(rank, y.independent[part].signed_rank.mean);
    }
  }
  for (int scan = 1; scan < kScans; scan++)
    ASSERT_EQ(cw_sanity_add(context, a.sanity, network.image(scan).data(), nullptr), CW_OK);
  const cw_sanity_method gradient = a.result(0), fullgrad = a.result(1), guided = a.result(3), lrp = a.result(4);
  EXPECT_NEAR(gradient.output.signed_rank.mean, -1, 1e-9);
  EXPECT_EQ(gradient.on_output, CW_DEPENDS);
  EXPECT_TRUE(gradient.output_by_construction);
  EXPECT_NE(std::string(gradient.by_construction).find("negative"), std::string::npos);
  EXPECT_NEAR(fullgrad.output.absolute_rank.mean, 1, 1e-6);
  EXPECT_EQ(fullgrad.on_output, CW_DOES_NOT_DEPEND);
  EXPECT_TRUE(fullgrad.output_by_construction);
  EXPECT_NE(std::string(guided.by_construction).find("it is the gradient"), std::string::npos);
  EXPECT_NE(std::string(lrp.by_construction).find("gradient-x-input"), std::string::npos);
  EXPECT_FALSE(a.result(5).output_by_construction);
}

TEST(Sanity, CancellationAndMemory) {
  TestContext context;
  const Network network(context, "plain", 1);
  {
    Sanity sanity(context, network);
    context.cancel = true;
    EXPECT_EQ(cw_sanity_add(context, sanity.sanity, network.image(1).data(), nullptr), CW_ERROR_CANCELLED);
    context.cancel = false;
    cw_sanity_method result;
    EXPECT_EQ(cw_sanity_result(context, sanity.sanity, 0, &result), CW_ERROR_ARGUMENT);
    EXPECT_EQ(cw_sanity_add(context, sanity.sanity, network.image(1).data(), nullptr), CW_OK)
        << "as if never cancelled";
    EXPECT_EQ(sanity.result(0).on_weights, CW_UNDECIDED) << "one scan";
  }
  const auto requests = example::requests(context, {"gradient", "lrp"});
  for (long at = 0;; at++) {
    context.reset(at);
    cw_sanity *sanity = nullptr;
    const cw_status status = cw_sanity_create(context, network.graph, requests.data(), 2, 2, 1, &sanity);
    cw_sanity_free(context, sanity);
    EXPECT_EQ(context.leaked(), 0) << at;
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY) << at;
  }
}
