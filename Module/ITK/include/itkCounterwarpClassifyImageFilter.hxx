#ifndef itkCounterwarpClassifyImageFilter_hxx
#define itkCounterwarpClassifyImageFilter_hxx

#include "itkCounterwarpExecution.h"

namespace itk {
template <typename TInputImage>
CounterwarpClassifyImageFilter<TInputImage>::CounterwarpClassifyImageFilter() {
  this->SetNumberOfRequiredInputs(1);
  this->SetNumberOfRequiredOutputs(1);
  this->SetNthOutput(0, this->MakeOutput(0));
}

template <typename TInputImage>
ModifiedTimeType CounterwarpClassifyImageFilter<TInputImage>::GetMTime() const {
  return m_Model ? std::max(Superclass::GetMTime(), m_Model->GetMTime()) : Superclass::GetMTime();
}

template <typename TInputImage>
void CounterwarpClassifyImageFilter<TInputImage>::VerifyPreconditions() const {
  Superclass::VerifyPreconditions();
  if (!m_Model) {
    itkExceptionMacro("No model was set: call SetModel() first");
  }
}

template <typename TInputImage>
void CounterwarpClassifyImageFilter<TInputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  const auto model = m_Model->GetCoreModel();
  const InputImageType *image = this->GetInput();
  const cw_affine affine = this->GetTransform() ? Affine(*this->GetTransform()) : cw_affine_identity();

  CounterwarpExecution core(this);
  const RegionView<InputImageType> samples(image, image->GetLargestPossibleRegion(), true);
  const cw_volume scan = samples.GetVolume();
  std::vector<float> input(cw_grid_samples(&model->preprocessing.grid));
  float logit = 0;
  core.SetPart(0.0F, 0.5F);
  core.Check(cw_preprocess(core, &model->preprocessing, &scan, this->GetTransform() ? &affine : nullptr, input.data()));
  if (model->template_samples) {
    cw_preprocess_inspect(core, &model->preprocessing, input.data(), model->template_samples, "the scan");
  }
  core.SetPart(0.5F, 1.0F);
  core.Check(cw_model_logits(core, model.get(), input.data(), 1, &logit));
  static_cast<LogitObjectType *>(this->ProcessObject::GetOutput(0))->Set(logit);
  this->UpdateProgress(1.0F);
}

template <typename TInputImage>
void CounterwarpClassifyImageFilter<TInputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  itkPrintSelfObjectMacro(Model);
  os << indent << "Logit: " << this->GetLogit() << std::endl;
}
}  // end namespace itk

#endif
