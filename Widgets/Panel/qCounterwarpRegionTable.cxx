#include "qCounterwarpRegionTable.h"

#include <algorithm>
#include <cmath>
#include <QHeaderView>
#include <QKeyEvent>

namespace {

// A cell that sorts by its number.
class NumberItem : public QTableWidgetItem {
 public:
  NumberItem(double value, const QString &text) : QTableWidgetItem(text), value_(value) {
    setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
  }
  bool operator<(const QTableWidgetItem &other) const override {
    return value_ < static_cast<const NumberItem &>(other).value_;
  }

 private:
  double value_;
};

}  // namespace

QString qCounterwarpSignedNumber(double value, int digits) {
  QString text = QString::number(std::fabs(value), 'f', digits);
  if (text.toDouble() != 0)
    text.prepend(value < 0 ? QChar(0x2212) : QLatin1Char('+'));
  return text;
}

qCounterwarpRegionTable::qCounterwarpRegionTable(QWidget *parent) : QTableWidget(parent) {
  setSortingEnabled(true);
  connect(horizontalHeader(), &QHeaderView::sectionClicked, this, [this] { sorted_ = true; });
}

void qCounterwarpRegionTable::fitColumns() {
  horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
  for (const int column : {1, 2})
    setColumnWidth(column, fontMetrics().horizontalAdvance(horizontalHeaderItem(column)->text()) + 28);
  verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 6);
}

void qCounterwarpRegionTable::setRegions(const QVector<qCounterwarpRegion> &regions, double strength,
                                         const std::function<QString(int)> &name_of) {
  setSortingEnabled(false);
  setRowCount(regions.size());
  for (int row = 0; row < regions.size(); row++) {
    const qCounterwarpRegion &region = regions[row];
    const QString name = name_of(region.label);
    setItem(row, 0, new QTableWidgetItem(name));
    item(row, 0)->setToolTip(name);
    setItem(row, 1, new NumberItem(region.change, qCounterwarpSignedNumber(100 * region.change, 1)));
    setItem(row, 2, new NumberItem(static_cast<double>(region.voxels), QString::number(region.voxels)));
  }
  if (!sorted_)
    horizontalHeader()->setSortIndicator(1, strength < 0 ? Qt::DescendingOrder : Qt::AscendingOrder);
  setSortingEnabled(true);
}

void qCounterwarpRegionTable::forget() {
  setRowCount(0);
  sorted_ = false;
}

void qCounterwarpRegionTable::keyPressEvent(QKeyEvent *event) {
  if (event->key() != Qt::Key_Space)
    return QTableWidget::keyPressEvent(event);
  const int column = std::max(0, currentColumn());
  const QHeaderView *header = horizontalHeader();
  const bool again = header->sortIndicatorSection() == column && header->sortIndicatorOrder() == Qt::AscendingOrder;
  sorted_ = true;
  sortByColumn(column, again ? Qt::DescendingOrder : Qt::AscendingOrder);
}
