// Any bytes as an ONNX file: the reader gives a model or a sentence, and never asks for more memory than is sensible.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "counterwarp/onnx.h"

namespace {

constexpr size_t most = size_t{1} << 28;

struct Limited {
  Limited() {
    cw_context_options options = {};
    options.allocate = [](void *, size_t bytes) -> void * { return bytes > most ? nullptr : std::malloc(bytes); };
    options.release = [](void *, void *memory) { std::free(memory); };
    options.threads = 1;
    if (cw_context_create(&options, &context) != CW_OK)
      std::abort();
    path = "/tmp/counterwarp-fuzz-" + std::to_string(getpid()) + ".onnx";
  }
  ~Limited() {
    unlink(path.c_str());
    cw_context_free(context);
  }
  cw_context *context = nullptr;
  std::string path;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  static Limited limited;
  std::FILE *file = std::fopen(limited.path.c_str(), "wb");
  if (!file || std::fwrite(bytes, 1, count, file) != count)
    std::abort();
  std::fclose(file);
  cw_preprocessing preprocessing = {};
  for (int i = 0; i < 3; i++) {
    preprocessing.grid.size[i] = 32;
    preprocessing.grid.to_world.m[i][i] = 1;
  }
  cw_model model = {};
  cw_model_description description = {};
  if (cw_model_import(limited.context, limited.path.c_str(), &preprocessing, nullptr, &model) != CW_OK &&
      !*cw_context_message(limited.context))
    std::abort();
  cw_model_free(limited.context, &model);
  if (cw_model_describe(limited.context, limited.path.c_str(), &description) == CW_OK)
    cw_model_description_free(limited.context, &description);
  return 0;
}
