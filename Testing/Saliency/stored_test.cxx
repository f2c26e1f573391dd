/* Maps against captum's, pytorch-grad-cam's and PyTorch's, stored by Testing/Reference/pytorch_saliency.py. */
#include <gtest/gtest.h>

#include "example_networks.h"
#include "Tensor/test_context.h"

namespace {

constexpr double kTolerance = 2e-4;  // of the map's L2 norm

class Stored : public testing::TestWithParam<const char *> {
 protected:
  void expect(const std::string &key, const std::vector<float> &map) {
    const stored::Digest expected(values_[GetParam() + std::string("/") + key]), got(map.data(), map.size());
    ASSERT_EQ(got.count, expected.count) << key;
    // 32 inputs, of which rounding always disturbs some
    const double tolerance = key == "integrated-gradients" ? 5e-3 : kTolerance;
    EXPECT_LE(got.Distance(expected), tolerance * expected.norm)
        << key << ": L2 norm " << got.norm << ", expected " << expected.norm;
  }
  double number(const std::string &key) { return values_[GetParam() + std::string("/") + key][0]; }
  bool has(const std::string &key) { return values_.Has(GetParam() + std::string("/") + key); }

  stored::Values values_{CW_TEST_DATA "/saliency"};
  TestContext context_;
};

}  // namespace

TEST_P(Stored, MapsAreThoseOfPyTorch) {
  const int salt = static_cast<int>(number("salt")), target = static_cast<int>(number("target"));
  const example::Network network(context_, GetParam(), salt);
  const std::vector<float> image = network.image(salt);
  std::vector<const char *> names;
  for (const char *name : {"gradient", "gradient-x-input", "integrated-gradients", "guided-backprop.positive",
                           "occlusion", "gradcam.signed", "gradcam.positive", "fullgrad.signed", "fullgrad.positive",
                           "fullgrad.absolute", "rectgrad.positive", "rectgrad.signed", "lrp-epsilon", "lrp-zplus"})
    if (has(name))
      names.push_back(name);
  EXPECT_GE(names.size(), 12u);
  std::vector<cw_saliency_request> requests;
  for (const char *name : names) {
    requests.push_back(example::requests(context_, {name})[0]);
    requests.back().window = requests.back().method == CW_SALIENCY_OCCLUSION ? network.side() / 4 : 0;
    requests.back().stride = requests.back().window;
    if (std::string(name) == "lrp-epsilon")
      requests.back().lrp.epsilon = 1e-9;  // captum's; it does not fold batch norm, so larger ones would tell
  }
  const example::Maps maps = example::maps(context_, network.graph, requests, image, {target, false});
  ASSERT_EQ(maps.status, CW_OK) << context_.message();
  for (size_t i = 0; i < names.size(); i++) {
    expect(names[i], maps.map[i]);
    EXPECT_NEAR(maps.note[i].y, values_[GetParam() + std::string("/logits")][target], 1e-4 * std::fabs(maps.note[i].y));
    if (std::string(names[i]) == "fullgrad.signed") {
      EXPECT_NEAR(maps.note[i].y - maps.note[i].gap, number("fullgrad.total"), 1e-3);
    }
  }
  EXPECT_TRUE(context_.warnings.empty()) << context_.warnings[0];

  // LRP-epsilon through batch norm, sums and concatenations is x dy/dx on these networks.
  if (!has("lrp-epsilon")) {
    std::vector<cw_saliency_request> lrp = example::requests(context_, {"lrp-epsilon"});
    lrp[0].lrp.epsilon = 1e-9;
    expect("gradient-x-input", example::maps(context_, network.graph, lrp, image, {target, false}).map[0]);
  }
  if (has("lrp-box")) {
    std::vector<cw_saliency_request> lrp = example::requests(context_, {"lrp-composite"});
    lrp[0].lrp.other = CW_LRP_EPSILON;
    expect("lrp-box", example::maps(context_, network.graph, lrp, image, {target, false}).map[0]);
  }
  if (has("lrp-zplus.negative"))
    expect("lrp-zplus.negative",
           example::maps(context_, network.graph, example::requests(context_, {"lrp-zplus"}), image, {target, true})
               .map[0]);
}

// pytorch-grad-cam keeps 1e-6 in a denominator; gradients of the enlarged last layer are far above it.
TEST_P(Stored, GradCamPlusPlus) {
  const int salt = static_cast<int>(number("salt")), target = static_cast<int>(number("target"));
  const example::Network network(context_, GetParam(), salt, 1000);
  const example::Maps maps = example::maps(context_, network.graph, example::requests(context_, {"gradcam-plusplus"}),
                                           network.image(salt), {target, false});
  expect("gradcam-plusplus.positive", maps.map[0]);
}

INSTANTIATE_TEST_SUITE_P(Networks, Stored, testing::Values("classifier", "plain", "residual", "dense"),
                         [](const auto &info) { return std::string(info.param); });
