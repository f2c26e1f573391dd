// counterwarp jacobian: the Jacobian determinant of a displacement field of any tool.
#include <algorithm>
#include <cmath>
#include <limits>

#include "counterwarp/warp.h"
#include "scans.h"
#include "wording.h"

namespace program {

void run_jacobian(Context &context, const JacobianRequest &request) {
  if (!is_nifti_name(request.out))
    throw Failure("--out " + request.out + ": the name must end in .nii or .nii.gz.", exit_usage);
  need_file(request.field, "the displacement field");
  Volume field(context), jacobian(context);
  context.check(cw_nifti_read_field(context, request.field.c_str(), field.get()));
  size_t folded = 0;
  context.check(cw_volume_jacobian(context, field.get(), request.log_of, jacobian.get(), &folded), request.field);
  const size_t samples = cw_grid_samples(&jacobian->grid);
  const auto [low, high] = std::minmax_element(jacobian->data, jacobian->data + samples);
  make_folder_of(request.out);
  const Path side_car = Path(request.out).parent_path() / (stem_of(request.out) + ".json");
  remove_file(side_car);  // it comes last: where it stands, the image is its own
  context.check(cw_nifti_write(context, request.out.c_str(), jacobian.get(), CW_NIFTI_FLOAT32));
  Json json;
  json["about"] = "Jacobian determinant of a displacement field, by counterwarp. For research use only.";
  json["field"] = Path(request.field).filename().string();
  json["quantity"] = request.log_of ? "log of det(I + du/dx)" : "det(I + du/dx)";
  json["sign"] = sign_text;
  json["smallest"] = *low;
  json["largest"] = *high;
  json["folded_voxels"] = folded;
  json["versions"] = {{"counterwarp", cw_version()}};
  write_json(side_car, json);
  context.say("Wrote " + request.out + ": from " + number(*low, 4) + " to " + number(*high, 4) + ", " +
              std::to_string(folded) + " of " + std::to_string(samples) + " voxels folded.");
}

void add_jacobian(Program &program) {
  auto request = std::make_shared<JacobianRequest>();
  CLI::App *command =
      program.add("jacobian", "Jacobian determinant of a displacement field",
                  "counterwarp jacobian sub-0001_desc-inject_field.nii.gz --out logjacobian.nii.gz --log");
  command->add_option("FIELD", request->field, "Vector NIfTI in mm: intent 1006 (RAS numbers) or 1007 (LPS numbers)")
      ->required();
  command->add_option("--out", request->out, "The image to write (.nii or .nii.gz)")->required();
  command->add_flag("--log", request->log_of, "Natural logarithm of the determinant");
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings);
      run_jacobian(context, *request);
    };
  });
}

}  // namespace program
