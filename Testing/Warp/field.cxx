// Fields in physical space: units, oblique grids, Jacobians, fields carried between grids, refusals.
#include <gtest/gtest.h>

#include "Warp/warp_reference.h"

using namespace reference;

namespace {

// A context whose n-th allocation fails (0: none).
class Field : public ::testing::Test {
 protected:
  void SetUp() override { open(0); }
  void TearDown() override { cw_context_free(context); }
  void open(int failing, int threads = 2) {
    cw_context_free(context);
    countdown = 0;
    cw_context_options options{};
    options.allocate = [](void *user, size_t bytes) -> void * {
      auto *self = static_cast<Field *>(user);
      if (self->countdown && !--self->countdown)
        return nullptr;
      self->living++;
      return std::malloc(bytes);
    };
    options.release = [](void *user, void *memory) {
      static_cast<Field *>(user)->living -= memory != nullptr;
      std::free(memory);
    };
    options.user = this;
    options.threads = threads;
    ASSERT_EQ(cw_context_create(&options, &context), CW_OK);
    countdown = failing;
  }
  cw_volume volume(const cw_grid &grid, int components) {
    cw_volume v;
    EXPECT_EQ(cw_volume_create(context, &grid, components, &v), CW_OK);
    return v;
  }
  void free(std::initializer_list<cw_volume *> volumes) {
    for (cw_volume *v : volumes)
      cw_volume_free(context, v);
  }
  cw_context *context = nullptr;
  int countdown = 0, living = 0;
};

// Oblique, anisotropic, left-handed.
cw_grid oblique(int nx, int ny, int nz) {
  cw_grid grid{};
  grid.size[0] = nx, grid.size[1] = ny, grid.size[2] = nz;
  const double m[3][4] = {{0.9, 0.35, -0.2, -20}, {-0.3, 1.4, 0.3, 12}, {-0.1, 0.25, -2.1, 31}};
  std::memcpy(grid.to_world.m, m, sizeof m);
  return grid;
}

template <class F>
void each(const cw_grid &grid, F f) {
  size_t at = 0;
  for (int k = 0; k < grid.size[2]; k++)
    for (int j = 0; j < grid.size[1]; j++)
      for (int i = 0; i < grid.size[0]; i++, at++) {
        const double index[3] = {double(i), double(j), double(k)};
        double x[3];
        cw_affine_apply(&grid.to_world, index, x);
        const bool border = !i || !j || !k || i + 1 == grid.size[0] || j + 1 == grid.size[1] || k + 1 == grid.size[2];
        f(at, x, border);
      }
}

double determinant(const double m[3][3]) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

// A quadratic field has exact central differences, so J is analytic inside; a linear one is exact on the border too.
TEST_F(Field, JacobianIsAnalyticOnAnObliqueGrid) {
  const cw_grid grid = oblique(19, 14, 9);
  ASSERT_LT(cw_affine_determinant(&grid.to_world), 0);
  const double b[3][3] = {{0.1, -0.2, 0.05}, {0.15, -0.1, 0.1}, {-0.05, 0.2, 0.3}};
  for (double bend : {0.0, 0.002}) {
    cw_volume field = volume(grid, 3), j, logarithm;
    each(grid, [&](size_t at, const double x[3], bool) {
      for (int r = 0; r < 3; r++)
        field.data[r * cw_grid_samples(&grid) + at] =
            float(b[r][0] * x[0] + b[r][1] * x[1] + b[r][2] * x[2] + 0.7 + bend * x[r] * x[(r + 1) % 3]);
    });
    size_t folded = 99;
    ASSERT_EQ(cw_volume_jacobian(context, &field, false, &j, &folded), CW_OK);
    ASSERT_EQ(cw_volume_jacobian(context, &field, true, &logarithm, nullptr), CW_OK);
    EXPECT_EQ(folded, 0u);
    EXPECT_TRUE(cw_grid_same(&j.grid, &grid, 1e-9));
    EXPECT_EQ(j.components, 1);
    each(grid, [&](size_t at, const double x[3], bool border) {
      double m[3][3];
      for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
          m[r][c] = (r == c) + b[r][c] + bend * ((c == r ? x[(r + 1) % 3] : 0) + (c == (r + 1) % 3 ? x[r] : 0));
      if (bend == 0 || !border) {
        EXPECT_NEAR(j.data[at], determinant(m), 1e-4);
        EXPECT_NEAR(logarithm.data[at], std::log(determinant(m)), 1e-4);
      }
    });
    free({&field, &j, &logarithm});
  }
}

// J of a field in mm is J of the same field in voxels.
TEST_F(Field, JacobianDoesNotDependOnTheUnits) {
  const cw_grid grid = oblique(20, 9, 8);
  const Size s{{20, 9, 8}};
  const auto u = waves(s, 1, 2, 12);
  cw_volume field, j;
  ASSERT_EQ(cw_field_from_voxels(context, &grid, u.data(), &field), CW_OK);
  size_t folded, expected_folded;
  ASSERT_EQ(cw_volume_jacobian(context, &field, false, &j, &folded), CW_OK);
  std::vector<float> expected(s.samples());
  expected_folded = cw_jacobian_determinant(s.n, u.data(), false, expected.data(), 1);
  EXPECT_EQ(folded, expected_folded);
  EXPECT_LT(largest_difference(expected, std::vector<float>(j.data, j.data + s.samples())), 1e-4);
  free({&field, &j});
}

// One voxel along i is the first column of the matrix in mm; the way back gives the voxels again.
TEST_F(Field, VoxelsAndMillimetres) {
  const cw_grid grid = oblique(6, 5, 4);
  const size_t samples = cw_grid_samples(&grid);
  std::vector<float> u(3 * samples, 0.0f), back(3 * samples);
  for (size_t i = 0; i < samples; i++)
    u[i] = 1;
  cw_volume field;
  ASSERT_EQ(cw_field_from_voxels(context, &grid, u.data(), &field), CW_OK);
  for (int r = 0; r < 3; r++)
    EXPECT_FLOAT_EQ(field.data[r * samples + 7], float(grid.to_world.m[r][0]));
  cw_volume_free(context, &field);
  u = noise(3 * samples, 1);
  ASSERT_EQ(cw_field_from_voxels(context, &grid, u.data(), &field), CW_OK);
  ASSERT_EQ(cw_field_to_voxels(context, &field, back.data()), CW_OK);
  EXPECT_LT(largest_difference(u, back), 1e-5);
  free({&field});
}

// out(x) = in(x + u(x)) for a linear image, for which trilinear sampling is exact; nearest neighbour for labels.
TEST_F(Field, WarpWorksInMillimetres) {
  const cw_grid grid = oblique(24, 18, 15);
  const size_t samples = cw_grid_samples(&grid);
  cw_volume in = volume(grid, 2), field = volume(grid, 3), out, labels;
  const double shift[3] = {1.1, -0.8, 1.7};
  const auto value = [](const double x[3]) { return 0.3 * x[0] - 0.2 * x[1] + 0.1 * x[2] + 4; };
  each(grid, [&](size_t at, const double x[3], bool) {
    in.data[at] = float(value(x));
    in.data[samples + at] = float(at);
    for (int r = 0; r < 3; r++)
      field.data[r * samples + at] = float(shift[r]);
  });
  ASSERT_EQ(cw_volume_warp(context, &in, &field, &out), CW_OK);
  ASSERT_EQ(cw_volume_warp_labels(context, &in, &field, &labels), CW_OK);
  cw_affine to_index;
  ASSERT_EQ(cw_affine_invert(context, &grid.to_world, &to_index), CW_OK);
  int inside_count = 0, outside_count = 0;
  each(grid, [&](size_t at, const double x[3], bool) {
    const double moved[3] = {x[0] + shift[0], x[1] + shift[1], x[2] + shift[2]};
    double p[3];
    cw_affine_apply(&to_index, moved, p);
    bool inside = true, outside = false;
    for (int axis = 0; axis < 3; axis++) {
      inside = inside && p[axis] >= 0 && p[axis] <= grid.size[axis] - 1;
      outside = outside || p[axis] <= -1 || p[axis] >= grid.size[axis];
    }
    if (inside) {
      inside_count++;
      EXPECT_NEAR(out.data[at], value(moved), 1e-4);
      const size_t nearest =
          (size_t(std::lround(p[2])) * 18 + size_t(std::lround(p[1]))) * 24 + size_t(std::lround(p[0]));
      EXPECT_EQ(labels.data[samples + at], float(nearest));
    } else if (outside) {
      outside_count++;
      EXPECT_EQ(out.data[at], 0.0f);
      EXPECT_EQ(labels.data[samples + at], 0.0f);
    }
  });
  EXPECT_GT(inside_count, 1000);
  EXPECT_GT(outside_count, 100);
  free({&in, &field, &out, &labels});
}

// Warping the scan with the carried field is: resample to the model's grid, warp there, and go back.
TEST_F(Field, CarriedFieldDoesWhatTheModelSaw) {
  cw_grid scan = oblique(60, 44, 28);
  const double middle[3] = {29.5, 21.5, 13.5};
  double center[3], moved_center[3];
  cw_affine_apply(&scan.to_world, middle, center);
  /* scan's world -> model's world: a rotation about two axes, scale 1.2, a shift */
  const double a = 0.3, b = -0.2, scale = 1.2;
  cw_affine align{};
  const double rotation[3][3] = {{std::cos(a), -std::sin(a) * std::cos(b), std::sin(a) * std::sin(b)},
                                 {std::sin(a), std::cos(a) * std::cos(b), -std::cos(a) * std::sin(b)},
                                 {0, std::sin(b), std::cos(b)}};
  for (int r = 0; r < 3; r++) {
    for (int c = 0; c < 3; c++)
      align.m[r][c] = scale * rotation[r][c];
    align.m[r][3] = 3.0 * r - 5;
  }
  cw_affine_apply(&align, center, moved_center);
  const cw_grid model = cw_grid_cube(64, 1.25, moved_center);
  cw_affine back;
  ASSERT_EQ(cw_affine_invert(context, &align, &back), CW_OK);

  cw_volume image = volume(scan, 1), field = volume(model, 3), carried, direct;
  cw_volume on_model = volume(model, 1), warped, there_and_back = volume(scan, 1);
  each(scan, [&](size_t at, const double x[3], bool) {
    double square = 0;
    for (int r = 0; r < 3; r++)
      square += (x[r] - center[r]) * (x[r] - center[r]);
    image.data[at] = float(std::exp(-square / 200) * (2 + std::sin(0.25 * x[0]) + std::cos(0.2 * x[1] + 0.1 * x[2])));
  });
  const size_t samples = cw_grid_samples(&model);
  each(model, [&](size_t at, const double y[3], bool) {
    double square = 0;
    for (int r = 0; r < 3; r++)
      square += (y[r] - moved_center[r]) * (y[r] - moved_center[r]);
    const double bump = std::exp(-square / 250);
    field.data[at] = float(5 * bump);
    field.data[samples + at] = float(-3 * bump * std::cos(0.1 * y[0]));
    field.data[2 * samples + at] = float(2 * bump);
  });
  ASSERT_EQ(cw_field_carry(context, &field, &align, &scan, &carried), CW_OK);
  EXPECT_TRUE(cw_grid_same(&carried.grid, &scan, 1e-9));
  ASSERT_EQ(cw_volume_warp(context, &image, &carried, &direct), CW_OK);

  ASSERT_EQ(cw_volume_resample(context, &image, &back, &on_model), CW_OK);
  ASSERT_EQ(cw_volume_warp(context, &on_model, &field, &warped), CW_OK);
  ASSERT_EQ(cw_volume_resample(context, &warped, &align, &there_and_back), CW_OK);
  double apart = 0, moved = 0;
  for (size_t i = 0; i < cw_grid_samples(&scan); i++) {
    apart = std::max(apart, double(std::abs(direct.data[i] - there_and_back.data[i])));
    moved = std::max(moved, double(std::abs(direct.data[i] - image.data[i])));
  }
  EXPECT_GT(moved, 0.6);  /* the warp is worth the test */
  EXPECT_LT(apart, 0.06); /* four interpolations against two, on an image of up to 4 */
  free({&image, &field, &carried, &direct, &on_model, &warped, &there_and_back});
}

// Onto its own grid a field is itself; beyond its box it is zero.
TEST_F(Field, CarryIsTheIdentityOnItsOwnGridAndZeroOutside) {
  const cw_grid grid = oblique(11, 9, 8);
  cw_volume field = volume(grid, 3), same, far;
  const auto values = noise(3 * cw_grid_samples(&grid), 1);
  std::memcpy(field.data, values.data(), values.size() * sizeof(float));
  ASSERT_EQ(cw_field_carry(context, &field, nullptr, &grid, &same), CW_OK);
  double largest = 0;
  each(grid, [&](size_t at, const double[3], bool border) {
    if (!border)
      for (int r = 0; r < 3; r++) {
        const size_t i = r * cw_grid_samples(&grid) + at;
        largest = std::max(largest, double(std::abs(same.data[i] - values[i])));
      }
  });
  EXPECT_LT(largest, 1e-5);
  cw_grid away = grid;
  away.to_world.m[0][3] += 500;
  ASSERT_EQ(cw_field_carry(context, &field, nullptr, &away, &far), CW_OK);
  for (size_t i = 0; i < values.size(); i++)
    EXPECT_EQ(far.data[i], 0.0f);
  free({&field, &same, &far});
}

// What does not fit is refused with a sentence, and nothing is left allocated.
TEST_F(Field, RefusesWhatDoesNotFit) {
  const cw_grid grid = oblique(5, 4, 3);
  cw_grid other = grid;
  other.to_world.m[1][3] += 1;
  cw_volume image = volume(grid, 1), field = volume(grid, 3), elsewhere = volume(other, 3), none{}, out;
  EXPECT_EQ(cw_volume_warp(context, &image, &elsewhere, &out), CW_ERROR_SHAPE);
  EXPECT_NE(std::strlen(cw_context_message(context)), 0u);
  EXPECT_EQ(out.data, nullptr);
  EXPECT_EQ(cw_volume_warp_labels(context, &image, &elsewhere, &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_volume_warp(context, &image, &image, &out), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_volume_warp(context, &none, &field, &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_volume_warp(context, &image, &none, &out), CW_ERROR_ARGUMENT);
  EXPECT_EQ(cw_volume_jacobian(context, &image, false, &out, nullptr), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_volume_jacobian(context, &none, false, &out, nullptr), CW_ERROR_ARGUMENT);
  std::vector<float> u(3 * cw_grid_samples(&grid));
  EXPECT_EQ(cw_field_to_voxels(context, &image, u.data()), CW_ERROR_SHAPE);
  const cw_affine flat{};
  EXPECT_EQ(cw_field_carry(context, &field, &flat, &grid, &out), CW_ERROR_NUMERIC);
  cw_grid broken = grid;
  broken.to_world.m[0][0] = NAN;
  EXPECT_NE(cw_field_carry(context, &field, nullptr, &broken, &out), CW_OK);
  EXPECT_NE(cw_field_from_voxels(context, &broken, u.data(), &out), CW_OK);
  free({&image, &field, &elsewhere});
}

// Every allocation that fails is told, and what was allocated before it is given back.
TEST_F(Field, SurvivesFailingAllocations) {
  const cw_grid grid = oblique(5, 4, 3);
  cw_volume image = volume(grid, 1), field = volume(grid, 3), out;
  const std::vector<float> u(3 * cw_grid_samples(&grid), 0.5f);
  cw_context *const first = context;
  context = nullptr;
  int failures = 0;
  for (int call = 0; call < 5; call++)
    for (int n = 1;; n++) {
      open(n);
      const int before = living;
      cw_status status = CW_OK;
      switch (call) {
        case 0:
          status = cw_volume_warp(context, &image, &field, &out);
          break;
        case 1:
          status = cw_volume_warp_labels(context, &image, &field, &out);
          break;
        case 2:
          status = cw_volume_jacobian(context, &field, true, &out, nullptr);
          break;
        case 3:
          status = cw_field_from_voxels(context, &grid, u.data(), &out);
          break;
        case 4:
          status = cw_field_carry(context, &field, nullptr, &grid, &out);
          break;
      }
      if (status == CW_OK) {
        cw_volume_free(context, &out);
        EXPECT_EQ(living, before);
        break;
      }
      failures++;
      EXPECT_EQ(status, CW_ERROR_MEMORY);
      EXPECT_EQ(out.data, nullptr);
      EXPECT_EQ(living, before) << "call " << call << ", allocation " << n;
    }
  EXPECT_GE(failures, 5);
  cw_context_free(context);
  context = first;
  free({&image, &field});
}

// NaN displacements give background, for images and labels.
TEST_F(Field, NanDisplacementsGiveBackground) {
  const cw_grid grid = oblique(9, 8, 7);
  cw_volume image = volume(grid, 1), field = volume(grid, 3), out, labels;
  const size_t samples = cw_grid_samples(&grid);
  std::fill_n(image.data, samples, 1.0f);
  const auto bad = hostile({{9, 8, 7}});
  std::memcpy(field.data, bad.data(), bad.size() * sizeof(float));
  ASSERT_EQ(cw_volume_warp(context, &image, &field, &out), CW_OK);
  ASSERT_EQ(cw_volume_warp_labels(context, &image, &field, &labels), CW_OK);
  for (size_t i = 0; i < samples; i++) {
    EXPECT_TRUE(out.data[i] >= 0 && out.data[i] <= 1.00001f);
    if (!std::isfinite(bad[i])) {
      EXPECT_EQ(out.data[i], 0.0f);
      EXPECT_EQ(labels.data[i], 0.0f);
    }
  }
  free({&image, &field, &out, &labels});
}

}  // namespace
