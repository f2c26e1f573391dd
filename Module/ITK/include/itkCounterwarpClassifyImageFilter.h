#ifndef itkCounterwarpClassifyImageFilter_h
#define itkCounterwarpClassifyImageFilter_h

#include "itkCounterwarpFilterBases.h"
#include "itkDataObjectDecorator.h"
#include "itkSimpleDataObjectDecorator.h"

namespace itk {
/** \class CounterwarpClassifyImageFilter
 * \brief Logit of a scan: above 0 the classifier says patient, below 0 control.
 *
 * The model may be a classifier, or a simulator for the classifier inside.  The scan may have any size, spacing and
 * orientation; it must lie where the model expects it, or come with a transform (CounterwarpAlignToModelFilter finds
 * one).  A scan that looks unlike those that the model was trained on gives a warning.
 *
 * Regions: the whole scan is needed.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpClassifyImageFilter
    : public CounterwarpModelFilter<CounterwarpScanProcess<TInputImage>> {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpClassifyImageFilter);

  using Self = CounterwarpClassifyImageFilter;
  using Superclass = CounterwarpModelFilter<CounterwarpScanProcess<TInputImage>>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using typename Superclass::DataObjectPointerArraySizeType;
  using typename Superclass::TransformType;
  using LogitObjectType = SimpleDataObjectDecorator<double>;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpClassifyImageFilter"; }

  /** Maps points of the model's space to points of the scan; none: the identity. */
  itkSetGetDecoratedObjectInputMacro(Transform, TransformType);

  /** Of the last update. */
  double GetLogit() const { return this->GetLogitOutput()->Get(); }
  const LogitObjectType *GetLogitOutput() const {
    return static_cast<const LogitObjectType *>(this->ProcessObject::GetOutput(0));
  }

  using Superclass::MakeOutput;
  DataObject::Pointer MakeOutput(DataObjectPointerArraySizeType) override {
    return LogitObjectType::New().GetPointer();
  }

 protected:
  CounterwarpClassifyImageFilter();
  ~CounterwarpClassifyImageFilter() override = default;

  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpClassifyImageFilter.hxx"
#endif

#endif
