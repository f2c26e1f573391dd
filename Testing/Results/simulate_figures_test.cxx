// The figures of a simulation, logits, curve, inverse and cycle error, against the same in double precision.
#include "simulate_fixture.h"

namespace results_test {
namespace {

TEST_F(Simulate, LogitsAndCurve) {
  fake.Shrink(fake.V, 0.08);
  fake.Wave(fake.M, 1.5, 2);  // the field for -1 is not the negative of that for +1
  for (size_t i = 0; i < fake.w.size(); i++)
    fake.w[i] = float(0.2 * std::sin(0.9 * double(i)) + 0.1);
  Build();
  MakeScanElsewhere();
  const cw_affine t = Transform();
  const std::vector<float> input = Input(scan, &t);
  std::vector<double> first;
  for (float direction : {1.0f, -1.0f}) {
    ASSERT_OK(Run(direction, 0.6f, &t));
    EXPECT_NEAR(s.logit_before, fake.Logit(input.data()), 1e-4);
    // The written image, through the whole preprocessing: its own percentile.
    EXPECT_NEAR(s.logit_after, fake.Logit(Input(s.image, &t).data()), 1e-4);
    EXPECT_GT(std::fabs(s.logit_after - s.logit_before), 1e-2);
    for (int i = 0; i < CW_CURVE_POINTS; i++) {
      const double strength = -1 + 0.125 * i;
      EXPECT_EQ(s.curve_strength[i], strength);
      const auto u = Displacement(input, strength < 0 ? -1.0f : 1.0f, float(std::fabs(strength)));
      EXPECT_NEAR(s.curve_logit[i], fake.Logit(Warped(input, u).data()), 2e-4) << strength;
    }
    EXPECT_EQ(s.curve_logit[8], s.logit_before);
    EXPECT_GT(std::fabs(s.curve_logit[16] - s.curve_logit[0]), 1e-2);
    const std::vector<double> curve(s.curve_logit, s.curve_logit + CW_CURVE_POINTS);
    if (direction < 0) {
      EXPECT_EQ(curve, first) << "the slider's axis does not depend on the request";
    }
    first = curve;
  }
}

TEST_F(Simulate, MonotoneInTheHalfOfTheDirection) {
  fake.Shrink(fake.V, 0.1);
  ForEach(fake.grid, [&](size_t at, int, int, int, const double p[3]) {  // what the middle blob loses
    const double d = std::hypot(std::hypot(p[0] - 1, p[1] - 2), p[2] + 3);
    fake.w[at] = d < 20 ? -0.05f : 0.0f;
  });
  const auto monotone = [&](float direction) {
    Build();
    MakeScan(fake.grid, nullptr);
    EXPECT_OK(Run(direction, 1));
    return s.monotone;
  };
  EXPECT_TRUE(monotone(1));
  EXPECT_GT(s.logit_after, s.logit_before);
  EXPECT_TRUE(monotone(-1));
  EXPECT_LT(s.logit_after, s.logit_before);
  for (float &w : fake.w)
    w = -w;
  EXPECT_FALSE(monotone(1));
  EXPECT_FALSE(monotone(-1));

  // mean(image) M shrinks whatever the direction: the logit rises on both halves, which is right for +1 alone.
  for (float &w : fake.w)
    w = -w;
  fake.V.assign(fake.V.size(), 0);
  fake.Shrink(fake.M, 0.3);
  EXPECT_TRUE(monotone(1));
  EXPECT_FALSE(monotone(-1));
}

// Inverse error, cycle error and magnitudes against the same in double, for both field models.
TEST_F(Simulate, InverseAndCycle) {
  fake.Wave(fake.V, 1.0, 0.4);
  MakeScan(fake.grid, nullptr);
  const size_t n = fake.Samples();
  const auto check = [&](float strength) {
    Build();
    ASSERT_OK(Run(1, strength));
    const std::vector<float> input = Input(scan), u = Displacement(input, 1, strength);
    const std::vector<float> inverse = Displacement(input, 1, -strength);
    double worst = 0, largest = 0, mean = 0;
    ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
      double p[3] = {double(i), double(j), double(k)}, v[3];
      bool inside = true;
      for (int axis = 0; axis < 3; axis++)
        v[axis] = u[axis * n + at];
      largest = std::max(largest, Millimetres(v));
      mean += Millimetres(v) / double(n);
      for (int axis = 0; axis < 3; axis++) {
        p[axis] += inverse[axis * n + at];
        inside = inside && p[axis] >= 0 && p[axis] <= fake.grid.size[axis] - 1;
      }
      for (int axis = 0; axis < 3; axis++)
        v[axis] = Sample(u.data() + axis * n, fake.grid.size, p, true) + inverse[axis * n + at];
      if (inside)
        worst = std::max(worst, Millimetres(v));
    });
    EXPECT_NEAR(s.inverse_error, worst, 1e-3);
    EXPECT_NEAR(s.largest, largest, 1e-4);
    EXPECT_NEAR(s.mean, mean, 1e-4);
    EXPECT_GT(s.largest, 2);

    const std::vector<float> warped = Warped(input, u), cycled = Warped(warped, Displacement(warped, -1, strength));
    double difference = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
      difference += std::pow(double(cycled[i]) - input[i], 2);
      power += double(input[i]) * input[i];
    }
    EXPECT_NEAR(s.cycle_error, std::sqrt(difference / power), 1e-4);
  };
  check(1);
  const cw_simulation velocity = s;  // the figures alone are used
  EXPECT_LT(velocity.inverse_error, 0.12 * 3.5) << "an eighth of a voxel: what trilinear sampling of this field leaves";
  EXPECT_LT(velocity.cycle_error, 0.05) << "here S(x', -1) is the inverse, interpolation remains";

  // A displacement model: -u is no inverse, and the error says how far it is off.
  fake.field = CW_FIELD_DISPLACEMENT;
  check(1);
  EXPECT_GT(s.inverse_error, 2 * velocity.inverse_error);
  fake.Wave(fake.M, 0.9, 2.2);  // now S(x', -1) is far from the way back
  check(0.8f);
  EXPECT_GT(s.cycle_error, 1.5 * velocity.cycle_error);
}

// Where phi^-1 leaves the box nothing is known about phi, so that such voxels do not count.
TEST_F(Simulate, InverseErrorInsideTheBoxOnly) {
  fake.field = CW_FIELD_DISPLACEMENT;
  ForEach(fake.grid, [&](size_t at, int i, int, int, const double *) { fake.V[at] = i == 1 ? 3.0f : 0.0f; });
  MakeScan(fake.grid, nullptr);
  Build();
  ASSERT_OK(Run(1, 1));
  EXPECT_EQ(s.inverse_error, 0);  // i = 1 comes from i = -2, all others stay
  ASSERT_OK(Run(-1, 1));          // i = 1 comes from i = 4, where u is 0
  EXPECT_NEAR(s.inverse_error, 3 * 3.2, 1e-4);
}

// Strain and composition against the same in double; strengths of a velocity add up, those of a displacement do not.
TEST_F(Simulate, StrainAndComposition) {
  fake.Wave(fake.V, 1.0, 0.4);
  MakeScan(fake.grid, nullptr);
  const size_t n = fake.Samples();
  double error[2];
  for (const bool velocity : {true, false}) {
    fake.field = velocity ? CW_FIELD_VELOCITY : CW_FIELD_DISPLACEMENT;
    Build();
    ASSERT_OK(Run(1, 0.8f));
    const std::vector<float> input = Input(scan), u = Displacement(input, 1, 0.8f);
    const std::vector<float> a = Displacement(input, 1, 0.32f), b = Displacement(input, 1, 0.48f);
    double worst = 0, squares = 0;
    ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
      const int index[3] = {i, j, k};
      const size_t step[3] = {1, size_t(fake.grid.size[0]), size_t(fake.grid.size[0]) * fake.grid.size[1]};
      double p[3] = {double(i), double(j), double(k)}, v[3];
      for (int axis = 0; axis < 3; axis++)
        p[axis] += b[axis * n + at];
      for (int axis = 0; axis < 3; axis++) {
        v[axis] = Sample(a.data() + axis * n, fake.grid.size, p, true) + b[axis * n + at] - u[axis * n + at];
        for (int c = 0; c < 3; c++)
          if (index[axis] + 1 < fake.grid.size[axis])
            squares += std::pow(double(u[c * n + at + step[axis]]) - u[c * n + at], 2);
      }
      worst = std::max(worst, Millimetres(v));
    });
    EXPECT_NEAR(s.composition_error, worst, 1e-3);
    EXPECT_NEAR(s.strain, std::sqrt(squares / double(n)), 1e-5);
    EXPECT_GT(s.strain, 0.1);
    error[velocity] = s.composition_error;
  }
  EXPECT_LT(error[1], 0.1) << "mm: interpolation alone";
  EXPECT_GT(error[0], 3 * error[1]);
}

TEST_F(Simulate, AgreementOfTheDirections) {
  MakeScan(fake.grid, nullptr);
  fake.Shrink(fake.V, 0.08);  // S(x, -1) = -S(x, +1): what one takes away the other one adds
  Build();
  ASSERT_OK(Run(1, 1));
  EXPECT_GT(s.agreement, 0.95);
  const double same = s.agreement;
  ASSERT_OK(Run(-1, 1));
  EXPECT_NEAR(s.agreement, same, 1e-6);
  fake.M = fake.V;
  fake.V.assign(fake.V.size(), 0);
  for (float &m : fake.M)
    m *= 5;  // both directions shrink the middle
  Build();
  ASSERT_OK(Run(1, 1));
  EXPECT_LT(s.agreement, -0.95);
  fake.M.assign(fake.M.size(), 0);
  Build();
  ASSERT_OK(Run(1, 1));
  EXPECT_EQ(s.agreement, 0) << "nothing moves";
}

}  // namespace
}  // namespace results_test
