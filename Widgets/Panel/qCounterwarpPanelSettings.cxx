// The panel's choices as a scene keeps them.
#include <QFileInfo>
#include <QSignalBlocker>

#include "qCounterwarpPanel.h"
#include "ui_qCounterwarpPanel.h"

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
