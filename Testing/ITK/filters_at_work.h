// One filter of each kind at work on small images.
#pragma once

#include <functional>

#include "itk_images.h"
#include "itkCounterwarpClassifyImageFilter.h"
#include "itkCounterwarpExponentialFieldFilter.h"
#include "itkCounterwarpInvertFieldFilter.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpSaliencyImageFilter.h"
#include "itkCounterwarpSimulateImageFilter.h"
#include "itkCounterwarpWarpImageFilter.h"
#include "model_file.h"

namespace itk_test {

// One filter of each kind with inputs of its own, and what it makes as plain numbers.
struct Work {
  itk::ProcessObject::Pointer filter;
  std::function<std::vector<float>()> result;
};

template <class TImage>
inline std::vector<float> numbers(const TImage *image) {
  const auto *first = reinterpret_cast<const float *>(image->GetBufferPointer());
  return {first,
          first + image->GetBufferedRegion().GetNumberOfPixels() * sizeof(typename TImage::PixelType) / sizeof(float)};
}

template <class TFilter>
inline Work field_work() {
  auto field = image<Field>(Kind::Oblique, 40, 36, 30);
  make_smooth(field.GetPointer(), 3, 0, true);
  auto filter = TFilter::New();
  filter->SetInput(field);
  return {filter.GetPointer(), [filter] { return numbers(filter->GetOutput()); }};
}

inline Scalar::Pointer scan_in_place() {
  auto scan = image<Scalar>(Kind::LeftHanded, 55, 70, 33);
  const double there[3] = {1, 2, -3};
  scan->SetOrigin(scan->GetOrigin() + (Point(there) - middle(scan.GetPointer())));
  make_image(scan.GetPointer());
  return scan;
}

inline const results_test::FakeModel &fake() {
  static const results_test::FakeModel made = [] {
    results_test::FakeModel fake;
    fake.Wave(fake.V, 0.9, 0.4);
    fake.w.assign(fake.Samples(), 0.01f);
    return fake;
  }();
  return made;
}

constexpr const char *names[] = {"Warp", "Jacobian", "Exponential", "Invert", "Classify", "Simulate", "Saliency"};

// Shared by all filters.
struct Models {
  itk::CounterwarpModel::Pointer simulator = read_model(fake()), classifier = read_classifier(fake());
};

inline Work work(const std::string &name, const Models &models) {
  if (name == "Warp") {
    auto in = image<Scalar>(Kind::Oblique, 40, 36, 30);
    make_image(in.GetPointer());
    auto field = image<Field>(Kind::Oblique, 40, 36, 30);
    make_smooth(field.GetPointer(), 3);
    auto filter = itk::CounterwarpWarpImageFilter<Scalar>::New();
    filter->SetInput(in);
    filter->SetDisplacementField(field);
    return {filter.GetPointer(), [filter] { return numbers(filter->GetOutput()); }};
  }
  if (name == "Jacobian")
    return field_work<itk::CounterwarpJacobianDeterminantFilter<Field>>();
  if (name == "Exponential")
    return field_work<itk::CounterwarpExponentialFieldFilter<Field>>();
  if (name == "Invert")
    return field_work<itk::CounterwarpInvertFieldFilter<Field>>();
  if (name == "Classify") {
    auto filter = itk::CounterwarpClassifyImageFilter<Scalar>::New();
    filter->SetInput(scan_in_place());
    filter->SetModel(models.simulator);
    return {filter.GetPointer(), [filter] { return std::vector<float>{float(filter->GetLogit())}; }};
  }
  if (name == "Saliency") {
    auto filter = itk::CounterwarpSaliencyImageFilter<Scalar>::New();
    filter->SetInput(scan_in_place());
    filter->SetModel(models.classifier);
    filter->SetMethod("integrated-gradients");
    return {filter.GetPointer(), [filter] { return numbers(filter->GetOutput()); }};
  }
  auto filter = itk::CounterwarpSimulateImageFilter<Scalar>::New();
  filter->SetInput(scan_in_place());
  filter->SetModel(models.simulator);
  return {filter.GetPointer(), [filter] {
            std::vector<float> all = numbers(filter->GetOutput());
            for (const auto &more : {numbers(filter->GetDisplacementField()), numbers(filter->GetLogJacobian()),
                                     std::vector<float>{float(filter->GetLogitAfter())}})
              all.insert(all.end(), more.begin(), more.end());
            return all;
          }};
}

inline bool same(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && !a.empty() && !std::memcmp(a.data(), b.data(), a.size() * sizeof(float));
}

}  // namespace itk_test
