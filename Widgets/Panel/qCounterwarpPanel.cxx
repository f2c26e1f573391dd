#include "qCounterwarpPanel.h"

#include <algorithm>
#include <cmath>
#include <QFileDialog>
#include <QFileInfo>
#include <QShortcut>
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

void qCounterwarpPanel::connectEngine() {
  using Engine = qCounterwarpEngine;
  using Panel = qCounterwarpPanel;
  connect(engine_, &Engine::modelRead, this, &Panel::onModelRead);
  connect(engine_, &Engine::aligned, this, &Panel::onAligned);
  connect(engine_, &Engine::prepared, this, &Panel::onPrepared);
  connect(engine_, &Engine::previewReady, this, &Panel::onPreview);
  connect(engine_, &Engine::curveReady, this, &Panel::onCurve);
  connect(engine_, &Engine::resultReady, this, &Panel::onResult);
  connect(engine_, &Engine::regionsReady, this, &Panel::onRegions);
  connect(engine_, &Engine::saliencyReady, this, &Panel::onSaliency);
  connect(engine_, &Engine::failed, this, &Panel::onFailed);
  connect(engine_, &Engine::cancelled, this, &Panel::onCancelled);
  connect(engine_, &Engine::busyChanged, this, &Panel::onBusy);
  connect(engine_, &Engine::progressed, this, &Panel::onProgress);
  connect(engine_, &Engine::warned, this, [this](const QString &sentence) { messages_->warn(sentence); });
}

void qCounterwarpPanel::connectChoices() {
  const auto activated = static_cast<void (QComboBox::*)(int)>(&QComboBox::activated);
  const auto chosen = [&](QComboBox *box, void (qCounterwarpPanel::*choose)(const QString &)) {
    connect(box, activated, this, [this, box, choose](int index) { (this->*choose)(box->itemData(index).toString()); });
  };
  chosen(ui_->volumeBox, &qCounterwarpPanel::chooseScan);
  chosen(ui_->modelBox, &qCounterwarpPanel::chooseModel);
  chosen(ui_->atlasBox, &qCounterwarpPanel::chooseAtlas);
  chosen(ui_->methodBox, &qCounterwarpPanel::chooseMethod);
  connect(ui_->modelButton, &QPushButton::clicked, this, &qCounterwarpPanel::browse);
  connect(ui_->sanityButton, &QPushButton::clicked, this, [this] {
    const QString file = QFileDialog::getOpenFileName(this, tr("Choose sanity checks"), QFileInfo(model_).path(),
                                                      tr("Sanity checks (sanity.json *.json);;All files (*)"));
    if (!file.isEmpty())
      chooseSanity(file);
  });
  connect(ui_->alignButton, &QPushButton::clicked, this, &qCounterwarpPanel::align);
  connect(ui_->alignCheck, &QCheckBox::clicked, this, [this] {
    emit settingsChanged();
    apply();
  });
  connect(ui_->boardCheck, &QCheckBox::toggled, this, [this] {
    showBoard();
    emit settingsChanged();
  });
  connect(ui_->atlasCheck, &QCheckBox::clicked, this, [this] {
    passAtlas();
    emit settingsChanged();
  });
  connect(ui_->applyButton, &QPushButton::clicked, this, &qCounterwarpPanel::apply);
  connect(ui_->cancelButton, &QPushButton::clicked, this, &qCounterwarpPanel::cancel);
  // A button's own shortcut would wait for its animation.
  auto *escape = new QShortcut(QKeySequence(Qt::Key_Escape), this);
  escape->setContext(Qt::WidgetWithChildrenShortcut);
  connect(escape, &QShortcut::activated, this, &qCounterwarpPanel::cancel);
  connect(ui_->demoButton, &QPushButton::clicked, this, [this] {
    if (host_)
      host_->openDemo();
  });
}

void qCounterwarpPanel::connectSlider() {
  connect(ui_->strengthSlider, &QSlider::valueChanged, ui_->strengthSpin, &QSpinBox::setValue);
  connect(ui_->strengthSpin, static_cast<void (QSpinBox::*)(int)>(&QSpinBox::valueChanged), ui_->strengthSlider,
          &QSlider::setValue);
  connect(ui_->strengthSlider, &QSlider::valueChanged, this, [this] { move(false); });
  connect(ui_->strengthSlider, &QSlider::sliderReleased, this, [this] { move(true); });
  connect(&settle_, &QTimer::timeout, this, [this] { move(true); });
  connect(ui_->removeButton, &QPushButton::clicked, this, [this] { setStrength(-1); });
  connect(ui_->originalButton, &QPushButton::clicked, this, [this] { setStrength(0); });
  connect(ui_->injectButton, &QPushButton::clicked, this, [this] { setStrength(1); });
  connect(ui_->curve, &qCounterwarpCurve::pointed, this, [this](double strength, bool final) {
    setStrength(strength);
    if (final)
      move(true);
  });
}

void qCounterwarpPanel::connectOutputs() {
  for (QCheckBox *check : {ui_->volumeCheck, ui_->fieldCheck, ui_->jacobianCheck})
    connect(check, &QCheckBox::toggled, this, [this] {
      giveResult();
      emit settingsChanged();
    });
  connect(ui_->overlayCheck, &QCheckBox::toggled, this, [this](bool on) {
    if (host_)
      host_->showOverlay(on);
    emit settingsChanged();
  });
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

void qCounterwarpPanel::onAligned(const qCounterwarpAlignment &alignment) {
  setAlignment(alignment);
  ui_->boardCheck->setChecked(true);  // nobody should trust it unseen
  emit settingsChanged();
  apply();
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

void qCounterwarpPanel::onSaliency(const qCounterwarpSaliencyPointer &saliency) {
  if (saliency->method != method_)  // another one was chosen while this one was on its way
    return;
  saliency_ = saliency;
  if (!saliency->problem.isEmpty())
    messages_->warn(saliency->problem);
  if (host_)
    host_->showSaliency(scan_, saliency, qCounterwarpSanity::verdict(sanity_, info_.classifier, saliency->method));
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

QVariantMap qCounterwarpPanel::settings() const {
  QVariantMap map;
  map[QStringLiteral("scan")] = scan_;
  map[QStringLiteral("model")] = model_;
  map[QStringLiteral("atlas")] = atlas_;
  map[QStringLiteral("strength")] = strength();
  map[QStringLiteral("volume")] = ui_->volumeCheck->isChecked();
  map[QStringLiteral("field")] = ui_->fieldCheck->isChecked();
  map[QStringLiteral("jacobian")] = ui_->jacobianCheck->isChecked();
  map[QStringLiteral("overlay")] = ui_->overlayCheck->isChecked();
  map[QStringLiteral("board")] = ui_->boardCheck->isChecked();
  map[QStringLiteral("method")] = method_;
  map[QStringLiteral("sanity")] = sanity_;
  map[QStringLiteral("atlasOfModel")] = ui_->atlasCheck->isChecked();
  map[QStringLiteral("useAlignment")] = ui_->alignCheck->isChecked();
  QVariantList numbers;
  for (int i = 0; alignment_ && i < 12; i++)
    numbers << alignment_->m[i / 4][i % 4];
  map[QStringLiteral("alignment")] = numbers;
  return map;
}

void qCounterwarpPanel::setSettings(const QVariantMap &map) {
  const QSignalBlocker blocker(this);
  engine_->cancel();
  letGo();
  say(qCounterwarpMessages::Info, QString());
  known_ = reading_ = false;
  info_ = qCounterwarpModelInfo();
  scan_ = map.value(QStringLiteral("scan")).toString();
  model_ = map.value(QStringLiteral("model")).toString();
  if (!model_.isEmpty())
    more_models_ << qMakePair(model_, QFileInfo(model_).fileName());
  ui_->volumeCheck->setChecked(map.value(QStringLiteral("volume"), true).toBool());
  ui_->fieldCheck->setChecked(map.value(QStringLiteral("field"), true).toBool());
  ui_->jacobianCheck->setChecked(map.value(QStringLiteral("jacobian"), true).toBool());
  ui_->overlayCheck->setChecked(map.value(QStringLiteral("overlay"), true).toBool());
  ui_->boardCheck->setChecked(map.value(QStringLiteral("board")).toBool());
  ui_->strengthSlider->setValue(qRound(100 * map.value(QStringLiteral("strength")).toDouble()));
  ui_->expectsLabel->setText(model_.isEmpty() ? tr("Choose a model to see what it expects.")
                                              : tr("Apply reads the model and prepares the scan."));
  const QVariantList numbers = map.value(QStringLiteral("alignment")).toList();
  cw_affine kept = cw_affine();
  for (int i = 0; i < 12 && numbers.size() == 12; i++)
    kept.m[i / 4][i % 4] = numbers[i].toDouble();
  setAlignment(numbers.size() == 12 ? std::make_shared<const cw_affine>(kept) : nullptr);
  ui_->alignCheck->setChecked(alignment_ && map.value(QStringLiteral("useAlignment"), true).toBool());
  ui_->atlasCheck->setChecked(map.value(QStringLiteral("atlasOfModel")).toBool());
  sanity_ = map.value(QStringLiteral("sanity")).toString();
  chooseMethod(map.value(QStringLiteral("method")).toString());
  chooseAtlas(map.value(QStringLiteral("atlas")).toString());
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

void qCounterwarpPanel::showLogit(double logit) {
  const QString side = logit > 0 ? tr("patient") : tr("control");
  QString text = tr("Logit %1: the classifier says <b>%2</b>.").arg(qCounterwarpSignedNumber(logit, 2), side);
  if (has_original_)
    text += tr(" Original: %1.").arg(qCounterwarpSignedNumber(original_, 2));
  ui_->logitLabel->setText(text);
}

// ---- what the engine tells ----

void qCounterwarpPanel::onModelRead(const qCounterwarpModelInfo &info) {
  if (!reading_ || info.file != model_)
    return;
  known_ = true;
  reading_ = false;
  info_ = info;
  ui_->expectsLabel->setText(info.expects);
  ui_->expectsLabel->setToolTip(info.record);
  refreshChoices();
  showVerdict();
  apply();
}

void qCounterwarpPanel::onPrepared() {
  prepared_ = true;
  enable();
  showBoard();
  engine_->show(strength(), false);
  engine_->show(strength(), true);
}

void qCounterwarpPanel::onPreview(const qCounterwarpPreviewPointer &preview) {
  shown_strength_ = preview->strength;
  shown_logit_ = preview->logit;
  ui_->curve->setPosition(strength(), strength() == shown_strength_ ? shown_logit_ : std::nan(""));
  showLogit(preview->logit);
  ui_->regionTable->setEnabled(false);  // of an earlier position, until full resolution comes
  if (host_)
    host_->showPreview(scan_, preview);
}

void qCounterwarpPanel::onCurve(const QVector<double> &strengths, const QVector<double> &logits) {
  original_ = logits[logits.size() / 2];
  has_original_ = true;
  ui_->curve->setCurve(strengths, logits);
  if (host_)
    host_->showCurve(scan_, strengths, logits);
}

void qCounterwarpPanel::onResult(const qCounterwarpResultPointer &result) {
  result_ = result;
  showLogit(result->simulation.logit_after);
  if (result->simulation.folded)
    messages_->sayOfPosition(qCounterwarpMessages::Warning, tr("The field folds in %n voxel(s) here (J not above 0).",
                                                               "", static_cast<int>(result->simulation.folded)));
  giveResult();
}

// Not where the slider has left it: after a cancellation, what the host has stays as it is.
void qCounterwarpPanel::giveResult() {
  if (!host_ || !prepared_ || !result_ || result_->strength != strength())
    return;
  qCounterwarpOutputs outputs;
  outputs.volume = ui_->volumeCheck->isChecked();
  outputs.field = ui_->fieldCheck->isChecked();
  outputs.jacobian = ui_->jacobianCheck->isChecked();
  host_->showResult(scan_, result_, outputs);
}

void qCounterwarpPanel::onRegions(const QVector<qCounterwarpRegion> &regions, double strength) {
  ui_->regionTable->setRegions(regions, strength, [this](int label) {
    return host_ ? host_->regionName(atlas_, label) : QString::number(label);
  });
  ui_->regionTable->setEnabled(strength == this->strength());
  if (host_)
    host_->showRegions(scan_, atlas_, regions);
}

void qCounterwarpPanel::onFailed(const QString &sentence) {
  reading_ = false;
  if (!known_)
    ui_->expectsLabel->setText(tr("This file is no model that the panel can use."));
  if (prepared_)
    messages_->sayOfPosition(qCounterwarpMessages::Error, sentence);
  else
    say(qCounterwarpMessages::Error, sentence);
}

void qCounterwarpPanel::onCancelled() {
  reading_ = false;
  if (!known_ && !model_.isEmpty())
    ui_->expectsLabel->setText(tr("Apply reads the model again."));
  if (prepared_)
    messages_->sayOfPosition(qCounterwarpMessages::Info, tr("Cancelled. Move the slider, or press Apply, to go on."));
  else
    say(qCounterwarpMessages::Info, tr("Cancelled. Press Apply to start again."));
  enable();
}

void qCounterwarpPanel::onBusy(bool) {
  ui_->progressBar->setValue(0);
  ui_->progressBar->setFormat(QString());
  stage_.clear();
  enable();
}

void qCounterwarpPanel::onProgress(const QString &stage, double fraction) {
  if (stage != stage_) {
    stage_ = stage;
    stage_time_.start();
  }
  ui_->progressBar->setValue(qRound(1000 * fraction));
  const double spent = stage_time_.elapsed() / 1000.0;
  QString text = stage;
  if (spent > 1 && fraction > 0.02 && fraction < 1)
    text += tr(", %1 left").arg(qCounterwarpWords::duration(spent * (1 - fraction) / fraction));
  ui_->progressBar->setFormat(text);
}

void qCounterwarpPanel::onVolumeRemoved(const QString &id) {
  if (id == atlas_) {
    chooseAtlas(QString());
    say(qCounterwarpMessages::Info, tr("The atlas was removed."));
  }
  if (id == scan_) {
    letGo();
    scan_.clear();
    setAlignment(nullptr);
    if (host_)
      host_->scanChosen(QString());
    say(qCounterwarpMessages::Error,
        tr("The volume was removed or changed while it was in use. Choose a volume to go on."));
    emit settingsChanged();
  }
  refreshChoices();
}

void qCounterwarpPanel::onVolumeChanged(const QString &id) {
  if (id == scan_)
    onVolumeRemoved(id);
  else if (id == atlas_)
    passAtlas();
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
