/* Small classifiers, as Testing/Reference/pytorch_saliency.py has them: the reference classifier, a plain network, one
 * with residual and one with dense connections.  Parameters follow the formulas of Networks/stored_values.h. */
#ifndef COUNTERWARP_TESTING_EXAMPLE_NETWORKS_H
#define COUNTERWARP_TESTING_EXAMPLE_NETWORKS_H

#include <cmath>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "counterwarp/networks.h"
#include "counterwarp/saliency.h"
#include "Networks/stored_values.h"

namespace example {

class Network {
 public:
  Network(cw_context *context, const std::string &name, int salt, float last_scale = 1) : context_(context) {
    if (name == "classifier") {
      need(cw_network_classifier(context, 32, 1, &graph));
    } else {
      need(cw_graph_create(context, &graph));
      x_ = input(16);
      name == "plain" ? plain() : name == "residual" ? residual() : dense();
      need(cw_graph_output(context, graph, x_));
    }
    fill(salt, last_scale);
  }
  ~Network() { cw_graph_free(context_, graph); }
  Network(const Network &) = delete;
  Network &operator=(const Network &) = delete;

  cw_value find(const std::string &value) const { return cw_graph_find(graph, value.c_str()); }
  int side() const { return static_cast<int>(cw_value_shape(graph, cw_graph_input_at(graph, 0))->d[2]); }
  size_t samples() const { return static_cast<size_t>(side()) * side() * side(); }
  std::vector<float> image(int salt) const {
    std::vector<float> samples_of(samples());
    stored::FillImage(salt, side(), 1, samples_of.data());
    return samples_of;
  }

  cw_graph *graph = nullptr;

 private:
  void need(cw_status status) {
    if (status != CW_OK)
      throw std::runtime_error(cw_context_message(context_));
  }
  cw_value input(int size) {
    cw_value value;
    need(cw_graph_input(context_, graph, "image", CW_SHAPE(CW_BATCH, 1, size, size, size), &value));
    return value;
  }
  cw_value parameter(const std::string &name, std::initializer_list<int64_t> d) {
    cw_value value;
    need(cw_graph_parameter(context_, graph, name.c_str(), cw_shape_list(d), true, nullptr, &value));
    return value;
  }
  cw_value node(cw_operator op, const std::string &name, const cw_attributes &a, std::vector<cw_value> inputs) {
    cw_value value;
    need(cw_graph_node(context_, graph, op, name.c_str(), &a, inputs.data(), static_cast<int>(inputs.size()), &value));
    return value;
  }
  cw_value conv(const std::string &name, cw_value x, int in, int out, int kernel = 3, int stride = 1,
                bool bias = true) {
    cw_attributes a = cw_attributes_default();
    for (int i = 0; i < 3; i++) {
      a.kernel[i] = kernel;
      a.stride[i] = stride;
      a.pads[i] = a.pads[i + 3] = kernel / 2;
    }
    std::vector<cw_value> inputs = {x, parameter(name + ".weight", {out, in, kernel, kernel, kernel})};
    if (bias)
      inputs.push_back(parameter(name + ".bias", {out}));
    return node(CW_OP_CONV, name, a, inputs);
  }
  cw_value linear(const std::string &name, cw_value x, int in, int out, bool bias = true) {
    std::vector<cw_value> inputs = {x, parameter(name + ".weight", {out, in})};
    if (bias)
      inputs.push_back(parameter(name + ".bias", {out}));
    return node(CW_OP_GEMM, name, cw_attributes_default(), inputs);
  }
  cw_value norm(const std::string &name, cw_value x, int channels) {
    std::vector<cw_value> inputs = {x};
    for (const char *part : {".scale", ".bias", ".mean", ".variance"})
      inputs.push_back(parameter(name + part, {channels}));
    return node(CW_OP_BATCH_NORM, name, cw_attributes_default(), inputs);
  }
  cw_value relu(const std::string &name, cw_value x) { return node(CW_OP_RELU, name, cw_attributes_default(), {x}); }
  cw_value pool(cw_operator op, const std::string &name, cw_value x) {
    cw_attributes a = cw_attributes_default();
    for (int i = 0; i < 3; i++)
      a.kernel[i] = a.stride[i] = 2;
    return node(op, name, a, {x});
  }
  cw_value flat(cw_value x, int64_t features) {
    cw_attributes a = cw_attributes_default();
    a.shape = CW_SHAPE(CW_BATCH, features);
    return node(CW_OP_RESHAPE, "flatten", a, {x});
  }
  cw_value pair(cw_operator op, const std::string &name, cw_value a, cw_value b) {
    return node(op, name, cw_attributes_default(), {a, b});
  }
  cw_value mean(cw_value x) { return node(CW_OP_GLOBAL_AVERAGE_POOL, "mean", cw_attributes_default(), {x}); }

  void plain() {
    x_ = pool(CW_OP_MAX_POOL, "pool", relu("r1", conv("c1", x_, 1, 8, 3, 1, false)));
    x_ = relu("r2", conv("c2", x_, 8, 16, 3, 2, false));
    x_ = flat(pool(CW_OP_AVERAGE_POOL, "average", x_), 128);
    x_ = linear("fc2", relu("r3", linear("fc1", x_, 128, 32, false)), 32, 2, false);
  }
  void residual() {
    x_ = relu("r0", norm("stem.norm", conv("stem.conv", x_, 1, 8), 8));
    cw_value y = relu("r1", norm("a.norm.1", conv("a.conv1", x_, 8, 8), 8));
    y = norm("a.norm.2", conv("a.conv2", y, 8, 8), 8);
    x_ = relu("r2", pair(CW_OP_ADD, "a.add", y, x_));
    y = relu("r3", norm("b.norm.1", conv("b.conv1", x_, 8, 16, 3, 2), 16));
    y = norm("b.norm.2", conv("b.conv2", y, 16, 16), 16);
    x_ = relu("r4", pair(CW_OP_ADD, "b.add", y, conv("b.short", x_, 8, 16, 1, 2)));
    x_ = linear("fc", flat(mean(x_), 16), 16, 3);
  }
  void dense() {
    x_ = pool(CW_OP_MAX_POOL, "pool", relu("r0", norm("stem.norm", conv("stem.conv", x_, 1, 8, 3, 1, false), 8)));
    cw_value y = conv("a.conv1", relu("r1", norm("a.norm.1", x_, 8)), 8, 4, 3, 1, false);
    x_ = pair(CW_OP_CONCAT, "a.concat1", x_, y);
    y = conv("a.conv2", relu("r2", norm("a.norm.2", x_, 12)), 12, 4, 3, 1, false);
    x_ = pair(CW_OP_CONCAT, "a.concat2", x_, y);
    x_ = pool(CW_OP_AVERAGE_POOL, "average", conv("t.conv", relu("r3", norm("t.norm", x_, 16)), 16, 8, 1, 1, false));
    x_ = linear("fc", flat(mean(relu("r4", norm("last.norm", x_, 8))), 8), 8, 2);
  }

  void fill(int salt, float last_scale) {
    std::string last;
    for (cw_value v = 0; v < cw_graph_value_count(graph); v++) {
      const std::string name = cw_value_name(graph, v);
      if (float *data = cw_value_data(graph, v))
        stored::FillParameter(salt, name, *cw_value_shape(graph, v), 1, data);
      if (cw_value_data(graph, v) && stored::EndsWith(name, ".weight"))
        last = name;
    }
    const cw_value w = find(last);
    for (int64_t i = 0; i < cw_shape_elements(cw_value_shape(graph, w), 1); i++)
      cw_value_data(graph, w)[i] *= last_scale;
  }

  cw_context *context_;
  cw_value x_ = CW_NONE;
};

/* Maps of several requests in one call. */
struct Maps {
  std::vector<std::vector<float>> map;
  std::vector<cw_saliency_note> note;
  cw_status status = CW_OK;
};

inline std::vector<cw_saliency_request> requests(cw_context *context, std::initializer_list<const char *> names) {
  std::vector<cw_saliency_request> all;
  for (const char *name : names) {
    all.emplace_back();
    if (cw_saliency_parse(context, name, &all.back()) != CW_OK)
      throw std::runtime_error(cw_context_message(context));
  }
  return all;
}

inline Maps maps(cw_context *context, cw_saliency *saliency, size_t count, const std::vector<float> &image,
                 cw_saliency_output output) {
  Maps m;
  m.map.assign(count, std::vector<float>(image.size(), NAN));
  m.note.resize(count);
  std::vector<float *> pointers;
  for (auto &map : m.map)
    pointers.push_back(map.data());
  m.status = cw_saliency_maps(context, saliency, image.data(), output, pointers.data(), m.note.data());
  return m;
}

inline Maps maps(cw_context *context, const cw_graph *graph, const std::vector<cw_saliency_request> &requests,
                 const std::vector<float> &image, cw_saliency_output output = {0, false}) {
  cw_saliency *saliency = nullptr;
  if (cw_saliency_create(context, graph, requests.data(), static_cast<int>(requests.size()), &saliency) != CW_OK)
    throw std::runtime_error(cw_context_message(context));
  Maps m = maps(context, saliency, requests.size(), image, output);
  cw_saliency_free(context, saliency);
  return m;
}

}  // namespace example

#endif
