#ifndef itkCounterwarpWarpImageFilter_hxx
#define itkCounterwarpWarpImageFilter_hxx

#include "itkCounterwarpExecution.h"

namespace itk {
template <typename TInputImage, typename TOutputImage, typename TDisplacementField>
CounterwarpWarpImageFilter<TInputImage, TOutputImage, TDisplacementField>::CounterwarpWarpImageFilter() {
  this->AddRequiredInputName("DisplacementField", 1);
}

template <typename TInputImage, typename TOutputImage, typename TDisplacementField>
void CounterwarpWarpImageFilter<TInputImage, TOutputImage, TDisplacementField>::GenerateOutputInformation() {
  Superclass::GenerateOutputInformation();
  const DisplacementFieldType *field = this->GetDisplacementField();
  OutputImageType *output = this->GetOutput();
  output->SetLargestPossibleRegion(field->GetLargestPossibleRegion());
  output->SetSpacing(field->GetSpacing());
  output->SetOrigin(field->GetOrigin());
  output->SetDirection(field->GetDirection());
}

template <typename TInputImage, typename TOutputImage, typename TDisplacementField>
void CounterwarpWarpImageFilter<TInputImage, TOutputImage, TDisplacementField>::GenerateInputRequestedRegion() {
  const_cast<InputImageType *>(this->GetInput())->SetRequestedRegionToLargestPossibleRegion();
  const_cast<DisplacementFieldType *>(this->GetDisplacementField())
      ->SetRequestedRegion(this->GetOutput()->GetRequestedRegion());
}

template <typename TInputImage, typename TOutputImage, typename TDisplacementField>
void CounterwarpWarpImageFilter<TInputImage, TOutputImage, TDisplacementField>::GenerateData() {
  using namespace CounterwarpSamples;
  this->AllocateOutputs();
  const InputImageType *image = this->GetInput();
  OutputImageType *output = this->GetOutput();
  const auto requested = output->GetRequestedRegion();

  CounterwarpExecution core(this);
  const RegionView<InputImageType> in(image, image->GetLargestPossibleRegion(), true);
  const RegionView<DisplacementFieldType> field(this->GetDisplacementField(), requested, true);
  RegionView<OutputImageType> out(output, requested, false);
  const cw_volume volume = in.GetVolume();
  core.Check(cw_view_warp(core, &volume, field.GetView(), m_UseNearestNeighbor, out.GetView()));
  out.Store();
}

template <typename TInputImage, typename TOutputImage, typename TDisplacementField>
void CounterwarpWarpImageFilter<TInputImage, TOutputImage, TDisplacementField>::PrintSelf(std::ostream &os,
                                                                                          Indent indent) const {
  Superclass::PrintSelf(os, indent);
  os << indent << "UseNearestNeighbor: " << (m_UseNearestNeighbor ? "On" : "Off") << std::endl;
}
}  // end namespace itk

#endif
