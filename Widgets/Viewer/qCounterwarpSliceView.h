// One slice of the scene in radiological convention, with crosshair, overlay and orientation labels.
#pragma once

#include <QImage>
#include <QWidget>

#include "Pictures/pictures.h"
#include "qCounterwarpScene.h"

// A click or drag moves the crosshair, the wheel and Page Up and Down go through the slices, arrow keys move the
// crosshair by a voxel.
class qCounterwarpSliceView : public QWidget {
  Q_OBJECT

 public:
  qCounterwarpSliceView(counterwarp::Plane plane, qCounterwarpScene *scene, QWidget *parent = nullptr);
  ~qCounterwarpSliceView() override;
  QSize sizeHint() const override { return QSize(360, 360); }
  QSize minimumSizeHint() const override { return QSize(120, 120); }

 protected:
  void paintEvent(QPaintEvent *event) override;
  void mousePressEvent(QMouseEvent *event) override;
  void mouseMoveEvent(QMouseEvent *event) override;
  void wheelEvent(QWheelEvent *event) override;
  void keyPressEvent(QKeyEvent *event) override;

 private:
  cw_grid grid() const;
  std::vector<float> slice(const cw_volume &volume, const cw_grid &on);
  void render();
  QRectF frame() const;
  void point(const QPointF &at);
  void step(int across, int down, int through);

  const counterwarp::Plane plane_;
  qCounterwarpScene *scene_;
  cw_context *context_ = nullptr;
  cw_grid shown_ = cw_grid();
  QImage picture_;
  bool stale_ = true;
};
