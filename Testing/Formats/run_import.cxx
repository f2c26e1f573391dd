// Imports a classifier and runs it: run_import MODEL OUTPUT D H W BATCH IMAGES.f32 PREFIX [REPEATS].
// Writes PREFIX.logit.f32, PREFIX.gradient.f32 (of the sum of the logits to the images) and PREFIX.onnx; fails unless
// the file that was written reads back to the same bits.  Prints one line: seconds forward, seconds forward and
// backward (the least of REPEATS), bytes of the plan for inference and for the gradient.  REPEATS 0: logit and file
// alone, and PREFIX.outputs.f32, all values among which the output's choice was made.
// run_import -: one such call a line of the standard input, arguments separated by tabs, on one thread; a line each.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "counterwarp/onnx.h"

namespace {

void check(cw_context *context, cw_status status) {
  if (status != CW_OK)
    throw std::runtime_error(cw_context_message(context));
}

void write(const std::string &path, const std::vector<float> &values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
}

struct Result {
  std::vector<float> logits, gradient, last;  // last: of the graph's last output
  double seconds = 1e30;
  size_t bytes = 0;
};

Result run(cw_context *context, const cw_graph *graph, const std::vector<float> &images, int batch, bool gradient,
           int repeats) {
  const cw_value image = cw_graph_input_at(graph, 0), logit = cw_graph_output_at(graph, 0);
  cw_plan_options options = {};
  options.mode = gradient ? CW_INPUT_GRADIENT : CW_INFERENCE;
  options.batch = batch;
  cw_plan *plan = nullptr;
  check(context, cw_plan_create(context, graph, &options, &plan));
  Result result;
  result.bytes = cw_plan_bytes(plan);
  for (int k = 0; k < repeats; k++) {
    std::memcpy(cw_plan_data(plan, image), images.data(), images.size() * sizeof(float));
    const auto start = std::chrono::steady_clock::now();
    cw_plan_forward(plan);
    if (gradient) {
      std::fill_n(cw_plan_gradient(plan, logit), batch, 1.0f);
      cw_plan_backward(plan);
    }
    result.seconds =
        std::min(result.seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  result.logits.assign(cw_plan_data(plan, logit), cw_plan_data(plan, logit) + batch);
  const cw_value last = cw_graph_output_at(graph, cw_graph_output_count(graph) - 1);
  result.last.assign(cw_plan_data(plan, last),
                     cw_plan_data(plan, last) + cw_shape_elements(cw_value_shape(graph, last), batch));
  if (gradient)
    result.gradient.assign(cw_plan_gradient(plan, image), cw_plan_gradient(plan, image) + images.size());
  cw_plan_free(context, plan);
  return result;
}

// The network's values before one was chosen: what the import's slices and differences read.
cw_value all_outputs(const cw_graph *graph) {
  cw_value value = cw_graph_output_at(graph, 0);
  for (int i = cw_graph_node_count(graph) - 1; i >= 0; i--) {
    const cw_node_view node = cw_graph_node_at(graph, i);
    const std::string name = cw_value_name(graph, value);
    if (node.output == value && (name == "logit" || name.rfind("counterwarp/", 0) == 0) &&
        (node.op == CW_OP_SUB || node.op == CW_OP_SLICE))
      value = node.inputs[0];
  }
  return value;
}

void work(cw_context *context, const std::vector<std::string> &arguments) {
  cw_preprocessing preprocessing = {};
  const int size[3] = {std::stoi(arguments[5]), std::stoi(arguments[4]), std::stoi(arguments[3])};
  const int batch = std::stoi(arguments[6]);
  const std::string prefix = arguments[8];
  const int repeats = arguments.size() > 9 ? std::stoi(arguments[9]) : 1;
  preprocessing.normalization = CW_NORMALIZE_NONE;
  for (int i = 0; i < 3; i++) {
    preprocessing.grid.size[i] = size[i];
    preprocessing.grid.to_world.m[i][i] = 1;
  }
  cw_output_choice choice = cw_output_choice_default();
  if (!arguments[2].empty())
    check(context, cw_output_choice_read(context, arguments[2].c_str(), &choice));
  cw_model model;
  check(context, cw_model_import(context, arguments[1].c_str(), &preprocessing, &choice, &model));
  const size_t samples = static_cast<size_t>(size[0]) * size[1] * size[2] * batch;
  std::vector<float> images(samples);
  std::ifstream file(arguments[7], std::ios::binary);
  if (!file.read(reinterpret_cast<char *>(images.data()), static_cast<std::streamsize>(samples * sizeof(float))))
    throw std::runtime_error("the images are too short");
  if (!repeats) {
    check(context, cw_model_write(context, (prefix + ".onnx").c_str(), &model));
    check(context, cw_graph_output(context, model.graph, all_outputs(model.graph)));
    const Result forward = run(context, model.graph, images, batch, false, 1);
    write(prefix + ".logit.f32", forward.logits);
    write(prefix + ".outputs.f32", forward.last);
    cw_model_free(context, &model);
    return;
  }
  const Result forward = run(context, model.graph, images, batch, false, repeats);
  const Result both = run(context, model.graph, images, batch, true, repeats);
  write(prefix + ".logit.f32", forward.logits);
  write(prefix + ".gradient.f32", both.gradient);
  if (std::memcmp(forward.logits.data(), both.logits.data(), forward.logits.size() * sizeof(float)) != 0)
    throw std::runtime_error("the two plans give different logits");
  const std::string written = prefix + ".onnx";
  check(context, cw_model_write(context, written.c_str(), &model));
  cw_model back;
  check(context, cw_model_read(context, written.c_str(), &back));
  const Result again = run(context, back.graph, images, batch, true, 1);
  if (again.logits != both.logits || again.gradient != both.gradient)
    throw std::runtime_error("the file that was written gives other bits");
  const std::string twice = prefix + ".twice.onnx";
  check(context, cw_model_write(context, twice.c_str(), &back));
  std::printf("%.6f\t%.6f\t%zu\t%zu\n", forward.seconds, both.seconds, forward.bytes, both.bytes);
  cw_model_free(context, &back);
  cw_model_free(context, &model);
}

// Behind an empty name, as in main's arguments.
std::vector<std::string> split(const std::string &line) {
  std::vector<std::string> fields = {""};
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');)
    fields.push_back(field);
  if (fields.size() < 9)
    throw std::runtime_error("expected eight arguments or more");
  return fields;
}

}  // namespace

int main(int count, char **arguments) {
  const bool listed = count == 2 && std::strcmp(arguments[1], "-") == 0;
  if (count < 9 && !listed) {
    std::fprintf(stderr, "usage: run_import MODEL OUTPUT D H W BATCH IMAGES.f32 PREFIX [REPEATS]\n");
    return 2;
  }
  cw_context_options options = {};
  options.threads = listed ? 1 : 0;
  cw_context *context = nullptr;
  if (cw_context_create(&options, &context) != CW_OK)
    return 1;
  int code = 0;
  std::string line;
  while (!listed || std::getline(std::cin, line)) {
    try {
      work(context, listed ? split(line) : std::vector<std::string>(arguments, arguments + count));
    } catch (const std::exception &error) {
      std::fprintf(listed ? stdout : stderr, "%s: %s\n", listed ? "failed" : "run_import", error.what());
      code = 1;
    }
    if (!listed)
      break;
  }
  cw_context_free(context);
  return code;
}
