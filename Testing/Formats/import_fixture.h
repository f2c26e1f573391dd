// Models of 4 x 4 x 4 voxels, from bytes.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "counterwarp/onnx.h"
#include "Formats/onnx_builder.h"
#include "Tensor/test_context.h"

namespace fs = std::filesystem;
using namespace onnx_file;

// A model of 4 x 4 x 4 voxels: mean of the image, then what a test puts behind "mean" [N,1].
class Import : public testing::Test {
 protected:
  Import() {
    std::string pattern = (fs::temp_directory_path() / "counterwarp-import-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    path = (folder / "model.onnx").string();
  }
  ~Import() override { fs::remove_all(folder); }
  void TearDown() override { EXPECT_EQ(context.leaked(), 0); }

  static std::vector<Message> behind_mean(const std::vector<Message> &nodes) {
    std::vector<Message> all = {node("GlobalAveragePool", {"scan"}, "pooled"), node("Flatten", {"pooled"}, "mean")};
    all.insert(all.end(), nodes.begin(), nodes.end());
    return all;
  }
  cw_status import(const std::string &bytes, const cw_output_choice *choice = nullptr) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    cw_preprocessing preprocessing = {};
    for (int i = 0; i < 3; i++) {
      preprocessing.grid.size[i] = 4;
      preprocessing.grid.to_world.m[i][i] = 1;
    }
    context.largest = context.total = 0;
    const cw_status status = cw_model_import(context, path.c_str(), &preprocessing, choice, &model);
    // What is unpacked, read and kept, with what a few thousand nodes cost a graph; freed memory counts, too.
    EXPECT_LT(context.total, 40 * bytes.size() + (size_t{128} << 20));
    return status;
  }
  cw_status import(const std::vector<Message> &nodes, const std::vector<Message> &tensors, int opset = 17,
                   const Dims &input = {0, 1, 4, 4, 4}) {
    return import(onnx_file::model(nodes, tensors, value("scan", input), value("y", {0, 1}), opset));
  }
  // The logit of an image of twos.
  float logit() {
    const std::vector<float> image(64, 2);
    float y = NAN;
    EXPECT_EQ(cw_model_logits(context, &model, image.data(), 1, &y), CW_OK) << context.message();
    cw_model_free(context, &model);
    return y;
  }
  void expect_logit(float expected, const std::vector<Message> &nodes, const std::vector<Message> &tensors,
                    int opset = 17) {
    ASSERT_EQ(import(nodes, tensors, opset), CW_OK) << context.message();
    EXPECT_NEAR(logit(), expected, 1e-6 * std::fabs(expected));
  }
  void expect_refused(const std::string &words, const std::vector<Message> &nodes, const std::vector<Message> &tensors,
                      int opset = 17) {
    EXPECT_NE(import(nodes, tensors, opset), CW_OK);
    EXPECT_NE(context.message().find(words), std::string::npos) << context.message();
    EXPECT_EQ(model.graph, nullptr);
    EXPECT_LT(context.largest, size_t{64} << 20) << words;
  }
  // The logit where an output is asked for as the command line does.
  void expect_chosen(float expected, const std::string &output, const std::vector<Message> &nodes,
                     const std::vector<Message> &tensors) {
    cw_output_choice choice = cw_output_choice_default();
    ASSERT_EQ(cw_output_choice_read(context, output.c_str(), &choice), CW_OK) << context.message();
    ASSERT_EQ(import(onnx_file::model(nodes, tensors, value("scan", {0, 1, 4, 4, 4}), value("y", {0, 1})), &choice),
              CW_OK)
        << context.message();
    EXPECT_NEAR(logit(), expected, 1e-6 * std::fabs(expected));
  }
  const std::vector<Message> scaled = behind_mean({node("Mul", {"mean", "w"}, "y")});

  TestContext context;
  cw_model model = {};
  fs::path folder;
  std::string path;
};
