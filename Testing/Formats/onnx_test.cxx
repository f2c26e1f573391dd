// Models as ONNX files: what is written is read back to the bit, and what is no good file is refused.
#include <gtest/gtest.h>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "counterwarp/random.h"
#include "Formats/model_samples.h"
#include "Tensor/test_context.h"

namespace {

namespace fs = std::filesystem;
using Bytes = std::string;

struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "counterwarp-onnx-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char *name) const { return (path / name).string(); }
  fs::path path;
};

Bytes slurp(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void spill(const std::string &path, const Bytes &bytes) {
  fs::remove(path);  // some file systems flush what is written over
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Replaces every occurrence by a text of the same length, so that the file's lengths stay right.
Bytes replaced(Bytes bytes, const Bytes &from, const Bytes &to) {
  EXPECT_EQ(from.size(), to.size());
  size_t at = bytes.find(from);
  EXPECT_NE(at, Bytes::npos) << from;
  for (; at != Bytes::npos; at = bytes.find(from, at + to.size()))
    bytes.replace(at, to.size(), to);
  return bytes;
}

std::vector<std::string> items(const cw_strings &strings) {
  return std::vector<std::string>(strings.item, strings.item + strings.count);
}

// Everything that a node means: operator, the attributes that the operator reads, and its inputs by name.
std::string meaning(const cw_graph *graph, const cw_node_view &node, std::map<std::string, std::string> &alias) {
  const cw_attributes &a = *node.attributes;
  const auto known = [&](const std::string &name) { return alias.count(name) ? alias[name] : name; };
  std::string text = std::string(cw_operator_name(node.op)) + " " + known(cw_value_name(graph, node.output)) + ":";
  for (int k = 0; k < node.input_count; k++)
    text += " " + (node.inputs[k] == CW_NONE ? "" : known(cw_value_name(graph, node.inputs[k])));
  const auto ints = [&](const int *p, int count) {
    for (int i = 0; i < count; i++)
      text += " " + std::to_string(p[i]);
  };
  const auto bits = [&](float value) {
    char number[32];
    snprintf(number, sizeof number, " %a", static_cast<double>(value));
    text += number;
  };
  switch (node.op) {
    case CW_OP_CONV:
    case CW_OP_COND_CONV:
      bits(a.ratio);
      [[fallthrough]];
    case CW_OP_MAX_POOL:
    case CW_OP_AVERAGE_POOL:
      ints(a.kernel, 3);
      ints(a.stride, 3);
      ints(a.dilation, 3);
      ints(a.pads, 6);
      ints(&a.groups, 1);
      break;
    case CW_OP_BATCH_NORM:
      bits(a.epsilon);
      bits(a.momentum);
      text += a.frozen ? " frozen" : "";
      break;
    case CW_OP_LEAKY_RELU:
      bits(a.alpha);
      break;
    case CW_OP_RESIZE_NEAREST:
    case CW_OP_RESIZE_LINEAR:
      ints(a.scale, 3);
      break;
    case CW_OP_TAPER:
      ints(&a.margin, 1);
      break;
    default:
      break;
  }
  char shape[96];
  cw_shape_text(cw_value_shape(graph, node.output), shape);
  return text + " -> " + shape;
}

// Nodes in order; dropouts are left out as the file leaves them out, and outputs get the names that files give them.
std::vector<std::string> meanings(const cw_model &model) {
  const cw_graph *graph = model.graph;
  std::vector<std::string> list;
  std::map<std::string, std::string> alias;
  if (model.kind == CW_MODEL_SIMULATOR)
    alias[cw_value_name(graph, cw_graph_output_at(graph, 0))] =
        model.field == CW_FIELD_VELOCITY ? "velocity" : "displacement";
  alias[cw_value_name(graph, cw_graph_output_at(graph, cw_graph_output_count(graph) - 1))] = "logit";
  for (int i = 0; i < cw_graph_node_count(graph); i++) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    if (node.op == CW_OP_DROPOUT)
      alias[node.name] = cw_value_name(graph, node.inputs[0]);
    else
      list.push_back(meaning(graph, node, alias));
  }
  return list;
}

// Parameters, buffers and inputs: name, kind, shape and bits.
std::vector<std::string> values(const cw_graph *graph) {
  std::vector<std::string> list;
  for (cw_value v = 0; v < cw_graph_value_count(graph); v++) {
    const cw_value_kind kind = cw_value_kind_of(graph, v);
    if (kind == CW_VALUE_ACTIVATION)
      continue;
    char shape[96];
    cw_shape_text(cw_value_shape(graph, v), shape);
    std::string text = std::string(cw_value_name(graph, v)) + " " + std::to_string(kind) + " " + shape + " ";
    if (const float *data = cw_value_data(graph, v))
      text.append(reinterpret_cast<const char *>(data),
                  static_cast<size_t>(cw_shape_elements(cw_value_shape(graph, v), 1)) * sizeof(float));
    list.push_back(text);
  }
  std::sort(list.begin(), list.end());
  for (int i = 0; i < cw_graph_input_count(graph); i++)
    list.push_back(std::string("input ") + cw_value_name(graph, cw_graph_input_at(graph, i)));
  return list;
}

void expect_same(const cw_model &a, const cw_model &b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.field, b.field);
  EXPECT_EQ(0, std::memcmp(&a.preprocessing.grid, &b.preprocessing.grid, sizeof a.preprocessing.grid));
  EXPECT_EQ(a.preprocessing.normalization, b.preprocessing.normalization);
  EXPECT_EQ(a.preprocessing.high, b.preprocessing.high);
  EXPECT_EQ(items(a.trained_on), items(b.trained_on));
  EXPECT_EQ(items(a.held_out), items(b.held_out));
  EXPECT_STREQ(a.provenance ? a.provenance : "", b.provenance ? b.provenance : "");
  EXPECT_EQ(a.template_samples == nullptr, b.template_samples == nullptr);
  if (a.template_samples && b.template_samples) {
    EXPECT_EQ(
        0, std::memcmp(a.template_samples, b.template_samples, cw_grid_samples(&a.preprocessing.grid) * sizeof(float)));
  }
  const std::vector<std::string> nodes = meanings(a), others = meanings(b);
  ASSERT_EQ(nodes.size(), others.size());
  for (size_t i = 0; i < nodes.size(); i++)
    EXPECT_EQ(nodes[i], others[i]);
  EXPECT_TRUE(values(a.graph) == values(b.graph)) << "parameters or inputs differ";
}

std::vector<float> drawn(size_t count, uint64_t seed) {
  std::vector<float> list(count);
  cw_random random = cw_random_stream(seed, 0);
  for (float &value : list)
    value = static_cast<float>(cw_random_unit(&random));
  return list;
}

// Logits and, from a simulator, fields of both directions.
std::vector<float> applied(cw_context *context, const cw_model &model, int count) {
  const size_t samples = cw_grid_samples(&model.preprocessing.grid);
  const std::vector<float> in = drawn(samples * static_cast<size_t>(count), 5);
  std::vector<float> all(static_cast<size_t>(count));
  check(context, cw_model_logits(context, &model, in.data(), count, all.data()));
  for (float direction : {1.0f, -1.0f}) {
    if (model.kind == CW_MODEL_CLASSIFIER)
      break;
    std::vector<float> field(3 * samples * static_cast<size_t>(count));
    check(context, cw_model_fields(context, &model, in.data(), count, direction, field.data()));
    all.insert(all.end(), field.begin(), field.end());
  }
  return all;
}

bool same_bits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && !std::memcmp(a.data(), b.data(), a.size() * sizeof(float));
}

// Every field and bit comes back, the network computes the same bits, and a second file has the bytes of the first.
void round_trip(TestContext &context, cw_model model) {
  const Folder folder;
  const std::string first = folder / "first.onnx", second = folder / "second.onnx";
  ASSERT_EQ(cw_model_write(context, first.c_str(), &model), CW_OK) << context.message();
  cw_model back;
  ASSERT_EQ(cw_model_read(context, first.c_str(), &back), CW_OK) << context.message();
  expect_same(model, back);
  EXPECT_EQ(model.image_output, back.image_output);
  EXPECT_TRUE(same_bits(applied(context, model, 1), applied(context, back, 1)));
  ASSERT_EQ(cw_model_write(context, second.c_str(), &back), CW_OK) << context.message();
  EXPECT_TRUE(slurp(first) == slurp(second)) << "the second file differs from the first";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()), 2) << "a part is left over";
  cw_model_free(context, &back);
  cw_model_free(context, &model);
}

TEST(OnnxRoundTrip, Classifier) {
  TestContext context;
  round_trip(context, sample_classifier(context, 32, 1));
  EXPECT_EQ(context.leaked(), 0);
}

TEST(OnnxRoundTrip, SimulatorOfVelocities) {
  TestContext context;
  round_trip(context, sample_simulator(context, 32, CW_FIELD_VELOCITY, false, 2));
  EXPECT_EQ(context.leaked(), 0);
}

TEST(OnnxRoundTrip, SimulatorOfDisplacementsRoutedByDirection) {
  TestContext context;
  round_trip(context, sample_simulator(context, 32, CW_FIELD_DISPLACEMENT, true, 3));
  EXPECT_EQ(context.leaked(), 0);
}

// The image is for others: what is read is the same network.
TEST(OnnxRoundTrip, SimulatorsWithTheirImage) {
  TestContext context;
  for (const cw_field_model field : {CW_FIELD_VELOCITY, CW_FIELD_DISPLACEMENT}) {
    cw_model model = sample_simulator(context, 32, field, false, 2);
    model.image_output = true;
    round_trip(context, model);
  }
  cw_model model = sample_of_everything(context);
  model.image_output = true;
  round_trip(context, model);
  EXPECT_EQ(context.leaked(), 0);
}

TEST(OnnxRoundTrip, EveryOperator) {
  TestContext context;
  round_trip(context, sample_of_everything(context));
  EXPECT_EQ(context.leaked(), 0);
}

TEST(OnnxRoundTrip, LeastMetadata) {
  TestContext context;
  cw_model model = sample_of_everything(context);
  cw_release(context, model.template_samples);
  cw_release(context, model.provenance);
  model.template_samples = nullptr;
  model.provenance = nullptr;
  cw_strings_free(context, &model.trained_on);
  cw_strings_free(context, &model.held_out);
  model.preprocessing.normalization = CW_NORMALIZE_ZSCORE;
  model.preprocessing.high = 99.5;
  round_trip(context, model);
}

// A host that counts in commas must not change what stands in a file.
TEST(OnnxRoundTrip, CommaLocale) {
  TestContext context;
  const Folder folder;
  cw_model model = sample_of_everything(context);
  check(context, cw_model_write(context, (folder / "point.onnx").c_str(), &model));
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  const char *comma = nullptr;
  for (const char *name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8"})
    comma = comma ? comma : std::setlocale(LC_NUMERIC, name);
  if (comma) {
    EXPECT_EQ(cw_model_write(context, (folder / "comma.onnx").c_str(), &model), CW_OK);
    cw_model back;
    EXPECT_EQ(cw_model_read(context, (folder / "point.onnx").c_str(), &back), CW_OK) << context.message();
    EXPECT_TRUE(slurp(folder / "point.onnx") == slurp(folder / "comma.onnx"));
    cw_model_free(context, &back);
  }
  std::setlocale(LC_NUMERIC, before.c_str());
  cw_model_free(context, &model);
  if (!comma)
    GTEST_SKIP() << "no locale with a decimal comma is installed";
}

class OnnxFile : public testing::Test {
 protected:
  void SetUp() override {
    model = sample_of_everything(context);
    path = folder / "model.onnx";
    check(context, cw_model_write(context, path.c_str(), &model));
    good = slurp(path);
    context.reset();
  }
  void TearDown() override {
    EXPECT_EQ(context.leaked(), 0);
    cw_model_free(context, &model);
  }
  // Reads bytes as a file; frees what was read.
  cw_status read(const Bytes &bytes) {
    spill(path, bytes);
    cw_model back;
    const cw_status status = cw_model_read(context, path.c_str(), &back);
    if (status != CW_OK) {
      EXPECT_EQ(back.graph, nullptr);
      EXPECT_NE(context.message().find(status == CW_ERROR_MEMORY ? "memory" : path), std::string::npos)
          << context.message();
    }
    cw_model_free(context, &back);
    return status;
  }
  void expect_refused(const Bytes &bytes, cw_status status, const std::string &words) {
    EXPECT_EQ(read(bytes), status) << context.message();
    EXPECT_NE(context.message().find(words), std::string::npos) << context.message();
  }
  // The message of a write that must fail and leave the earlier file as it was.
  std::string refused_write(cw_status status) {
    EXPECT_EQ(cw_model_write(context, path.c_str(), &model), status) << context.message();
    EXPECT_TRUE(slurp(path) == good) << "the earlier file was touched";
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()), 1) << "a part is left";
    return context.message();
  }
  TestContext context;
  Folder folder;
  cw_model model = {};
  std::string path;
  Bytes good;
};

TEST_F(OnnxFile, RefusesOtherFiles) {
  EXPECT_EQ(read(good), CW_OK);
  expect_refused("", CW_ERROR_FORMAT, "empty");
  expect_refused("This is no model.", CW_ERROR_FORMAT, "not an ONNX file");
  expect_refused(good.substr(0, good.size() - 1), CW_ERROR_FORMAT, "not an ONNX file");
  cw_model back;
  EXPECT_EQ(cw_model_read(context, (folder / "absent.onnx").c_str(), &back), CW_ERROR_FILE);
  EXPECT_NE(context.message().find("absent.onnx"), std::string::npos);
  EXPECT_EQ(cw_model_read(context, folder.path.c_str(), &back), CW_ERROR_FILE);
}

TEST_F(OnnxFile, RefusesWrongMetadata) {
  const std::string key = "counterwarp.";
  for (const char *name : {"kind", "grid_size", "grid_to_lps_mm", "normalization", "field"})
    expect_refused(replaced(good, key + name, key + "x" + std::string(name).substr(1)), CW_ERROR_FORMAT,
                   key + name + "' is missing");
  expect_refused(replaced(good, "held_out", "template"), CW_ERROR_FORMAT, "given twice");
  expect_refused(replaced(good, "simulator", "simulatox"), CW_ERROR_FORMAT, "classifier or simulator");
  expect_refused(replaced(good, "percentile 99", "percentile xx"), CW_ERROR_FORMAT, "1 numbers");
  expect_refused(replaced(good, "percentile 99", "percentile -9"), CW_ERROR_ARGUMENT, "percentile");
  expect_refused(replaced(good, "percentile ", "percentage "), CW_ERROR_FORMAT, "none, zscore, zscore all");
  expect_refused(replaced(good, "8 6 4", "8 6 9"), CW_ERROR_SHAPE, "grid");
  expect_refused(replaced(good, "8 6 4", "8 6  "), CW_ERROR_FORMAT, "3 numbers");
  expect_refused(replaced(good, "8 6 4", "8 6 0"), CW_ERROR_FORMAT, "1 to 1024");
  expect_refused(replaced(good, "8 6 4", "864 4"), CW_ERROR_FORMAT, "3 numbers");
  expect_refused(replaced(good, "17.25", "nan  "), CW_ERROR_FORMAT, "12 numbers");
  expect_refused(replaced(good, "sub-03\n", "sub-03%"), CW_ERROR_FORMAT, "escapes");
  expect_refused(replaced(good, "counterwarp.template", "counterwarp.xemplate"), CW_OK, "");
}

TEST_F(OnnxFile, RefusesTemplatesThatDoNotFit) {
  const size_t key = good.find("counterwarp.template");
  ASSERT_NE(key, Bytes::npos);
  Bytes bad = good;
  bad[key + 40] = '!';
  expect_refused(bad, CW_ERROR_FORMAT, "base64");
}

TEST_F(OnnxFile, RefusesGraphsItCannotRun) {
  expect_refused(replaced(good, "LeakyRelu", "LeakyRely"), CW_ERROR_UNSUPPORTED,
                 "node 'leaky' has the operator 'LeakyRely'");
  expect_refused(replaced(good, "Sigmoid", "Softmax"), CW_ERROR_UNSUPPORTED, "the batch does not stay");
  expect_refused(replaced(good, "GlobalAveragePool", "GlobalAveragePoxl"), CW_ERROR_UNSUPPORTED, "GlobalAveragePoxl");
  expect_refused(replaced(good, "asymmetric", "asymmetrix"), CW_ERROR_UNSUPPORTED, "nearest");
  expect_refused(replaced(good, "half_pixel", "half_pixex"), CW_ERROR_UNSUPPORTED, "linear");
  expect_refused(replaced(good, "transB", "transA"), CW_ERROR_UNSUPPORTED, "");
  expect_refused(replaced(good, "epsilon", "epsilom"), CW_ERROR_UNSUPPORTED, "attribute 'epsilom'");
  expect_refused(replaced(good, "softmax", "sigmoid"), CW_ERROR_FORMAT, "given twice");
  expect_refused(replaced(good, "norm.mean", "norm.nean").replace(good.find("norm.mean"), 9, "norm.mean"),
                 CW_ERROR_FORMAT, "which nothing provides");
  expect_refused(replaced(good, "direction", "directiom"), CW_ERROR_FORMAT, "expected 'direction'");
  expect_refused(replaced(good, "velocity", "velocitx"), CW_ERROR_FORMAT, "velocity or displacement");
  expect_refused(replaced(good, "logit.w", "logit.b"), CW_ERROR_FORMAT, "given twice");
}

// "leaky" is made to read "pool", which depends on it.
TEST_F(OnnxFile, RefusesCycles) {
  Bytes bad = good;
  const size_t leaky = bad.find("\n\x04norm");  // the only input of "leaky", with its length
  ASSERT_NE(leaky, Bytes::npos);
  bad.replace(leaky + 2, 4, "pool");
  expect_refused(bad, CW_ERROR_FORMAT, "which is not computed before it");
}

TEST_F(OnnxFile, RefusesWeightsThatAreNotFinite) {
  const float *weights = cw_value_data(model.graph, cw_graph_find(model.graph, "grouped.w"));
  const Bytes pattern(reinterpret_cast<const char *>(weights), 8);
  for (const char *value : {"\0\0\x80\x7f", "\0\0\x80\xff", "\1\0\xc0\x7f"})
    expect_refused(replaced(good, pattern, Bytes(value, 4) + pattern.substr(4)), CW_ERROR_NUMERIC,
                   "tensor 'grouped.w' is not finite at element 0");
  const float *variance = cw_value_data(model.graph, cw_graph_find(model.graph, "norm.variance"));
  Bytes negative(reinterpret_cast<const char *>(variance), 4);
  negative[3] = static_cast<char>(negative[3] | 0x80);
  expect_refused(replaced(good, Bytes(reinterpret_cast<const char *>(variance), 4), negative), CW_ERROR_UNSUPPORTED,
                 "variance is negative");
}

// Without the note about its margin, a taper is a multiplication like any other; with it, the window must be its own.
TEST_F(OnnxFile, RecognisesTapersByTheirNote) {
  spill(path, replaced(good, "counterwarp margin=1", "counterwarp xargin=1"));
  cw_model back;
  ASSERT_EQ(cw_model_read(context, path.c_str(), &back), CW_OK) << context.message();
  EXPECT_TRUE(same_bits(applied(context, model, 1), applied(context, back, 1)));
  cw_model_free(context, &back);
  expect_refused(replaced(good, "margin=1", "margin=2"), CW_ERROR_UNSUPPORTED, "not a window");
}

// Damage anywhere gives an error or a usable model, never a crash, a hang or a leak.  Allocation is limited, so that a
// damaged size cannot ask for all memory.
TEST_F(OnnxFile, SurvivesMutations) {
  static constexpr size_t kMost = size_t{32} << 20;
  cw_context_options options = {};
  options.allocate = [](void *user, size_t bytes) -> void * {
    ++*static_cast<long *>(user);
    void *memory = bytes > kMost ? nullptr : std::malloc(bytes);
    *static_cast<long *>(user) -= memory == nullptr;
    return memory;
  };
  options.release = [](void *user, void *memory) {
    --*static_cast<long *>(user);
    std::free(memory);
  };
  long live = 0;
  options.user = &live;
  options.threads = 1;
  cw_context *limited = nullptr;
  ASSERT_EQ(cw_context_create(&options, &limited), CW_OK);
  cw_random random = cw_random_stream(99, 0);
  const auto below = [&](size_t bound) { return cw_random_below(&random, static_cast<uint32_t>(bound)); };
  int accepted = 0;
  std::set<std::string> messages;
  for (int trial = 0; trial < 4000; trial++) {
    Bytes bytes = good;
    const int kind = static_cast<int>(below(8));
    const size_t at = below(bytes.size()), length = 1 + below(16);
    if (kind == 0)
      bytes.resize(at);
    else if (kind == 1)
      bytes.erase(at, length);
    else if (kind == 2)
      bytes.insert(at, bytes.substr(below(bytes.size()), length));
    for (uint32_t i = 0; kind > 2 && i <= below(3); i++) {
      char &byte = bytes[below(bytes.size())];
      const char choices[] = {static_cast<char>(below(256)),
                              static_cast<char>(byte + 1),
                              static_cast<char>(byte - 1),
                              '\0',
                              '\xff',
                              static_cast<char>(byte ^ (1 << below(8)))};
      byte = choices[below(sizeof choices)];
    }
    spill(path, bytes);
    cw_model back;
    const cw_status status = cw_model_read(limited, path.c_str(), &back);
    if (status != CW_OK) {
      ASSERT_STRNE(cw_context_message(limited), "");
      messages.insert(cw_context_message(limited));
    } else {
      accepted++;
      std::vector<float> logit(1);
      const std::vector<float> in = drawn(cw_grid_samples(&back.preprocessing.grid), 1);
      const cw_status run = cw_model_logits(limited, &back, in.data(), 1, logit.data());
      EXPECT_TRUE(run == CW_OK || run == CW_ERROR_NUMERIC || run == CW_ERROR_MEMORY) << cw_context_message(limited);
      if (accepted % 128 == 0) {  // what was read can be written; seldom, since files are forced to the disk
        EXPECT_EQ(cw_model_write(limited, path.c_str(), &back), CW_OK) << trial << " " << cw_context_message(limited);
      }
    }
    cw_model_free(limited, &back);
    ASSERT_EQ(live, 1) << "trial " << trial << " leaks";
  }
  EXPECT_GT(accepted, 100);          // damaged weights and texts pass
  EXPECT_GT(messages.size(), 100u);  // and many different checks are reached
  cw_context_free(limited);
}

// Every truncation is refused: a file is complete or it is none.
TEST_F(OnnxFile, RefusesTruncation) {
  for (size_t size = 0; size < good.size(); size += 1 + size / 64)
    EXPECT_NE(read(good.substr(0, size)), CW_OK) << size;
}

TEST_F(OnnxFile, ReadingSurvivesFailingAllocations) {
  long at = 0;
  for (;; at++) {
    context.reset(at);
    cw_model back;
    const cw_status status = cw_model_read(context, path.c_str(), &back);
    cw_model_free(context, &back);
    EXPECT_EQ(context.leaked(), 0) << at;
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY) << at << ": " << context.message();
  }
  EXPECT_GT(at, 300);
  context.reset();
}

TEST_F(OnnxFile, WritingSurvivesFailingAllocations) {
  fs::remove(path);
  long at = 0;
  for (;; at++) {
    context.reset(at);
    const cw_status status = cw_model_write(context, path.c_str(), &model);
    EXPECT_EQ(context.leaked(), 0) << at;
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY) << at << ": " << context.message();
    EXPECT_TRUE(fs::is_empty(folder.path)) << at;
  }
  EXPECT_GT(at, 300);
  EXPECT_TRUE(slurp(path) == good);
  context.reset();
}

TEST_F(OnnxFile, WritesWholeOrNotAtAll) {
  EXPECT_EQ(cw_model_write(context, (folder / "absent/model.onnx").c_str(), &model), CW_ERROR_FILE);
  EXPECT_NE(context.message().find("absent/model.onnx"), std::string::npos);
  float *weights = cw_value_data(model.graph, cw_graph_find(model.graph, "conv.w"));
  const float kept = weights[5];
  weights[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(refused_write(CW_ERROR_NUMERIC).find("'conv.w' is not finite at element 5"), std::string::npos);
  weights[5] = kept;
  model.template_samples[3] = std::numeric_limits<float>::infinity();
  EXPECT_NE(refused_write(CW_ERROR_NUMERIC).find("template"), std::string::npos);
  model.template_samples[3] = 0;
  model.provenance[2] = '\xff';
  EXPECT_NE(refused_write(CW_ERROR_ARGUMENT).find("UTF-8"), std::string::npos);
  model.provenance[2] = 's';
  model.preprocessing.grid.size[0] = 9;
  EXPECT_NE(refused_write(CW_ERROR_SHAPE).find("image"), std::string::npos);
  model.preprocessing.grid.size[0] = 8;
  model.preprocessing.grid.to_world.m[0][0] = std::numeric_limits<double>::quiet_NaN();
  refused_write(CW_ERROR_ARGUMENT);
  model.preprocessing.grid.to_world.m[0][0] = -2.9;
  model.kind = CW_MODEL_CLASSIFIER;
  EXPECT_NE(refused_write(CW_ERROR_ARGUMENT).find("classifier has 1 input"), std::string::npos);
  model.kind = CW_MODEL_SIMULATOR;
}

// Operators of training, and names that the file needs for itself, are refused by a sentence that names them.
TEST_F(OnnxFile, RefusesGraphsThatFilesCannotHold) {
  const cw_value velocity = cw_graph_output_at(model.graph, 0), image = cw_graph_input_at(model.graph, 0);
  const cw_value warped[2] = {image, velocity};
  cw_value out;
  check(context, cw_graph_node(context, model.graph, CW_OP_WARP, "warped", nullptr, warped, 2, &out));
  EXPECT_NE(refused_write(CW_ERROR_UNSUPPORTED).find("'warped' (Warp)"), std::string::npos);
  cw_model_free(context, &model);
  model = sample_of_everything(context);
  check(context, cw_graph_parameter(context, model.graph, "first/kernel", CW_SHAPE(1), true, nullptr, &out));
  EXPECT_NE(refused_write(CW_ERROR_ARGUMENT).find("two values named 'first/kernel'"), std::string::npos);
  context.baseline = context.live;
}

}  // namespace
