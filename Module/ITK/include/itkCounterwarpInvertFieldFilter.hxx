#ifndef itkCounterwarpInvertFieldFilter_hxx
#define itkCounterwarpInvertFieldFilter_hxx

namespace itk {
template <typename TInputImage, typename TOutputImage>
void CounterwarpInvertFieldFilter<TInputImage, TOutputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  this->AllocateOutputs();
  OutputImageType *output = this->GetOutput();
  const auto region = output->GetRequestedRegion();

  CounterwarpExecution core(this);
  const RegionView<InputImageType> field(this->GetInput(), region, true);
  RegionView<OutputImageType> out(output, region, false);
  const int iterations = static_cast<int>(std::min(m_MaximumNumberOfIterations, 1000000U));
  core.Check(
      cw_view_invert(core, field.GetView(), iterations, m_MaxErrorToleranceThreshold, out.GetView(), &m_MaxErrorNorm));
  out.Store();
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpInvertFieldFilter<TInputImage, TOutputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "MaximumNumberOfIterations: " << m_MaximumNumberOfIterations << std::endl;
  os << indent << "MaxErrorToleranceThreshold: " << m_MaxErrorToleranceThreshold << std::endl;
  os << indent << "MaxErrorNorm: " << m_MaxErrorNorm << std::endl;
}
}  // end namespace itk

#endif
