// Chart of the logit against the strength, with the slider's position; a click or drag moves the slider.
#pragma once

#include <QVector>
#include <QWidget>

class qCounterwarpCurve : public QWidget {
  Q_OBJECT

 public:
  explicit qCounterwarpCurve(QWidget *parent = nullptr);

  void setCurve(const QVector<double> &strengths, const QVector<double> &logits);
  // Where the slider stands; the logit is NaN where it is not known yet.
  void setPosition(double strength, double logit);
  void clear();
  QSize sizeHint() const override { return QSize(320, 180); }
  QSize minimumSizeHint() const override { return QSize(200, 150); }

 signals:
  // The user pointed at a strength; final at the end of a drag.
  void pointed(double strength, bool final);

 protected:
  void paintEvent(QPaintEvent *event) override;
  void mousePressEvent(QMouseEvent *event) override;
  void mouseMoveEvent(QMouseEvent *event) override;
  void mouseReleaseEvent(QMouseEvent *event) override;

 private:
  void range(double *low, double *high) const;
  QRectF plot() const;
  double strengthAt(const QPointF &point) const;
  void point(QMouseEvent *event, bool final);

  QVector<double> strengths_, logits_;
  double strength_ = 0, logit_;
};
