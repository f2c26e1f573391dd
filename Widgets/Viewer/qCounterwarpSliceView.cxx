#include "qCounterwarpSliceView.h"

#include <algorithm>
#include <cmath>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>

namespace {

const QColor kBackground(12, 12, 14), kText(214, 214, 220), kCross(250, 208, 60);

const int kSquares = 8;  // of the checkerboard along a side

QString planeName(counterwarp::Plane plane) {
  switch (plane) {
    case counterwarp::Plane::axial:
      return qCounterwarpSliceView::tr("axial");
    case counterwarp::Plane::coronal:
      return qCounterwarpSliceView::tr("coronal");
    default:
      return qCounterwarpSliceView::tr("sagittal");
  }
}

// Keeps base where the slice lies outside the box of another grid.
void insideOnly(const cw_grid &slice, const cw_affine &to_index, const int size[3], const std::vector<float> &base,
                std::vector<float> &values) {
  const cw_affine map = cw_affine_compose(&to_index, &slice.to_world);
  size_t at = 0;
  for (int j = 0; j < slice.size[1]; j++)
    for (int i = 0; i < slice.size[0]; i++, at++)
      for (int r = 0; r < 3; r++) {
        const double p = map.m[r][0] * i + map.m[r][1] * j + map.m[r][3];
        if (p < 0 || p > size[r] - 1)
          values[at] = base[at];
      }
}

}  // namespace

qCounterwarpSliceView::qCounterwarpSliceView(counterwarp::Plane plane, qCounterwarpScene *scene, QWidget *parent)
    : QWidget(parent), plane_(plane), scene_(scene) {
  cw_context_options options = cw_context_options();
  options.threads = 1;  // a slice is small, and the engine needs the others
  if (cw_context_create(&options, &context_) != CW_OK)
    context_ = nullptr;
  setAttribute(Qt::WA_OpaquePaintEvent);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(planeName(plane));
  setToolTip(tr("Click: crosshair. Wheel: slices. Arrow keys: crosshair by a voxel."));
  connect(scene, &qCounterwarpScene::changed, this, [this] {
    stale_ = true;
    update();
  });
}

qCounterwarpSliceView::~qCounterwarpSliceView() {
  if (context_)
    cw_context_free(context_);
}

cw_grid qCounterwarpSliceView::grid() const {
  const int pixels = std::min(384, std::max(64, std::min(width(), height())));
  return counterwarp::slice_grid(scene_->scan()->volume.grid, plane_, scene_->center(), pixels);
}

std::vector<float> qCounterwarpSliceView::slice(const cw_volume &volume, const cw_grid &on) {
  std::vector<float> values(cw_grid_samples(&on));
  cw_volume out = cw_volume();
  if (context_ && cw_volume_create(context_, &on, 1, &out) == CW_OK) {
    if (cw_volume_resample(context_, &volume, nullptr, &out) == CW_OK)
      std::copy(out.data, out.data + values.size(), values.begin());
    cw_volume_free(context_, &out);
  }
  return values;
}

void qCounterwarpSliceView::render() {
  stale_ = false;
  picture_ = QImage();
  if (!scene_->scan())
    return;
  shown_ = grid();
  const cw_volume *image = scene_->image();
  std::vector<float> values;
  if (!image || scene_->isPreview())
    values = slice(scene_->scan()->volume, shown_);
  if (image) {
    std::vector<float> simulated = slice(*image, shown_);
    cw_affine to_index;
    if (scene_->isPreview() && cw_affine_invert(context_, &image->grid.to_world, &to_index) == CW_OK)
      insideOnly(shown_, to_index, image->grid.size, values, simulated);
    values.swap(simulated);
  }
  counterwarp::Picture picture = counterwarp::grey(shown_, values, scene_->white());
  if (const cw_volume *overlay = scene_->overlay()) {
    std::vector<float> colours = slice(*overlay, shown_);
    const float factor = static_cast<float>(scene_->factor());
    for (float &value : colours)
      value *= factor;
    counterwarp::overlay(picture, colours, scene_->scale());
  }
  if (const qCounterwarpVolume *reference = scene_->reference())
    counterwarp::checkerboard(
        picture, counterwarp::grey(shown_, slice(reference->volume, shown_), scene_->referenceWhite()), kSquares);
  picture_ = QImage(picture.rgb.data(), picture.width, picture.height, 3 * picture.width, QImage::Format_RGB888).copy();
}

// Where the picture lies in the widget; pixels are square.
QRectF qCounterwarpSliceView::frame() const {
  if (picture_.isNull())
    return QRectF();
  const double factor = std::min((width() - 36.0) / picture_.width(), (height() - 36.0) / picture_.height());
  const QSizeF size(factor * picture_.width(), factor * picture_.height());
  return QRectF(QPointF((width() - size.width()) / 2, (height() - size.height()) / 2), size);
}

void qCounterwarpSliceView::paintEvent(QPaintEvent *) {
  const int pixels = std::min(384, std::max(64, std::min(width(), height())));
  if (stale_ || (!picture_.isNull() && std::max(picture_.width(), picture_.height()) > pixels + 1))
    render();
  QPainter painter(this);
  painter.fillRect(rect(), kBackground);
  painter.setPen(kText);
  painter.drawText(rect().adjusted(6, 4, -6, -4), Qt::AlignTop | Qt::AlignLeft, planeName(plane_));
  if (picture_.isNull()) {
    painter.drawText(rect(), Qt::AlignCenter | Qt::TextWordWrap,
                     plane_ == counterwarp::Plane::axial ? tr("Open a scan, or drop a NIfTI file here.") : QString());
    return;
  }
  const QRectF box = frame();
  painter.setRenderHint(QPainter::SmoothPixmapTransform);
  painter.drawImage(box, picture_);

  cw_affine to_pixel;
  if (context_ && cw_affine_invert(context_, &shown_.to_world, &to_pixel) == CW_OK) {
    double at[3];
    cw_affine_apply(&to_pixel, scene_->center(), at);
    const double x = box.left() + (at[0] + 0.5) * box.width() / picture_.width();
    const double y = box.top() + (at[1] + 0.5) * box.height() / picture_.height(), gap = 7;
    QColor cross = kCross;
    cross.setAlphaF(0.65);
    painter.setPen(QPen(cross, 1));
    painter.drawLine(QPointF(box.left(), y), QPointF(x - gap, y));
    painter.drawLine(QPointF(x + gap, y), QPointF(box.right(), y));
    painter.drawLine(QPointF(x, box.top()), QPointF(x, y - gap));
    painter.drawLine(QPointF(x, y + gap), QPointF(x, box.bottom()));
  }
  const counterwarp::PlaneWords words = counterwarp::words_of(plane_);
  QFont bold = font();
  bold.setBold(true);
  painter.setFont(bold);
  painter.setPen(kText);
  painter.drawText(rect().adjusted(6, 0, -6, 0), Qt::AlignLeft | Qt::AlignVCenter, QString::fromLatin1(words.left));
  painter.drawText(rect().adjusted(6, 0, -6, 0), Qt::AlignRight | Qt::AlignVCenter, QString::fromLatin1(words.right));
  painter.drawText(rect().adjusted(0, 4, 0, -4), Qt::AlignTop | Qt::AlignHCenter, QString::fromLatin1(words.top));
  painter.drawText(rect().adjusted(0, 4, 0, -4), Qt::AlignBottom | Qt::AlignHCenter, QString::fromLatin1(words.bottom));
  if (hasFocus()) {
    painter.setPen(QPen(palette().color(QPalette::Highlight), 2));
    painter.drawRect(rect().adjusted(1, 1, -1, -1));
  }
}

// Moves the crosshair in steps of picture pixels, kept inside the scan.
void qCounterwarpSliceView::step(int across, int down, int through) {
  if (picture_.isNull())
    return;
  double spacing[3];
  cw_grid_spacing(&scene_->scan()->volume.grid, spacing);
  const double voxel = std::min(spacing[0], std::min(spacing[1], spacing[2]));
  const cw_affine &m = shown_.to_world;
  const double pixel = std::sqrt(m.m[0][0] * m.m[0][0] + m.m[1][0] * m.m[1][0] + m.m[2][0] * m.m[2][0]);
  double center[3];
  for (int r = 0; r < 3; r++)
    center[r] = scene_->center()[r] + (m.m[r][0] * across + m.m[r][1] * down + m.m[r][2] * through) * voxel / pixel;
  cw_affine to_index;
  const cw_grid &scan = scene_->scan()->volume.grid;
  if (!context_ || cw_affine_invert(context_, &scan.to_world, &to_index) != CW_OK)
    return;
  double index[3];
  cw_affine_apply(&to_index, center, index);
  for (int r = 0; r < 3; r++)
    index[r] = std::max(0.0, std::min(scan.size[r] - 1.0, index[r]));
  cw_affine_apply(&scan.to_world, index, center);
  scene_->setCenter(center);
}

void qCounterwarpSliceView::point(const QPointF &at) {
  const QRectF box = frame();
  if (box.isEmpty())
    return;
  const double inside_x = std::max(box.left(), std::min(box.right(), at.x()));
  const double inside_y = std::max(box.top(), std::min(box.bottom(), at.y()));
  const double pixel[3] = {(inside_x - box.left()) * picture_.width() / box.width() - 0.5,
                           (inside_y - box.top()) * picture_.height() / box.height() - 0.5, 0};
  double center[3];
  cw_affine_apply(&shown_.to_world, pixel, center);
  scene_->setCenter(center);
}

void qCounterwarpSliceView::mousePressEvent(QMouseEvent *event) {
  if (event->button() == Qt::LeftButton)
    point(event->pos());
}

void qCounterwarpSliceView::mouseMoveEvent(QMouseEvent *event) {
  if (event->buttons() & Qt::LeftButton)
    point(event->pos());
}

void qCounterwarpSliceView::wheelEvent(QWheelEvent *event) {
  if (event->angleDelta().y())
    step(0, 0, event->angleDelta().y() > 0 ? 1 : -1);
  event->accept();
}

void qCounterwarpSliceView::keyPressEvent(QKeyEvent *event) {
  switch (event->key()) {
    case Qt::Key_Left:
      return step(-1, 0, 0);
    case Qt::Key_Right:
      return step(1, 0, 0);
    case Qt::Key_Up:
      return step(0, -1, 0);
    case Qt::Key_Down:
      return step(0, 1, 0);
    case Qt::Key_PageUp:
      return step(0, 0, 1);
    case Qt::Key_PageDown:
      return step(0, 0, -1);
    default:
      QWidget::keyPressEvent(event);
  }
}
