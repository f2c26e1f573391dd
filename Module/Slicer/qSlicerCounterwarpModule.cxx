#include "qSlicerCounterwarpModule.h"

#include <QIcon>

#include "qSlicerCounterwarpModuleWidget.h"
#include "vtkSlicerCounterwarpLogic.h"

qSlicerCounterwarpModule::qSlicerCounterwarpModule(QObject *parent) : Superclass(parent) {}
qSlicerCounterwarpModule::~qSlicerCounterwarpModule() = default;

QString qSlicerCounterwarpModule::helpText() const {
  return tr(
      "<p>Takes a disease out of a scan, or puts it in, as a trained classifier sees it. What the warp shrinks or "
      "expands "
      "is the explanation.</p>"
      "<ol><li>Choose a volume and a simulator (an ONNX file of <i>counterwarp train-simulator</i> or of the "
      "module <i>Counterwarp Train</i>; none comes with the extension).</li>"
      "<li>If the scan does not lie where the model's training scans lie, press <i>Align to model</i> and look at the "
      "checkerboard: edges go on from the scan's squares to the model's.</li>"
      "<li>Move the slider: left removes the disease, right injects it. When it rests, the outputs are written on the "
      "scan's own grid: volume, displacement (a transform: harden the scan, or the linear transform that it is "
      "under, below it to get the volume), Jacobian "
      "(above 1 where tissue shrank), chart and table of regions.</li>"
      "<li><i>Explain by</i> shows a saliency map and says whether it passed its sanity checks for this "
      "classifier.</li></ol>"
      "<p>A scan under a non-linear transform must be hardened first. For research use only.</p>");
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
