#ifndef itkCounterwarpSimulateImageFilter_hxx
#define itkCounterwarpSimulateImageFilter_hxx

#include <cstring>
#include <memory>

namespace itk {
template <typename TInputImage, typename TOutputImage>
bool CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::Question::operator==(const Question &other) const {
  return Model == other.Model && Scan == other.Scan && Samples == other.Samples && ScanTime == other.ScanTime &&
         Inject == other.Inject && HasTransform == other.HasTransform &&
         !std::memcmp(&Transform, &other.Transform, sizeof Transform);
}

template <typename TInputImage, typename TOutputImage>
CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::CounterwarpSimulateImageFilter() {
  if (cw_context_create(nullptr, &m_Keeper) != CW_OK) {
    throw MemoryAllocationError(__FILE__, __LINE__, "out of memory", "CounterwarpSimulateImageFilter");
  }
  this->SetNumberOfRequiredOutputs(5);
  for (DataObjectPointerArraySizeType i = 1; i < 5; ++i) {
    this->SetNthOutput(i, this->MakeOutput(i));
  }
}

template <typename TInputImage, typename TOutputImage>
CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::~CounterwarpSimulateImageFilter() {
  this->Forget();
  cw_context_free(m_Keeper);
}

template <typename TInputImage, typename TOutputImage>
DataObject::Pointer CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::MakeOutput(
    DataObjectPointerArraySizeType index) {
  switch (index) {
    case 0:
      return OutputImageType::New().GetPointer();
    case 1:
      return DisplacementFieldType::New().GetPointer();
    case 2:
      return LogJacobianType::New().GetPointer();
    default:
      return LogitObjectType::New().GetPointer();
  }
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::Forget() {
  cw_response_free(m_Keeper, &m_Response);
  m_Answered = Question();
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::Ask(const Question &question, const cw_volume &scan) {
  this->Forget();
  const CounterwarpModel::CoreModelPointer &model = question.Model;
  CounterwarpExecution core(this);
  core.SetPart(0.0F, 0.4F);
  core.Check(cw_simulate_response(core, model.get(), &scan, question.HasTransform ? &question.Transform : nullptr,
                                  question.Inject ? 1.0F : -1.0F, &m_Response));
  m_Answered = question;
  ++m_NumberOfNetworkRuns;
  if (model->template_samples) {
    cw_preprocess_inspect(core, &model->preprocessing, m_Response.input, model->template_samples, "the scan");
  }
}

template <typename TInputImage, typename TOutputImage>
template <typename TImage>
void CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::Store(CounterwarpExecution &core,
                                                                      const cw_volume &volume, TImage *image) {
  CounterwarpSamples::RegionView<TImage> to(image, image->GetBufferedRegion(), false);
  const cw_view from = cw_volume_view(&volume);
  core.Check(cw_view_copy(core, &from, to.GetView()));
  to.Store();
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  this->AllocateOutputs();
  const InputImageType *image = this->GetInput();
  const RegionView<InputImageType> samples(image, image->GetLargestPossibleRegion(), true);
  const cw_volume scan = samples.GetVolume();

  Question question;
  question.Model = this->GetModel()->GetCoreModel();
  question.Scan = image;
  question.Samples = image->GetBufferPointer();
  question.ScanTime = std::max(image->GetMTime(), image->GetUpdateMTime());
  question.Inject = m_Inject;
  question.HasTransform = this->GetTransform() != nullptr;
  question.Transform = question.HasTransform ? Affine(*this->GetTransform()) : cw_affine_identity();
  if (!(question == m_Answered)) {
    this->Ask(question, scan);
  }

  CounterwarpExecution core(this);
  core.SetPart(0.4F, 0.9F);
  cw_simulation simulation{};
  core.Check(cw_simulate_strength(core, question.Model.get(), &scan,
                                  question.HasTransform ? &question.Transform : nullptr, &m_Response,
                                  static_cast<float>(m_Strength), &simulation));
  const auto free = [&core](cw_simulation *old) { cw_simulation_free(core, old); };
  const std::unique_ptr<cw_simulation, decltype(free)> owner(&simulation, free);
  core.SetPart(0.9F, 1.0F);
  Store(core, simulation.image, this->GetOutput());
  Store(core, simulation.field, this->GetDisplacementField());
  Store(core, simulation.log_jacobian, this->GetLogJacobian());
  static_cast<LogitObjectType *>(this->ProcessObject::GetOutput(3))->Set(simulation.logit_before);
  static_cast<LogitObjectType *>(this->ProcessObject::GetOutput(4))->Set(simulation.logit_after);
  m_NumberOfFolds = simulation.folded;
  m_LargestDisplacement = simulation.largest;
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpSimulateImageFilter<TInputImage, TOutputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "Inject: " << (m_Inject ? "On" : "Off") << std::endl;
  os << indent << "Strength: " << m_Strength << std::endl;
  os << indent << "LogitBefore: " << this->GetLogitBefore() << std::endl;
  os << indent << "LogitAfter: " << this->GetLogitAfter() << std::endl;
  os << indent << "NumberOfFolds: " << m_NumberOfFolds << std::endl;
  os << indent << "LargestDisplacement: " << m_LargestDisplacement << std::endl;
  os << indent << "NumberOfNetworkRuns: " << m_NumberOfNetworkRuns << std::endl;
}
}  // end namespace itk

#endif
