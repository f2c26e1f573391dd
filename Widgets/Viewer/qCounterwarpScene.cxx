#include "qCounterwarpScene.h"

#include <algorithm>
#include <cmath>

#include "Pictures/pictures.h"

namespace {

cw_volume view(const cw_grid &grid, const std::vector<float> &samples) {
  cw_volume volume = {grid, 1, const_cast<float *>(samples.data())};
  return volume;
}

}  // namespace

void qCounterwarpScene::setScan(const qCounterwarpVolumePointer &scan, double white) {
  scan_ = scan;
  white_ = white;
  scale_ = counterwarp::change_scale({}, 0);
  preview_.reset();
  result_.reset();
  saliency_.reset();
  reference_.reset();
  if (scan) {
    const cw_grid &grid = scan->volume.grid;
    const double middle[3] = {(grid.size[0] - 1) / 2.0, (grid.size[1] - 1) / 2.0, (grid.size[2] - 1) / 2.0};
    cw_affine_apply(&grid.to_world, middle, center_);
  }
  emit changed();
}

void qCounterwarpScene::setPreview(const qCounterwarpPreviewPointer &preview) {
  preview_ = preview;
  if (preview) {
    preview_image_ = view(preview->grid, preview->image);
    preview_log_ = view(preview->grid, preview->logJacobian);
    scale_ = counterwarp::change_scale(preview->logJacobian, scale_);
  }
  emit changed();
}

void qCounterwarpScene::setResult(const qCounterwarpResultPointer &result) {
  result_ = result;
  preview_.reset();
  emit changed();
}

void qCounterwarpScene::setSaliency(const qCounterwarpSaliencyPointer &saliency, const qCounterwarpVerdict &verdict) {
  saliency_ = saliency;
  verdict_ = verdict;
  emit changed();
}

void qCounterwarpScene::setReference(const qCounterwarpVolumePointer &reference) {
  reference_ = reference;
  if (reference) {
    const float *samples = reference->volume.data;
    const double white =
        counterwarp::absolute_quantile({samples, samples + cw_grid_samples(&reference->volume.grid)}, 0.998);
    reference_white_ = white > 0 ? white : 1;
  }
  emit changed();
}

void qCounterwarpScene::clearSimulation() {
  preview_.reset();
  result_.reset();
  saliency_.reset();
  reference_.reset();
  emit changed();
}

void qCounterwarpScene::setOverlay(bool on) {
  overlay_ = on;
  emit changed();
}

void qCounterwarpScene::setOriginal(bool on) {
  original_ = on;
  emit changed();
}

void qCounterwarpScene::setCenter(const double center[3]) {
  std::copy(center, center + 3, center_);
  emit changed();
}

const cw_volume *qCounterwarpScene::image() const {
  if (original_ || reference() || saliency())
    return nullptr;
  return preview_ ? &preview_image_ : result_ ? &result_->simulation.image : nullptr;
}

const cw_volume *qCounterwarpScene::overlay() const {
  if (saliency())
    return &saliency_->map->volume;
  if (!overlay_ || original_ || reference())
    return nullptr;
  return preview_ ? &preview_log_ : result_ ? &result_->simulation.log_jacobian : nullptr;
}
