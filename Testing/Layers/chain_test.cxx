// Neighbouring layers that a plan runs as one kernel, or in place: the same numbers as one by one.
#include "Layers/harness.h"

using namespace layers;

namespace {

// Builds x -> body(...) -> output, runs it once with every value kept (no fusion) and once without, and compares the
// output, the gradient of x, and the gradients of all parameters.
struct Chain {
  explicit Chain(int threads) : context(threads) { EXPECT_EQ(cw_graph_create(c(), &graph), CW_OK); }
  ~Chain() { cw_graph_free(c(), graph); }
  cw_context *c() { return context.get; }

  std::string next_name() { return "v" + std::to_string(names++); }

  cw_value input(Shape shape) {
    cw_value v = CW_NONE;
    shape[0] = CW_BATCH;
    EXPECT_EQ(
        cw_graph_input(c(), graph, next_name().c_str(), cw_shape_of(static_cast<int>(shape.size()), shape.data()), &v),
        CW_OK);
    inputs.push_back(v);
    return v;
  }

  cw_value weights(const Shape &shape, bool trained, double low, double high) {
    cw_value v = CW_NONE;
    const std::vector<float> data = to_float(random_tensor(shape, low, high, static_cast<uint64_t>(names)).data);
    EXPECT_EQ(cw_graph_parameter(c(), graph, next_name().c_str(),
                                 cw_shape_of(static_cast<int>(shape.size()), shape.data()), trained, data.data(), &v),
              CW_OK);
    return v;
  }

  cw_value node(cw_operator op, std::vector<cw_value> in, const cw_attributes &a = cw_attributes_default()) {
    cw_value v = CW_NONE;
    EXPECT_EQ(cw_graph_node(c(), graph, op, next_name().c_str(), &a, in.data(), static_cast<int>(in.size()), &v), CW_OK)
        << cw_context_message(c());
    return v;
  }

  cw_value norm(cw_value x) {
    const int64_t channels = cw_value_shape(graph, x)->d[1];
    const cw_value scale = weights({channels}, true, -1.5, 1.5), shift = weights({channels}, true, -1, 1);
    const cw_value mean = weights({channels}, false, -1, 1), variance = weights({channels}, false, 0.2, 2);
    return node(CW_OP_BATCH_NORM, {x, scale, shift, mean, variance});
  }

  cw_value leaky(cw_value x, float alpha) {
    cw_attributes a = cw_attributes_default();
    a.alpha = alpha;
    return node(CW_OP_LEAKY_RELU, {x}, a);
  }

  cw_value pool(cw_value x) {
    cw_attributes a = cw_attributes_default();
    for (int i = 0; i < 3; i++)
      a.kernel[i] = a.stride[i] = 2;
    return node(CW_OP_MAX_POOL, {x}, a);
  }

  cw_value up(cw_value x) {
    cw_attributes a = cw_attributes_default();
    for (int i = 0; i < 3; i++)
      a.scale[i] = 2;
    return node(CW_OP_RESIZE_NEAREST, {x}, a);
  }

  std::vector<std::vector<float>> run(cw_value output, int batch, cw_mode mode, bool keep_all) {
    std::vector<std::vector<float>> result;
    cw_plan *plan = nullptr;
    cw_plan_options options = {};
    options.mode = mode;
    options.batch = batch;
    options.outputs = &output;
    options.output_count = 1;
    options.gradients = inputs.data();
    options.gradient_count = static_cast<int>(inputs.size());
    options.keep_all = keep_all;
    EXPECT_EQ(cw_plan_create(c(), graph, &options, &plan), CW_OK) << cw_context_message(c());
    if (!plan)
      return result;
    uint64_t stream = 500;
    const auto fill = [&](float *to, cw_value v) {
      const Tensor x = random_tensor({cw_shape_elements(cw_value_shape(graph, v), batch)}, -1, 1, stream++);
      const std::vector<float> data = to_float(x.data);
      std::memcpy(to, data.data(), data.size() * sizeof(float));
    };
    const auto collect = [&](const float *from, cw_value v) {
      result.emplace_back(from, from + cw_shape_elements(cw_value_shape(graph, v), batch));
    };
    for (cw_value v : inputs)
      fill(cw_plan_data(plan, v), v);
    cw_plan_set_step(plan, 1000000);
    cw_plan_forward(plan);
    collect(cw_plan_data(plan, output), output);
    fill(cw_plan_gradient(plan, output), output);
    cw_plan_backward(plan);
    for (cw_value v = 0; v < cw_graph_value_count(graph); v++)
      if (const float *g = cw_plan_gradient(plan, v))
        if (cw_value_kind_of(graph, v) != CW_VALUE_ACTIVATION)
          collect(g, v);
    cw_plan_free(c(), plan);
    return result;
  }

  void compare(cw_value output, int batch) {
    for (cw_mode mode : {CW_TRAINING, CW_INPUT_GRADIENT}) {
      const auto kept = run(output, batch, mode, true), fused = run(output, batch, mode, false);
      ASSERT_EQ(kept.size(), fused.size());
      ASSERT_GE(kept.size(), 1 + inputs.size());
      for (std::size_t i = 0; i < kept.size(); i++) {
        const std::vector<double> exact(kept[i].begin(), kept[i].end());
        const double scale = std::max(1e-3, layers::norm(exact) / std::sqrt(static_cast<double>(exact.size())));
        ASSERT_EQ(kept[i].size(), fused[i].size());
        for (std::size_t k = 0; k < exact.size(); k++)
          ASSERT_NEAR(fused[i][k], exact[k], 2e-5 * std::max(scale, std::fabs(exact[k])))
              << (mode == CW_TRAINING ? "training" : "input gradient") << ", result " << i << ", element " << k;
      }
    }
  }

  Context context;
  cw_graph *graph = nullptr;
  std::vector<cw_value> inputs;
  int names = 0;
};

const Shape volumes[] = {{2, 3, 4, 6, 8}, {1, 16, 8, 8, 8}, {3, 5, 2, 2, 34}};

TEST(Chain, NormActivationPool) {
  for (const Shape &shape : volumes)
    for (int threads : {1, 2}) {
      Chain leaky(threads), relu(threads), bare(threads);
      leaky.compare(leaky.pool(leaky.leaky(leaky.norm(leaky.input(shape)), 0.1f)), static_cast<int>(shape[0]));
      relu.compare(relu.pool(relu.node(CW_OP_RELU, {relu.norm(relu.input(shape))})), static_cast<int>(shape[0]));
      bare.compare(bare.pool(bare.norm(bare.input(shape))), static_cast<int>(shape[0]));
    }
}

// An odd size is not fused with its pooling.
TEST(Chain, OddSizes) {
  Chain chain(2);
  chain.compare(chain.pool(chain.leaky(chain.norm(chain.input({2, 3, 5, 7, 9})), 0.1f)), 2);
}

TEST(Chain, NormActivationResizeAdd) {
  for (const Shape &shape : volumes)
    for (bool skip_first : {false, true}) {
      Chain chain(2);
      const cw_value up = chain.up(chain.leaky(chain.norm(chain.input(shape)), 0.1f));
      const cw_value skip = chain.input({shape[0], shape[1], 2 * shape[2], 2 * shape[3], 2 * shape[4]});
      const cw_value sum =
          chain.node(CW_OP_ADD, skip_first ? std::vector<cw_value>{skip, up} : std::vector<cw_value>{up, skip});
      chain.compare(sum, static_cast<int>(shape[0]));
    }
}

// The skip is an activation with a second reader: its gradient is a sum.
TEST(Chain, SkipWithSecondReader) {
  Chain chain(2);
  const cw_value x = chain.input({2, 3, 4, 4, 4});
  const cw_value skip = chain.node(CW_OP_SIGMOID, {chain.up(x)});
  const cw_value sum = chain.node(CW_OP_ADD, {chain.up(chain.leaky(chain.norm(x), 0.1f)), skip});
  const cw_value more = chain.node(CW_OP_ADD, {sum, chain.leaky(skip, 0.3f)});
  chain.compare(chain.node(CW_OP_ADD, {more, more}), 2);
}

// Runs of element-wise layers overwrite their inputs where nobody needs them back, and only there.
TEST(Chain, InPlace) {
  Chain chain(2);
  const cw_value x = chain.input({2, 4, 3, 4, 5});
  const cw_value a = chain.node(CW_OP_SIGMOID, {x}), b = chain.node(CW_OP_RELU, {a}), d = chain.leaky(b, 0.2f);
  cw_attributes flat = cw_attributes_default();
  flat.shape = CW_SHAPE(CW_BATCH, 240);
  const cw_value e = chain.node(CW_OP_RESHAPE, {chain.node(CW_OP_ADD, {d, x})}, flat);
  const cw_value w = chain.weights({7, 240}, true, -1, 1), shift = chain.weights({7}, true, -1, 1);
  const cw_value y = chain.node(CW_OP_GEMM, {e, w, shift});
  const cw_value gate = chain.node(CW_OP_SIGMOID, {y}), clipped = chain.node(CW_OP_RELU, {y});
  chain.compare(chain.node(CW_OP_CONCAT, {gate, clipped, chain.node(CW_OP_RELU, {clipped})}), 2);
}

}  // namespace
