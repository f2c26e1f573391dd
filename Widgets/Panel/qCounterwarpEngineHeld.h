// What the engine's thread owns; private to the engine.
#pragma once

#include "counterwarp/live.h"
#include "counterwarp/saliency.h"
#include "qCounterwarpEngine.h"

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
