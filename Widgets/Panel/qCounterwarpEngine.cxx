#include "qCounterwarpEngine.h"

#include <QMetaObject>

#include "qCounterwarpEngineHeld.h"
#include "qCounterwarpWords.h"

namespace {

const int kMostUnderWay = 2;

}  // namespace

// Of the engine's progress and warnings; nullptr where memory is short.
cw_context *qCounterwarpEngine::openContext() {
  cw_context_options options = cw_context_options();
  options.progress = onProgress;
  options.warn = onWarning;
  options.user = this;
  cw_context *context = nullptr;
  return cw_context_create(&options, &context) == CW_OK ? context : nullptr;
}

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
  if (!any)
    rest();  // the thread may never have seen what was wished for
}

void qCounterwarpEngine::setMaker(const qCounterwarpMaker &maker) {
  wish([&](Wishes &w) { w.maker = maker; });
}

void qCounterwarpEngine::readModel(const QString &file) {
  wish([&](Wishes &w) {
    model_serial_++;
    newScan(w);
    w.model = true;
    w.modelFile = file;
  });
}

void qCounterwarpEngine::clearWork(Wishes &w) {
  w.scan = w.align = w.preview = w.curve = w.settle = w.regions = w.saliency = false;
  moved_ = false;
}

void qCounterwarpEngine::newScan(Wishes &w) {
  scan_serial_++;
  clearWork(w);
  curve_left_ = saliency_left_ = false;
}

void qCounterwarpEngine::align(const qCounterwarpVolumePointer &scan) {
  wish([&](Wishes &w) {
    newScan(w);
    w.scan = w.align = true;
    w.scanData = scan;
  });
}

void qCounterwarpEngine::prepare(const qCounterwarpVolumePointer &scan, const QString &name,
                                 const qCounterwarpAlignment &alignment) {
  wish([&](Wishes &w) {
    newScan(w);
    w.scan = true;
    w.scanData = scan;
    w.scanName = name;
    w.alignment = alignment;
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
    w.curve = w.curve || curve_left_;
    w.saliency = w.saliency || saliency_left_;
    curve_left_ = saliency_left_ = false;
  });
}

void qCounterwarpEngine::setAtlas(const qCounterwarpVolumePointer &atlas, bool of_model) {
  wish([&](Wishes &w) {
    atlas_serial_++;
    w.atlas = atlas;
    w.atlasOfModel = of_model;
    w.regions = static_cast<bool>(atlas);
  });
}

void qCounterwarpEngine::explain(const QString &method) {
  wish([&](Wishes &w) {
    method_serial_++;
    w.method = method;
    w.saliency = !method.isEmpty();
    saliency_left_ = false;
  });
}

void qCounterwarpEngine::cancel() {
  const bool was_busy = busy_;
  wish([&](Wishes &w) {
    const auto stopped = [&](bool Wishes::*wish) { return w.*wish || doing_ == wish; };
    curve_left_ = curve_left_ || stopped(&Wishes::curve);
    saliency_left_ = saliency_left_ || (stopped(&Wishes::saliency) && !w.method.isEmpty());
    w.model = false;
    clearWork(w);
    stop_ = true;
  });
  if (was_busy)
    emit cancelled();
}

void qCounterwarpEngine::forget() {
  wish([&](Wishes &w) {
    newScan(w);
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
  const QString text = qCounterwarpWords::stage(stage);
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

// Waits for a wish and takes the one that comes first: model, scan, position, curve, full resolution, regions,
// saliency.
bool qCounterwarpEngine::next(Wishes &now) {
  std::unique_lock<std::mutex> lock(mutex_);
  doing_ = nullptr;
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
  for (bool Wishes::*wish : {&Wishes::saliency, &Wishes::regions, &Wishes::settle, &Wishes::curve, &Wishes::preview,
                             &Wishes::scan, &Wishes::model})
    if (wishes_.*wish)
      doing_ = wish;
  job_ = {model_serial_, doing_ == &Wishes::model ? -1 : scan_serial_.load(),
          doing_ == &Wishes::regions ? atlas_serial_.load() : -1,
          doing_ == &Wishes::saliency ? method_serial_.load() : -1};
  working_ = true;
  stop_ = false;
  wishes_.*doing_ = false;
  if (doing_ == &Wishes::scan) {
    wishes_.align = false;
    wishes_.scanData.reset();
  } else if (doing_ == &Wishes::preview) {
    moved_ = false;
  }
  return true;
}

void qCounterwarpEngine::run() {
  Held held;
  held.context = openContext();
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
  else if (now.scan && now.align)
    alignNow(held, now.scanData);
  else if (now.scan)
    prepareNow(held, now);
  else if (!held.live)
    return;
  else if (now.preview)
    previewNow(held, now.strength);
  else {
    gives_way_ = true;
    if (now.curve)
      curveNow(held);
    else if (now.settle)
      settleNow(held, now.strength, now.maker);
    else if (now.regions)
      regionsNow(held, now.atlas, now.atlasOfModel);
    else if (now.saliency)
      saliencyNow(held, now.method);
    gives_way_ = false;
  }
}
