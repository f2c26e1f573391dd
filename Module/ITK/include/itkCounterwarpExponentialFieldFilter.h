#ifndef itkCounterwarpExponentialFieldFilter_h
#define itkCounterwarpExponentialFieldFilter_h

#include "itkCounterwarpFilterBases.h"

namespace itk {
/** \class CounterwarpExponentialFieldFilter
 * \brief Displacement field exp(v) of a stationary velocity field, by scaling and squaring.
 *
 * Takes the place of ExponentialDisplacementFieldImageFilter, several times faster; also gives exp(t v) for any t
 * (SetScale()).
 *
 * Regions: the whole field is needed and computed.
 *
 * Differences from ExponentialDisplacementFieldImageFilter:
 * - The automatic number of squarings looks at the gradient as well as at the length of the velocity, and is 12 at
 * most.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage, typename TOutputImage = TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpExponentialFieldFilter
    : public CounterwarpWholeImageFilter<TInputImage, TOutputImage> {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpExponentialFieldFilter);

  using Self = CounterwarpExponentialFieldFilter;
  using Superclass = CounterwarpWholeImageFilter<TInputImage, TOutputImage>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using OutputImageType = TOutputImage;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpExponentialFieldFilter"; }

  /** Number of squarings, or the most of them where it is automatic; 0 to 30.  Default: 20. */
  itkSetMacro(MaximumNumberOfIterations, unsigned int);
  itkGetConstMacro(MaximumNumberOfIterations, unsigned int);

  /** Takes as many squarings as the field asks for.  On by default. */
  itkSetMacro(AutomaticNumberOfIterations, bool);
  itkGetConstMacro(AutomaticNumberOfIterations, bool);
  itkBooleanMacro(AutomaticNumberOfIterations);

  /** exp(-v), the inverse of exp(v).  Off by default. */
  itkSetMacro(ComputeInverse, bool);
  itkGetConstMacro(ComputeInverse, bool);
  itkBooleanMacro(ComputeInverse);

  /** t of exp(t v).  Default: 1. */
  itkSetMacro(Scale, double);
  itkGetConstMacro(Scale, double);

 protected:
  CounterwarpExponentialFieldFilter() = default;
  ~CounterwarpExponentialFieldFilter() override = default;

  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  unsigned int m_MaximumNumberOfIterations{20};
  bool m_AutomaticNumberOfIterations{true};
  bool m_ComputeInverse{false};
  double m_Scale{1.0};
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpExponentialFieldFilter.hxx"
#endif

#endif
