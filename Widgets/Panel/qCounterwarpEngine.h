// The panel's worker: one thread that owns the model and the prepared scan, and always works on the newest wish.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <QObject>
#include <thread>

#include "qCounterwarpData.h"

struct cw_live;
struct cw_saliency;

// Lives in the thread of its user (the GUI); every call returns at once and every signal arrives in that thread.
//
// A position of the slider that was not looked at before the next one came is never computed, full resolution gives
// way to a new position, and signals of a scan, model, atlas or method that has been replaced do not arrive.  At most
// two previews are under way to the user, so that a slow display cannot pile them up.
class qCounterwarpEngine : public QObject {
  Q_OBJECT

 public:
  explicit qCounterwarpEngine(QObject *parent = nullptr);
  // Stops at the next progress report, within some tens of milliseconds.
  ~qCounterwarpEngine() override;

  // Of each full resolution from now on; nullptr for none.
  void setMaker(const qCounterwarpMaker &maker);
  // Reads a model; the prepared scan is dropped.
  void readModel(const QString &file);
  // Prepares a scan for the model (which may still be being read).
  void prepare(const qCounterwarpVolumePointer &scan, const QString &name, const qCounterwarpAlignment &alignment);
  // Registers a scan to the model; the prepared scan is dropped.  aligned() follows.
  void align(const qCounterwarpVolumePointer &scan);
  // A position of the slider, -1 .. 1.  settle: at full resolution too (a position that was shown last is not shown
  // again for it).
  void show(double strength, bool settle);
  // Regions of an atlas, on whatever grid, for each full resolution from now on; nullptr for none.  of_model: it lies
  // in the model's space and not in the scan's.
  void setAtlas(const qCounterwarpVolumePointer &atlas, bool of_model);
  // The map of a saliency method for each prepared scan from now on; "" for none.
  void explain(const QString &method);
  // Stops what is under way; a prepared scan stays, and the next position brings the curve and the map that were
  // stopped.  cancelled() follows if there was anything to stop.
  void cancel();
  // Forgets the scan: nothing of it is computed or arrives from now on.
  void forget();
  bool isBusy() const { return busy_; }

 signals:
  void modelRead(const qCounterwarpModelInfo &info);
  void aligned(const qCounterwarpAlignment &alignment);
  void prepared();
  void previewReady(const qCounterwarpPreviewPointer &preview);
  void curveReady(const QVector<double> &strengths, const QVector<double> &logits);
  void resultReady(const qCounterwarpResultPointer &result);
  // strength: of the full resolution that they are of, which is an older one where a newer was cancelled.
  void regionsReady(const QVector<qCounterwarpRegion> &regions, double strength);
  void saliencyReady(const qCounterwarpSaliencyPointer &saliency);
  // One sentence each.
  void warned(const QString &sentence);
  void failed(const QString &sentence);
  void cancelled();
  void busyChanged(bool busy);
  void progressed(const QString &stage, double fraction);

 private:
  // What is wished for and not yet begun.
  struct Wishes {
    bool model = false, scan = false, align = false, preview = false, curve = false, settle = false, regions = false,
         saliency = false;
    QString modelFile, scanName, method;
    qCounterwarpVolumePointer scanData, atlas;
    qCounterwarpAlignment alignment;
    qCounterwarpMaker maker;
    bool atlasOfModel = false;
    double strength = 0;
    bool any() const { return model || scan || preview || curve || settle || regions || saliency; }
  };
  struct Held;  // the thread's own: context, model, prepared scan, last result

  cw_context *openContext();
  void run();
  void work(Held &held, Wishes &now);
  bool next(Wishes &now);
  void readModelNow(Held &held, const QString &file);
  void alignNow(Held &held, const qCounterwarpVolumePointer &scan);
  void prepareNow(Held &held, const Wishes &now);
  void previewNow(Held &held, double strength);
  void curveNow(Held &held);
  void settleNow(Held &held, double strength, const qCounterwarpMaker &maker);
  void regionsNow(Held &held, const qCounterwarpVolumePointer &atlas, bool of_model);
  void saliencyNow(Held &held, const QString &method);
  cw_status planSaliency(Held &held, const QString &method);
  // Passes a status on: true if fine; failures are told, interruptions are not.
  bool fine(cw_context *context, cw_status status);
  bool interrupted() const;
  static bool onProgress(void *user, const char *stage, double fraction);
  static void onWarning(void *user, const char *sentence);
  // Runs in the user's thread, unless what the job depends on was replaced meanwhile.
  void post(const std::function<void()> &call);
  void wish(const std::function<void(Wishes &)> &change);
  // Drops the wishes about a scan.
  void clearWork(Wishes &wishes);
  // As well as what was stopped of the scan.
  void newScan(Wishes &wishes);
  // Asks again for what gave way to a move of the slider; false if that is not why it stopped.
  bool again(cw_status status, bool Wishes::*wish);
  // Tells the user that nothing is left to do, if that is so.
  void rest();

  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Wishes wishes_;
  bool quit_ = false;
  std::atomic<int> under_way_{0};  // previews on their way to the user
  // Of what a job depends on, -1 where it does not: what belongs to an older one is dropped.
  struct Serial {
    int model, scan, atlas, method;
  };
  bool current(const Serial &serial) const {
    const auto same = [](int its, const std::atomic<int> &newest) { return its < 0 || its == newest; };
    return same(serial.model, model_serial_) && same(serial.scan, scan_serial_) && same(serial.atlas, atlas_serial_) &&
           same(serial.method, method_serial_);
  }
  std::atomic<int> model_serial_{0}, scan_serial_{0}, atlas_serial_{0}, method_serial_{0};
  Serial job_{0, -1, -1, -1};       // of the job under way; the thread's own
  std::atomic<bool> stop_{false};   // stops the job under way
  std::atomic<bool> moved_{false};  // a newer position is wished for
  bool gives_way_ = false;          // the job under way stops for it; the thread's own
  QString told_stage_;              // progress told last; the thread's own
  std::chrono::steady_clock::time_point told_;
  bool working_ = false;                             // a job is under way; guarded by mutex_
  bool Wishes::*doing_ = nullptr;                    // what it does; guarded by mutex_
  bool curve_left_ = false, saliency_left_ = false;  // stopped by cancel(); guarded by mutex_
  bool busy_ = false;                                // as the user knows it
};
