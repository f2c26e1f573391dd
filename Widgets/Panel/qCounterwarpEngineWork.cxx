// The engine's jobs, one function each; all of it runs in the engine's thread.
#include <algorithm>
#include <cmath>
#include <QFile>
#include <QFileInfo>
#include <QMetaObject>

#include "Pictures/pictures.h"
#include "qCounterwarpAlign.h"
#include "qCounterwarpEngineHeld.h"
#include "qCounterwarpWords.h"

namespace {

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
  result->context = openContext();
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
