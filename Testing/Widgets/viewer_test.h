// What the tests of the window share: the real viewer, opened afresh for each test, and a user's hands.  Pictures of
// the window are kept in CW_SCREENSHOTS.
#pragma once

#include <memory>
#include <QAbstractButton>
#include <QComboBox>
#include <QLabel>
#include <QSlider>
#include <QtTest>

#include "fixture.h"
#include "parts.h"
#include "qCounterwarpViewer.h"

namespace widgets_test {

const int kPatience = 20000;  // ms; a loaded machine, sanitizers

class ViewerTest : public QObject {
 protected:
  template <class T>
  T *part(const char *name) {
    return part_of<T>(viewer_.get(), name);
  }
  QString message() { return message_of(viewer_.get()); }
  qCounterwarpPanel *panel() { return viewer_->panel(); }
  QSlider *slider() { return part<QSlider>("strengthSlider"); }
  // A user's choice in a box: by keyboard, which emits activated().
  void choose(const char *box_name, const QString &text) {
    auto *box = part<QComboBox>(box_name);
    const int at = box->findText(text);
    QVERIFY2(at >= 0, qPrintable(text));
    box->setFocus();
    while (box->currentIndex() != at)
      QTest::keyClick(box, box->currentIndex() < at ? Qt::Key_Down : Qt::Key_Up);
  }
  void open(const QString &file) {
    const int before = viewer_->host()->scans().size();
    viewer_->openFile(file);
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->host()->scans().size() > before, kPatience);
  }
  void settle() {
    QTRY_VERIFY_WITH_TIMEOUT(panel()->isPrepared() && !panel()->isBusy() && viewer_->host()->lastResult().result,
                             kPatience);
  }
  void rest() { QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy() && !viewer_->host()->isLoading(), kPatience); }
  void start() {
    open(files_->scan());
    panel()->chooseModel(files_->model());
    settle();
  }
  double shown() { return viewer_->host()->lastResult().result->strength; }
  void picture(const char *name) {
    QCoreApplication::processEvents();
    const QString file = QDir(QStringLiteral(CW_SCREENSHOTS)).filePath(QLatin1String(name) + QStringLiteral(".png"));
    QVERIFY(QDir().mkpath(QStringLiteral(CW_SCREENSHOTS)));
    QVERIFY(viewer_->grab().save(file));
  }

  std::unique_ptr<Files> files_;
  std::unique_ptr<qCounterwarpViewer> viewer_;

  void makeFiles() {
    files_.reset(new Files);
    QVERIFY(files_->fine());
  }
  void openViewer() {
    viewer_.reset(new qCounterwarpViewer);
    viewer_->resize(1180, 900);
    viewer_->show();
    QVERIFY(QTest::qWaitForWindowExposed(viewer_.get()));
    viewer_->activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(viewer_.get()));
  }
};

}  // namespace widgets_test
