// Files for slicer_reads.py: samples FOLDER writes a rotated anisotropic scan and what a simulation makes of it.
#include <cstdio>
#include <string>

#include "counterwarp/nifti.h"
#include "counterwarp/nrrd.h"
#include "Results/fake_model.h"

namespace {

int Write(cw_context *context, const std::string &folder) {
  results_test::FakeModel fake;
  fake.Wave(fake.V, 1.3, 0.4);
  cw_model model = {};
  CW_TRY(fake.Build(context, &model));
  CW_TRY(cw_model_write(context, (folder + "/model.onnx").c_str(), &model));
  const double center[3] = {1, 2, -3};
  const cw_grid grid = results_test::ObliqueGrid(60, 52, 36, 1.1, 1.3, 2.2, 0.35, center);
  cw_volume scan = {};
  CW_TRY(cw_volume_create(context, &grid, 1, &scan));
  results_test::ForEach(grid, [&](size_t at, int, int, int, const double p[3]) {
    scan.data[at] = float(100 + 40 * std::sin(0.11 * p[0] + 0.3) * std::cos(0.09 * p[1]) + 30 * std::sin(0.13 * p[2]));
  });
  cw_simulation s;
  CW_TRY(cw_simulate(context, &model, &scan, nullptr, 1, 1, &s));
  CW_TRY(cw_nifti_write(context, (folder + "/scan.nii.gz").c_str(), &scan, CW_NIFTI_FLOAT32));
  CW_TRY(cw_nifti_write(context, (folder + "/image.nii.gz").c_str(), &s.image, CW_NIFTI_FLOAT32));
  CW_TRY(cw_nifti_write(context, (folder + "/jacobian.nii.gz").c_str(), &s.jacobian, CW_NIFTI_FLOAT32));
  CW_TRY(cw_nifti_write_field(context, (folder + "/field.nii.gz").c_str(), &s.field, CW_FIELD_RAS));
  CW_TRY(cw_nrrd_write_field(context, (folder + "/field.nrrd").c_str(), &s.field));
  std::printf("largest displacement %.2f mm\n", s.largest);
  cw_simulation_free(context, &s);
  cw_volume_free(context, &scan);
  cw_model_free(context, &model);
  return CW_OK;
}

}  // namespace

int main(int count, char **arguments) {
  cw_context *context = nullptr;
  if (count != 2 || cw_context_create(nullptr, &context) != CW_OK)
    return 2;
  const int status = Write(context, arguments[1]);
  if (status != CW_OK)
    std::fprintf(stderr, "%s\n", cw_context_message(context));
  cw_context_free(context);
  return status != CW_OK;
}
