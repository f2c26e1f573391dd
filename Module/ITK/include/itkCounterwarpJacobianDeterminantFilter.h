#ifndef itkCounterwarpJacobianDeterminantFilter_h
#define itkCounterwarpJacobianDeterminantFilter_h

#include "itkCounterwarpSamples.h"
#include "itkImageToImageFilter.h"

namespace itk {
/** \class CounterwarpJacobianDeterminantFilter
 * \brief Jacobian determinant det(I + du/dx) of a displacement field, or its natural logarithm.
 *
 * Takes the place of DisplacementFieldJacobianDeterminantFilter, many times faster.  For a pull-back, values above 1
 * mean that tissue shrank.
 *
 * Regions: of the field the requested region is needed, and one sample around it.
 *
 * Differences from DisplacementFieldJacobianDeterminantFilter:
 * - The image's direction counts: derivatives are those along the axes of the physical world, whose components the
 *   vectors have.  There, before ITK 6, the direction is ignored, which is right for the identity alone.
 * - At the border of the whole field differences are one-sided; there, the outermost sample is repeated, which halves
 *   the derivative.
 * - The image's spacing is always used.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage, typename TRealType = float, typename TOutputImage = Image<TRealType, 3>>
class ITK_TEMPLATE_EXPORT CounterwarpJacobianDeterminantFilter : public ImageToImageFilter<TInputImage, TOutputImage> {
  static_assert(TInputImage::ImageDimension == 3 && TOutputImage::ImageDimension == 3,
                "Counterwarp filters need images of dimension 3");

 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpJacobianDeterminantFilter);

  using Self = CounterwarpJacobianDeterminantFilter;
  using Superclass = ImageToImageFilter<TInputImage, TOutputImage>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using OutputImageType = TOutputImage;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpJacobianDeterminantFilter"; }

  /** The natural logarithm instead; determinants of 0 and below count as 0.001.  Off by default. */
  itkSetMacro(Logarithm, bool);
  itkGetConstMacro(Logarithm, bool);
  itkBooleanMacro(Logarithm);

  /** Samples with a determinant of 0 or below, in the region that the last update computed. */
  itkGetConstMacro(NumberOfFolds, SizeValueType);

 protected:
  using RegionType = typename InputImageType::RegionType;

  CounterwarpJacobianDeterminantFilter() = default;
  ~CounterwarpJacobianDeterminantFilter() override = default;

  void GenerateInputRequestedRegion() override;
  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  RegionType NeededRegion() const;

  bool m_Logarithm{false};
  SizeValueType m_NumberOfFolds{0};
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpJacobianDeterminantFilter.hxx"
#endif

#endif
