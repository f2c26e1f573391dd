// Alignment to the model, saliency with its sanity verdict, and what is saved and kept of them, in the real window.
#include <QCheckBox>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSignalSpy>
#include <QTableWidget>

#include "qCounterwarpAlign.h"
#include "viewer_test.h"

using widgets_test::kPatience;

namespace {

const int kAlignPatience = 240000;  // ms; registration on a loaded machine

}  // namespace

class ExplainTest : public widgets_test::ViewerTest {
  Q_OBJECT

  QString label(const char *name) { return part<QLabel>(name)->isVisible() ? part<QLabel>(name)->text() : QString(); }
  qCounterwarpEngine *engine() { return panel()->findChild<qCounterwarpEngine *>(); }
  void click(const char *name) { QTest::mouseClick(part<QAbstractButton>(name), Qt::LeftButton); }
  // Sanity checks of one method for a classifier, as `counterwarp sanity` writes them.
  QString sanity(const char *name, const QString &classifier, const char *weights, const char *output) {
    const QJsonObject item{{"method", "gradient"},
                           {"on_weights", weights},
                           {"on_output", output},
                           {"failed", QByteArray(weights) == "does not depend"},
                           {"text", "Figures stand here."}};
    const QJsonObject json{{"classifier_fingerprint", classifier}, {"methods", QJsonArray{item}}};
    QFile file(files_->path(name));
    if (!file.open(QIODevice::WriteOnly) || file.write(QJsonDocument(json).toJson()) <= 0)
      qFatal("cannot write");
    return file.fileName();
  }
  QString classifierOf(const QString &model) {
    cw_context *context = nullptr;
    cw_context_create(nullptr, &context);
    cw_model read = {};
    cw_graph *graph = nullptr;
    char text[17] = "";
    if (cw_model_read(context, QFile::encodeName(model).constData(), &read) == CW_OK &&
        cw_model_classifier(context, &read, &graph) == CW_OK)
      cw_graph_fingerprint(graph, text);
    cw_graph_free(context, graph);
    cw_model_free(context, &read);
    cw_context_free(context);
    return QString::fromLatin1(text);
  }

 private slots:
  void initTestCase() { makeFiles(); }
  void init() {
    openViewer();
    viewer_->resize(1180, 1180);  // the whole panel
  }
  void cleanup() { viewer_.reset(); }

  // ---- alignment ----

  void theButtonSaysWhatThisBuildCan() {
    auto *button = part<QAbstractButton>("alignButton");
    QVERIFY(!button->isEnabled());
    QCOMPARE(button->text().contains("not in this build"), !qCounterwarpAlign::available());
    open(files_->scan());
    panel()->chooseModel(files_->model());  // without a template to register to
    settle();
    QVERIFY(!button->isEnabled());
    QVERIFY(!part<QAbstractButton>("boardCheck")->isEnabled());
    panel()->chooseModel(files_->aligned_model());
    settle();
    QCOMPARE(button->isEnabled(), qCounterwarpAlign::available());
    QVERIFY(part<QAbstractButton>("boardCheck")->isEnabled());
  }

  void aMovedScanIsAligned() {
    if (!qCounterwarpAlign::available())
      QSKIP("This build has no ITK.");
    open(files_->scan());
    panel()->chooseModel(files_->aligned_model());
    settle();
    const double wanted = viewer_->host()->lastResult().result->simulation.logit_before;
    open(files_->moved_scan());
    settle();
    const double unaligned = viewer_->host()->lastResult().result->simulation.logit_before;
    QVERIFY2(std::fabs(unaligned - wanted) > 0.5, qPrintable(QString::number(unaligned)));
    part<QAbstractButton>("boardCheck")->setChecked(true);
    picture("not-aligned");
    part<QAbstractButton>("boardCheck")->setChecked(false);

    click("alignButton");
    QVERIFY(panel()->isBusy());
    QVERIFY(!panel()->isPrepared());
    QTRY_VERIFY_WITH_TIMEOUT(panel()->alignment(), kAlignPatience);
    settle();
    const double p[3] = {1, 2, -3};
    double found[3], expected[3];
    cw_affine_apply(panel()->alignment().get(), p, found);
    const cw_affine motion = files_->motion();
    cw_affine_apply(&motion, p, expected);
    for (int axis = 0; axis < 3; axis++)
      QVERIFY2(std::fabs(found[axis] - expected[axis]) < 2.5, qPrintable(QString::number(found[axis])));
    const double aligned = viewer_->host()->lastResult().result->simulation.logit_before;
    QVERIFY2(std::fabs(aligned - wanted) < 0.4 * std::fabs(unaligned - wanted), qPrintable(QString::number(aligned)));
    QVERIFY2(label("alignLabel").contains("moved by"), qPrintable(label("alignLabel")));
    // It is shown for a check, on the scan's own grid, and the preview lies where the scan does.
    QVERIFY(part<QAbstractButton>("boardCheck")->isChecked());
    QVERIFY(viewer_->scene()->reference());
    picture("aligned");
    panel()->setStrength(0.5);
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->isPreview(), kPatience);
    double corner[3], middle[3] = {15.5, 15.5, 13.5};
    cw_affine_apply(&viewer_->scene()->image()->grid.to_world, middle, corner);
    QVERIFY(std::fabs(corner[2] - expected[2]) < 2.5);
    rest();

    // Every run uses it, until it is unticked.
    const QVariantMap settings = panel()->settings();
    click("applyButton");
    settle();
    QVERIFY(std::fabs(viewer_->host()->lastResult().result->simulation.logit_before - aligned) < 1e-6);
    QVERIFY(viewer_->host()->lastResult().origin.alignment);
    click("alignCheck");
    settle();
    QVERIFY(!panel()->alignment());
    QVERIFY(std::fabs(viewer_->host()->lastResult().result->simulation.logit_before - unaligned) < 1e-6);
    panel()->setSettings(settings);
    QCOMPARE(panel()->settings(), settings);
    click("applyButton");
    settle();
    QVERIFY(std::fabs(viewer_->host()->lastResult().result->simulation.logit_before - aligned) < 1e-6);
    // Another scan or model is not aligned by it.
    panel()->chooseScan(files_->scan());
    settle();
    QVERIFY(!panel()->alignment());
    QVERIFY(!part<QAbstractButton>("alignCheck")->isEnabled());
  }

  void anAtlasMayLieInTheModelsSpace() {
    if (!qCounterwarpAlign::available())
      QSKIP("This build has no ITK.");
    open(files_->moved_scan());
    panel()->chooseModel(files_->aligned_model());
    settle();
    QVariantMap settings = panel()->settings();
    QVariantList numbers;
    const cw_affine motion = files_->motion();
    for (int i = 0; i < 12; i++)
      numbers << motion.m[i / 4][i % 4];
    settings["alignment"] = numbers;
    settings["useAlignment"] = true;
    panel()->setSettings(settings);
    panel()->setStrength(1);
    click("applyButton");
    settle();
    viewer_->host()->open(files_->atlas(), qCounterwarpViewerHost::Atlas);
    auto *table = part<QTableWidget>("regionTable");
    const auto core = [&] {
      for (int row = 0; row < table->rowCount(); row++)
        if (table->item(row, 0)->text() == "Core_R")
          return table->item(row, 1)->text().replace(QChar(0x2212), '-').toDouble();
      return 0.0;
    };
    QTRY_VERIFY_WITH_TIMEOUT(table->rowCount() == 3, kPatience);
    rest();
    const double apart = core();
    click("atlasCheck");
    QTRY_VERIFY_WITH_TIMEOUT(table->rowCount() == 3 && core() != apart, kPatience);
    rest();
    QVERIFY2(core() < -20, qPrintable(QString::number(core())));  // the window is largest in the middle
    QVERIFY(core() < apart);
  }

  void anAlignmentCanBeCancelled() {
    if (!qCounterwarpAlign::available())
      QSKIP("This build has no ITK.");
    open(files_->moved_scan());
    panel()->chooseModel(files_->aligned_model());
    settle();
    QSignalSpy progress(engine(), &qCounterwarpEngine::progressed);
    click("alignButton");
    QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty(), kPatience);
    click("cancelButton");
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy(), kPatience);
    QVERIFY2(message().contains("Cancelled"), qPrintable(message()));
    QVERIFY(!panel()->alignment());
    QVERIFY(!panel()->isPrepared());
    click("applyButton");
    settle();
    // The scan is removed while it is being aligned.
    click("alignButton");
    viewer_->host()->close(panel()->scan());
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy(), kPatience);
    QVERIFY(!panel()->alignment());
  }

  // ---- saliency ----

  void aMapAndItsVerdict() {
    start();
    QVERIFY(part<QComboBox>("methodBox")->count() > 3);
    QCOMPARE(part<QComboBox>("methodBox")->findText("gradcam.positive"),
             -1);  // a linear classifier has no layer for it
    choose("methodBox", "gradient");
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->saliency(), kPatience);
    // The classifier is linear: its gradient is its weights, -0.1 in the middle.
    const cw_volume &map = viewer_->scene()->saliency()->map->volume;
    const cw_volume &scan = viewer_->scene()->scan()->volume;
    QVERIFY(cw_grid_same(&map.grid, &scan.grid, 1e-6));
    const size_t middle = 48 + 96 * (44 + 88 * size_t(40));
    QVERIFY2(std::fabs(map.data[middle] + 0.1) < 1e-3, qPrintable(QString::number(map.data[middle])));
    QCOMPARE(map.data[0], 0.0f);
    QVERIFY2(label("verdictLabel").contains("Not checked for this classifier"), qPrintable(label("verdictLabel")));
    QVERIFY(label("verdictLabel").contains("counterwarp sanity"));
    picture("saliency");

    const QString classifier = classifierOf(files_->model());
    QCOMPARE(classifier.size(), 16);
    const struct {
      const char *weights, *output, *words;
    } cases[] = {{"depends", "depends", "Depends on this classifier"},
                 {"does not depend", "depends", "Fails its sanity check"},
                 {"undecided", "depends", "Undecided"}};
    for (const auto &c : cases) {
      panel()->chooseSanity(sanity("checks.json", classifier, c.weights, c.output));
      QVERIFY2(label("verdictLabel").startsWith(c.words), qPrintable(label("verdictLabel")));
      QVERIFY(label("verdictLabel").contains("Figures stand here."));
    }
    panel()->chooseSanity(sanity("checks.json", classifier, "does not depend", "depends"));
    picture("saliency-fails");
    panel()->chooseSanity(sanity("checks.json", "0123456789abcdef", "depends", "depends"));
    QVERIFY2(label("verdictLabel").contains("is about another one"), qPrintable(label("verdictLabel")));
    panel()->chooseSanity(files_->broken());
    QVERIFY2(label("verdictLabel").contains("holds no sanity checks"), qPrintable(label("verdictLabel")));
    panel()->chooseSanity(files_->path("absent.json"));
    QVERIFY2(label("verdictLabel").contains("cannot be read"), qPrintable(label("verdictLabel")));
    panel()->chooseSanity(sanity("checks.json", classifier, "depends", "depends"));
    panel()->chooseMethod("smoothgrad");
    QVERIFY2(label("verdictLabel").contains("not among those checked"), qPrintable(label("verdictLabel")));

    // A moving slider shows the warp; at rest the map is back; None ends it.
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->saliency(), kPatience);
    rest();
    panel()->setStrength(0.7);
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->isPreview(), kPatience);
    QVERIFY(!viewer_->scene()->saliency());
    rest();
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->saliency(), kPatience);
    choose("methodBox", "None");
    rest();
    QVERIFY(!viewer_->scene()->saliency());
    QVERIFY(viewer_->scene()->overlay());
    QVERIFY(label("verdictLabel").isEmpty());
  }

  void checksBesideTheModelAreFound() {
    sanity("sanity.json", classifierOf(files_->model()), "depends", "depends");
    start();
    panel()->chooseMethod("gradient");
    QVERIFY2(label("verdictLabel").startsWith("Depends on this classifier"), qPrintable(label("verdictLabel")));
    QFile::remove(files_->path("sanity.json"));
  }

  void aMapFollowsItsScan() {
    start();
    panel()->chooseMethod("gradient");
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->saliency(), kPatience);
    panel()->chooseScan(QString());
    QVERIFY(!viewer_->scene()->saliency());
    panel()->chooseScan(files_->scan());
    settle();
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->scene()->saliency(), kPatience);
    rest();
    const QVariantMap settings = panel()->settings();
    QCOMPARE(settings["method"].toString(), QString("gradient"));
    panel()->chooseMethod(QString());
    panel()->setSettings(settings);
    QCOMPARE(panel()->settings(), settings);
  }

  // It was on its way when the method was given up.
  void aMapOfAnotherMethodDoesNotCome() {
    start();
    rest();
    int came = 0;
    connect(engine(), &qCounterwarpEngine::saliencyReady, this, [&came] { came++; });
    panel()->chooseMethod("gradient");
    QTest::qSleep(1000);  // computed meanwhile, and not yet heard of
    panel()->chooseMethod(QString());
    rest();
    QTest::qWait(100);
    QCOMPARE(came, 0);
  }

  // The slider stops the map, and the method is given up before it is wished for again.
  void noMethodIsNeverComputed() {
    start();
    QSignalSpy failures(engine(), &qCounterwarpEngine::failed);
    for (int i = 0; i < 80; i++) {
      panel()->chooseMethod("smoothgrad");
      QTest::qSleep(1 + i % 8);
      panel()->setStrength(i % 2 ? 0.3 : -0.3);
      panel()->chooseMethod(QString());
      QCoreApplication::processEvents();
    }
    rest();
    QVERIFY2(failures.isEmpty(), qPrintable(message()));
    QVERIFY(!viewer_->host()->lastResult().saliency);
  }

  // "Move the slider to go on": also with what the slider does not ask for.
  void curveAndMapGoOnAfterACancel() {
    start();
    rest();
    panel()->chooseMethod("smoothgrad");
    panel()->cancel();
    rest();
    QVERIFY2(message().contains("Move the slider"), qPrintable(message()));
    panel()->setStrength(0.3);
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->host()->lastResult().saliency, kPatience);
    rest();

    QMetaObject::Connection stop = connect(engine(), &qCounterwarpEngine::prepared, this, [&] { panel()->cancel(); });
    panel()->apply();
    QVERIFY(viewer_->host()->lastResult().logits.isEmpty());
    QTRY_VERIFY_WITH_TIMEOUT(panel()->isPrepared(), kPatience);
    rest();
    disconnect(stop);
    panel()->setStrength(0.2);
    QTRY_VERIFY_WITH_TIMEOUT(!viewer_->host()->lastResult().logits.isEmpty(), kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(viewer_->host()->lastResult().saliency, kPatience);
    rest();

    // What was stopped of another scan, or given up since, does not come back.
    panel()->chooseMethod("gradient");
    panel()->cancel();
    panel()->chooseMethod(QString());
    panel()->setStrength(0.1);
    settle();
    QVERIFY(!viewer_->host()->lastResult().saliency);
  }

  // ---- what is saved and kept ----

  void aSideCarIsSavedToo() {
    start();
    panel()->chooseMethod("gradient");
    panel()->setStrength(0.5);
    QTRY_VERIFY_WITH_TIMEOUT(!panel()->isBusy() && shown() == 0.5 && viewer_->host()->lastResult().saliency, kPatience);
    QTemporaryDir folder;
    QSignalSpy saved(viewer_.get(), &qCounterwarpViewer::saved);
    viewer_->saveResults(folder.path());
    QTRY_COMPARE_WITH_TIMEOUT(saved.size(), 1, kPatience);
    const QStringList names = saved[0][0].toStringList();
    QVERIFY(names.contains("sub-01_T1w_desc-inject_gradient_saliency.nii.gz"));
    QFile file(QDir(folder.path()).filePath("sub-01_T1w_desc-inject_viewer.json"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QJsonObject json = QJsonDocument::fromJson(file.readAll()).object();
    QCOMPARE(json["strength"].toDouble(), 0.5);
    QCOMPARE(json["model"].toString(), files_->model());
    QCOMPARE(json["source"].toString(), files_->scan());
    QVERIFY(json["transform_lps"].isNull());
    QVERIFY(json["saliency"].toObject()["sanity"].toString().contains("Not checked"));
    QCOMPARE(json["files"].toArray().size(), names.size() - 1);
  }

  void otherOutputsKeepTheRegions() {
    start();
    viewer_->host()->open(files_->atlas(), qCounterwarpViewerHost::Atlas);
    QTRY_VERIFY_WITH_TIMEOUT(!viewer_->host()->lastResult().regions.isEmpty(), kPatience);
    rest();
    part<QAbstractButton>("jacobianCheck")->setChecked(false);
    QVERIFY(!viewer_->host()->lastResult().regions.isEmpty());
    QVERIFY(!viewer_->host()->lastResult().outputs.jacobian);
  }

  void aModelThatWasGivenUpDoesNotComeBack() {
    panel()->chooseModel(files_->model());
    panel()->chooseModel(QString());
    QTest::qWait(500);
    rest();
    QVERIFY2(part<QLabel>("expectsLabel")->text().startsWith("Choose a model"),
             qPrintable(part<QLabel>("expectsLabel")->text()));
    open(files_->scan());
    panel()->chooseModel(files_->model());
    settle();
  }

  void settingsWhileRunningStopIt() {
    start();
    const QVariantMap settings = panel()->settings();
    panel()->setStrength(0.8);
    QVERIFY(panel()->isBusy());
    panel()->setSettings(settings);
    QSignalSpy results(engine(), &qCounterwarpEngine::resultReady),
        previews(engine(), &qCounterwarpEngine::previewReady);
    QVERIFY(!panel()->isPrepared());
    rest();
    QTest::qWait(300);
    QCOMPARE(results.size(), 0);
    QCOMPARE(previews.size(), 0);
    click("applyButton");
    settle();
  }

  // A position that was dropped with its scan must not keep the next scan's work from being done.
  void aDroppedPositionDoesNotStopTheNextScan() {
    start();
    for (int i = 0; i < 20; i++) {
      panel()->setStrength(0.01 * i);
      panel()->cancel();
      panel()->apply();
    }
    settle();
    QTRY_COMPARE_WITH_TIMEOUT(shown(), panel()->strength(), kPatience);
    QVERIFY(!viewer_->host()->lastResult().logits.isEmpty());
  }
};

QTEST_MAIN(ExplainTest)
#include "explain_test.moc"
