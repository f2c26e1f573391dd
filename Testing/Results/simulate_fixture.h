// A scan of a known intensity, anywhere in space, through a fake simulator.
#pragma once

#include "fake_model.h"

namespace results_test {

// Rotation about z, a scale per axis and a shift: model -> scan.
inline cw_affine Transform() {
  const double c = std::cos(0.2), s = std::sin(0.2);
  return {{{1.05 * c, -s, 0, 6}, {1.05 * s, c, 0.03, -9}, {0, 0, 0.95, 4}}};
}

// A bright blob in the middle of the model, a second one beside it, and a smooth background, in the model's space.
inline double Intensity(const double p[3]) {
  const auto blob = [&](double x, double y, double z, double r) {
    const double d = (p[0] - x) * (p[0] - x) + (p[1] - y) * (p[1] - y) + (p[2] - z) * (p[2] - z);
    return std::exp(-d / (2 * r * r));
  };
  return 80 * blob(1, 2, -3, 7) + 50 * blob(-12, 8, 3, 6) + 10 + 2 * std::sin(0.1 * p[0] + 0.07 * p[1] - 0.05 * p[2]);
}

class Simulate : public ContextTest {
 protected:
  void TearDown() override {
    Free();
    cw_volume_free(context, &scan);
    ContextTest::TearDown();
  }
  void Free() {
    cw_simulation_free(context, &s);
    cw_model_free(context, &model);
  }
  // The scan on a grid; with a transform, what lies at p in the model's space lies at T p in the scan.
  void MakeScan(const cw_grid &grid, const cw_affine *transform) {
    cw_volume_free(context, &scan);
    cw_affine back = cw_affine_identity();
    if (transform) {
      ASSERT_OK(cw_affine_invert(context, transform, &back));
    }
    ASSERT_OK(cw_volume_create(context, &grid, 1, &scan));
    ForEach(grid, [&](size_t at, int, int, int, const double world[3]) {
      double p[3];
      cw_affine_apply(&back, world, p);
      scan.data[at] = float(Intensity(p));
    });
  }
  // Its own grid over the whole of the model, seen through T.
  void MakeScanElsewhere() {
    const cw_affine t = Transform();
    const double middle[3] = {1, 2, -3};
    double there[3];
    cw_affine_apply(&t, middle, there);
    MakeScan(ObliqueGrid(36, 37, 24, 2.2, 1.9, 2.9, 0.5, there), &t);
  }
  cw_status Run(float direction, float strength, const cw_affine *transform = nullptr) {
    cw_simulation_free(context, &s);
    return cw_simulate(context, &model, &scan, transform, direction, strength, &s);
  }
  void Build() {
    cw_model_free(context, &model);
    ASSERT_OK(fake.Build(context, &model));
  }
  std::vector<float> Input(const cw_volume &volume, const cw_affine *transform = nullptr) {
    std::vector<float> input(fake.Samples());
    EXPECT_OK(cw_preprocess(context, &model.preprocessing, &volume, transform, input.data()));
    return input;
  }
  // The displacement that the model must have: strength * (direction V + mean M), or its exponential.
  std::vector<float> Displacement(const std::vector<float> &input, float direction, float strength) {
    double mean = 0;
    for (float v : input)
      mean += v / double(input.size());
    std::vector<float> field(fake.V.size()), u(fake.V.size());
    for (size_t i = 0; i < field.size(); i++)
      field[i] = float(direction * fake.V[i] + mean * fake.M[i]);
    EXPECT_OK(cw_model_displacement(context, &model, field.data(), strength, u.data()));
    return u;
  }
  // in(p + u(p)) on the model's grid.
  std::vector<float> Warped(const std::vector<float> &in, const std::vector<float> &u) {
    const size_t n = in.size();
    std::vector<float> out(n);
    ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
      const double p[3] = {i + double(u[at]), j + double(u[n + at]), k + double(u[2 * n + at])};
      out[at] = float(Sample(in.data(), fake.grid.size, p));
    });
    return out;
  }
  double Millimetres(const double u[3]) const {
    double square = 0;
    for (const auto &row : fake.grid.to_world.m)
      square += std::pow(row[0] * u[0] + row[1] * u[1] + row[2] * u[2], 2);
    return std::sqrt(square);
  }

  FakeModel fake;
  cw_model model = {};
  cw_volume scan = {};
  cw_simulation s = {};
};

}  // namespace results_test
