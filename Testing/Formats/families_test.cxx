// Small members of the families that labs use, exported by PyTorch, against PyTorch's logits and input gradients.
// families.py made the files: float16 weights behind Casts, a symbolic batch, shapes computed by nodes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "counterwarp/onnx.h"
#include "Tensor/test_context.h"

namespace {

const std::string folder = std::string(CW_TEST_DATA) + "/families/";

struct Family {
  std::string name, choice;
  int size[3];  // D, H, W
};

std::vector<Family> families() {
  std::vector<Family> list;
  std::ifstream file(folder + "index.tsv");
  for (std::string line; std::getline(file, line);) {
    Family family;
    std::istringstream cells(line);
    cells >> family.name >> family.size[0] >> family.size[1] >> family.size[2] >> std::ws;
    std::getline(cells, family.choice);
    list.push_back(family);
  }
  return list;
}

std::vector<float> stored_values(const std::string &name) {
  std::ifstream file(folder + name + ".f32", std::ios::binary | std::ios::ate);
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char *>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

// `pattern` of the script.
float pixel(uint64_t i) {
  return static_cast<float>(static_cast<double>(i * 2654435761u % (uint64_t{1} << 32) / 256) / 8388608.0 - 1);
}

cw_preprocessing input_of(const Family &family) {
  cw_preprocessing preprocessing = {};
  for (int i = 0; i < 3; i++) {
    preprocessing.grid.size[i] = family.size[2 - i];
    preprocessing.grid.to_world.m[i][i] = 1;
  }
  return preprocessing;
}

cw_model import(TestContext &context, const Family &family) {
  const cw_preprocessing preprocessing = input_of(family);
  cw_output_choice choice = cw_output_choice_default();
  if (family.choice != "default") {
    EXPECT_EQ(cw_output_choice_read(context, family.choice.c_str(), &choice), CW_OK) << context.message();
  }
  cw_model model;
  EXPECT_EQ(cw_model_import(context, (folder + family.name + ".onnx").c_str(), &preprocessing, &choice, &model), CW_OK)
      << context.message();
  return model;
}

struct Result {
  std::vector<float> logits, gradient;
};

Result run(TestContext &context, const cw_model &model, int batch, int first) {
  Result result;
  cw_plan_options options = {};
  options.mode = CW_INPUT_GRADIENT;
  options.batch = batch;
  cw_plan *plan = nullptr;
  EXPECT_EQ(cw_plan_create(context, model.graph, &options, &plan), CW_OK) << context.message();
  if (!plan)
    return result;
  const cw_value image = cw_graph_input_at(model.graph, 0), logit = cw_graph_output_at(model.graph, 0);
  const uint64_t samples = cw_grid_samples(&model.preprocessing.grid), count = samples * static_cast<uint64_t>(batch);
  for (uint64_t i = 0; i < count; i++)
    cw_plan_data(plan, image)[i] = pixel(samples * static_cast<uint64_t>(first) + i);
  cw_plan_forward(plan);
  for (int i = 0; i < batch; i++)
    cw_plan_gradient(plan, logit)[i] = 1;
  cw_plan_backward(plan);
  result.logits.assign(cw_plan_data(plan, logit), cw_plan_data(plan, logit) + batch);
  result.gradient.assign(cw_plan_gradient(plan, image), cw_plan_gradient(plan, image) + count);
  cw_plan_free(context, plan);
  return result;
}

TEST(Families, LogitsAndGradientsArePyTorchs) {
  const std::vector<Family> list = families();
  ASSERT_GE(list.size(), 10u);
  for (const Family &family : list) {
    TestContext context;
    cw_model model = import(context, family);
    ASSERT_NE(model.graph, nullptr) << family.name;
    const std::vector<float> expected = stored_values(family.name);
    const Result result = run(context, model, 2, 0);
    for (size_t i = 0; i < 2; i++)
      EXPECT_NEAR(result.logits[i], expected[i], 1e-4f * std::max(1.0f, std::fabs(expected[i]))) << family.name;
    double difference = 0, norm = 0;
    ASSERT_EQ(expected.size() - 2, (result.gradient.size() + 30) / 31) << family.name;
    for (size_t i = 0; i + 2 < expected.size(); i++) {
      difference += std::pow(static_cast<double>(result.gradient[31 * i]) - expected[i + 2], 2);
      norm += std::pow(expected[i + 2], 2);
    }
    EXPECT_GT(norm, 0) << family.name;
    EXPECT_LT(std::sqrt(difference / norm), 1e-4) << family.name;
    // A batch is its samples.
    const Result second = run(context, model, 1, 1);
    EXPECT_NEAR(second.logits[0], result.logits[1], 1e-4f * std::max(1.0f, std::fabs(expected[1]))) << family.name;
    cw_model_free(context, &model);
    EXPECT_EQ(context.leaked(), 0) << family.name;
  }
}

// What was imported leaves as a file of standard operators that reads back to the same bits, and is written again to
// the same bytes.
TEST(Families, FilesReadBackToTheSameBits) {
  for (const Family &family : families()) {
    TestContext context;
    cw_model model = import(context, family);
    ASSERT_NE(model.graph, nullptr) << family.name;
    const std::string path = testing::TempDir() + "families-" + family.name + ".onnx", twice = path + ".twice";
    ASSERT_EQ(cw_model_write(context, path.c_str(), &model), CW_OK) << family.name << context.message();
    cw_model back;
    ASSERT_EQ(cw_model_read(context, path.c_str(), &back), CW_OK) << family.name << context.message();
    const Result first = run(context, model, 2, 0), again = run(context, back, 2, 0);
    EXPECT_EQ(first.logits, again.logits) << family.name;
    EXPECT_EQ(first.gradient, again.gradient) << family.name;
    ASSERT_EQ(cw_model_write(context, twice.c_str(), &back), CW_OK) << context.message();
    std::ifstream a(path, std::ios::binary), b(twice, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(a)), {}), more((std::istreambuf_iterator<char>(b)), {});
    EXPECT_TRUE(bytes == more) << family.name;
    std::remove(path.c_str());
    std::remove(twice.c_str());
    cw_model_free(context, &back);
    cw_model_free(context, &model);
    EXPECT_EQ(context.leaked(), 0) << family.name;
  }
}

// Layer by layer memory and fused chains give the bits of plain ones, on any number of threads.
TEST(Families, SameBitsOnAnyNumberOfThreads) {
  for (const Family &family : families()) {
    Result results[2];
    for (int threads : {1, 3}) {
      TestContext context(threads);
      cw_model model = import(context, family);
      ASSERT_NE(model.graph, nullptr);
      results[threads / 2] = run(context, model, 1, 0);
      cw_model_free(context, &model);
    }
    EXPECT_EQ(results[0].logits, results[1].logits) << family.name;
    EXPECT_EQ(results[0].gradient, results[1].gradient) << family.name;
  }
}

TEST(Families, Description) {
  TestContext context;
  cw_model_description d;
  ASSERT_EQ(cw_model_describe(context, (folder + "densenet121.onnx").c_str(), &d), CW_OK) << context.message();
  EXPECT_EQ(d.opset, 17);
  EXPECT_EQ(d.inputs.count, 1);
  EXPECT_STREQ(d.inputs.item[0], "image: float32 N x 1 x 32 x 32 x 32");
  EXPECT_STREQ(d.outputs.item[0], "out: float32 N x 2");
  EXPECT_EQ(d.input_size[0], 32);
  EXPECT_EQ(d.unsupported.count, 0);
  EXPECT_EQ(d.files.count, 0);
  EXPECT_GT(d.parameters, 1000);
  EXPECT_TRUE(cw_strings_contain(&d.operators, "Gemm 1"));
  cw_model_description_free(context, &d);
  EXPECT_EQ(context.leaked(), 0);
}

// The same network under other choices of its output.
TEST(Families, OutputChoices) {
  TestContext context;
  Family family = {"densenet121", "default", {32, 32, 32}};
  const auto logit = [&](const char *choice) {
    family.choice = choice;
    cw_model model = import(context, family);
    const float value = model.graph ? run(context, model, 1, 0).logits[0] : NAN;
    cw_model_free(context, &model);
    return value;
  };
  const float one = logit("1 alone"), zero = logit("0 alone"), scale = std::fabs(one) + std::fabs(zero);
  EXPECT_NEAR(logit("default"), one - zero, 1e-6 * scale);
  EXPECT_NEAR(logit("1"), one - zero, 1e-6 * scale);
  EXPECT_NEAR(logit("0"), zero - one, 1e-6 * scale);
  EXPECT_NEAR(logit("0 against 1"), zero - one, 1e-6 * scale);
  family = {"sfcn", "3 alone", {32, 32, 32}};
  const auto each = [&](int c) { return logit((std::to_string(c) + " alone").c_str()); };
  double others = 0;
  for (int c : {0, 1, 2, 4})
    others += std::exp(each(c));
  EXPECT_NEAR(logit("3"), each(3) - std::log(others), 1e-5);
}

TEST(Families, RefusesChoicesThatAreNone) {
  TestContext context;
  const Family dense = {"densenet121", "default", {32, 32, 32}}, sfcn = {"sfcn", "default", {32, 32, 32}};
  const auto expect_refused = [&](const Family &family, const char *text, const char *words) {
    cw_output_choice choice = cw_output_choice_default();
    cw_status status = *text ? cw_output_choice_read(context, text, &choice) : CW_OK;
    const cw_preprocessing preprocessing = input_of(family);
    cw_model model = {};
    if (status == CW_OK)
      status = cw_model_import(context, (folder + family.name + ".onnx").c_str(), &preprocessing, &choice, &model);
    EXPECT_NE(status, CW_OK) << text;
    EXPECT_NE(context.message().find(words), std::string::npos) << context.message();
  };
  expect_refused(dense, "2", "which class is the patients'");
  expect_refused(dense, "1 against 7", "which class is the patients'");
  expect_refused(sfcn, "", "which class is the patients'");
  for (const char *text : {"one", "1 2", "1 against", "1 against 1", "1 alonee", "-1", "12345678"})
    expect_refused(dense, text, "should be");
  const Family small = {"densenet121", "default", {16, 32, 32}};
  expect_refused(small, "", "grid asks for");
}

}  // namespace
