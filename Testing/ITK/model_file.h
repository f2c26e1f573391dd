// Models whose output is known, in files, as the filters' users have them.
#pragma once

#include <filesystem>
#include <string>

#include "itkCounterwarpModel.h"
#include "Results/fake_model.h"

namespace itk_test {

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "counterwarp-itk-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      std::abort();
    path_ = pattern;
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  std::string name(const std::string &file) const { return (path_ / file).string(); }

 private:
  std::filesystem::path path_;
};

// Writes the fake simulator; throws nothing, expects success.
inline void write_model(const results_test::FakeModel &fake, const std::string &file,
                        const std::vector<float> &template_samples = {}) {
  cw_context *context = nullptr;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  cw_model model = {};
  ASSERT_EQ(fake.Build(context, &model), CW_OK) << cw_context_message(context);
  model.provenance = cw_copy_string(context, "");
  if (!template_samples.empty()) {
    model.template_samples = static_cast<float *>(cw_allocate(context, template_samples.size(), sizeof(float)));
    std::copy(template_samples.begin(), template_samples.end(), model.template_samples);
  }
  EXPECT_EQ(cw_model_write(context, file.c_str(), &model), CW_OK) << cw_context_message(context);
  cw_model_free(context, &model);
  cw_context_free(context);
}

inline itk::CounterwarpModel::Pointer read_model(const results_test::FakeModel &fake,
                                                 const std::vector<float> &template_samples = {}) {
  const Folder folder;
  write_model(fake, folder.name("model.onnx"), template_samples);
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(folder.name("model.onnx"));
  return model;
}

// Writes a classifier; the graph stays the caller's.
inline void write_classifier(cw_context *context, cw_graph *graph, const cw_grid &grid, const std::string &file) {
  cw_model model = {};
  model.kind = CW_MODEL_CLASSIFIER;
  model.graph = graph;
  model.preprocessing = {grid, CW_NORMALIZE_PERCENTILE, 99.5, 0};
  model.provenance = cw_copy_string(context, "");
  EXPECT_EQ(cw_model_write(context, file.c_str(), &model), CW_OK) << cw_context_message(context);
  model.graph = nullptr;
  cw_model_free(context, &model);
}

// A classifier with the fake simulator's logit, w . image + b.
inline cw_status linear_classifier(cw_context *context, const results_test::FakeModel &fake, cw_graph **graph) {
  const int64_t nx = fake.grid.size[0], ny = fake.grid.size[1], nz = fake.grid.size[2], n = nx * ny * nz;
  cw_value image, row, bias, flat, logit;
  const cw_attributes plain = cw_attributes_default();
  cw_attributes to_row = plain;
  to_row.shape = CW_SHAPE(CW_BATCH, n);
  CW_TRY(cw_graph_create(context, graph));
  CW_TRY(cw_graph_input(context, *graph, "image", CW_SHAPE(CW_BATCH, 1, nz, ny, nx), &image));
  CW_TRY(cw_graph_parameter(context, *graph, "row", CW_SHAPE(1, n), true, fake.w.data(), &row));
  CW_TRY(cw_graph_parameter(context, *graph, "bias", CW_SHAPE(1), true, &fake.b, &bias));
  CW_TRY(cw_graph_node(context, *graph, CW_OP_RESHAPE, "flat", &to_row, &image, 1, &flat));
  const cw_value in[] = {flat, row, bias};
  CW_TRY(cw_graph_node(context, *graph, CW_OP_GEMM, "logit", &plain, in, 3, &logit));
  return cw_graph_output(context, *graph, logit);
}

inline itk::CounterwarpModel::Pointer read_classifier(const results_test::FakeModel &fake) {
  const Folder folder;
  const std::string file = folder.name("classifier.onnx");
  cw_context *context = nullptr;
  cw_graph *graph = nullptr;
  EXPECT_EQ(cw_context_create(nullptr, &context), CW_OK);
  EXPECT_EQ(linear_classifier(context, fake, &graph), CW_OK) << cw_context_message(context);
  write_classifier(context, graph, fake.grid, file);
  cw_graph_free(context, graph);
  cw_context_free(context);
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(file);
  return model;
}

}  // namespace itk_test
