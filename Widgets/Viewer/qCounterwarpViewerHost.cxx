#include "qCounterwarpViewerHost.h"

#include <QDir>
#include <QFileInfo>
#include <QFutureWatcher>
#include <QtConcurrentRun>

qCounterwarpViewerHost::qCounterwarpViewerHost(qCounterwarpScene *scene, QObject *parent)
    : qCounterwarpHost(parent), scene_(scene) {}

void qCounterwarpViewerHost::setDemoFolder(const QString &folder) {
  demo_ = folder;
  emit choicesChanged();
}

// ---- files ----

void qCounterwarpViewerHost::open(const QString &file, Role role) {
  const QString path = QFileInfo(file).absoluteFilePath();
  if (find(path)) {
    if (role == Scan)
      emit chooseScan(path);
    else
      emit chooseAtlas(path);
    return;
  }
  auto *watcher = new QFutureWatcher<qCounterwarpLoaded>(this);
  connect(watcher, &QFutureWatcher<qCounterwarpLoaded>::finished, this, [this, watcher, role] {
    watcher->deleteLater();
    if (--loading_ == 0)
      emit loadingChanged(false);
    opened(watcher->result(), role);
  });
  if (loading_++ == 0)
    emit loadingChanged(true);
  watcher->setFuture(QtConcurrent::run(qCounterwarpFiles::load, path));
}

void qCounterwarpViewerHost::opened(const qCounterwarpLoaded &loaded, Role role) {
  if (!loaded.volume) {
    emit said(loaded.problem, true);
    return;
  }
  if (!find(loaded.file))
    volumes_ << loaded;
  emit choicesChanged();
  emit said(loaded.warnings.isEmpty() ? tr("Opened %1.").arg(loaded.name) : loaded.warnings.join(QLatin1Char(' ')),
            false);
  if (role == Scan)
    emit chooseScan(loaded.file);
  else
    emit chooseAtlas(loaded.file);
}

void qCounterwarpViewerHost::close(const QString &id) {
  for (int i = 0; i < volumes_.size(); i++)
    if (volumes_[i].file == id) {
      if (scene_->scan() == volumes_[i].volume)
        scene_->setScan(nullptr, 1);
      volumes_.remove(i);
      emit volumeRemoved(id);
      emit choicesChanged();
      return;
    }
}

const qCounterwarpLoaded *qCounterwarpViewerHost::find(const QString &id) const {
  for (const qCounterwarpLoaded &loaded : volumes_)
    if (loaded.file == id)
      return &loaded;
  return nullptr;
}

bool qCounterwarpViewerHost::hasDemo() const {
  return !demo_.isEmpty() && QFileInfo::exists(QDir(demo_).filePath(QStringLiteral("model.onnx"))) &&
         QFileInfo::exists(QDir(demo_).filePath(QStringLiteral("brain.nii.gz")));
}

void qCounterwarpViewerHost::openDemo() {
  const QDir folder(demo_);
  emit chooseModel(folder.filePath(QStringLiteral("model.onnx")));
  open(folder.filePath(QStringLiteral("brain.nii.gz")), Scan);
  const QString atlas = folder.filePath(QStringLiteral("atlas.nii.gz"));
  if (QFileInfo::exists(atlas))
    open(atlas, Atlas);
}

// ---- what the panel asks ----

qCounterwarpHost::Choices qCounterwarpViewerHost::scans() const {
  Choices choices;
  for (const qCounterwarpLoaded &loaded : volumes_)
    choices << qMakePair(loaded.file, loaded.name);
  return choices;
}

qCounterwarpHost::Choices qCounterwarpViewerHost::models() const {
  Choices choices;
  if (hasDemo())
    choices << qMakePair(QDir(demo_).filePath(QStringLiteral("model.onnx")), tr("Demo: hippocampi (32 × 32 × 32)"));
  return choices;
}

qCounterwarpVolumePointer qCounterwarpViewerHost::volume(const QString &id, QString *problem) {
  const qCounterwarpLoaded *loaded = find(id);
  if (!loaded)
    *problem = tr("The volume is no longer open.");
  return loaded ? loaded->volume : nullptr;
}

QString qCounterwarpViewerHost::regionName(const QString &atlas, int label) const {
  const qCounterwarpLoaded *loaded = find(atlas);
  return loaded && loaded->labels.contains(label) ? loaded->labels[label] : tr("label %1").arg(label);
}

// ---- what the panel shows ----

void qCounterwarpViewerHost::scanChosen(const QString &id) {
  const qCounterwarpLoaded *loaded = find(id);
  scene_->setScan(loaded ? loaded->volume : nullptr, loaded ? loaded->white : 1);
}

void qCounterwarpViewerHost::prepared(const QString &, const qCounterwarpOrigin &origin) {
  last_.origin = origin;
}

void qCounterwarpViewerHost::showPreview(const QString &, const qCounterwarpPreviewPointer &preview) {
  scene_->setPreview(preview);
}

void qCounterwarpViewerHost::showResult(const QString &scan, const qCounterwarpResultPointer &result,
                                        const qCounterwarpOutputs &outputs) {
  const qCounterwarpLoaded *loaded = find(scan);
  last_.scan = loaded ? loaded->name : QStringLiteral("scan");
  last_.scanFile = scan;
  if (last_.result != result)  // else only other outputs are wanted of it
    last_.regions.clear();
  last_.result = result;
  last_.outputs = outputs;
  scene_->setResult(result);
  emit resultChanged(true);
}

void qCounterwarpViewerHost::showCurve(const QString &, const QVector<double> &strengths,
                                       const QVector<double> &logits) {
  last_.strengths = strengths;
  last_.logits = logits;
}

void qCounterwarpViewerHost::showRegions(const QString &, const QString &atlas,
                                         const QVector<qCounterwarpRegion> &regions) {
  last_.regions = regions;
  last_.names.clear();
  for (const qCounterwarpRegion &region : regions)
    last_.names << regionName(atlas, region.label);
}

void qCounterwarpViewerHost::showOverlay(bool on) {
  scene_->setOverlay(on);
}

void qCounterwarpViewerHost::showSaliency(const QString &, const qCounterwarpSaliencyPointer &saliency,
                                          const qCounterwarpVerdict &verdict) {
  last_.saliency = saliency;
  last_.verdict = verdict;
  scene_->setSaliency(saliency, verdict);
}

void qCounterwarpViewerHost::showReference(const QString &, const qCounterwarpVolumePointer &reference) {
  scene_->setReference(reference);
}

void qCounterwarpViewerHost::endPreview() {
  last_ = qCounterwarpSaved();
  scene_->clearSimulation();
  emit resultChanged(false);
}
