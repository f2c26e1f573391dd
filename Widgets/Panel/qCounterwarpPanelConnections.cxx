// What the panel listens to: its engine and its own parts.
#include <QFileDialog>
#include <QFileInfo>
#include <QShortcut>

#include "qCounterwarpPanel.h"
#include "ui_qCounterwarpPanel.h"

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
