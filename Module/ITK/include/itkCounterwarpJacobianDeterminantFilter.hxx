#ifndef itkCounterwarpJacobianDeterminantFilter_hxx
#define itkCounterwarpJacobianDeterminantFilter_hxx

#include "itkCounterwarpExecution.h"

namespace itk {
template <typename TInputImage, typename TRealType, typename TOutputImage>
void CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::GenerateInputRequestedRegion() {
  auto *field = const_cast<InputImageType *>(this->GetInput());
  auto region = this->GetOutput()->GetRequestedRegion();
  region.PadByRadius(1);
  region.Crop(field->GetLargestPossibleRegion());
  field->SetRequestedRegion(region);
}

template <typename TInputImage, typename TRealType, typename TOutputImage>
void CounterwarpJacobianDeterminantFilter<TInputImage, TRealType, TOutputImage>::GenerateData() {
  using namespace CounterwarpSamples;
  this->AllocateOutputs();
  OutputImageType *output = this->GetOutput();
  const auto requested = output->GetRequestedRegion(), needed = this->GetInput()->GetRequestedRegion();
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
