/* What the methods promise: completeness, conservation, twins, finite differences. */
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "example_networks.h"
extern "C" {
#include "Saliency/saliency_internal.h"
}
#include "Tensor/test_context.h"

namespace {

using example::Maps;
using example::Network;

double sum(const std::vector<float> &map) {
  return std::accumulate(map.begin(), map.end(), 0.0);
}

double distance(const std::vector<float> &a, const std::vector<float> &b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); i++) {
    difference += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
    size += b[i] * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / size);
}

std::vector<float> negative(std::vector<float> map) {
  for (float &value : map)
    value = -value;
  return map;
}

class Exact : public testing::TestWithParam<const char *> {
 protected:
  TestContext context_;
  Network network_{context_, GetParam(), 1};
  std::vector<float> image_ = network_.image(1);
  Maps maps(std::initializer_list<const char *> names, cw_saliency_output output = {0, false}) {
    return example::maps(context_, network_.graph, example::requests(context_, names), image_, output);
  }
};

}  // namespace

// x dy/dx and the bias terms of all layers, fully connected ones included, sum to y: the networks are piecewise linear.
TEST_P(Exact, FullGradIsComplete) {
  for (const bool negate : {false, true}) {
    const Maps m = maps({"fullgrad.signed", "fullgrad", "fullgrad.positive"}, {0, negate});
    for (int r = 0; r < 3; r++) {
      EXPECT_NEAR(m.note[r].gap, 0, 2e-5 * std::max(1.0, std::fabs(m.note[r].y))) << r;
    }
    if (negate) {
      EXPECT_LE(distance(m.map[1], maps({"fullgrad"}).map[0]), 1e-6) << "the original form is blind to the output";
    }
  }
  // Without biases the map holds all of y.
  if (std::string(GetParam()) == "plain") {
    const Maps m = maps({"fullgrad.signed"});
    EXPECT_NEAR(sum(m.map[0]), m.note[0].y, 1e-4 * std::fabs(m.note[0].y));
  }
}

// The sum of the map comes to y(x) - y(0) as steps are added.
TEST_P(Exact, IntegratedGradientsAreComplete) {
  std::vector<cw_saliency_request> requests = example::requests(context_, {"integrated-gradients"});
  double gap[2];
  for (int i = 0; i < 2; i++) {
    requests[0].samples = i ? 256 : 8;
    const Maps m = example::maps(context_, network_.graph, requests, image_);
    const std::vector<float> zeros(image_.size(), 0);
    const double from =
        example::maps(context_, network_.graph, example::requests(context_, {"gradient"}), zeros).note[0].y;
    EXPECT_NEAR(m.note[0].gap, m.note[0].y - from - sum(m.map[0]), 1e-3);
    gap[i] = std::fabs(m.note[0].gap) / std::fabs(m.note[0].y - from);
  }
  EXPECT_LT(gap[1], 0.01);
  EXPECT_LT(gap[1], std::max(gap[0], 1e-4));
}

TEST_P(Exact, GradientByFiniteDifferences) {
  const Maps m = maps({"gradient"});
  double largest = 0;
  for (const float g : m.map[0])
    largest = std::max(largest, std::fabs(static_cast<double>(g)));
  const stored::Unit unit("direction");
  const float step = 1e-3f;
  double expected = 0;
  std::vector<float> moved[2] = {image_, image_};
  for (size_t i = 0; i < image_.size(); i++) {
    const float d = step * static_cast<float>(unit[i]);
    moved[0][i] -= d;
    moved[1][i] += d;
    expected += static_cast<double>(m.map[0][i]) * (static_cast<double>(moved[1][i]) - moved[0][i]);
  }
  double y[2];
  for (int i = 0; i < 2; i++)
    y[i] = example::maps(context_, network_.graph, example::requests(context_, {"gradient"}), moved[i]).note[0].y;
  const double size = largest * step * std::sqrt(static_cast<double>(image_.size()));
  EXPECT_NEAR(y[1] - y[0], expected, 0.03 * size);
}

// Relevance is conserved from layer to layer: what a node receives is what it passes on, with the shares of its bias
// and of epsilon.
TEST_P(Exact, LrpConservesLayerByLayer) {
  for (const char *name : {"lrp-epsilon", "lrp-zplus", "lrp-absolute", "lrp-composite"})
    for (const bool negate : {false, true}) {
      const auto requests = example::requests(context_, {name});
      cw_saliency *saliency = nullptr;
      ASSERT_EQ(cw_saliency_create(context_, network_.graph, requests.data(), 1, &saliency), CW_OK)
          << context_.message();
      std::vector<cw_ledger> ledger(static_cast<size_t>(cw_graph_node_count(network_.graph)));
      saliency->ledger = ledger.data();
      const Maps m = example::maps(context_, saliency, 1, image_, {0, negate});
      saliency->ledger = nullptr;
      ASSERT_EQ(m.status, CW_OK);
      double kept = 0, largest = std::fabs(m.note[0].y);
      std::vector<double> arrived(static_cast<size_t>(cw_graph_value_count(network_.graph)), 0.0);
      for (size_t i = 0; i < ledger.size(); i++) {
        const cw_ledger &l = ledger[i];
        const cw_node_view node = cw_graph_node_at(network_.graph, static_cast<int>(i));
        largest = std::max(largest, std::fabs(l.received));
        EXPECT_NEAR(l.received, l.passed + l.bias + l.stabiliser, 2e-3 * largest) << name << ": " << node.name;
        kept += l.bias + l.stabiliser;
      }
      EXPECT_NEAR(sum(m.map[0]) + kept, m.note[0].y, 2e-3 * largest) << name << ": all shares make up the output";
      cw_saliency_free(context_, saliency);
    }
}

// What z+ gives has the output's sign.
TEST_P(Exact, PositiveRulesArePositive) {
  const Maps m = maps({"lrp-zplus"});
  const double sign = m.note[0].y > 0 ? 1 : -1;
  for (const float value : m.map[0])
    ASSERT_GE(sign * value, 0);
}

// Twins and what holds by construction.
TEST_P(Exact, SignedTwins) {
  const Maps up = maps({"gradient", "guided-backprop.signed", "gradient-x-input", "gradcam.signed", "fullgrad.signed",
                        "rectgrad.signed", "lrp-epsilon", "gradcam", "gradient.absolute", "gradient.positive",
                        "gradcam.absolute", "guided-backprop", "rectgrad"});
  const Maps down = maps({"gradient", "guided-backprop.signed", "gradient-x-input", "gradcam.signed", "fullgrad.signed",
                          "rectgrad.signed", "lrp-epsilon"},
                         {0, true});
  EXPECT_EQ(up.map[0], up.map[1]) << "the signed twin of Guided Backprop is the gradient";
  for (size_t r = 0; r < down.map.size(); r++)
    EXPECT_LE(distance(down.map[r], negative(up.map[r])), r == 6 ? 1e-4 : 1e-6) << r;
  for (size_t i = 0; i < image_.size(); i++) {
    ASSERT_EQ(up.map[8][i], std::fabs(up.map[0][i]));
    ASSERT_EQ(up.map[9][i], std::max(up.map[0][i], 0.0f));
    ASSERT_EQ(up.map[2][i], up.map[0][i] * image_[i]);
    ASSERT_GE(up.map[7][i], 0);
    ASSERT_GE(up.map[10][i], 0);
  }
}

// The 0th percentile opens RectGrad's signed gate wherever a gradient passes: all but units with a g = 0.
TEST_P(Exact, RectGradWithoutThresholdIsTheGradient) {
  auto requests =
      example::requests(context_, {"gradient", "rectgrad.signed", "rectgrad.signed", "rectgrad-x-input.signed"});
  requests[1].percentile = 0;
  const Maps m = example::maps(context_, network_.graph, requests, image_);
  EXPECT_LE(distance(m.map[1], m.map[0]), 1e-6);
  for (size_t i = 0; i < image_.size(); i++)
    ASSERT_EQ(m.map[3][i], m.map[2][i] * image_[i]);
}

// Asking for everything at once changes nothing, nor does the number of threads, nor a second call.
TEST_P(Exact, SharedForwardSameBits) {
  const std::initializer_list<const char *> names = {"smoothgrad",
                                                     "gradient",
                                                     "gradcam",
                                                     "gradcam-plusplus.signed",
                                                     "gradcam-plusplus.absolute",
                                                     "fullgrad",
                                                     "guided-backprop",
                                                     "guided-backprop.absolute",
                                                     "rectgrad",
                                                     "rectgrad.absolute",
                                                     "lrp-epsilon",
                                                     "lrp-zplus",
                                                     "lrp-alpha2-beta1",
                                                     "lrp-composite",
                                                     "occlusion",
                                                     "integrated-gradients"};
  auto all = example::requests(context_, names);
  for (auto &request : all) {
    request.samples = 5;  // two at a time on two threads, and one left over
    request.window = network_.side() / 2;
  }
  cw_saliency *saliency = nullptr;
  ASSERT_EQ(cw_saliency_create(context_, network_.graph, all.data(), static_cast<int>(all.size()), &saliency), CW_OK);
  const Maps first = example::maps(context_, saliency, all.size(), image_, {0, false});
  const Maps second = example::maps(context_, saliency, all.size(), image_, {0, false});
  TestContext one(1);
  for (size_t r = 0; r < all.size(); r++) {
    EXPECT_EQ(first.map[r], second.map[r]) << r;
    EXPECT_EQ(first.map[r], example::maps(one, network_.graph, {all[r]}, image_).map[0]) << r;
    EXPECT_TRUE(first.note[r].finite);
    EXPECT_FALSE(first.note[r].empty) << first.note[r].reason;
  }
  cw_saliency_free(context_, saliency);
}

INSTANTIATE_TEST_SUITE_P(Networks, Exact, testing::Values("classifier", "plain", "residual", "dense"),
                         [](const auto &info) { return std::string(info.param); });

// The percentile against a sorted copy.
TEST(Percentile, IsThatOfASortedCopy) {
  const stored::Unit a("a"), g("g");
  for (const size_t n : {1u, 2u, 17u, 1000u, 40000u}) {
    std::vector<float> x(n), y(n), products, magnitudes;
    for (size_t i = 0; i < n; i++) {
      x[i] = i % 5 ? static_cast<float>(a[i]) : 0;
      y[i] = static_cast<float>(g[i]);
      products.push_back(x[i] * y[i]);
      magnitudes.push_back(std::fabs(x[i] * y[i]));
    }
    std::sort(products.begin(), products.end());
    std::sort(magnitudes.begin(), magnitudes.end());
    for (const double share : {0.0, 0.1, 0.5, 0.9, 0.99}) {
      const size_t rank = std::max<size_t>(1, static_cast<size_t>(std::ceil(share * n))) - 1;
      EXPECT_EQ(cw_product_percentile(x.data(), y.data(), static_cast<int64_t>(n), share, false, 2), products[rank]);
      EXPECT_EQ(cw_product_percentile(x.data(), y.data(), static_cast<int64_t>(n), share, true, 2), magnitudes[rank]);
    }
  }
}
