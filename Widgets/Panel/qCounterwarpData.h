// What the panel, its engine and its host pass to each other: made once, then only read, shared between threads.
#pragma once

#include <functional>
#include <memory>
#include <QMetaType>
#include <QString>
#include <QStringList>
#include <QVector>
#include <vector>

#include "counterwarp/results.h"

// A scan, an atlas, or any other volume, in LPS mm.
class qCounterwarpVolume {
 public:
  // Zeros on a grid; nullptr where memory is short.
  static std::shared_ptr<qCounterwarpVolume> create(const cw_grid &grid, int components = 1);
  // An empty volume for a reader to fill with context().
  static std::shared_ptr<qCounterwarpVolume> empty();
  ~qCounterwarpVolume();
  qCounterwarpVolume(const qCounterwarpVolume &) = delete;
  qCounterwarpVolume &operator=(const qCounterwarpVolume &) = delete;

  cw_context *context() { return context_; }
  cw_volume volume;

 private:
  qCounterwarpVolume() : volume(), context_(nullptr) {}
  cw_context *context_;
};
using qCounterwarpVolumePointer = std::shared_ptr<const qCounterwarpVolume>;

// Where a scan lies for a model: maps points of the model's space to points of the scan; nullptr: as it lies.
using qCounterwarpAlignment = std::shared_ptr<const cw_affine>;

// What a model says of itself.
struct qCounterwarpModelInfo {
  QString file;
  QString expects;  // for the user: grid, classes, preprocessing, training data, in words
  QString record;   // the model's own record of its training (JSON)
  QStringList trainedOn;
  cw_grid grid;
  QString classifier;                   // fingerprint of the network that it explains
  QStringList methods;                  // saliency methods that have rules for that network
  qCounterwarpVolumePointer reference;  // the mean training scan as network input; nullptr if the file has none
};

// One position of the slider on the model's grid.
struct qCounterwarpPreview {
  cw_grid grid;
  double strength, logit;
  std::vector<float> image, logJacobian;  // [nz][ny][nx]
};
using qCounterwarpPreviewPointer = std::shared_ptr<const qCounterwarpPreview>;

// One position of the slider at the scan's own resolution.
struct qCounterwarpResult {
  qCounterwarpResult() : strength(0), simulation(), context(nullptr) {}
  ~qCounterwarpResult();
  qCounterwarpResult(const qCounterwarpResult &) = delete;
  qCounterwarpResult &operator=(const qCounterwarpResult &) = delete;

  double strength;  // -1 .. 1: below 0 removal
  cw_simulation simulation;
  cw_context *context;         // owns the simulation's volumes
  std::shared_ptr<void> made;  // of the simulation, by the host's maker
};
using qCounterwarpResultPointer = std::shared_ptr<const qCounterwarpResult>;

// What a host makes of a simulation in the engine's thread, where it is given back, too.
using qCounterwarpMaker = std::function<std::shared_ptr<void>(const cw_simulation &)>;

// What a method says that the classifier's logit of the scan itself depends on.
struct qCounterwarpSaliency {
  QString method, problem;        // problem: why the map is empty or not finite, one sentence; else ""
  qCounterwarpVolumePointer map;  // on the scan's grid, zero outside the model's box
  double scale = 1;               // |map| at the ends of the colours
};
using qCounterwarpSaliencyPointer = std::shared_ptr<const qCounterwarpSaliency>;

struct qCounterwarpRegion {
  int label;
  double change;  // of tissue volume, -0.12 for 12 % less
  qulonglong voxels;
};

Q_DECLARE_METATYPE(qCounterwarpModelInfo)
Q_DECLARE_METATYPE(qCounterwarpPreviewPointer)
Q_DECLARE_METATYPE(qCounterwarpResultPointer)
Q_DECLARE_METATYPE(qCounterwarpAlignment)
Q_DECLARE_METATYPE(qCounterwarpSaliencyPointer)
