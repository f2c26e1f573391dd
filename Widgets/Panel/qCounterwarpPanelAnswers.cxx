// What the panel makes of what its engine and its host tell.
#include <cmath>

#include "qCounterwarpPanel.h"
#include "qCounterwarpWords.h"
#include "ui_qCounterwarpPanel.h"

void qCounterwarpPanel::showLogit(double logit) {
  const QString side = logit > 0 ? tr("patient") : tr("control");
  QString text = tr("Logit %1: the classifier says <b>%2</b>.").arg(qCounterwarpSignedNumber(logit, 2), side);
  if (has_original_)
    text += tr(" Original: %1.").arg(qCounterwarpSignedNumber(original_, 2));
  ui_->logitLabel->setText(text);
}

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

void qCounterwarpPanel::onAligned(const qCounterwarpAlignment &alignment) {
  setAlignment(alignment);
  ui_->boardCheck->setChecked(true);  // nobody should trust it unseen
  emit settingsChanged();
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

void qCounterwarpPanel::onSaliency(const qCounterwarpSaliencyPointer &saliency) {
  if (saliency->method != method_)  // another one was chosen while this one was on its way
    return;
  saliency_ = saliency;
  if (!saliency->problem.isEmpty())
    messages_->warn(saliency->problem);
  if (host_)
    host_->showSaliency(scan_, saliency, qCounterwarpSanity::verdict(sanity_, info_.classifier, saliency->method));
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
