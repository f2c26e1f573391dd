#include "qSlicerCounterwarpHost.h"

#include <vtkImageData.h>
#include <vtkMRMLColorNode.h>
#include <vtkMRMLLabelMapVolumeNode.h>
#include <vtkMRMLScalarVolumeDisplayNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLScriptedModuleNode.h>
#include <vtkMRMLTransformableNode.h>
#include <vtkMRMLVolumeNode.h>

#include <algorithm>
#include <cmath>
#include <QFileInfo>

#include "vtkSlicerCounterwarpLogic.h"

namespace {

using Images = vtkSlicerCounterwarpLogic::Images;

// As the panel brings it back.
const Images &imagesOf(const qCounterwarpResultPointer &result) {
  return *static_cast<const Images *>(result->made.get());
}

}  // namespace

qSlicerCounterwarpHost::qSlicerCounterwarpHost(vtkSlicerCounterwarpLogic *logic, QObject *parent)
    : qCounterwarpHost(parent), logic_(logic) {
  callback_->SetClientData(this);
  callback_->SetCallback(onEvent);
}

qSlicerCounterwarpHost::~qSlicerCounterwarpHost() {
  setScene(nullptr);
}

void qSlicerCounterwarpHost::setScene(vtkMRMLScene *scene) {
  observe(nullptr);
  if (scene_)
    scene_->RemoveObserver(callback_);
  scene_ = scene;
  if (scene)
    for (const unsigned long event : {static_cast<unsigned long>(vtkMRMLScene::NodeAddedEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::NodeRemovedEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::StartCloseEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::StartImportEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::EndImportEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::EndRestoreEvent)})
      scene->AddObserver(event, callback_);
  emit choicesChanged();
}

void qSlicerCounterwarpHost::observe(vtkMRMLNode *scan) {
  if (scan_)
    scan_->RemoveObserver(callback_);
  scan_ = scan;
  if (scan) {
    scan->AddObserver(vtkMRMLVolumeNode::ImageDataModifiedEvent, callback_);
    scan->AddObserver(vtkMRMLTransformableNode::TransformModifiedEvent, callback_);
    scan->AddObserver(vtkCommand::ModifiedEvent, callback_);  // all that a new origin or spacing tells
    hasMoved();
  }
}

void qSlicerCounterwarpHost::watch(const QString &id) {
  observe(node(id));
  scale_ = 0.1;
}

bool qSlicerCounterwarpHost::hasMoved() {
  auto *volume = vtkMRMLVolumeNode::SafeDownCast(scan_);
  if (!volume)
    return false;
  vtkNew<vtkMatrix4x4> now;
  volume->GetIJKToRASMatrix(now);
  bool moved = false;
  for (int r = 0; r < 4; r++)
    for (int c = 0; c < 4; c++)
      moved = moved || now->GetElement(r, c) != place_->GetElement(r, c);
  place_->DeepCopy(now);
  return moved;
}

void qSlicerCounterwarpHost::onEvent(vtkObject *, unsigned long event, void *client, void *data) {
  auto *self = static_cast<qSlicerCounterwarpHost *>(client);
  auto *changed = static_cast<vtkMRMLNode *>(data);
  switch (event) {
    case vtkMRMLScene::StartCloseEvent:
      emit self->sceneClosing();
      self->observe(nullptr);
      break;
    case vtkMRMLScene::StartImportEvent:
      emit self->sceneLoading();
      break;
    case vtkMRMLScene::EndImportEvent:
    case vtkMRMLScene::EndRestoreEvent:
      emit self->sceneLoaded();
      break;
    case vtkMRMLScene::NodeRemovedEvent:
      if (changed && changed == self->scan_)
        self->observe(nullptr);
      if (changed && changed->GetID())
        emit self->volumeRemoved(QString::fromUtf8(changed->GetID()));
      break;
    case vtkMRMLScene::NodeAddedEvent:
      break;
    default:  // of the chosen scan
      if (self->scan_ && (event != vtkCommand::ModifiedEvent || self->hasMoved()))
        emit self->volumeRemoved(QString::fromUtf8(self->scan_->GetID()));
      return;
  }
  if (self->scene_ && !self->scene_->IsBatchProcessing())
    emit self->choicesChanged();
}

qCounterwarpHost::Choices qSlicerCounterwarpHost::choices(bool labels) const {
  Choices all;
  std::vector<vtkMRMLNode *> nodes;
  if (scene_)
    scene_->GetNodesByClass(labels ? "vtkMRMLLabelMapVolumeNode" : "vtkMRMLScalarVolumeNode", nodes);
  for (vtkMRMLNode *node : nodes)
    if (!node->GetHideFromEditors() && (labels || !node->IsA("vtkMRMLLabelMapVolumeNode")))
      all << qMakePair(QString::fromUtf8(node->GetID()), QString::fromUtf8(node->GetName()));
  return all;
}

vtkMRMLScalarVolumeNode *qSlicerCounterwarpHost::node(const QString &id) const {
  return scene_ ? vtkMRMLScalarVolumeNode::SafeDownCast(scene_->GetNodeByID(id.toUtf8().constData())) : nullptr;
}

qCounterwarpVolumePointer qSlicerCounterwarpHost::volume(const QString &id, QString *problem) {
  const std::shared_ptr<qCounterwarpVolume> volume = qCounterwarpVolume::empty();
  std::string sentence;
  if (volume && logic_->ReadVolume(node(id), volume->context(), &volume->volume, &sentence))
    return volume;
  *problem = QString::fromStdString(sentence);
  return nullptr;
}

QString qSlicerCounterwarpHost::regionName(const QString &atlas, int label) const {
  vtkMRMLScalarVolumeNode *volume = node(atlas);
  vtkMRMLDisplayNode *display = volume ? volume->GetDisplayNode() : nullptr;
  vtkMRMLColorNode *colors = display ? display->GetColorNode() : nullptr;
  const char *name = colors && label < colors->GetNumberOfColors() ? colors->GetColorName(label) : nullptr;
  return name && *name ? QString::fromUtf8(name) : tr("label %1").arg(label);
}

QString qSlicerCounterwarpHost::demo(const char *file) const {
  return QString::fromStdString(logic_->GetModuleShareDirectory()) + QStringLiteral("/demo/") + QLatin1String(file);
}

bool qSlicerCounterwarpHost::hasDemo() const {
  return scene_ && QFileInfo::exists(demo("model.onnx")) && QFileInfo::exists(demo("brain.nii.gz"));
}

void qSlicerCounterwarpHost::openDemo() {
  vtkMRMLNode *brain = logic_->LoadVolume(demo("brain.nii.gz").toStdString(), "brain", false);
  vtkMRMLNode *atlas = logic_->LoadVolume(demo("atlas.nii.gz").toStdString(), "atlas", true);
  emit chooseModel(demo("model.onnx"));
  if (brain)
    emit chooseScan(QString::fromUtf8(brain->GetID()));
  if (atlas)
    emit chooseAtlas(QString::fromUtf8(atlas->GetID()));
}

void qSlicerCounterwarpHost::scanChosen(const QString &id) {
  watch(id);
  logic_->Show(node(id), nullptr, 0);
}

void qSlicerCounterwarpHost::showPreview(const QString &scan, const qCounterwarpPreviewPointer &preview) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  if (!input)
    return;
  vtkMRMLScalarVolumeNode *shown =
      logic_->PutPassing(vtkSlicerCounterwarpLogic::Preview, preview->grid, preview->image.data(), input);
  for (const float value : preview->logJacobian)
    scale_ = std::max(scale_, static_cast<double>(std::fabs(value)));
  if (!preview_)
    logic_->Show(input, shown, 1);
  preview_ = true;
}

qCounterwarpMaker qSlicerCounterwarpHost::maker() const {
  return [](const cw_simulation &simulation) -> std::shared_ptr<void> {
    return std::make_shared<Images>(vtkSlicerCounterwarpLogic::MakeImages(simulation));
  };
}

void qSlicerCounterwarpHost::showResult(const QString &scan, const qCounterwarpResultPointer &result,
                                        const qCounterwarpOutputs &outputs, const qCounterwarpOrigin &) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  if (!input)
    return;
  const Images &made = imagesOf(result);
  image_ = outputs.volume ? logic_->PutImage(input, made.image) : nullptr;
  if (outputs.field)
    logic_->PutField(input, made.field, result->simulation.field.grid);
  if (outputs.jacobian)
    logic_->PutJacobian(input, made.jacobian);
  if (result_ != result)
    change_ = nullptr;
  result_ = result;
  preview_ = false;
  showAtRest();
}

void qSlicerCounterwarpHost::showAtRest() {
  auto *input = vtkMRMLScalarVolumeNode::SafeDownCast(scan_);
  if (!input || preview_)
    return;
  if (reference_) {
    logic_->Show(input, reference_, 0.5);
  } else if (saliency_ && overlay_) {
    logic_->Show(input, saliency_, 0.5);
  } else {
    if (overlay_ && result_ && !change_)
      change_ = logic_->PutOverlay(input, imagesOf(result_).overlay, scale_);
    logic_->Show(image_ ? image_.GetPointer() : input, overlay_ ? change_.GetPointer() : nullptr, 0.5);
  }
}

void qSlicerCounterwarpHost::showCurve(const QString &scan, const QVector<double> &strengths,
                                       const QVector<double> &logits) {
  if (node(scan))
    logic_->PutCurve(node(scan), std::vector<double>(strengths.begin(), strengths.end()),
                     std::vector<double>(logits.begin(), logits.end()));
}

void qSlicerCounterwarpHost::showRegions(const QString &scan, const QString &atlas,
                                         const QVector<qCounterwarpRegion> &regions) {
  std::vector<vtkSlicerCounterwarpLogic::Region> rows;
  for (const qCounterwarpRegion &region : regions) {
    const vtkSlicerCounterwarpLogic::Region row = {regionName(atlas, region.label).toStdString(), region.label,
                                                   100 * region.change, static_cast<double>(region.voxels)};
    rows.push_back(row);
  }
  if (node(scan))
    logic_->PutRegions(node(scan), rows);
}

void qSlicerCounterwarpHost::showOverlay(bool on) {
  overlay_ = on;
  showAtRest();
}

void qSlicerCounterwarpHost::showSaliency(const QString &scan, const qCounterwarpSaliencyPointer &saliency,
                                          const qCounterwarpVerdict &verdict) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  saliency_ = saliency && input ? logic_->PutSaliency(input, saliency->map->volume, saliency->scale,
                                                      saliency->method.toStdString(), verdict.text.toStdString())
                                : nullptr;
  showAtRest();
}

void qSlicerCounterwarpHost::showReference(const QString &scan, const qCounterwarpVolumePointer &reference) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  reference_ = nullptr;
  if (reference && input)
    reference_ =
        logic_->PutPassing(vtkSlicerCounterwarpLogic::Reference, reference->volume.grid, reference->volume.data, input);
  else
    logic_->RemovePassing(vtkSlicerCounterwarpLogic::Reference);
  showAtRest();
}

void qSlicerCounterwarpHost::endPreview() {
  preview_ = false;
  result_.reset();
  image_ = change_ = saliency_ = reference_ = nullptr;
  logic_->RemovePassing(vtkSlicerCounterwarpLogic::Preview);
  logic_->RemovePassing(vtkSlicerCounterwarpLogic::Reference);
}
