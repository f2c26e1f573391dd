#include "qCounterwarpCurve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>

#include "Pictures/pictures.h"

namespace {

const double kNone = std::numeric_limits<double>::quiet_NaN();

QColor mixed(const QColor &a, const QColor &b, double share) {
  return QColor::fromRgbF(a.redF() + share * (b.redF() - a.redF()), a.greenF() + share * (b.greenF() - a.greenF()),
                          a.blueF() + share * (b.blueF() - a.blueF()));
}

}  // namespace

qCounterwarpCurve::qCounterwarpCurve(QWidget *parent) : QWidget(parent), logit_(kNone) {
  setCursor(Qt::PointingHandCursor);
  setAccessibleName(tr("Logit against strength"));
}

void qCounterwarpCurve::setCurve(const QVector<double> &strengths, const QVector<double> &logits) {
  strengths_ = strengths;
  logits_ = logits;
  update();
}

void qCounterwarpCurve::setPosition(double strength, double logit) {
  strength_ = strength;
  logit_ = logit;
  update();
}

void qCounterwarpCurve::clear() {
  strengths_.clear();
  logits_.clear();
  logit_ = kNone;
  update();
}

// Zero, the boundary between the classes, is always in it.
void qCounterwarpCurve::range(double *low, double *high) const {
  *low = 0;
  *high = 0;
  for (const double logit : logits_) {
    *low = std::min(*low, logit);
    *high = std::max(*high, logit);
  }
  if (std::isfinite(logit_)) {
    *low = std::min(*low, logit_);
    *high = std::max(*high, logit_);
  }
  const double room = std::max(0.5, 0.12 * (*high - *low));
  *low -= room;
  *high += room;
}

QRectF qCounterwarpCurve::plot() const {
  const QFontMetrics text(font());
  return QRectF(rect()).adjusted(text.horizontalAdvance(QStringLiteral("−00.0")) + 10, text.height() + 3, -10,
                                 -2.4 * text.height());
}

double qCounterwarpCurve::strengthAt(const QPointF &point) const {
  const QRectF box = plot();
  return std::max(-1.0, std::min(1.0, 2 * (point.x() - box.left()) / box.width() - 1));
}

void qCounterwarpCurve::paintEvent(QPaintEvent *) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF box = plot();
  const QFontMetrics text(font());
  const QColor ink = palette().color(QPalette::Text), paper = palette().color(QPalette::Base);
  const QColor faint = mixed(paper, ink, 0.12), soft = mixed(paper, ink, 0.6);
  double low, high;
  range(&low, &high);
  const auto x = [&](double strength) { return box.left() + (strength + 1) / 2 * box.width(); };
  const auto y = [&](double logit) { return box.bottom() - (logit - low) / (high - low) * box.height(); };

  if (logits_.isEmpty()) {
    painter.setPen(soft);
    painter.drawText(rect().adjusted(12, 0, -12, 0), Qt::AlignCenter | Qt::TextWordWrap,
                     tr("What the classifier answers along the slider appears here."));
    return;
  }
  painter.setPen(soft);
  painter.drawText(QRectF(box.left(), 0, box.width(), text.height()), Qt::AlignLeft, tr("logit of the classifier"));

  // The two classes as bands above and below the boundary.
  painter.fillRect(box, paper);
  painter.fillRect(QRectF(box.topLeft(), QPointF(box.right(), y(0))), mixed(paper, QColor(196, 78, 32), 0.10));
  painter.fillRect(QRectF(QPointF(box.left(), y(0)), box.bottomRight()), mixed(paper, QColor(32, 98, 196), 0.10));
  const double step = counterwarp::round_up((high - low) / 4);
  for (double value = std::ceil(low / step) * step; value <= high; value += step) {
    const double shown = std::fabs(value) < 1e-9 * step ? 0 : value;
    painter.setPen(QPen(shown == 0 ? soft : faint, 1));
    painter.drawLine(QPointF(box.left(), y(value)), QPointF(box.right(), y(value)));
    painter.setPen(soft);
    painter.drawText(QRectF(0, y(value) - text.height() / 2.0, box.left() - 6, text.height()),
                     Qt::AlignRight | Qt::AlignVCenter, QString::number(shown).replace('-', QChar(0x2212)));
  }
  painter.setPen(soft);
  if (y(0) - box.top() > text.height() + 4)
    painter.drawText(box.adjusted(5, 2, -5, 0), Qt::AlignTop | Qt::AlignLeft, tr("patient"));
  if (box.bottom() - y(0) > text.height() + 4)
    painter.drawText(box.adjusted(5, 0, -5, -2), Qt::AlignBottom | Qt::AlignRight, tr("control"));

  for (const double strength : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
    painter.setPen(QPen(strength == 0 ? soft : faint, 1));
    painter.drawLine(QPointF(x(strength), box.top()), QPointF(x(strength), box.bottom()));
    painter.setPen(soft);
    const QString label = strength == 0 ? tr("original") : QString::number(std::fabs(100 * strength)) + tr(" %");
    const double half = text.horizontalAdvance(label) / 2.0 + 2;
    const double middle = std::min(x(strength), width() - half);
    painter.drawText(QRectF(middle - half, box.bottom() + 3, 2 * half, text.height()), Qt::AlignCenter, label);
  }
  const QRectF below(box.left(), box.bottom() + 3 + text.height(), box.width(), text.height());
  painter.drawText(below, Qt::AlignLeft, tr("◂ removed"));
  painter.drawText(below, Qt::AlignRight, tr("injected ▸"));
  painter.setClipRect(box.adjusted(-6, -6, 6, 6));
  const QColor line(70, 70, 160);
  QPainterPath path;
  for (int i = 0; i < logits_.size(); i++) {
    const QPointF point(x(strengths_[i]), y(logits_[i]));
    if (i)
      path.lineTo(point);
    else
      path.moveTo(point);
  }
  const QColor stroke = palette().color(QPalette::Base).lightness() < 128 ? line.lighter(180) : line;
  painter.setPen(QPen(stroke, 2));
  painter.drawPath(path);
  painter.setBrush(stroke);
  painter.setPen(Qt::NoPen);
  for (int i = 0; i < logits_.size(); i++)
    painter.drawEllipse(QPointF(x(strengths_[i]), y(logits_[i])), 2, 2);
  painter.setPen(QPen(mixed(paper, ink, 0.8), 1, Qt::DashLine));
  painter.drawLine(QPointF(x(strength_), box.top()), QPointF(x(strength_), box.bottom()));
  if (std::isfinite(logit_)) {
    painter.setPen(QPen(paper, 2));
    painter.setBrush(QColor(214, 96, 20));
    painter.drawEllipse(QPointF(x(strength_), y(logit_)), 6, 6);
  }
}

void qCounterwarpCurve::point(QMouseEvent *event, bool final) {
  if (!logits_.isEmpty())
    emit pointed(strengthAt(event->pos()), final);
}

void qCounterwarpCurve::mousePressEvent(QMouseEvent *event) {
  if (event->button() == Qt::LeftButton)
    point(event, false);
}

void qCounterwarpCurve::mouseMoveEvent(QMouseEvent *event) {
  if (event->buttons() & Qt::LeftButton)
    point(event, false);
}

void qCounterwarpCurve::mouseReleaseEvent(QMouseEvent *event) {
  if (event->button() == Qt::LeftButton)
    point(event, true);
}
