#ifndef itkCounterwarpWarpImageFilter_h
#define itkCounterwarpWarpImageFilter_h

#include "itkCounterwarpSamples.h"
#include "itkImageToImageFilter.h"

namespace itk {
/** \class CounterwarpWarpImageFilter
 * \brief Warps an image with a displacement field: out(x) = in(x + u(x)).
 *
 * Takes the place of WarpImageFilter with its default linear interpolator, several times faster.  The image and the
 * field may lie on any two grids (oblique, anisotropic, left-handed).
 *
 * Regions: the output lies on the field's grid; of the field just the requested region is needed, of the image all.
 *
 * Differences from WarpImageFilter:
 * - The output's grid is always the field's (there, it is the default once SetOutputParametersFromImage(field) was
 *   called).
 * - Samples outside the image count as zero, so that values fall to zero within one voxel beyond the outermost samples;
 *   there, they stay constant for half a voxel and are EdgePaddingValue farther out.
 * - Whole-number output pixels are rounded and clamped; there, they are truncated.
 * - Samples are float on the way: labels above 2^24 are not exact.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage, typename TOutputImage = TInputImage,
          typename TDisplacementField = CounterwarpSamples::FieldType>
class ITK_TEMPLATE_EXPORT CounterwarpWarpImageFilter : public ImageToImageFilter<TInputImage, TOutputImage> {
  static_assert(TInputImage::ImageDimension == 3 && TOutputImage::ImageDimension == 3 &&
                    TDisplacementField::ImageDimension == 3,
                "Counterwarp filters need images of dimension 3");

 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpWarpImageFilter);

  using Self = CounterwarpWarpImageFilter;
  using Superclass = ImageToImageFilter<TInputImage, TOutputImage>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using OutputImageType = TOutputImage;
  using DisplacementFieldType = TDisplacementField;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpWarpImageFilter"; }

  /** The field: a pull-back in mm, with components along the axes of the physical world. */
  itkSetInputMacro(DisplacementField, DisplacementFieldType);
  itkGetInputMacro(DisplacementField, DisplacementFieldType);

  /** For label images: takes the nearest sample instead of interpolating.  Off by default. */
  itkSetMacro(UseNearestNeighbor, bool);
  itkGetConstMacro(UseNearestNeighbor, bool);
  itkBooleanMacro(UseNearestNeighbor);

 protected:
  CounterwarpWarpImageFilter();
  ~CounterwarpWarpImageFilter() override = default;

  void VerifyInputInformation() const override {}
  void GenerateOutputInformation() override;
  void GenerateInputRequestedRegion() override;
  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  bool m_UseNearestNeighbor{false};
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpWarpImageFilter.hxx"
#endif

#endif
