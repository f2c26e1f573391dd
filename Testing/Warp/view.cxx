// Views: any order of samples gives the bits of the plain one, boxes give those of the whole, images and fields on two
// grids give what the definition gives; refusals, cancellation, failing allocations.
#include "counterwarp/view.h"

#include <gtest/gtest.h>

#include <functional>

#include "Tensor/test_context.h"
#include "Warp/warp_reference.h"

using namespace reference;

namespace {

constexpr Size kSize{{37, 14, 11}};

// Oblique, anisotropic, left-handed.
cw_grid oblique(const Size &s) {
  return {{s.n[0], s.n[1], s.n[2]}, {{{0.9, 0.35, -0.2, -20}, {-0.3, 1.4, 0.3, 12}, {-0.1, 0.25, -2.1, 31}}}};
}

// Samples in a host's order: components interleaved, or every other sample, rows and slices with gaps.
struct Host {
  Host(const cw_grid &grid, int components, int order) : samples(8 * 3 * 64 * 32 * 32, NAN) {
    const ptrdiff_t nx = grid.size[0], ny = grid.size[1], nz = grid.size[2], c = components;
    view = {grid, components, samples.data(), {1, nx, nx * ny}, nx * ny * nz};
    if (order == 1)
      view = {grid, components, samples.data(), {c, c * nx, c * nx * ny}, 1};
    if (order == 2)
      view = {grid, components, samples.data(), {2, 2 * nx + 3, (2 * nx + 3) * ny + 5}, (2 * nx + 3) * ny * nz + 99};
  }
  float &at(int c, int i, int j, int k) {
    return view.data[c * view.component_step + i * view.step[0] + j * view.step[1] + k * view.step[2]];
  }
  void put(const std::vector<float> &planes) {
    size_t from = 0;
    each([&](float &value) { value = planes[from++]; });
  }
  std::vector<float> take() {
    std::vector<float> planes;
    each([&](float &value) { planes.push_back(value); });
    return planes;
  }
  void each(const std::function<void(float &)> &visit) {
    for (int c = 0; c < view.components; c++)
      for (int k = 0; k < view.grid.size[2]; k++)
        for (int j = 0; j < view.grid.size[1]; j++)
          for (int i = 0; i < view.grid.size[0]; i++)
            visit(at(c, i, j, k));
  }
  std::vector<float> samples;
  cw_view view;
};

// A smooth field in mm.
std::vector<float> millimetres(const Size &s, double amplitude, uint64_t stream = 0) {
  return waves(s, stream, amplitude, 25);
}

struct Result {
  std::vector<float> image, labels, jacobian, logarithm, exponential, inverse;
  size_t folded = 0;
  double residual = 0;
  bool operator==(const Result &o) const {
    return same_bits(image, o.image) && same_bits(labels, o.labels) && same_bits(jacobian, o.jacobian) &&
           same_bits(logarithm, o.logarithm) && same_bits(exponential, o.exponential) &&
           same_bits(inverse, o.inverse) && folded == o.folded && residual == o.residual;
  }
};

Result all(int order, int threads, double amplitude) {
  TestContext context(threads);
  const cw_grid grid = oblique(kSize);
  auto scan = noise(kSize.samples(), 3);
  const cw_volume in{grid, 1, scan.data()};
  Host field(grid, 3, order), scalar(grid, 1, order), vector(grid, 3, order);
  field.put(millimetres(kSize, amplitude));
  const int first[3] = {0, 0, 0};
  Result r;
  EXPECT_EQ(cw_view_warp(context, &in, &field.view, false, &scalar.view), CW_OK) << context.message();
  r.image = scalar.take();
  EXPECT_EQ(cw_view_warp(context, &in, &field.view, true, &scalar.view), CW_OK);
  r.labels = scalar.take();
  EXPECT_EQ(cw_view_jacobian(context, &field.view, first, false, &scalar.view, &r.folded), CW_OK);
  r.jacobian = scalar.take();
  EXPECT_EQ(cw_view_jacobian(context, &field.view, first, true, &scalar.view, nullptr), CW_OK);
  r.logarithm = scalar.take();
  EXPECT_EQ(cw_view_exponential(context, &field.view, 0.7, 20, true, &vector.view), CW_OK);
  r.exponential = vector.take();
  EXPECT_EQ(cw_view_invert(context, &field.view, 20, 1e-4, &vector.view, &r.residual), CW_OK);
  r.inverse = vector.take();
  EXPECT_EQ(context.leaked(), 0);
  return r;
}

// Interleaved samples, gaps, 1 to 5 threads: the bits of planes on one thread.
TEST(View, AnyOrderAndThreadsSameBits) {
  const Result plain = all(0, 1, 2);
  EXPECT_GT(plain.residual, 0);
  for (int order = 0; order < 3; order++)
    for (int threads : {1, 2, 5})
      EXPECT_TRUE(all(order, threads, 2) == plain) << "order " << order << ", threads " << threads;
}

// The functions on volumes and on voxels are the same arithmetic.
TEST(View, SameAsVolumes) {
  TestContext context;
  const Result plain = all(0, 2, 2);
  const cw_grid grid = oblique(kSize);
  auto scan = noise(kSize.samples(), 3), mm = millimetres(kSize, 2);
  const cw_volume in{grid, 1, scan.data()}, field{grid, 3, mm.data()};
  cw_volume out;
  size_t folded;
  ASSERT_EQ(cw_volume_warp(context, &in, &field, &out), CW_OK);
  EXPECT_FALSE(std::memcmp(out.data, plain.image.data(), plain.image.size() * sizeof(float)));
  cw_volume_free(context, &out);
  ASSERT_EQ(cw_volume_jacobian(context, &field, false, &out, &folded), CW_OK);
  EXPECT_FALSE(std::memcmp(out.data, plain.jacobian.data(), plain.jacobian.size() * sizeof(float)));
  EXPECT_EQ(folded, plain.folded);
  cw_volume_free(context, &out);
  // exp and inverse through voxels in double precision on the way: agreement within rounding of a few mm
  std::vector<float> v(mm.size()), step(mm.size()), u(mm.size());
  ASSERT_EQ(cw_field_to_voxels(context, &field, v.data()), CW_OK);
  cw_exponential_forward(kSize.n, v.data(), 0.7f, cw_exponential_squarings(kSize.n, v.data(), 0.7f), false, step.data(),
                         u.data(), 1);
  ASSERT_EQ(cw_field_from_voxels(context, &grid, u.data(), &out), CW_OK);
  EXPECT_LT(largest_difference(plain.exponential, std::vector<float>(out.data, out.data + mm.size())), 2e-5);
  cw_volume_free(context, &out);
  cw_invert_field(kSize.n, v.data(), 20, 1e-4, u.data(), step.data(), 1);
  ASSERT_EQ(cw_field_from_voxels(context, &grid, u.data(), &out), CW_OK);
  EXPECT_LT(largest_difference(plain.inverse, std::vector<float>(out.data, out.data + mm.size())), 2e-5);
  cw_volume_free(context, &out);
}

// A box of the Jacobian, from a field that was cut with a border of one sample, has the bits of the whole.
TEST(View, JacobianOfABoxIsThatOfTheWhole) {
  TestContext context;
  const cw_grid grid = oblique(kSize);
  for (int order = 0; order < 3; order++) {
    Host field(grid, 3, order), whole(grid, 1, order);
    field.put(millimetres(kSize, 6));
    const int zero[3] = {0, 0, 0};
    ASSERT_EQ(cw_view_jacobian(context, &field.view, zero, true, &whole.view, nullptr), CW_OK);
    const int boxes[][6] = {{0, 0, 0, 37, 14, 11}, {5, 3, 2, 9, 1, 4}, {36, 13, 10, 1, 1, 1}, {0, 0, 4, 20, 5, 7}};
    for (const auto &b : boxes) {
      cw_grid box = grid, cut = grid;
      cw_view part = field.view;
      int first[3];
      for (int a = 0; a < 3; a++) {
        box.size[a] = b[3 + a];
        const int low = std::max(0, b[a] - 1), high = std::min(grid.size[a], b[a] + b[3 + a] + 1);
        cut.size[a] = high - low;
        part.data += low * part.step[a];
        first[a] = b[a] - low;
      }
      part.grid = cut;
      Host out(box, 1, order);
      ASSERT_EQ(cw_view_jacobian(context, &part, first, true, &out.view, nullptr), CW_OK) << context.message();
      for (int k = 0; k < box.size[2]; k++)
        for (int j = 0; j < box.size[1]; j++)
          for (int i = 0; i < box.size[0]; i++)
            ASSERT_EQ(out.at(0, i, j, k), whole.at(0, b[0] + i, b[1] + j, b[2] + k)) << order << b[0];
    }
  }
}

// in(x + u(x)) where in and field lie on two grids, in double precision; grids finer, coarser, turned, thin, apart.
TEST(View, WarpBetweenTwoGrids) {
  TestContext context;
  const Size fields[] = {{{70, 12, 9}}, {{7, 5, 3}}},
             images[] = {{{80, 31, 24}}, {{18, 17, 16}}, {{5, 40, 30}}, {{90, 1, 20}}};
  for (const Size &fs : fields)
    for (const Size &is : images)
      for (int turned = 0; turned < 3; turned++) {
        cw_grid grid = oblique(fs);
        cw_grid other{{is.n[0], is.n[1], is.n[2]}, {{{1.3, 0, 0, -40}, {0, 0.8, 0, -10}, {0, 0, 1.9, -10}}}};
        if (turned)
          other.to_world = {{{-0.4, -0.9, 0.1, 30}, {0.7, -0.3, 0.2, -5}, {0.1, 0.2, 1.1, -4}}};
        // Middle on middle.
        for (int r = 0; r < 3; r++) {
          other.to_world.m[r][3] = grid.to_world.m[r][3];
          for (int c = 0; c < 3; c++)
            other.to_world.m[r][3] += 0.5 * (grid.to_world.m[r][c] * fs.n[c] - other.to_world.m[r][c] * is.n[c]);
        }
        if (turned == 2)
          grid.to_world.m[0][3] += 1e6;  // far apart: nothing but zeros
        auto image = noise(is.samples(), 5), mm = millimetres(fs, 3);
        const cw_volume in{other, 1, image.data()}, field{grid, 3, mm.data()};
        const cw_view view = cw_volume_view(&field);
        for (int order = 0; order < 3; order++) {
          Host out(grid, 1, order);
          ASSERT_EQ(cw_view_warp(context, &in, &view, false, &out.view), CW_OK) << context.message();
          cw_affine to_index;
          ASSERT_EQ(cw_affine_invert(context, &other.to_world, &to_index), CW_OK);
          double largest = 0;
          size_t at = 0, touched = 0;
          for (int k = 0; k < fs.n[2]; k++)
            for (int j = 0; j < fs.n[1]; j++)
              for (int i = 0; i < fs.n[0]; i++, at++) {
                const double index[3] = {double(i), double(j), double(k)};
                double x[3], p[3];
                cw_affine_apply(&grid.to_world, index, x);
                for (int a = 0; a < 3; a++)
                  x[a] += mm[a * fs.samples() + at];
                cw_affine_apply(&to_index, x, p);
                const double expected = sample(is, image.data(), p);
                touched += expected != 0;
                largest = std::max(largest, std::abs(expected - out.at(0, i, j, k)));
              }
          EXPECT_LT(largest, 2e-4) << fs.text() << " of " << is.text() << ", order " << order;
          EXPECT_EQ(touched > 0, turned < 2) << "nothing was compared";
        }
      }
}

TEST(View, Refusals) {
  TestContext context;
  const cw_grid grid = oblique(kSize);
  Host field(grid, 3, 1), scalar(grid, 1, 1), vector(grid, 3, 1);
  field.put(millimetres(kSize, 1));
  std::vector<float> scan(kSize.samples());
  const cw_volume in{grid, 1, scan.data()}, empty{grid, 1, nullptr};
  const int zero[3] = {0, 0, 0}, late[3] = {0, 1, 0};
  cw_view short_out = scalar.view, nowhere = field.view, flat = field.view;
  short_out.grid.size[1]--;
  nowhere.data = nullptr;
  flat.grid.to_world.m[2][2] = flat.grid.to_world.m[2][1] = flat.grid.to_world.m[2][0] = 0;
  EXPECT_EQ(cw_view_warp(context, &empty, &field.view, false, &scalar.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_warp(context, &in, &nowhere, false, &scalar.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_warp(context, &in, &scalar.view, false, &scalar.view), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_view_warp(context, &in, &field.view, false, &vector.view), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_view_warp(context, &in, &field.view, false, &short_out), CW_ERROR_SHAPE);
  EXPECT_EQ(context.message(), "warp's output: 37 x 13 x 11 samples, expected 37 x 14 x 11");
  EXPECT_EQ(cw_view_warp(context, &in, &flat, false, &scalar.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_jacobian(context, &field.view, late, false, &scalar.view, nullptr), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_view_jacobian(context, &field.view, zero, false, &vector.view, nullptr), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_view_exponential(context, &field.view, NAN, 3, false, &vector.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_exponential(context, &field.view, 1, 31, true, &vector.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_exponential(context, &field.view, 1, -1, false, &vector.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_exponential(context, &flat, 1, 3, false, &vector.view), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_exponential(context, &field.view, 1, 3, false, &scalar.view), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_view_invert(context, &field.view, -1, 0.1, &vector.view, nullptr), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_invert(context, &field.view, 1, NAN, &vector.view, nullptr), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_view_copy(context, &field.view, &scalar.view), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_view_copy(context, &scalar.view, &short_out), CW_ERROR_SHAPE);
  EXPECT_EQ(context.leaked(), 0);
}

// Hostile displacements (NaN, Inf, beyond int) end somewhere, on one grid and on two.
TEST(View, HostileFields) {
  TestContext context;
  const cw_grid grid = oblique(kSize);
  cw_grid other = grid;
  other.to_world.m[0][3] += 3.7;
  auto scan = noise(kSize.samples(), 3), bad = hostile(kSize);
  for (const cw_grid &g : {grid, other}) {
    const cw_volume in{g, 1, scan.data()};
    Host field(grid, 3, 1), scalar(grid, 1, 0), vector(grid, 3, 1);
    field.put(bad);
    const int zero[3] = {0, 0, 0};
    EXPECT_EQ(cw_view_warp(context, &in, &field.view, false, &scalar.view), CW_OK);
    EXPECT_EQ(cw_view_warp(context, &in, &field.view, true, &scalar.view), CW_OK);
    EXPECT_EQ(cw_view_jacobian(context, &field.view, zero, true, &scalar.view, nullptr), CW_OK);
    EXPECT_EQ(cw_view_exponential(context, &field.view, 1, 20, true, &vector.view), CW_OK);
    EXPECT_EQ(cw_view_invert(context, &field.view, 5, 0.01, &vector.view, nullptr), CW_OK);
  }
}

using Call = std::function<cw_status(cw_context *)>;

std::vector<Call> calls(Host &field, const cw_volume &in, Host &scalar, Host &vector) {
  static const int zero[3] = {0, 0, 0};
  return {[&](cw_context *c) { return cw_view_warp(c, &in, &field.view, false, &scalar.view); },
          [&](cw_context *c) { return cw_view_jacobian(c, &field.view, zero, true, &scalar.view, nullptr); },
          [&](cw_context *c) { return cw_view_exponential(c, &field.view, 1, 20, true, &vector.view); },
          [&](cw_context *c) { return cw_view_invert(c, &field.view, 5, 0.01, &vector.view, nullptr); }};
}

// Each call says how far it is, ends when told to, and lives through every allocation that fails.
TEST(View, ProgressCancellationAndFailingAllocations) {
  const cw_grid grid = oblique(kSize);
  auto scan = noise(kSize.samples(), 3);
  const cw_volume in{grid, 1, scan.data()};
  Host field(grid, 3, 1), scalar(grid, 1, 2), vector(grid, 3, 1);
  field.put(millimetres(kSize, 2));
  for (const Call &call : calls(field, in, scalar, vector)) {
    TestContext context;
    EXPECT_EQ(call(context), CW_OK);
    EXPECT_EQ(context.fraction, 1);
    const long allocations = context.calls;
    EXPECT_GT(allocations, 0);
    for (long at = 0; at < allocations; at++) {
      context.reset(at);
      EXPECT_EQ(call(context), CW_ERROR_MEMORY);
      EXPECT_EQ(context.leaked(), 0);
    }
    context.reset();
    context.cancel = true;
    EXPECT_EQ(call(context), CW_ERROR_CANCELLED);
    EXPECT_EQ(context.leaked(), 0);
    context.cancel = false;
    EXPECT_EQ(call(context), CW_OK) << "a cancelled context can be used again";
  }
}

}  // namespace
