// Registration that is blind to brightness: finds a known warp, leaves what is only darker alone.
#include <gtest/gtest.h>

#include "Tensor/test_context.h"
#include "Warp/warp_reference.h"

using namespace reference;

namespace {

const Size s{{28, 26, 24}};

// Grain of about three voxels on a bright ground.
std::vector<float> texture(uint64_t stream) {
  TestContext context(1);
  auto x = noise(s.samples(), stream);
  const double origin[3] = {0, 0, 0};
  cw_volume volume = {cw_grid_cube(1, 1, origin), 1, x.data()};
  std::copy(s.n, s.n + 3, volume.grid.size);
  EXPECT_EQ(cw_volume_smooth(context, &volume, 1.2), CW_OK);
  for (float &value : x)
    value = 0.6f + value;
  return x;
}

std::vector<float> warped(const std::vector<float> &x, const std::vector<float> &u) {
  std::vector<float> out(x.size());
  cw_warp_forward(s.n, 1, x.data(), u.data(), out.data(), 2);
  return out;
}

// Root mean square inside the box, four voxels from its faces.
double rms_inside(const std::vector<float> &a, const std::vector<float> *b, int components = 1) {
  double sum = 0, count = 0;
  for (int c = 0; c < components; c++)
    for (int k = 4; k < s.n[2] - 4; k++)
      for (int j = 4; j < s.n[1] - 4; j++)
        for (int i = 4; i < s.n[0] - 4; i++) {
          const size_t at = c * s.samples() + (size_t(k) * s.n[1] + j) * s.n[0] + i;
          const double d = a[at] - (b ? (*b)[at] : 0);
          sum += d * d;
          count++;
        }
  return std::sqrt(sum / count);
}

std::vector<float> match(TestContext &context, const std::vector<float> &fixed, const std::vector<float> &moving) {
  std::vector<float> u(3 * s.samples(), 7.0f);
  EXPECT_EQ(cw_match(context, s.n, fixed.data(), moving.data(), u.data()), CW_OK) << context.message();
  return u;
}

TEST(Match, FindsAKnownWarpWhateverTheContrast) {
  TestContext context(1);
  const auto moving = texture(1), truth = waves(s, 9, 1.5, 30);
  const auto fixed = warped(moving, truth);
  const auto u = match(context, fixed, moving);
  EXPECT_GT(rms_inside(truth, nullptr, 3), 0.4);
  EXPECT_LT(rms_inside(u, &truth, 3), 0.5 * rms_inside(truth, nullptr, 3));
  EXPECT_LT(rms_inside(warped(moving, u), &fixed), 0.35 * rms_inside(moving, &fixed));
  std::vector<float> jacobian(s.samples());
  EXPECT_EQ(cw_jacobian_determinant(s.n, u.data(), false, jacobian.data(), 2), 0u) << "no folds";
  // Gain and offset of either image.
  auto brighter = fixed;
  for (float &value : brighter)
    value = 700 * value - 30;
  EXPECT_LT(rms_inside(match(context, brighter, moving), &u, 3), 0.05);
}

TEST(Match, ARegionThatIsOnlyDarkerStaysWhereItIs) {
  TestContext context(1);
  const auto moving = texture(2);
  auto fixed = moving;
  for (int k = 0; k < s.n[2]; k++)
    for (int j = 0; j < s.n[1]; j++)
      for (int i = 0; i < s.n[0]; i++) {
        const double r = std::sqrt(std::pow(i - 13.5, 2) + std::pow(j - 12.5, 2) + std::pow(k - 11.5, 2));
        fixed[(size_t(k) * s.n[1] + j) * s.n[0] + i] *= float(1 - 0.3 / (1 + std::exp(r - 6)));
      }
  const auto u = match(context, fixed, moving);
  // What the warp does to the image, beside what the darkening does.
  EXPECT_LT(rms_inside(warped(moving, u), &moving), 0.6 * rms_inside(fixed, &moving));
}

TEST(Match, NothingToFollow) {
  TestContext context(1);
  const auto x = texture(3);
  const std::vector<float> flat(s.samples(), 2.0f);
  EXPECT_LT(rms_inside(match(context, x, x), nullptr, 3), 1e-3) << "already there";
  EXPECT_EQ(rms_inside(match(context, flat, flat), nullptr, 3), 0);
  EXPECT_EQ(rms_inside(match(context, x, flat), nullptr, 3), 0);
  EXPECT_LT(rms_inside(match(context, flat, x), nullptr, 3), 2) << "finite";
  const std::vector<float> zero(s.samples(), 0.0f);
  for (const auto *a : {&zero, &x})
    for (const auto *b : {&zero, &x})
      EXPECT_LT(rms_inside(match(context, *a, *b), nullptr, 3), 2) << "finite";
  auto faint = x, bright = x, other = texture(9);
  const auto as_is = match(context, x, other);
  for (size_t i = 0; i < x.size(); i++) {
    faint[i] = std::ldexp(x[i], -60);
    bright[i] = std::ldexp(x[i], 60);
  }
  EXPECT_EQ(match(context, faint, other), as_is) << "images of any scale";
  EXPECT_EQ(match(context, bright, other), as_is);
  auto bad = x;
  bad[5] = NAN;
  std::vector<float> u(3 * s.samples());
  EXPECT_EQ(cw_match(context, s.n, bad.data(), x.data(), u.data()), CW_ERROR_NUMERIC);
  bad[5] = INFINITY;
  EXPECT_EQ(cw_match(context, s.n, x.data(), bad.data(), u.data()), CW_ERROR_NUMERIC);
}

TEST(Match, ThreadsDoNotChangeBitsAndEveryAllocationMayFail) {
  TestContext one(1), many(5);
  const auto a = texture(4), b = texture(5);
  const auto u = match(one, a, b);
  EXPECT_EQ(std::memcmp(u.data(), match(many, a, b).data(), u.size() * sizeof(float)), 0);
  const Size small{{6, 5, 7}};
  const std::vector<float> x = noise(small.samples(), 1), y = noise(small.samples(), 2);
  std::vector<float> v(3 * small.samples());
  for (long at = 0; at < 20; at++) {
    one.reset(at);
    EXPECT_EQ(cw_match(one, small.n, x.data(), y.data(), v.data()), CW_ERROR_MEMORY) << at;
    EXPECT_EQ(one.leaked(), 0) << at;
  }
}

}  // namespace
