#include "qCounterwarpLegend.h"

#include <cmath>
#include <QPainter>

#include "Pictures/pictures.h"

namespace {

// The sample nearest to a world point; false outside.
bool nearest(const cw_volume &volume, const double world[3], double *value) {
  cw_context *context = nullptr;
  cw_affine to_index;
  if (cw_context_create(nullptr, &context) != CW_OK)
    return false;
  const bool invertible = cw_affine_invert(context, &volume.grid.to_world, &to_index) == CW_OK;
  cw_context_free(context);
  if (!invertible)
    return false;
  double index[3];
  cw_affine_apply(&to_index, world, index);
  size_t at = 0;
  for (int axis = 2; axis >= 0; axis--) {
    const long p = std::lround(index[axis]);
    if (p < 0 || p >= volume.grid.size[axis])
      return false;
    at = at * static_cast<size_t>(volume.grid.size[axis]) + static_cast<size_t>(p);
  }
  *value = volume.data[at];
  return true;
}

QString percent(double fraction, int digits = 0) {
  QString text = QString::number(std::fabs(100 * fraction), 'f', digits);
  if (text.toDouble() != 0)
    text.prepend(fraction < 0 ? QChar(0x2212) : QLatin1Char('+'));
  return text + QStringLiteral(" %");
}

}  // namespace

qCounterwarpLegend::qCounterwarpLegend(qCounterwarpScene *scene, QWidget *parent) : QWidget(parent), scene_(scene) {
  setAttribute(Qt::WA_OpaquePaintEvent);
  setAccessibleName(tr("Legend"));
  connect(scene, &qCounterwarpScene::changed, this, [this] { update(); });
}

QStringList qCounterwarpLegend::lines() const {
  QStringList lines;
  if (!scene_->scan())
    return lines;
  const double *p = scene_->center();
  const auto side = [](double value, const char *plus, const char *minus) {
    return QStringLiteral("%1 %2").arg(QString::fromLatin1(value >= 0 ? plus : minus),
                                       QString::number(std::fabs(value), 'f', 1));
  };
  lines << tr("Crosshair: %1, %2, %3 mm").arg(side(p[0], "L", "R"), side(p[1], "P", "A"), side(p[2], "S", "I"));
  double value;
  if (nearest(scene_->scan()->volume, p, &value))
    lines << tr("Scan: %1").arg(value, 0, 'g', 5);
  if (scene_->image() && nearest(*scene_->image(), p, &value))
    lines << tr("Simulated: %1").arg(value, 0, 'g', 5);
  if (scene_->overlay() && nearest(*scene_->overlay(), p, &value))
    lines << (scene_->saliency() ? tr("Saliency: %1").arg(value, 0, 'g', 3)
                                 : tr("Tissue volume: %1").arg(percent(std::exp(-value) - 1, 1)));
  return lines;
}

void qCounterwarpLegend::paintEvent(QPaintEvent *) {
  QPainter painter(this);
  painter.fillRect(rect(), QColor(12, 12, 14));
  if (!scene_->scan())
    return;
  const QColor ink(214, 214, 220), soft(150, 150, 158);
  const int line = QFontMetrics(font()).height() + 4;
  int y = 14;
  painter.setPen(ink);
  const qCounterwarpSaliency *saliency = scene_->saliency();
  painter.drawText(16, y + line - 6,
                   saliency ? tr("Saliency: %1").arg(saliency->method) : tr("Change of tissue volume"));
  y += line + 4;
  const counterwarp::Picture strip = counterwarp::legend_strip();
  const QImage image(strip.rgb.data(), strip.width, strip.height, 3 * strip.width, QImage::Format_RGB888);
  const QRect bar(16, y, qMin(width() - 32, 420), 16);
  painter.drawImage(bar, image);
  y += 16 + 2;
  const double scale = scene_->scale();
  for (const double t : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
    const int x = bar.left() + qRound((t + 1) / 2 * bar.width());
    painter.setPen(soft);
    painter.drawLine(x, bar.bottom(), x, bar.bottom() + 4);
    const QRect box(x - 40, y + 2, 80, line);
    const int align = t < -0.9 ? Qt::AlignLeft : t > 0.9 ? Qt::AlignRight : Qt::AlignHCenter;
    const QRect kept = t < -0.9  ? QRect(bar.left(), box.top(), 80, line)
                       : t > 0.9 ? QRect(bar.right() - 79, box.top(), 80, line)
                                 : box;
    painter.setPen(ink);
    painter.drawText(kept, align | Qt::AlignVCenter,
                     saliency ? QString::number(t * scale, 'g', 2) : percent(std::exp(t * scale) - 1));
  }
  y += line;
  painter.setPen(soft);
  painter.drawText(QRect(bar.left(), y, bar.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                   saliency ? tr("lowers the logit") : tr("shrank"));
  painter.drawText(QRect(bar.left(), y, bar.width(), line), Qt::AlignRight | Qt::AlignVCenter,
                   saliency ? tr("raises the logit") : tr("grew"));
  y += line + 12;
  painter.setPen(ink);
  for (const QString &text : lines()) {
    painter.drawText(QRect(16, y, width() - 32, line), Qt::AlignLeft | Qt::AlignVCenter, text);
    y += line;
  }
  if (saliency) {  // no map without what is known of it
    static const QColor inks[] = {{244, 205, 110}, {150, 200, 250}, {244, 205, 110}, {255, 140, 130}};
    painter.setPen(inks[scene_->verdict().kind]);
    painter.drawText(QRect(16, y + 8, width() - 32, height() - y - 3 * line), Qt::AlignTop | Qt::TextWordWrap,
                     scene_->verdict().text);
  }
  painter.setPen(soft);
  const QString note = scene_->reference() ? tr("Checkerboard: the scan and the model's mean training scan.")
                       : saliency          ? tr("The scan as it is. Explain by: None shows the slider's change again.")
                       : scene_->isPreview() ? tr("Preview on the model's grid.")
                                             : tr("The patient's right is on the left.");
  painter.drawText(rect().adjusted(16, 0, -16, -10), Qt::AlignBottom | Qt::AlignLeft | Qt::TextWordWrap, note);
}
