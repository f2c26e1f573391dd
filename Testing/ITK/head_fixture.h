// A real head with its skull, moved about by its header, and a simulator that knows where its brain was.
#pragma once

#include <itkImageFileReader.h>
#include <itkImageFileWriter.h>
#include <itkMetaImageIOFactory.h>
#include <itkNiftiImageIOFactory.h>

#include "itk_images.h"
#include "model_file.h"

namespace itk_test {

class Head : public testing::Test {
 protected:
  static constexpr const char *kHead = "/usr/share/mricron/templates/ch2.nii.gz";
  static constexpr const char *kBrain = "/usr/share/mricron/templates/ch2bet.nii.gz";

  void SetUp() override {
    if (!std::filesystem::exists(kHead) || !std::filesystem::exists(kBrain))
      GTEST_SKIP() << "Debian's mricron-data is not installed";
    itk::NiftiImageIOFactory::RegisterOneFactory();
    brain = Read<Scalar>(kBrain);
    MakeModel();
  }

  template <class TImage>
  static typename TImage::Pointer Read(const std::string &file) {
    auto reader = itk::ImageFileReader<TImage>::New();
    reader->SetFileName(file);
    reader->Update();
    return reader->GetOutput();
  }

  // Voxels of 4 mm around the head, template: the brain; the field swells and shrinks what lies at either side.
  void MakeModel() {
    const double center[3] = {0, 16, 12};
    fake.grid = cw_grid_cube(48, 4, center);
    const size_t n = fake.Samples();
    fake.V.assign(3 * n, 0);
    fake.M.assign(3 * n, 0);
    fake.w.assign(n, 0);
    fake.Wave(fake.V, 1.2, 0.3);
    for (size_t i = 0; i < n; i++)
      fake.w[i] = 1e-4f * float(i % 48);
    cw_context *context = nullptr;
    ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
    std::vector<float> mean(n);
    const cw_volume scan{itk::CounterwarpSamples::Grid(brain, brain->GetLargestPossibleRegion()), 1,
                         brain->GetBufferPointer()};
    const cw_preprocessing preprocessing{fake.grid, CW_NORMALIZE_PERCENTILE, 99.5, 0};
    EXPECT_EQ(cw_preprocess(context, &preprocessing, &scan, nullptr, mean.data()), CW_OK);
    cw_context_free(context);
    write_model(fake, folder.name("model.onnx"), mean);
  }

  // T: rotation about the axes and a scale, then a shift; maps points of the model's space to the moved scan's.
  static cw_affine Motion(double x, double y, double z, double scale, double shift) {
    const double s[3] = {std::sin(x), std::sin(y), std::sin(z)}, c[3] = {std::cos(x), std::cos(y), std::cos(z)};
    return {{{scale * c[1] * c[2], -scale * c[1] * s[2], scale * s[1], shift},
             {scale * (c[0] * s[2] + s[0] * s[1] * c[2]), scale * (c[0] * c[2] - s[0] * s[1] * s[2]),
              -scale * s[0] * c[1], -1.5 * shift},
             {scale * (s[0] * s[2] - c[0] * s[1] * c[2]), scale * (s[0] * c[2] + c[0] * s[1] * s[2]),
              scale * c[0] * c[1], 0.7 * shift}}};
  }
  template <class TImage>
  static void Move(TImage *image, const cw_affine &motion) {
    cw_grid grid = itk::CounterwarpSamples::Grid(image, image->GetLargestPossibleRegion());
    grid.to_world = cw_affine_compose(&motion, &grid.to_world);
    itk::CounterwarpSamples::SetGrid(image, grid);
  }

  // Mean distance in mm, over the brain, between where a transform and the truth put a point.
  double Error(const cw_affine &found, const cw_affine &truth) {
    double sum = 0;
    size_t count = 0, at = 0;
    each(brain.GetPointer(), [&](float value, const Point &p, long) {
      if (value <= 0 || at++ % 97)
        return;
      const double x[3] = {p[0], p[1], p[2]};
      double a[3], b[3], square = 0;
      cw_affine_apply(&found, x, a);
      cw_affine_apply(&truth, x, b);
      for (int r = 0; r < 3; r++)
        square += (a[r] - b[r]) * (a[r] - b[r]);
      sum += std::sqrt(square);
      count++;
    });
    return sum / double(count);
  }

  Folder folder;
  Scalar::Pointer brain;
  results_test::FakeModel fake;
};

}  // namespace itk_test
