/* Similarity, randomised weights, faithfulness and baselines against slow, obvious versions of themselves. */
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "example_networks.h"
#include "Tensor/test_context.h"

namespace {

using example::Network;

double mean_of(const std::vector<double> &x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double pearson(const std::vector<double> &a, const std::vector<double> &b) {
  const double ma = mean_of(a), mb = mean_of(b);
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); i++) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

std::vector<double> ranks(const std::vector<double> &x) {
  std::vector<double> r;
  for (const double v : x) {
    double below = 0, equal = 0;
    for (const double w : x) {
      below += w < v;
      equal += w == v;
    }
    r.push_back(below + 0.5 * (equal - 1));
  }
  return r;
}

std::vector<double> inside(const std::vector<float> &x, const std::vector<float> &region, bool magnitudes) {
  std::vector<double> out;
  for (size_t i = 0; i < x.size(); i++)
    if (region[i] != 0)
      out.push_back(magnitudes ? std::fabs(x[i]) : x[i]);
  return out;
}

double slow_ssim(const std::vector<float> &a, const std::vector<float> &b, const std::vector<float> &region,
                 const int size[3]) {
  const auto scaled = [&](const std::vector<float> &x) {
    std::vector<double> sorted = inside(x, region, true);
    std::sort(sorted.begin(), sorted.end());
    const double top = sorted[static_cast<size_t>(std::ceil(0.999 * static_cast<double>(sorted.size()))) - 1];
    std::vector<double> out;
    for (const float v : x)
      out.push_back(std::min(1.0, std::fabs(v) / top));
    return out;
  };
  const std::vector<double> x = scaled(a), y = scaled(b);
  std::vector<double> values;
  for (int k = 0; k + 7 <= size[2]; k++)
    for (int j = 0; j + 7 <= size[1]; j++)
      for (int i = 0; i + 7 <= size[0]; i++) {
        if (region[static_cast<size_t>(((k + 3) * size[1] + j + 3) * size[0] + i + 3)] == 0)
          continue;
        std::vector<double> p, q;
        for (int c = 0; c < 343; c++) {
          const size_t at = static_cast<size_t>(((k + c / 49) * size[1] + j + c / 7 % 7) * size[0] + i + c % 7);
          p.push_back(x[at]);
          q.push_back(y[at]);
        }
        const double mp = mean_of(p), mq = mean_of(q);
        double pp = 0, qq = 0, pq = 0;
        for (int c = 0; c < 343; c++) {
          pp += (p[c] - mp) * (p[c] - mp) / 343;
          qq += (q[c] - mq) * (q[c] - mq) / 343;
          pq += (p[c] - mp) * (q[c] - mq) / 343;
        }
        values.push_back((2 * mp * mq + 1e-4) * (2 * pq + 9e-4) / ((mp * mp + mq * mq + 1e-4) * (pp + qq + 9e-4)));
      }
  return mean_of(values);
}

constexpr int kSize[3] = {11, 9, 8};
constexpr size_t kSamples = 11 * 9 * 8;

std::vector<float> noise(const char *name, double with = 0, const std::vector<float> &other = {}) {
  const stored::Unit unit(name);
  std::vector<float> map(kSamples);
  for (size_t i = 0; i < kSamples; i++)
    map[i] = static_cast<float>(unit[i] + (other.empty() ? 0 : with * other[i]));
  return map;
}

}  // namespace

TEST(Similarity, IsThatOfTheDefinition) {
  TestContext context;
  const std::vector<float> a = noise("a"), b = noise("b", 0.7, a);
  std::vector<float> ties = a, region(kSamples);
  for (size_t i = 0; i < kSamples; i++) {
    ties[i] = std::round(4 * ties[i]);
    region[i] = i % 7 != 0;
  }
  for (const auto &x : {b, ties}) {
    cw_similarity s;
    ASSERT_EQ(cw_map_similarity(context, a.data(), x.data(), region.data(), kSize, &s), CW_OK) << context.message();
    EXPECT_NEAR(s.signed_rank, pearson(ranks(inside(a, region, false)), ranks(inside(x, region, false))), 1e-9);
    EXPECT_NEAR(s.absolute_rank, pearson(ranks(inside(a, region, true)), ranks(inside(x, region, true))), 1e-9);
    EXPECT_NEAR(s.ssim, slow_ssim(a, x, region, kSize), 1e-4);
  }
}

TEST(Similarity, Ends) {
  TestContext context;
  const std::vector<float> a = noise("a"), zero(kSamples, 0);
  std::vector<float> minus = a, region(kSamples, 0), broken = a;
  for (float &v : minus)
    v = -v;
  broken[5] = NAN;
  cw_similarity s;
  ASSERT_EQ(cw_map_similarity(context, a.data(), a.data(), nullptr, kSize, &s), CW_OK);
  EXPECT_NEAR(s.signed_rank, 1, 1e-12);
  EXPECT_NEAR(s.ssim, 1, 1e-4);
  ASSERT_EQ(cw_map_similarity(context, a.data(), minus.data(), nullptr, kSize, &s), CW_OK);
  EXPECT_NEAR(s.signed_rank, -1, 1e-12);
  EXPECT_NEAR(s.absolute_rank, 1, 1e-12);
  ASSERT_EQ(cw_map_similarity(context, a.data(), zero.data(), nullptr, kSize, &s), CW_OK);
  EXPECT_EQ(s.signed_rank, 0);
  EXPECT_LT(s.ssim, 0.1);
  EXPECT_EQ(cw_map_similarity(context, a.data(), broken.data(), nullptr, kSize, &s), CW_ERROR_NUMERIC);
  EXPECT_EQ(cw_map_similarity(context, a.data(), a.data(), region.data(), kSize, &s), CW_ERROR_ARGUMENT);
  for (long at = 0; at < 3; at++) {
    context.reset(at);
    EXPECT_EQ(cw_map_similarity(context, a.data(), a.data(), nullptr, kSize, &s), CW_ERROR_MEMORY);
    EXPECT_EQ(context.leaked(), 0);
  }
}

TEST(RandomLayers, PartsAndHead) {
  TestContext context;
  const auto check = [&](const char *name, int parts, int head) {
    const Network network(context, name, 1);
    cw_random_layers layers;
    ASSERT_EQ(cw_random_layers_of(context, network.graph, &layers), CW_OK);
    EXPECT_EQ(layers.count, parts) << name;
    EXPECT_EQ(layers.first_dense, head) << name;
    cw_random_layers_free(context, &layers);
  };
  check("classifier", 7, 4);  // the three fully connected layers
  check("plain", 4, 2);
  check("residual", 7, 4);  // one fully connected layer, and as many convolutions as make a third
  check("dense", 5, 3);
}

TEST(RandomLayers, RedrawsOnePartAlone) {
  TestContext context;
  const Network trained(context, "residual", 1), other(context, "residual", 1), again(context, "residual", 1);
  cw_random_layers layers;
  ASSERT_EQ(cw_random_layers_of(context, trained.graph, &layers), CW_OK);
  cw_random_layer_draw(other.graph, &layers, 2, 7);
  cw_random_layer_draw(again.graph, &layers, 5, 7);
  cw_random_layer_draw(again.graph, &layers, 2, 7);
  for (cw_value v = 0; v < cw_graph_value_count(trained.graph); v++) {
    const float *a = cw_value_data(trained.graph, v), *b = cw_value_data(other.graph, v);
    if (!a)
      continue;
    const std::string name = cw_value_name(trained.graph, v);
    const size_t n = static_cast<size_t>(cw_shape_elements(cw_value_shape(trained.graph, v), 1));
    const bool changed = std::memcmp(a, b, n * sizeof *a) != 0;
    const bool wanted = name.rfind("a.conv2", 0) == 0 || name.rfind("a.norm.2", 0) == 0;
    EXPECT_EQ(changed, wanted) << name;
    if (wanted) {
      EXPECT_EQ(std::memcmp(b, cw_value_data(again.graph, v), n * sizeof *a), 0) << name << ": seed and part alone";
    }
    if (name == "a.norm.2.variance") {
      EXPECT_EQ(b[0], 1);
    }
    if (name == "a.conv2.weight") {
      EXPECT_LE(std::fabs(*std::max_element(b, b + n)), std::sqrt(6.0 / (27 * 8 + 27 * 8)));
    }
  }
  cw_random_layers_free(context, &layers);
}

TEST(Faithfulness, CurvesAreThoseOfTheReplacedImages) {
  TestContext context;
  const Network network(context, "plain", 1);
  const std::vector<float> image = network.image(1), map = network.image(2);
  std::vector<float> baseline(image.size(), 0.3f), region(image.size());
  std::vector<std::pair<float, size_t>> order;
  for (size_t i = 0; i < image.size(); i++) {
    region[i] = i % 3 != 0;
    if (region[i] != 0)
      order.push_back({-map[i], i});
  }
  std::stable_sort(order.begin(), order.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
  cw_faithful *faithful = nullptr;
  ASSERT_EQ(cw_faithful_create(context, network.graph, &faithful), CW_OK);
  cw_faithfulness result;
  ASSERT_EQ(cw_faithful_curves(context, faithful, image.data(), baseline.data(), region.data(), map.data(), false,
                               {1, true}, &result),
            CW_OK)
      << context.message();
  const auto logit = [&](const std::vector<float> &x) {
    return example::maps(context, network.graph, example::requests(context, {"gradient"}), x, {1, true}).note[0].y;
  };
  for (int k = 0; k < CW_FAITHFUL_POINTS; k++) {
    const double share = k * k / 256.0;
    ASSERT_EQ(result.share[k], share);
    const size_t replaced = static_cast<size_t>(std::lround(share * static_cast<double>(order.size())));
    std::vector<float> deleted = image, inserted = image;
    for (size_t r = 0; r < order.size(); r++)
      (r < replaced ? deleted : inserted)[order[r].second] = 0.3f;
    EXPECT_NEAR(result.deletion[k], logit(deleted), 1e-4 * std::fabs(result.deletion[0])) << k;
    EXPECT_NEAR(result.insertion[k], logit(inserted), 1e-4 * std::fabs(result.deletion[0])) << k;
  }
  EXPECT_NEAR(result.deletion[0], result.insertion[CW_FAITHFUL_POINTS - 1], 1e-5);
  EXPECT_TRUE(std::isfinite(result.deletion_area) && std::isfinite(result.insertion_area));
  // A baseline that is the image leaves no way to go.
  ASSERT_EQ(
      cw_faithful_curves(context, faithful, image.data(), image.data(), nullptr, map.data(), true, {0, false}, &result),
      CW_OK);
  EXPECT_TRUE(std::isnan(result.deletion_area));
  std::vector<float> broken = map;
  broken[0] = INFINITY;
  EXPECT_EQ(
      cw_faithful_curves(context, faithful, image.data(), nullptr, nullptr, broken.data(), true, {0, false}, &result),
      CW_ERROR_NUMERIC);
  EXPECT_EQ(
      cw_faithful_curves(context, faithful, image.data(), nullptr, nullptr, map.data(), true, {2, false}, &result),
      CW_ERROR_ARGUMENT);
  std::fill(region.begin(), region.end(), 0.0f);
  EXPECT_EQ(cw_faithful_curves(context, faithful, image.data(), nullptr, region.data(), map.data(), true, {0, false},
                               &result),
            CW_ERROR_ARGUMENT);
  cw_faithful_free(context, faithful);
  for (long at = 0;; at++) {
    context.reset(at);
    const cw_status status = cw_faithful_create(context, network.graph, &faithful);
    cw_faithful_free(context, faithful);
    EXPECT_EQ(context.leaked(), 0);
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY);
  }
}

TEST(Baselines, RandomEdgesAndGroups) {
  TestContext context;
  std::vector<float> map(kSamples), other(kSamples);
  cw_baseline_random(3, 1, kSize, map.data());
  cw_baseline_random(3, 1, kSize, other.data());
  EXPECT_EQ(map, other);
  cw_baseline_random(3, 2, kSize, other.data());
  EXPECT_NE(map, other);

  // A ramp has the same slope everywhere but at its ends.
  std::vector<float> ramp(kSamples);
  for (size_t i = 0; i < kSamples; i++)
    ramp[i] = 0.5f * static_cast<float>(i / (11 * 9));
  ASSERT_EQ(cw_baseline_edges(context, ramp.data(), kSize, map.data()), CW_OK);
  EXPECT_NEAR(map[4 * 99 + 50], 0.5, 0.01);

  // Two voxels, five images: Welch's t by hand.
  const float images[5][2] = {{1, 4}, {2, 4}, {3, 4}, {5, 4}, {7, 4}};
  const int label[5] = {0, 0, 0, 1, 1};
  float t[2];
  ASSERT_EQ(cw_baseline_group(context, images[0], label, 5, 2, t), CW_OK);
  EXPECT_NEAR(t[0], (6 - 2) / std::sqrt(1.0 / 3 + 2.0 / 2), 1e-5);
  EXPECT_EQ(t[1], 0);
  EXPECT_EQ(cw_baseline_group(context, images[0], label, 4, 2, t), CW_ERROR_ARGUMENT);
}
