#ifndef itkCounterwarpInvertFieldFilter_h
#define itkCounterwarpInvertFieldFilter_h

#include "itkCounterwarpFilterBases.h"

namespace itk {
/** \class CounterwarpInvertFieldFilter
 * \brief Inverse of a displacement field, by fixed-point iteration.
 *
 * Takes the place of InvertDisplacementFieldImageFilter.  For the field of a velocity, exp(-v) of
 * CounterwarpExponentialFieldFilter is faster and better.
 *
 * Regions: the whole field is needed and computed.
 *
 * Differences from InvertDisplacementFieldImageFilter:
 * - Displacements at the border are not set to zero (there, EnforceBoundaryCondition does that by default); beyond the
 *   border the field goes on with its outermost samples.
 * - The iteration ends by the largest residual alone; residuals count where the inverse point lies inside the field.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage, typename TOutputImage = TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpInvertFieldFilter : public CounterwarpWholeImageFilter<TInputImage, TOutputImage> {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpInvertFieldFilter);

  using Self = CounterwarpInvertFieldFilter;
  using Superclass = CounterwarpWholeImageFilter<TInputImage, TOutputImage>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using OutputImageType = TOutputImage;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpInvertFieldFilter"; }

  /** The input, under the name that InvertDisplacementFieldImageFilter has for it. */
  void SetDisplacementField(const InputImageType *field) { this->SetInput(field); }
  const InputImageType *GetDisplacementField() const { return this->GetInput(); }

  /** Default: 20. */
  itkSetMacro(MaximumNumberOfIterations, unsigned int);
  itkGetConstMacro(MaximumNumberOfIterations, unsigned int);

  /** Largest residual, in voxels, at which the iteration ends.  Default: 0.01. */
  itkSetMacro(MaxErrorToleranceThreshold, double);
  itkGetConstMacro(MaxErrorToleranceThreshold, double);

  /** Largest residual of the last update, in voxels. */
  itkGetConstMacro(MaxErrorNorm, double);

 protected:
  CounterwarpInvertFieldFilter() = default;
  ~CounterwarpInvertFieldFilter() override = default;

  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  unsigned int m_MaximumNumberOfIterations{20};
  double m_MaxErrorToleranceThreshold{0.01};
  double m_MaxErrorNorm{0.0};
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpInvertFieldFilter.hxx"
#endif

#endif
