#include "qSlicerCounterwarpHost.h"

#include <vtkImageData.h>
#include <vtkMRMLGridTransformNode.h>
#include <vtkMRMLLabelMapVolumeNode.h>
#include <vtkMRMLScalarVolumeDisplayNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLScriptedModuleNode.h>
#include <vtkMRMLTableNode.h>
#include <vtkMRMLTransformableNode.h>
#include <vtkMRMLVolumeNode.h>

#include <cmath>
#include <QCoreApplication>
#include <QFileInfo>

#include "Pictures/pictures.h"
#include "vtkSlicerCounterwarpLogic.h"

namespace {

using Images = vtkSlicerCounterwarpLogic::Images;

const double kOpacity = 0.6;  // of the colours
const int kCubes = 8;         // of the checkerboard along a side

// As the panel brings it back.
const Images &imagesOf(const qCounterwarpResultPointer &result) {
  return *static_cast<const Images *>(result->made.get());
}

}  // namespace

qSlicerCounterwarpHost::qSlicerCounterwarpHost(vtkSlicerCounterwarpLogic *logic, QObject *parent)
    : qCounterwarpHost(parent), logic_(logic) {
  callback_->SetClientData(this);
  callback_->SetCallback(onEvent);
  logic_->SetTranslator(
      [](const char *text) { return QCoreApplication::translate("vtkSlicerCounterwarpLogic", text).toStdString(); });
}

qSlicerCounterwarpHost::~qSlicerCounterwarpHost() {
  setScene(nullptr);
}

void qSlicerCounterwarpHost::setScene(vtkMRMLScene *scene) {
  scan_.set(nullptr, callback_);
  atlas_.set(nullptr, callback_);
  if (scene_)
    scene_->RemoveObserver(callback_);
  scene_ = scene;
  if (scene)
    for (const unsigned long event : {static_cast<unsigned long>(vtkMRMLScene::NodeAddedEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::NodeAboutToBeRemovedEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::NodeRemovedEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::StartCloseEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::StartImportEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::EndImportEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::EndRestoreEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::EndUndoEvent),
                                      static_cast<unsigned long>(vtkMRMLScene::EndRedoEvent)})
      scene->AddObserver(event, callback_);
  emit choicesChanged();
}

void qSlicerCounterwarpHost::Watched::set(vtkMRMLVolumeNode *volume, vtkCommand *callback) {
  if (node)
    node->RemoveObserver(callback);
  node = volume;
  if (volume) {
    volume->AddObserver(vtkMRMLVolumeNode::ImageDataModifiedEvent, callback);
    volume->AddObserver(vtkMRMLTransformableNode::TransformModifiedEvent, callback);
    volume->AddObserver(vtkCommand::ModifiedEvent, callback);  // all that a new origin or spacing tells
    hasMoved();
  }
}

bool qSlicerCounterwarpHost::Watched::hasMoved() {
  vtkNew<vtkMatrix4x4> now;
  node->GetIJKToRASMatrix(now);
  bool moved = false;
  for (int r = 0; r < 4; r++)
    for (int c = 0; c < 4; c++)
      moved = moved || now->GetElement(r, c) != place->GetElement(r, c);
  place->DeepCopy(now);
  return moved;
}

void qSlicerCounterwarpHost::watch(const QString &scan, const QString &atlas) {
  scan_.set(node(scan), callback_);
  atlas_.set(node(atlas), callback_);
  scale_ = counterwarp::change_scale({}, 0);
}

void qSlicerCounterwarpHost::onEvent(vtkObject *caller, unsigned long event, void *client, void *data) {
  auto *self = static_cast<qSlicerCounterwarpHost *>(client);
  auto *changed = static_cast<vtkMRMLNode *>(data);
  switch (event) {
    case vtkMRMLScene::StartCloseEvent:
      emit self->sceneClosing();
      self->watch(QString(), QString());
      break;
    case vtkMRMLScene::StartImportEvent:
      emit self->sceneLoading();
      break;
    case vtkMRMLScene::EndImportEvent:
    case vtkMRMLScene::EndRestoreEvent:
      emit self->sceneLoaded();
      break;
    case vtkMRMLScene::EndUndoEvent:
    case vtkMRMLScene::EndRedoEvent:
      // Where scans take part in undo, so do their outputs: what was computed may be gone from the scene.
      if (self->scan_.node && self->scan_.node->GetUndoEnabled())
        emit self->volumeChanged(QString::fromUtf8(self->scan_.node->GetID()));
      break;
    case vtkMRMLScene::NodeAboutToBeRemovedEvent:
      if (changed && changed->GetID())
        emit self->volumeGoing(QString::fromUtf8(changed->GetID()));
      return;
    case vtkMRMLScene::NodeRemovedEvent:
      for (Watched *watched : {&self->scan_, &self->atlas_})
        if (changed && changed == watched->node)
          watched->set(nullptr, self->callback_);
      if (changed && changed->GetID())
        emit self->volumeRemoved(QString::fromUtf8(changed->GetID()));
      break;
    case vtkMRMLScene::NodeAddedEvent:
      break;
    default:  // of the chosen scan or atlas
      for (Watched *watched : {&self->scan_, &self->atlas_})
        if (watched->node == caller && (event != vtkCommand::ModifiedEvent || watched->hasMoved()))
          emit self->volumeChanged(QString::fromUtf8(watched->node->GetID()));
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
  const std::string name = logic_->RegionName(node(atlas), label);
  return name.empty() ? tr("label %1").arg(label) : QString::fromStdString(name);
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
  scan_.set(node(id), callback_);
  scale_ = counterwarp::change_scale({}, 0);
  if (scan_.node)
    logic_->Show(node(id), nullptr, 0);
}

void qSlicerCounterwarpHost::atlasChosen(const QString &id) {
  atlas_.set(node(id), callback_);
}

void qSlicerCounterwarpHost::prepared(const QString &, const qCounterwarpOrigin &origin) {
  origin_ = origin;
}

// What an output was made with; strength: NaN where it is of none.
void qSlicerCounterwarpHost::record(vtkMRMLNode *output, double strength) {
  vtkSlicerCounterwarpLogic::Origin made;
  made.model = origin_.model.toStdString();
  QStringList numbers;
  for (int i = 0; origin_.alignment && i < 12; i++)
    numbers << QString::number(origin_.alignment->m[i / 4][i % 4], 'g', 17);
  made.alignment = numbers.isEmpty() ? "none" : numbers.join(QLatin1Char(' ')).toStdString();
  if (std::isfinite(strength))
    made.strength = QString::number(strength).toStdString();
  logic_->Record(output, made);
}

void qSlicerCounterwarpHost::showPreview(const QString &scan, const qCounterwarpPreviewPointer &preview) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  if (!input)
    return;
  vtkMRMLScalarVolumeNode *shown =
      logic_->PutPassing(vtkSlicerCounterwarpLogic::Preview, preview->grid, preview->image.data(), input);
  scale_ = counterwarp::change_scale(preview->logJacobian, scale_);
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
                                        const qCounterwarpOutputs &outputs) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  if (!input)
    return;
  const Images &made = imagesOf(result);
  image_ = outputs.volume ? logic_->PutImage(input, made.image) : nullptr;
  record(image_, result->strength);
  if (outputs.field)
    record(logic_->PutField(input, made.field, result->simulation.field.grid), result->strength);
  if (outputs.jacobian)
    record(logic_->PutJacobian(input, made.jacobian), result->strength);
  if (result_ != result)
    change_ = nullptr;
  result_ = result;
  preview_ = false;
  showAtRest();
}

void qSlicerCounterwarpHost::showAtRest() {
  auto *input = vtkMRMLScalarVolumeNode::SafeDownCast(scan_.node);
  if (!input || preview_)
    return;
  if (reference_) {
    logic_->Show(input, reference_, 1);
  } else if (saliency_ && overlay_) {
    logic_->Show(input, saliency_, kOpacity);
  } else {
    if (overlay_ && result_ && !change_) {
      change_ = logic_->PutOverlay(input, imagesOf(result_).overlay, scale_);
      record(change_, result_->strength);
    }
    logic_->Show(image_ ? image_.GetPointer() : input, overlay_ ? change_.GetPointer() : nullptr, kOpacity);
  }
}

void qSlicerCounterwarpHost::showCurve(const QString &scan, const QVector<double> &strengths,
                                       const QVector<double> &logits) {
  if (node(scan))
    record(logic_->PutCurve(node(scan), std::vector<double>(strengths.begin(), strengths.end()),
                            std::vector<double>(logits.begin(), logits.end())),
           std::nan(""));
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
    record(logic_->PutRegions(node(scan), rows), result_ && !rows.empty() ? result_->strength : std::nan(""));
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
  record(saliency_, std::nan(""));
  showAtRest();
}

void qSlicerCounterwarpHost::showReference(const QString &scan, const qCounterwarpVolumePointer &reference) {
  vtkMRMLScalarVolumeNode *input = node(scan);
  reference_ = nullptr;
  if (reference && input) {
    float least = 0;
    const std::vector<float> cubes = counterwarp::checkered(reference->volume, kCubes, &least);
    const float *samples = reference->volume.data;
    const double white =
        counterwarp::absolute_quantile({samples, samples + cw_grid_samples(&reference->volume.grid)}, 0.998);
    reference_ = logic_->PutPassing(vtkSlicerCounterwarpLogic::Reference, reference->volume.grid, cubes.data(), input);
    logic_->ShowFrom(reference_, least, white > least ? white : least + 1);
  } else {
    logic_->RemovePassing(vtkSlicerCounterwarpLogic::Reference);
  }
  showAtRest();
}

void qSlicerCounterwarpHost::endPreview() {
  preview_ = false;
  result_.reset();
  image_ = change_ = saliency_ = reference_ = nullptr;
  logic_->RemovePassing(vtkSlicerCounterwarpLogic::Preview);
  logic_->RemovePassing(vtkSlicerCounterwarpLogic::Reference);
}
