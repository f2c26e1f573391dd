#ifndef itkCounterwarpJacobianDeterminantFilter_hxx
#define itkCounterwarpJacobianDeterminantFilter_hxx

#include "itkCounterwarpExecution.h"

namespace itk {
/** Of the field; its own requested region may be another filter's by the time of the work. */
template <typename TInputImage, typename TRealType, typename TOutputImage>
typename CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::RegionType
CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::NeededRegion() const {
  RegionType region = this->GetOutput()->GetRequestedRegion();
  region.PadByRadius(1);
  region.Crop(this->GetInput()->GetLargestPossibleRegion());
  return region;
}

template <typename TInputImage, typename TRealType, typename TOutputImage>
void CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::GenerateInputRequestedRegion() {
  const_cast<InputImageType *>(this->GetInput())->SetRequestedRegion(this->NeededRegion());
}

template <typename TInputImage, typename TRealType, typename TOutputImage>
void CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  this->AllocateOutputs();
  OutputImageType *output = this->GetOutput();
  const auto requested = output->GetRequestedRegion(), needed = this->NeededRegion();
  int first[3];
  for (unsigned int axis = 0; axis < 3; ++axis) {
    first[axis] = static_cast<int>(requested.GetIndex(axis) - needed.GetIndex(axis));
  }

  CounterwarpExecution core(this);
  const RegionView<InputImageType> field(this->GetInput(), needed, true);
  RegionView<OutputImageType> out(output, requested, false);
  size_t folded = 0;
  core.Check(cw_view_jacobian(core, field.GetView(), first, m_Logarithm, out.GetView(), &folded));
  out.Store();
  m_NumberOfFolds = folded;
}

template <typename TInputImage, typename TRealType, typename TOutputImage>
void CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::PrintSelf(std::ostream &os,
                                                                                           Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "Logarithm: " << (m_Logarithm ? "On" : "Off") << std::endl;
  os << indent << "NumberOfFolds: " << m_NumberOfFolds << std::endl;
}
}  // end namespace itk

#endif
