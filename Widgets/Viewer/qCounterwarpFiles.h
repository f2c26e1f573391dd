// Files of the viewer; all of it runs off the GUI thread.
#pragma once

#include <QMap>
#include <QString>
#include <QStringList>

#include "qCounterwarpHost.h"

struct qCounterwarpLoaded {
  QString file, name, problem;  // problem: a sentence, where there is no volume
  QStringList warnings;
  qCounterwarpVolumePointer volume;
  double white = 1;           // grey value shown as white
  QMap<int, QString> labels;  // names of an atlas's regions, from FILE.txt beside it
};

// Everything that belongs to one position of the slider.
struct qCounterwarpSaved {
  QString scan, scanFile;  // name, for the files' names
  qCounterwarpResultPointer result;
  qCounterwarpOutputs outputs;
  qCounterwarpOrigin origin;
  qCounterwarpSaliencyPointer saliency;
  qCounterwarpVerdict verdict;
  QVector<double> strengths, logits;
  QVector<qCounterwarpRegion> regions;
  QStringList names;  // of the regions
};

namespace qCounterwarpFiles {

bool isScan(const QString &file);
bool isModel(const QString &file);
// NAME.nii.gz without ending and folder.
QString nameOf(const QString &file);
qCounterwarpLoaded load(const QString &file);
// Writes into a folder, each file whole or not at all; the files' names, or a sentence in *problem.
QStringList save(const qCounterwarpSaved &what, const QString &folder, QString *problem);

}  // namespace qCounterwarpFiles
