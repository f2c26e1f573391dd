#ifndef itkCounterwarpAlignToModelFilter_hxx
#define itkCounterwarpAlignToModelFilter_hxx

#include <chrono>
#include <future>

#include "itkImageMomentsCalculator.h"
#include "itkRegistrationParameterScalesFromPhysicalShift.h"

namespace itk {
template <typename TInputImage>
CounterwarpAlignToModelFilter<TInputImage>::CounterwarpAlignToModelFilter() {
  this->SetNthOutput(0, this->MakeOutput(0));
}

template <typename TInputImage>
ModifiedTimeType CounterwarpAlignToModelFilter<TInputImage>::GetMTime() const {
  return m_Template ? std::max(Superclass::GetMTime(), m_Template->GetMTime()) : Superclass::GetMTime();
}

/** The scan in cubes of about `sigma` mm (of no more samples than the scan has), smoothed by sigma, with empty space
 * around: what lies outside a scan counts as zero, as it does for the model, and no start gains by leaving the scan. */
template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::ImageType::Pointer
CounterwarpAlignToModelFilter<TInputImage>::MakeMoving(CounterwarpExecution &core, const Pair &pair, double sigma) {
  cw_grid grid = pair.scan->grid;
  double spacing[3];
  cw_grid_spacing(&grid, spacing);
  const double voxel = std::max(sigma, std::cbrt(spacing[0] * spacing[1] * spacing[2]));
  for (int axis = 0; axis < 3; ++axis) {
    const double factor = voxel / spacing[axis];
    const double samples = std::ceil((pair.scan->grid.size[axis] + 2 * pair.margin / spacing[axis]) / factor);
    // Middle on middle.
    const double first = 0.5 * ((pair.scan->grid.size[axis] - 1) - factor * (samples - 1));
    grid.size[axis] = static_cast<int>(samples);
    for (int r = 0; r < 3; ++r) {
      grid.to_world.m[r][3] += first * grid.to_world.m[r][axis];
      grid.to_world.m[r][axis] *= factor;
    }
  }
  auto moving = ImageType::New();
  CounterwarpSamples::SetGrid(moving, grid);
  moving->Allocate();
  cw_volume volume{grid, 1, moving->GetBufferPointer()};
  core.Check(cw_volume_resample_mean(core, pair.scan, nullptr, &volume));
  core.Check(cw_volume_smooth(core, &volume, sigma / voxel));
  return moving;
}

/** A copy, smoothed by sigma voxels. */
template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::ImageType::Pointer
CounterwarpAlignToModelFilter<TInputImage>::MakeSmooth(CounterwarpExecution &core, const ImageType *image,
                                                       double sigma) {
  auto smooth = ImageType::New();
  smooth->CopyInformation(image);
  smooth->SetRegions(image->GetBufferedRegion());
  smooth->Allocate();
  std::copy_n(image->GetBufferPointer(), image->GetBufferedRegion().GetNumberOfPixels(), smooth->GetBufferPointer());
  cw_volume volume{CounterwarpSamples::Grid(smooth, smooth->GetBufferedRegion()), 1, smooth->GetBufferPointer()};
  core.Check(cw_volume_smooth(core, &volume, sigma));
  return smooth;
}

/** Every `stride`-th sample of the tissue along each axis, or fewer: so many that one look at them is short. */
template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::PointSetType::Pointer
CounterwarpAlignToModelFilter<TInputImage>::MakePoints(const ImageType *tissue, SizeValueType stride) {
  constexpr SizeValueType most = 100000;
  const auto region = tissue->GetBufferedRegion();
  auto points = PointSetType::New();
  for (;; ++stride) {
    points->Initialize();
    SizeValueType count = 0;
    Index<3> index;
    const auto first = [&](unsigned int axis) {
      return region.GetIndex(axis) + static_cast<IndexValueType>(std::min(stride, region.GetSize(axis)) / 2);
    };
    const auto end = [&](unsigned int axis) {
      return region.GetIndex(axis) + static_cast<IndexValueType>(region.GetSize(axis));
    };
    const auto step = static_cast<IndexValueType>(stride);
    for (index[2] = first(2); index[2] < end(2); index[2] += step) {
      for (index[1] = first(1); index[1] < end(1); index[1] += step) {
        for (index[0] = first(0); index[0] < end(0); index[0] += step) {
          if (tissue->GetPixel(index) > 0) {
            points->SetPoint(count++, tissue->template TransformIndexToPhysicalPoint<float>(index));
          }
        }
      }
    }
    if (count <= most) {
      return points;
    }
  }
}

template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::PointType CounterwarpAlignToModelFilter<TInputImage>::CenterOfMass(
    const ImageType *image) {
  auto moments = ImageMomentsCalculator<ImageType>::New();
  moments->SetImage(image);
  try {
    moments->Compute();
  } catch (const ExceptionObject &) {
    itkGenericExceptionMacro("The scan or the model's template has no centre of mass, expected values above 0");
  }
  return PointType(moments->GetCenterOfGravity());
}

template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::Pair CounterwarpAlignToModelFilter<TInputImage>::MakePair(
    CounterwarpExecution &core, const ImageType *reference, const cw_volume &scan) {
  if (!std::all_of(scan.data, scan.data + cw_grid_samples(&scan.grid), [](float s) { return std::isfinite(s); })) {
    itkExceptionMacro("The scan holds NaN or Inf, expected finite numbers");
  }
  Pair pair;
  pair.fixed = reference;
  pair.scan = &scan;
  const auto spacing = reference->GetSpacing();
  const auto size = reference->GetBufferedRegion().GetSize();
  pair.spacing = std::min({spacing[0], spacing[1], spacing[2]});
  pair.margin = 0.3 * std::max({spacing[0] * size[0], spacing[1] * size[1], spacing[2] * size[2]});
  // Tissue: where the smoothed template is not empty.
  pair.tissue = MakeSmooth(core, reference, 0);
  const SizeValueType count = reference->GetBufferedRegion().GetNumberOfPixels();
  float *values = pair.tissue->GetBufferPointer();
  std::transform(values, values + count, values, [](float value) { return std::abs(value); });
  const float largest = *std::max_element(values, values + count);
  pair.tissue = MakeSmooth(core, pair.tissue, 1);
  pair.center = CenterOfMass(pair.tissue);
  values = pair.tissue->GetBufferPointer();
  std::transform(values, values + count, values, [=](float value) { return value - 0.05F * largest; });
  return pair;
}

template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::Level CounterwarpAlignToModelFilter<TInputImage>::MakeLevel(
    CounterwarpExecution &core, const Pair &pair, double voxel) {
  Level level;
  level.voxel = voxel;
  const double sigma = 0.5 * voxel;
  level.fixed = MakeSmooth(core, pair.fixed, sigma / pair.spacing);
  level.moving = MakeMoving(core, pair, sigma);
  level.points = MakePoints(pair.tissue, static_cast<SizeValueType>(std::max(1.0, std::round(voxel / pair.spacing))));
  return level;
}

template <typename TInputImage>
template <typename TTransform>
double CounterwarpAlignToModelFilter<TInputImage>::Improve(const Level &level, TTransform *transform,
                                                           unsigned int iterations) {
  auto metric = MetricType::New();
  metric->SetFixedImage(level.fixed);
  metric->SetMovingImage(level.moving);
  metric->SetMovingTransform(transform);
  metric->SetFixedSampledPointSet(level.points);
  metric->SetUseSampledPointSet(true);
  metric->SetNumberOfHistogramBins(32);
  metric->SetUseMovingImageGradientFilter(false);
  metric->SetUseFixedImageGradientFilter(false);
  metric->Initialize();
  auto scales = RegistrationParameterScalesFromPhysicalShift<MetricType>::New();
  scales->SetMetric(metric);
  auto optimizer = OptimizerType::New();
  optimizer->SetMetric(metric);
  optimizer->SetNumberOfWorkUnits(1);
  optimizer->SetScalesEstimator(scales);
  // Steps in mm: the parameters' own norm says little about how far a matrix moves things.
  optimizer->SetDoEstimateLearningRateOnce(false);
  optimizer->SetDoEstimateLearningRateAtEachIteration(true);
  optimizer->SetMaximumStepSizeInPhysicalUnits(0.5 * level.voxel);
  optimizer->SetMinimumStepLength(1e-4);
  optimizer->SetRelaxationFactor(0.8);
  optimizer->SetGradientMagnitudeTolerance(1e-9);
  optimizer->SetNumberOfIterations(iterations);
  optimizer->SetReturnBestParametersAndValue(true);
  auto *const running = optimizer.GetPointer();
  optimizer->AddObserver(IterationEvent(), [this, running](const EventObject &) {
    ++m_Iterations;
    if (m_Stop) {
      running->StopOptimization();
    }
  });
  optimizer->StartOptimization();
  return optimizer->GetCurrentMetricValue();
}

template <typename TInputImage>
void CounterwarpAlignToModelFilter<TInputImage>::Run(const std::vector<std::function<void()>> &jobs,
                                                     unsigned int iterations, float until) {
  const float from = m_Done;
  std::atomic<size_t> next{0};
  m_Iterations = 0;
  m_Stop = false;
  const auto work = [&] {
    for (size_t job = next++; job < jobs.size() && !m_Stop; job = next++) {
      jobs[job]();
    }
  };
  std::vector<std::future<void>> team;
  try {
    while (team.size() < std::min<size_t>(jobs.size(), this->GetNumberOfWorkUnits())) {
      team.push_back(std::async(std::launch::async, work));
    }
    for (auto &member : team) {
      while (member.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
        const float done = std::min(1.0F, static_cast<float>(m_Iterations) / static_cast<float>(iterations));
        m_Done = std::max(m_Done, from + (until - from) * done);
        this->UpdateProgress(m_Done);
        m_Stop = m_Stop || this->GetAbortGenerateData();
      }
    }
  } catch (...) {
    m_Stop = true;  // what an observer threw; the futures wait for their threads
    throw;
  }
  for (auto &member : team) {
    member.get();
  }
  if (m_Stop || this->GetAbortGenerateData()) {
    ProcessAborted aborted(__FILE__, __LINE__);
    aborted.SetDescription("CounterwarpAlignToModelFilter: AbortGenerateData was set");
    throw aborted;
  }
  m_Done = until;
  this->UpdateProgress(m_Done);
}

template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::RigidType::Pointer
CounterwarpAlignToModelFilter<TInputImage>::FindStart(const Pair &pair, const Level &level) {
  ContinuousIndex<double, 3> middle;
  for (unsigned int axis = 0; axis < 3; ++axis) {
    middle[axis] = 0.5 * (static_cast<double>(level.moving->GetBufferedRegion().GetSize(axis)) - 1);
  }
  PointType movingMiddle;
  level.moving->TransformContinuousIndexToPhysicalPoint(middle, movingMiddle);
  struct Start {
    RigidType::Pointer rigid;
    double value;
  };
  std::vector<Start> starts;
  for (const PointType &there : {pair.center, CenterOfMass(level.moving), movingMiddle}) {
    for (const double pitch : {0.0, 0.3, -0.3}) {
      starts.push_back({RigidType::New(), NumericTraits<double>::max()});
      RigidType &rigid = *starts.back().rigid;
      rigid.SetCenter(pair.center);
      rigid.SetRotation(pitch, 0, 0);
      rigid.SetTranslation(there - pair.center);
    }
  }
  constexpr unsigned int iterations = 60;
  std::vector<std::function<void()>> jobs;
  for (Start &start : starts) {
    jobs.push_back([this, &level, &start] {
      try {
        start.value = this->Improve(level, start.rigid.GetPointer(), iterations);
      } catch (const ExceptionObject &) {
        // This start does not see enough of the scan.
      }
    });
  }
  this->Run(jobs, iterations * static_cast<unsigned int>(jobs.size()), 0.5F);
  const auto best =
      std::min_element(starts.begin(), starts.end(), [](const Start &a, const Start &b) { return a.value < b.value; });
  if (best->value == NumericTraits<double>::max()) {
    itkExceptionMacro(
        "The scan overlaps with the model's template from none of the starts: an initial transform is needed");
  }
  return best->rigid;
}

template <typename TInputImage>
void CounterwarpAlignToModelFilter<TInputImage>::GenerateData() {
  const auto model = this->GetModel()->GetCoreModel();
  const ImageType::ConstPointer reference =
      m_Template ? m_Template : ImageType::ConstPointer(this->GetModel()->GetTemplate());
  if (!reference) {
    itkExceptionMacro("The model's file holds no template: set an image in the model's space by SetTemplate()");
  }
  if (reference->GetBufferedRegion().GetNumberOfPixels() == 0) {
    itkExceptionMacro("The template holds no samples: update the reader or filter that makes it before SetTemplate()");
  }
  const InputImageType *image = this->GetInput();
  const CounterwarpSamples::RegionView<InputImageType> samples(image, image->GetLargestPossibleRegion(), true);
  const cw_volume scan = samples.GetVolume();
  CounterwarpExecution core(this);
  core.SetPart(0.0F, 0.05F);
  const Pair pair = this->MakePair(core, reference, scan);
  m_Done = 0.05F;
  auto affine = AffineType::New();
  affine->SetCenter(pair.center);
  if (const TransformType *initial = this->GetInitialTransform()) {
    affine->SetMatrix(initial->GetMatrix());
    affine->SetTranslation(initial->TransformPoint(pair.center) - pair.center);
  } else {
    const auto rigid = this->FindStart(pair, this->MakeLevel(core, pair, 8.0));
    affine->SetMatrix(rigid->GetMatrix());
    affine->SetTranslation(rigid->GetTranslation());
  }
  m_Done = 0.5F;
  // Finer than 2 mm an affine gains nothing.
  const double finest = std::max(2.0, pair.spacing);
  for (const double voxel : {2 * finest, finest}) {
    core.SetPart(m_Done, m_Done + 0.02F);
    const Level level = this->MakeLevel(core, pair, voxel);
    m_Done += 0.02F;
    this->Run({[&] { m_MetricValue = this->Improve(level, affine.GetPointer(), m_MaximumNumberOfIterations); }},
              m_MaximumNumberOfIterations, m_Done + 0.205F);
  }
  if (model->template_samples) {
    core.SetPart(0.95F, 1.0F);
    const cw_affine transform = CounterwarpSamples::Affine(*affine);
    this->MakeNetworkInput(core, *model, image, &transform, "the aligned scan");
  }
  this->GetTransformOutput()->Set(affine);
  this->UpdateProgress(1.0F);
}

template <typename TInputImage>
void CounterwarpAlignToModelFilter<TInputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  itkPrintSelfObjectMacro(Template);
  os << indent << "MaximumNumberOfIterations: " << m_MaximumNumberOfIterations << std::endl;
  os << indent << "MetricValue: " << m_MetricValue << std::endl;
}
}  // end namespace itk

#endif
