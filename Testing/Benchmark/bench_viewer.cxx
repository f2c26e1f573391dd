// The viewer under a drag: bench_viewer MODEL.onnx SCAN.nii.gz ATLAS.nii.gz FOLDER
//
// images: pictures that reached the screen a second while the slider moves all the time; settle: from letting go to
// full resolution on the screen; block: longest time in which the window answered nothing.  Pictures before, during and
// after the drag go to FOLDER.  Wants a display (Testing/Widgets/under_xvfb.sh).
#include <algorithm>
#include <cstdio>
#include <functional>
#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QTimer>

#include "qCounterwarpViewer.h"

namespace {

long resident() {
  long pages = 0, all = 0;
  if (std::FILE *file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &all, &pages) != 2)
      pages = 0;
    std::fclose(file);
  }
  return pages * 4 / 1024;
}

void row(const char *name, double figure, const char *unit) {
  std::printf("%s\t%.4g\t%s\n", name, figure, unit);
  std::fflush(stdout);
}

// Runs the event loop until a condition holds.
void wait(const std::function<bool()> &done, int most = 120000) {
  QElapsedTimer time;
  time.start();
  while (!done() && time.elapsed() < most)
    QCoreApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents, 5);
}

// Counts paints of one widget, and the longest gap between beats of a timer.
class Watch : public QObject {
 public:
  Watch(QWidget *painted) : painted_(painted) {
    painted->installEventFilter(this);
    beat_.setInterval(0);
    connect(&beat_, &QTimer::timeout, this, [this] {
      longest = std::max(longest, since_.nsecsElapsed() * 1e-6);
      since_.start();
    });
    since_.start();
    beat_.start();
  }
  int paints = 0;
  double longest = 0;  // ms

 protected:
  bool eventFilter(QObject *object, QEvent *event) override {
    if (event->type() == QEvent::Paint && object == painted_)
      paints++;
    return false;
  }

 private:
  QWidget *painted_;
  QTimer beat_;
  QElapsedTimer since_;
};

}  // namespace

int main(int count, char **arguments) {
  QApplication application(count, arguments);
  if (count != 5) {
    std::fprintf(stderr, "bench_viewer MODEL.onnx SCAN.nii.gz ATLAS.nii.gz FOLDER\n");
    return 2;
  }
  const QDir folder(QString::fromLocal8Bit(arguments[4]));
  folder.mkpath(QStringLiteral("."));
  qCounterwarpViewer viewer;
  viewer.resize(1280, 980);
  viewer.show();
  const auto picture = [&](const char *name) { viewer.grab().save(folder.filePath(QLatin1String(name))); };
  qCounterwarpPanel *panel = viewer.panel();
  auto *engine = panel->findChild<qCounterwarpEngine *>();
  auto settled = [&] { return panel->isPrepared() && !panel->isBusy() && !viewer.host()->isLoading(); };
  viewer.openFile(QString::fromLocal8Bit(arguments[2]));
  viewer.host()->open(QString::fromLocal8Bit(arguments[3]), qCounterwarpViewerHost::Atlas);
  viewer.openFile(QString::fromLocal8Bit(arguments[1]));
  wait(settled);
  if (!settled()) {
    std::fprintf(stderr, "bench_viewer: the scan was not prepared\n");
    return 1;
  }
  const double hippocampus[3] = {27, 21, -17};
  viewer.scene()->setCenter(hippocampus);
  wait([] { return true; });
  picture("before.png");

  int previews = 0;
  QObject::connect(engine, &qCounterwarpEngine::previewReady, [&] { previews++; });
  QWidget *axial = nullptr;
  for (QWidget *widget : viewer.findChildren<QWidget *>())
    if (widget->accessibleName() == QLatin1String("axial"))
      axial = widget;
  QElapsedTimer time;
  {
    Watch watch(axial);
    QTimer mouse;  // a mouse reports some 125 times a second
    mouse.setInterval(8);
    int moves = 0;
    QObject::connect(&mouse, &QTimer::timeout, [&] { panel->setStrength((++moves % 400 - 200) / 200.0); });
    mouse.start();
    time.start();
    wait([&] { return time.elapsed() > 6000; });
    mouse.stop();
    row("viewer_positions", previews / (time.elapsed() / 1000.0), "1/s");
    row("viewer_images", watch.paints / (time.elapsed() / 1000.0), "1/s");
    row("viewer_block_drag", watch.longest, "ms");
    panel->setStrength(0.83);
    previews = 0;
    wait([&] { return previews > 0; });
  }
  picture("during.png");
  wait(settled);

  double worst = 0;
  Watch watch(axial);
  for (const double strength : {0.4, -0.7, 1.0, -1.0, 1.0}) {
    bool done = false;
    const auto connection = QObject::connect(engine, &qCounterwarpEngine::resultReady, [&] { done = true; });
    panel->setStrength(strength);
    wait([&] { return !engine->isBusy() || viewer.scene()->isPreview(); });
    engine->show(strength, true);  // as letting go of the slider does
    time.start();
    wait([&] { return done; });
    worst = std::max(worst, time.elapsed() / 1000.0);
    QObject::disconnect(connection);
    wait(settled);
  }
  row("viewer_settle", worst, "s");
  row("viewer_block_settle", watch.longest, "ms");
  row("viewer_memory", static_cast<double>(resident()), "MiB");
  picture("after.png");
  return 0;
}
