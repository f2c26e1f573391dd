#ifndef itkCounterwarpAlignToModelFilter_h
#define itkCounterwarpAlignToModelFilter_h

#include <atomic>
#include <functional>

#include "itkAffineTransform.h"
#include "itkCounterwarpFilterBases.h"
#include "itkDataObjectDecorator.h"
#include "itkEuler3DTransform.h"
#include "itkMattesMutualInformationImageToImageMetricv4.h"
#include "itkPointSet.h"
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
 * Deterministic: the same bits on any number of work units.  ITK's metric adds in the order in which its threads end,
 * so each registration has one thread; the starts are tried side by side.  It can be aborted after each iteration.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpAlignToModelFilter
    : public CounterwarpModelFilter<CounterwarpScanProcess<TInputImage>> {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpAlignToModelFilter);

  using Self = CounterwarpAlignToModelFilter;
  using Superclass = CounterwarpModelFilter<CounterwarpScanProcess<TInputImage>>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using ImageType = Image<float, 3>;
  using typename Superclass::DataObjectPointerArraySizeType;
  using typename Superclass::TransformType;
  using AffineType = AffineTransform<double, 3>;
  using DecoratedTransformType = DataObjectDecorator<TransformType>;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpAlignToModelFilter"; }

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

  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  using RigidType = Euler3DTransform<double>;
  /** In one work unit, which the metric's own setter does not bring about before ITK 5.4. */
  class MetricType : public MattesMutualInformationImageToImageMetricv4<ImageType, ImageType> {
   public:
    ITK_DISALLOW_COPY_AND_MOVE(MetricType);
    using Self = MetricType;
    using Pointer = SmartPointer<Self>;
    itkNewMacro(Self);

   protected:
    MetricType() { this->m_SparseGetValueAndDerivativeThreader->SetNumberOfWorkUnits(1); }
    ~MetricType() override = default;
  };
  using OptimizerType = RegularStepGradientDescentOptimizerv4<double>;
  using PointType = ImageType::PointType;
  using PointSetType = PointSet<float, 3>;

  /** What is registered to what: the template, its tissue, and the scan. */
  struct Pair {
    const ImageType *fixed;
    ImageType::Pointer tissue;  // above 0 there
    const cw_volume *scan;
    double spacing, margin;  // mm
    PointType center;        // of the tissue
  };
  /** Both images, smoothed, and the points where they are compared. */
  struct Level {
    ImageType::Pointer fixed, moving;
    PointSetType::Pointer points;
    double voxel;  // mm
  };
  Pair MakePair(CounterwarpExecution &core, const ImageType *reference, const cw_volume &scan);
  Level MakeLevel(CounterwarpExecution &core, const Pair &pair, double voxel);
  static ImageType::Pointer MakeMoving(CounterwarpExecution &core, const Pair &pair, double sigma);
  static ImageType::Pointer MakeSmooth(CounterwarpExecution &core, const ImageType *image, double sigma);
  static PointSetType::Pointer MakePoints(const ImageType *tissue, SizeValueType stride);
  static PointType CenterOfMass(const ImageType *image);

  /** Improves the transform until the metric does not, and gives its value; in this thread alone. */
  template <typename TTransform>
  double Improve(const Level &level, TTransform *transform, unsigned int iterations);
  RigidType::Pointer FindStart(const Pair &pair, const Level &level);
  /** Runs jobs side by side, at most one a work unit; this thread reports progress from m_Done to `until`, at
   * `iterations` of all jobs, and listens for an abort. */
  void Run(const std::vector<std::function<void()>> &jobs, unsigned int iterations, float until);

  ImageType::ConstPointer m_Template;
  unsigned int m_MaximumNumberOfIterations{150};
  double m_MetricValue{0.0};
  float m_Done{0.0F};
  std::atomic<unsigned int> m_Iterations{0};
  std::atomic<bool> m_Stop{false};
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpAlignToModelFilter.hxx"
#endif

#endif
