// Matrix products, layer norm, instance norm, transposed convolution, resizing by any factor.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case of(cw_operator op, std::vector<Operand> operands) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(operands[0].shape[0]);
  test.operands = std::move(operands);
  return test;
}

TEST(MatMul, MatchesReference) {
  check(of(CW_OP_MATMUL, {input({3, 5}), parameter({5, 7})}), 1e-6, 1e-5);
  check(of(CW_OP_MATMUL, {input({2, 27, 16}), parameter({16, 33})}), 1e-6, 1e-5);
  check(of(CW_OP_MATMUL, {input({2, 3, 9, 4}), input({2, 3, 4, 11})}), 1e-6, 1e-5);
  check(of(CW_OP_MATMUL, {input({2, 3, 9, 4}), parameter({3, 4, 11})}), 1e-6, 1e-5);  // the same for each sample
  check(of(CW_OP_MATMUL, {input({2, 1, 9, 4}), input({2, 3, 4, 2})}), 1e-6, 1e-5);
  check(of(CW_OP_MATMUL, {input({1, 300, 8}), parameter({8, 600})}), 1e-6, 1e-5);  // several blocks
}

TEST(MatMul, Refuses) {
  expect_refused(of(CW_OP_MATMUL, {input({2, 3, 4}), parameter({5, 6})}), CW_ERROR_SHAPE, "[.., m, k]");
  expect_refused(of(CW_OP_MATMUL, {input({2, 3, 4}), parameter({4})}), CW_ERROR_SHAPE, "[.., m, k]");
  expect_refused(of(CW_OP_MATMUL, {input({2, 3, 4, 5}), parameter({2, 5, 6})}), CW_ERROR_SHAPE, "equal sizes");
}

TEST(LayerNorm, MatchesReference) {
  for (const Shape &shape : {Shape{2, 9, 48}, Shape{3, 5}, Shape{2, 3, 4, 5}})
    for (int axis : {1, static_cast<int>(shape.size()) - 1})
      for (bool with_bias : {false, true}) {
        const Shape rest(shape.begin() + axis, shape.end());
        Case test = of(CW_OP_LAYER_NORM, {input(shape), parameter(rest, 0.5, 2)});
        if (with_bias)
          test.operands.push_back(parameter(rest));
        test.attributes.axis = axis;
        check(test, 2e-6, 1e-5);
      }
}

TEST(InstanceNorm, MatchesReference) {
  for (const Shape &shape : {Shape{2, 3, 7}, Shape{2, 5, 3, 5, 7}, Shape{1, 3, 9, 11, 13}})
    check(of(CW_OP_INSTANCE_NORM, {input(shape, 1, 3), parameter({shape[1]}, 0.5, 2), parameter({shape[1]})}), 3e-6,
          2e-5);
}

TEST(Norm, Refuses) {
  expect_refused(of(CW_OP_LAYER_NORM, {input({2, 3, 4}), parameter({3})}), CW_ERROR_SHAPE, "from axis 1 on");
  expect_refused(of(CW_OP_INSTANCE_NORM, {input({2, 3, 4}), parameter({4}), parameter({3})}), CW_ERROR_SHAPE,
                 "3 values");
}

Case transposed(Shape x, Shape w, int stride, int pad, int more, int dilation, int groups, bool bias) {
  const int64_t channels = w[1] * groups;
  const Shape kernel(w.begin() + 2, w.end());
  Case test = of(CW_OP_CONV_TRANSPOSE, {input(std::move(x)), parameter(std::move(w))});
  if (bias)
    test.operands.push_back(parameter({channels}));
  cw_attributes &a = test.attributes;
  a.groups = groups;
  for (int i = 0; i < 3; i++) {
    a.kernel[i] = static_cast<int>(kernel[static_cast<std::size_t>(i)]);
    a.stride[i] = stride;
    a.dilation[i] = dilation;
    a.more[i] = more;
    a.pads[i] = pad;
    a.pads[3 + i] = i == 1 ? pad / 2 : pad;
  }
  return test;
}

TEST(ConvTranspose, MatchesReference) {
  check(transposed({2, 3, 2, 3, 4}, {3, 5, 2, 2, 2}, 2, 0, 0, 1, 1, true), 1e-6, 1e-5);
  check(transposed({1, 4, 3, 4, 5}, {4, 3, 3, 3, 3}, 2, 1, 1, 1, 1, true), 1e-6, 1e-5);
  check(transposed({2, 4, 3, 4, 5}, {4, 3, 3, 2, 4}, 1, 1, 0, 1, 2, false), 1e-6, 1e-5);
  check(transposed({1, 2, 4, 4, 4}, {2, 2, 3, 3, 3}, 3, 2, 2, 2, 1, true), 1e-6, 1e-5);
}

TEST(ConvTranspose, Refuses) {
  expect_refused(transposed({1, 3, 2, 2, 2}, {4, 3, 2, 2, 2}, 2, 0, 0, 1, 1, false), CW_ERROR_SHAPE, "do not fit");
  expect_refused(transposed({1, 4, 2, 2, 2}, {4, 3, 2, 2, 2}, 2, 9, 0, 1, 1, false), CW_ERROR_SHAPE, "would have");
  expect_refused(transposed({1, 4, 2, 2, 2}, {4, 3, 2, 2, 2}, 2, 0, 2, 1, 1, false), CW_ERROR_SHAPE, "output_padding");
}

Case resize(bool linear, cw_sampling sampling, cw_rounding rounding, std::initializer_list<int64_t> to) {
  Case test = of(CW_OP_RESIZE, {input({2, 2, 3, 4, 5})});
  cw_attributes &a = test.attributes;
  a.shape = CW_SHAPE(CW_BATCH, 2);
  for (int64_t d : to) {
    a.factor[a.shape.rank - 2] = static_cast<float>(d) / static_cast<float>(a.shape.rank + 1);
    a.shape.d[a.shape.rank++] = d;
  }
  a.linear = linear;
  a.sampling = sampling;
  a.rounding = rounding;
  return test;
}

TEST(ResizeAny, MatchesReference) {
  for (cw_sampling sampling : {CW_SAMPLE_HALF_PIXEL, CW_SAMPLE_ASYMMETRIC, CW_SAMPLE_CORNERS, CW_SAMPLE_TORCH_HALF}) {
    for (cw_rounding rounding : {CW_ROUND_HALF_DOWN, CW_ROUND_HALF_UP, CW_ROUND_FLOOR, CW_ROUND_CEIL})
      check(resize(false, sampling, rounding, {6, 2, 7}), 0, 1e-6);
    check(resize(true, sampling, CW_ROUND_FLOOR, {6, 8, 13}), 1e-6, 2e-6);
    check(resize(true, sampling, CW_ROUND_FLOOR, {2, 1, 5}), 1e-6, 2e-6);
  }
  Case test = resize(true, CW_SAMPLE_CORNERS, CW_ROUND_FLOOR, {6, 8, 13});
  test.attributes.shape.d[1] = 3;
  expect_refused(test, CW_ERROR_SHAPE, "axes of space");
}

}  // namespace
