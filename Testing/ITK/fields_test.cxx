// The filters on fields beside ITK's own, on every kind of grid.
#include <gtest/gtest.h>
#include <itkDisplacementFieldJacobianDeterminantFilter.h>
#include <itkExponentialDisplacementFieldImageFilter.h>
#include <itkInvertDisplacementFieldImageFilter.h>
#include <itkNearestNeighborInterpolateImageFunction.h>
#include <itkWarpImageFilter.h>

#include "itk_images.h"
#include "itkCounterwarpExponentialFieldFilter.h"
#include "itkCounterwarpInvertFieldFilter.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpWarpImageFilter.h"

namespace itk_test {
namespace {

using Warp = itk::CounterwarpWarpImageFilter<Scalar>;
using Jacobian = itk::CounterwarpJacobianDeterminantFilter<Field>;
using Exponential = itk::CounterwarpExponentialFieldFilter<Field>;
using Invert = itk::CounterwarpInvertFieldFilter<Field>;

// Vectors of their own at each sample, up to `amplitude` mm an axis: no field is rougher.
template <class TField>
void make_random(TField *field, double amplitude) {
  unsigned state = 1;
  each(field, [&](auto &v, const Point &, long) {
    for (unsigned a = 0; a < 3; a++) {
      state = 1664525 * state + 1013904223;
      v[a] = typename TField::PixelType::ValueType(amplitude * (double(state >> 8) / (1 << 23) - 1));
    }
  });
}

// Largest difference from ITK's warp over points whose neighbours all lie inside the image; `compared` counts them.
double warp_difference(Scalar *in, Field *field, bool nearest, size_t *compared) {
  auto ours = Warp::New();
  ours->SetInput(in);
  ours->SetDisplacementField(field);
  ours->SetUseNearestNeighbor(nearest);
  ours->Update();
  auto peer = itk::WarpImageFilter<Scalar, Scalar, Field>::New();
  peer->SetInput(in);
  peer->SetDisplacementField(field);
  peer->SetOutputParametersFromImage(field);
  if (nearest)
    peer->SetInterpolator(itk::NearestNeighborInterpolateImageFunction<Scalar>::New());
  peer->Update();
  const auto region = in->GetLargestPossibleRegion();
  double largest = 0;
  *compared = 0;
  itk::ImageRegionConstIteratorWithIndex<Scalar> other(peer->GetOutput(), field->GetBufferedRegion());
  itk::ImageRegionConstIteratorWithIndex<Scalar> own(ours->GetOutput(), field->GetBufferedRegion());
  each(field, [&](auto &u, const Point &p, long) {
    const auto at = in->TransformPhysicalPointToContinuousIndex<double>(p + Vector(u));
    bool inside = true, halfway = false;
    for (unsigned a = 0; a < 3; a++) {
      const double first = double(region.GetIndex(a)), last = first + double(region.GetSize(a)) - 1;
      inside = inside && at[a] > first + 1e-4 && at[a] < last - 1e-4;
      halfway = halfway || std::abs(at[a] - std::floor(at[a]) - 0.5) < 1e-3;
    }
    if (inside && !(nearest && halfway)) {
      largest = std::max(largest, double(std::abs(own.Get() - other.Get())));
      ++*compared;
    }
    ++other, ++own;
  });
  return largest;
}

TEST(ItkWarp, AgreesWithWarpImageFilter) {
  for (const Kind kind : kinds()) {
    auto in = image<Scalar>(kind, 41, 37, 23);
    auto field = image<Field>(kind, 41, 37, 23);
    make_image(in.GetPointer());
    for (const bool random : {false, true})
      for (const bool nearest : {false, true}) {
        random ? make_random(field.GetPointer(), 4) : make_smooth(field.GetPointer(), 4);
        size_t compared;
        EXPECT_LT(warp_difference(in, field, nearest, &compared), 1e-3) << int(kind) << random << nearest;
        EXPECT_GT(compared, 15000u);
      }
  }
}

// The field on a fixed grid, the image on another: what registration leaves.
TEST(ItkWarp, AgreesOnTwoGrids) {
  for (const Kind kind : kinds())
    for (const Kind other : kinds()) {
      auto in = image<Scalar>(kind, 60, 50, 40);
      auto field = image<Field>(other, 33, 39, 21);
      in->SetOrigin(in->GetOrigin() + (middle(field.GetPointer()) - middle(in.GetPointer())));
      make_image(in.GetPointer());
      make_smooth(field.GetPointer(), 4);
      size_t compared;
      EXPECT_LT(warp_difference(in, field, false, &compared), 2e-3) << int(kind) << int(other);
      EXPECT_GT(compared, 3000u) << int(kind) << int(other);
    }
}

TEST(ItkJacobian, AgreesWithDisplacementFieldJacobianDeterminantFilter) {
  // ITK's own ignores the direction before 6.0.
  const auto fair = ITK_VERSION_MAJOR < 6 ? std::vector<Kind>{Kind::Identity, Kind::Anisotropic} : kinds();
  for (const Kind kind : fair) {
    auto field = image<Field>(kind, 41, 37, 23);
    for (const bool random : {false, true}) {
      random ? make_random(field.GetPointer(), 2) : make_smooth(field.GetPointer(), 2);
      field->Modified();
      auto ours = Jacobian::New();
      ours->SetInput(field);
      ours->Update();
      auto peer = itk::DisplacementFieldJacobianDeterminantFilter<Field, float>::New();
      peer->SetInput(field);
      peer->Update();
      EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 1), 2e-5) << random;
    }
  }
}

// u(x) = B (x - c): det(I + B) everywhere, border included, whatever the grid.
TEST(ItkJacobian, IsAnalyticOnAnyGrid) {
  const double b[3][3] = {{0.1, -0.2, 0.05}, {0.15, -0.1, 0.1}, {-0.05, 0.2, 0.3}};
  double m[3][3];
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      m[r][c] = b[r][c] + (r == c);
  const double expected = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                          m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                          m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  for (const Kind kind : kinds()) {
    auto field = image<Field>(kind, 21, 17, 13);
    const Point c = middle(field.GetPointer());
    each(field.GetPointer(), [&](auto &u, const Point &p, long) {
      for (int r = 0; r < 3; r++)
        u[r] = float(b[r][0] * (p[0] - c[0]) + b[r][1] * (p[1] - c[1]) + b[r][2] * (p[2] - c[2]));
    });
    for (const bool log_of : {false, true}) {
      auto jacobian = Jacobian::New();
      jacobian->SetInput(field);
      jacobian->SetLogarithm(log_of);
      jacobian->Update();
      each(jacobian->GetOutput(), [&](float j, const Point &, long) {
        ASSERT_NEAR(j, log_of ? std::log(expected) : expected, 2e-5) << int(kind);
      });
      EXPECT_EQ(jacobian->GetNumberOfFolds(), 0u);
    }
  }
}

TEST(ItkExponential, AgreesWithExponentialDisplacementFieldImageFilter) {
  for (const Kind kind : kinds())
    for (const bool inverse : {false, true}) {
      auto velocity = image<Field>(kind, 41, 37, 33);
      make_smooth(velocity.GetPointer(), 3, 0.4, true);
      auto ours = Exponential::New();
      ours->SetInput(velocity);
      ours->SetComputeInverse(inverse);
      auto peer = itk::ExponentialDisplacementFieldImageFilter<Field, Field>::New();
      peer->SetInput(velocity);
      peer->SetComputeInverse(inverse);
      for (const unsigned squarings : {0u, 1u, 6u}) {
        ours->AutomaticNumberOfIterationsOff();
        ours->SetMaximumNumberOfIterations(squarings);
        ours->Update();
        peer->AutomaticNumberOfIterationsOff();
        peer->SetMaximumNumberOfIterations(squarings);
        peer->Update();
        EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 1), 1e-4) << int(kind) << squarings;
      }
      // Each counts by its own rule: both are exp(v) up to the error of the first step, v/2^N in place of exp(v/2^N).
      ours->AutomaticNumberOfIterationsOn();
      ours->SetMaximumNumberOfIterations(20);
      ours->Update();
      peer->AutomaticNumberOfIterationsOn();
      peer->SetMaximumNumberOfIterations(20);
      peer->Update();
      EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 1), 0.1) << int(kind);
    }
}

// exp(t v) for half the strength, and of half the velocity, are the same.
TEST(ItkExponential, Scale) {
  auto velocity = image<Field>(Kind::Oblique, 31, 27, 23), half = image<Field>(Kind::Oblique, 31, 27, 23);
  make_smooth(velocity.GetPointer(), 3, 0, true);
  make_smooth(half.GetPointer(), 1.5, 0, true);
  auto a = Exponential::New(), b = Exponential::New();
  a->SetInput(velocity);
  a->SetScale(0.5);
  a->Update();
  b->SetInput(half);
  b->Update();
  EXPECT_LT(largest_difference(a->GetOutput(), b->GetOutput()), 1e-6);
}

// ITK's own holds a wrong plane at zero where the region does not start at index 0 (5.2): switched off.
TEST(ItkInvert, AgreesWithInvertDisplacementFieldImageFilter) {
  for (const Kind kind : kinds()) {
    auto field = image<Field>(kind, 41, 37, 33);
    make_smooth(field.GetPointer(), 2, 0.2, true);
    auto ours = Invert::New();
    ours->SetDisplacementField(field);
    ours->SetMaximumNumberOfIterations(60);
    ours->SetMaxErrorToleranceThreshold(1e-3);
    ours->Update();
    EXPECT_LT(ours->GetMaxErrorNorm(), 1e-3);
    auto peer = itk::InvertDisplacementFieldImageFilter<Field, Field>::New();
    peer->SetDisplacementField(field);
    peer->SetEnforceBoundaryCondition(false);
    peer->SetMaximumNumberOfIterations(60);
    peer->SetMaxErrorToleranceThreshold(1e-3);
    peer->SetMeanErrorToleranceThreshold(1e-5);
    peer->Update();
    EXPECT_LT(largest_difference(ours->GetOutput(), peer->GetOutput(), 2), 0.02) << int(kind);
  }
}

// Fields of doubles, as many tools have them, are the same work.
TEST(ItkFields, DoublesAreCast) {
  auto field = image<Field>(Kind::Oblique, 21, 17, 13);
  auto doubles = image<DoubleField>(Kind::Oblique, 21, 17, 13);
  make_smooth(field.GetPointer(), 2);
  itk::ImageRegionConstIteratorWithIndex<Field> from(field, field->GetBufferedRegion());
  each(doubles.GetPointer(), [&](auto &u, const Point &, long) {
    u = itk::Vector<double, 3>(from.Get());
    ++from;
  });
  auto jacobian = Jacobian::New();
  jacobian->SetInput(field);
  jacobian->Update();
  auto same = itk::CounterwarpJacobianDeterminantFilter<DoubleField, double, itk::Image<double, 3>>::New();
  same->SetInput(doubles);
  same->Update();
  itk::ImageRegionConstIteratorWithIndex<Scalar> at(jacobian->GetOutput(), field->GetBufferedRegion());
  each(same->GetOutput(), [&](double j, const Point &, long) {
    ASSERT_EQ(j, at.Get());
    ++at;
  });
  auto exponential = Exponential::New();
  exponential->SetInput(field);
  exponential->Update();
  auto mixed = itk::CounterwarpExponentialFieldFilter<DoubleField, Field>::New();
  mixed->SetInput(doubles);
  mixed->Update();
  EXPECT_TRUE(same_bits(exponential->GetOutput(), mixed->GetOutput()));
}

}  // namespace
}  // namespace itk_test
