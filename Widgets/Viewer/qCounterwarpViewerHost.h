// The viewer as the panel's host: volumes from files, results into the scene.
#pragma once

#include "qCounterwarpFiles.h"
#include "qCounterwarpScene.h"

class qCounterwarpViewerHost : public qCounterwarpHost {
  Q_OBJECT

 public:
  qCounterwarpViewerHost(qCounterwarpScene *scene, QObject *parent);

  // Where the demonstration's files lie: model.onnx, brain.nii.gz, atlas.nii.gz and its table.
  void setDemoFolder(const QString &folder);

  enum Role { Scan, Atlas };
  // Reads a file off the GUI thread and offers it; the first choice is made for the user.
  void open(const QString &file, Role role);
  void close(const QString &id);
  bool isLoading() const { return loading_ > 0; }
  // The last result at full resolution with all that belongs to it; its result is nullptr where there is none.
  qCounterwarpSaved lastResult() const { return last_; }
  const qCounterwarpLoaded *find(const QString &id) const;

  Choices scans() const override;
  Choices atlases() const override { return scans(); }
  Choices models() const override;
  qCounterwarpVolumePointer volume(const QString &id, QString *problem) override;
  QString regionName(const QString &atlas, int label) const override;
  bool hasDemo() const override;
  void openDemo() override;
  void scanChosen(const QString &id) override;
  void prepared(const QString &scan, const qCounterwarpOrigin &origin) override;
  void showPreview(const QString &scan, const qCounterwarpPreviewPointer &preview) override;
  void showResult(const QString &scan, const qCounterwarpResultPointer &result,
                  const qCounterwarpOutputs &outputs) override;
  void showCurve(const QString &scan, const QVector<double> &strengths, const QVector<double> &logits) override;
  void showRegions(const QString &scan, const QString &atlas, const QVector<qCounterwarpRegion> &regions) override;
  void showOverlay(bool on) override;
  void showSaliency(const QString &scan, const qCounterwarpSaliencyPointer &saliency,
                    const qCounterwarpVerdict &verdict) override;
  void showReference(const QString &scan, const qCounterwarpVolumePointer &reference) override;
  void endPreview() override;

 signals:
  void said(const QString &sentence, bool problem);
  void loadingChanged(bool loading);
  void resultChanged(bool any);

 private:
  void opened(const qCounterwarpLoaded &loaded, Role role);

  qCounterwarpScene *scene_;
  QString demo_;
  QVector<qCounterwarpLoaded> volumes_;  // a file's path is its identifier
  qCounterwarpSaved last_;
  int loading_ = 0;
};
