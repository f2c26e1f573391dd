// The panel: a scan, a model, a slider.  Works in any application that implements qCounterwarpHost.
#pragma once

#include <memory>
#include <QElapsedTimer>
#include <QTimer>
#include <QVariantMap>
#include <QWidget>

#include "qCounterwarpEngine.h"
#include "qCounterwarpHost.h"
#include "qCounterwarpMessages.h"

namespace Ui {
class qCounterwarpPanel;
}
class QComboBox;
class QLabel;
class QLayout;

// Keyboard: Alt and the underlined letters, arrow keys on the slider, Esc cancels.
//
// Limitations: models are simulators of this project; a scan is aligned by an affine, and only where the build has ITK.
class qCounterwarpPanel : public QWidget {
  Q_OBJECT

 public:
  explicit qCounterwarpPanel(QWidget *parent = nullptr);
  ~qCounterwarpPanel() override;

  // The host must outlive the panel, or be taken away with nullptr.
  void setHost(qCounterwarpHost *host);

  QString scan() const { return scan_; }
  QString model() const { return model_; }
  QString atlas() const { return atlas_; }
  double strength() const;
  bool isPrepared() const { return prepared_; }
  // What the next run will use: nullptr where the scan is taken as it lies.
  qCounterwarpAlignment alignment() const;
  // True while something is computed, or about to be.
  bool isBusy() const;

  // Everything the user has chosen, for a scene to keep; restoring it computes nothing until Apply is pressed.
  QVariantMap settings() const;
  void setSettings(const QVariantMap &settings);

  // Puts the host's own chooser in the place of the panel's; it then calls chooseScan or chooseAtlas.
  void replaceScanChooser(QWidget *chooser);
  void replaceAtlasChooser(QWidget *chooser);

 public slots:
  void chooseScan(const QString &id);
  void chooseModel(const QString &file);
  void chooseAtlas(const QString &id);
  void setStrength(double strength);
  void apply();
  void align();
  // A saliency method by its name; "" for none.
  void chooseMethod(const QString &method);
  void chooseSanity(const QString &file);
  void cancel();

 signals:
  void settingsChanged();

 private:
  void say(qCounterwarpMessages::Kind kind, const QString &text);
  qCounterwarpVolumePointer readScan();
  void refreshChoices();
  void fill(QComboBox *box, const qCounterwarpHost::Choices &choices, const QString &current, const QString &none);
  void replace(QLayout *layout, QWidget *box, QWidget *chooser, QLabel *label);
  void letGo();
  void enable();
  void move(bool settle);
  void showLogit(double logit);
  void showTrainedOn(const QString &scan_name);
  void setAlignment(const qCounterwarpAlignment &alignment);
  void showBoard();
  void showVerdict();
  void passAtlas();
  void connectEngine();
  void connectChoices();
  void connectSlider();
  void connectOutputs();
  void onModelRead(const qCounterwarpModelInfo &info);
  void onAligned(const qCounterwarpAlignment &alignment);
  void onPrepared();
  void onPreview(const qCounterwarpPreviewPointer &preview);
  void onCurve(const QVector<double> &strengths, const QVector<double> &logits);
  void onResult(const qCounterwarpResultPointer &result);
  void giveResult();
  void onRegions(const QVector<qCounterwarpRegion> &regions, double strength);
  void onSaliency(const qCounterwarpSaliencyPointer &saliency);
  void onFailed(const QString &sentence);
  void onCancelled();
  void onBusy(bool busy);
  void onProgress(const QString &stage, double fraction);
  void onVolumeRemoved(const QString &id);
  void onVolumeChanged(const QString &id);
  void browse();
  void readModel();

  std::unique_ptr<Ui::qCounterwarpPanel> ui_;
  std::unique_ptr<qCounterwarpMessages> messages_;
  qCounterwarpEngine *engine_;
  qCounterwarpHost *host_ = nullptr;
  QString scan_, model_, atlas_, method_, sanity_, stage_;
  qCounterwarpModelInfo info_;
  qCounterwarpHost::Choices more_models_;
  qCounterwarpResultPointer result_;
  qCounterwarpAlignment alignment_;  // found for this scan and model
  qCounterwarpSaliencyPointer saliency_;
  bool known_ = false;     // the model has been read
  bool reading_ = false;   // it is being read
  bool prepared_ = false;  // the slider works
  double original_ = 0;    // logit of the scan itself
  bool has_original_ = false;
  double shown_strength_ = 0, shown_logit_ = 0;  // of the last preview
  QTimer settle_;
  QElapsedTimer stage_time_;
};
