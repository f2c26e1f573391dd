#include "qCounterwarpEngine.h"

#include <QFile>
#include <QFileInfo>
#include <QMetaObject>

#include "counterwarp/live.h"
#include "qCounterwarpWords.h"

struct qCounterwarpEngine::Held {
  cw_context *context = nullptr;
  cw_model model = cw_model();
  bool has_model = false;
  qCounterwarpVolumePointer scan;
  cw_live *live = nullptr;
  // Giving back a result's memory takes tens of milliseconds: the one before is kept until the user has let go of it.
  qCounterwarpResultPointer result, retired;

  void dropScan() {
    cw_live_free(context, live);
    live = nullptr;
    scan.reset();
    retired = result;
    result.reset();
  }
  void dropModel() {
    dropScan();
    if (has_model)
      cw_model_free(context, &model);
    has_model = false;
  }
};

namespace {

const int kMostUnderWay = 2;

cw_context *openContext(bool (*progress)(void *, const char *, double), void (*warn)(void *, const char *),
                        void *user) {
  cw_context_options options = cw_context_options();
  options.progress = progress;
  options.warn = warn;
  options.user = user;
  cw_context *context = nullptr;
  return cw_context_create(&options, &context) == CW_OK ? context : nullptr;
}

}  // namespace

qCounterwarpEngine::qCounterwarpEngine(QObject *parent) : QObject(parent) {
  thread_ = std::thread([this] { run(); });
}

qCounterwarpEngine::~qCounterwarpEngine() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    quit_ = true;
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

// ---- wishes, from the user's thread ----

void qCounterwarpEngine::wish(const std::function<void(Wishes &)> &change) {
  bool any;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    change(wishes_);
    any = wishes_.any();
  }
  if (any && !busy_) {
    busy_ = true;
    emit busyChanged(true);
  }
  wake_.notify_all();
}

void qCounterwarpEngine::readModel(const QString &file) {
  wish([&](Wishes &w) {
    model_serial_++;
    scan_serial_++;
    w.clearWork();
    w.model = true;
    w.modelFile = file;
  });
}

void qCounterwarpEngine::prepare(const qCounterwarpVolumePointer &scan, const QString &name) {
  wish([&](Wishes &w) {
    scan_serial_++;
    w.clearWork();
    w.scan = true;
    w.scanData = scan;
    w.scanName = name;
  });
}

void qCounterwarpEngine::show(double strength, bool settle) {
  wish([&](Wishes &w) {
    if (!settle || strength != w.strength) {
      w.preview = true;
      w.strength = strength;
      w.regions = false;
      moved_ = true;
    }
    w.settle = settle;
  });
}

void qCounterwarpEngine::setAtlas(const qCounterwarpVolumePointer &atlas) {
  wish([&](Wishes &w) {
    w.atlas = atlas;
    w.regions = static_cast<bool>(atlas);
  });
}

void qCounterwarpEngine::cancel() {
  wish([&](Wishes &w) {
    w.model = false;
    w.clearWork();
    stop_ = true;
  });
  if (busy_)
    emit cancelled();
  rest();
}

void qCounterwarpEngine::forget() {
  wish([&](Wishes &w) {
    scan_serial_++;
    w.clearWork();
    w.scan = true;  // of nothing
    w.scanData.reset();
  });
}

void qCounterwarpEngine::rest() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (working_ || wishes_.any())
      return;
  }
  if (!busy_)
    return;
  busy_ = false;
  emit busyChanged(false);
}

// ---- the thread ----

bool qCounterwarpEngine::interrupted() const {
  return stop_ || !current(job_) || (gives_way_ && moved_);
}

bool qCounterwarpEngine::onProgress(void *user, const char *stage, double fraction) {
  auto *self = static_cast<qCounterwarpEngine *>(user);
  if (self->interrupted())
    return false;
  const auto now = std::chrono::steady_clock::now();
  const QString text = QString::fromUtf8(stage);
  if (text == self->told_stage_ && fraction < 1 && now - self->told_ < std::chrono::milliseconds(30))
    return true;  // the library reports more often than anyone can look
  self->told_stage_ = text;
  self->told_ = now;
  self->post([self, text, fraction] { emit self->progressed(text, fraction); });
  return true;
}

void qCounterwarpEngine::onWarning(void *user, const char *sentence) {
  auto *self = static_cast<qCounterwarpEngine *>(user);
  const QString text = QString::fromUtf8(sentence);
  self->post([self, text] { emit self->warned(text); });
}

void qCounterwarpEngine::post(const std::function<void()> &call) {
  const Serial serial = job_;
  QMetaObject::invokeMethod(
      this,
      [this, serial, call] {
        if (current(serial))
          call();
      },
      Qt::QueuedConnection);
}

bool qCounterwarpEngine::fine(cw_context *context, cw_status status) {
  if (status == CW_OK)
    return true;
  if (status != CW_ERROR_CANCELLED) {
    const QString sentence = qCounterwarpWords::failure(context ? cw_context_message(context) : "");
    post([this, sentence] { emit failed(sentence); });
  }
  return false;
}

// Waits for a wish and takes the one that comes first: model, scan, position, curve, full resolution, regions.
bool qCounterwarpEngine::next(Wishes &now) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (quit_)
      return false;
    const bool may_preview = under_way_ < kMostUnderWay;
    if (wishes_.model || wishes_.scan || (wishes_.preview && may_preview) || (!wishes_.preview && wishes_.any()))
      break;
    if (working_ && !wishes_.any()) {
      working_ = false;
      QMetaObject::invokeMethod(
          this, [this] { rest(); }, Qt::QueuedConnection);
    }
    wake_.wait(lock);
  }
  now = wishes_;
  job_ = {model_serial_, now.model ? -1 : scan_serial_.load()};
  working_ = true;
  stop_ = false;
  if (wishes_.model)
    wishes_.model = false;
  else if (wishes_.scan) {
    wishes_.scan = false;
    wishes_.scanData.reset();
  } else if (wishes_.preview) {
    wishes_.preview = false;
    moved_ = false;
  } else if (wishes_.curve)
    wishes_.curve = false;
  else if (wishes_.settle)
    wishes_.settle = false;
  else
    wishes_.regions = false;
  return true;
}

void qCounterwarpEngine::run() {
  Held held;
  held.context = openContext(onProgress, onWarning, this);
  Wishes now;
  while (next(now))
    work(held, now);
  if (held.context) {
    held.dropModel();
    cw_context_free(held.context);
  }
}

void qCounterwarpEngine::work(Held &held, Wishes &now) {
  if (!held.context)
    return;
  held.retired.reset();
  if (now.model)
    readModelNow(held, now.modelFile);
  else if (now.scan)
    prepareNow(held, now.scanData, now.scanName);
  else if (!held.live)
    return;
  else if (now.preview)
    previewNow(held, now.strength);
  else {
    gives_way_ = true;
    if (now.curve)
      curveNow(held);
    else if (now.settle)
      settleNow(held, now.strength);
    else if (now.regions)
      regionsNow(held, now.atlas);
    gives_way_ = false;
  }
}

void qCounterwarpEngine::readModelNow(Held &held, const QString &file) {
  held.dropModel();
  cw_model model = cw_model();
  if (!fine(held.context, cw_model_read(held.context, QFile::encodeName(file).constData(), &model)))
    return;
  if (model.kind != CW_MODEL_SIMULATOR) {
    cw_model_free(held.context, &model);
    const QString sentence = tr("%1 is a classifier. Choose the simulator that was trained for it "
                                "(counterwarp train-simulator).")
                                 .arg(QFileInfo(file).fileName());
    post([this, sentence] { emit failed(sentence); });
    return;
  }
  held.model = model;
  held.has_model = true;
  const qCounterwarpModelInfo info = qCounterwarpWords::describe(held.model, file);
  post([this, info] { emit modelRead(info); });
}

void qCounterwarpEngine::prepareNow(Held &held, const qCounterwarpVolumePointer &scan, const QString &name) {
  held.dropScan();
  if (!scan || !held.has_model)
    return;
  if (!fine(held.context, cw_live_create(held.context, &held.model, &scan->volume, nullptr, &held.live)))
    return;
  held.scan = scan;
  if (held.model.template_samples)
    cw_preprocess_inspect(held.context, &held.model.preprocessing, cw_live_input(held.live),
                          held.model.template_samples, name.toUtf8().constData());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (current(job_))
      wishes_.curve = true;
  }
  post([this] { emit prepared(); });
}

void qCounterwarpEngine::previewNow(Held &held, double strength) {
  const auto preview = std::make_shared<qCounterwarpPreview>();
  preview->grid = held.model.preprocessing.grid;
  preview->strength = strength;
  const size_t samples = cw_grid_samples(&preview->grid);
  preview->image.resize(samples);
  preview->logJacobian.resize(samples);
  if (!fine(held.context, cw_live_preview(held.context, held.live, strength, preview->image.data(),
                                          preview->logJacobian.data(), &preview->logit)))
    return;
  const Serial serial = job_;
  under_way_++;
  QMetaObject::invokeMethod(
      this,
      [this, serial, preview] {
        if (current(serial))
          emit previewReady(preview);
        {
          const std::lock_guard<std::mutex> lock(mutex_);
          under_way_--;
        }
        wake_.notify_all();
      },
      Qt::QueuedConnection);
}

void qCounterwarpEngine::curveNow(Held &held) {
  double strength[CW_CURVE_POINTS], logit[CW_CURVE_POINTS];
  const cw_status status = cw_live_curve(held.context, held.live, strength, logit);
  if (status == CW_ERROR_CANCELLED && !stop_ && current(job_)) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wishes_.curve = true;  // goes on when the slider rests
    return;
  }
  if (!fine(held.context, status))
    return;
  QVector<double> strengths, logits;
  for (int i = 0; i < CW_CURVE_POINTS; i++) {
    strengths << strength[i];
    logits << logit[i];
  }
  post([this, strengths, logits] { emit curveReady(strengths, logits); });
}

void qCounterwarpEngine::settleNow(Held &held, double strength) {
  const auto result = std::make_shared<qCounterwarpResult>();
  result->strength = strength;
  result->context = openContext(onProgress, onWarning, this);
  if (!result->context)
    return;
  if (!fine(result->context, cw_live_simulate(result->context, held.live, strength, &result->simulation)))
    return;
  held.retired = held.result;
  held.result = result;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (wishes_.atlas && current(job_) && !moved_)
      wishes_.regions = true;
  }
  const qCounterwarpResultPointer pointer = result;
  post([this, pointer] { emit resultReady(pointer); });
}

void qCounterwarpEngine::regionsNow(Held &held, const qCounterwarpVolumePointer &atlas) {
  if (!atlas || !held.result)
    return;
  const cw_simulation &s = held.result->simulation;
  cw_context *context = held.context;
  cw_volume on_scan = cw_volume();
  cw_status status = cw_volume_create(context, &s.field.grid, 1, &on_scan);
  if (status == CW_OK)
    status = cw_volume_resample_labels(context, &atlas->volume, nullptr, &on_scan);
  if (status == CW_OK)
    status = cw_progress(context, "regions", 0.3);
  cw_region *regions = nullptr;
  int count = 0;
  if (status == CW_OK)
    status = cw_region_changes(context, &on_scan, &s.field, &s.jacobian, 10, &regions, &count);
  cw_volume_free(context, &on_scan);
  if (!fine(context, status))
    return;
  QVector<qCounterwarpRegion> list;
  for (int i = 0; i < count; i++) {
    const qCounterwarpRegion region = {regions[i].label, regions[i].change,
                                       static_cast<qulonglong>(regions[i].voxels_before)};
    list << region;
  }
  cw_release(context, regions);
  post([this, list] { emit regionsReady(list); });
}
