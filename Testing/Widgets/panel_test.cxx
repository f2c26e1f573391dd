// The real panel in the real viewer, driven as a user would: choosing, dragging, cancelling, and everything that goes
// wrong.
#include <atomic>
#include <QDropEvent>
#include <QHeaderView>
#include <QMimeData>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStyle>
#include <QStyleOptionSlider>
#include <QTableWidget>
#include <thread>

#include "viewer_test.h"

namespace {

using widgets_test::kPatience;

long statusLine(const char *name) {
  QFile file(QStringLiteral("/proc/self/status"));
  if (!file.open(QIODevice::ReadOnly))
    return 0;
  for (const QByteArray &line : file.readAll().split('\n'))
    if (line.startsWith(name))
      return line.mid(int(qstrlen(name)) + 1).simplified().split(' ').value(0).toLong();
  return 0;
}

}  // namespace

class PanelTest : public widgets_test::ViewerTest {
  Q_OBJECT

 private slots:
  void initTestCase() { makeFiles(); }
  void init() { openViewer(); }
  void cleanup() { viewer_.reset(); }

  void emptyPanelSaysWhatToDo() {
    QVERIFY(!part<QWidget>("demoFrame")->isVisible());  // there is no demo
    QVERIFY(!slider()->isEnabled());
    QVERIFY(!part<QAbstractButton>("applyButton")->isEnabled());
    QVERIFY(!part<QAbstractButton>("cancelButton")->isEnabled());
    QVERIFY(part<QLabel>("researchLabel")->text().contains("research use only"));
    picture("empty");
  }

  void emptyPanelOffersTheDemo() {
    const QDir folder(files_->folder());
    QFile::copy(files_->scan(), folder.filePath("brain.nii.gz"));
    viewer_->host()->setDemoFolder(files_->folder());
    QVERIFY(part<QWidget>("demoFrame")->isVisible());
    QTest::mouseClick(part<QAbstractButton>("demoButton"), Qt::LeftButton);
    settle();
    QVERIFY(!part<QWidget>("demoFrame")->isVisible());
    QCOMPARE(part<QComboBox>("volumeBox")->currentText(), QString("brain"));
    QTRY_COMPARE_WITH_TIMEOUT(part<QComboBox>("atlasBox")->currentText(), QString("atlas"), kPatience);
    rest();
  }

  void choosingShowsWhatTheModelExpects() {
    panel()->chooseModel(files_->model());
    QTRY_VERIFY_WITH_TIMEOUT(part<QLabel>("expectsLabel")->text().contains("16 × 14 × 12"), kPatience);
    const QString text = part<QLabel>("expectsLabel")->text();
    for (const char *words : {"patient", "control", "99.5th percentile", "Trained on", "aligned"})
      QVERIFY2(text.contains(words), qPrintable(text));
    QVERIFY(!slider()->isEnabled());
  }

  void scanAndModelInEitherOrder() {
    open(files_->scan());
    panel()->chooseModel(files_->model());
    settle();
    panel()->chooseModel(QString());
    QVERIFY(!panel()->isPrepared());
    choose("modelBox", "model.onnx");
    settle();
    choose("volumeBox", "Choose a volume");
    QVERIFY(!panel()->isPrepared());
    choose("volumeBox", "sub-01_T1w");
    settle();
  }

  void dragMovesTheDisease() {
    start();
    picture("before");
    const double original = viewer_->host()->lastResult().result->simulation.logit_before;
    QStyleOptionSlider option;
    option.initFrom(slider());
    option.minimum = slider()->minimum();
    option.maximum = slider()->maximum();
    option.sliderPosition = slider()->value();
    option.orientation = Qt::Horizontal;
    const QPoint handle =
        slider()->style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, slider()).center();
    QTest::mousePress(slider(), Qt::LeftButton, Qt::NoModifier, handle);
    bool previewed = false;
    for (int step = 1; step <= 40; step++) {
      QMouseEvent move(QEvent::MouseMove, handle + QPoint(3 * step, 0), slider()->mapToGlobal(handle), Qt::NoButton,
                       Qt::LeftButton, Qt::NoModifier);
      QCoreApplication::sendEvent(slider(), &move);
      QTest::qWait(10);
      if (viewer_->scene()->isPreview() && step >= 20 && !previewed) {
        previewed = true;
        picture("during");
      }
    }
    QVERIFY(previewed);
    QTest::mouseRelease(slider(), Qt::LeftButton, Qt::NoModifier, handle + QPoint(120, 0));
    settle();
    QVERIFY2(slider()->value() > 30, qPrintable(QString::number(slider()->value())));
    QTRY_COMPARE_WITH_TIMEOUT(shown(), panel()->strength(), kPatience);
    QVERIFY(!viewer_->scene()->isPreview());
    const cw_simulation &s = viewer_->host()->lastResult().result->simulation;
    QVERIFY(s.logit_after > original + 0.1);
    QVERIFY(part<QLabel>("logitLabel")->text().contains("classifier says"));
    picture("after");
  }

  // What holds up a window for too long, a host leaves to the engine's thread.
  void hostsCopiesAreMadeInAnotherThread() {
    std::atomic<int> there{0}, most{0};
    std::atomic<bool> apart{true};
    const auto gui = std::this_thread::get_id();
    const auto look = [&] {
      most = std::max(most.load(), there.load());
      apart = apart && std::this_thread::get_id() != gui;
    };
    {
      qCounterwarpEngine engine;
      qCounterwarpResultPointer last;
      connect(&engine, &qCounterwarpEngine::resultReady, this,
              [&](const qCounterwarpResultPointer &result) { last = result; });
      engine.setMaker([&](const cw_simulation &simulation) -> std::shared_ptr<void> {
        there++;
        look();
        return std::shared_ptr<float>(new float(simulation.image.data[0]), [&](float *made) {
          delete made;
          there--;
          look();
        });
      });
      engine.readModel(files_->model());
      engine.prepare(qCounterwarpFiles::load(files_->scan()).volume, "scan", nullptr);
      for (const double strength : {0.2, 0.4, 0.6, 0.8}) {
        engine.show(strength, true);
        QTRY_VERIFY_WITH_TIMEOUT(last && last->strength == strength && !engine.isBusy(), kPatience);
        QVERIFY(last->made);
      }
    }
    QVERIFY(apart);
    QCOMPARE(there.load(), 0);
    QVERIFY2(most <= 3, qPrintable(QString::number(most)));  // the newest, the one before, and one being made
  }

  void keyboardAlone() {
    start();
    slider()->setFocus();
    QTest::keyClick(slider(), Qt::Key_Home);
    QCOMPARE(panel()->strength(), -1.0);
    QTest::keyClick(slider(), Qt::Key_PageUp);
    QCOMPARE(panel()->strength(), -0.75);
    QTest::keyClick(slider(), Qt::Key_Right);
    QCOMPARE(panel()->strength(), -0.74);
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy() && shown() == -0.74, kPatience);
    for (const auto &key : {qMakePair(Qt::Key_I, 1.0), qMakePair(Qt::Key_R, -1.0), qMakePair(Qt::Key_O, 0.0)}) {
      QTest::keyClick(viewer_.get(), key.first, Qt::AltModifier);
      QTRY_COMPARE_WITH_TIMEOUT(panel()->strength(), key.second, kPatience);
    }
    QCOMPARE(part<QSpinBox>("strengthSpin")->value(), 0);
    // Tab reaches the slider from the volume's box.
    part<QComboBox>("volumeBox")->setFocus();
    int tabs = 0;
    while (QApplication::focusWidget() != slider() && tabs++ < 30)
      QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
    QVERIFY(tabs < 30);
  }

  void underlinedLettersDifferAndEverythingHasATip() {
    QStringList letters;
    for (QWidget *widget : panel()->findChildren<QWidget *>()) {
      QString text;
      if (auto *button = qobject_cast<QAbstractButton *>(widget))
        text = button->text();
      else if (auto *label = qobject_cast<QLabel *>(widget))
        text = label->buddy() ? label->text() : QString();
      const int at = text.indexOf('&');
      if (at >= 0)
        letters << text.mid(at + 1, 1).toLower();
      const bool interactive = qobject_cast<QAbstractButton *>(widget) || qobject_cast<QComboBox *>(widget) ||
                               qobject_cast<QSlider *>(widget) || qobject_cast<QAbstractSpinBox *>(widget) ||
                               qobject_cast<QTableWidget *>(widget);
      if (interactive && !widget->objectName().startsWith("qt_") && !widget->objectName().isEmpty())
        QVERIFY2(!widget->toolTip().isEmpty(), qPrintable(widget->objectName()));
    }
    QVERIFY(letters.size() >= 14);
    for (const char *taken : {"f", "e", "v", "h"})  // menus of the viewer, of 3D Slicer: File, Edit, View, Help
      QVERIFY2(!letters.contains(taken), taken);
    QCOMPARE(letters.removeDuplicates(), 0);
  }

  void outdatedPositionsAreDropped() {
    start();
    auto *engine = panel()->findChild<qCounterwarpEngine *>();
    QSignalSpy previews(engine, &qCounterwarpEngine::previewReady), results(engine, &qCounterwarpEngine::resultReady);
    for (int i = 0; i < 300; i++)
      panel()->setStrength(-1 + 2 * i / 300.0);
    panel()->setStrength(0.5);
    settle();
    QTRY_COMPARE_WITH_TIMEOUT(shown(), 0.5, kPatience);
    QVERIFY2(previews.size() < 30, qPrintable(QString::number(previews.size())));
    QVERIFY2(results.size() <= 2, qPrintable(QString::number(results.size())));
  }

  void cancelAndGoOn() {
    start();
    panel()->apply();
    QVERIFY(panel()->isBusy());
    QVERIFY(part<QAbstractButton>("cancelButton")->isEnabled());
    part<QAbstractButton>("cancelButton")->click();
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy(), kPatience);
    QVERIFY2(message().contains("Cancelled"), qPrintable(message()));
    QVERIFY(!panel()->isPrepared());
    QVERIFY(!slider()->isEnabled());
    picture("cancelled");
    QTest::mouseClick(part<QAbstractButton>("applyButton"), Qt::LeftButton);
    settle();
    QVERIFY(message().isEmpty());
    panel()->setStrength(0.9);
    slider()->setFocus();
    QTest::keyClick(slider(), Qt::Key_Escape);
    QVERIFY2(message().contains("Cancelled"), qPrintable(message()));
    QVERIFY(panel()->isPrepared());
    rest();
  }

  void cancelWhileTheModelIsRead() {
    panel()->chooseModel(files_->model());
    panel()->cancel();
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy(), kPatience);
    open(files_->scan());
    if (!panel()->isPrepared())
      panel()->apply();
    settle();
  }

  void wrongModelsAreExplained() {
    open(files_->scan());
    for (const auto &wrong :
         {qMakePair(files_->broken(), QString()), qMakePair(files_->classifier(), QString("is a classifier")),
          qMakePair(files_->path("absent.onnx"), QString("absent.onnx"))}) {
      panel()->chooseModel(wrong.first);
      QTRY_VERIFY_WITH_TIMEOUT(!message().isEmpty(), kPatience);
      QVERIFY2(message().contains(wrong.second), qPrintable(message()));
      rest();
      QVERIFY(!slider()->isEnabled());
    }
    picture("wrong-model");
    panel()->chooseModel(files_->model());
    settle();
    QVERIFY2(message().isEmpty(), qPrintable(message()));
  }

  void aScanElsewhereIsExplained() {
    open(files_->far_scan());
    panel()->chooseModel(files_->model());
    QTRY_VERIFY_WITH_TIMEOUT(message().contains("lies inside the scan"), kPatience);
    rest();
    QVERIFY(!panel()->isPrepared());
  }

  void aFileThatIsNoScanIsExplained() {
    QSignalSpy said(viewer_->host(), &qCounterwarpViewerHost::said);
    QFile file(files_->path("broken.nii"));
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write("no scan") > 0);
    file.close();
    viewer_->openFile(file.fileName());
    QTRY_COMPARE_WITH_TIMEOUT(said.size(), 1, kPatience);
    QVERIFY(said[0][1].toBool());
    QVERIFY(viewer_->host()->scans().isEmpty());
  }

  void volumeRemovedWhileRunning() {
    start();
    auto *engine = panel()->findChild<qCounterwarpEngine *>();
    panel()->setStrength(0.8);
    QVERIFY(panel()->isBusy());
    QSignalSpy results(engine, &qCounterwarpEngine::resultReady), previews(engine, &qCounterwarpEngine::previewReady);
    viewer_->host()->close(panel()->scan());
    rest();
    QTest::qWait(300);
    QCOMPARE(results.size(), 0);
    QCOMPARE(previews.size(), 0);
    QVERIFY(panel()->scan().isEmpty());
    QVERIFY(!slider()->isEnabled());
    QVERIFY2(message().contains("removed"), qPrintable(message()));
    QVERIFY(!viewer_->host()->lastResult().result);
    picture("removed");
    // Also while it is being prepared.
    open(files_->scan());
    viewer_->host()->close(panel()->scan());
    rest();
    QVERIFY(!panel()->isPrepared());
  }

  void hostDiesWhileRunning() {
    start();
    panel()->setStrength(-0.6);
    delete viewer_->host();
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy(), kPatience);
    panel()->apply();
  }

  void windowClosesWhileRunning() {
    start();
    panel()->apply();
    viewer_.reset();
  }

  void regionsOfAnAtlas() {
    start();
    panel()->setStrength(1);
    viewer_->host()->open(files_->atlas(), qCounterwarpViewerHost::Atlas);
    auto *table = part<QTableWidget>("regionTable");
    QTRY_COMPARE_WITH_TIMEOUT(table->rowCount(), 3, kPatience);
    rest();
    QTRY_VERIFY_WITH_TIMEOUT(table->rowCount() == 3 && table->item(0, 0)->text().startsWith("Core"), kPatience);
    // Injection shrinks the middle: about (1 - 0.12 window)^3.
    const double change = table->item(0, 1)->text().replace(QChar(0x2212), '-').toDouble();
    QVERIFY2(change < -15 && change > -45, qPrintable(table->item(0, 1)->text()));
    QTest::mouseClick(table->horizontalHeader()->viewport(), Qt::LeftButton, Qt::NoModifier,
                      QPoint(table->horizontalHeader()->sectionPosition(2) + 10, 8));
    QTRY_COMPARE_WITH_TIMEOUT(table->horizontalHeader()->sortIndicatorSection(), 2, kPatience);
    QVERIFY(table->item(0, 2)->text().toInt() <= table->item(2, 2)->text().toInt() ||
            table->horizontalHeader()->sortIndicatorOrder() == Qt::DescendingOrder);
    picture("regions");
    QVERIFY(!viewer_->host()->lastResult().regions.isEmpty());
    choose("atlasBox", "None");
    QCOMPARE(table->rowCount(), 0);
    QVERIFY(viewer_->host()->lastResult().regions.isEmpty());  // nor are they saved
  }

  // They were on their way when the atlas was given up.
  void regionsOfAnotherAtlasDoNotCome() {
    start();
    viewer_->host()->open(files_->atlas(), qCounterwarpViewerHost::Atlas);
    auto *table = part<QTableWidget>("regionTable");
    QTRY_COMPARE_WITH_TIMEOUT(table->rowCount(), 3, kPatience);
    rest();
    int came = 0;
    connect(panel()->findChild<qCounterwarpEngine *>(), &qCounterwarpEngine::regionsReady, this, [&came] { came++; });
    panel()->chooseAtlas(panel()->atlas());
    QTest::qSleep(1000);  // computed meanwhile, and not yet heard of
    panel()->chooseAtlas(QString());
    rest();
    QTest::qWait(100);
    QCOMPARE(came, 0);
    QCOMPARE(table->rowCount(), 0);
    QVERIFY(viewer_->host()->lastResult().regions.isEmpty());
  }

  void filesCanBeDropped() {
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(files_->scan()), QUrl::fromLocalFile(files_->model())});
    QDragEnterEvent enter(QPoint(50, 50), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(viewer_.get(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent drop(QPointF(50, 50), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(viewer_.get(), &drop);
    settle();
    QMimeData other;
    other.setUrls({QUrl::fromLocalFile(files_->path("atlas.nii.txt"))});
    QDragEnterEvent refused(QPoint(50, 50), Qt::CopyAction, &other, Qt::LeftButton, Qt::NoModifier);
    refused.setAccepted(false);
    QCoreApplication::sendEvent(viewer_.get(), &refused);
    QVERIFY(!refused.isAccepted());
  }

  void resultsAreSaved() {
    start();
    panel()->setStrength(-0.5);
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy() && shown() == -0.5, kPatience);
    part<QAbstractButton>("jacobianCheck")->setChecked(false);
    QTemporaryDir folder;
    QSignalSpy saved(viewer_.get(), &qCounterwarpViewer::saved);
    viewer_->saveResults(folder.path());
    QTRY_COMPARE_WITH_TIMEOUT(saved.size(), 1, kPatience);
    const QStringList names = saved[0][0].toStringList();
    QVERIFY(!names.join(' ').contains("jacobian"));
    const auto result = viewer_->host()->lastResult().result;
    cw_context *context = nullptr;
    QCOMPARE(cw_context_create(nullptr, &context), CW_OK);
    cw_volume image = {}, field = {};
    const QDir dir(folder.path());
    QCOMPARE(cw_nifti_read(context, dir.filePath("sub-01_T1w_desc-remove_image.nii.gz").toUtf8().constData(), &image),
             CW_OK);
    QCOMPARE(
        cw_nifti_read_field(context, dir.filePath("sub-01_T1w_desc-remove_field.nii.gz").toUtf8().constData(), &field),
        CW_OK);
    const size_t n = cw_grid_samples(&image.grid);
    QVERIFY(std::equal(image.data, image.data + n, result->simulation.image.data));
    QVERIFY(std::equal(field.data, field.data + 3 * n, result->simulation.field.data));
    QVERIFY(QFile::exists(dir.filePath("sub-01_T1w_desc-remove_curve.tsv")));
    cw_volume_free(context, &image);
    cw_volume_free(context, &field);
    cw_context_free(context);
    viewer_->saveResults(dir.filePath("absent/folder"));
    QTRY_COMPARE_WITH_TIMEOUT(saved.size(), 2, kPatience);
    QVERIFY(saved[1][0].toStringList().isEmpty());
  }

  void settingsComeBack() {
    start();
    panel()->setStrength(0.4);
    part<QAbstractButton>("fieldCheck")->setChecked(false);
    settle();
    const QVariantMap settings = panel()->settings();
    panel()->chooseScan(QString());
    panel()->chooseModel(QString());
    panel()->setStrength(0);
    part<QAbstractButton>("fieldCheck")->setChecked(true);
    panel()->setSettings(settings);
    QCOMPARE(panel()->settings(), settings);
    rest();
    QVERIFY(!panel()->isPrepared());  // nothing is computed before Apply
    QTest::mouseClick(part<QAbstractButton>("applyButton"), Qt::LeftButton);
    settle();
    QTRY_COMPARE_WITH_TIMEOUT(shown(), 0.4, kPatience);
  }

  void crosshairAndOverlayFollowTheUser() {
    start();
    panel()->setStrength(1);
    settle();
    const QImage with = viewer_->grab().toImage();
    part<QAbstractButton>("overlayCheck")->click();
    QTest::qWait(50);
    const QImage without = viewer_->grab().toImage();
    QVERIFY(with != without);
    const double before = viewer_->scene()->center()[2];
    QWidget *axial = nullptr;
    for (QWidget *widget : viewer_->findChildren<QWidget *>())
      if (widget->accessibleName() == "axial")
        axial = widget;
    QVERIFY(axial);
    QTest::keyClick(axial, Qt::Key_PageUp);
    QVERIFY(viewer_->scene()->center()[2] > before);
    // Radiological convention: a click on the left is the patient's right, negative in LPS.
    QTest::mouseClick(axial, Qt::LeftButton, Qt::NoModifier, QPoint(axial->width() / 4, axial->height() / 2));
    QVERIFY(viewer_->scene()->center()[0] < 1);
    QTest::mouseClick(axial, Qt::LeftButton, Qt::NoModifier, QPoint(axial->width() / 2, axial->height() / 4));
    QVERIFY(viewer_->scene()->center()[1] < 2);  // up is anterior
  }

  void fiveHundredMovesLeaveNothingBehind() {
    start();
    const auto drag = [&](int moves) {
      for (int i = 0; i < moves; i++) {
        panel()->setStrength(std::sin(0.1 * i));
        QTest::qWait(i % 50 == 49 ? 250 : 1);  // now and then it settles
      }
      settle();
    };
    drag(100);
    const long memory = statusLine("VmRSS"), threads = statusLine("Threads");
    drag(500);
    const long grown = statusLine("VmRSS") - memory, more = statusLine("Threads") - threads;
    qInfo("500 moves: %ld KiB more, %ld threads more", grown, more);
#if !defined(__SANITIZE_ADDRESS__)
    QVERIFY2(grown < 20 * 1024, qPrintable(QString::number(grown)));
#endif
    QVERIFY2(more <= 0, qPrintable(QString::number(more)));
  }
};

QTEST_MAIN(PanelTest)
#include "panel_test.moc"
