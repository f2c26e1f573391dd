#ifndef itkCounterwarpFilterBases_h
#define itkCounterwarpFilterBases_h

#include "itkCounterwarpExecution.h"
#include "itkCounterwarpModel.h"
#include "itkImageToImageFilter.h"

namespace itk {
/** \class CounterwarpWholeImageFilter
 * \brief Filters that need their whole input and compute their whole output. \ingroup ITKCounterwarp */
template <typename TInputImage, typename TOutputImage>
class ITK_TEMPLATE_EXPORT CounterwarpWholeImageFilter : public ImageToImageFilter<TInputImage, TOutputImage> {
  static_assert(TInputImage::ImageDimension == 3 && TOutputImage::ImageDimension == 3,
                "Counterwarp filters need images of dimension 3");

 protected:
  void GenerateInputRequestedRegion() override {
    if (auto *image = const_cast<TInputImage *>(this->GetInput())) {
      image->SetRequestedRegionToLargestPossibleRegion();
    }
  }
  void EnlargeOutputRequestedRegion(DataObject *output) override {
    output->SetRequestedRegionToLargestPossibleRegion();
  }
};

/** \class CounterwarpScanProcess
 * \brief Filters that take a scan, and make something else than an image of it. \ingroup ITKCounterwarp */
template <typename TInputImage>
class ITK_TEMPLATE_EXPORT CounterwarpScanProcess : public ProcessObject {
  static_assert(TInputImage::ImageDimension == 3, "Counterwarp filters need images of dimension 3");

 public:
  using ProcessObject::SetInput;
  void SetInput(const TInputImage *image) { this->SetNthInput(0, const_cast<TInputImage *>(image)); }
  const TInputImage *GetInput() const {
    return itkDynamicCastInDebugMode<const TInputImage *>(this->GetPrimaryInput());
  }

 protected:
  CounterwarpScanProcess() {
    this->SetNumberOfRequiredInputs(1);
    this->SetNumberOfRequiredOutputs(1);
  }
};

/** \class CounterwarpModelFilter
 * \brief Filters that ask a model: TSuperclass with one. \ingroup ITKCounterwarp */
template <typename TSuperclass>
class ITK_TEMPLATE_EXPORT CounterwarpModelFilter : public TSuperclass {
 public:
  using TransformType = MatrixOffsetTransformBase<double, 3, 3>;

  /** Required. */
  itkSetConstObjectMacro(Model, CounterwarpModel);
  itkGetConstObjectMacro(Model, CounterwarpModel);

  ModifiedTimeType GetMTime() const override {
    return m_Model ? std::max(TSuperclass::GetMTime(), m_Model->GetMTime()) : TSuperclass::GetMTime();
  }

 protected:
  void VerifyPreconditions() const override {
    TSuperclass::VerifyPreconditions();
    if (!m_Model) {
      itkExceptionMacro("No model was set: call SetModel() first");
    }
  }

  /** The scan as the model's networks see it; warns if that looks unlike the model's template. */
  template <typename TImage>
  static std::vector<float> MakeNetworkInput(CounterwarpExecution &core, const cw_model &model, const TImage *image,
                                             const cw_affine *transform, const char *what) {
    const CounterwarpSamples::RegionView<TImage> samples(image, image->GetLargestPossibleRegion(), true);
    const cw_volume scan = samples.GetVolume();
    std::vector<float> input(cw_grid_samples(&model.preprocessing.grid));
    core.Check(cw_preprocess(core, &model.preprocessing, &scan, transform, input.data()));
    if (model.template_samples) {
      cw_preprocess_inspect(core, &model.preprocessing, input.data(), model.template_samples, what);
    }
    return input;
  }

  void PrintSelf(std::ostream &os, Indent indent) const override {
    TSuperclass::PrintSelf(os, indent);
    itkPrintSelfObjectMacro(Model);
  }

 private:
  CounterwarpModel::ConstPointer m_Model;
};
}  // end namespace itk

#endif
