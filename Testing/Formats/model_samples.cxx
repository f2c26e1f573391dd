#include "Formats/model_samples.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "counterwarp/onnx.h"
#include "counterwarp/random.h"
#include "counterwarp/training.h"
#include "Graph/window.h"

void check(cw_context *context, cw_status status) {
  if (status != CW_OK)
    throw std::runtime_error(cw_context_message(context));
}

void randomise(cw_graph *graph, uint64_t seed) {
  for (cw_value value = 0; value < cw_graph_value_count(graph); value++) {
    float *data = cw_value_data(graph, value);
    if (!data)
      continue;
    cw_random random = cw_random_stream(seed, static_cast<uint64_t>(value));
    const cw_shape *shape = cw_value_shape(graph, value);
    const int64_t count = cw_shape_elements(shape, 1);
    const std::string name = cw_value_name(graph, value);
    const bool positive = name.find("variance") != std::string::npos || name.find("scale") != std::string::npos;
    const double fan = shape->rank > 1 ? static_cast<double>(count / shape->d[shape->rank == 6 ? 1 : 0]) : 4;
    const double bound = 1.7 / std::sqrt(shape->rank == 6 ? fan / static_cast<double>(shape->d[0]) : fan);
    for (int64_t i = 0; i < count; i++)
      data[i] =
          static_cast<float>(positive ? cw_random_uniform(&random, 0.5, 2) : cw_random_uniform(&random, -bound, bound));
  }
}

namespace {

cw_grid sample_grid(int nx, int ny, int nz) {
  cw_grid grid = {{nx, ny, nz}, {{{-2.9, 0.1, 0, 41.0 / 3}, {0.05, -3.1, 0.2, 17.25}, {0, 0.3, 3, -1e-3}}}};
  return grid;
}

void describe(cw_context *context, cw_model *model) {
  model->preprocessing.normalization = CW_NORMALIZE_PERCENTILE;
  model->preprocessing.high = 99.1;
  const size_t samples = cw_grid_samples(&model->preprocessing.grid);
  model->template_samples = static_cast<float *>(cw_allocate(context, samples, sizeof(float)));
  if (!model->template_samples)
    throw std::runtime_error("memory");
  cw_random random = cw_random_stream(3, 1);
  for (size_t i = 0; i < samples; i++)
    model->template_samples[i] = static_cast<float>(cw_random_normal(&random));
  for (const char *name : {"sub-01", "sub-02", "100% \n\xff\xc3\xa9", ""})
    check(context, cw_strings_append(context, &model->trained_on, name));
  check(context, cw_strings_append(context, &model->held_out, "sub-03"));
  model->provenance = cw_copy_string(context, "{\"seed\": 1, \"cohort\": \"caf\xc3\xa9\"}");
}

// A graph under construction; parameters are named after the node that reads them.
struct Builder {
  cw_context *context;
  cw_graph *graph;

  cw_value input(const char *name, cw_shape shape) {
    cw_value value;
    check(context, cw_graph_input(context, graph, name, shape, &value));
    return value;
  }
  cw_value parameter(const std::string &name, cw_shape shape, bool trained = true) {
    cw_value value;
    check(context, cw_graph_parameter(context, graph, name.c_str(), shape, trained, nullptr, &value));
    return value;
  }
  cw_value node(cw_operator op, const char *name, const std::vector<cw_value> &inputs, const cw_attributes &a) {
    cw_value value;
    check(context, cw_graph_node(context, graph, op, name, &a, inputs.data(), static_cast<int>(inputs.size()), &value));
    return value;
  }
  cw_value node(cw_operator op, const char *name, const std::vector<cw_value> &inputs) {
    return node(op, name, inputs, cw_attributes_default());
  }
};

// Field of everything: experts routed by input and direction, then by direction alone, and a taper.
cw_value everything_field(Builder &b, cw_value image, cw_value direction) {
  cw_attributes a = window(3, 1, 1);
  a.ratio = 0.1f;
  cw_value x =
      b.node(CW_OP_COND_CONV, "first",
             {image, direction, b.parameter("first.w", CW_SHAPE(3, 4, 1, 3, 3, 3)), b.parameter("first.b", CW_SHAPE(4)),
              b.parameter("first.rw", CW_SHAPE(3, 2)), b.parameter("first.rb", CW_SHAPE(3))},
             a);
  a = cw_attributes_default();
  a.epsilon = 3e-4f;
  a.momentum = 0.3f;
  x = b.node(CW_OP_BATCH_NORM, "norm",
             {x, b.parameter("norm.scale", CW_SHAPE(4)), b.parameter("norm.shift", CW_SHAPE(4)),
              b.parameter("norm.mean", CW_SHAPE(4), false), b.parameter("norm.variance", CW_SHAPE(4), false)},
             a);
  a = cw_attributes_default();
  a.alpha = 0;
  x = b.node(CW_OP_LEAKY_RELU, "leaky", {x}, a);
  x = b.node(CW_OP_DROPOUT, "dropout", {x}, a);
  const cw_value small = b.node(CW_OP_MAX_POOL, "pool", {x}, window(2, 2, 0));
  a = cw_attributes_default();
  a.scale[0] = a.scale[1] = a.scale[2] = 2;
  const cw_value up = b.node(CW_OP_RESIZE_LINEAR, "linear", {small}, a);
  x = b.node(CW_OP_ADD, "skip", {x, up});
  a = window(3, 1, 1);
  x = b.node(CW_OP_COND_CONV, "second",
             {x, direction, b.parameter("second.w", CW_SHAPE(2, 3, 4, 3, 3, 3)), b.parameter("second.b", CW_SHAPE(3)),
              b.parameter("second.rw", CW_SHAPE(2, 1)), b.parameter("second.rb", CW_SHAPE(2))},
             a);
  a = cw_attributes_default();
  a.margin = 1;
  return b.node(CW_OP_TAPER, "velocity", {x}, a);
}

// Two convolutions of the image beside the direction.
cw_graph *small_simulator(cw_context *context, const int size[3]) {
  cw_graph *graph = nullptr;
  check(context, cw_graph_create(context, &graph));
  Builder b = {context, graph};
  const cw_value image = b.input("image", CW_SHAPE(CW_BATCH, 1, size[0], size[1], size[2]));
  const cw_value direction = b.input("direction", CW_SHAPE(CW_BATCH, 1));
  const cw_value first =
      b.node(CW_OP_CONV, "first", {image, b.parameter("first.w", CW_SHAPE(4, 1, 3, 3, 3))}, window(3, 1, 1));
  const cw_value field =
      b.node(CW_OP_COND_CONV, "field",
             {first, direction, b.parameter("field.w", CW_SHAPE(2, 3, 4, 3, 3, 3)), b.parameter("field.b", CW_SHAPE(3)),
              b.parameter("field.rw", CW_SHAPE(2, 1)), b.parameter("field.rb", CW_SHAPE(2))},
             window(3, 1, 1));
  check(context, cw_graph_output(context, graph, field));
  return graph;
}

cw_value everything_logit(Builder &b, cw_value image) {
  cw_attributes a = window(3, 2, 1);
  cw_value x = b.node(CW_OP_CONV, "conv", {image, b.parameter("conv.w", CW_SHAPE(4, 1, 3, 3, 3))}, a);
  a = window(3, 1, 2);
  a.groups = 2;
  a.dilation[0] = a.dilation[1] = a.dilation[2] = 2;
  x = b.node(CW_OP_CONV, "grouped",
             {x, b.parameter("grouped.w", CW_SHAPE(4, 2, 3, 3, 3)), b.parameter("grouped.b", CW_SHAPE(4))}, a);
  x = b.node(CW_OP_RELU, "relu", {x});
  x = b.node(CW_OP_AVERAGE_POOL, "average", {x}, window(3, 1, 1));
  a = cw_attributes_default();
  a.scale[0] = a.scale[1] = a.scale[2] = 2;
  x = b.node(CW_OP_RESIZE_NEAREST, "nearest", {x}, a);
  a.shape = CW_SHAPE(CW_BATCH, 4);
  const cw_value mean = b.node(CW_OP_GLOBAL_AVERAGE_POOL, "means", {x});
  const cw_value flat = b.node(CW_OP_RESHAPE, "flat", {mean}, a);
  const cw_value gate = b.node(CW_OP_SIGMOID, "sigmoid", {flat});
  const cw_value soft = b.node(CW_OP_SOFTMAX, "softmax", {flat});
  const cw_value log_soft = b.node(CW_OP_LOG_SOFTMAX, "log_softmax", {flat});
  const cw_value all = b.node(CW_OP_CONCAT, "concat", {gate, soft, log_soft});
  return b.node(CW_OP_GEMM, "logit",
                {all, b.parameter("logit.w", CW_SHAPE(1, 12)), b.parameter("logit.b", CW_SHAPE(1))});
}

}  // namespace

cw_model sample_classifier(cw_context *context, int size, uint64_t seed) {
  cw_model model = {};
  model.kind = CW_MODEL_CLASSIFIER;
  model.preprocessing.grid = sample_grid(size, size, size);
  check(context, cw_network_classifier(context, size, seed, &model.graph));
  randomise(model.graph, seed);
  describe(context, &model);
  return model;
}

cw_model sample_simulator(cw_context *context, int size, cw_field_model field, bool by_direction_only, uint64_t seed) {
  cw_model model = {};
  model.kind = CW_MODEL_SIMULATOR;
  model.field = field;
  model.preprocessing.grid = sample_grid(size, size, size);
  cw_simulator_options options = {};
  options.size = size;
  options.route_by_direction_only = by_direction_only;
  options.dropout = 0.1f;
  options.taper_margin = field == CW_FIELD_VELOCITY ? 4 : 0;
  options.seed = seed;
  cw_graph *simulator = nullptr, *classifier = nullptr;
  check(context, cw_network_simulator(context, &options, &simulator));
  check(context, cw_network_classifier(context, size, seed + 1, &classifier));
  check(context, cw_simulator_join(context, simulator, classifier, nullptr, field, &model.graph));
  cw_graph_free(context, simulator);
  cw_graph_free(context, classifier);
  randomise(model.graph, seed);
  describe(context, &model);
  return model;
}

cw_model sample_for_import(cw_context *context, const std::string &path, const std::string &choice, const int size[3],
                           uint64_t seed) {
  const bool reference = size[0] == 32 && size[1] == 32 && size[2] == 32;
  cw_model model = {}, classifier = {};
  model.kind = CW_MODEL_SIMULATOR;
  model.field = reference ? CW_FIELD_VELOCITY : CW_FIELD_DISPLACEMENT;
  model.preprocessing.grid = sample_grid(size[2], size[1], size[0]);
  cw_output_choice output = cw_output_choice_default();
  if (!choice.empty())
    check(context, cw_output_choice_read(context, choice.c_str(), &output));
  check(context, cw_model_import(context, path.c_str(), &model.preprocessing, &output, &classifier));
  cw_graph *simulator = nullptr;
  if (reference) {
    cw_simulator_options options = {};
    options.size = size[0];
    options.taper_margin = 4;
    options.seed = seed;
    check(context, cw_network_simulator(context, &options, &simulator));
  } else {
    simulator = small_simulator(context, size);
  }
  randomise(simulator, seed);
  check(context, cw_simulator_join(context, simulator, classifier.graph, nullptr, model.field, &model.graph));
  cw_graph_free(context, simulator);
  cw_model_free(context, &classifier);
  describe(context, &model);
  return model;
}

cw_model sample_of_everything(cw_context *context) {
  cw_model model = {};
  model.kind = CW_MODEL_SIMULATOR;
  model.field = CW_FIELD_VELOCITY;
  model.preprocessing.grid = sample_grid(8, 6, 4);
  check(context, cw_graph_create(context, &model.graph));
  Builder b = {context, model.graph};
  const cw_value image = b.input("image", CW_SHAPE(CW_BATCH, 1, 4, 6, 8));
  const cw_value direction = b.input("direction", CW_SHAPE(CW_BATCH, 1));
  check(context, cw_graph_output(context, model.graph, everything_field(b, image, direction)));
  check(context, cw_graph_output(context, model.graph, everything_logit(b, image)));
  randomise(model.graph, 11);
  describe(context, &model);
  return model;
}
