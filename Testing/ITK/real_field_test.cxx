// The filters on a field that registration has found, a brain onto its mirror image, beside ITK's own.
#include <gtest/gtest.h>
#include <itkDisplacementFieldJacobianDeterminantFilter.h>
#include <itkExponentialDisplacementFieldImageFilter.h>
#include <itkInvertDisplacementFieldImageFilter.h>
#include <itkWarpImageFilter.h>

#include "counterwarp/warp.h"
#include "head_fixture.h"
#include "itkCounterwarpExponentialFieldFilter.h"
#include "itkCounterwarpInvertFieldFilter.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpWarpImageFilter.h"

namespace itk_test {
namespace {

class ItkRealField : public Head {
 protected:
  static constexpr int side = 48;

  void SetUp() override {
    Head::SetUp();
    if (IsSkipped())
      return;
    cw_context *context = nullptr;
    ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
    const size_t n = fake.Samples();
    std::vector<float> mirrored(n);
    samples.resize(n), u.resize(3 * n);
    const cw_volume scan{itk::CounterwarpSamples::Grid(brain, brain->GetLargestPossibleRegion()), 1,
                         brain->GetBufferPointer()};
    const cw_preprocessing preprocessing{fake.grid, CW_NORMALIZE_PERCENTILE, 99.5, 0};
    EXPECT_EQ(cw_preprocess(context, &preprocessing, &scan, nullptr, samples.data()), CW_OK);
    for (size_t i = 0; i < n; i++)
      mirrored[i] = samples[i / side * side + (side - 1 - i % side)];
    EXPECT_EQ(cw_match(context, fake.grid.size, mirrored.data(), samples.data(), u.data()), CW_OK);
    cw_context_free(context);
    largest = 0;
    for (const float component : u)
      largest = std::max(largest, std::abs(double(component)));
    ASSERT_GT(largest, 1) << "voxels: brains are not symmetric";
  }

  // `share` of the field on a grid of this kind, in mm along ITK's axes.
  Field::Pointer MakeField(Kind kind, double share) {
    auto field = image<Field>(kind, side, side, side);
    const size_t n = fake.Samples();
    size_t i = 0;
    each(field.GetPointer(), [&](auto &v, const Point &, long) {
      for (unsigned r = 0; r < 3; r++) {
        double sum = 0;
        for (unsigned a = 0; a < 3; a++)
          sum += field->GetDirection()(r, a) * field->GetSpacing()[a] * share * u[a * n + i];
        v[r] = float(sum);
      }
      i++;
    });
    return field;
  }

  std::vector<float> samples, u;
  double largest = 0;
};

TEST_F(ItkRealField, Warp) {
  for (const Kind kind : kinds()) {
    auto field = MakeField(kind, 1);
    auto in = image<Scalar>(kind, side, side, side);
    std::copy(samples.begin(), samples.end(), in->GetBufferPointer());
    auto ours = itk::CounterwarpWarpImageFilter<Scalar>::New();
    ours->SetInput(in);
    ours->SetDisplacementField(field);
    ours->Update();
    auto peer = itk::WarpImageFilter<Scalar, Scalar, Field>::New();
    peer->SetInput(in);
    peer->SetDisplacementField(field);
    peer->SetOutputParametersFromImage(field);
    peer->Update();
    EXPECT_GT(largest_difference(in.GetPointer(), ours->GetOutput()), 0.1) << "nothing was warped";
    EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 6), 1e-4) << int(kind);
  }
}

TEST_F(ItkRealField, Jacobian) {
  // ITK's own ignores the direction before 6.0.
  const auto fair = ITK_VERSION_MAJOR < 6 ? std::vector<Kind>{Kind::Identity, Kind::Anisotropic} : kinds();
  for (const Kind kind : fair) {
    auto field = MakeField(kind, 1);
    auto ours = itk::CounterwarpJacobianDeterminantFilter<Field>::New();
    ours->SetInput(field);
    ours->Update();
    auto peer = itk::DisplacementFieldJacobianDeterminantFilter<Field, float>::New();
    peer->SetInput(field);
    peer->Update();
    EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 1), 2e-5) << int(kind);
  }
}

TEST_F(ItkRealField, Exponential) {
  for (const Kind kind : kinds()) {
    auto velocity = MakeField(kind, 0.5);
    auto ours = itk::CounterwarpExponentialFieldFilter<Field>::New();
    ours->SetInput(velocity);
    ours->AutomaticNumberOfIterationsOff();
    ours->SetMaximumNumberOfIterations(6);
    ours->Update();
    auto peer = itk::ExponentialDisplacementFieldImageFilter<Field, Field>::New();
    peer->SetInput(velocity);
    peer->AutomaticNumberOfIterationsOff();
    peer->SetMaximumNumberOfIterations(6);
    peer->Update();
    EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 1), 1e-4) << int(kind);
  }
}

// Strains of more than 1, where a plain fixed point does not converge.
TEST_F(ItkRealField, Inverse) {
  for (const double share : {0.5, 1.0}) {
    auto field = MakeField(Kind::Oblique, share);
    auto ours = itk::CounterwarpInvertFieldFilter<Field>::New();
    ours->SetDisplacementField(field);
    ours->SetMaximumNumberOfIterations(100);
    ours->SetMaxErrorToleranceThreshold(1e-3);
    ours->Update();
    EXPECT_LT(ours->GetMaxErrorNorm(), 1e-3) << share;
    auto peer = itk::InvertDisplacementFieldImageFilter<Field, Field>::New();
    peer->SetDisplacementField(field);
    peer->SetEnforceBoundaryCondition(false);
    peer->SetMaximumNumberOfIterations(100);
    peer->SetMaxErrorToleranceThreshold(1e-3);
    peer->SetMeanErrorToleranceThreshold(1e-6);
    peer->Update();
    EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 2), 0.03) << share;
  }
}

}  // namespace
}  // namespace itk_test
