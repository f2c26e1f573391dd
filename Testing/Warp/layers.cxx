// The graph's warp layers: the kernels applied sample by sample, gradients overwritten or added, shapes checked.
#include <gtest/gtest.h>

extern "C" {
#include "Graph/operator.h"
}
#include "Warp/warp_reference.h"

using namespace reference;

namespace {

const Size kSize{{19, 7, 5}};
constexpr int kBatch = 3;

cw_shape shape(int64_t channels) {
  return CW_SHAPE(kBatch, channels, kSize.n[2], kSize.n[1], kSize.n[0]);
}

std::vector<float> part(const std::vector<float> &all, size_t length, int n) {
  return {all.begin() + long(n * length), all.begin() + long((n + 1) * length)};
}

struct LayerRun {
  cw_attributes attributes = cw_attributes_default();
  std::vector<std::vector<float>> in, grad;
  std::vector<float> out, grad_out, saved, workspace;
  void go(const cw_operator_info &layer, int threads, bool accumulate, bool gradients) {
    cw_call call{};
    call.attributes = &attributes;
    call.input_count = int(in.size());
    call.threads = threads;
    call.gradients = gradients;
    call.out_shape = shape(int64_t(in[0].size() / kBatch / kSize.samples()));
    for (size_t i = 0; i < in.size(); i++) {
      call.in_shape[i] = shape(int64_t(in[i].size() / kBatch / kSize.samples()));
      call.in[i] = in[i].data();
    }
    saved.assign(layer.saved_bytes ? layer.saved_bytes(&call) / sizeof(float) : 0, NAN);
    workspace.assign(layer.workspace_bytes ? layer.workspace_bytes(&call) / sizeof(float) : 0, NAN);
    out.assign(in[0].size(), NAN);
    call.out = out.data();
    call.saved = saved.empty() ? nullptr : saved.data();
    call.workspace = workspace.empty() ? nullptr : workspace.data();
    layer.forward(&call);
    if (!gradients)
      return;
    grad_out = noise(out.size(), 77);
    call.grad_out = grad_out.data();
    grad.clear();
    for (const auto &x : in)
      grad.emplace_back(x.size(), accumulate ? 0.5f : NAN);
    for (size_t i = 0; i < in.size(); i++) {
      call.grad_in[i] = grad[i].data();
      call.accumulate[i] = accumulate;
      if (!(layer.keep_inputs >> i & 1))
        call.in[i] = nullptr; /* the graph has given it away */
    }
    if (!layer.keep_output)
      call.out = nullptr;
    layer.backward(&call);
  }
};

// Overwritten and added gradients agree, and no number of threads changes a bit.
void check_threads_and_accumulation(const cw_operator_info &layer, LayerRun run) {
  run.go(layer, 1, false, true);
  const LayerRun once = run;
  for (int threads : {2, 3, 8}) {
    run.go(layer, threads, false, true);
    EXPECT_TRUE(same_bits(once.out, run.out)) << threads << " threads";
    for (size_t i = 0; i < run.in.size(); i++)
      EXPECT_TRUE(same_bits(once.grad[i], run.grad[i])) << threads << " threads";
    run.go(layer, threads, false, false);
    EXPECT_TRUE(same_bits(once.out, run.out)) << "inference, " << threads << " threads";
    run.go(layer, threads, true, true);
    for (size_t i = 0; i < run.in.size(); i++) {
      for (float &value : run.grad[i])
        value -= 0.5f;
      EXPECT_LT(largest_difference(once.grad[i], run.grad[i]), 1e-5);
    }
  }
}

TEST(WarpLayers, WarpIsTheKernelForEachSample) {
  LayerRun run;
  run.in = {noise(kBatch * 2 * kSize.samples(), 1), noise(kBatch * 3 * kSize.samples(), 2)};
  run.go(cw_layer_warp, 1, false, true);
  const size_t image = 2 * kSize.samples(), field = 3 * kSize.samples();
  for (int n = 0; n < kBatch; n++) {
    const auto x = part(run.in[0], image, n), u = part(run.in[1], field, n), g = part(run.grad_out, image, n);
    std::vector<float> out(image), grad_x(image, 0.0f), grad_u(field, 0.0f);
    cw_warp_forward(kSize.n, 2, x.data(), u.data(), out.data(), 1);
    cw_warp_backward(kSize.n, 2, x.data(), u.data(), g.data(), grad_x.data(), grad_u.data());
    EXPECT_TRUE(same_bits(out, part(run.out, image, n)));
    EXPECT_LT(largest_difference(grad_x, part(run.grad[0], image, n)), 1e-6);
    EXPECT_LT(largest_difference(grad_u, part(run.grad[1], field, n)), 1e-6);
  }
  check_threads_and_accumulation(cw_layer_warp, run);
}

TEST(WarpLayers, ExponentialIsTheKernelForEachSample) {
  const size_t field = 3 * kSize.samples();
  for (int squarings : {0, 1, 4}) {
    LayerRun run;
    run.attributes.squarings = squarings;
    run.in = {noise(kBatch * field, 2)};
    run.go(cw_layer_exponential, 1, false, true);
    for (int n = 0; n < kBatch; n++) {
      const auto v = part(run.in[0], field, n), g = part(run.grad_out, field, n);
      std::vector<float> steps(size_t(squarings) * field), u(field), grad(field, 0.0f), work(2 * field);
      cw_exponential_forward(kSize.n, v.data(), 1, squarings, true, steps.data(), u.data(), 1);
      cw_exponential_backward(kSize.n, 1, squarings, steps.data(), g.data(), grad.data(), work.data());
      EXPECT_TRUE(same_bits(u, part(run.out, field, n)));
      EXPECT_LT(largest_difference(grad, part(run.grad[0], field, n)), 1e-6);
    }
    check_threads_and_accumulation(cw_layer_exponential, run);
  }
}

TEST(WarpLayers, TaperIsTheKernelForEachSample) {
  const size_t field = 3 * kSize.samples();
  LayerRun run;
  run.attributes.margin = 3;
  run.in = {noise(kBatch * field, 2)};
  run.go(cw_layer_taper, 1, false, true);
  for (int n = 0; n < kBatch; n++) {
    const auto v = part(run.in[0], field, n), g = part(run.grad_out, field, n);
    std::vector<float> out(field), grad(field);
    cw_taper(kSize.n, 3, v.data(), out.data());
    cw_taper(kSize.n, 3, g.data(), grad.data());
    EXPECT_TRUE(same_bits(out, part(run.out, field, n)));
    EXPECT_TRUE(same_bits(grad, part(run.grad[0], field, n)));
  }
  check_threads_and_accumulation(cw_layer_taper, run);
}

TEST(WarpLayers, ShapesAreChecked) {
  cw_context *context;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  cw_attributes attributes = cw_attributes_default();
  cw_shape out;
  const cw_shape image = CW_SHAPE(CW_BATCH, 2, 4, 5, 6), field = CW_SHAPE(CW_BATCH, 3, 4, 5, 6),
                 other = CW_SHAPE(CW_BATCH, 3, 4, 6, 5), flat = CW_SHAPE(CW_BATCH, 3, 4);
  const cw_shape good[] = {image, field}, swapped[] = {field, image}, sizes[] = {image, other}, rank[] = {image, flat};
  EXPECT_EQ(cw_layer_warp.infer(context, &attributes, good, 2, &out), CW_OK);
  EXPECT_TRUE(cw_shape_equal(&out, &image));
  EXPECT_EQ(cw_layer_warp.infer(context, &attributes, swapped, 2, &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_layer_warp.infer(context, &attributes, sizes, 2, &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_layer_warp.infer(context, &attributes, rank, 2, &out), CW_ERROR_SHAPE);
  for (const cw_operator_info *layer : {&cw_layer_exponential, &cw_layer_taper}) {
    EXPECT_EQ(layer->infer(context, &attributes, &field, 1, &out), CW_OK);
    EXPECT_TRUE(cw_shape_equal(&out, &field));
    EXPECT_EQ(layer->infer(context, &attributes, &image, 1, &out), CW_ERROR_SHAPE);
    EXPECT_EQ(layer->infer(context, &attributes, &flat, 1, &out), CW_ERROR_SHAPE);
  }
  attributes.squarings = 13;
  EXPECT_EQ(cw_layer_exponential.infer(context, &attributes, &field, 1, &out), CW_ERROR_ARGUMENT);
  attributes.squarings = -1;
  EXPECT_EQ(cw_layer_exponential.infer(context, &attributes, &field, 1, &out), CW_ERROR_ARGUMENT);
  attributes.margin = -1;
  EXPECT_EQ(cw_layer_taper.infer(context, &attributes, &field, 1, &out), CW_ERROR_ARGUMENT);
  cw_context_free(context);
}

}  // namespace
