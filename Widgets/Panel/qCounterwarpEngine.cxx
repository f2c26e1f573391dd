#include "qCounterwarpEngine.h"

#include <algorithm>
#include <cmath>
#include <QFile>
#include <QFileInfo>
#include <QMetaObject>

#include "counterwarp/live.h"
#include "counterwarp/saliency.h"
#include "Pictures/pictures.h"
#include "qCounterwarpAlign.h"
#include "qCounterwarpWords.h"

struct qCounterwarpEngine::Held {
  cw_context *context = nullptr;
  cw_model model = cw_model();
  bool has_model = false;
  QString file;
  cw_graph *classifier = nullptr;   // of the model; nullptr where it cannot be taken out
  cw_saliency *saliency = nullptr;  // plan of `method`
  QString method;
  qCounterwarpVolumePointer scan;
  qCounterwarpAlignment alignment;
  cw_live *live = nullptr;
  // Giving back a result's memory takes tens of milliseconds: the one before is kept until the user has let go of it.
  qCounterwarpResultPointer result, retired;

  void dropScan() {
    cw_live_free(context, live);
    live = nullptr;
    scan.reset();
    alignment.reset();
    retired = result;
    result.reset();
  }
  void dropSaliency() {
    if (saliency)
      cw_saliency_free(context, saliency);
    saliency = nullptr;
    method.clear();
  }
  void dropModel() {
    dropScan();
    dropSaliency();
    if (classifier)
      cw_graph_free(context, classifier);
    classifier = nullptr;
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

// What of the model can be explained by saliency; nothing where its classifier cannot be taken out.
void describeClassifier(cw_context *context, const cw_model &model, cw_graph **classifier,
                        qCounterwarpModelInfo &info) {
  if (cw_model_classifier(context, &model, classifier) != CW_OK)
    return;
  char text[17];
  cw_graph_fingerprint(*classifier, text);
  info.classifier = QString::fromLatin1(text);
  cw_saliency_request request;
  for (int i = 0; const char *name = cw_saliency_usual(i); i++)
    if (cw_saliency_parse(context, name, &request) == CW_OK &&
        cw_saliency_check(context, *classifier, &request) == CW_OK) {
      char full[64];
      cw_saliency_name(&request, full);
      info.methods << QString::fromLatin1(full);
    }
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
  held.file = file;
  qCounterwarpModelInfo info = qCounterwarpWords::describe(held.model, file);
  describeClassifier(held.context, held.model, &held.classifier, info);
  if (held.model.template_samples) {
    const std::shared_ptr<qCounterwarpVolume> reference = qCounterwarpVolume::create(info.grid);
    if (reference)
      std::copy_n(held.model.template_samples, cw_grid_samples(&info.grid), reference->volume.data);
    info.reference = reference;
  }
  post([this, info] { emit modelRead(info); });
}

void qCounterwarpEngine::alignNow(Held &held, const qCounterwarpVolumePointer &scan) {
  held.dropScan();
  if (!scan || !held.has_model)
    return;
  cw_affine found;
  std::string problem;
  const auto progress = [this](double fraction) {
    return onProgress(this, "aligning the scan to the model", fraction);
  };
  if (qCounterwarpAlign::run(QFile::encodeName(held.file).toStdString(), scan->volume, progress, &found, &problem)) {
    const qCounterwarpAlignment alignment = std::make_shared<const cw_affine>(found);
    post([this, alignment] { emit aligned(alignment); });
  } else if (!problem.empty()) {
    const QString sentence = qCounterwarpWords::failure(problem.c_str());
    post([this, sentence] { emit failed(sentence); });
  }
}

void qCounterwarpEngine::prepareNow(Held &held, const Wishes &now) {
  held.dropScan();
  if (!now.scanData || !held.has_model)
    return;
  if (!fine(held.context,
            cw_live_create(held.context, &held.model, &now.scanData->volume, now.alignment.get(), &held.live)))
    return;
  held.scan = now.scanData;
  held.alignment = now.alignment;
  if (held.model.template_samples)
    cw_preprocess_inspect(held.context, &held.model.preprocessing, cw_live_input(held.live),
                          held.model.template_samples, now.scanName.toUtf8().constData());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (current(job_)) {
      wishes_.curve = true;
      wishes_.saliency = !wishes_.method.isEmpty();
    }
  }
  post([this] { emit prepared(); });
}

void qCounterwarpEngine::previewNow(Held &held, double strength) {
  const auto preview = std::make_shared<qCounterwarpPreview>();
  preview->grid = held.model.preprocessing.grid;
  if (held.alignment)  // where it lies in the scan's space
    preview->grid.to_world = cw_affine_compose(held.alignment.get(), &preview->grid.to_world);
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

bool qCounterwarpEngine::again(cw_status status, bool Wishes::*wish) {
  const std::lock_guard<std::mutex> lock(mutex_);  // what stopped it may just be coming
  if (status != CW_ERROR_CANCELLED || stop_ || !current(job_))
    return false;
  wishes_.*wish = true;  // goes on when the slider rests
  return true;
}

void qCounterwarpEngine::curveNow(Held &held) {
  double strength[CW_CURVE_POINTS], logit[CW_CURVE_POINTS];
  const cw_status status = cw_live_curve(held.context, held.live, strength, logit);
  if (again(status, &Wishes::curve) || !fine(held.context, status))
    return;
  QVector<double> strengths, logits;
  for (int i = 0; i < CW_CURVE_POINTS; i++) {
    strengths << strength[i];
    logits << logit[i];
  }
  post([this, strengths, logits] { emit curveReady(strengths, logits); });
}

void qCounterwarpEngine::settleNow(Held &held, double strength, const qCounterwarpMaker &maker) {
  const auto result = std::make_shared<qCounterwarpResult>();
  result->strength = strength;
  result->context = openContext(onProgress, onWarning, this);
  if (!result->context)
    return;
  if (!fine(result->context, cw_live_simulate(result->context, held.live, strength, &result->simulation)))
    return;
  if (maker)
    result->made = maker(result->simulation);
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

void qCounterwarpEngine::regionsNow(Held &held, const qCounterwarpVolumePointer &atlas, bool of_model) {
  if (!atlas || !held.result)
    return;
  const cw_simulation &s = held.result->simulation;
  cw_context *context = held.context;
  cw_volume on_scan = cw_volume();
  cw_status status = cw_volume_create(context, &s.field.grid, 1, &on_scan);
  cw_affine to_model = cw_affine_identity();
  if (status == CW_OK && of_model && held.alignment)
    status = cw_affine_invert(context, held.alignment.get(), &to_model);
  if (status == CW_OK)
    status = cw_volume_resample_labels(context, &atlas->volume, &to_model, &on_scan);
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
  const double strength = held.result->strength;
  post([this, list, strength] { emit regionsReady(list, strength); });
}

cw_status qCounterwarpEngine::planSaliency(Held &held, const QString &method) {
  if (held.saliency && held.method == method)
    return CW_OK;
  held.dropSaliency();
  cw_saliency_request request;
  cw_status status = cw_saliency_parse(held.context, method.toUtf8().constData(), &request);
  request.seed = 1;
  if (status == CW_OK)
    status = cw_saliency_create(held.context, held.classifier, &request, 1, &held.saliency);
  if (status == CW_OK)
    held.method = method;
  return status;
}

void qCounterwarpEngine::saliencyNow(Held &held, const QString &method) {
  if (!held.classifier)
    return;
  const cw_grid &grid = held.model.preprocessing.grid;
  const auto made = std::make_shared<qCounterwarpSaliency>();
  made->method = method;
  const std::shared_ptr<qCounterwarpVolume> own = qCounterwarpVolume::create(grid),
                                            map = qCounterwarpVolume::create(held.scan->volume.grid);
  cw_saliency_note note = cw_saliency_note();
  cw_status status = own && map ? planSaliency(held, method) : CW_ERROR_MEMORY;
  if (status == CW_OK)
    status =
        cw_saliency_maps(held.context, held.saliency, cw_live_input(held.live), {0, false}, &own->volume.data, &note);
  cw_affine to_model = cw_affine_identity();
  if (status == CW_OK && held.alignment)
    status = cw_affine_invert(held.context, held.alignment.get(), &to_model);
  if (status == CW_OK && note.finite)
    status = cw_volume_resample(held.context, &own->volume, &to_model, &map->volume);
  if (again(status, &Wishes::saliency) || !fine(own && map ? held.context : nullptr, status))
    return;
  made->map = map;
  made->problem = note.reason[0] ? qCounterwarpWords::failure(note.reason) : QString();
  const float *samples = own->volume.data;
  const double largest = counterwarp::absolute_quantile({samples, samples + cw_grid_samples(&grid)}, 0.999);
  made->scale = largest > 0 ? largest : 1;
  const qCounterwarpSaliencyPointer pointer = made;
  post([this, pointer] { emit saliencyReady(pointer); });
}
