// Any bytes as an ONNX file: a foreign classifier with one of several output choices, and a file of this library.  Each
// reader gives a model or a sentence, and never asks for more memory than the file can justify; what is read describes
// itself, goes forward if that is little work, and is written to a file that reads back.  Nothing is left behind.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "counterwarp/onnx.h"

namespace {

constexpr size_t most = size_t{1} << 28;                                    // of one allocation, by any call
constexpr size_t reading = size_t{1} << 27, reading_per_byte = 64;          // of all that one reader asks for
constexpr int64_t least_work = int64_t{1} << 24, cells = int64_t{1} << 21;  // multiplications, and numbers, of a pass

struct Limited {
  Limited() {
    cw_context_options options = {};
    options.allocate = [](void *user, size_t bytes) -> void * {
      auto *self = static_cast<Limited *>(user);
      self->asked += bytes;
      void *memory = bytes > most ? nullptr : std::malloc(bytes);
      self->live += memory != nullptr;
      return memory;
    };
    options.release = [](void *user, void *memory) {
      static_cast<Limited *>(user)->live -= memory != nullptr;
      std::free(memory);
    };
    options.user = this;
    options.threads = 1;
    if (cw_context_create(&options, &context) != CW_OK)
      std::abort();
    path = "/tmp/counterwarp-fuzz-" + std::to_string(getpid()) + ".onnx";
    written = path + ".written.onnx";
  }
  ~Limited() {
    unlink(path.c_str());
    unlink(written.c_str());
    cw_context_free(context);
  }
  void expect(bool holds, const char *what) const {
    if (holds)
      return;
    std::fprintf(stderr, "%s (the last message: %s)\n", what, cw_context_message(context));
    std::abort();
  }
  // What a reader gave, for a file of `count` bytes.
  bool read(cw_status status, size_t count) {
    expect(status == CW_OK || *cw_context_message(context), "a refusal without a sentence");
    expect(asked <= reading + reading_per_byte * count, "reading asked for more memory than the file can justify");
    asked = 0;
    return status == CW_OK;
  }

  cw_context *context = nullptr;
  std::string path, written;
  size_t asked = 0;
  long live = 0;
};

// Numbers that a forward pass holds, and a bound on its multiplications: values times the weights that each may read.
bool little_work(const cw_graph *graph) {
  int64_t held = 0, work = 0;
  for (int i = 0; i < cw_graph_node_count(graph); i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    const int64_t out = cw_shape_elements(cw_value_shape(graph, node.output), 1);
    int64_t each = node.attributes->kernel[0] * int64_t{node.attributes->kernel[1]} * node.attributes->kernel[2];
    for (int k = 0; k < node.input_count; k++)
      each = std::max(each, cw_shape_elements(cw_value_shape(graph, node.inputs[k]), 1) /
                                (cw_value_data(graph, node.inputs[k]) ? 1 : std::max<int64_t>(out / 64, 1)));
    held += out;
    work += out > least_work || each > least_work ? least_work : out * each;
    if (held > cells || work > least_work)
      return false;
  }
  return true;
}

void forward(const Limited &limited, const cw_graph *graph) {
  cw_plan_options options = {};
  options.mode = CW_INFERENCE;
  options.batch = 1;
  cw_plan *plan = nullptr;
  if (!little_work(graph) || cw_plan_create(limited.context, graph, &options, &plan) != CW_OK)
    return;
  for (int i = 0; i < cw_graph_input_count(graph); i++) {
    const cw_value input = cw_graph_input_at(graph, i);
    const int64_t count = cw_shape_elements(cw_value_shape(graph, input), 1);
    for (int64_t k = 0; k < count; k++)
      cw_plan_data(plan, input)[k] = static_cast<float>(k % 7) / 3 - 1;
  }
  cw_plan_forward(plan);
  cw_plan_free(limited.context, plan);
}

void use(Limited &limited, cw_model &model) {
  forward(limited, model.graph);
  if (cw_model_write(limited.context, limited.written.c_str(), &model) == CW_OK) {
    cw_model back = {};
    limited.expect(cw_model_read(limited.context, limited.written.c_str(), &back) == CW_OK,
                   "a file that was written does not read back");
    cw_model_free(limited.context, &back);
  }
  cw_model_free(limited.context, &model);
}

// One of the choices, by the file's bytes, so that the same file always gets the same.
cw_output_choice choice_for(const uint8_t *bytes, size_t count) {
  static const cw_output_choice choices[] = {{nullptr, -1, -1, false}, {nullptr, 0, -1, false}, {nullptr, 1, 0, false},
                                             {nullptr, 1, -1, true},   {nullptr, 3, -1, false}, {"out", -1, -1, false}};
  uint32_t sum = 2166136261u;
  for (size_t i = 0; i < count; i++)
    sum = (sum ^ bytes[i]) * 16777619u;
  const uint32_t at = (sum >> 16) % 12;
  return choices[at < 6 ? at : 0];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  static Limited limited;
  cw_context *context = limited.context;
  const char *path = limited.path.c_str();
  std::FILE *file = std::fopen(path, "wb");
  if (!file || std::fwrite(bytes, 1, count, file) != count)
    std::abort();
  std::fclose(file);
  const cw_output_choice choice = choice_for(bytes, count);
  const long before = limited.live;
  cw_preprocessing preprocessing = {};
  preprocessing.normalization = CW_NORMALIZE_NONE;
  for (int i = 0; i < 3; i++) {
    preprocessing.grid.size[i] = 8 - i;
    preprocessing.grid.to_world.m[i][i] = 1;
  }
  cw_model model = {};
  cw_model_description description = {};
  limited.asked = 0;
  if (limited.read(cw_model_describe(context, path, &description), count)) {
    for (int i = 0; i < 3; i++)  // the size that the file asks for
      if (description.input_size[i] > 0 && description.input_size[i] <= 64)
        preprocessing.grid.size[2 - i] = static_cast<int>(description.input_size[i]);
    cw_model_description_free(context, &description);
  }
  limited.asked = 0;
  if (limited.read(cw_model_import(context, path, &preprocessing, &choice, &model), count))
    use(limited, model);
  limited.asked = 0;
  if (limited.read(cw_model_read(context, path, &model), count))
    use(limited, model);
  limited.expect(limited.live == before, "memory was not released");
  return 0;
}
