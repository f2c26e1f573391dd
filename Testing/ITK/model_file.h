// A simulator whose output is known, in a file, as the filters' users have one.
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

// Writes the fake simulator, or with `classifier` a classifier of the same logit; throws nothing, expects success.
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

}  // namespace itk_test
