// Convolution: any kernel, stride, padding, dilation, groups.
#include "Layers/harness.h"

using namespace layers;

namespace {

struct Window {
  std::vector<int> kernel{3, 3, 3}, stride{1, 1, 1}, dilation{1, 1, 1}, pads{1, 1, 1, 1, 1, 1};
  int groups = 1;
};

Case conv(Shape shape, int64_t out_channels, const Window &window = {}, bool bias = true) {
  Case test;
  test.op = CW_OP_CONV;
  test.batch = static_cast<int>(shape[0]);
  cw_attributes &a = test.attributes;
  for (int i = 0; i < 3; i++) {
    a.kernel[i] = window.kernel[i];
    a.stride[i] = window.stride[i];
    a.dilation[i] = window.dilation[i];
    a.pads[i] = window.pads[i];
    a.pads[3 + i] = window.pads[3 + i];
  }
  a.groups = window.groups;
  const Shape weights{out_channels, shape[1] / window.groups, window.kernel[0], window.kernel[1], window.kernel[2]};
  test.operands = {input(std::move(shape)), parameter(weights), bias ? parameter({out_channels}) : absent()};
  return test;
}

constexpr double forward_tolerance = 3e-6, gradient_tolerance = 1e-5;

// The networks' convolutions: 3x3x3, pad 1.  Sizes and channels around the tiles' borders.
TEST(Conv, SameSize) {
  check(conv({1, 1, 1, 1, 1}, 1), forward_tolerance, gradient_tolerance);
  check(conv({2, 1, 8, 8, 8}, 16), forward_tolerance, gradient_tolerance);
  check(conv({1, 16, 8, 8, 8}, 3), forward_tolerance, gradient_tolerance);
  check(conv({3, 3, 5, 7, 9}, 5), forward_tolerance, gradient_tolerance);
  check(conv({1, 5, 3, 4, 33}, 17), forward_tolerance, gradient_tolerance);
  check(conv({2, 17, 4, 5, 3}, 16), forward_tolerance, gradient_tolerance);
  check(conv({1, 16, 4, 4, 17}, 33), forward_tolerance, gradient_tolerance);
  check(conv({1, 1, 9, 17, 19}, 3), forward_tolerance, gradient_tolerance);
  check(conv({1, 3, 1, 1, 16}, 3), forward_tolerance, gradient_tolerance);
  check(conv({1, 3, 16, 1, 1}, 3), forward_tolerance, gradient_tolerance);
}

TEST(Conv, WithoutBias) {
  check(conv({2, 3, 5, 6, 7}, 4, {}, false), forward_tolerance, gradient_tolerance);
}

TEST(Conv, Kernels) {
  Window w;
  w.kernel = {1, 1, 1}, w.pads = {0, 0, 0, 0, 0, 0};
  check(conv({2, 5, 4, 5, 6}, 7, w), forward_tolerance, gradient_tolerance);
  w.kernel = {5, 5, 5}, w.pads = {2, 2, 2, 2, 2, 2};
  check(conv({1, 3, 6, 7, 8}, 4, w), forward_tolerance, gradient_tolerance);
  w.kernel = {2, 2, 2}, w.pads = {0, 0, 0, 0, 0, 0};
  check(conv({2, 3, 5, 6, 7}, 4, w), forward_tolerance, gradient_tolerance);
  w.kernel = {1, 3, 5}, w.pads = {0, 1, 2, 0, 1, 2};
  check(conv({2, 3, 5, 6, 7}, 4, w), forward_tolerance, gradient_tolerance);
  w.kernel = {5, 4, 1}, w.pads = {0, 0, 0, 0, 0, 0};
  check(conv({1, 2, 5, 4, 3}, 3, w), forward_tolerance, gradient_tolerance);
}

TEST(Conv, Strides) {
  Window w;
  w.stride = {2, 2, 2};
  check(conv({2, 3, 8, 8, 8}, 5, w), forward_tolerance, gradient_tolerance);
  check(conv({1, 3, 7, 9, 11}, 5, w), forward_tolerance, gradient_tolerance);
  w.stride = {1, 2, 3};
  check(conv({1, 3, 5, 8, 10}, 4, w), forward_tolerance, gradient_tolerance);
  w.kernel = {1, 1, 1}, w.stride = {2, 2, 2}, w.pads = {0, 0, 0, 0, 0, 0};
  check(conv({2, 3, 7, 8, 5}, 4, w), forward_tolerance, gradient_tolerance);
  w.kernel = {7, 7, 7}, w.pads = {3, 3, 3, 3, 3, 3};
  check(conv({1, 1, 9, 8, 10}, 4, w), forward_tolerance, gradient_tolerance);
}

// Rows that vectors cover together with the margins between them, in one tile and in several; and those that do not
// fill the last kernel call.
TEST(Conv, RowsOfAnyWidth) {
  for (int width : {5, 6, 8, 10, 12, 15, 20, 24, 40})
    check(conv({1, 4, 3, 7, width}, 9), forward_tolerance, gradient_tolerance);
  check(conv({1, 64, 4, 50, 20}, 5), forward_tolerance, gradient_tolerance);
  Window w;
  w.kernel = {3, 5, 5}, w.pads = {1, 2, 1, 1, 0, 3}, w.dilation = {1, 1, 2};
  check(conv({2, 8, 5, 6, 14}, 6, w), forward_tolerance, gradient_tolerance);
}

// Matrix products: kernels of one tap, of many and few channels, in long and short rows, with strides; and short rows
// of many output channels.
TEST(Conv, MatrixProducts) {
  Window w;
  w.kernel = {1, 1, 1}, w.pads = {0, 0, 0, 0, 0, 0};
  check(conv({2, 40, 3, 5, 20}, 70, w), forward_tolerance, gradient_tolerance);
  check(conv({1, 140, 2, 3, 20}, 7, w), forward_tolerance, gradient_tolerance);
  check(conv({1, 140, 2, 3, 5}, 300, w), forward_tolerance, gradient_tolerance);
  w.stride = {2, 2, 2};
  check(conv({2, 30, 5, 8, 33}, 20, w), forward_tolerance, gradient_tolerance);
  w.pads = {1, 0, 1, 0, 1, 1};
  check(conv({1, 3, 4, 5, 6}, 5, w), forward_tolerance, gradient_tolerance);
  check(conv({1, 3, 3, 4, 5}, 130), forward_tolerance, gradient_tolerance);
  check(conv({1, 130, 3, 4, 5}, 3), forward_tolerance, gradient_tolerance);
  w = Window();
  w.stride = {2, 2, 2};
  check(conv({2, 5, 7, 8, 13}, 9, w), forward_tolerance, gradient_tolerance);
}

TEST(Conv, PadsAndDilation) {
  Window w;
  w.pads = {0, 0, 0, 0, 0, 0};
  check(conv({2, 3, 5, 6, 7}, 4, w), forward_tolerance, gradient_tolerance);
  w.pads = {0, 1, 2, 2, 0, 1};
  check(conv({2, 3, 5, 6, 7}, 4, w), forward_tolerance, gradient_tolerance);
  w.pads = {4, 4, 4, 4, 4, 4};  // more than the kernel: rows of bias alone
  check(conv({1, 2, 3, 3, 3}, 3, w), forward_tolerance, gradient_tolerance);
  w.pads = {2, 2, 2, 2, 2, 2}, w.dilation = {2, 2, 2};
  check(conv({2, 3, 6, 7, 8}, 4, w), forward_tolerance, gradient_tolerance);
  w.pads = {1, 2, 3, 0, 1, 2}, w.dilation = {1, 2, 3}, w.stride = {2, 1, 2};
  check(conv({1, 3, 6, 7, 9}, 4, w), forward_tolerance, gradient_tolerance);
}

TEST(Conv, Groups) {
  Window w;
  w.groups = 2;
  check(conv({2, 6, 4, 5, 6}, 4, w), forward_tolerance, gradient_tolerance);
  w.groups = 5;
  check(conv({1, 5, 5, 6, 7}, 5, w), forward_tolerance, gradient_tolerance);  // depthwise
  check(conv({1, 5, 4, 3, 5}, 15, w), forward_tolerance, gradient_tolerance);
  w.groups = 3, w.stride = {2, 1, 2}, w.dilation = {1, 2, 1};
  check(conv({2, 6, 6, 7, 5}, 9, w), forward_tolerance, gradient_tolerance);
}

// Gradients that are mostly zero, as before a max pooling, are spread one by one: kernels, pads, channels on and beside
// whole vectors, more planes than a task takes; and just not sparse enough.
TEST(Conv, SparseGradient) {
  const auto sparse = [](Case test, int every) {
    test.seed_every = every;
    check(test, forward_tolerance, gradient_tolerance);
  };
  sparse(conv({1, 16, 8, 8, 8}, 32), 7);
  sparse(conv({2, 8, 19, 5, 6}, 3), 5);
  sparse(conv({1, 33, 4, 5, 17}, 5), 11);
  sparse(conv({1, 16, 6, 6, 6}, 4), 3);
  Window w;
  w.kernel = {1, 3, 5}, w.pads = {0, 1, 2, 0, 1, 2};
  sparse(conv({2, 9, 5, 6, 7}, 4, w), 5);
  w.kernel = {2, 2, 2}, w.pads = {0, 0, 0, 0, 0, 0};
  sparse(conv({1, 12, 9, 6, 7}, 4, w), 4);
  w.kernel = {3, 3, 3}, w.pads = {4, 4, 4, 4, 4, 4};
  sparse(conv({1, 8, 3, 3, 3}, 3, w), 5);
  w.pads = {0, 1, 2, 2, 0, 1};
  sparse(conv({2, 8, 5, 6, 7}, 4, w), 6);
}

// Gradients to the input alone, with the weights frozen: the mode of saliency maps.
TEST(Conv, InputGradientMode) {
  Case test = conv({2, 3, 5, 6, 7}, 4);
  test.training = false;
  check(test, forward_tolerance, gradient_tolerance);
}

// Weights that a node computes, as a file may hold them, give the gradient of stored ones.
TEST(Conv, ComputedWeights) {
  for (const cw_operator op : {CW_OP_CONV, CW_OP_CONV_TRANSPOSE}) {
    const std::vector<float> x = to_float(random_tensor({1, 3, 5, 6, 7}, -1, 1, 1).data);
    const std::vector<float> w = to_float(random_tensor({3, 3, 3, 3, 3}, -1, 1, 2).data);
    std::vector<float> gradient[2];
    for (const bool computed : {false, true}) {
      Context context;
      cw_graph *graph = nullptr;
      cw_plan *plan = nullptr;
      cw_value image, weights, y;
      cw_attributes a = cw_attributes_default();
      for (int i = 0; i < 3; i++)
        a.kernel[i] = 3;
      ASSERT_EQ(cw_graph_create(context.get, &graph), CW_OK);
      ASSERT_EQ(cw_graph_input(context.get, graph, "x", CW_SHAPE(CW_BATCH, 3, 5, 6, 7), &image), CW_OK);
      ASSERT_EQ(cw_graph_parameter(context.get, graph, "w", CW_SHAPE(3, 3, 3, 3, 3), false, w.data(), &weights), CW_OK);
      if (computed) {
        ASSERT_EQ(cw_graph_node(context.get, graph, CW_OP_ABS, "abs", nullptr, &weights, 1, &weights), CW_OK);
      } else {
        for (std::size_t i = 0; i < w.size(); i++)
          cw_value_data(graph, weights)[i] = std::fabs(w[i]);
      }
      const cw_value in[2] = {image, weights};
      ASSERT_EQ(cw_graph_node(context.get, graph, op, "y", &a, in, 2, &y), CW_OK) << cw_context_message(context.get);
      ASSERT_EQ(cw_graph_output(context.get, graph, y), CW_OK);
      cw_plan_options options = {};
      options.mode = CW_INPUT_GRADIENT;
      options.batch = 1;
      ASSERT_EQ(cw_plan_create(context.get, graph, &options, &plan), CW_OK);
      std::copy(x.begin(), x.end(), cw_plan_data(plan, image));
      cw_plan_forward(plan);
      const auto count = static_cast<std::size_t>(cw_shape_elements(cw_value_shape(graph, y), 1));
      for (std::size_t i = 0; i < count; i++)
        cw_plan_gradient(plan, y)[i] = static_cast<float>(i % 7) - 3;
      cw_plan_backward(plan);
      gradient[computed].assign(cw_plan_gradient(plan, image), cw_plan_gradient(plan, image) + x.size());
      cw_plan_free(context.get, plan);
      cw_graph_free(context.get, graph);
    }
    EXPECT_EQ(gradient[0], gradient[1]);
  }
}

TEST(Conv, Refuses) {
  Window far;
  far.dilation = {2000, 2000, 2000};
  far.pads = {4000, 4000, 4000, 4000, 4000, 4000};
  expect_refused(conv({1, 3, 4, 4, 4}, 1, far), CW_ERROR_UNSUPPORTED, "reaches");
  Case test = conv({1, 3, 4, 4, 4}, 2);
  test.operands[1] = parameter({2, 4, 3, 3, 3});
  expect_refused(test, CW_ERROR_SHAPE, "channels");
  test = conv({1, 3, 4, 4, 4}, 2);
  test.operands[2] = parameter({3});
  expect_refused(test, CW_ERROR_SHAPE, "bias");
  test = conv({1, 3, 4, 4, 4}, 2);
  test.attributes.kernel[0] = 5;
  expect_refused(test, CW_ERROR_SHAPE, "kernel");
  test = conv({1, 3, 4, 4, 4}, 2);
  test.attributes.stride[1] = 0;
  expect_refused(test, CW_ERROR_SHAPE, "strides");
  Window w;
  w.kernel = {7, 3, 3};
  expect_refused(conv({1, 3, 4, 4, 4}, 2, w), CW_ERROR_SHAPE, "kernel");
  w = Window();
  w.groups = 0;
  test = conv({1, 3, 4, 4, 4}, 2);
  test.attributes.groups = 0;
  expect_refused(test, CW_ERROR_SHAPE, "groups");
  test.attributes.groups = 2;
  expect_refused(test, CW_ERROR_SHAPE, "groups");
}

}  // namespace
