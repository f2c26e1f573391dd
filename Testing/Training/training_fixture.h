/* A data set that a small run can learn: bright balls, larger in controls. */
#ifndef COUNTERWARP_TESTING_TRAINING_FIXTURE_H
#define COUNTERWARP_TESTING_TRAINING_FIXTURE_H

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "counterwarp/training.h"
#include "Tensor/test_context.h"

constexpr int kSize = 32, kScans = 16;

struct Balls {
  Balls() : samples(static_cast<size_t>(kScans) * kSize * kSize * kSize), label(kScans) {
    std::mt19937 random(3);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int n = 0; n < kScans; n++) {
      label[n] = n % 2;
      const float radius = (n % 2 ? 6.0f : 10.0f) + 0.5f * uniform(random);
      float *out = &samples[static_cast<size_t>(n) * kSize * kSize * kSize];
      for (int z = 0; z < kSize; z++)
        for (int y = 0; y < kSize; y++)
          for (int x = 0; x < kSize; x++) {
            const float r = std::sqrt(std::pow(x - 15.5f, 2) + std::pow(y - 15.5f, 2) + std::pow(z - 15.5f, 2));
            *out++ = 1 / (1 + std::exp(r - radius)) + 0.02f * uniform(random);
          }
      (n < kScans - 4 ? train : validation).push_back(n);
    }
    const double center[3] = {0, 0, 0};
    dataset.count = kScans;
    dataset.preprocessing.grid = cw_grid_cube(kSize, 2, center);
    dataset.preprocessing.normalization = CW_NORMALIZE_NONE;
    dataset.samples = samples.data();
    dataset.label = label.data();
    split = {train.data(), validation.data(), static_cast<int>(train.size()), static_cast<int>(validation.size())};
  }
  std::vector<float> samples;
  std::vector<int> label, train, validation;
  cw_dataset dataset = {};
  cw_split split = {};
};

/* A classifier whose logit is slope * (mean of the image) + offset, at the size of the balls. */
inline void MeanClassifier(cw_context *context, double slope, double offset, cw_graph **graph, cw_value *image,
                           cw_value *logit) {
  const float weights[2] = {static_cast<float>(slope), static_cast<float>(offset)};
  cw_value mean, in[3];
  cw_attributes a = cw_attributes_default();
  a.shape = CW_SHAPE(CW_BATCH, 1);
  ASSERT_EQ(cw_graph_create(context, graph), CW_OK);
  ASSERT_EQ(cw_graph_input(context, *graph, "image", CW_SHAPE(CW_BATCH, 1, kSize, kSize, kSize), image), CW_OK);
  ASSERT_EQ(cw_graph_node(context, *graph, CW_OP_GLOBAL_AVERAGE_POOL, "mean", nullptr, image, 1, &mean), CW_OK);
  ASSERT_EQ(cw_graph_node(context, *graph, CW_OP_RESHAPE, "flat", &a, &mean, 1, &in[0]), CW_OK);
  ASSERT_EQ(cw_graph_parameter(context, *graph, "slope", CW_SHAPE(1, 1), false, &weights[0], &in[1]), CW_OK);
  ASSERT_EQ(cw_graph_parameter(context, *graph, "offset", CW_SHAPE(1), false, &weights[1], &in[2]), CW_OK);
  ASSERT_EQ(cw_graph_node(context, *graph, CW_OP_GEMM, "logit", nullptr, in, 3, logit), CW_OK);
  ASSERT_EQ(cw_graph_output(context, *graph, *logit), CW_OK);
}

/* A host like TestContext that stops work at its call number `left` of progress. */
struct StoppingContext {
  explicit StoppingContext(int calls) : left(calls) {
    cw_context_options options = {};
    options.threads = 2;
    options.seed = 42;
    options.user = this;
    options.progress = [](void *user, const char *, double) {
      return static_cast<StoppingContext *>(user)->left-- > 0;
    };
    EXPECT_EQ(cw_context_create(&options, &context), CW_OK);
  }
  ~StoppingContext() { cw_context_free(context); }
  operator cw_context *() { return context; }
  int left;
  cw_context *context = nullptr;
};

/* A folder of its own for one test's files. */
struct Folder {
  Folder() {
    std::snprintf(path, sizeof path, "/tmp/counterwarp-training-XXXXXX");
    EXPECT_NE(mkdtemp(path), nullptr);
  }
  ~Folder() {
    for (const std::string &name : names)
      std::remove(name.c_str());
    rmdir(path);
  }
  std::string operator()(const char *name) {
    names.push_back(std::string(path) + "/" + name);
    return names.back();
  }
  char path[64];
  std::vector<std::string> names;
};

inline std::string Text(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/* Every parameter and buffer of a graph, in order. */
inline std::vector<float> Values(const cw_graph *graph) {
  std::vector<float> all;
  for (int v = 0; v < cw_graph_value_count(graph); v++)
    if (const float *data = cw_value_data(graph, v))
      all.insert(all.end(), data, data + cw_shape_elements(cw_value_shape(graph, v), 1));
  return all;
}

#endif
