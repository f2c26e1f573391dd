#ifndef qSlicerCounterwarpModuleWidget_h
#define qSlicerCounterwarpModuleWidget_h

#include <qSlicerAbstractModuleWidget.h>

#include "qSlicerCounterwarpModuleExport.h"

class qCounterwarpPanel;
class qMRMLNodeComboBox;
class qSlicerCounterwarpHost;
class vtkMRMLNode;

/// The panel with choosers of MRML nodes; its settings live in the parameter node, so that a scene keeps them.
class Q_SLICER_QTMODULES_COUNTERWARP_EXPORT qSlicerCounterwarpModuleWidget : public qSlicerAbstractModuleWidget {
  Q_OBJECT

 public:
  typedef qSlicerAbstractModuleWidget Superclass;
  explicit qSlicerCounterwarpModuleWidget(QWidget *parent = nullptr);
  ~qSlicerCounterwarpModuleWidget() override;

  void setMRMLScene(vtkMRMLScene *scene) override;

 protected:
  void setup() override;

 private slots:
  void onScanChosen(vtkMRMLNode *node);
  void onAtlasChosen(vtkMRMLNode *node);

 private:
  Q_DISABLE_COPY(qSlicerCounterwarpModuleWidget)
  qMRMLNodeComboBox *chooser(const QString &node_class, bool none);
  void writeSettings();
  void readSettings();

  qCounterwarpPanel *panel_ = nullptr;
  qSlicerCounterwarpHost *host_ = nullptr;
  qMRMLNodeComboBox *scan_ = nullptr, *atlas_ = nullptr;
  bool reading_ = false;
};

#endif
