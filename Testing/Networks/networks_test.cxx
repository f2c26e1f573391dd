/* The reference networks against PyTorch (float64): logits, fields, losses, the input's gradient, every parameter's
 * gradient and batch norm's running statistics.  See Testing/Reference/pytorch_networks.py. */
#include "counterwarp/networks.h"

#include <gtest/gtest.h>

#include <memory>

#include "Networks/stored_values.h"

namespace {

constexpr double kTolerance = 1e-4;  // relative to the array's L2 norm

struct ContextDeleter {
  void operator()(cw_context *context) const { cw_context_free(context); }
};

class Networks : public testing::Test {
 protected:
  Networks() : values_(CW_TEST_DATA "/networks") {
    cw_context_options options = {};
    options.threads = 2;
    cw_context *context = nullptr;
    Need(cw_context_create(&options, &context));
    context_.reset(context);
  }
  ~Networks() override {
    for (cw_plan *plan : plans_)
      cw_plan_free(context_.get(), plan);
    for (auto graph = graphs_.rbegin(); graph != graphs_.rend(); ++graph)
      cw_graph_free(context_.get(), *graph);
  }

  void Need(cw_status status) {
    if (status != CW_OK)
      throw std::runtime_error(std::string(cw_status_name(status)) + ": " +
                               (context_ ? cw_context_message(context_.get()) : ""));
  }

  /* Runs `work` on the case's data sets until the gradients of one hold.  Forward values must hold on each.
   *
   * Rounding may flip a maximum or a sign somewhere among a million voxels, and then a gradient differs by 1e-3
   * although it is right.  A gradient that is wrong is so on every data set. */
  template <class Work>
  void OnQuietData(const std::string &name, Work work) {
    for (const double salt : values_[name + "/salts"]) {
      salt_ = static_cast<int>(salt);
      case_ = name + "." + std::to_string(salt_);
      largest_gradient_ = 0;
      for (const std::string &rest : values_.Below(case_ + "/gradient/"))
        if (values_[case_ + "/gradient/" + rest].size() == 7)
          largest_gradient_ = std::max(largest_gradient_, values_[case_ + "/gradient/" + rest][2]);
      misses_.clear();
      work();
      if (misses_.empty() || HasFailure())
        return;
    }
    ADD_FAILURE() << "no data set of " << name << " has all gradients right:" << misses_;
  }

  cw_graph *Keep(cw_graph *graph) {
    graphs_.push_back(graph);
    return graph;
  }
  cw_plan *Plan(const cw_graph *graph, cw_mode mode, int batch, const std::vector<cw_value> &gradients, bool keep_all) {
    cw_plan_options options = {};
    options.mode = mode;
    options.batch = batch;
    options.gradients = gradients.data();
    options.gradient_count = static_cast<int>(gradients.size());
    options.keep_all = keep_all;
    cw_plan *plan = nullptr;
    Need(cw_plan_create(context_.get(), graph, &options, &plan));
    plans_.push_back(plan);
    return plan;
  }

  void Fill(cw_graph *graph, float output_scale) {
    for (cw_value v = 0; v < cw_graph_value_count(graph); v++)
      if (float *data = cw_value_data(graph, v))
        stored::FillParameter(salt_, cw_value_name(graph, v), *cw_value_shape(graph, v), output_scale, data);
  }
  cw_graph *Classifier(int size) {
    cw_graph *graph = nullptr;
    Need(cw_network_classifier(context_.get(), size, 1, &graph));
    Fill(Keep(graph), 1);
    return graph;
  }
  cw_graph *Simulator(int size, int taper, bool by_direction, bool training) {
    cw_simulator_options options = {};
    options.size = size;
    options.route_by_direction_only = by_direction;
    options.taper_margin = taper;
    options.seed = 1;
    cw_graph *graph = nullptr;
    Need(cw_network_simulator(context_.get(), &options, &graph));
    Fill(Keep(graph), training ? 0.5f : 0.05f);
    return graph;
  }

  size_t Elements(const cw_graph *graph, cw_value v, int batch) const {
    return static_cast<size_t>(cw_shape_elements(cw_value_shape(graph, v), batch));
  }

  void ExpectNumbers(const std::string &name, const float *data, size_t count) {
    const std::vector<double> &expected = values_[case_ + name];
    ASSERT_NE(data, nullptr) << case_ << name;
    ASSERT_EQ(count, expected.size()) << case_ << name;
    EXPECT_LE(stored::RelativeDistance({data, data + count}, expected), kTolerance) << case_ << name;
  }
  void ExpectDigest(const std::string &name, const float *data, size_t count) {
    ASSERT_NE(data, nullptr) << case_ << name;
    const stored::Digest expected(values_[case_ + name]), got(data, count);
    ASSERT_EQ(got.count, expected.count) << case_ << name;
    EXPECT_LE(got.Distance(expected), kTolerance * expected.norm)
        << case_ << name << ": L2 norm " << got.norm << ", PyTorch's " << expected.norm;
  }
  /* Adds to misses_.  A gradient that is zero in exact arithmetic (a bias before batch norm) is measured against the
   * largest one. */
  void CheckGradient(const std::string &name, const float *data, size_t count) {
    const std::vector<double> &numbers = values_[case_ + "/gradient/" + name];
    ASSERT_NE(data, nullptr) << case_ << ": no gradient of " << name;
    double error;
    if (numbers.size() == 7) {
      const stored::Digest expected(numbers), got(data, count);
      ASSERT_EQ(got.count, expected.count) << case_ << ": " << name;
      error = got.Distance(expected) / std::max(expected.norm, 1e-2 * largest_gradient_);
    } else {
      ASSERT_EQ(count, numbers.size()) << case_ << ": " << name;
      error = stored::RelativeDistance({data, data + count}, numbers);
    }
    if (!(error <= kTolerance))
      misses_ += "\n  " + case_ + ", " + name + ": " + std::to_string(error);
  }
  void ExpectField(const float *field, int size, int batch) {
    const size_t n = static_cast<size_t>(size), maps = 3 * static_cast<size_t>(batch);
    ExpectDigest("/field", field, maps * n * n * n);
    std::vector<float> part;
    for (size_t m = 0; m < maps; m++)
      for (size_t k = n / 8; k < n; k += n / 4)
        for (size_t j = n / 8; j < n; j += n / 4)
          for (size_t i = n / 8; i < n; i += n / 4)
            part.push_back(field[((m * n + k) * n + j) * n + i]);
    ExpectNumbers("/field.sparse", part.data(), part.size());
  }

  /* Every trained parameter of `network` has a stored gradient, and the other way round. */
  void ExpectParameterGradients(const cw_graph *network, const cw_graph *graph, const std::string &prefix,
                                const cw_plan *plan) {
    size_t count = 0;
    for (cw_value v = 0; v < cw_graph_value_count(network); v++) {
      if (cw_value_kind_of(network, v) != CW_VALUE_PARAMETER)
        continue;
      count++;
      const std::string name = cw_value_name(network, v);
      ASSERT_TRUE(values_.Has(case_ + "/gradient/" + name)) << case_ << ": PyTorch has no parameter " << name;
      const cw_value used = cw_graph_find(graph, (prefix + name).c_str());
      ASSERT_NE(used, CW_NONE) << prefix << name;
      CheckGradient(name, cw_plan_gradient(plan, used), Elements(network, v, 1));
    }
    for (const std::string &name : values_.Below(case_ + "/gradient/"))
      EXPECT_TRUE(name == "image" || name == "direction" || cw_graph_find(network, name.c_str()) != CW_NONE)
          << case_ << ": only PyTorch has " << name;
    EXPECT_GT(count, 20u);
  }

  void SetGradient(const cw_plan *plan, const cw_graph *graph, cw_value v, int batch, float value) {
    float *gradient = cw_plan_gradient(plan, v);
    ASSERT_NE(gradient, nullptr) << cw_value_name(graph, v);
    std::fill_n(gradient, Elements(graph, v, batch), value);
  }

  void RunClassifier(int size, int batch, bool training, bool keep_all);
  void RunSimulator(int size, int batch, bool training, bool velocity, bool by_direction, bool keep_all);
  void RunField(int size, bool training);

  stored::Values values_;
  std::unique_ptr<cw_context, ContextDeleter> context_;
  std::vector<cw_graph *> graphs_;
  std::vector<cw_plan *> plans_;
  std::string case_;
  int salt_ = 0;
  double largest_gradient_ = 0;
  std::string misses_;
};

/* BCE with logits, targets 0, 1, 0, ...; the loss is the batch's mean. */
void Networks::RunClassifier(int size, int batch, bool training, bool keep_all) {
  cw_context *c = context_.get();
  cw_graph *network = Classifier(size), *graph = nullptr;
  Need(cw_graph_create(c, &graph));
  Keep(graph);
  cw_value image, target, logit, loss;
  Need(cw_graph_input(c, graph, "image", CW_SHAPE(CW_BATCH, 1, size, size, size), &image));
  Need(cw_graph_input(c, graph, "target", CW_SHAPE(CW_BATCH, 1), &target));
  const cw_value wanted = cw_graph_output_at(network, 0);
  Need(cw_graph_append(c, graph, network, "c/", false, &image, &wanted, 1, &logit));
  const cw_value inputs[2] = {logit, target};
  Need(cw_graph_node(c, graph, CW_OP_LOSS_BCE, "loss", nullptr, inputs, 2, &loss));
  Need(cw_graph_output(c, graph, logit));
  Need(cw_graph_output(c, graph, loss));
  const bool gradients = values_.Has(case_ + "/gradient/image");
  cw_plan *plan = Plan(graph,
                       training    ? CW_TRAINING
                       : gradients ? CW_INPUT_GRADIENT
                                   : CW_INFERENCE,
                       batch, {image}, keep_all);
  stored::FillImage(salt_, size, batch, cw_plan_data(plan, image));
  for (int n = 0; n < batch; n++)
    cw_plan_data(plan, target)[n] = static_cast<float>(n % 2);
  cw_plan_set_step(plan, 1000);  // the running statistics' momentum is 0.1 from the tenth step on
  cw_plan_forward(plan);
  const size_t samples = static_cast<size_t>(batch);
  ExpectNumbers("/logit", cw_plan_data(plan, logit), samples);
  ExpectNumbers("/loss", cw_plan_data(plan, loss), samples);
  if (!gradients)
    return;
  SetGradient(plan, graph, logit, batch, 0);
  SetGradient(plan, graph, loss, batch, 1.0f / static_cast<float>(batch));
  cw_plan_backward(plan);
  CheckGradient("image", cw_plan_gradient(plan, image), Elements(graph, image, batch));
  if (!training)
    return;
  ExpectParameterGradients(network, graph, "c/", plan);
  for (const std::string &rest : values_.Below(case_ + "/after/")) {
    const cw_value v = cw_graph_find(network, rest.c_str());
    ASSERT_NE(v, CW_NONE) << rest;
    ExpectNumbers("/after/" + rest, cw_value_data(network, v), Elements(network, v, 1));
  }
}

/* A training step's graph: u = S(x, o), x' = warp(x, u), hinge on f(x') - f(x), smoothness of the network's output,
 * and x'' = warp(x', S(x', -o)) against x. */
void Networks::RunSimulator(int size, int batch, bool training, bool velocity, bool by_direction, bool keep_all) {
  cw_context *c = context_.get();
  const int taper = velocity ? 4 : 0;
  cw_graph *network = Simulator(size, taper, by_direction, training), *classifier = Classifier(size), *graph = nullptr;
  Need(cw_graph_create(c, &graph));
  Keep(graph);
  cw_value image, direction, opposite, logit[2], field[2], moved[2], loss[3];
  Need(cw_graph_input(c, graph, "image", CW_SHAPE(CW_BATCH, 1, size, size, size), &image));
  Need(cw_graph_input(c, graph, "direction", CW_SHAPE(CW_BATCH, 1), &direction));
  Need(cw_graph_input(c, graph, "opposite", CW_SHAPE(CW_BATCH, 1), &opposite));
  const cw_value network_field = cw_graph_output_at(network, 0), network_logit = cw_graph_output_at(classifier, 0);
  for (int i = 0; i < 2; i++) {
    const std::string prefix(i ? "back/" : "s/");
    const cw_value from = i ? moved[0] : image, inputs[2] = {from, i ? opposite : direction};
    Need(cw_graph_append(c, graph, network, prefix.c_str(), false, inputs, &network_field, 1, &field[i]));
    cw_value u = field[i];
    cw_attributes attributes = cw_attributes_default();
    attributes.squarings = 6;
    if (velocity)
      Need(cw_graph_node(c, graph, CW_OP_EXPONENTIAL, (prefix + "exp").c_str(), &attributes, &field[i], 1, &u));
    const cw_value warp[2] = {from, u};
    Need(cw_graph_node(c, graph, CW_OP_WARP, (prefix + "moved").c_str(), nullptr, warp, 2, &moved[i]));
    const cw_value seen = i ? moved[0] : image;
    Need(cw_graph_append(c, graph, classifier, i ? "after/" : "before/", true, &seen, &network_logit, 1, &logit[i]));
  }
  cw_attributes attributes = cw_attributes_default();
  attributes.shift_margin = 12.5f;
  attributes.norm = velocity ? 2 : 1;
  const cw_value shift[3] = {logit[1], logit[0], direction}, cycle[2] = {moved[1], image};
  Need(cw_graph_node(c, graph, CW_OP_LOSS_SHIFT, "shift", &attributes, shift, 3, &loss[0]));
  Need(cw_graph_node(c, graph, CW_OP_LOSS_MSE, "cycle", nullptr, cycle, 2, &loss[1]));
  Need(cw_graph_node(c, graph, CW_OP_LOSS_SMOOTH, "smooth", &attributes, field, 1, &loss[2]));
  const cw_value outputs[7] = {field[0], moved[0], logit[0], logit[1], loss[0], loss[1], loss[2]};
  for (const cw_value v : outputs)
    Need(cw_graph_output(c, graph, v));

  cw_plan *plan = Plan(graph, training ? CW_TRAINING : CW_INPUT_GRADIENT, batch, {image, direction}, keep_all);
  stored::FillImage(salt_, size, batch, cw_plan_data(plan, image));
  for (int n = 0; n < batch; n++) {
    cw_plan_data(plan, direction)[n] = n % 2 ? -1.0f : 1.0f;
    cw_plan_data(plan, opposite)[n] = n % 2 ? 1.0f : -1.0f;
  }
  cw_plan_forward(plan);
  const size_t samples = static_cast<size_t>(batch);
  ExpectField(cw_plan_data(plan, field[0]), size, batch);
  ExpectDigest("/moved", cw_plan_data(plan, moved[0]), Elements(graph, moved[0], batch));
  std::vector<float> logits;
  for (int n = 0; n < batch; n++)
    for (int i = 0; i < 2; i++)
      logits.push_back(cw_plan_data(plan, logit[i])[n]);
  ExpectNumbers("/logit", logits.data(), logits.size());
  const char *const loss_name[3] = {"/shift", "/cycle", "/smooth"};
  const float weight[3] = {1, 100, 10};
  for (int i = 0; i < 3; i++)
    ExpectNumbers(loss_name[i], cw_plan_data(plan, loss[i]), samples);

  for (const cw_value v : {field[0], moved[0], logit[1]})
    SetGradient(plan, graph, v, batch, 0);
  if (float *gradient = cw_plan_gradient(plan, logit[0]))
    std::fill_n(gradient, samples, 0.0f);
  for (int i = 0; i < 3; i++)
    SetGradient(plan, graph, loss[i], batch, weight[i] / static_cast<float>(batch));
  cw_plan_backward(plan);
  CheckGradient("image", cw_plan_gradient(plan, image), Elements(graph, image, batch));
  CheckGradient("direction", cw_plan_gradient(plan, direction), samples);
  if (training)
    ExpectParameterGradients(network, graph, "s/", plan);
}

/* The field alone, one sample; in training, the gradients of its dot product with fixed numbers. */
void Networks::RunField(int size, bool training) {
  cw_graph *network = Simulator(size, 0, false, training);
  const cw_value image = cw_graph_find(network, "image"), direction = cw_graph_find(network, "direction"),
                 field = cw_graph_output_at(network, 0);
  cw_plan *plan = Plan(network, training ? CW_TRAINING : CW_INFERENCE, 1, {image, direction}, false);
  stored::FillImage(salt_, size, 1, cw_plan_data(plan, image));
  cw_plan_data(plan, direction)[0] = 1;
  cw_plan_forward(plan);
  ExpectField(cw_plan_data(plan, field), size, 1);
  if (!training)
    return;
  const stored::Unit probe("probe");
  for (size_t i = 0; i < Elements(network, field, 1); i++)
    cw_plan_gradient(plan, field)[i] = static_cast<float>(probe[i]);
  cw_plan_backward(plan);
  CheckGradient("image", cw_plan_gradient(plan, image), Elements(network, image, 1));
  CheckGradient("direction", cw_plan_gradient(plan, direction), 1);
  ExpectParameterGradients(network, network, "", plan);
}

TEST_F(Networks, ClassifierTraining32) {
  OnQuietData("classifier32.training", [&] { RunClassifier(32, 2, true, false); });
}
TEST_F(Networks, ClassifierTraining32WithoutFusion) {
  OnQuietData("classifier32.training", [&] { RunClassifier(32, 2, true, true); });
}
TEST_F(Networks, ClassifierInference32) {
  OnQuietData("classifier32.inference", [&] { RunClassifier(32, 2, false, false); });
}
TEST_F(Networks, ClassifierInference48) {
  OnQuietData("classifier48.inference", [&] { RunClassifier(48, 1, false, false); });
}
TEST_F(Networks, ClassifierTraining64) {
  OnQuietData("classifier64.training", [&] { RunClassifier(64, 2, true, false); });
}
TEST_F(Networks, ClassifierInference64) {
  OnQuietData("classifier64.inference", [&] { RunClassifier(64, 1, false, false); });
}
TEST_F(Networks, ClassifierInference128) {
  OnQuietData("classifier128.inference", [&] { RunClassifier(128, 1, false, false); });
}

TEST_F(Networks, DisplacementTraining32) {
  OnQuietData("displacement32.training", [&] { RunSimulator(32, 2, true, false, false, false); });
}
TEST_F(Networks, DisplacementTraining32WithoutFusion) {
  OnQuietData("displacement32.training", [&] { RunSimulator(32, 2, true, false, false, true); });
}
TEST_F(Networks, DisplacementInference32) {
  OnQuietData("displacement32.inference", [&] { RunSimulator(32, 2, false, false, false, false); });
}
TEST_F(Networks, VelocityTraining32) {
  OnQuietData("velocity32.training", [&] { RunSimulator(32, 2, true, true, false, false); });
}
TEST_F(Networks, VelocityInference32) {
  OnQuietData("velocity32.inference", [&] { RunSimulator(32, 2, false, true, false, false); });
}
TEST_F(Networks, RoutingByDirectionTraining32) {
  OnQuietData("direction32.training", [&] { RunSimulator(32, 2, true, false, true, false); });
}
TEST_F(Networks, FieldTraining64) {
  OnQuietData("field64.training", [&] { RunField(64, true); });
}
TEST_F(Networks, Field48) {
  OnQuietData("field48", [&] { RunField(48, false); });
}
TEST_F(Networks, Field128) {
  OnQuietData("field128", [&] { RunField(128, false); });
}

TEST_F(Networks, LevelsKeepTheSmallestMapAtFourToSevenVoxels) {
  const int sizes[7] = {32, 48, 64, 80, 96, 112, 128}, expected[7] = {3, 3, 4, 4, 4, 4, 5};
  for (int i = 0; i < 7; i++) {
    int levels = 0;
    Need(cw_network_levels(context_.get(), sizes[i], &levels));
    EXPECT_EQ(levels, expected[i]) << sizes[i];
  }
}

TEST_F(Networks, RefuseOtherSizes) {
  for (const int size : {-16, 0, 16, 31, 40, 72, 144, 2147483632}) {
    int levels = 0;
    cw_graph *graph = nullptr;
    EXPECT_EQ(cw_network_levels(context_.get(), size, &levels), CW_ERROR_ARGUMENT) << size;
    EXPECT_EQ(cw_network_classifier(context_.get(), size, 1, &graph), CW_ERROR_ARGUMENT) << size;
    EXPECT_EQ(graph, nullptr);
    EXPECT_STRNE(cw_context_message(context_.get()), "");
    cw_simulator_options options = {};
    options.size = size;
    EXPECT_EQ(cw_network_simulator(context_.get(), &options, &graph), CW_ERROR_ARGUMENT) << size;
    EXPECT_EQ(graph, nullptr);
  }
}

TEST_F(Networks, SeedsDrawTheWeights) {
  cw_graph *graph[3] = {};
  const uint64_t seeds[3] = {5, 5, 6};
  for (int i = 0; i < 3; i++) {
    Need(cw_network_classifier(context_.get(), 32, seeds[i], &graph[i]));
    Keep(graph[i]);
  }
  const cw_value v = cw_graph_find(graph[0], "block2.conv.weight");
  ASSERT_NE(v, CW_NONE);
  const size_t count = Elements(graph[0], v, 1);
  const float *a = cw_value_data(graph[0], v), *b = cw_value_data(graph[1], v), *other = cw_value_data(graph[2], v);
  EXPECT_TRUE(std::equal(a, a + count, b));
  EXPECT_FALSE(std::equal(a, a + count, other));
  // Xavier uniform: sqrt(6 / (27 * 16 + 27 * 32))
  EXPECT_NEAR(*std::max_element(a, a + count), std::sqrt(6.0 / (27 * 48)), 1e-3);
}

}  // namespace
