// Images and fields that the filters' tests share: any grid, analytic samples, comparisons in physical space.
#pragma once

#include <itkImage.h>
#include <itkImageRegionConstIteratorWithIndex.h>
#include <itkImageRegionIteratorWithIndex.h>
#include <itkVector.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace itk_test {

using Scalar = itk::Image<float, 3>;
using Field = itk::Image<itk::Vector<float, 3>, 3>;
using DoubleField = itk::Image<itk::Vector<double, 3>, 3>;
using Point = itk::Point<double, 3>;
using Vector = itk::Vector<double, 3>;

// The kinds of grids that scanners and tools write.
enum class Kind { Identity, Anisotropic, Oblique, LeftHanded };
inline std::vector<Kind> kinds() {
  return {Kind::Identity, Kind::Anisotropic, Kind::Oblique, Kind::LeftHanded};
}

// An image of n samples whose first index is not 0.
template <class TImage>
typename TImage::Pointer image(Kind kind, int nx, int ny, int nz) {
  auto result = TImage::New();
  typename TImage::RegionType region({{3, -2, 5}},
                                     {{itk::SizeValueType(nx), itk::SizeValueType(ny), itk::SizeValueType(nz)}});
  result->SetRegions(region);
  const double spacing[3] = {1.1, 0.7, 1.9}, origin[3] = {-31, 12.5, 7};
  if (kind != Kind::Identity) {
    result->SetSpacing(spacing);
    result->SetOrigin(origin);
  }
  if (kind == Kind::Oblique || kind == Kind::LeftHanded) {
    const double a = 0.4, b = -0.3;
    typename TImage::DirectionType x, z;
    z.SetIdentity(), x.SetIdentity();
    z(0, 0) = z(1, 1) = std::cos(a), z(0, 1) = -std::sin(a), z(1, 0) = std::sin(a);
    x(1, 1) = x(2, 2) = std::cos(b), x(1, 2) = -std::sin(b), x(2, 1) = std::sin(b);
    auto direction = typename TImage::DirectionType(z * x);
    if (kind == Kind::LeftHanded)
      for (unsigned r = 0; r < 3; r++)
        direction(r, 1) *= -1;
    result->SetDirection(direction);
  }
  result->Allocate();
  return result;
}

// Visits (pixel, physical point, distance in samples to the nearest face).
template <class TImage, class TVisit>
void each(TImage *image, TVisit visit) {
  const auto region = image->GetBufferedRegion();
  itk::ImageRegionIteratorWithIndex<TImage> it(image, region);
  for (; !it.IsAtEnd(); ++it) {
    const auto index = it.GetIndex();
    long border = 1 << 30;
    for (unsigned a = 0; a < 3; a++)
      border = std::min({border, long(index[a] - region.GetIndex(a)),
                         long(region.GetIndex(a)) + long(region.GetSize(a)) - 1 - long(index[a])});
    Point p;
    image->TransformIndexToPhysicalPoint(index, p);
    visit(it.Value(), p, border);
  }
}

template <class TImage>
Point middle(const TImage *image) {
  itk::ContinuousIndex<double, 3> c;
  const auto region = image->GetLargestPossibleRegion();
  for (unsigned a = 0; a < 3; a++)
    c[a] = region.GetIndex(a) + 0.5 * (double(region.GetSize(a)) - 1);
  Point p;
  image->TransformContinuousIndexToPhysicalPoint(c, p);
  return p;
}

// A smooth field of at most about `amplitude` mm; `fade`: zero on the faces.
template <class TField>
void make_smooth(TField *field, double amplitude, double phase = 0, bool fade = false) {
  const Point c = middle(field);
  const auto size = field->GetLargestPossibleRegion().GetSize();
  const long reach = long(std::min({size[0], size[1], size[2]}) / 2);
  each(field, [&](auto &v, const Point &p, long border) {
    const Vector d = p - c;
    const double window = fade ? std::pow(std::sin(0.5 * M_PI * std::min(1.0, double(border) / reach)), 2) : 1;
    for (unsigned a = 0; a < 3; a++)
      v[a] = typename TField::PixelType::ValueType(
          window * amplitude * std::sin(phase + 1.3 * a + 0.13 * d[0] - 0.11 * (a + 1) * d[1] + 0.09 * d[2]));
  });
}

// A smooth image with some texture, values 0 .. about 200.
template <class TImage>
void make_image(TImage *image) {
  const Point c = middle(image);
  each(image, [&](auto &v, const Point &p, long) {
    const Vector d = p - c;
    v = typename TImage::PixelType(100 + 60 * std::sin(0.25 * d[0] + 0.1 * d[2]) * std::cos(0.2 * d[1]) +
                                   30 * std::sin(0.4 * d[2]));
  });
}

inline double distance(float a, float b) {
  return std::abs(double(a) - double(b));
}
template <class T>
double distance(const itk::Vector<T, 3> &a, const itk::Vector<T, 3> &b) {
  return (a - b).GetNorm();
}

// Largest difference at least `border` samples away from the faces.
template <class TImage>
double largest_difference(TImage *a, TImage *b, long border = 0) {
  double largest = 0;
  itk::ImageRegionConstIteratorWithIndex<TImage> other(b, a->GetBufferedRegion());
  each(a, [&](auto &value, const Point &, long at) {
    const double d = distance(value, other.Get());
    if (at >= border && !(d <= largest))
      largest = d;
    ++other;
  });
  return largest;
}

template <class TImage>
bool same_bits(const TImage *a, const TImage *b) {
  return a->GetBufferedRegion() == b->GetBufferedRegion() &&
         !std::memcmp(a->GetBufferPointer(), b->GetBufferPointer(),
                      a->GetBufferedRegion().GetNumberOfPixels() * sizeof(typename TImage::PixelType));
}

}  // namespace itk_test
