#include "qSlicerCounterwarpModuleWidget.h"

#include <qMRMLNodeComboBox.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLScriptedModuleNode.h>

#include <QJsonDocument>
#include <QJsonObject>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "qCounterwarpPanel.h"
#include "qSlicerCounterwarpHost.h"
#include "vtkSlicerCounterwarpLogic.h"

namespace {

QByteArray textOf(const QVariantMap &settings) {
  return QJsonDocument(QJsonObject::fromVariantMap(settings)).toJson(QJsonDocument::Compact);
}

}  // namespace

qSlicerCounterwarpModuleWidget::qSlicerCounterwarpModuleWidget(QWidget *parent) : Superclass(parent) {}

qSlicerCounterwarpModuleWidget::~qSlicerCounterwarpModuleWidget() {
  if (panel_)
    panel_->setHost(nullptr);
}

qMRMLNodeComboBox *qSlicerCounterwarpModuleWidget::chooser(const QString &node_class, bool none) {
  auto *box = new qMRMLNodeComboBox(this);
  box->setNodeTypes(QStringList(node_class));
  box->setShowChildNodeTypes(false);
  box->setNoneEnabled(none);
  box->setAddEnabled(false);
  box->setRemoveEnabled(false);
  box->setMRMLScene(this->mrmlScene());
  connect(this, SIGNAL(mrmlSceneChanged(vtkMRMLScene *)), box, SLOT(setMRMLScene(vtkMRMLScene *)));
  return box;
}

void qSlicerCounterwarpModuleWidget::setup() {
  Superclass::setup();
  auto *logic = vtkSlicerCounterwarpLogic::SafeDownCast(this->logic());
  auto *layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  panel_ = new qCounterwarpPanel;
  layout->addWidget(panel_);
  layout->addStretch(1);
  host_ = new qSlicerCounterwarpHost(logic, this);
  scan_ = chooser(QStringLiteral("vtkMRMLScalarVolumeNode"), true);
  scan_->setToolTip(
      tr("The scan to explain, in any orientation. It must lie where the model's training scans lie, or be aligned."));
  atlas_ = chooser(QStringLiteral("vtkMRMLLabelMapVolumeNode"), true);
  atlas_->setToolTip(
      tr("Labels in the scan's space, or in the model's; the table gives each region's change of volume."));
  panel_->replaceScanChooser(scan_);
  panel_->replaceAtlasChooser(atlas_);
  connect(scan_, SIGNAL(currentNodeChanged(vtkMRMLNode *)), this, SLOT(onScanChosen(vtkMRMLNode *)));
  connect(atlas_, SIGNAL(currentNodeChanged(vtkMRMLNode *)), this, SLOT(onAtlasChosen(vtkMRMLNode *)));
  connect(panel_, &qCounterwarpPanel::settingsChanged, this, [this] { writeSettings(); });
  connect(host_, &qSlicerCounterwarpHost::sceneLoading, this, [this] { reading_ = true; });
  connect(host_, &qSlicerCounterwarpHost::sceneLoaded, this, [this] { readSettings(); });
  connect(host_, &qSlicerCounterwarpHost::sceneClosing, this, [this] {
    reading_ = true;  // a scene that closes takes no settings
    panel_->chooseScan(QString());
    panel_->chooseAtlas(QString());
    reading_ = false;
  });
  // A chooser whose node goes would choose the neighbour, as if the user had.
  connect(host_, &qSlicerCounterwarpHost::volumeGoing, this, [this](const QString &id) {
    for (qMRMLNodeComboBox *box : {scan_, atlas_})
      if (box->currentNodeID() == id) {
        const QSignalBlocker blocker(box);
        box->setCurrentNodeID(QString());
      }
  });
  panel_->setHost(host_);
  // The demonstration's choices, in the choosers too.
  connect(host_, &qCounterwarpHost::chooseScan, this, [this](const QString &id) { scan_->setCurrentNodeID(id); });
  connect(host_, &qCounterwarpHost::chooseAtlas, this, [this](const QString &id) { atlas_->setCurrentNodeID(id); });
  connect(host_, &qCounterwarpHost::volumeChanged, this, [this](const QString &id) {
    if (scan_->currentNodeID() == id)  // so that it can be chosen again
      scan_->setCurrentNodeID(QString());
  });
}

void qSlicerCounterwarpModuleWidget::setMRMLScene(vtkMRMLScene *scene) {
  Superclass::setMRMLScene(scene);
  if (!host_)
    return;
  host_->setScene(scene);
  readSettings();
}

void qSlicerCounterwarpModuleWidget::onScanChosen(vtkMRMLNode *node) {
  vtkMRMLScene *scene = this->mrmlScene();
  if (reading_ || !scene || scene->IsBatchProcessing())
    return;
  scene->SaveStateForUndo();
  panel_->chooseScan(node ? QString::fromUtf8(node->GetID()) : QString());
}

void qSlicerCounterwarpModuleWidget::onAtlasChosen(vtkMRMLNode *node) {
  if (!reading_ && this->mrmlScene() && !this->mrmlScene()->IsBatchProcessing())
    panel_->chooseAtlas(node ? QString::fromUtf8(node->GetID()) : QString());
}

// Nodes are kept as references, whose identifiers Slicer mends when scenes are merged.
void qSlicerCounterwarpModuleWidget::writeSettings() {
  auto *logic = vtkSlicerCounterwarpLogic::SafeDownCast(this->logic());
  vtkMRMLScene *scene = this->mrmlScene();
  if (reading_ || !logic || !scene || scene->IsClosing() || scene->IsImporting())
    return;
  QVariantMap settings = panel_->settings();
  vtkMRMLScriptedModuleNode *node = logic->GetParameterNode();
  const int was = node->StartModify();
  node->SetNodeReferenceID("Scan", settings.take(QStringLiteral("scan")).toString().toUtf8().constData());
  node->SetNodeReferenceID("Atlas", settings.take(QStringLiteral("atlas")).toString().toUtf8().constData());
  node->SetParameter("Settings", textOf(settings).toStdString());
  node->EndModify(was);
}

void qSlicerCounterwarpModuleWidget::readSettings() {
  auto *logic = vtkSlicerCounterwarpLogic::SafeDownCast(this->logic());
  vtkMRMLScene *scene = this->mrmlScene();
  vtkMRMLNode *found = scene ? scene->GetSingletonNode("Counterwarp", "vtkMRMLScriptedModuleNode") : nullptr;
  auto *node = vtkMRMLScriptedModuleNode::SafeDownCast(found);
  reading_ = false;
  if (!logic || !node || node->GetParameter("Settings").empty())  // a scene without any leaves the panel as it is
    return;
  const QByteArray text = QByteArray::fromStdString(node->GetParameter("Settings"));
  QVariantMap settings = QJsonDocument::fromJson(text).object().toVariantMap(), own = panel_->settings();
  const auto id = [&](const char *role) {
    const char *of = node->GetNodeReferenceID(role);
    return QString::fromUtf8(of && scene->GetNodeByID(of) ? of : "");
  };
  settings[QStringLiteral("scan")] = id("Scan");
  settings[QStringLiteral("atlas")] = id("Atlas");
  const bool same = own.take(QStringLiteral("scan")) == settings[QStringLiteral("scan")] &&
                    own.take(QStringLiteral("atlas")) == settings[QStringLiteral("atlas")] && text == textOf(own);
  reading_ = true;
  scan_->setCurrentNodeID(id("Scan"));
  atlas_->setCurrentNodeID(id("Atlas"));
  if (!same) {  // else other things were added to the scene, and work goes on
    host_->watch(QString(), QString());
    panel_->setSettings(settings);
    host_->watch(panel_->scan(), panel_->atlas());
  }
  reading_ = false;
}
