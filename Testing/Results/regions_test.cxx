// Volume change of regions: analytic warps on an oblique, anisotropic grid.
#include "counterwarp/warp.h"
#include "results_fixture.h"

namespace results_test {
namespace {

constexpr double kCenter[3] = {3, -7, 11};

class Regions : public ContextTest {
 protected:
  Regions() : grid(ObliqueGrid(44, 40, 36, 1.0, 1.1, 1.25, 0.4, kCenter)) {}
  ~Regions() override { cw_release(context, regions); }
  void TearDown() override {
    Free();
    ContextTest::TearDown();
  }

  void Free() {
    cw_release(context, regions);
    regions = nullptr;
    for (cw_volume *v : {&labels, &field, &jacobian})
      cw_volume_free(context, v);
  }

  // The pull-back x -> center + d g(|d|) / |d| with d = x - center, and the labels by distance.
  template <class Radius, class Label>
  void Radial(Radius g, Label label) {
    Free();
    ASSERT_OK(cw_volume_create(context, &grid, 1, &labels));
    ASSERT_OK(cw_volume_create(context, &grid, 3, &field));
    const size_t n = cw_grid_samples(&grid);
    ForEach(grid, [&](size_t at, int, int, int, const double world[3]) {
      double d[3], r = 0;
      for (int axis = 0; axis < 3; axis++)
        d[axis] = world[axis] - kCenter[axis], r += d[axis] * d[axis];
      r = std::sqrt(r);
      labels.data[at] = float(label(r));
      for (int axis = 0; axis < 3; axis++)
        field.data[axis * n + at] = float(r > 0 ? d[axis] * (g(r) / r - 1) : 0);
    });
    ASSERT_OK(cw_volume_jacobian(context, &field, false, &jacobian, nullptr));
  }

  cw_status Changes(size_t least = 1) {
    cw_release(context, regions);
    return cw_region_changes(context, &labels, &field, &jacobian, least, &regions, &count);
  }

  cw_grid grid;
  cw_volume labels = {}, field = {}, jacobian = {};
  cw_region *regions = nullptr;
  int count = -1;
};

// out(x) = in(center + (x - center) / s) shows a ball s times as large, and J = 1 / s^3 everywhere.
TEST_F(Regions, UniformShrinkAndGrowth) {
  for (double s : {0.9, 0.75, 1.2}) {
    Radial([&](double r) { return r / s; }, [](double r) { return r < 12 ? 7 : 0; });
    ASSERT_OK(Changes());
    ASSERT_EQ(count, 1);
    EXPECT_EQ(regions[0].label, 7);
    EXPECT_NEAR(regions[0].change, s * s * s - 1, 1e-4);
    EXPECT_EQ(regions[0].change < 0, s < 1) << "negative where tissue shrank";
    EXPECT_EQ(jacobian.data[cw_grid_samples(&grid) / 2] > 1, s < 1) << "the pull-back's J is above 1 there";
    EXPECT_NEAR(double(regions[0].voxels_after) / double(regions[0].voxels_before), s * s * s, 0.03);
    const double voxel = std::fabs(cw_affine_determinant(&grid.to_world));
    EXPECT_NEAR(double(regions[0].voxels_before) * voxel / (4.0 / 3 * M_PI * 12 * 12 * 12), 1, 0.02);
  }
}

// A ball shrinks, less and less towards a shell around it, which grows by the same volume.  J varies over both, so that
// a mean over voxels would be wrong; the analytic volumes follow from the radius that is mapped to the ball's.
TEST_F(Regions, ShellTakesWhatTheBallGivesUp) {
  const double ball = 10, shell = 16;
  const auto g = [](double r) {
    const double w = r < 6 ? 1 : r < 16 ? 0.5 + 0.5 * std::cos(M_PI * (r - 6) / 10) : 0;
    return r * (1 + 0.3 * w);
  };
  Radial(g, [&](double r) { return r < ball ? 1 : r < shell ? 2 : 3; });
  double low = 0, high = ball;
  for (int i = 0; i < 60; i++)
    (g(0.5 * (low + high)) < ball ? low : high) = 0.5 * (low + high);
  ASSERT_OK(Changes());
  ASSERT_EQ(count, 3);
  const auto cube = [](double r) { return r * r * r; };
  const double shrink = cube(low) / cube(ball) - 1;
  EXPECT_LT(shrink, -0.3);
  const double growth = (cube(shell) - cube(low)) / (cube(shell) - cube(ball)) - 1;
  EXPECT_NEAR(regions[0].change, shrink, 0.012);
  EXPECT_NEAR(regions[1].change, growth, 0.012);
  EXPECT_NEAR(regions[2].change, 0, 0.002);

  cw_volume warped = {};
  ASSERT_OK(cw_volume_warp_labels(context, &labels, &field, &warped));
  double sum = 0, n = 0;
  for (size_t i = 0; i < cw_grid_samples(&grid); i++)
    if (warped.data[i] == 2)
      sum += 1 / jacobian.data[i] - 1, n++;
  cw_volume_free(context, &warped);
  EXPECT_GT(std::fabs(sum / n - growth), 0.03) << "the case tells a mean over voxels from a change of volume";
}

TEST_F(Regions, IdentityChangesNothing) {
  Radial([](double r) { return r; }, [](double r) { return r < 9 ? 4 : 0; });
  ASSERT_OK(Changes());
  ASSERT_EQ(count, 1);
  EXPECT_EQ(regions[0].voxels_before, regions[0].voxels_after);
  EXPECT_NEAR(regions[0].change, 0, 1e-6);
}

TEST_F(Regions, SortedAndOfEnoughVoxels) {
  Radial([](double r) { return r; }, [](double) { return 0; });
  // 3000 labels of two voxels each in falling order, one of one voxel, one below zero, one of the largest.
  for (int i = 0; i < 6000; i++)
    labels.data[i] = float(5000 - i / 2);
  labels.data[7000] = 9000;
  labels.data[7001] = labels.data[7002] = -3;
  labels.data[7003] = labels.data[7005] = 16777216;
  ASSERT_OK(Changes(2));
  ASSERT_EQ(count, 3002);
  EXPECT_EQ(regions[0].label, -3);
  EXPECT_EQ(regions[count - 1].label, 16777216);
  for (int i = 1; i <= 3000; i++) {
    ASSERT_EQ(regions[i].label, 2000 + i);
    ASSERT_EQ(regions[i].voxels_before, 2u);
    ASSERT_EQ(regions[i].voxels_after, 2u);
  }
  ASSERT_OK(Changes(3));
  EXPECT_EQ(count, 0);
}

TEST_F(Regions, VanishedAndFolded) {
  Radial([](double r) { return r; }, [](double r) { return r < 5 ? 2 : 0; });
  const size_t n = cw_grid_samples(&grid);
  for (size_t i = 0; i < n; i++)
    field.data[i] = 1000;  // everything is sampled outside
  ASSERT_OK(Changes());
  ASSERT_EQ(count, 1);
  EXPECT_EQ(regions[0].voxels_after, 0u);
  EXPECT_EQ(regions[0].change, -1);

  Radial([](double r) { return r; }, [](double r) { return r < 5 ? 2 : 8; });
  for (size_t i = 0; i < n; i++)
    if (labels.data[i] == 2)
      jacobian.data[i] = -0.5f;
  ASSERT_OK(Changes());
  ASSERT_EQ(count, 1);
  EXPECT_EQ(regions[0].label, 8);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("label 2 "), std::string::npos) << warnings[0];
}

TEST_F(Regions, RefusesBadInput) {
  Radial([](double r) { return r; }, [](double r) { return r < 5 ? 2 : 0; });
  float &voxel = labels.data[100], &j = jacobian.data[cw_grid_samples(&grid) / 2 + 22 + 44 * 20];
  for (float bad : {1.5f, 3e7f, -0.25f}) {
    voxel = bad;
    EXPECT_EQ(Changes(), CW_ERROR_ARGUMENT) << bad;
  }
  for (float bad : {kNan, kInf}) {
    voxel = bad;
    EXPECT_EQ(Changes(), CW_ERROR_NUMERIC) << bad;
    EXPECT_EQ(count, 0);
    EXPECT_EQ(regions, nullptr);
  }
  voxel = 0;
  j = kNan;
  EXPECT_EQ(Changes(), CW_ERROR_NUMERIC);
  j = 1;
  labels.grid.to_world.m[0][3] += 2;
  EXPECT_EQ(Changes(), CW_ERROR_SHAPE);
  labels.grid.to_world.m[0][3] -= 2;
  std::swap(jacobian.components, field.components);
  EXPECT_EQ(Changes(), CW_ERROR_SHAPE);
  std::swap(jacobian.components, field.components);
  cw_volume empty = {};
  std::swap(empty, labels);
  EXPECT_EQ(Changes(), CW_ERROR_ARGUMENT);
  std::swap(empty, labels);
  EXPECT_OK(Changes());
}

TEST_F(Regions, EveryAllocationMayFail) {
  Radial([](double r) { return r; }, [](double r) { return r < 5 ? 2 : 0; });
  for (int i = 0; i < 2000; i++)
    labels.data[i] = float(i + 10);  // makes the table of labels grow
  cw_status status = CW_ERROR_MEMORY;
  int failed = 0;
  for (; failed < 100 && status == CW_ERROR_MEMORY; failed++) {
    const int before = live - (regions != nullptr);
    allocations_left = failed;
    status = Changes();
    if (status == CW_ERROR_MEMORY) {
      EXPECT_EQ(live, before);
    }
  }
  allocations_left = -1;
  EXPECT_EQ(status, CW_OK);
  EXPECT_GE(failed, 5);
}

}  // namespace
}  // namespace results_test
