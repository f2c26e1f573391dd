#include "qSlicerCounterwarpModule.h"

#include <QIcon>

#include "qSlicerCounterwarpModuleWidget.h"
#include "vtkSlicerCounterwarpLogic.h"

qSlicerCounterwarpModule::qSlicerCounterwarpModule(QObject *parent) : Superclass(parent) {}
qSlicerCounterwarpModule::~qSlicerCounterwarpModule() = default;

QString qSlicerCounterwarpModule::helpText() const {
  return tr(
      "Takes a disease out of a scan, or puts it in, as a trained classifier sees it. Choose a volume and a "
      "simulator, move the slider; what the warp shrinks or expands is the explanation. For research use only.");
}

QString qSlicerCounterwarpModule::acknowledgementText() const {
  return tr("The method: Liu, Adeli, Pohl, Zhao, IPMI 2021, arXiv 2102.08239.");
}

QStringList qSlicerCounterwarpModule::contributors() const {
  return QStringList(QStringLiteral("The Counterwarp contributors"));
}

QIcon qSlicerCounterwarpModule::icon() const {
  return QIcon(QStringLiteral(":/Icons/Counterwarp.png"));
}

QStringList qSlicerCounterwarpModule::categories() const {
  return QStringList(QStringLiteral("Quantification"));
}

QStringList qSlicerCounterwarpModule::dependencies() const {
  return QStringList() << QStringLiteral("Volumes") << QStringLiteral("Transforms") << QStringLiteral("Tables")
                       << QStringLiteral("Plots");
}

qSlicerAbstractModuleRepresentation *qSlicerCounterwarpModule::createWidgetRepresentation() {
  return new qSlicerCounterwarpModuleWidget;
}

vtkMRMLAbstractLogic *qSlicerCounterwarpModule::createLogic() {
  return vtkSlicerCounterwarpLogic::New();
}
