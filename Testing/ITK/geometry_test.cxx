// Pixel types, regions, and one warp through two doors.
#include <gtest/gtest.h>
#include <itkDisplacementFieldTransform.h>
#include <itkResampleImageFilter.h>
#include <itkStreamingImageFilter.h>

#include "itk_images.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpWarpImageFilter.h"

namespace itk_test {
namespace {

// Every scalar pixel type in and out; whole numbers are rounded and stay in range.
template <class T>
void warp_of_pixels() {
  using Image = itk::Image<T, 3>;
  auto in = image<Image>(Kind::Oblique, 23, 19, 17);
  auto floats = image<Scalar>(Kind::Oblique, 23, 19, 17);
  auto field = image<Field>(Kind::Oblique, 23, 19, 17);
  make_image(in.GetPointer());
  each(floats.GetPointer(), [&, it = itk::ImageRegionConstIteratorWithIndex<Image>(in, in->GetBufferedRegion())](
                                float &v, const Point &, long) mutable {
    v = float(it.Get());
    ++it;
  });
  make_smooth(field.GetPointer(), 3);
  auto warp = itk::CounterwarpWarpImageFilter<Image>::New();
  warp->SetInput(in);
  warp->SetDisplacementField(field);
  warp->Update();
  auto exact = itk::CounterwarpWarpImageFilter<Scalar>::New();
  exact->SetInput(floats);
  exact->SetDisplacementField(field);
  exact->Update();
  itk::ImageRegionConstIteratorWithIndex<Scalar> at(exact->GetOutput(), in->GetBufferedRegion());
  each(warp->GetOutput(), [&](T value, const Point &, long) {
    const double tolerance = std::is_integral<T>::value ? 0.5001 : 0;
    const double high = double(std::numeric_limits<T>::max());
    ASSERT_NEAR(double(value), std::min(double(at.Get()), high), tolerance);
    ++at;
  });
}

TEST(ItkPixels, AnyScalar) {
  warp_of_pixels<unsigned char>();
  warp_of_pixels<signed char>();
  warp_of_pixels<short>();
  warp_of_pixels<unsigned short>();
  warp_of_pixels<int>();
  warp_of_pixels<unsigned int>();
  warp_of_pixels<long>();
  warp_of_pixels<unsigned long long>();
  warp_of_pixels<float>();
  warp_of_pixels<double>();
}

TEST(ItkPixels, CastRoundsAndClamps) {
  using itk::CounterwarpSamples::Cast;
  EXPECT_EQ(Cast<unsigned char>(254.5f), 255);
  EXPECT_EQ(Cast<unsigned char>(1e9f), 255);
  EXPECT_EQ(Cast<unsigned char>(-3.f), 0);
  EXPECT_EQ(Cast<short>(-1.6f), -2);
  EXPECT_EQ(Cast<short>(-1e9f), -32768);
  EXPECT_EQ(Cast<int>(3e9f), 2147483647);
  EXPECT_EQ(Cast<long>(1e30f), std::numeric_limits<long>::max());
  EXPECT_EQ(Cast<unsigned long>(-1e30f), 0u);
  EXPECT_EQ(Cast<int>(NAN), 0);
  EXPECT_TRUE(std::isnan(Cast<float>(NAN)));
}

// In pieces, as a streaming writer asks for them: the bits of the whole, and no more of the field than is needed.
TEST(ItkRegions, PiecesAreTheWhole) {
  auto in = image<Scalar>(Kind::LeftHanded, 31, 27, 25);
  auto field = image<Field>(Kind::LeftHanded, 31, 27, 25);
  make_image(in.GetPointer());
  make_smooth(field.GetPointer(), 3);
  auto warp = itk::CounterwarpWarpImageFilter<Scalar>::New();
  warp->SetInput(in);
  warp->SetDisplacementField(field);
  auto jacobian = itk::CounterwarpJacobianDeterminantFilter<Field>::New();
  jacobian->SetInput(field);
  for (itk::ImageSource<Scalar> *filter : {static_cast<itk::ImageSource<Scalar> *>(warp.GetPointer()),
                                           static_cast<itk::ImageSource<Scalar> *>(jacobian.GetPointer())}) {
    filter->UpdateLargestPossibleRegion();
    Scalar::Pointer whole = filter->GetOutput();
    whole->DisconnectPipeline();
    filter->Modified();
    auto pieces = itk::StreamingImageFilter<Scalar, Scalar>::New();
    pieces->SetInput(filter->GetOutput());
    pieces->SetNumberOfStreamDivisions(7);
    pieces->Update();
    EXPECT_LT(filter->GetOutput()->GetBufferedRegion().GetSize(2), 6u) << "it was not streamed";
    EXPECT_TRUE(same_bits(whole.GetPointer(), pieces->GetOutput()));
    // A box in the middle.
    const Scalar::RegionType box({{10, 4, 9}}, {{7, 5, 3}});
    filter->Modified();
    filter->GetOutput()->SetRequestedRegion(box);
    filter->Update();
    EXPECT_EQ(filter->GetOutput()->GetBufferedRegion(), box);
    itk::ImageRegionConstIteratorWithIndex<Scalar> at(whole, box);
    each(filter->GetOutput(), [&](float value, const Point &, long) {
      ASSERT_NEAR(value, at.Get(), 1e-4) << "parts of rows may differ in their last bits";
      ++at;
    });
  }
  EXPECT_EQ(jacobian->GetInput()->GetRequestedRegion().GetSize(0), 9u) << "the box and one sample around it";
}

// The field as a transform of ITK, through ResampleImageFilter: the same image.
TEST(ItkWarp, IsTheDisplacementFieldTransform) {
  for (const Kind kind : kinds()) {
    auto in = image<Scalar>(kind, 35, 31, 23);
    auto field = image<DoubleField>(kind, 35, 31, 23);
    make_image(in.GetPointer());
    make_smooth(field.GetPointer(), 3);
    auto warp = itk::CounterwarpWarpImageFilter<Scalar, Scalar, DoubleField>::New();
    warp->SetInput(in);
    warp->SetDisplacementField(field);
    warp->Update();
    auto transform = itk::DisplacementFieldTransform<double, 3>::New();
    transform->SetDisplacementField(field);
    auto resample = itk::ResampleImageFilter<Scalar, Scalar>::New();
    resample->SetInput(in);
    resample->SetTransform(transform);
    resample->SetUseReferenceImage(true);
    resample->SetReferenceImage(in);
    resample->Update();
    EXPECT_LT(largest_difference(warp->GetOutput(), resample->GetOutput(), 6), 1e-3) << int(kind);
  }
}

TEST(ItkErrors, AreTheCoresSentences) {
  auto field = image<Field>(Kind::Identity, 9, 8, 7);
  make_smooth(field.GetPointer(), 1);
  auto warp = itk::CounterwarpWarpImageFilter<Scalar>::New();
  warp->SetDisplacementField(field);
  EXPECT_THROW(warp->Update(), itk::ExceptionObject) << "no input";
  auto in = image<Scalar>(Kind::Identity, 9, 8, 7);
  make_image(in.GetPointer());
  warp->SetInput(in);
  EXPECT_NO_THROW(warp->Update()) << "it can be used again";
}

}  // namespace
}  // namespace itk_test
