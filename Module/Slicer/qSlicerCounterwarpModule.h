#ifndef qSlicerCounterwarpModule_h
#define qSlicerCounterwarpModule_h

#include <qSlicerLoadableModule.h>

#include "qSlicerCounterwarpModuleExport.h"

class Q_SLICER_QTMODULES_COUNTERWARP_EXPORT qSlicerCounterwarpModule : public qSlicerLoadableModule {
  Q_OBJECT
  Q_PLUGIN_METADATA(IID "org.slicer.modules.loadable.qSlicerLoadableModule/1.0")
  Q_INTERFACES(qSlicerLoadableModule)

 public:
  typedef qSlicerLoadableModule Superclass;
  explicit qSlicerCounterwarpModule(QObject *parent = nullptr);
  ~qSlicerCounterwarpModule() override;

  qSlicerGetTitleMacro(tr("Counterwarp"));

  QString helpText() const override;
  QString acknowledgementText() const override;
  QStringList contributors() const override;
  QIcon icon() const override;
  QStringList categories() const override;
  QStringList dependencies() const override;

 protected:
  qSlicerAbstractModuleRepresentation *createWidgetRepresentation() override;
  vtkMRMLAbstractLogic *createLogic() override;

 private:
  Q_DISABLE_COPY(qSlicerCounterwarpModule)
};

#endif
