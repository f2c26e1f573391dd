// cw_simulate on a simulator whose field is known, against independent resampling in double precision; grids are
// oblique and anisotropic, and the scan lies elsewhere in space than the model.
#include <cstring>

#include "simulate_fixture.h"

namespace results_test {
namespace {

TEST_F(Simulate, NoFieldChangesNothing) {
  fake.w.assign(fake.Samples(), 1e-3f);
  Build();
  MakeScanElsewhere();
  const cw_affine t = Transform();
  for (const cw_affine *transform : {static_cast<const cw_affine *>(nullptr), &t}) {
    ASSERT_OK(Run(1, 1, transform));
    ASSERT_TRUE(cw_grid_same(&s.image.grid, &scan.grid, 0));
    for (size_t i = 0; i < cw_grid_samples(&scan.grid); i++) {
      ASSERT_EQ(s.image.data[i], scan.data[i]);
      ASSERT_EQ(s.jacobian.data[i], 1);
      ASSERT_EQ(s.log_jacobian.data[i], 0);
    }
    EXPECT_EQ(s.folded, 0u);
    EXPECT_EQ(s.largest, 0);
    EXPECT_EQ(s.mean, 0);
    EXPECT_EQ(s.inverse_error, 0);
    EXPECT_EQ(s.cycle_error, 0);
    // Rows of a batch may differ in their last bits.
    EXPECT_NEAR(s.logit_after, s.logit_before, 1e-6 * std::fabs(s.logit_before));
    EXPECT_FALSE(s.monotone) << "a logit that stays has not moved";
    for (double logit : s.curve_logit)
      EXPECT_NEAR(logit, s.logit_before, 1e-6 * std::fabs(s.logit_before));
  }
}

// Field, image and J on the scan's own grid.
TEST_F(Simulate, FullResolutionAgainstIndependentResampling) {
  fake.field = CW_FIELD_DISPLACEMENT;
  fake.Wave(fake.V, 1.2, 0.3);
  Build();
  MakeScanElsewhere();
  const cw_affine t = Transform();
  cw_affine from_scan, to_model_index, to_scan_index;
  ASSERT_OK(cw_affine_invert(context, &t, &from_scan));
  ASSERT_OK(cw_affine_invert(context, &fake.grid.to_world, &to_model_index));
  ASSERT_OK(cw_affine_invert(context, &scan.grid.to_world, &to_scan_index));
  const auto linear = [](cw_affine a) {
    for (auto &row : a.m)
      row[3] = 0;
    return a;
  };
  const cw_affine vectors = linear(fake.grid.to_world), turn = linear(t);
  for (float direction : {1.0f, -1.0f}) {
    const float strength = 0.8f;
    ASSERT_OK(Run(direction, strength, &t));
    ASSERT_TRUE(cw_grid_same(&s.field.grid, &scan.grid, 0));
    ASSERT_EQ(s.field.components, 3);
    const size_t n = cw_grid_samples(&scan.grid), m = fake.Samples();
    double largest = 0;
    ForEach(scan.grid, [&](size_t at, int, int, int, const double world[3]) {
      double p[3], q[3], u[3];
      cw_affine_apply(&from_scan, world, p);
      cw_affine_apply(&to_model_index, p, q);
      for (int axis = 0; axis < 3; axis++)
        u[axis] = double(direction) * strength * Sample(fake.V.data() + axis * m, fake.grid.size, q);
      cw_affine_apply(&vectors, u, u);
      cw_affine_apply(&turn, u, u);
      for (int axis = 0; axis < 3; axis++) {
        ASSERT_NEAR(s.field.data[axis * n + at], u[axis], 2e-5) << at;
        p[axis] = world[axis] + u[axis];
        largest = std::max(largest, std::fabs(u[axis]));
      }
      cw_affine_apply(&to_scan_index, p, q);
      ASSERT_NEAR(s.image.data[at], Sample(scan.data, scan.grid.size, q), 2e-3) << at;
    });
    EXPECT_GT(largest, 1) << "mm; the case moves something";

    // det of the edges of the mapped voxel, interior.
    const auto point = [&](int i, int j, int k, double out[3]) {
      const double index[3] = {double(i), double(j), double(k)};
      cw_affine_apply(&scan.grid.to_world, index, out);
      for (int axis = 0; axis < 3; axis++)
        out[axis] += s.field.data[axis * n + (size_t(k) * scan.grid.size[1] + j) * scan.grid.size[0] + i];
    };
    size_t folded = 0;
    float most = 1;
    ForEach(scan.grid, [&](size_t at, int i, int j, int k, const double *) {
      folded += s.jacobian.data[at] <= 0;
      most = std::max(most, s.jacobian.data[at]);
      ASSERT_NEAR(s.log_jacobian.data[at], std::log(std::max(s.jacobian.data[at], 1e-3f)), 2e-5);
      const int *size = scan.grid.size;
      if (!i || !j || !k || i == size[0] - 1 || j == size[1] - 1 || k == size[2] - 1)
        return;
      double a[3], b[3];
      cw_affine edges = cw_affine_identity();
      for (int axis = 0; axis < 3; axis++) {
        point(i + (axis == 0), j + (axis == 1), k + (axis == 2), a);
        point(i - (axis == 0), j - (axis == 1), k - (axis == 2), b);
        for (int r = 0; r < 3; r++)
          edges.m[r][axis] = 0.5 * (a[r] - b[r]);
      }
      ASSERT_NEAR(s.jacobian.data[at], cw_affine_determinant(&edges) / cw_affine_determinant(&scan.grid.to_world),
                  1e-4);
    });
    EXPECT_EQ(s.folded, folded);
    EXPECT_GT(most, 1.1f);
  }
}

// The velocity's exponential against a numerical solution of dx/dt = v(x), on a scan with the model's own grid.
TEST_F(Simulate, VelocityFollowsItsFlow) {
  fake.Wave(fake.V, 1.0, 1.1);
  Build();
  MakeScan(fake.grid, nullptr);
  ASSERT_OK(Run(-1, 0.7f));
  const size_t n = fake.Samples();
  double worst = 0, moved = 0;
  ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
    double p[3] = {double(i), double(j), double(k)}, u[3], d[3];
    const int steps = 200;
    for (int step = 0; step < steps; step++) {
      for (int axis = 0; axis < 3; axis++)
        d[axis] = -0.7 / steps * Sample(fake.V.data() + axis * n, fake.grid.size, p, true);
      for (int axis = 0; axis < 3; axis++)
        p[axis] += d[axis];
    }
    const double start[3] = {double(i), double(j), double(k)};
    for (int axis = 0; axis < 3; axis++)
      u[axis] = p[axis] - start[axis];
    moved = std::max(moved, Millimetres(u));
    for (int r = 0; r < 3; r++) {
      const double *row = fake.grid.to_world.m[r];
      worst = std::max(worst, std::fabs(s.field.data[r * n + at] - (row[0] * u[0] + row[1] * u[1] + row[2] * u[2])));
    }
  });
  EXPECT_LT(worst, 0.05) << "mm";
  EXPECT_GT(moved, 1.5) << "mm";
  EXPECT_NEAR(s.largest, moved, 0.05);
  EXPECT_EQ(s.folded, 0u);
}

TEST_F(Simulate, SignOfJ) {
  fake.Shrink(fake.V, 0.15);
  Build();
  MakeScanElsewhere();
  const cw_affine t = Transform();
  for (float direction : {1.0f, -1.0f}) {  // the blob in the middle shrinks, then grows
    ASSERT_OK(Run(direction, 1, &t));
    const size_t n = cw_grid_samples(&scan.grid);
    double before = 0, after = 0;
    for (size_t i = 0; i < n; i++)
      before += scan.data[i] > 50, after += s.image.data[i] > 50;
    const size_t middle = ((size_t(12) * 37) + 18) * 36 + 18;
    EXPECT_EQ(after<0.9 * before, direction> 0);
    EXPECT_EQ(after > 1.1 * before, direction < 0);
    EXPECT_EQ(s.jacobian.data[middle] > 1.1, direction > 0) << "the pull-back's J is above 1 where tissue shrank";
    EXPECT_EQ(s.log_jacobian.data[middle] > 0.1, direction > 0);
    EXPECT_EQ(s.log_jacobian.data[middle] < -0.1, direction < 0);
    EXPECT_EQ(s.folded, 0u);
  }
}

TEST_F(Simulate, NegativeStrengthIsTheInverse) {
  fake.Wave(fake.V, 0.8, 0.4);
  MakeScan(fake.grid, nullptr);
  Build();
  ASSERT_OK(Run(1, -1));
  const std::vector<float> minus(s.field.data, s.field.data + 3 * fake.Samples());
  ASSERT_OK(Run(-1, 1));  // M is 0: v(x, -1) = -v(x, +1)
  for (size_t i = 0; i < minus.size(); i++)
    ASSERT_NEAR(minus[i], s.field.data[i], 1e-5);
}

TEST_F(Simulate, SameBitsOnAnyThreads) {
  fake.Wave(fake.V, 0.8, 0.4);
  fake.w.assign(fake.Samples(), 0.01f);
  Build();
  MakeScanElsewhere();
  const cw_affine t = Transform();
  ASSERT_OK(Run(1, 1, &t));
  cw_context *const more = Create(3);
  cw_simulation other;
  ASSERT_OK(cw_simulate(more, &model, &scan, &t, 1, 1, &other));
  const size_t n = cw_grid_samples(&scan.grid);
  EXPECT_EQ(memcmp(s.image.data, other.image.data, n * sizeof(float)), 0);
  EXPECT_EQ(memcmp(s.field.data, other.field.data, 3 * n * sizeof(float)), 0);
  EXPECT_EQ(memcmp(s.jacobian.data, other.jacobian.data, n * sizeof(float)), 0);
  EXPECT_EQ(memcmp(s.curve_logit, other.curve_logit, sizeof s.curve_logit), 0);
  EXPECT_EQ(s.logit_after, other.logit_after);
  EXPECT_EQ(s.inverse_error, other.inverse_error);
  EXPECT_EQ(s.cycle_error, other.cycle_error);
  EXPECT_EQ(s.mean, other.mean);
  cw_simulation_free(more, &other);
  cw_context_free(more);
}

TEST_F(Simulate, RefusesBadInput) {
  Build();
  MakeScan(fake.grid, nullptr);
  EXPECT_EQ(Run(0, 1), CW_ERROR_ARGUMENT);
  EXPECT_EQ(Run(kNan, 1), CW_ERROR_ARGUMENT);
  EXPECT_EQ(Run(1, kNan), CW_ERROR_ARGUMENT);
  EXPECT_EQ(Run(1, kInf), CW_ERROR_ARGUMENT);
  scan.data[17] = kNan;
  EXPECT_EQ(Run(1, 1), CW_ERROR_NUMERIC);
  scan.data[17] = 1;
  cw_affine t = cw_affine_identity();
  t.m[0][0] = 0;
  EXPECT_NE(Run(1, 1, &t), CW_OK);
  t.m[0][0] = 1;
  t.m[0][3] = 500;
  EXPECT_EQ(Run(1, 1, &t), CW_ERROR_ARGUMENT) << "the scan is off the model's grid";
  EXPECT_EQ(s.image.data, nullptr);
  cw_volume empty = {};
  std::swap(empty, scan);
  EXPECT_EQ(Run(1, 1), CW_ERROR_ARGUMENT);
  ASSERT_OK(cw_volume_create(context, &fake.grid, 3, &scan));
  EXPECT_EQ(Run(1, 1), CW_ERROR_SHAPE);
  cw_volume_free(context, &scan);
  std::swap(empty, scan);
  fake.V[99] = kNan;
  Build();
  EXPECT_EQ(Run(1, 1), CW_ERROR_NUMERIC);
  fake.V[99] = 0;
  Build();
  model.kind = CW_MODEL_CLASSIFIER;
  EXPECT_EQ(Run(1, 1), CW_ERROR_ARGUMENT);
}

TEST_F(Simulate, EveryAllocationMayFail) {
  fake.Wave(fake.V, 0.8, 0.4);
  Build();
  const double center[3] = {1, 2, -3};
  MakeScan(ObliqueGrid(12, 11, 10, 4.5, 4.1, 4.6, 0.2, center), nullptr);
  const cw_affine t = cw_affine_identity();
  const int before = live;
  cw_status status = CW_ERROR_MEMORY;
  int failed = 0;
  for (; failed < 3000 && status == CW_ERROR_MEMORY; failed++) {
    allocations_left = failed;
    status = Run(1, 1, &t);
    if (status == CW_ERROR_MEMORY) {
      ASSERT_EQ(live, before) << "allocation " << failed;
    }
  }
  allocations_left = -1;
  EXPECT_EQ(status, CW_OK) << Message();
  EXPECT_GT(failed, 10);
  RecordProperty("allocations", failed);
}

TEST_F(Simulate, CancelledAtAnyTime) {
  Build();
  MakeScan(fake.grid, nullptr);
  const int before = live;
  cw_status status = CW_ERROR_CANCELLED;
  int calls = 0;
  for (; calls < 1000 && status == CW_ERROR_CANCELLED; calls++) {
    progress_left = calls;
    status = Run(1, 1);
    if (status == CW_ERROR_CANCELLED) {
      ASSERT_EQ(live, before);
    }
  }
  progress_left = -1;
  EXPECT_EQ(status, CW_OK) << Message();
  EXPECT_GT(calls, 5);
}

}  // namespace
}  // namespace results_test
