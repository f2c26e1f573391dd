#include "qCounterwarpViewer.h"

#include <QAction>
#include <QApplication>
#include <QDockWidget>
#include <QDropEvent>
#include <QFileDialog>
#include <QFutureWatcher>
#include <QGridLayout>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QScrollArea>
#include <QScrollBar>
#include <QStatusBar>
#include <QtConcurrentRun>
#include <QUrl>

#include "qCounterwarpLegend.h"
#include "qCounterwarpSliceView.h"

qCounterwarpViewer::qCounterwarpViewer(QWidget *parent)
    : QMainWindow(parent),
      scene_(new qCounterwarpScene(this)),
      host_(new qCounterwarpViewerHost(scene_, this)),
      panel_(new qCounterwarpPanel) {
  setWindowTitle(tr("Counterwarp viewer"));
  setAcceptDrops(true);

  auto *center = new QWidget;
  center->setAutoFillBackground(true);
  QPalette dark = center->palette();
  dark.setColor(QPalette::Window, QColor(50, 50, 54));
  center->setPalette(dark);
  auto *grid = new QGridLayout(center);
  grid->setContentsMargins(2, 2, 2, 2);
  grid->setSpacing(2);
  using counterwarp::Plane;
  grid->addWidget(new qCounterwarpSliceView(Plane::axial, scene_), 0, 0);
  grid->addWidget(new qCounterwarpSliceView(Plane::sagittal, scene_), 0, 1);
  grid->addWidget(new qCounterwarpSliceView(Plane::coronal, scene_), 1, 0);
  grid->addWidget(new qCounterwarpLegend(scene_), 1, 1);
  for (int i = 0; i < 2; i++) {
    grid->setRowStretch(i, 1);
    grid->setColumnStretch(i, 1);
  }
  setCentralWidget(center);

  auto *scroll = new QScrollArea;
  scroll->setWidget(panel_);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setMinimumWidth(panel_->minimumSizeHint().width() + scroll->verticalScrollBar()->sizeHint().width());
  auto *dock = new QDockWidget(tr("Counterwarp"));
  dock->setObjectName(QStringLiteral("panel"));
  dock->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetFloatable);
  dock->setWidget(scroll);
  addDockWidget(Qt::RightDockWidgetArea, dock);

  addMenus();
  connect(host_, &qCounterwarpViewerHost::said, this, &qCounterwarpViewer::say);
  connect(host_, &qCounterwarpViewerHost::resultChanged, save_, &QAction::setEnabled);
  connect(host_, &qCounterwarpViewerHost::loadingChanged, this, [this](bool loading) {
    if (loading)
      statusBar()->showMessage(tr("Reading…"));
  });
  panel_->setHost(host_);
  statusBar()->addPermanentWidget(new QLabel(tr("For research use only.")));
}

qCounterwarpViewer::~qCounterwarpViewer() {
  panel_->setHost(nullptr);
}

void qCounterwarpViewer::addMenus() {
  const QString scans = tr("NIfTI images (*.nii *.nii.gz);;All files (*)");
  QMenu *file = menuBar()->addMenu(tr("&File"));
  connect(file->addAction(tr("&Open a scan…")), &QAction::triggered, this, [this, scans] {
    const QString name = QFileDialog::getOpenFileName(this, tr("Open a scan"), QString(), scans);
    if (!name.isEmpty())
      host_->open(name, qCounterwarpViewerHost::Scan);
  });
  file->actions().constLast()->setShortcut(QKeySequence::Open);
  connect(file->addAction(tr("Open an &atlas…")), &QAction::triggered, this, [this, scans] {
    const QString name = QFileDialog::getOpenFileName(this, tr("Open an atlas"), QString(), scans);
    if (!name.isEmpty())
      host_->open(name, qCounterwarpViewerHost::Atlas);
  });
  connect(file->addAction(tr("&Close the scan")), &QAction::triggered, this, [this] { host_->close(panel_->scan()); });
  file->actions().constLast()->setShortcut(QKeySequence::Close);
  file->addSeparator();
  save_ = file->addAction(tr("&Save the results…"));
  save_->setShortcut(QKeySequence::Save);
  save_->setEnabled(false);
  connect(save_, &QAction::triggered, this, [this] {
    const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder for the results"));
    if (!folder.isEmpty())
      saveResults(folder);
  });
  file->addSeparator();
  connect(file->addAction(tr("&Quit")), &QAction::triggered, this, &QWidget::close);
  file->actions().constLast()->setShortcut(QKeySequence::Quit);

  QMenu *view = menuBar()->addMenu(tr("&View"));
  QAction *original = view->addAction(tr("Show the &original"));
  original->setCheckable(true);
  original->setShortcut(QKeySequence(Qt::CTRL | Qt::Key_T));
  connect(original, &QAction::toggled, scene_, &qCounterwarpScene::setOriginal);

  QMenu *help = menuBar()->addMenu(tr("&Help"));
  connect(help->addAction(tr("&About")), &QAction::triggered, this, [this] {
    QMessageBox::about(this, tr("Counterwarp viewer"),
                       tr("Counterwarp %1 warps a scan so that a classifier sees more or less of a disease in it.\n\n"
                          "For research use only.")
                           .arg(QString::fromLatin1(cw_version())));
  });
}

void qCounterwarpViewer::say(const QString &sentence, bool problem) {
  statusBar()->setStyleSheet(problem ? QStringLiteral("QStatusBar { background: #f9dedc; color: #5f1512; }")
                                     : QString());
  statusBar()->showMessage(sentence);
}

void qCounterwarpViewer::openFile(const QString &file) {
  if (qCounterwarpFiles::isModel(file))
    panel_->chooseModel(file);
  else
    host_->open(file, qCounterwarpViewerHost::Scan);
}

void qCounterwarpViewer::saveResults(const QString &folder) {
  const qCounterwarpSaved what = host_->lastResult();
  if (!what.result)
    return;
  struct Done {
    QStringList files;
    QString problem;
  };
  auto *watcher = new QFutureWatcher<Done>(this);
  connect(watcher, &QFutureWatcher<Done>::finished, this, [this, watcher, folder] {
    watcher->deleteLater();
    const Done done = watcher->result();
    if (done.problem.isEmpty())
      say(tr("Saved %n file(s) in %1.", "", done.files.size()).arg(folder), false);
    else
      say(done.problem, true);
    emit saved(done.files);
  });
  say(tr("Saving…"), false);
  watcher->setFuture(QtConcurrent::run([what, folder] {
    Done done;
    done.files = qCounterwarpFiles::save(what, folder, &done.problem);
    return done;
  }));
}

void qCounterwarpViewer::dragEnterEvent(QDragEnterEvent *event) {
  for (const QUrl &url : event->mimeData()->urls())
    if (qCounterwarpFiles::isScan(url.toLocalFile()) || qCounterwarpFiles::isModel(url.toLocalFile()))
      event->acceptProposedAction();
}

void qCounterwarpViewer::dropEvent(QDropEvent *event) {
  for (const QUrl &url : event->mimeData()->urls())
    if (qCounterwarpFiles::isScan(url.toLocalFile()) || qCounterwarpFiles::isModel(url.toLocalFile()))
      openFile(url.toLocalFile());
  event->acceptProposedAction();
}
