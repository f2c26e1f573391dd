// Grids, affine maps and volumes.
#include "counterwarp/volume.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "counterwarp/random.h"
#include "Tensor/test_context.h"

static const double NotANumber = std::numeric_limits<double>::quiet_NaN();
static const double Infinity = std::numeric_limits<double>::infinity();

static cw_affine random_affine(uint64_t stream) {
  cw_random random = cw_random_stream(11, stream);
  cw_affine affine;
  for (auto &row : affine.m)
    for (double &value : row)
      value = cw_random_uniform(&random, -2, 2);
  return affine;
}

static cw_grid unit_grid(int x, int y, int z) {
  cw_grid grid = {{x, y, z}, cw_affine_identity()};
  return grid;
}

TEST(Affine, ComposeAppliesTheFirstFirst) {
  cw_affine scale = cw_affine_identity(), shift = cw_affine_identity();
  scale.m[0][0] = 2;
  shift.m[0][3] = 1;
  const double p[3] = {3, 4, 5};
  double q[3];
  const cw_affine both = cw_affine_compose(&scale, &shift);
  cw_affine_apply(&both, p, q);
  EXPECT_EQ(q[0], 8);  // (3 + 1) * 2
  for (int stream = 0; stream < 20; stream++) {
    const cw_affine a = random_affine(2 * stream), b = random_affine(2 * stream + 1);
    const cw_affine ab = cw_affine_compose(&a, &b);
    double one[3], two[3];
    cw_affine_apply(&ab, p, one);
    cw_affine_apply(&b, p, two);
    cw_affine_apply(&a, two, two);  // in place
    for (int r = 0; r < 3; r++)
      EXPECT_NEAR(one[r], two[r], 1e-12);
    EXPECT_NEAR(cw_affine_determinant(&ab), cw_affine_determinant(&a) * cw_affine_determinant(&b), 1e-11);
  }
}

TEST(Affine, InverseUndoes) {
  TestContext context;
  for (int stream = 0; stream < 50; stream++) {
    const cw_affine a = random_affine(100 + stream);
    cw_affine inverse;
    ASSERT_EQ(cw_affine_invert(context, &a, &inverse), CW_OK);
    const cw_affine should_be_identity = cw_affine_compose(&inverse, &a), identity = cw_affine_identity();
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 4; c++)
        EXPECT_NEAR(should_be_identity.m[r][c], identity.m[r][c], 1e-9);
    cw_affine alias = a;
    ASSERT_EQ(cw_affine_invert(context, &alias, &alias), CW_OK);
    EXPECT_EQ(std::memcmp(&alias, &inverse, sizeof alias), 0);
  }
  cw_affine tiny = cw_affine_identity();  // voxels of a nanometre are not singular
  tiny.m[0][0] = tiny.m[1][1] = tiny.m[2][2] = 1e-6;
  EXPECT_EQ(cw_affine_invert(context, &tiny, &tiny), CW_OK);
  EXPECT_NEAR(tiny.m[0][0], 1e6, 1e-3);
}

TEST(Affine, SingularAndNotFiniteAreRefused) {
  TestContext context;
  cw_affine inverse, zero = {};
  EXPECT_EQ(cw_affine_invert(context, &zero, &inverse), CW_ERROR_NUMERIC);
  cw_affine flat = cw_affine_identity();
  flat.m[2][2] = 0, flat.m[1][2] = 1;  // two columns alike
  EXPECT_EQ(cw_affine_invert(context, &flat, &inverse), CW_ERROR_NUMERIC);
  EXPECT_NE(context.message().find("singular"), std::string::npos);
  for (double bad : {NotANumber, Infinity, -Infinity})
    for (int at = 0; at < 12; at++) {
      cw_affine affine = cw_affine_identity();
      affine.m[at / 4][at % 4] = bad;
      EXPECT_EQ(cw_affine_invert(context, &affine, &inverse), CW_ERROR_NUMERIC);
    }
}

TEST(Grid, CubeIsCentredAndRunsRightAnteriorSuperior) {
  const double center[3] = {10, -20, 30};
  const cw_grid grid = cw_grid_cube(32, 3, center);
  EXPECT_EQ(cw_grid_samples(&grid), 32768u);
  double spacing[3], middle[3];
  cw_grid_spacing(&grid, spacing);
  const double half[3] = {15.5, 15.5, 15.5}, first[3] = {0, 0, 0};
  cw_affine_apply(&grid.to_world, half, middle);
  for (int axis = 0; axis < 3; axis++) {
    EXPECT_DOUBLE_EQ(spacing[axis], 3);
    EXPECT_DOUBLE_EQ(middle[axis], center[axis]);
  }
  double corner[3];
  cw_affine_apply(&grid.to_world, first, corner);
  EXPECT_DOUBLE_EQ(corner[0], 10 + 46.5);  // the first sample lies left, posterior, inferior
  EXPECT_DOUBLE_EQ(corner[1], -20 + 46.5);
  EXPECT_DOUBLE_EQ(corner[2], 30 - 46.5);
}

TEST(Grid, SameWithinATolerance) {
  const cw_grid a = unit_grid(10, 20, 30);
  cw_grid b = a;
  EXPECT_TRUE(cw_grid_same(&a, &b, 0));
  b.to_world.m[1][3] = 0.01;
  EXPECT_FALSE(cw_grid_same(&a, &b, 0.009));
  EXPECT_TRUE(cw_grid_same(&a, &b, 0.011));
  b = a;
  b.to_world.m[2][2] = 1.001;  // 0.029 mm at the far corner
  EXPECT_FALSE(cw_grid_same(&a, &b, 0.028));
  EXPECT_TRUE(cw_grid_same(&a, &b, 0.03));
  b = a;
  b.size[0] = 11;
  EXPECT_FALSE(cw_grid_same(&a, &b, 1e9));
  b = a;
  b.to_world.m[0][3] = NotANumber;
  EXPECT_FALSE(cw_grid_same(&a, &b, 1e9));
}

TEST(Grid, ShearIsTheCosineBetweenAxes) {
  const double c = std::cos(0.3), s = std::sin(0.3);
  cw_grid grid = {{4, 5, 6}, {{{2 * c, -3 * s, 0, 7}, {2 * s, 3 * c, 0, -8}, {0, 0, -0.5, 9}}}};
  EXPECT_LT(cw_grid_shear(&grid), 1e-12);
  grid.to_world.m[0][2] = 0.5;  // 45 degrees between k and the plane
  EXPECT_NEAR(cw_grid_shear(&grid), c * std::sqrt(0.5), 1e-12);
  EXPECT_GT(cw_grid_shear(&grid), CW_SHEAR_ALLOWED);
}

TEST(Grid, CheckRefusesWhatCannotBeAGrid) {
  TestContext context;
  cw_grid grid = unit_grid(1, 1, 1);
  EXPECT_EQ(cw_grid_check(context, &grid), CW_OK);
  for (int axis = 0; axis < 3; axis++)
    for (int size : {0, -1, INT32_MIN}) {
      grid = unit_grid(4, 4, 4);
      grid.size[axis] = size;
      EXPECT_EQ(cw_grid_check(context, &grid), CW_ERROR_ARGUMENT);
    }
  grid = unit_grid(INT32_MAX, INT32_MAX, INT32_MAX);
  EXPECT_EQ(cw_grid_check(context, &grid), CW_ERROR_ARGUMENT);
  EXPECT_NE(context.message().find("overflow"), std::string::npos);
  grid = unit_grid(4, 4, 4);
  grid.to_world.m[1][2] = NotANumber;
  EXPECT_EQ(cw_grid_check(context, &grid), CW_ERROR_ARGUMENT);
  grid = unit_grid(4, 4, 4);
  grid.to_world.m[0][0] = 0;
  EXPECT_EQ(cw_grid_check(context, &grid), CW_ERROR_ARGUMENT);
}

TEST(Volume, CreatedWithZerosCopiedAndFreed) {
  TestContext context;
  cw_grid grid = unit_grid(3, 4, 5);
  cw_volume volume, copy;
  ASSERT_EQ(cw_volume_create(context, &grid, 3, &volume), CW_OK);
  for (int i = 0; i < 180; i++) {
    ASSERT_EQ(volume.data[i], 0);
    volume.data[i] = float(i);
  }
  ASSERT_EQ(cw_volume_copy(context, &volume, &copy), CW_OK);
  EXPECT_TRUE(cw_grid_same(&volume.grid, &copy.grid, 0));
  EXPECT_EQ(copy.components, 3);
  EXPECT_NE(copy.data, volume.data);
  EXPECT_EQ(std::memcmp(copy.data, volume.data, 180 * sizeof(float)), 0);
  cw_volume_free(context, &volume);
  EXPECT_EQ(volume.data, nullptr);
  cw_volume_free(context, &volume);  // cleared structs are accepted
  EXPECT_EQ(cw_volume_copy(context, &volume, &copy), CW_ERROR_ARGUMENT);
  cw_volume_free(context, &copy);
  EXPECT_EQ(context.leaked(), 0);
}

TEST(Volume, FailuresLeaveAClearedStruct) {
  TestContext context;
  cw_grid grid = unit_grid(3, 4, 5);
  cw_volume volume, copy;
  ASSERT_EQ(cw_volume_create(context, &grid, 1, &volume), CW_OK);
  context.reset(0);
  EXPECT_EQ(cw_volume_copy(context, &volume, &copy), CW_ERROR_MEMORY);
  EXPECT_EQ(copy.data, nullptr);
  context.reset(0);
  EXPECT_EQ(cw_volume_create(context, &grid, 1, &copy), CW_ERROR_MEMORY);
  EXPECT_EQ(copy.data, nullptr);
  context.reset();
  EXPECT_EQ(cw_volume_create(context, &grid, 0, &copy), CW_ERROR_ARGUMENT);
  EXPECT_EQ(copy.data, nullptr);
  grid.size[1] = 0;
  EXPECT_EQ(cw_volume_create(context, &grid, 1, &copy), CW_ERROR_ARGUMENT);
  grid = unit_grid(1 << 20, 1 << 20, 1 << 21);
  EXPECT_EQ(cw_volume_create(context, &grid, INT32_MAX, &copy), CW_ERROR_MEMORY);  // components overflow
  EXPECT_EQ(context.calls, 0);
  cw_volume_free(context, &volume);
}
