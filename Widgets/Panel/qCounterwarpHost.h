// What the panel knows of the application around it: counterwarp-viewer, or 3D Slicer.
#pragma once

#include <QObject>
#include <QPair>

#include "qCounterwarpData.h"
#include "qCounterwarpSanity.h"

// What the user wants to keep of a simulation.
struct qCounterwarpOutputs {
  bool volume = true, field = true, jacobian = true;
};

// What a result was made with.
struct qCounterwarpOrigin {
  QString model;  // file
  qCounterwarpAlignment alignment;
};

// All calls come from the GUI thread and should return within some 30 ms.
class qCounterwarpHost : public QObject {
  Q_OBJECT

 public:
  using QObject::QObject;

  // Identifiers and names of what can be chosen, in the order to show them in.
  using Choices = QVector<QPair<QString, QString>>;
  virtual Choices scans() const = 0;
  virtual Choices atlases() const = 0;
  // Files of models that the host knows of, and their names.
  virtual Choices models() const { return Choices(); }
  // The volume in LPS mm, parent transforms applied; nullptr and a sentence in *problem where that cannot be.
  virtual qCounterwarpVolumePointer volume(const QString &id, QString *problem) = 0;
  virtual QString regionName(const QString &atlas, int label) const = 0;

  // The demonstration: true where there is one; load it, and give the scan's and the model's identifiers.
  virtual bool hasDemo() const { return false; }
  virtual void openDemo() {}

  // The user chose this scan, or this atlas; "" for none.
  virtual void scanChosen(const QString &id) = 0;
  virtual void atlasChosen(const QString &) {}
  // What comes from now on is made of this scan and with these, until endPreview.
  virtual void prepared(const QString &scan, const qCounterwarpOrigin &origin) = 0;
  virtual void showPreview(const QString &scan, const qCounterwarpPreviewPointer &preview) = 0;
  // Large copies would hold up the window: what this makes of a simulation comes to showResult as result->made.  It
  // runs in another thread and touches nothing of the host; nullptr: nothing is made.
  virtual qCounterwarpMaker maker() const { return nullptr; }
  // Replaces the outputs of an earlier position of the same scan.
  virtual void showResult(const QString &scan, const qCounterwarpResultPointer &result,
                          const qCounterwarpOutputs &outputs) = 0;
  virtual void showCurve(const QString &scan, const QVector<double> &strengths, const QVector<double> &logits) = 0;
  // Of the last result.  Empty: those that were shown are of another atlas.
  virtual void showRegions(const QString &scan, const QString &atlas, const QVector<qCounterwarpRegion> &regions) = 0;
  virtual void showOverlay(bool on) = 0;
  // A map of the scan itself with what is known about it, in the place of the overlay; nullptr: none.
  virtual void showSaliency(const QString &scan, const qCounterwarpSaliencyPointer &saliency,
                            const qCounterwarpVerdict &verdict) = 0;
  // The model's mean training scan where the alignment puts it, in every other
  // square over the scan, to check the alignment; nullptr: none.
  virtual void showReference(const QString &scan, const qCounterwarpVolumePointer &reference) = 0;
  // The panel has let go of a scan: what was shown of it without being an output is stale.
  virtual void endPreview() = 0;

 signals:
  // Choices came, went or have other names.
  void choicesChanged();
  void volumeRemoved(const QString &id);
  // The samples of the chosen scan or atlas, or its place in space, have changed.
  void volumeChanged(const QString &id);
  // Ask the panel to choose (for files opened by other means than the panel).
  void chooseScan(const QString &id);
  void chooseAtlas(const QString &id);
  void chooseModel(const QString &file);
};
