// What the viewer's three slices show, and where.
#pragma once

#include <QObject>

#include "qCounterwarpData.h"
#include "qCounterwarpSanity.h"

// The scan, the image that stands in for it (a preview or a full result), the change of tissue volume, and the point
// that the slices go through.  No preview or result: the scan itself.
class qCounterwarpScene : public QObject {
  Q_OBJECT

 public:
  using QObject::QObject;

  void setScan(const qCounterwarpVolumePointer &scan, double white);
  void setPreview(const qCounterwarpPreviewPointer &preview);
  void setResult(const qCounterwarpResultPointer &result);
  // In the place of the change of volume; nullptr: none.
  void setSaliency(const qCounterwarpSaliencyPointer &saliency, const qCounterwarpVerdict &verdict);
  // Takes every other square of the slices, over the scan as it is; nullptr: none.
  void setReference(const qCounterwarpVolumePointer &reference);
  // All but the scan.
  void clearSimulation();
  void setOverlay(bool on);
  void setOriginal(bool on);
  void setCenter(const double center[3]);

  const qCounterwarpVolumePointer &scan() const { return scan_; }
  // The image to draw: on the model's grid (then only inside its box), on the scan's, or nullptr for the scan.
  const cw_volume *image() const;
  // What the colours show: a saliency map, or -log J with a factor of -1; nullptr for none.
  const cw_volume *overlay() const;
  double factor() const { return saliency() ? 1 : -1; }
  // |factor * overlay| at the ends of the colours.
  double scale() const { return saliency() ? saliency_->scale : scale_; }
  // The map and the reference that are shown, if they are; while the slider moves, neither is.
  const qCounterwarpSaliency *saliency() const {
    return overlay_ && !reference_ && !preview_ ? saliency_.get() : nullptr;
  }
  const qCounterwarpVerdict &verdict() const { return verdict_; }
  const qCounterwarpVolume *reference() const { return preview_ ? nullptr : reference_.get(); }
  double referenceWhite() const { return reference_white_; }
  bool isPreview() const { return static_cast<bool>(preview_); }
  const double *center() const { return center_; }
  double white() const { return white_; }

 signals:
  void changed();

 private:
  qCounterwarpVolumePointer scan_;
  qCounterwarpPreviewPointer preview_;
  qCounterwarpResultPointer result_;
  qCounterwarpSaliencyPointer saliency_;
  qCounterwarpVerdict verdict_;
  qCounterwarpVolumePointer reference_;
  cw_volume preview_image_ = cw_volume(), preview_log_ = cw_volume();  // views of preview_
  bool overlay_ = true, original_ = false;
  double center_[3] = {0, 0, 0}, white_ = 1, reference_white_ = 1;
  double scale_ = 0.1;  // |log J|: a round change in %, the largest needed since the scan was chosen
};
