#ifndef itkCounterwarpModel_h
#define itkCounterwarpModel_h

#include <memory>
#include <mutex>
#include <string>

#include "counterwarp/model.h"
#include "itkCounterwarpSamples.h"
#include "itkObject.h"
#include "itkObjectFactory.h"

namespace itk {
/** \class CounterwarpModel
 * \brief A classifier or simulator, loaded once and shared by any number of filters.
 *
 * \code
 * auto model = itk::CounterwarpModel::New();
 * model->ReadFile("simulator.onnx");
 * \endcode
 *
 * All const methods may be called from several threads at once, also while ReadFile() loads another model: a filter
 * that is at work keeps the one that it started with.
 *
 * \ingroup ITKCounterwarp
 */
class ITK_TEMPLATE_EXPORT CounterwarpModel : public Object {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(CounterwarpModel);

  using Self = CounterwarpModel;
  using Superclass = Object;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;
  using ImageType = Image<float, 3>;
  using CoreModelPointer = std::shared_ptr<const cw_model>;

  itkNewMacro(Self);

  const char *GetNameOfClass() const override { return "CounterwarpModel"; }

  /** Loads an ONNX file that Counterwarp has written (or one with its metadata).  Throws ExceptionObject with the
   * core's sentence; the model that was there before then stays. */
  void ReadFile(const std::string &fileName) {
    cw_context *context = nullptr;
    if (cw_context_create(nullptr, &context) != CW_OK) {
      throw MemoryAllocationError(__FILE__, __LINE__, "out of memory", this->GetNameOfClass());
    }
    auto model = std::shared_ptr<cw_model>(new cw_model{}, [context](cw_model *old) {
      cw_model_free(context, old);
      cw_context_free(context);
      delete old;
    });
    if (cw_model_read(context, fileName.c_str(), model.get()) != CW_OK) {
      itkExceptionMacro("" << cw_context_message(context));
    }
    {
      const std::lock_guard<std::mutex> lock(m_Mutex);
      m_Model = model;
      m_FileName = fileName;
    }
    this->Modified();  // observers may ask this model
  }

  std::string GetFileName() const {
    const std::lock_guard<std::mutex> lock(m_Mutex);
    return m_FileName;
  }

  /** Whether it warps scans (and holds the classifier that it was trained for), or only classifies them. */
  bool IsSimulator() const { return this->GetCoreModel()->kind == CW_MODEL_SIMULATOR; }

  /** The grid that scans are brought to, as an image without samples. */
  ImageBase<3>::Pointer GetGrid() const {
    auto grid = ImageBase<3>::New();
    CounterwarpSamples::SetGrid(grid, this->GetCoreModel()->preprocessing.grid);
    return grid;
  }

  /** The mean training scan, as network input; a new image each time, null if the file has none. */
  ImageType::Pointer GetTemplate() const {
    const CoreModelPointer model = this->GetCoreModel();
    if (!model->template_samples) {
      return nullptr;
    }
    auto image = ImageType::New();
    CounterwarpSamples::SetGrid(image, model->preprocessing.grid);
    image->Allocate();
    std::copy_n(model->template_samples, cw_grid_samples(&model->preprocessing.grid), image->GetBufferPointer());
    return image;
  }

  /** The core's own; throws if nothing was loaded. */
  CoreModelPointer GetCoreModel() const {
    const std::lock_guard<std::mutex> lock(m_Mutex);
    if (!m_Model) {
      itkExceptionMacro("No model was loaded: call ReadFile() first");
    }
    return m_Model;
  }

 protected:
  CounterwarpModel() = default;
  ~CounterwarpModel() override = default;

  void PrintSelf(std::ostream &os, Indent indent) const override {
    Superclass::PrintSelf(os, indent);
    const std::lock_guard<std::mutex> lock(m_Mutex);
    os << indent << "FileName: " << m_FileName << std::endl;
    if (!m_Model) {
      os << indent << "Model: (none)" << std::endl;
      return;
    }
    const int *size = m_Model->preprocessing.grid.size;
    os << indent << "Model: " << (m_Model->kind == CW_MODEL_SIMULATOR ? "simulator" : "classifier") << ", " << size[0]
       << " x " << size[1] << " x " << size[2] << std::endl;
    os << indent << "Template: " << (m_Model->template_samples ? "yes" : "no") << std::endl;
  }

 private:
  mutable std::mutex m_Mutex;
  CoreModelPointer m_Model;
  std::string m_FileName;
};
}  // end namespace itk

#endif
