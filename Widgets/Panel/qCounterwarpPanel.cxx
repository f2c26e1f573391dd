#include "qCounterwarpPanel.h"

#include <algorithm>
#include <cmath>
#include <QFileDialog>
#include <QFileInfo>
#include <QSignalBlocker>

#include "qCounterwarpAlign.h"
#include "qCounterwarpWords.h"
#include "ui_qCounterwarpPanel.h"

namespace {

const int kRest = 150;  // ms without a move after which full resolution is computed

}  // namespace

qCounterwarpPanel::qCounterwarpPanel(QWidget *parent)
    : QWidget(parent), ui_(new Ui::qCounterwarpPanel), engine_(new qCounterwarpEngine(this)) {
  ui_->setupUi(this);
  messages_.reset(new qCounterwarpMessages(ui_->messageLabel));
  ui_->regionTable->fitColumns();
  settle_.setSingleShot(true);
  settle_.setInterval(kRest);

  if (!qCounterwarpAlign::available()) {
    ui_->alignButton->setText(tr("Align to model (not in this build)"));
    ui_->alignButton->setToolTip(
        tr("This build was made without ITK. counterwarp-align makes the alignment elsewhere."));
    ui_->alignCheck->hide();
  }
  connectEngine();
  connectChoices();
  connectSlider();
  connectOutputs();
  setAlignment(nullptr);
  showVerdict();
  refreshChoices();
  enable();
}

qCounterwarpPanel::~qCounterwarpPanel() = default;

void qCounterwarpPanel::setHost(qCounterwarpHost *host) {
  if (host_)
    host_->disconnect(this);
  letGo();
  host_ = host;
  if (host_) {
    connect(host_, &qCounterwarpHost::choicesChanged, this, &qCounterwarpPanel::refreshChoices);
    connect(host_, &qCounterwarpHost::volumeRemoved, this, &qCounterwarpPanel::onVolumeRemoved);
    connect(host_, &qCounterwarpHost::volumeChanged, this, &qCounterwarpPanel::onVolumeChanged);
    connect(host_, &qCounterwarpHost::chooseScan, this, &qCounterwarpPanel::chooseScan);
    connect(host_, &qCounterwarpHost::chooseAtlas, this, &qCounterwarpPanel::chooseAtlas);
    connect(host_, &qCounterwarpHost::chooseModel, this, &qCounterwarpPanel::chooseModel);
    connect(host_, &QObject::destroyed, this, [this] {
      host_ = nullptr;
      engine_->forget();
    });
    host_->showOverlay(ui_->overlayCheck->isChecked());
  }
  engine_->setMaker(host_ ? host_->maker() : nullptr);
  refreshChoices();
  enable();
}

double qCounterwarpPanel::strength() const {
  return ui_->strengthSlider->value() / 100.0;
}

bool qCounterwarpPanel::isBusy() const {
  return engine_->isBusy() || settle_.isActive();
}

// ---- choosing ----

void qCounterwarpPanel::fill(QComboBox *box, const qCounterwarpHost::Choices &choices, const QString &current,
                             const QString &none) {
  const QSignalBlocker blocker(box);
  box->clear();
  box->addItem(none, QString());
  for (const auto &choice : choices) {
    box->addItem(choice.second, choice.first);
    box->setItemData(box->count() - 1, choice.second, Qt::ToolTipRole);
  }
  const int at = current.isEmpty() ? 0 : box->findData(current);
  box->setCurrentIndex(at < 0 ? 0 : at);
}

void qCounterwarpPanel::refreshChoices() {
  using Choices = qCounterwarpHost::Choices;
  Choices models = host_ ? host_->models() : Choices();
  for (const auto &model : more_models_)
    if (!models.contains(model))
      models << model;
  fill(ui_->volumeBox, host_ ? host_->scans() : Choices(), scan_, tr("Choose a volume"));
  fill(ui_->atlasBox, host_ ? host_->atlases() : Choices(), atlas_, tr("None"));
  fill(ui_->modelBox, models, model_, tr("Choose a model"));
  Choices methods;
  for (const QString &method : info_.methods)
    methods << qMakePair(method, method);
  if (!method_.isEmpty() && !info_.methods.contains(method_))
    methods << qMakePair(method_, method_);
  fill(ui_->methodBox, methods, method_, tr("None"));
  enable();
}

void qCounterwarpPanel::letGo() {
  settle_.stop();
  engine_->forget();
  prepared_ = has_original_ = false;
  result_.reset();
  saliency_.reset();
  messages_->forgetScan();
  ui_->curve->clear();
  ui_->logitLabel->clear();
  ui_->regionTable->setRowCount(0);
  if (host_)
    host_->endPreview();
  enable();
}

void qCounterwarpPanel::chooseScan(const QString &id) {
  if (id == scan_)
    return;
  letGo();
  scan_ = id;
  setAlignment(nullptr);
  say(qCounterwarpMessages::Info, QString());
  refreshChoices();
  if (host_)
    host_->scanChosen(id);
  emit settingsChanged();
  apply();
}

void qCounterwarpPanel::chooseModel(const QString &file) {
  letGo();
  model_ = file;
  known_ = reading_ = false;
  info_ = qCounterwarpModelInfo();
  sanity_ = file.isEmpty() ? QString() : qCounterwarpSanity::find(file);
  setAlignment(nullptr);
  showVerdict();
  ui_->expectsLabel->setText(tr("Choose a model to see what it expects."));
  ui_->expectsLabel->setToolTip(QString());
  const auto choice = qMakePair(file, QFileInfo(file).fileName());
  bool listed = file.isEmpty() || more_models_.contains(choice);
  if (host_)
    for (const auto &model : host_->models())
      listed = listed || model.first == file;
  if (!listed)
    more_models_ << choice;
  say(qCounterwarpMessages::Info, QString());
  refreshChoices();
  emit settingsChanged();
  if (!file.isEmpty())
    readModel();
}

void qCounterwarpPanel::readModel() {
  reading_ = true;
  ui_->expectsLabel->setText(tr("Reading the model…"));
  engine_->readModel(model_);
}

void qCounterwarpPanel::browse() {
  const QString file = QFileDialog::getOpenFileName(this, tr("Choose a model"), QFileInfo(model_).path(),
                                                    tr("Models (*.onnx);;All files (*)"));
  if (!file.isEmpty())
    chooseModel(file);
}

void qCounterwarpPanel::chooseAtlas(const QString &id) {
  atlas_ = id;
  ui_->regionTable->forget();
  if (host_)
    host_->atlasChosen(id);
  passAtlas();
  refreshChoices();
  emit settingsChanged();
}

void qCounterwarpPanel::passAtlas() {
  ui_->regionTable->setRowCount(0);
  if (host_ && prepared_)  // a scene's table of an earlier run stays
    host_->showRegions(scan_, atlas_, QVector<qCounterwarpRegion>());
  QString problem;
  const qCounterwarpVolumePointer atlas = host_ && !atlas_.isEmpty() ? host_->volume(atlas_, &problem) : nullptr;
  if (!problem.isEmpty())
    say(qCounterwarpMessages::Error, problem);
  engine_->setAtlas(atlas, ui_->atlasCheck->isChecked());
}

qCounterwarpVolumePointer qCounterwarpPanel::readScan() {
  QString problem;
  const qCounterwarpVolumePointer volume = host_->volume(scan_, &problem);
  if (volume)
    say(qCounterwarpMessages::Info, QString());
  else
    say(qCounterwarpMessages::Error, problem.isEmpty() ? tr("The volume cannot be read.") : problem);
  return volume;
}

void qCounterwarpPanel::apply() {
  if (!host_ || scan_.isEmpty() || model_.isEmpty())
    return;
  if (reading_)
    return;  // reading ends in apply()
  if (!known_) {
    readModel();
    return;
  }
  letGo();
  const qCounterwarpVolumePointer volume = readScan();
  if (!volume)
    return;
  QString name = scan_;
  for (const auto &choice : host_->scans())
    if (choice.first == scan_)
      name = choice.second;
  showTrainedOn(name);
  if (cw_grid_shear(&volume->volume.grid) > CW_SHEAR_ALLOWED)
    messages_->warn(
        tr("The axes of %1 are not at right angles. ITK and 3D Slicer cannot write and read results on such a grid: "
           "resample it first.")
            .arg(name));
  host_->prepared(scan_, {model_, alignment()});
  engine_->prepare(volume, name, alignment());
}

// ---- alignment ----

void qCounterwarpPanel::align() {
  if (!host_ || scan_.isEmpty() || !known_)
    return;
  letGo();
  setAlignment(nullptr);
  const qCounterwarpVolumePointer volume = readScan();
  if (volume)
    engine_->align(volume);
}

qCounterwarpAlignment qCounterwarpPanel::alignment() const {
  return ui_->alignCheck->isChecked() ? alignment_ : nullptr;
}

void qCounterwarpPanel::setAlignment(const qCounterwarpAlignment &alignment) {
  alignment_ = alignment;
  ui_->alignCheck->setChecked(static_cast<bool>(alignment));
  ui_->alignLabel->setVisible(static_cast<bool>(alignment));
  if (alignment)
    ui_->alignLabel->setText(qCounterwarpWords::describe(*alignment));
  enable();
}

void qCounterwarpPanel::showBoard() {
  if (!host_)
    return;
  std::shared_ptr<qCounterwarpVolume> placed;
  if (ui_->boardCheck->isChecked() && prepared_ && info_.reference) {
    cw_grid grid = info_.grid;
    if (const qCounterwarpAlignment used = alignment())
      grid.to_world = cw_affine_compose(used.get(), &grid.to_world);
    placed = qCounterwarpVolume::create(grid);
    if (placed)
      std::copy_n(info_.reference->volume.data, cw_grid_samples(&grid), placed->volume.data);
  }
  host_->showReference(scan_, placed);
}

// ---- saliency ----

void qCounterwarpPanel::chooseMethod(const QString &method) {
  method_ = method;
  saliency_.reset();
  if (host_)
    host_->showSaliency(scan_, nullptr, qCounterwarpVerdict());
  engine_->explain(method);
  showVerdict();
  refreshChoices();
  emit settingsChanged();
}

void qCounterwarpPanel::chooseSanity(const QString &file) {
  sanity_ = file;
  showVerdict();
  if (saliency_)
    onSaliency(saliency_);
  emit settingsChanged();
}

void qCounterwarpPanel::showVerdict() {
  using Messages = qCounterwarpMessages;
  static const Messages::Kind kinds[] = {Messages::Warning, Messages::Info, Messages::Warning, Messages::Error};
  if (method_.isEmpty() || !known_) {
    Messages::write(ui_->verdictLabel, Messages::Info, QString());
    return;
  }
  const qCounterwarpVerdict verdict = qCounterwarpSanity::verdict(sanity_, info_.classifier, method_);
  Messages::write(ui_->verdictLabel, kinds[verdict.kind], verdict.text);
}

// A scan whose name says that its subject was trained on explains less than it seems to.
void qCounterwarpPanel::showTrainedOn(const QString &scan_name) {
  const QString participant = scan_name.section(QLatin1Char('_'), 0, 0).section(QLatin1Char('.'), 0, 0);
  if (info_.trainedOn.contains(participant))
    messages_->warn(tr("%1 took part in this model's training.").arg(participant));
}

void qCounterwarpPanel::cancel() {
  const bool only_waits = settle_.isActive() && !engine_->isBusy();
  settle_.stop();
  engine_->cancel();
  if (only_waits)
    onCancelled();
  if (!prepared_)
    engine_->forget();  // what is half prepared, or on its way here
}

void qCounterwarpPanel::replaceScanChooser(QWidget *chooser) {
  replace(ui_->inputLayout, ui_->volumeBox, chooser, ui_->volumeLabel);
}

void qCounterwarpPanel::replaceAtlasChooser(QWidget *chooser) {
  replace(ui_->atlasLayout, ui_->atlasBox, chooser, ui_->atlasLabel);
}

void qCounterwarpPanel::replace(QLayout *layout, QWidget *box, QWidget *chooser, QLabel *label) {
  delete layout->replaceWidget(box, chooser);
  QWidget *keyboard = chooser;  // what takes the keyboard's focus
  if (chooser->focusPolicy() == Qt::NoFocus && !chooser->focusProxy())
    if (auto *inner = chooser->findChild<QComboBox *>())
      keyboard = inner;
  setTabOrder(box, keyboard);  // a hidden widget keeps its place
  box->hide();
  label->setBuddy(keyboard);
}

// ---- the slider ----

void qCounterwarpPanel::setStrength(double strength) {
  ui_->strengthSlider->setValue(qRound(100 * strength));
}

void qCounterwarpPanel::move(bool settle) {
  if (prepared_) {
    messages_->sayOfPosition(qCounterwarpMessages::Info, QString());
    ui_->curve->setPosition(strength(), strength() == shown_strength_ ? shown_logit_ : std::nan(""));
    engine_->show(strength(), settle);
    if (settle)
      settle_.stop();
    else
      settle_.start();
    ui_->cancelButton->setEnabled(true);
  }
  if (settle || !prepared_)
    emit settingsChanged();
}

// ---- the look ----

void qCounterwarpPanel::say(qCounterwarpMessages::Kind kind, const QString &text) {
  messages_->say(kind, text);
}

void qCounterwarpPanel::enable() {
  const bool ready = host_ && !scan_.isEmpty() && !model_.isEmpty();
  ui_->demoFrame->setVisible(host_ && host_->hasDemo() && scan_.isEmpty() && model_.isEmpty());
  ui_->applyButton->setEnabled(ready);
  ui_->cancelButton->setEnabled(isBusy());
  ui_->strengthGroup->setEnabled(prepared_);
  ui_->alignButton->setEnabled(ready && known_ && info_.reference && qCounterwarpAlign::available());
  ui_->alignCheck->setEnabled(static_cast<bool>(alignment_));
  ui_->atlasCheck->setEnabled(static_cast<bool>(alignment()));
  ui_->boardCheck->setEnabled(prepared_ && info_.reference);
  ui_->sanityButton->setEnabled(known_);
  ui_->methodBox->setEnabled(known_ || !method_.isEmpty());
}
