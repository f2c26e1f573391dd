// A head of a few thousand voxels, and a model with it as its template.
#pragma once

#include "itk_images.h"
#include "model_file.h"

namespace itk_test {

// Two balls within an ellipsoid, at p - shift (mm).
inline float small_head_at(const Point &p, double shift) {
  const auto ball = [&](double x, double y, double z, double rx, double ry, double rz) {
    const double a = (p[0] - shift - x) / rx, b = (p[1] + shift - y) / ry, c = (p[2] - shift - z) / rz;
    return 1 / (1 + std::exp(8 * (std::sqrt(a * a + b * b + c * c) - 1)));
  };
  return float(60 * ball(1, 2, -3, 20, 26, 18) + 30 * ball(8, 8, 0, 6, 5, 7) + 40 * ball(-6, -9, 2, 5, 8, 4));
}

// shift: how far it lies from where the model expects it.
inline Scalar::Pointer small_head(Kind kind, double shift) {
  auto scan = image<Scalar>(kind, 50, 80, 32);
  const double there[3] = {1, 2, -3};
  scan->SetOrigin(scan->GetOrigin() + (Point(there) - middle(scan.GetPointer())));
  each(scan.GetPointer(), [&](float &value, const Point &p, long) { value = small_head_at(p, shift); });
  return scan;
}

inline void small_head_file(const std::string &file) {
  results_test::FakeModel fake;
  const double center[3] = {1, 2, -3};
  fake.grid = cw_grid_cube(18, 3.5, center);
  const size_t n = fake.Samples();
  fake.V.assign(3 * n, 0);
  fake.M.assign(3 * n, 0);
  fake.w.assign(n, 0);
  std::vector<float> mean(n);
  results_test::ForEach(
      fake.grid, [&](size_t at, int, int, int, const double *p) { mean[at] = small_head_at(Point(p), 0) / 100; });
  write_model(fake, file, mean);
}

inline itk::CounterwarpModel::Pointer small_head_model() {
  const Folder folder;
  small_head_file(folder.name("model.onnx"));
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(folder.name("model.onnx"));
  return model;
}

}  // namespace itk_test
