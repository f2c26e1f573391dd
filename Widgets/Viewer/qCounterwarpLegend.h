// The overlay's colours with their meaning, and what lies under the crosshair.
#pragma once

#include <QWidget>

#include "qCounterwarpScene.h"

class qCounterwarpLegend : public QWidget {
  Q_OBJECT

 public:
  explicit qCounterwarpLegend(qCounterwarpScene *scene, QWidget *parent = nullptr);
  QSize sizeHint() const override { return QSize(360, 360); }

 protected:
  void paintEvent(QPaintEvent *event) override;

 private:
  QStringList lines() const;
  qCounterwarpScene *scene_;
};
