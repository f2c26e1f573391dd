// The panel's host in 3D Slicer: nodes of the scene in, nodes out.
#pragma once

#include <vtkCallbackCommand.h>
#include <vtkMatrix4x4.h>
#include <vtkNew.h>
#include <vtkSmartPointer.h>
#include <vtkWeakPointer.h>

#include "qCounterwarpHost.h"

class vtkMRMLNode;
class vtkMRMLVolumeNode;
class vtkMRMLScalarVolumeNode;
class vtkMRMLScene;
class vtkSlicerCounterwarpLogic;

class qSlicerCounterwarpHost : public qCounterwarpHost {
  Q_OBJECT

 public:
  qSlicerCounterwarpHost(vtkSlicerCounterwarpLogic *logic, QObject *parent);
  ~qSlicerCounterwarpHost() override;
  void setScene(vtkMRMLScene *scene);
  // The scan and the atlas whose changes the panel hears of, "" for none.  Without a scan nothing is put into the slice
  // views: a scene that is restored has its own.
  void watch(const QString &scan, const QString &atlas);

  Choices scans() const override { return choices(false); }
  Choices atlases() const override { return choices(true); }
  qCounterwarpVolumePointer volume(const QString &id, QString *problem) override;
  QString regionName(const QString &atlas, int label) const override;
  // Where the extension was built with the demonstration.
  bool hasDemo() const override;
  void openDemo() override;
  void scanChosen(const QString &id) override;
  void atlasChosen(const QString &id) override;
  void prepared(const QString &scan, const qCounterwarpOrigin &origin) override;
  void showPreview(const QString &scan, const qCounterwarpPreviewPointer &preview) override;
  qCounterwarpMaker maker() const override;
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
  // The node is still there, and choosers that show it are about to fall back on its neighbour.
  void volumeGoing(const QString &id);
  // Nodes come from a file, and choosers lose theirs meanwhile; sceneLoaded follows.
  void sceneLoading();
  // The panel's settings may be other ones now.
  void sceneLoaded();
  void sceneClosing();

 private:
  Choices choices(bool labels) const;
  QString demo(const char *file) const;
  vtkMRMLScalarVolumeNode *node(const QString &id) const;
  void record(vtkMRMLNode *output, double strength);
  // What the slice views show when nothing moves: reference, saliency or the result, over the chosen scan.
  void showAtRest();
  static void onEvent(vtkObject *caller, unsigned long event, void *self, void *data);

  struct Watched {
    void set(vtkMRMLVolumeNode *volume, vtkCommand *callback);
    // Whether it lies elsewhere than when this was asked last.
    bool hasMoved();
    vtkWeakPointer<vtkMRMLVolumeNode> node;
    vtkNew<vtkMatrix4x4> place;  // IJK to RAS
  };

  vtkSmartPointer<vtkSlicerCounterwarpLogic> logic_;
  vtkWeakPointer<vtkMRMLScene> scene_;
  Watched scan_, atlas_;
  vtkNew<vtkCallbackCommand> callback_;
  bool overlay_ = true, preview_ = false;
  double scale_ = 0.1;  // |log J| at the ends of the colours
  qCounterwarpOrigin origin_;
  // Of the chosen scan; gone with it, or with the panel's next run.
  qCounterwarpResultPointer result_;
  vtkWeakPointer<vtkMRMLScalarVolumeNode> image_, change_, saliency_, reference_;
};
