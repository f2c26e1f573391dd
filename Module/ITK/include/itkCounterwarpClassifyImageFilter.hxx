#ifndef itkCounterwarpClassifyImageFilter_hxx
#define itkCounterwarpClassifyImageFilter_hxx

namespace itk {
template <typename TInputImage>
CounterwarpClassifyImageFilter<TInputImage>::CounterwarpClassifyImageFilter() {
  this->SetNthOutput(0, this->MakeOutput(0));
}

template <typename TInputImage>
void CounterwarpClassifyImageFilter<TInputImage>::GenerateData() {
  const auto model = this->GetModel()->GetCoreModel();
  const TransformType *transform = this->GetTransform();
  const cw_affine affine = transform ? CounterwarpSamples::Affine(*transform) : cw_affine_identity();

  CounterwarpExecution core(this);
  core.SetPart(0.0F, 0.5F);
  const std::vector<float> input =
      this->MakeNetworkInput(core, *model, this->GetInput(), transform ? &affine : nullptr, "the scan");
  core.SetPart(0.5F, 1.0F);
  float logit = 0;
  core.Check(cw_model_logits(core, model.get(), input.data(), 1, &logit));
  static_cast<LogitObjectType *>(this->ProcessObject::GetOutput(0))->Set(logit);
  this->UpdateProgress(1.0F);
}

template <typename TInputImage>
void CounterwarpClassifyImageFilter<TInputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "Logit: " << this->GetLogit() << std::endl;
}
}  // end namespace itk

#endif
