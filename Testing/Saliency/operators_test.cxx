/* The rules on operators of newer networks: conservation of relevance through norms, gates, transposed convolutions and
 * rearrangements; rectifiers that are ReLU in another guise; what has no rule. */
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <set>

#include "example_networks.h"
#include "graph_builder.h"
#include "Saliency/saliency_internal.h"
#include "Tensor/test_context.h"

namespace {

using example::Maps;

constexpr int side = 12;

/* A graph node by node; parameters from stored::Unit, scaled by 1 / sqrt(inputs). */
class Builder : public example::GraphBuilder {
 public:
  explicit Builder(cw_context *context) : GraphBuilder(context, side, side, side) {}

  cw_value stored(const std::string &name, std::initializer_list<int64_t> d, double scale, double middle = 0) {
    const cw_shape shape = cw_shape_list(d);
    std::vector<float> data(static_cast<size_t>(cw_shape_elements(&shape, 1)));
    const stored::Unit unit(name);
    for (size_t i = 0; i < data.size(); i++)
      data[i] = static_cast<float>(middle + scale * unit[i]);
    cw_value value;
    need(cw_graph_parameter(context_, graph, name.c_str(), shape, true, data.data(), &value));
    return value;
  }
  cw_value number(const std::string &name, float number) {
    cw_value value;
    need(cw_graph_parameter(context_, graph, name.c_str(), CW_SHAPE(1), false, &number, &value));
    return value;
  }
  cw_value conv(const std::string &name, cw_value x, int in, int out, int kernel = 3) {
    return node(CW_OP_CONV, name,
                {x, stored(name + ".w", {out, in, kernel, kernel, kernel}, 1 / std::sqrt(0.3 * in * kernel * kernel)),
                 stored(name + ".b", {out}, 0.2)},
                window(kernel, 1, kernel / 2));
  }
  /* x W + b as two nodes. */
  cw_value dense(const std::string &name, cw_value x, int in, int out) {
    const cw_value product =
        node(CW_OP_MATMUL, name + ".product", {x, stored(name + ".w", {in, out}, 2 / std::sqrt(1.0 * in))});
    return node(CW_OP_ADD, name, {product, stored(name + ".b", {out}, 0.2)});
  }
  void finish(cw_value logits) { need(cw_graph_output(context_, graph, logits)); }
};

std::vector<float> an_image() {
  std::vector<float> x(side * side * side);
  stored::FillImage(1, side, 1, x.data());
  return x;
}

/* Instance norm, ELU, squeeze and excitation, SiLU, a skip, Pad, Slice, Transpose, Concat, transposed convolution,
 * Clip, mean, MatMul, GELU, layer norm. */
void modern(Builder &b) {
  cw_value x = b.conv("c1", b.image, 1, 8);
  x = b.node(CW_OP_INSTANCE_NORM, "norm", {x, b.stored("norm.scale", {8}, 0.3, 1), b.stored("norm.bias", {8}, 0.3)});
  x = b.node(CW_OP_ELU, "elu", {x});
  cw_value gate = b.conv("se1", b.node(CW_OP_GLOBAL_AVERAGE_POOL, "mean", {x}), 8, 4, 1);
  gate = b.node(CW_OP_SIGMOID, "gate", {b.conv("se2", b.node(CW_OP_RELU, "se.relu", {gate}), 4, 8, 1)});
  const cw_value skip = b.node(CW_OP_MUL, "excited", {x, gate});
  x = b.conv("c2", skip, 8, 8);
  x = b.node(CW_OP_MUL, "silu", {b.node(CW_OP_SIGMOID, "silu.gate", {x}), x});
  x = b.node(CW_OP_ADD, "skip", {x, skip});
  cw_attributes a = cw_attributes_default();
  for (int i = 2; i < 5; i++)
    a.begin[i] = a.end[i] = 1;
  a.alpha = 0;
  x = b.node(CW_OP_PAD, "pad", {x}, a);
  a = cw_attributes_default();
  for (int i = 2; i < 5; i++)
    a.begin[i] = 1;
  a.shape = CW_SHAPE(CW_BATCH, 8, side, side, side);
  x = b.node(CW_OP_SLICE, "slice", {x}, a);
  a = cw_attributes_default();
  const int order[] = {0, 1, 3, 2, 4};
  std::copy(order, order + 5, a.order);
  x = b.node(CW_OP_CONCAT, "both", {x, b.node(CW_OP_TRANSPOSE, "turned", {x}, a)});
  x = b.node(CW_OP_CONV_TRANSPOSE, "up", {x, b.stored("up.w", {16, 4, 2, 2, 2}, 0.3), b.stored("up.b", {4}, 0.2)},
             window(2, 2, 0));
  a = cw_attributes_default();
  a.alpha = 0;
  a.beta = 6;
  x = b.node(CW_OP_CLIP, "relu6", {x}, a);
  x = b.node(CW_OP_AVERAGE_POOL, "down", {x}, window(6, 6, 0));
  x = b.dense("fc1", b.flat(x, 256), 256, 16);
  const cw_value bent = b.node(CW_OP_ERF, "erf", {b.node(CW_OP_DIV, "scaled", {x, b.number("root", 1.41421356f)})});
  x = b.node(CW_OP_MUL, "gelu", {x, b.node(CW_OP_ADD, "raised", {bent, b.number("one", 1)})});
  x = b.node(CW_OP_MUL, "half", {b.number("a half", 0.5f), x});
  x = b.node(CW_OP_SUB, "shifted", {x, b.stored("shift", {16}, 0.1)});
  x = b.node(CW_OP_LAYER_NORM, "layer", {x, b.stored("layer.scale", {16}, 0.3, 1), b.stored("layer.bias", {16}, 0.2)});
  b.finish(b.dense("fc2", x, 16, 2));
}

double sum(const std::vector<float> &x) {
  return std::accumulate(x.begin(), x.end(), 0.0);
}

cw_status check(TestContext &context, const cw_graph *graph, const char *name) {
  return cw_saliency_check(context, graph, &example::requests(context, {name})[0]);
}

}  // namespace

// What a node receives it passes on, with the shares of its bias and of epsilon; gates receive nothing.
TEST(Operators, LrpConservesThroughNewerLayers) {
  TestContext context;
  Builder b(context);
  modern(b);
  const int nodes = cw_graph_node_count(b.graph);
  const std::set<std::string> gates = {"mean", "se1", "se.relu", "se2", "gate", "silu.gate", "scaled", "erf", "raised"};
  for (const char *name : {"lrp-epsilon", "lrp-zplus", "lrp-absolute", "lrp-composite"})
    for (const bool negate : {false, true}) {
      const auto requests = example::requests(context, {name});
      cw_saliency *saliency = nullptr;
      ASSERT_EQ(cw_saliency_create(context, b.graph, requests.data(), 1, &saliency), CW_OK) << context.message();
      std::vector<cw_ledger> ledger(static_cast<size_t>(nodes));
      saliency->ledger = ledger.data();
      const Maps m = example::maps(context, saliency, 1, an_image(), {1, negate});
      saliency->ledger = nullptr;
      cw_saliency_free(context, saliency);
      ASSERT_EQ(m.status, CW_OK);
      double kept = 0, largest = std::fabs(m.note[0].y);
      for (int i = 0; i < nodes; i++) {
        const cw_ledger &l = ledger[static_cast<size_t>(i)];
        const std::string node = cw_graph_node_at(b.graph, i).name;
        largest = std::max(largest, std::fabs(l.received));
        EXPECT_NEAR(l.received, l.passed + l.bias + l.stabiliser, 2e-3 * largest) << name << ": " << node;
        if (gates.count(node))
          EXPECT_EQ(l.received, 0) << node;
        else
          EXPECT_NE(l.received, 0) << name << ": " << node;
        kept += l.bias + l.stabiliser;
      }
      EXPECT_TRUE(m.note[0].finite);
      EXPECT_FALSE(m.note[0].empty);
      EXPECT_NEAR(sum(m.map[0]) + kept, m.note[0].y, 3e-3 * largest) << name << ": all shares make up the output";
    }
}

// The gradient methods and all handlings of signs give maps of such a network, with the same bits on any threads.
TEST(Operators, AllMethodsOnNewerLayers) {
  TestContext context, one(1);
  Builder b(context);
  modern(b);
  auto requests = example::requests(
      context, {"gradient", "gradcam", "gradcam-plusplus", "fullgrad", "guided-backprop", "guided-backprop.absolute",
                "rectgrad", "rectgrad.signed", "lrp-epsilon", "lrp-zplus", "lrp-alpha2-beta1", "occlusion"});
  requests.back().window = side / 2;
  const Maps all = example::maps(context, b.graph, requests, an_image());
  for (size_t r = 0; r < requests.size(); r++) {
    EXPECT_TRUE(all.note[r].finite) << r;
    EXPECT_FALSE(all.note[r].empty) << r << all.note[r].reason;
    EXPECT_EQ(all.map[r], example::maps(one, b.graph, {requests[r]}, an_image()).map[0]) << r;
  }
}

// PRelu of slope 0 and Clip from 0 are ReLU: so are their maps.
TEST(Operators, RectifiersInAnotherGuise) {
  TestContext context;
  const auto network = [&](Builder &b, const std::function<cw_value(const std::string &, cw_value)> &rectify) {
    cw_value x = rectify("r1", b.conv("c1", b.image, 1, 8));
    x = rectify("r2", b.conv("c2", b.node(CW_OP_MAX_POOL, "pool", {x}, window(2, 2, 0)), 8, 8));
    x = b.flat(b.node(CW_OP_AVERAGE_POOL, "down", {x}, window(3, 3, 0)), 64);
    b.finish(b.dense("fc2", rectify("r3", b.dense("fc1", x, 64, 16)), 16, 2));
  };
  Builder relu(context), prelu(context), clip(context);
  network(relu, [&](const std::string &name, cw_value x) { return relu.node(CW_OP_RELU, name, {x}); });
  network(prelu, [&](const std::string &name, cw_value x) {
    return prelu.node(CW_OP_PRELU, name, {x, prelu.number(name + ".slope", 0)});
  });
  network(clip, [&](const std::string &name, cw_value x) {
    cw_attributes a = cw_attributes_default();
    a.alpha = 0;
    a.beta = 1e30f;
    return clip.node(CW_OP_CLIP, name, {x}, a);
  });
  const auto requests = example::requests(
      context, {"guided-backprop", "guided-backprop.signed", "guided-backprop.absolute", "rectgrad", "rectgrad.signed",
                "rectgrad.absolute", "lrp-epsilon", "lrp-zplus", "gradcam", "fullgrad"});
  const Maps expected = example::maps(context, relu.graph, requests, an_image());
  for (const Builder *other : {&prelu, &clip}) {
    const Maps found = example::maps(context, other->graph, requests, an_image());
    for (size_t r = 0; r < requests.size(); r++)
      EXPECT_EQ(found.map[r], expected.map[r]) << r;
    EXPECT_NEAR(found.note[9].gap, 0, 1e-4) << "FullGrad counts the bias of an Add";
  }
}

// Guided Backprop through ELU: the gate, then ELU's slope.
TEST(Operators, GuidedElu) {
  TestContext context;
  Builder b(context);
  const cw_value c = b.conv("c", b.image, 1, 1, 1), elu = b.node(CW_OP_ELU, "elu", {c}), flat = b.flat(elu, 1728);
  b.finish(b.node(CW_OP_GEMM, "fc", {flat, b.stored("fc.w", {1, 1728}, 1)}));
  const std::vector<float> image = an_image();
  const Maps m = example::maps(context, b.graph, example::requests(context, {"guided-backprop"}), image);
  const float w = cw_value_data(b.graph, cw_graph_find(b.graph, "c.w"))[0];
  const float bias = cw_value_data(b.graph, cw_graph_find(b.graph, "c.b"))[0];
  const float *g = cw_value_data(b.graph, cw_graph_find(b.graph, "fc.w"));
  const double alpha = cw_attributes_default().alpha;
  for (size_t i = 0; i < image.size(); i++) {
    const double x = w * image[i] + bias, slope = x > 0 ? 1 : alpha * std::exp(x);
    ASSERT_NEAR(m.map[0][i], g[i] > 0 ? w * slope * g[i] : 0, 1e-6);
  }
}

// Names the node and what to ask for instead.
TEST(Operators, WithoutARule) {
  TestContext context;
  Builder attention(context);
  cw_value x = attention.conv("c", attention.image, 1, 4);
  cw_value product = attention.node(CW_OP_MUL, "scores", {x, x});
  attention.finish(attention.dense("fc", attention.flat(product, 4 * side * side * side), 4 * side * side * side, 1));
  EXPECT_EQ(check(context, attention.graph, "lrp"), CW_ERROR_UNSUPPORTED);
  EXPECT_NE(context.message().find("'scores' (Mul); ask for gradient-x-input"), std::string::npos) << context.message();
  EXPECT_EQ(check(context, attention.graph, "rectgrad"), CW_ERROR_UNSUPPORTED);
  EXPECT_NE(context.message().find("ask for gradient"), std::string::npos) << context.message();

  Builder smooth(context);
  x = smooth.node(CW_OP_SOFTPLUS, "bend", {smooth.conv("c", smooth.image, 1, 1)});
  smooth.finish(smooth.dense("fc", smooth.flat(x, side * side * side), side * side * side, 1));
  for (const char *name : {"lrp-zplus", "guided-backprop", "rectgrad"}) {
    EXPECT_EQ(check(context, smooth.graph, name), CW_ERROR_UNSUPPORTED) << name;
    EXPECT_NE(context.message().find("'bend' (Softplus)"), std::string::npos) << context.message();
  }
  EXPECT_EQ(check(context, smooth.graph, "integrated-gradients"), CW_OK);
}
