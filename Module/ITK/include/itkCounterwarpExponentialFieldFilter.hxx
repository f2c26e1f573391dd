#ifndef itkCounterwarpExponentialFieldFilter_hxx
#define itkCounterwarpExponentialFieldFilter_hxx

namespace itk {
template <typename TInputImage, typename TOutputImage>
void CounterwarpExponentialFieldFilter<TInputImage, TOutputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  this->AllocateOutputs();
  OutputImageType *output = this->GetOutput();
  const auto region = output->GetRequestedRegion();

  CounterwarpExecution core(this);
  const RegionView<InputImageType> velocity(this->GetInput(), region, true);
  RegionView<OutputImageType> out(output, region, false);
  const int squarings = static_cast<int>(std::min(m_MaximumNumberOfIterations, 1000U));  // the core refuses above 30
  core.Check(cw_view_exponential(core, velocity.GetView(), m_ComputeInverse ? -m_Scale : m_Scale, squarings,
                                 m_AutomaticNumberOfIterations, out.GetView()));
  out.Store();
}

template <typename TInputImage, typename TOutputImage>
void CounterwarpExponentialFieldFilter<TInputImage, TOutputImage>::PrintSelf(std::ostream &os, Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "MaximumNumberOfIterations: " << m_MaximumNumberOfIterations << std::endl;
  os << indent << "AutomaticNumberOfIterations: " << (m_AutomaticNumberOfIterations ? "On" : "Off") << std::endl;
  os << indent << "ComputeInverse: " << (m_ComputeInverse ? "On" : "Off") << std::endl;
  os << indent << "Scale: " << m_Scale << std::endl;
}
}  // end namespace itk

#endif
