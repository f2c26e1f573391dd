// What the benchmarks of the filters work on.
#pragma once

#include <itkImage.h>
#include <itkImageRegionIteratorWithIndex.h>
#include <itkLinearInterpolateImageFunction.h>
#include <itkVector.h>

#include <cmath>
#include <vector>

#include "itkCounterwarpModel.h"

namespace itk_inputs {

using Scalar = itk::Image<float, 3>;
using Short = itk::Image<short, 3>;
using Field = itk::Image<itk::Vector<float, 3>, 3>;

// A smooth velocity that vanishes on the faces: largest value about a thirtieth of the box, waves of a third of it.
inline std::vector<float> velocity(const int n[3]) {
  const size_t samples = size_t(n[0]) * n[1] * n[2];
  std::vector<float> v(3 * samples);
  for (int axis = 0; axis < 3; axis++)
    for (int k = 0; k < n[2]; k++)
      for (int j = 0; j < n[1]; j++)
        for (int i = 0; i < n[0]; i++) {
          const double x = double(i) / (n[0] - 1), y = double(j) / (n[1] - 1), z = double(k) / (n[2] - 1);
          const double window = std::sin(M_PI * x) * std::sin(M_PI * y) * std::sin(M_PI * z);
          const double wave = std::sin(2 * M_PI * (1.7 * x + (axis == 1 ? -2.1 : 1.9) * y + 1.6 * z) + 1.3 * axis);
          v[axis * samples + (size_t(k) * n[1] + j) * n[0] + i] = float(n[0] / 30.0 * window * wave);
        }
  return v;
}

template <class Image>
typename Image::Pointer image(const int n[3]) {
  auto result = Image::New();
  typename Image::SizeType size;
  for (unsigned axis = 0; axis < 3; axis++)
    size[axis] = itk::SizeValueType(n[axis]);
  result->SetRegions(size);
  result->Allocate();
  return result;
}

inline Field::Pointer interleaved(const int n[3], const std::vector<float> &u) {
  auto field = image<Field>(n);
  float *to = field->GetBufferPointer()->GetDataPointer();
  const size_t samples = u.size() / 3;
  for (size_t i = 0; i < samples; i++)
    for (size_t axis = 0; axis < 3; axis++)
      to[3 * i + axis] = u[axis * samples + i];
  return field;
}

// A scan of short pixels, as scanners write them, whose middle is the model's; where: the template if there is one.
inline Short::Pointer scan_for(const itk::CounterwarpModel *model) {
  const int n[3] = {182, 218, 182};
  const auto grid = model->GetGrid();
  const auto likeness = model->GetTemplate();
  auto scan = image<Short>(n);
  itk::ContinuousIndex<double, 3> middle, own;
  for (unsigned a = 0; a < 3; a++) {
    middle[a] = 0.5 * (double(grid->GetLargestPossibleRegion().GetSize(a)) - 1);
    own[a] = 0.5 * (n[a] - 1);
  }
  itk::Point<double, 3> there, here;
  grid->TransformContinuousIndexToPhysicalPoint(middle, there);
  scan->TransformContinuousIndexToPhysicalPoint(own, here);
  scan->SetOrigin(scan->GetOrigin() + (there - here));
  auto look = itk::LinearInterpolateImageFunction<Scalar>::New();
  if (likeness)
    look->SetInputImage(likeness);
  const auto v = velocity(n);
  itk::ImageRegionIteratorWithIndex<Short> it(scan, scan->GetBufferedRegion());
  for (size_t i = 0; !it.IsAtEnd(); ++it, ++i) {
    scan->TransformIndexToPhysicalPoint(it.GetIndex(), there);
    const bool inside = likeness && look->IsInsideBuffer(there);
    it.Set(short(likeness ? inside ? 1000 * look->Evaluate(there) : 0 : 1000 + 200 * v[i]));
  }
  return scan;
}

}  // namespace itk_inputs
