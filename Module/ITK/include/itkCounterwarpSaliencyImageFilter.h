#ifndef itkCounterwarpSaliencyImageFilter_h
#define itkCounterwarpSaliencyImageFilter_h

#include "counterwarp/saliency.h"
#include "itkCounterwarpFilterBases.h"
#include "itkDataObjectDecorator.h"

namespace itk {
/** \class CounterwarpSaliencyImageFilter
 * \brief Saliency map of a scan: what a method says that the classifier's output depends on, voxel by voxel.
 *
 * \code
 * auto saliency = itk::CounterwarpSaliencyImageFilter<ImageType>::New();
 * saliency->SetInput(scan);
 * saliency->SetModel(classifier);
 * saliency->SetMethod("gradcam.signed");
 * saliency->Update();
 * \endcode
 *
 * The map is computed on the model's grid and carried linearly to the scan's own, 0 outside the model's box.  Many
 * methods show much the same map whatever the classifier has learned: `counterwarp sanity` tells which.
 *
 * The model must be a classifier.  The scan must lie where the model expects it, or come with a transform
 * (CounterwarpAlignToModelFilter finds one).
 *
 * Regions: the whole scan is needed and computed.
 *
 * \ingroup ITKCounterwarp
 */
template <typename TInputImage, typename TOutputImage = Image<float, 3>>
class ITK_TEMPLATE_EXPORT CounterwarpSaliencyImageFilter
    : public CounterwarpModelFilter<CounterwarpWholeImageFilter<TInputImage, TOutputImage>> {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpSaliencyImageFilter);

  using Self = CounterwarpSaliencyImageFilter;
  using Superclass = CounterwarpModelFilter<CounterwarpWholeImageFilter<TInputImage, TOutputImage>>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using InputImageType = TInputImage;
  using OutputImageType = TOutputImage;
  using typename Superclass::TransformType;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpSaliencyImageFilter"; }

  /** Maps points of the model's space to points of the scan; none: the identity. */
  itkSetGetDecoratedObjectInputMacro(Transform, TransformType);

  /** The method, and after a point what happens to signs: METHOD[.signed|.positive|.absolute], as cw_saliency_parse in
   * counterwarp/saliency.h reads it: "gradient", "gradcam.signed", "lrp-zplus".  Default: "gradient". */
  itkSetStringMacro(Method);
  itkGetStringMacro(Method);

  /** Whose channels the GradCAM family sums: a value of the model's graph; "", the default: the last rectifier's. */
  itkSetStringMacro(Layer);
  itkGetStringMacro(Layer);

  /** Which logit is explained, and whether its negative is.  Default: the first, itself. */
  itkSetMacro(OutputIndex, unsigned int);
  itkGetConstMacro(OutputIndex, unsigned int);
  itkSetMacro(Negative, bool);
  itkGetConstMacro(Negative, bool);
  itkBooleanMacro(Negative);

  /** Gaussian that smooths the map, in voxels of the model's grid.  Default: 0. */
  itkSetMacro(Sigma, double);
  itkGetConstMacro(Sigma, double);

  /** Of the last update: the output that was explained; what the method promises less what the map holds before it is
   * smoothed (NaN where it promises nothing); why the map is empty or not finite, or "". */
  itkGetConstMacro(ExplainedValue, double);
  itkGetConstMacro(CompletenessGap, double);
  itkGetStringMacro(Reason);

 protected:
  CounterwarpSaliencyImageFilter() = default;
  ~CounterwarpSaliencyImageFilter() override = default;

  void GenerateData() override;
  void PrintSelf(std::ostream &os, Indent indent) const override;

 private:
  /** The map of the network's input, on the model's grid. */
  std::vector<float> MakeMap(CounterwarpExecution &core, const cw_model &model, const float *input);

  std::string m_Method{"gradient"};
  std::string m_Layer;
  unsigned int m_OutputIndex{0};
  bool m_Negative{false};
  double m_Sigma{0.0};
  double m_ExplainedValue{0.0};
  double m_CompletenessGap{0.0};
  std::string m_Reason;
};
}  // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkCounterwarpSaliencyImageFilter.hxx"
#endif

#endif
