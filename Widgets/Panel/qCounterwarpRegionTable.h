// The table of regions: name, change of tissue volume, voxels; sorted by a click on a heading or by the space bar.
#pragma once

#include <functional>
#include <QTableWidget>

#include "qCounterwarpData.h"

class qCounterwarpRegionTable : public QTableWidget {
  Q_OBJECT

 public:
  explicit qCounterwarpRegionTable(QWidget *parent = nullptr);

  // The columns as wide as their headings need; after the headings are there.
  void fitColumns();
  // Regions at one position of the slider.  What changed most comes first (shrinkage on injection, growth on removal),
  // until the user has chosen another order.
  void setRegions(const QVector<qCounterwarpRegion> &regions, double strength,
                  const std::function<QString(int)> &name_of);
  // No regions, and no order of the user's.
  void forget();

 protected:
  void keyPressEvent(QKeyEvent *event) override;

 private:
  bool sorted_ = false;  // the user has chosen the order
};

// "+1.5", with the minus sign of typography, no sign for what is shown as zero.
QString qCounterwarpSignedNumber(double value, int digits);
