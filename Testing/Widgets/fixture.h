// Files for the viewer: a scan, an atlas, a model whose fields are known, and files that are none of these.
#pragma once

#include <QDir>
#include <QFile>
#include <QTemporaryDir>

#include "counterwarp/networks.h"
#include "counterwarp/nifti.h"
#include "Results/fake_model.h"

namespace widgets_test {

class Files {
 public:
  Files() {
    cw_context_create(nullptr, &context_);
    writeScan();
    writeModels();
  }
  ~Files() { cw_context_free(context_); }

  QString path(const char *name) const { return QDir(folder_.path()).filePath(QLatin1String(name)); }
  QString folder() const { return folder_.path(); }
  QString scan() const { return path("sub-01_T1w.nii.gz"); }
  QString far_scan() const { return path("elsewhere.nii.gz"); }
  QString atlas() const { return path("atlas.nii.gz"); }
  QString model() const { return path("model.onnx"); }
  // The scan, moved and turned a little; a finer model with the scan as its template; where it must be found.
  QString moved_scan() const { return path("moved.nii.gz"); }
  QString aligned_model() const { return path("aligned.onnx"); }
  cw_affine motion() const {
    const double c = std::cos(0.15), s = std::sin(0.15);
    return {{{c, -s, 0, 12}, {s, c, 0, -9}, {0, 0, 1, 15}}};
  }
  // Taught by the scan's subject; its displacement folds in full injection.
  QString folding_model() const { return path("folding.onnx"); }
  // The scan with axes that are not at right angles.
  QString sheared_scan() const { return path("sheared.nii.gz"); }
  QString classifier() const { return path("classifier.onnx"); }
  QString broken() const { return path("broken.onnx"); }
  bool fine() const { return fine_; }

 private:
  void need(cw_status status) {
    if (status != CW_OK) {
      fine_ = false;
      qWarning("%s", cw_context_message(context_));
    }
  }
  void writeVolume(const QString &file, const cw_volume &volume) {
    need(cw_nifti_write(context_, QFile::encodeName(file).constData(), &volume, CW_NIFTI_FLOAT32));
  }
  // A blob in the middle of the model's box, on an oblique grid of 1.1 mm, and an atlas of two halves of it.
  void writeScan() {
    const double center[3] = {1, 2, -3};
    const cw_grid grid = results_test::ObliqueGrid(96, 88, 80, 1.1, 1.1, 1.3, 0.15, center);
    cw_volume scan = {}, atlas = {};
    need(cw_volume_create(context_, &grid, 1, &scan));
    need(cw_volume_create(context_, &grid, 1, &atlas));
    results_test::ForEach(grid, [&](size_t at, int, int, int, const double p[3]) {
      const double d[3] = {p[0] - center[0], p[1] - center[1], p[2] - center[2]};
      const double head = std::sqrt(d[0] * d[0] / 1.1 + d[1] * d[1] / 1.4 + d[2] * d[2]);
      const double core = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
      scan.data[at] = head > 36 ? 0.0f : core < 12 ? 180.0f : 90.0f + 20.0f * float(std::sin(0.4 * p[0]));
      atlas.data[at] = core < 12 ? (d[0] < 0 ? 1.0f : 2.0f) : head < 36 ? 7.0f : 0.0f;
    });
    writeVolume(scan_name(), scan);
    writeVolume(path("atlas.nii.gz"), atlas);
    QFile table(path("atlas.nii.txt"));
    fine_ = table.open(QIODevice::WriteOnly) && table.write("1 Core_R\n2 Core_L\n7 Shell\n") > 0 && fine_;
    scan.grid.to_world.m[0][3] += 1000;
    writeVolume(path("elsewhere.nii.gz"), scan);
    scan.grid = grid;
    writeAlignedModel(scan);
    for (int r = 0; r < 3; r++)  // some 8 degrees
      scan.grid.to_world.m[r][0] += 0.15 * scan.grid.to_world.m[r][1];
    writeVolume(sheared_scan(), scan);
    const cw_affine motion = this->motion();
    scan.grid.to_world = cw_affine_compose(&motion, &grid.to_world);
    writeVolume(moved_scan(), scan);
    cw_volume_free(context_, &scan);
    cw_volume_free(context_, &atlas);
  }
  void writeAlignedModel(const cw_volume &scan) {
    results_test::FakeModel fake;
    const double center[3] = {1, 2, -3};
    fake.grid = results_test::ObliqueGrid(32, 32, 28, 3.2, 3.2, 3.2, 0, center);
    fake.V.assign(3 * fake.Samples(), 0);
    fake.M.assign(3 * fake.Samples(), 0);
    fake.w.assign(fake.Samples(), 0);
    fake.Shrink(fake.V, 0.12);
    results_test::ForEach(fake.grid, [&](size_t at, int, int, int, const double p[3]) {
      const double d = std::hypot(p[0] - center[0], std::hypot(p[1] - center[1], p[2] - center[2]));
      fake.w[at] = d < 14 ? -0.02f : 0.0f;
    });
    fake.b = 5;
    cw_model model = {};
    need(fake.Build(context_, &model));
    model.template_samples = static_cast<float *>(cw_allocate(context_, fake.Samples(), sizeof(float)));
    need(cw_preprocess(context_, &model.preprocessing, &scan, nullptr, model.template_samples));
    writeModel(aligned_model(), model);
    cw_model_free(context_, &model);
  }
  QString scan_name() const { return scan(); }
  // Injection shrinks what is in the middle by about a tenth a side; removal grows it.  The logit falls with the
  // brightness of the middle.
  void writeModels() {
    results_test::FakeModel fake;
    const double center[3] = {1, 2, -3};
    fake.grid = results_test::ObliqueGrid(16, 14, 12, 4.2, 4.2, 4.8, 0.15, center);
    fake.Shrink(fake.V, 0.12);
    fake.w.resize(fake.Samples());
    results_test::ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
      const double d = std::hypot(i - 7.5, std::hypot(j - 6.5, k - 5.5));
      fake.w[at] = d < 3.5 ? -0.1f : 0.0f;
    });
    fake.b = 11.7f;  // the scan is a control, in full injection a patient
    cw_model model = {};
    need(fake.Build(context_, &model));
    writeModel(this->model(), model);
    cw_model_free(context_, &model);
    fake.field = CW_FIELD_DISPLACEMENT;
    fake.V.assign(fake.V.size(), 0);
    fake.Wave(fake.V, 9, 0.4);
    need(fake.Build(context_, &model));
    need(cw_strings_append(context_, &model.trained_on, "sub-01"));
    writeModel(folding_model(), model);
    cw_model_free(context_, &model);
    model.kind = CW_MODEL_CLASSIFIER;
    const double origin[3] = {0, 0, 0};
    model.preprocessing.grid = cw_grid_cube(32, 3, origin);
    model.preprocessing.normalization = CW_NORMALIZE_PERCENTILE;
    model.preprocessing.high = 99.5;
    need(cw_network_classifier(context_, 32, 1, &model.graph));
    writeModel(classifier(), model);
    cw_model_free(context_, &model);
    QFile broken(this->broken());
    fine_ = broken.open(QIODevice::WriteOnly) && broken.write("not a model") > 0 && fine_;
  }
  void writeModel(const QString &file, const cw_model &model) {
    need(cw_model_write(context_, QFile::encodeName(file).constData(), &model));
  }

  QTemporaryDir folder_;
  cw_context *context_ = nullptr;
  bool fine_ = true;
};

}  // namespace widgets_test
