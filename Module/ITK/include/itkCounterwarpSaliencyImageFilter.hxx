#ifndef itkCounterwarpSaliencyImageFilter_hxx
#define itkCounterwarpSaliencyImageFilter_hxx

namespace itk {
template <typename TInputImage, typename TOutputImage>
std::vector<float> CounterwarpSaliencyImageFilter<TInputImage, TOutputImage>::MakeMap(CounterwarpExecution &core,
                                                                                      const cw_model &model,
                                                                                      const float *input) {
  cw_saliency_request request;
  core.Check(cw_saliency_parse(core, m_Method.c_str(), &request));
  if (!m_Layer.empty()) {
    request.layer = cw_graph_find(model.graph, m_Layer.c_str());
    if (request.layer == CW_NONE) {
      itkExceptionMacro("The model has no value named " << m_Layer << ", expected a layer of it");
    }
  }
  cw_saliency *saliency = nullptr;
  core.Check(cw_saliency_create(core, model.graph, &request, 1, &saliency));
  const auto free = [&core](cw_saliency *old) { cw_saliency_free(core, old); };
  const std::unique_ptr<cw_saliency, decltype(free)> owner(saliency, free);

  std::vector<float> map(cw_grid_samples(&model.preprocessing.grid));
  float *const maps[] = {map.data()};
  cw_saliency_note note{};
  const cw_saliency_output output{static_cast<int>(std::min(m_OutputIndex, 1U << 30)), m_Negative};
  core.Check(cw_saliency_maps(core, saliency, input, output, maps, &note));
  if (note.finite) {
    cw_volume volume{model.preprocessing.grid, 1, map.data()};
    core.Check(cw_volume_smooth(core, &volume, m_Sigma));
  }
  m_ExplainedValue = note.y;
  m_CompletenessGap = note.gap;
  m_Reason = note.reason;
  return map;
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpSaliencyImageFilter<TInputImage, TOutputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  const auto model = this->GetModel()->GetCoreModel();
  if (model->kind != CW_MODEL_CLASSIFIER) {
    itkExceptionMacro("The model is a simulator, expected a classifier");
  }
  const TransformType *transform = this->GetTransform();
  const cw_affine affine = transform ? Affine(*transform) : cw_affine_identity();

  this->AllocateOutputs();
  CounterwarpExecution core(this);
  core.SetPart(0.0F, 0.2F);
  const std::vector<float> input =
      this->MakeNetworkInput(core, *model, this->GetInput(), transform ? &affine : nullptr, "the scan");
  core.SetPart(0.2F, 0.8F);
  std::vector<float> map = this->MakeMap(core, *model, input.data());

  core.SetPart(0.8F, 1.0F);
  cw_affine to_model;
  core.Check(cw_affine_invert(core, &affine, &to_model));
  const cw_volume on_model{model->preprocessing.grid, 1, map.data()};
  RegionView<OutputImageType> out(this->GetOutput(), this->GetOutput()->GetRequestedRegion(), false);
  cw_volume on_scan = out.GetVolume();
  core.Check(cw_volume_resample(core, &on_model, transform ? &to_model : nullptr, &on_scan));
  out.Store();
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpSaliencyImageFilter<TInputImage, TOutputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "Method: " << m_Method << std::endl;
  os << indent << "Layer: " << m_Layer << std::endl;
  os << indent << "OutputIndex: " << m_OutputIndex << std::endl;
  os << indent << "Negative: " << (m_Negative ? "On" : "Off") << std::endl;
  os << indent << "Sigma: " << m_Sigma << std::endl;
  os << indent << "ExplainedValue: " << m_ExplainedValue << std::endl;
  os << indent << "CompletenessGap: " << m_CompletenessGap << std::endl;
  os << indent << "Reason: " << m_Reason << std::endl;
}
}  // end namespace itk

#endif
