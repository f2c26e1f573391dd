// One node against its double-precision reference.
//
// A Case is built through counterwarp/graph.h as a graph of one node and run by a plan that keeps everything.
//  - forward: every output against the reference;
//  - gradients: for each input and parameter, the projection of the computed gradient on random directions against the
//    central finite difference of the reference (not of the float code);
//  - the same bits on 1, 2 and 3 threads, and with the plan free to reuse memory;
//  - a value read by two nodes receives the sum of both gradients.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "counterwarp/random.h"
#include "Reference/reference.h"

namespace layers {

using reference::Shape;
using reference::Tensor;

enum class Role { Input, Parameter, Buffer, Absent };

struct Operand {
  Role role = Role::Input;
  Shape shape;  // batch included
  double low = -1, high = 1;
  bool differentiate = true;
};

struct Case {
  cw_operator op = CW_OP_RELU;
  cw_attributes attributes = cw_attributes_default();
  std::vector<Operand> operands;
  int batch = 1;
  bool training = true;
  uint64_t step = 0;
  int seed_every = 1;  // only every so many elements of the output get a gradient
};

inline Operand input(Shape shape, double low = -1, double high = 1) {
  return {Role::Input, std::move(shape), low, high, true};
}
inline Operand target(Shape shape, double low = -1, double high = 1) {
  return {Role::Input, std::move(shape), low, high, false};
}
inline Operand parameter(Shape shape, double low = -1, double high = 1) {
  return {Role::Parameter, std::move(shape), low, high, true};
}
inline Operand buffer(Shape shape, double low = -1, double high = 1) {
  return {Role::Buffer, std::move(shape), low, high, false};
}
inline Operand absent() {
  return {Role::Absent, {}, 0, 0, false};
}

struct Context {
  explicit Context(int threads = 2) {
    cw_context_options options = {};
    options.threads = threads;
    options.seed = 7;
    EXPECT_EQ(cw_context_create(&options, &get), CW_OK);
  }
  ~Context() { cw_context_free(get); }
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;
  cw_context *get = nullptr;
};

// Numbers that float holds exactly, so that float code and reference start from the same values.
inline Tensor random_tensor(const Shape &shape, double low, double high, uint64_t stream) {
  Tensor x(shape);
  cw_random random = cw_random_stream(20, stream);
  for (double &v : x.data)
    v = static_cast<float>(cw_random_uniform(&random, low, high));
  return x;
}

inline cw_shape graph_shape(const Operand &operand) {
  cw_shape shape = cw_shape_of(static_cast<int>(operand.shape.size()), operand.shape.data());
  if (operand.role == Role::Input)
    shape.d[0] = CW_BATCH;
  return shape;
}

inline std::vector<float> to_float(const std::vector<double> &x) {
  return std::vector<float>(x.begin(), x.end());
}

struct Result {
  std::vector<std::vector<float>> outputs;
  std::vector<std::vector<float>> gradients;  // one an operand; empty if there is none
  std::vector<std::vector<float>> buffers;    // afterwards
};

// Runs the node `uses` times on the same values (each with its own output and seed) and collects everything.
inline Result run(const Case &test, const std::vector<Tensor> &values, const std::vector<Tensor> &seeds, int threads,
                  bool keep_all) {
  Context context(threads);
  cw_context *c = context.get;
  Result result;
  cw_graph *graph = nullptr;
  cw_plan *plan = nullptr;
  EXPECT_EQ(cw_graph_create(c, &graph), CW_OK);
  std::vector<cw_value> operands, outputs, wanted;
  for (std::size_t i = 0; i < test.operands.size(); i++) {
    const Operand &operand = test.operands[i];
    const std::string name = "v" + std::to_string(i);
    cw_value value = CW_NONE;
    cw_status added = CW_OK;
    if (operand.role == Role::Input)
      added = cw_graph_input(c, graph, name.c_str(), graph_shape(operand), &value);
    else if (operand.role != Role::Absent)
      added = cw_graph_parameter(c, graph, name.c_str(), graph_shape(operand), operand.role == Role::Parameter,
                                 to_float(values[i].data).data(), &value);
    EXPECT_EQ(added, CW_OK) << cw_context_message(c);
    operands.push_back(value);
    if (operand.role == Role::Input && operand.differentiate)
      wanted.push_back(value);
  }
  for (std::size_t k = 0; k < seeds.size(); k++) {
    cw_value y = CW_NONE;
    const cw_status status = cw_graph_node(c, graph, test.op, ("y" + std::to_string(k)).c_str(), &test.attributes,
                                           operands.data(), static_cast<int>(operands.size()), &y);
    EXPECT_EQ(status, CW_OK) << cw_context_message(c);
    if (status != CW_OK) {
      cw_graph_free(c, graph);
      return result;
    }
    outputs.push_back(y);
    EXPECT_EQ(cw_graph_output(c, graph, y), CW_OK);
  }
  cw_plan_options options = {};
  options.mode = test.training ? CW_TRAINING : CW_INPUT_GRADIENT;
  options.batch = test.batch;
  options.gradients = wanted.data();
  options.gradient_count = static_cast<int>(wanted.size());
  options.keep_all = keep_all;
  EXPECT_EQ(cw_plan_create(c, graph, &options, &plan), CW_OK) << cw_context_message(c);
  if (plan) {
    for (std::size_t i = 0; i < operands.size(); i++)
      if (test.operands[i].role == Role::Input) {
        const std::vector<float> x = to_float(values[i].data);
        float *data = cw_plan_data(plan, operands[i]);
        if (data)
          std::memcpy(data, x.data(), x.size() * sizeof(float));
        else
          ADD_FAILURE() << "the plan has no memory for operand " << i;
      }
    cw_plan_set_step(plan, test.step);
    cw_plan_forward(plan);
    for (std::size_t k = 0; k < outputs.size(); k++) {
      const float *y = cw_plan_data(plan, outputs[k]);
      result.outputs.emplace_back(y, y + seeds[k].size());
      const std::vector<float> g = to_float(seeds[k].data);
      if (float *gradient = cw_plan_gradient(plan, outputs[k]))
        std::memcpy(gradient, g.data(), g.size() * sizeof(float));
    }
    cw_plan_backward(plan);
    for (std::size_t i = 0; i < operands.size(); i++) {
      const float *g = operands[i] == CW_NONE ? nullptr : cw_plan_gradient(plan, operands[i]);
      result.gradients.emplace_back();
      if (g && test.operands[i].differentiate)
        result.gradients.back().assign(g, g + values[i].size());
      const float *b = test.operands[i].role == Role::Buffer ? cw_value_data(graph, operands[i]) : nullptr;
      result.buffers.emplace_back();
      if (b)
        result.buffers.back().assign(b, b + values[i].size());
    }
  }
  cw_plan_free(c, plan);
  cw_graph_free(c, graph);
  return result;
}

inline double norm(const std::vector<double> &x) {
  double sum = 0;
  for (double v : x)
    sum += v * v;
  return std::sqrt(sum);
}

inline double project(const Tensor &y, const Tensor &seed) {
  double sum = 0;
  for (int64_t i = 0; i < y.size(); i++)
    sum += y[i] * seed[i];
  return sum;
}

inline void expect_same_bits(const Result &a, const Result &b, const char *what) {
  EXPECT_EQ(a.outputs, b.outputs) << what;
  EXPECT_EQ(a.gradients, b.gradients) << what;
  EXPECT_EQ(a.buffers, b.buffers) << what;
}

// Largest |y - reference| against the reference's largest magnitude.
inline void expect_forward(const std::vector<float> &y, const Tensor &expected, double tolerance) {
  ASSERT_EQ(static_cast<int64_t>(y.size()), expected.size());
  double largest = 1e-3;
  for (double v : expected.data)
    largest = std::max(largest, std::fabs(v));
  for (std::size_t i = 0; i < y.size(); i++)
    ASSERT_NEAR(y[i], expected.data[i], tolerance * largest) << "output element " << i;
}

// <gradient, direction> against (L(x + h d) - L(x - h d)) / 2h with L = <seed, reference(x)>; the tolerance is relative
// to |gradient|, which is the standard deviation of the projection on a random direction of unit variance.
inline void expect_gradient(const Case &test, const std::vector<Tensor> &values, const Tensor &seed, std::size_t i,
                            const std::vector<float> &gradient, double tolerance) {
  ASSERT_EQ(static_cast<int64_t>(gradient.size()), values[i].size()) << "operand " << i << " has no gradient";
  const double h = 1e-6, size = norm(std::vector<double>(gradient.begin(), gradient.end()));
  for (uint64_t d = 0; d < 3; d++) {
    const Tensor direction = random_tensor(values[i].shape, -std::sqrt(3.0), std::sqrt(3.0), 1000 + d);
    std::vector<Tensor> plus = values, minus = values;
    double projection = 0;
    for (int64_t k = 0; k < direction.size(); k++) {
      plus[i][k] += h * direction[k];
      minus[i][k] -= h * direction[k];
      projection += static_cast<double>(gradient[static_cast<std::size_t>(k)]) * direction[k];
    }
    const double difference = (project(reference::run(test.op, test.attributes, plus, test.training), seed) -
                               project(reference::run(test.op, test.attributes, minus, test.training), seed)) /
                              (2 * h);
    EXPECT_NEAR(projection, difference, tolerance * std::max(size, 1e-3)) << "operand " << i << ", direction " << d;
  }
}

// All of the above for one case.
inline void check(const Case &test, double forward_tolerance, double gradient_tolerance) {
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < test.operands.size(); i++) {
    const Operand &operand = test.operands[i];
    values.push_back(operand.role == Role::Absent ? Tensor()
                                                  : random_tensor(operand.shape, operand.low, operand.high, i));
  }
  const Tensor expected = reference::run(test.op, test.attributes, values, test.training);
  std::vector<Tensor> seeds = {random_tensor(expected.shape, -1, 1, 100), random_tensor(expected.shape, -1, 1, 101)};
  for (Tensor &seed : seeds)
    for (int64_t i = 0; i < seed.size(); i++)
      seed[i] = i % test.seed_every ? 0 : seed[i];

  const Result first = run(test, values, {seeds[0]}, 1, true);
  ASSERT_EQ(first.outputs.size(), 1u);
  expect_forward(first.outputs[0], expected, forward_tolerance);
  ASSERT_EQ(first.gradients.size(), values.size());
  for (std::size_t i = 0; i < values.size(); i++)
    if (test.operands[i].differentiate && (test.training || test.operands[i].role == Role::Input))
      expect_gradient(test, values, seeds[0], i, first.gradients[i], gradient_tolerance);

  expect_same_bits(first, run(test, values, {seeds[0]}, 2, true), "2 threads");
  expect_same_bits(first, run(test, values, {seeds[0]}, 3, true), "3 threads");
  expect_same_bits(first, run(test, values, {seeds[0]}, 2, false), "memory reused");

  const Result second = run(test, values, {seeds[1]}, 1, true), both = run(test, values, seeds, 2, true);
  ASSERT_EQ(both.gradients.size(), values.size());
  for (std::size_t i = 0; i < values.size(); i++) {
    std::vector<double> sum(first.gradients[i].size());
    ASSERT_EQ(both.gradients[i].size(), sum.size());
    for (std::size_t k = 0; k < sum.size(); k++)
      sum[k] = static_cast<double>(first.gradients[i][k]) + second.gradients[i][k];
    const double scale = norm(sum) / std::sqrt(std::max<double>(1, static_cast<double>(sum.size())));
    for (std::size_t k = 0; k < sum.size(); k++)
      ASSERT_NEAR(both.gradients[i][k], sum[k], 2e-5 * std::max(scale, std::fabs(sum[k])) + 1e-7)
          << "two uses, operand " << i << ", element " << k;
  }
}

// Adding the node to a graph must fail with this status and a message that contains `part`.
inline void expect_refused(const Case &test, cw_status status, const char *part) {
  Context context;
  cw_graph *graph = nullptr;
  ASSERT_EQ(cw_graph_create(context.get, &graph), CW_OK);
  std::vector<cw_value> operands;
  for (const Operand &operand : test.operands) {
    cw_value value = CW_NONE;
    const std::string name = "v" + std::to_string(operands.size());
    cw_status added = CW_OK;
    if (operand.role == Role::Input)
      added = cw_graph_input(context.get, graph, name.c_str(), graph_shape(operand), &value);
    else if (operand.role != Role::Absent)
      added = cw_graph_parameter(context.get, graph, name.c_str(), graph_shape(operand), true, nullptr, &value);
    ASSERT_EQ(added, CW_OK) << cw_context_message(context.get);
    operands.push_back(value);
  }
  cw_value y = CW_NONE;
  EXPECT_EQ(cw_graph_node(context.get, graph, test.op, "the_node", &test.attributes, operands.data(),
                          static_cast<int>(operands.size()), &y),
            status);
  const std::string message = cw_context_message(context.get);
  EXPECT_NE(message.find("the_node"), std::string::npos) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
  cw_graph_free(context.get, graph);
}

}  // namespace layers
