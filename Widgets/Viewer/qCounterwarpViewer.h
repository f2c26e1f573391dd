// counterwarp-viewer's window: three slices, the legend, and the panel beside them.
#pragma once

#include <QMainWindow>

#include "qCounterwarpPanel.h"
#include "qCounterwarpScene.h"
#include "qCounterwarpViewerHost.h"

class QAction;

class qCounterwarpViewer : public QMainWindow {
  Q_OBJECT

 public:
  explicit qCounterwarpViewer(QWidget *parent = nullptr);
  ~qCounterwarpViewer() override;

  qCounterwarpPanel *panel() { return panel_; }
  qCounterwarpViewerHost *host() { return host_; }
  qCounterwarpScene *scene() { return scene_; }
  // A scan or a model, told apart by its ending.
  void openFile(const QString &file);
  void saveResults(const QString &folder);

 signals:
  void saved(const QStringList &files);

 protected:
  void dragEnterEvent(QDragEnterEvent *event) override;
  void dropEvent(QDropEvent *event) override;

 private:
  void addMenus();
  void say(const QString &sentence, bool problem);

  qCounterwarpScene *scene_;
  qCounterwarpViewerHost *host_;
  qCounterwarpPanel *panel_;
  QAction *save_ = nullptr;
};
