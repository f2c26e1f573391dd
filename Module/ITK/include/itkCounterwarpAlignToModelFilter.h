#ifndef itkCounterwarpAlignToModelFilter_h
#define itkCounterwarpAlignToModelFilter_h

#include "itkAffineTransform.h"
#include "itkCounterwarpExecution.h"
#include "itkCounterwarpModel.h"
#include "itkDataObjectDecorator.h"
#include "itkEuler3DTransform.h"
#include "itkImageMaskSpatialObject.h"
#include "itkImageRegistrationMethodv4.h"
#include "itkMattesMutualInformationImageToImageMetricv4.h"
#include "itkProcessObject.h"
#include "itkRegularStepGradientDescentOptimizerv4.h"

namespace itk {
/** \class CounterwarpAlignToModelFilter
 * \brief Affine transform that aligns a scan to a model, by registration to the model's template.
 *
 * Maps points of the model's space to points of the scan: what the Transform input of the simulation and of the
 * classification, and `counterwarp --transform`, take.  ITK's registration framework: Mattes mutual information inside
 * the template's tissue, rigid from several starts on a coarse grid (the scan's own coordinates, its centre of mass and
 * its middle; three pitches of the head), then affine from coarse to fine, from the best of them.
 *
 * The scan may come straight from a scanner, skull included; its header must tell left from right and up from down.
 *
 * Regions: the whole scan is needed.
 *
 * A result that still looks unlike the template gives a warning.
 *
 * Limitations: two runs agree within a fraction of a voxel, not to the bit (threads of ITK's metric add their parts in
 * the order in which they end).  It can be aborted after each iteration, but not while the registration smooths the
 * scan (a second or so).
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpAlignToModelFilter : public ProcessObject {
  static_assert(TInputImage::ImageDimension == 3, "Counterwarp filters need images of dimension 3");

 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpAlignToModelFilter);

  using Self = CounterwarpAlignToModelFilter;
  using Superclass = ProcessObject;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using ImageType = Image<float, 3>;
  using TransformType = MatrixOffsetTransformBase<double, 3, 3>;
  using AffineType = AffineTransform<double, 3>;
  using DecoratedTransformType = DataObjectDecorator<TransformType>;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpAlignToModelFilter"; }

  using Superclass::SetInput;
  void SetInput(const InputImageType *image) {
    this->ProcessObject::SetNthInput(0, const_cast<InputImageType *>(image));
  }
  const InputImageType *GetInput() const {
    return itkDynamicCastInDebugMode<const InputImageType *>(this->GetPrimaryInput());
  }

  /** Required. */
  itkSetConstObjectMacro(Model, CounterwarpModel);
  itkGetConstObjectMacro(Model, CounterwarpModel);

  /** An image in the model's space to register to, in place of the model's template (a model may have none). */
  itkSetConstObjectMacro(Template, ImageType);
  itkGetConstObjectMacro(Template, ImageType);

  /** Where to start, in place of the search for a start. */
  itkSetGetDecoratedObjectInputMacro(InitialTransform, TransformType);

  /** Most iterations on each grid.  Default: 150. */
  itkSetMacro(MaximumNumberOfIterations, unsigned int);
  itkGetConstMacro(MaximumNumberOfIterations, unsigned int);

  /** The result of the last update. */
  const AffineType *GetTransform() const { return static_cast<const AffineType *>(this->GetTransformOutput()->Get()); }
  DecoratedTransformType *GetTransformOutput() {
    return static_cast<DecoratedTransformType *>(this->ProcessObject::GetOutput(0));
  }
  const DecoratedTransformType *GetTransformOutput() const {
    return static_cast<const DecoratedTransformType *>(this->ProcessObject::GetOutput(0));
  }

  /** Negative mutual information of the result of the last update (the lower the better). */
  itkGetConstMacro(MetricValue, double);

  using Superclass::MakeOutput;
  DataObject::Pointer MakeOutput(DataObjectPointerArraySizeType) override {
    return DecoratedTransformType::New().GetPointer();
  }

  ModifiedTimeType GetMTime() const override;

 protected:
  CounterwarpAlignToModelFilter();
  ~CounterwarpAlignToModelFilter() override = default;

  void VerifyPreconditions() const override;
  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  using RigidType = Euler3DTransform<double>;
  using MetricType = MattesMutualInformationImageToImageMetricv4<ImageType, ImageType>;
  using OptimizerType = RegularStepGradientDescentOptimizerv4<double>;
  using MaskType = ImageMaskSpatialObject<3>;
  using PointType = ImageType::PointType;

  /** The images of a registration, as coarse as its grids allow, and where to look at them. */
  struct Pair {
    ImageType::ConstPointer fixed;
    ImageType::Pointer coarse, moving;
    MaskType::Pointer mask;
    PointType center, movingMass, movingMiddle;
    double spacing;
  };
  ImageType::Pointer MakeMoving(CounterwarpExecution &core, const cw_volume &scan, double voxel, double margin);
  Pair Prepare(const ImageType *reference);
  RigidType::Pointer FindStart(const Pair &pair);

  /** Registers on grids of shrink factors; progress goes from m_Done to `until`. */
  template <typename TTransform>
  double RunRegistration(const Pair &pair, const ImageType *moving, TTransform *transform,
                         std::initializer_list<double> voxels, unsigned int iterations, float until);

  CounterwarpModel::ConstPointer m_Model;
  ImageType::ConstPointer m_Template;
  unsigned int m_MaximumNumberOfIterations{150};
  double m_MetricValue{0.0};
  float m_Done{0.0F};
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpAlignToModelFilter.hxx"
#endif

#endif
