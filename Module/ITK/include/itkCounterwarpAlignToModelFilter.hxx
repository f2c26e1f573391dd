#ifndef itkCounterwarpAlignToModelFilter_hxx
#define itkCounterwarpAlignToModelFilter_hxx

#include "itkCounterwarpExecution.h"
#include "itkImageMomentsCalculator.h"
#include "itkRegistrationParameterScalesFromPhysicalShift.h"

namespace itk {
template <typename TInputImage>
CounterwarpAlignToModelFilter<TInputImage>::CounterwarpAlignToModelFilter() {
  this->SetNumberOfRequiredInputs(1);
  this->SetNumberOfRequiredOutputs(1);
  this->SetNthOutput(0, this->MakeOutput(0));
}

template <typename TInputImage>
ModifiedTimeType CounterwarpAlignToModelFilter<TInputImage>::GetMTime() const {
  ModifiedTimeType time = Superclass::GetMTime();
  if (m_Model) {
    time = std::max(time, m_Model->GetMTime());
  }
  return m_Template ? std::max(time, m_Template->GetMTime()) : time;
}

template <typename TInputImage>
void CounterwarpAlignToModelFilter<TInputImage>::VerifyPreconditions() const {
  Superclass::VerifyPreconditions();
  if (!m_Model) {
    itkExceptionMacro("No model was set: call SetModel() first");
  }
}

/** The scan on its own axes, in voxels of up to `voxel` mm, with empty space around: what lies outside a scan counts as
 * zero, as it does for the model, and no start gains by leaving the scan. */
template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::ImageType::Pointer
CounterwarpAlignToModelFilter<TInputImage>::MakeMoving(CounterwarpExecution &core, const cw_volume &scan, double voxel,
                                                       double margin) {
  cw_grid grid = scan.grid;
  double spacing[3];
  cw_grid_spacing(&grid, spacing);
  for (int axis = 0; axis < 3; ++axis) {
    const double factor = std::max(1.0, voxel / spacing[axis]);
    const double samples = std::ceil((scan.grid.size[axis] + 2 * margin / spacing[axis]) / factor);
    // Middle on middle.
    const double first = 0.5 * ((scan.grid.size[axis] - 1) - factor * (samples - 1));
    grid.size[axis] = static_cast<int>(samples);
    for (int r = 0; r < 3; ++r) {
      grid.to_world.m[r][3] += first * grid.to_world.m[r][axis];
      grid.to_world.m[r][axis] *= factor;
    }
  }
  auto moving = ImageType::New();
  CounterwarpSamples::SetGrid(moving, grid);
  moving->Allocate();
  cw_volume coarse{grid, 1, moving->GetBufferPointer()};
  core.Check(cw_volume_resample_mean(core, &scan, nullptr, &coarse));
  return moving;
}

template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::Pair CounterwarpAlignToModelFilter<TInputImage>::Prepare(
    const ImageType *reference) {
  using namespace CounterwarpSamples;
  CounterwarpExecution core(this);
  core.SetPart(0.0F, 0.05F);
  Pair pair;
  pair.fixed = reference;
  const auto spacing = reference->GetSpacing();
  const auto size = reference->GetBufferedRegion().GetSize();
  pair.spacing = std::min({spacing[0], spacing[1], spacing[2]});
  const double margin = 0.3 * std::max({spacing[0] * size[0], spacing[1] * size[1], spacing[2] * size[2]});

  const InputImageType *image = this->GetInput();
  const RegionView<InputImageType> samples(image, image->GetLargestPossibleRegion(), true);
  const cw_volume scan = samples.GetVolume();
  for (const float *s = scan.data; s != scan.data + cw_grid_samples(&scan.grid); ++s) {
    if (!std::isfinite(*s)) {
      itkExceptionMacro("The scan holds NaN or Inf, expected finite numbers");
    }
  }
  pair.coarse = this->MakeMoving(core, scan, std::max(4.0, 0.5 * pair.spacing), margin);
  pair.moving = this->MakeMoving(core, scan, 0.5 * pair.spacing, margin);

  // Tissue: where the smoothed template is not empty.
  auto tissue = ImageType::New();
  tissue->CopyInformation(reference);
  tissue->SetRegions(reference->GetBufferedRegion());
  tissue->Allocate();
  const SizeValueType count = reference->GetBufferedRegion().GetNumberOfPixels();
  const float *from = reference->GetBufferPointer();
  float *smooth = tissue->GetBufferPointer();
  std::transform(from, from + count, smooth, [](float value) { return std::abs(value); });
  const float largest = *std::max_element(smooth, smooth + count);
  cw_volume whole{Grid(tissue, tissue->GetBufferedRegion()), 1, smooth};
  core.Check(cw_volume_smooth(core, &whole, 1));
  auto mask = MaskType::ImageType::New();
  mask->CopyInformation(reference);
  mask->SetRegions(reference->GetBufferedRegion());
  mask->Allocate();
  std::transform(smooth, smooth + count, mask->GetBufferPointer(),
                 [largest](float value) { return static_cast<unsigned char>(value > 0.05F * largest); });
  pair.mask = MaskType::New();
  pair.mask->SetImage(mask);
  pair.mask->Update();

  const auto centre_of_mass = [](const ImageType *of) {
    auto moments = ImageMomentsCalculator<ImageType>::New();
    moments->SetImage(of);
    moments->Compute();
    return PointType(moments->GetCenterOfGravity());
  };
  try {
    pair.center = centre_of_mass(tissue);
    pair.movingMass = centre_of_mass(pair.coarse);
  } catch (const ExceptionObject &) {
    itkExceptionMacro("The scan or the model's template has no centre of mass, expected values above 0");
  }
  ContinuousIndex<double, 3> middle;
  for (unsigned int axis = 0; axis < 3; ++axis) {
    middle[axis] = 0.5 * (static_cast<double>(pair.coarse->GetBufferedRegion().GetSize(axis)) - 1);
  }
  pair.coarse->TransformContinuousIndexToPhysicalPoint(middle, pair.movingMiddle);
  m_Done = 0.05F;
  return pair;
}

template <typename TInputImage>
template <typename TTransform>
double CounterwarpAlignToModelFilter<TInputImage>::RunRegistration(const Pair &pair, const ImageType *moving,
                                                                   TTransform *transform,
                                                                   std::initializer_list<double> voxels,
                                                                   unsigned int iterations, float until) {
  using MethodType = ImageRegistrationMethodv4<ImageType, ImageType, TTransform>;
  const auto levels = static_cast<SizeValueType>(voxels.size());
  auto metric = MetricType::New();
  metric->SetNumberOfHistogramBins(32);
  metric->SetUseMovingImageGradientFilter(false);
  metric->SetUseFixedImageGradientFilter(false);
  metric->SetFixedImageMask(pair.mask);
  metric->SetMaximumNumberOfWorkUnits(this->GetNumberOfWorkUnits());
  auto scales = RegistrationParameterScalesFromPhysicalShift<MetricType>::New();
  scales->SetMetric(metric);
  auto optimizer = OptimizerType::New();
  optimizer->SetScalesEstimator(scales);
  optimizer->SetDoEstimateLearningRateOnce(false);
  optimizer->SetDoEstimateLearningRateAtEachIteration(false);
  optimizer->SetLearningRate(2.0);
  optimizer->SetMinimumStepLength(0.005);
  optimizer->SetRelaxationFactor(0.8);
  optimizer->SetGradientMagnitudeTolerance(1e-6);
  optimizer->SetNumberOfIterations(iterations);
  optimizer->SetReturnBestParametersAndValue(true);
  optimizer->SetNumberOfWorkUnits(this->GetNumberOfWorkUnits());

  typename MethodType::ShrinkFactorsArrayType shrink(levels);
  typename MethodType::SmoothingSigmasArrayType sigma(levels);
  SizeValueType level = 0;
  for (const double voxel : voxels) {
    shrink[level] = static_cast<SizeValueType>(std::max(1.0, std::round(voxel / pair.spacing)));
    sigma[level++] = 0.5 * voxel;
  }
  auto method = MethodType::New();
  method->SetFixedImage(pair.fixed);
  method->SetMovingImage(moving);
  method->SetMetric(metric);
  method->SetOptimizer(optimizer);
  method->SetNumberOfWorkUnits(this->GetNumberOfWorkUnits());
  method->SetNumberOfLevels(levels);
  method->SetShrinkFactorsPerLevel(shrink);
  method->SetSmoothingSigmasPerLevel(sigma);
  method->SetSmoothingSigmasAreSpecifiedInPhysicalUnits(true);
  method->SetInitialTransform(transform);
  method->InPlaceOn();

  const float step = (until - m_Done) / static_cast<float>(iterations * levels);
  optimizer->AddObserver(IterationEvent(), [this, step, until](const EventObject &) {
    m_Done = std::min(until, m_Done + step);
    this->UpdateProgress(m_Done);
    if (this->GetAbortGenerateData()) {
      ProcessAborted aborted(__FILE__, __LINE__);
      aborted.SetDescription("CounterwarpAlignToModelFilter: AbortGenerateData was set");
      throw aborted;
    }
  });
  method->Update();
  m_Done = until;
  return optimizer->GetCurrentMetricValue();
}

template <typename TInputImage>
typename CounterwarpAlignToModelFilter<TInputImage>::RigidType::Pointer
CounterwarpAlignToModelFilter<TInputImage>::FindStart(const Pair &pair) {
  const PointType starts[] = {pair.center, pair.movingMass, pair.movingMiddle};
  const double pitches[] = {0.0, 0.3, -0.3};
  typename RigidType::Pointer best;
  double lowest = NumericTraits<double>::max();
  int run = 0;
  for (const PointType &start : starts) {
    for (const double pitch : pitches) {
      auto rigid = RigidType::New();
      rigid->SetCenter(pair.center);
      rigid->SetRotation(pitch, 0, 0);
      rigid->SetTranslation(start - pair.center);
      ++run;
      try {
        const double value = this->RunRegistration(pair, pair.coarse, rigid.GetPointer(), {8.0}, 60,
                                                   0.05F + 0.45F * static_cast<float>(run) / 9);
        if (value < lowest) {
          lowest = value;
          best = rigid;
        }
      } catch (const ProcessAborted &) {
        throw;
      } catch (const ExceptionObject &) {
        // This start does not see enough of the scan.
      }
    }
  }
  if (!best) {
    itkExceptionMacro(
        "The scan overlaps with the model's template from none of the starts: an initial transform is needed");
  }
  return best;
}

template <typename TInputImage>
void CounterwarpAlignToModelFilter<TInputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  const auto model = m_Model->GetCoreModel();
  const ImageType::ConstPointer reference = m_Template ? m_Template : ImageType::ConstPointer(m_Model->GetTemplate());
  if (!reference) {
    itkExceptionMacro("The model's file holds no template: set an image in the model's space by SetTemplate()");
  }
  m_Done = 0.0F;
  const Pair pair = this->Prepare(reference);
  auto affine = AffineType::New();
  affine->SetCenter(pair.center);
  if (this->GetInitialTransform()) {
    affine->SetMatrix(this->GetInitialTransform()->GetMatrix());
    affine->SetTranslation(this->GetInitialTransform()->TransformPoint(pair.center) - pair.center);
  } else {
    const auto rigid = this->FindStart(pair);
    affine->SetMatrix(rigid->GetMatrix());
    affine->SetTranslation(rigid->GetTranslation());
  }
  m_Done = std::max(m_Done, 0.5F);
  m_MetricValue = this->RunRegistration(pair, pair.moving, affine.GetPointer(), {2 * pair.spacing, pair.spacing},
                                        m_MaximumNumberOfIterations, 0.95F);

  CounterwarpExecution core(this);
  core.SetPart(0.95F, 1.0F);
  if (model->template_samples) {
    const InputImageType *image = this->GetInput();
    const RegionView<InputImageType> samples(image, image->GetLargestPossibleRegion(), true);
    const cw_volume scan = samples.GetVolume();
    const cw_affine transform = Affine(*affine);
    std::vector<float> input(cw_grid_samples(&model->preprocessing.grid));
    core.Check(cw_preprocess(core, &model->preprocessing, &scan, &transform, input.data()));
    cw_preprocess_inspect(core, &model->preprocessing, input.data(), model->template_samples, "the aligned scan");
  }
  this->GetTransformOutput()->Set(affine);
  this->UpdateProgress(1.0F);
}

template <typename TInputImage>
void CounterwarpAlignToModelFilter<TInputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  itkPrintSelfObjectMacro(Model);
  itkPrintSelfObjectMacro(Template);
  os << indent << "MaximumNumberOfIterations: " << m_MaximumNumberOfIterations << std::endl;
  os << indent << "MetricValue: " << m_MetricValue << std::endl;
}
}  // end namespace itk

#endif
