// What the panel says to its user and tells its host when it is stopped half-way, or when volumes change under it.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>
#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QElapsedTimer>
#include <QHeaderView>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QThread>
#include <QtTest>

#include "fixture.h"
#include "panel_host.h"
#include "parts.h"
#include "qCounterwarpEngine.h"
#include "qCounterwarpPanel.h"
#include "qCounterwarpRegionTable.h"

namespace {

const int kPatience = 20000;  // ms; a loaded machine, sanitizers

}  // namespace

class HostTest : public QObject {
  Q_OBJECT

  std::unique_ptr<widgets_test::Files> files_;
  std::unique_ptr<widgets_test::PanelHost> host_;
  std::unique_ptr<qCounterwarpPanel> panel_;

  template <class T>
  T *part(const char *name) {
    return widgets_test::part_of<T>(panel_.get(), name);
  }
  QString message() { return widgets_test::message_of(panel_.get()); }
  qCounterwarpRegionTable *table() { return part<qCounterwarpRegionTable>("regionTable"); }
  qCounterwarpEngine *engine() { return panel_->findChild<qCounterwarpEngine *>(); }
  void rest() { QTRY_VERIFY_WITH_TIMEOUT(!panel_->isBusy(), kPatience); }
  void settleAt(double strength) {
    panel_->setStrength(strength);
    QTRY_VERIFY_WITH_TIMEOUT(panel_->isPrepared() && !panel_->isBusy() && !host_->given.isEmpty() &&
                                 host_->given.constLast().strength == strength,
                             kPatience);
  }
  void start(const QString &model) {
    panel_->chooseScan("scan");
    panel_->chooseModel(model);
    QTRY_VERIFY_WITH_TIMEOUT(panel_->isPrepared() && !panel_->isBusy() && !host_->given.isEmpty(), kPatience);
  }

 private slots:
  void initTestCase() {
    files_.reset(new widgets_test::Files);
    QVERIFY(files_->fine());
  }
  void init() {
    host_.reset(new widgets_test::PanelHost);
    host_->add("scan", files_->scan());
    host_->add("atlas", files_->atlas());
    panel_.reset(new qCounterwarpPanel);
    panel_->setHost(host_.get());
    panel_->show();
    QVERIFY(QTest::qWaitForWindowExposed(panel_.get()));
    panel_->activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(panel_.get()));
  }
  void cleanup() {
    panel_->setHost(nullptr);
    panel_.reset();
  }

  // ---- cancelling ----

  void anotherOutputIsNotGivenWhereNothingWasComputed() {
    start(files_->model());
    settleAt(0.5);
    const QString logit = part<QLabel>("logitLabel")->text();
    panel_->setStrength(0.8);
    panel_->cancel();
    rest();
    const int given = host_->given.size();
    const bool previewed = host_->previews.constLast() == 0.8;
    part<QAbstractButton>("jacobianCheck")->click();
    QCOMPARE(host_->given.size(), given);  // the image of 0.5 under a slider at 0.8
    QVERIFY(previewed || part<QLabel>("logitLabel")->text() == logit);
    QVERIFY(!previewed || part<QLabel>("logitLabel")->text() != logit);
    settleAt(0.6);
    QVERIFY(!host_->given.constLast().outputs.jacobian);
    part<QAbstractButton>("jacobianCheck")->click();  // at rest it is given at once
    QVERIFY(host_->given.constLast().outputs.jacobian);
  }

  void escapeBeforeFullResolution() {
    start(files_->model());
    bool waited = false;
    for (int i = 0; i < 50 && !waited; i++) {  // a slow machine may be late
      settleAt(0);
      panel_->setStrength(0.5);
      const auto idle = connect(engine(), &qCounterwarpEngine::busyChanged, this, [&](bool busy) {
        if (!busy && panel_->isBusy() && !waited) {
          waited = true;
          QVERIFY(part<QAbstractButton>("cancelButton")->isEnabled());
          panel_->cancel();
        }
      });
      QTRY_VERIFY_WITH_TIMEOUT(!panel_->isBusy(), kPatience);
      disconnect(idle);
    }
    QVERIFY(waited);
    QVERIFY2(message().contains("Cancelled"), qPrintable(message()));
    QVERIFY(!part<QAbstractButton>("cancelButton")->isEnabled());
    const int given = host_->given.size();
    QTest::qWait(400);
    QCOMPARE(host_->given.size(), given);
    settleAt(0.2);
    QVERIFY2(!message().contains("Cancelled"), qPrintable(message()));
  }

  void regionsOfAnOlderPositionAreFaint() {
    start(files_->model());
    settleAt(-0.5);
    panel_->setStrength(0.8);
    panel_->cancel();
    rest();
    panel_->chooseAtlas("atlas");
    QTRY_COMPARE_WITH_TIMEOUT(table()->rowCount(), 3, kPatience);
    QVERIFY(!table()->isEnabled());
    // Sorted as for the position that they are of: growth comes first.
    QVERIFY(table()->item(0, 1)->text().startsWith('+'));
    settleAt(0.7);
    QTRY_VERIFY_WITH_TIMEOUT(table()->isEnabled() && table()->item(0, 1)->text().startsWith(QChar(0x2212)), kPatience);
  }

  // ---- messages ----

  void whatIsSaidOfAPositionGoesWithIt() {
    start(files_->folding_model());
    QVERIFY2(message().contains("sub-01 took part"), qPrintable(message()));
    settleAt(1);
    QVERIFY2(message().contains("folds"), qPrintable(message()));
    QVERIFY2(message().contains("took part"), qPrintable(message()));  // and is not lost for that
    panel_->setStrength(0);
    QVERIFY2(!message().contains("folds"), qPrintable(message()));
    QVERIFY2(message().contains("took part"), qPrintable(message()));
    settleAt(0);
    QVERIFY2(!message().contains("folds"), qPrintable(message()));
    settleAt(1);
    QVERIFY(message().contains("folds"));
    panel_->chooseModel(files_->model());
    QVERIFY2(message().isEmpty(), qPrintable(message()));
    rest();
  }

  void aShearedScanIsWarnedOf() {
    host_->add("sheared", files_->sheared_scan());
    start(files_->model());
    QVERIFY2(message().isEmpty(), qPrintable(message()));
    panel_->chooseScan("sheared");
    rest();
    QVERIFY2(message().contains("not at right angles"), qPrintable(message()));
    QVERIFY(message().contains("resample it first"));
  }

  void theTimeLeftIsSaid() {
    auto *bar = part<QProgressBar>("progressBar");
    emit engine()->progressed("curve", 0.1);
    QVERIFY2(!bar->text().contains("left"), qPrintable(bar->text()));  // too early to tell
    QTest::qWait(1100);
    emit engine()->progressed("curve", 0.5);
    QVERIFY2(bar->text().contains("s left"), qPrintable(bar->text()));
    QCOMPARE(bar->value(), 500);
    emit engine()->progressed("regions", 0.5);  // another stage, of which nothing is known
    QVERIFY2(!bar->text().contains("left"), qPrintable(bar->text()));
  }

  // ---- what the host is told ----

  void theHostHearsOfNoneToo() {
    start(files_->model());
    QCOMPARE(host_->scans_chosen.constLast(), QString("scan"));
    panel_->chooseScan(QString());
    QCOMPARE(host_->scans_chosen.constLast(), QString());
    panel_->chooseScan("scan");
    rest();
    host_->remove("scan");
    QCOMPARE(host_->scans_chosen.constLast(), QString());
    QVERIFY2(message().contains("removed"), qPrintable(message()));
    panel_->chooseAtlas("atlas");
    QCOMPARE(host_->atlases_chosen.constLast(), QString("atlas"));
    host_->remove("atlas");
    QCOMPARE(host_->atlases_chosen.constLast(), QString());
  }

  void theHostKnowsWhatThingsAreMadeWith() {
    start(files_->model());
    QCOMPARE(host_->origins.size(), 1);
    QCOMPARE(host_->origins[0].model, files_->model());
    QVERIFY(!host_->origins[0].alignment);
  }

  void anEditedAtlasIsReadAgain() {
    start(files_->model());
    panel_->chooseAtlas("atlas");
    QTRY_COMPARE_WITH_TIMEOUT(table()->rowCount(), 3, kPatience);
    rest();
    const cw_volume &atlas = host_->volumes["atlas"].volume->volume;
    const std::shared_ptr<qCounterwarpVolume> edited = qCounterwarpVolume::create(atlas.grid);
    std::replace_copy(atlas.data, atlas.data + cw_grid_samples(&atlas.grid), edited->volume.data, 7.0f, 0.0f);
    host_->volumes["atlas"].volume = edited;
    emit host_->volumeChanged("atlas");
    QCOMPARE(panel_->atlas(), QString("atlas"));
    QCOMPARE(host_->reads.constLast(), QString("atlas"));
    QTRY_COMPARE_WITH_TIMEOUT(table()->rowCount(), 2, kPatience);
    rest();
    emit host_->volumeChanged("scan");  // what was made of it is of another scan
    QVERIFY(panel_->scan().isEmpty());
    QVERIFY(!panel_->isPrepared());
  }

  // ---- settings and keyboard ----

  void everySettingIsKept() {
    start(files_->aligned_model());
    for (const char *name : {"volumeCheck", "fieldCheck", "jacobianCheck", "overlayCheck", "boardCheck"}) {
      QSignalSpy changed(panel_.get(), &qCounterwarpPanel::settingsChanged);
      const QVariantMap before = panel_->settings();
      part<QAbstractButton>(name)->click();
      QVERIFY2(panel_->settings() != before && !changed.isEmpty(), name);
    }
    QVERIFY(host_->reference);
    const QVariantMap settings = panel_->settings();
    part<QAbstractButton>("boardCheck")->click();
    QVERIFY(!host_->reference);
    panel_->setSettings(settings);
    QCOMPARE(panel_->settings(), settings);
    part<QAbstractButton>("applyButton")->click();
    QTRY_VERIFY_WITH_TIMEOUT(panel_->isPrepared(), kPatience);
    QVERIFY(host_->reference);
    rest();
  }

  void hostsChoosersAreReachedByTab() {
    auto *scan = new QComboBox, *atlas = new QComboBox;
    panel_->replaceScanChooser(scan);
    panel_->replaceAtlasChooser(atlas);
    start(files_->model());
    part<QWidget>("modelBox")->setFocus();
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Backtab);
    QCOMPARE(QApplication::focusWidget(), scan);
    QTest::keyClick(scan, Qt::Key_Tab);
    QCOMPARE(QApplication::focusWidget(), part<QWidget>("modelBox"));
    part<QWidget>("sanityButton")->setFocus();
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
    QCOMPARE(QApplication::focusWidget(), atlas);
    QTest::keyClick(panel_.get(), Qt::Key_L, Qt::AltModifier);
    QTRY_COMPARE(QApplication::focusWidget(), scan);
  }

  void theTableIsSortedByTheKeyboard() {
    start(files_->model());
    settleAt(1);
    panel_->chooseAtlas("atlas");
    QTRY_COMPARE_WITH_TIMEOUT(table()->rowCount(), 3, kPatience);
    rest();
    table()->setFocus();
    table()->setCurrentCell(0, 2);
    QTest::keyClick(table(), Qt::Key_Space);
    QVERIFY(table()->item(0, 2)->text().toInt() <= table()->item(2, 2)->text().toInt());
    QTest::keyClick(table(), Qt::Key_Space);
    QVERIFY(table()->item(0, 2)->text().toInt() > table()->item(2, 2)->text().toInt());
    settleAt(0.9);  // which the next position keeps
    QTRY_VERIFY_WITH_TIMEOUT(table()->isEnabled(), kPatience);
    QCOMPARE(table()->horizontalHeader()->sortIndicatorSection(), 2);
    QCOMPARE(table()->horizontalHeader()->sortIndicatorOrder(), Qt::DescendingOrder);
  }

  // No turn of the event loop takes more than 50 ms of the window's own time (of the processor: a loaded machine is no
  // fault of the panel's).
  void theWindowIsNotHeldUp() {
#if defined(__SANITIZE_ADDRESS__)
    QSKIP("Sanitizers slow down everything.");
#endif
    const auto used = [] {
      timespec time;
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
      return 1e3 * time.tv_sec + 1e-6 * time.tv_nsec;
    };
    start(files_->model());
    panel_->chooseAtlas("atlas");
    rest();
    double most = 0, before = used();
    int turns = 0;
    QElapsedTimer all;
    all.start();
    for (int i = 0; all.elapsed() < 1500 || turns < 200; i++) {
      if (i % 4 == 0)
        panel_->setStrength(std::sin(0.05 * i));
      QCoreApplication::processEvents();
      most = std::max(most, used() - before);
      before = used();
      turns++;
      QThread::msleep(1);
    }
    QVERIFY(!host_->previews.isEmpty());
    QVERIFY2(most < 50, qPrintable(QStringLiteral("%1 ms in one turn").arg(most)));
  }
};

QTEST_MAIN(HostTest)
#include "host_test.moc"
