// Nearest and trilinear upsampling.
#include "Layers/harness.h"

using namespace layers;

namespace {

Case resize(cw_operator op, Shape shape, int sz, int sy, int sx) {
  Case test;
  test.op = op;
  test.batch = static_cast<int>(shape[0]);
  test.operands = {input(std::move(shape))};
  test.attributes.scale[0] = sz;
  test.attributes.scale[1] = sy;
  test.attributes.scale[2] = sx;
  return test;
}

std::vector<Case> cases(cw_operator op) {
  return {resize(op, {1, 1, 1, 1, 1}, 2, 2, 2),   resize(op, {2, 16, 4, 4, 4}, 2, 2, 2),
          resize(op, {3, 5, 3, 4, 5}, 2, 2, 2),   resize(op, {1, 17, 2, 3, 7}, 1, 2, 3),
          resize(op, {2, 3, 3, 2, 5}, 4, 3, 5),   resize(op, {1, 3, 2, 3, 17}, 1, 1, 1),
          resize(op, {1, 1, 1, 2, 300}, 2, 1, 2), resize(op, {1, 1, 1, 1, 257}, 1, 1, 3)};
}

TEST(Resize, NearestMatchesReference) {
  for (const Case &test : cases(CW_OP_RESIZE_NEAREST))
    check(test, 0, 1e-6);
}

TEST(Resize, LinearMatchesReference) {
  for (const Case &test : cases(CW_OP_RESIZE_LINEAR))
    check(test, 1e-6, 2e-6);
}

// PyTorch's interpolate(scale_factor=2, mode='trilinear', align_corners=False) along one axis.
TEST(Resize, LinearAgreesWithPyTorch) {
  const Case test = resize(CW_OP_RESIZE_LINEAR, {1, 1, 1, 1, 3}, 1, 1, 2);
  Tensor x(test.operands[0].shape);
  x.data = {0, 4, 12};
  EXPECT_EQ(run(test, {x}, {Tensor(Shape{1, 1, 1, 1, 6})}, 1, true).outputs[0],
            (std::vector<float>{0, 1, 3, 6, 10, 12}));
}

TEST(Resize, Refuses) {
  expect_refused(resize(CW_OP_RESIZE_NEAREST, {1, 1, 4}, 2, 2, 2), CW_ERROR_SHAPE, "5 dimensions");
  expect_refused(resize(CW_OP_RESIZE_NEAREST, {1, 1, 4, 4, 4}, 2, 0, 2), CW_ERROR_ARGUMENT, "scale");
  expect_refused(resize(CW_OP_RESIZE_LINEAR, {1, 1, 4, 4, 4}, 2, 2, -2), CW_ERROR_ARGUMENT, "scale");
}

}  // namespace
