#include "qCounterwarpAlign.h"

#ifdef COUNTERWARP_PANEL_ITK
#include <itkCommand.h>

#include "itkCounterwarpAlignToModelFilter.h"

namespace {

using ImageType = itk::Image<float, 3>;
using FilterType = itk::CounterwarpAlignToModelFilter<ImageType>;

// The scan's own samples as an image.
ImageType::Pointer imageOf(const cw_volume &scan) {
  auto image = ImageType::New();
  itk::CounterwarpSamples::SetGrid(image, scan.grid);
  image->GetPixelContainer()->SetImportPointer(scan.data, cw_grid_samples(&scan.grid), false);
  return image;
}

// Asks on every progress report whether to go on.
class Listener : public itk::Command {
 public:
  using Self = Listener;
  using Pointer = itk::SmartPointer<Self>;
  itkNewMacro(Self);
  void Execute(itk::Object *caller, const itk::EventObject &) override {
    auto *filter = static_cast<itk::ProcessObject *>(caller);
    if (!progress(filter->GetProgress()))
      filter->AbortGenerateDataOn();
  }
  void Execute(const itk::Object *, const itk::EventObject &) override {}
  std::function<bool(double)> progress;
};

// ITK's descriptions start with "ITK ERROR: Class(address): ".
std::string sentenceOf(const itk::ExceptionObject &e) {
  const std::string text = e.GetDescription();
  const size_t at = text.find("): ");
  return at == std::string::npos ? text : text.substr(at + 3);
}

}  // namespace

bool qCounterwarpAlign::available() {
  return true;
}

bool qCounterwarpAlign::run(const std::string &model_file, const cw_volume &scan,
                            const std::function<bool(double)> &progress, cw_affine *alignment, std::string *problem) {
  try {
    auto model = itk::CounterwarpModel::New();
    model->ReadFile(model_file);
    auto filter = FilterType::New();
    filter->SetModel(model);
    filter->SetInput(imageOf(scan));
    auto listener = Listener::New();
    listener->progress = progress;
    filter->AddObserver(itk::ProgressEvent(), listener);
    filter->Update();
    *alignment = itk::CounterwarpSamples::Affine(*filter->GetTransform());
    return true;
  } catch (const itk::ProcessAborted &) {
    problem->clear();
  } catch (const itk::ExceptionObject &e) {
    *problem = sentenceOf(e);
  } catch (const std::exception &e) {
    *problem = e.what();
  }
  return false;
}

#else

bool qCounterwarpAlign::available() {
  return false;
}

bool qCounterwarpAlign::run(const std::string &, const cw_volume &, const std::function<bool(double)> &, cw_affine *,
                            std::string *problem) {
  *problem = "this build cannot align: it was made without ITK";
  return false;
}

#endif
