// A host that shows nothing and remembers what the panel tells it.
#pragma once

#include <QMap>

#include "qCounterwarpFiles.h"
#include "qCounterwarpHost.h"

namespace widgets_test {

class PanelHost : public qCounterwarpHost {
 public:
  struct Given {
    double strength;
    qCounterwarpOutputs outputs;
  };

  void add(const QString &id, const QString &file) {
    volumes[id] = qCounterwarpFiles::load(file);
    emit choicesChanged();
  }
  void remove(const QString &id) {
    volumes.remove(id);
    emit volumeRemoved(id);
  }

  Choices scans() const override {
    Choices all;
    for (const QString &id : volumes.keys())
      all << qMakePair(id, volumes[id].name);
    return all;
  }
  Choices atlases() const override { return scans(); }
  qCounterwarpVolumePointer volume(const QString &id, QString *problem) override {
    reads << id;
    if (!volumes.contains(id))
      *problem = QStringLiteral("No such volume.");
    return volumes.value(id).volume;
  }
  QString regionName(const QString &atlas, int label) const override {
    return volumes.value(atlas).labels.value(label);
  }
  void scanChosen(const QString &id) override { scans_chosen << id; }
  void atlasChosen(const QString &id) override { atlases_chosen << id; }
  void prepared(const QString &, const qCounterwarpOrigin &made) override { origins << made; }
  void showPreview(const QString &, const qCounterwarpPreviewPointer &preview) override {
    previews << preview->strength;
  }
  void showResult(const QString &, const qCounterwarpResultPointer &result,
                  const qCounterwarpOutputs &outputs) override {
    given << Given{result->strength, outputs};
  }
  void showCurve(const QString &, const QVector<double> &, const QVector<double> &) override {}
  void showRegions(const QString &, const QString &, const QVector<qCounterwarpRegion> &regions) override {
    regions_given << regions.size();
  }
  void showOverlay(bool) override {}
  void showSaliency(const QString &, const qCounterwarpSaliencyPointer &, const qCounterwarpVerdict &) override {}
  void showReference(const QString &, const qCounterwarpVolumePointer &shown) override {
    reference = static_cast<bool>(shown);
  }
  void endPreview() override {}

  QMap<QString, qCounterwarpLoaded> volumes;
  QStringList reads, scans_chosen, atlases_chosen;
  QVector<qCounterwarpOrigin> origins;
  QVector<double> previews;
  QVector<Given> given;
  QVector<int> regions_given;
  bool reference = false;
};

}  // namespace widgets_test
