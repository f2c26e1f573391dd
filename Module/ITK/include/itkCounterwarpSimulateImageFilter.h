#ifndef itkCounterwarpSimulateImageFilter_h
#define itkCounterwarpSimulateImageFilter_h

#include "counterwarp/results.h"
#include "itkCounterwarpFilterBases.h"
#include "itkDataObjectDecorator.h"
#include "itkSimpleDataObjectDecorator.h"

namespace itk {
/** \class CounterwarpSimulateImageFilter
 * \brief A scan as the classifier would see it with more (inject) or less (remove) of the disease.
 *
 * \code
 * auto simulate = itk::CounterwarpSimulateImageFilter<ImageType>::New();
 * simulate->SetInput(scan);
 * simulate->SetModel(model);
 * simulate->SetDirectionToRemove();
 * simulate->Update();
 * \endcode
 *
 * Outputs, all on the scan's own grid: the simulated scan, the displacement field (a pull-back in mm,
 * out(x) = in(x + u(x))), the logarithm of its Jacobian determinant (above 0 where tissue shrank); and the classifier's
 * logits of the scan before and after.  After a change of the strength alone, the field of the model's grid is used
 * again and the networks do not see the scan anew.
 *
 * The model must be a simulator.  The scan must lie where the model expects it, or come with a transform
 * (CounterwarpAlignToModelFilter finds one); the field is carried to the scan by its inverse.
 *
 * Regions: the whole scan is needed and computed.
 *
 * Limitations: between two reports of progress lies one pass of the simulator; it can be aborted after that.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage, typename TOutputImage = TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpSimulateImageFilter
    : public CounterwarpModelFilter<CounterwarpWholeImageFilter<TInputImage, TOutputImage>> {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpSimulateImageFilter);

  using Self = CounterwarpSimulateImageFilter;
  using Superclass = CounterwarpModelFilter<CounterwarpWholeImageFilter<TInputImage, TOutputImage>>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using OutputImageType = TOutputImage;
  using DisplacementFieldType = CounterwarpSamples::FieldType;
  using LogJacobianType = Image<float, 3>;
  using typename Superclass::TransformType;
  using LogitObjectType = SimpleDataObjectDecorator<double>;
  using typename Superclass::DataObjectPointerArraySizeType;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpSimulateImageFilter"; }

  /** Maps points of the model's space to points of the scan; none: the identity. */
  itkSetGetDecoratedObjectInputMacro(Transform, TransformType);

  /** Whether the disease is injected, or removed.  Default: injected. */
  itkSetMacro(Inject, bool);
  itkGetConstMacro(Inject, bool);
  void SetDirectionToInject() { this->SetInject(true); }
  void SetDirectionToRemove() { this->SetInject(false); }

  /** How far; 1, the default, is what the simulator was trained for. */
  itkSetMacro(Strength, double);
  itkGetConstMacro(Strength, double);

  DisplacementFieldType *GetDisplacementField() {
    return static_cast<DisplacementFieldType *>(this->ProcessObject::GetOutput(1));
  }
  LogJacobianType *GetLogJacobian() { return static_cast<LogJacobianType *>(this->ProcessObject::GetOutput(2)); }
  const LogitObjectType *GetLogitBeforeOutput() const {
    return static_cast<const LogitObjectType *>(this->ProcessObject::GetOutput(3));
  }
  const LogitObjectType *GetLogitAfterOutput() const {
    return static_cast<const LogitObjectType *>(this->ProcessObject::GetOutput(4));
  }
  /** Of the scan and of the simulated scan of the last update. */
  double GetLogitBefore() const { return this->GetLogitBeforeOutput()->Get(); }
  double GetLogitAfter() const { return this->GetLogitAfterOutput()->Get(); }

  /** Voxels of the scan where the determinant is 0 or below, and the largest displacement in mm, of the last update. */
  itkGetConstMacro(NumberOfFolds, SizeValueType);
  itkGetConstMacro(LargestDisplacement, double);
  /** How often the simulator has run so far: changes of the strength alone do not count. */
  itkGetConstMacro(NumberOfNetworkRuns, SizeValueType);

  using Superclass::MakeOutput;
  DataObject::Pointer MakeOutput(DataObjectPointerArraySizeType index) override;

 protected:
  CounterwarpSimulateImageFilter();
  ~CounterwarpSimulateImageFilter() override;

  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  /** All that the simulator's answer depends on. */
  struct Question {
    CounterwarpModel::CoreModelPointer Model;
    const DataObject *Scan{};
    const void *Samples{};
    ModifiedTimeType ScanTime{};
    bool Inject{};
    bool HasTransform{};
    cw_affine Transform{};

    bool operator==(const Question &other) const;
  };

  void Ask(const Question &question, const cw_volume &scan);
  void Forget();
  template <typename TImage>
  static void Store(CounterwarpExecution &core, const cw_volume &volume, TImage *image);

  bool m_Inject{true};
  double m_Strength{1.0};
  SizeValueType m_NumberOfFolds{0};
  double m_LargestDisplacement{0.0};
  SizeValueType m_NumberOfNetworkRuns{0};

  cw_context *m_Keeper{};  // frees m_Response
  cw_response m_Response{};
  Question m_Answered;
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpSimulateImageFilter.hxx"
#endif

#endif
