/* Occlusion, which computes anew only what a box reaches, against the whole network for every box. */
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "counterwarp/random.h"
#include "example_networks.h"
#include "graph_builder.h"
extern "C" {
#include "Saliency/occlusion.h"
}
#include "Tensor/test_context.h"

namespace {

struct Size {
  int nz, ny, nx;
};

/* Builds a classifier node by node; weights that keep the size of the activations. */
class Builder : public example::GraphBuilder {
 public:
  Builder(cw_context *context, Size size)
      : GraphBuilder(context, size.nz, size.ny, size.nx), random_(cw_random_stream(3, 7)) {}

  cw_value parameter(const std::string &name, const cw_shape &shape, double low, double high) {
    cw_value value = CW_NONE;
    need(cw_graph_parameter(context_, graph, name.c_str(), shape, true, nullptr, &value));
    for (int64_t i = 0; i < cw_shape_elements(&shape, 1); i++)
      cw_value_data(graph, value)[i] = static_cast<float>(cw_random_uniform(&random_, low, high));
    return value;
  }
  cw_value conv(const std::string &name, cw_value x, int out, const cw_attributes &a) {
    const int64_t in = cw_value_shape(graph, x)->d[1] / a.groups, k = a.kernel[0];
    const double range = std::sqrt(6.0 / static_cast<double>(in * k * k * k));
    return node(CW_OP_CONV, name,
                {x, parameter(name + ".w", CW_SHAPE(out, in, k, k, k), -range, range),
                 parameter(name + ".b", CW_SHAPE(out), -0.2, 0.2)},
                a);
  }
  cw_value conv(const std::string &name, cw_value x, int out, int kernel = 3, int stride = 1) {
    return conv(name, x, out, window(kernel, stride, kernel / 2));
  }
  cw_value norm_relu(const std::string &name, cw_value x) {
    const int64_t c = cw_value_shape(graph, x)->d[1];
    x = node(CW_OP_BATCH_NORM, name + ".norm",
             {x, parameter(name + ".scale", CW_SHAPE(c), 0.7, 1.3), parameter(name + ".shift", CW_SHAPE(c), -0.2, 0.2),
              parameter(name + ".mean", CW_SHAPE(c), -0.2, 0.2), parameter(name + ".variance", CW_SHAPE(c), 0.7, 1.3)});
    return node(CW_OP_RELU, name + ".relu", {x});
  }
  /* Every voxel of the last map counts: a crop at the wrong place cannot hide in a mean. */
  void finish(cw_value x) {
    const cw_shape *shape = cw_value_shape(graph, x);
    const int64_t features = cw_shape_elements(shape, 1);
    x = node(CW_OP_GEMM, "logits", {flat(x, features), parameter("top.w", CW_SHAPE(2, features), -0.1, 0.1)});
    need(cw_graph_output(context_, graph, x));
  }

 private:
  cw_random random_;
};

void residual(Builder &b) {
  cw_value x = b.norm_relu("stem", b.conv("stem", b.image, 8, 7, 2));
  x = b.node(CW_OP_MAX_POOL, "pool", {x}, window(3, 2, 1));
  cw_value y = b.conv("a2", b.norm_relu("a1", b.conv("a1", x, 8)), 8);
  x = b.node(CW_OP_RELU, "a.relu", {b.node(CW_OP_ADD, "a.add", {y, x})});
  y = b.conv("b2", b.norm_relu("b1", b.conv("b1", x, 16, 3, 2)), 16);
  x = b.node(CW_OP_RELU, "b.relu", {b.node(CW_OP_ADD, "b.add", {y, b.conv("b.short", x, 16, 1, 2)})});
  b.finish(x);
}

void dense(Builder &b) {
  cw_attributes pool = window(2, 2, 0);
  cw_value x = b.node(CW_OP_MAX_POOL, "pool", {b.norm_relu("stem", b.conv("stem", b.image, 16))}, pool);
  for (int i = 0; i < 3; i++) {
    const std::string name = "d" + std::to_string(i);
    const cw_value y = b.conv(name + ".conv", b.norm_relu(name, x), 8);
    x = b.node(CW_OP_CONCAT, name + ".concat", {x, y});
  }
  x = b.conv("t", b.norm_relu("t", x), 16, 1);
  pool.ceil_mode = true;
  b.finish(b.conv("last", b.node(CW_OP_AVERAGE_POOL, "average", {x}, pool), 8));
}

/* Convolutions without padding, with gaps, in groups and padded at one end; windows that overlap; gates that lie
 * apart, constants of every channel. */
void mixed(Builder &b) {
  cw_value x = b.conv("valid", b.image, 16, window(3, 1, 0));
  x = b.node(CW_OP_PRELU, "prelu", {x, b.parameter("slope", CW_SHAPE(16, 1, 1, 1), 0.1, 0.4)});
  cw_attributes a = window(3, 1, 2);
  a.dilation[0] = a.dilation[1] = a.dilation[2] = 2;
  a.groups = 2;
  x = b.conv("gaps", x, 16, a);
  const cw_value gate = b.node(CW_OP_SIGMOID, "gate", {b.conv("gate.conv", x, 16, 1)});
  x = b.node(CW_OP_MUL, "gated", {x, gate});
  a = window(4, 3, 0);
  a.pads[0] = a.pads[4] = 2;
  x = b.node(CW_OP_LEAKY_RELU, "leaky", {b.conv("thirds", x, 16, a)});
  a = window(3, 2, 1);
  a.count_pads = true;
  x = b.node(CW_OP_AVERAGE_POOL, "average", {x}, a);
  b.finish(b.node(CW_OP_ADD, "sum", {x, b.parameter("offset", CW_SHAPE(1, 16, 1, 1, 1), -1, 1)}));
}

/* The image's mean goes into every voxel, and comes in again behind. */
void global(Builder &b) {
  cw_attributes a = cw_attributes_default();
  a.axes = 1u << 2 | 1u << 3 | 1u << 4;
  a.keep_axes = true;
  const cw_value mean = b.node(CW_OP_REDUCE_MEAN, "mean", {b.image}, a);
  const cw_value x = b.node(CW_OP_SUB, "centred", {b.image, mean});
  b.finish(b.node(CW_OP_RELU, "relu", {b.conv("conv", x, 16, 3, 2)}));
}

/* Squeeze and excitation: local up to its input, global behind it. */
void squeeze(Builder &b) {
  const cw_value x = b.norm_relu("c2", b.conv("c2", b.norm_relu("c1", b.conv("c1", b.image, 16)), 16, 3, 2));
  const cw_value mean = b.node(CW_OP_GLOBAL_AVERAGE_POOL, "mean", {x});
  const cw_value gate = b.node(CW_OP_SIGMOID, "gate", {b.conv("squeeze", mean, 16, 1)});
  b.finish(b.conv("c3", b.node(CW_OP_MUL, "excited", {x, gate}), 8));
}

std::vector<float> noise_image(Size size) {
  std::vector<float> image(static_cast<size_t>(size.nz) * size.ny * size.nx);
  cw_random_normals(11, 1, image.size(), image.data());
  return image;
}

/* The map by its definition, the whole network for each box. */
std::vector<double> by_definition(cw_context *context, const cw_graph *graph, Size size,
                                  const std::vector<float> &image, const cw_saliency_request &request,
                                  cw_saliency_output output) {
  cw_plan_options options = {};
  options.batch = 1;
  cw_plan *plan = nullptr;
  if (cw_plan_create(context, graph, &options, &plan) != CW_OK)
    throw std::runtime_error(cw_context_message(context));
  const auto y_of = [&](const std::vector<float> &x) {
    std::copy(x.begin(), x.end(), cw_plan_data(plan, cw_graph_input_at(graph, 0)));
    cw_plan_forward(plan);
    const double y = cw_plan_data(plan, cw_graph_output_at(graph, 0))[output.index];
    return output.negative ? -y : y;
  };
  const double y = y_of(image);
  std::vector<double> sum(image.size()), cover(image.size());
  const auto starts = [&](int n) {
    return (std::max(n - request.window, 0) + request.stride - 1) / request.stride + 1;
  };
  const auto each_voxel = [&](int z, int y0, int x, const std::function<void(size_t)> &visit) {
    for (int k = z; k < std::min(z + request.window, size.nz); k++)
      for (int j = y0; j < std::min(y0 + request.window, size.ny); j++)
        for (int i = x; i < std::min(x + request.window, size.nx); i++)
          visit((static_cast<size_t>(k) * size.ny + j) * size.nx + i);
  };
  for (int z = 0; z < starts(size.nz) * request.stride; z += request.stride)
    for (int y0 = 0; y0 < starts(size.ny) * request.stride; y0 += request.stride)
      for (int x = 0; x < starts(size.nx) * request.stride; x += request.stride) {
        std::vector<float> hidden = image;
        each_voxel(z, y0, x, [&](size_t at) { hidden[at] = request.fill; });
        const double fall = y - y_of(hidden);
        each_voxel(z, y0, x, [&](size_t at) { sum[at] += fall, cover[at]++; });
      }
  cw_plan_free(context, plan);
  for (size_t i = 0; i < sum.size(); i++)
    sum[i] /= cover[i];
  return sum;
}

struct Case {
  const char *name;
  void (*build)(Builder &);
  Size size;
  int window, stride;
  float fill;
  bool crops;
};

void PrintTo(const Case &c, std::ostream *out) {
  *out << c.name << " " << c.size.nz << "x" << c.size.ny << "x" << c.size.nx << " window " << c.window << " stride "
       << c.stride;
}

class Crops : public testing::TestWithParam<Case> {};

}  // namespace

// Every border, sizes that no stride divides, boxes that overlap: the definition, up to rounding.
TEST_P(Crops, GiveTheMapOfTheWholeNetwork) {
  const Case &c = GetParam();
  TestContext context(1);
  Builder b(context, c.size);
  c.build(b);
  cw_saliency_request request = cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED);
  request.window = c.window;
  request.stride = c.stride;
  request.fill = c.fill;
  cw_saliency *saliency = nullptr;
  ASSERT_EQ(cw_saliency_create(context, b.graph, &request, 1, &saliency), CW_OK) << context.message();
  EXPECT_EQ(cw_occluder_batch(saliency->occluders[0]) > 2, c.crops) << "crops were to be used, or not";
  for (int salt = 0; salt < 2; salt++) { /* the second call finds the first one's crops */
    std::vector<float> image = noise_image(c.size);
    for (float &value : image)
      value += static_cast<float>(salt) * std::fabs(value);
    const cw_saliency_output output = {salt, salt == 1};
    const example::Maps m = example::maps(context, saliency, 1, image, output);
    ASSERT_EQ(m.status, CW_OK) << context.message();
    const std::vector<double> expected = by_definition(context, b.graph, c.size, image, request, output);
    double largest = 0, difference = 0;
    for (size_t i = 0; i < expected.size(); i++) {
      largest = std::max(largest, std::fabs(expected[i]));
      difference = std::max(difference, std::fabs(expected[i] - m.map[0][i]));
    }
    EXPECT_LT(difference, 1e-5 * (1 + std::fabs(m.note[0].y)));
    EXPECT_GT(largest, 1e-2 * (1 + std::fabs(m.note[0].y))) << "boxes hardly matter: the test would see little";
  }
  cw_saliency_free(context, saliency);
}

INSTANTIATE_TEST_SUITE_P(Networks, Crops,
                         testing::Values(Case{"residual", residual, {32, 32, 32}, 6, 6, 0, true},
                                         Case{"residual", residual, {27, 34, 41}, 7, 6, 0.5f, true},
                                         Case{"residual", residual, {37, 23, 30}, 9, 7, -1, true},
                                         Case{"dense", dense, {24, 24, 24}, 4, 4, 0, true},
                                         Case{"dense", dense, {21, 17, 26}, 5, 3, 2, true},
                                         Case{"dense", dense, {16, 20, 24}, 3, 3, 3, true},
                                         Case{"mixed", mixed, {19, 22, 29}, 4, 4, 0, true},
                                         Case{"mixed", mixed, {25, 20, 18}, 3, 2, 0.7f, true},
                                         Case{"mixed", mixed, {18, 18, 18}, 16, 2, 0, false},
                                         Case{"squeeze", squeeze, {20, 22, 25}, 4, 4, 0, true},
                                         Case{"global", global, {12, 15, 18}, 4, 4, 0, false}));

TEST(Crops, OfTheReferenceClassifier) {
  TestContext context(1);
  const example::Network network(context, "classifier", 2);
  cw_saliency_request request = cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED);
  request.window = 9;
  request.stride = 8;
  const std::vector<float> image = network.image(1);
  const example::Maps m = example::maps(context, network.graph, {request}, image);
  ASSERT_EQ(m.status, CW_OK);
  const std::vector<double> expected = by_definition(context, network.graph, {32, 32, 32}, image, request, {0, false});
  for (size_t i = 0; i < expected.size(); i++)
    ASSERT_NEAR(m.map[0][i], expected[i], 1e-5 * (1 + std::fabs(m.note[0].y))) << i;
  TestContext crowd(3);
  EXPECT_EQ(m.map[0], example::maps(crowd, network.graph, {request}, image).map[0]);
}

// Requests with the same boxes share their plans, others have their own; each gives what it gives alone.
TEST(Crops, OfSeveralRequests) {
  TestContext context(1);
  const Size size = {24, 20, 22};
  Builder b(context, size);
  dense(b);
  std::vector<cw_saliency_request> requests(4, cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED));
  for (auto &request : requests)
    request.window = request.stride = 5;
  requests[1].sign = CW_POSITIVE;
  requests[2].window = requests[2].stride = 6;
  requests[3].fill = 1;
  const std::vector<float> image = noise_image(size);
  const example::Maps together = example::maps(context, b.graph, requests, image);
  ASSERT_EQ(together.status, CW_OK);
  for (size_t r = 0; r < requests.size(); r++)
    EXPECT_EQ(together.map[r], example::maps(context, b.graph, {requests[r]}, image).map[0]) << r;
  EXPECT_NE(together.map[0], together.map[3]);
}

// A box that holds nothing but the filling is not hidden at all: exactly zero.
TEST(Crops, LeaveWhatIsFilledAlready) {
  TestContext context(1);
  const Size size = {20, 20, 24};
  Builder b(context, size);
  dense(b);
  cw_saliency_request request = cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED);
  request.window = request.stride = 4;
  request.fill = 0.5f;
  std::vector<float> image = noise_image(size);
  for (size_t i = 0; i < image.size(); i++)
    image[i] = i % 24 < 13 ? 0.5f : image[i];
  const example::Maps m = example::maps(context, b.graph, {request}, image);
  ASSERT_EQ(m.status, CW_OK);
  const std::vector<double> expected = by_definition(context, b.graph, size, image, request, {0, false});
  for (size_t i = 0; i < image.size(); i++) {
    ASSERT_NEAR(m.map[0][i], expected[i], 1e-5 * (1 + std::fabs(m.note[0].y))) << i;
    ASSERT_EQ(m.map[0][i] == 0, i % 24 < 12) << i;
  }
}

// Where a classifier can be cut: behind sums and concatenations, not beside a shortcut, and not behind a mean.
TEST(Crops, CutWhereAllPathsMeet) {
  const auto cuts_of = [](void (*build)(Builder &)) {
    TestContext context;
    Builder b(context, {24, 24, 24});
    build(b);
    const cw_saliency_request request = cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED);
    cw_saliency *saliency = nullptr;
    EXPECT_EQ(cw_saliency_create(context, b.graph, &request, 1, &saliency), CW_OK);
    cw_cut *cuts = nullptr;
    int count = 0;
    EXPECT_EQ(cw_occlusion_cuts(context, saliency, &cuts, &count), CW_OK);
    std::vector<std::string> names;
    for (int i = 0; i < count; i++)
      names.push_back(cw_value_name(b.graph, cuts[i].value));
    cw_release(context, cuts);
    cw_saliency_free(context, saliency);
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(cuts_of(residual),
            (Names{"image", "stem", "stem.norm", "stem.relu", "pool", "a.add", "a.relu", "b.add", "b.relu"}));
  EXPECT_EQ(cuts_of(dense), (Names{"image", "stem", "stem.norm", "stem.relu", "pool", "d0.concat", "d1.concat",
                                   "d2.concat", "t.norm", "t.relu", "t", "average", "last"}));
  EXPECT_EQ(cuts_of(squeeze), (Names{"image", "c1", "c1.norm", "c1.relu", "c2", "c2.norm", "c2.relu"}));
  EXPECT_EQ(cuts_of(global), Names{"image"});
}

TEST(Crops, AllocationsMayFailAndCallsStop) {
  TestContext context;
  const Size size = {20, 22, 25};
  Builder b(context, size);
  squeeze(b);
  const cw_saliency_request request = cw_saliency_default(CW_SALIENCY_OCCLUSION, CW_SIGNED);
  for (long at = 0;; at++) {
    context.reset(at);
    cw_saliency *saliency = nullptr;
    const cw_status status = cw_saliency_create(context, b.graph, &request, 1, &saliency);
    EXPECT_EQ(saliency && cw_occluder_batch(saliency->occluders[0]) > 2, status == CW_OK) << at;
    cw_saliency_free(context, saliency);
    EXPECT_EQ(context.leaked(), 0) << at;
    if (status == CW_OK)
      break;
    ASSERT_EQ(status, CW_ERROR_MEMORY) << at;
  }
  context.reset();
  context.cancel = true;
  cw_saliency *saliency = nullptr;
  ASSERT_EQ(cw_saliency_create(context, b.graph, &request, 1, &saliency), CW_OK);
  EXPECT_EQ(example::maps(context, saliency, 1, noise_image(size), {0, false}).status, CW_ERROR_CANCELLED);
  cw_saliency_free(context, saliency);
}
