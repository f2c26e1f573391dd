// The module CounterwarpSimulate: one volume of the scene in, volumes and a transform out.
#include "counterwarp/nrrd.h"
#include "owned.h"
#include "simulations.h"
#include "slicer_folder.h"
#include "slicer_module.h"

namespace program {

namespace {

struct Outputs {
  std::string image, field, jacobian;
};

void simulate_into(Context &context, SimulateRequest request, const Outputs &outputs) {
  const WorkFolder folder(outputs.image);
  request.out = folder.path().string();
  run_simulate(context, request);
  const SimulationNames names(scan_of_file(request.scan, "", "").id, request.direction);
  if (!outputs.field.empty()) {
    // NIfTI fields are not the same to all versions of Slicer.
    Volume field(context);
    context.check(cw_nifti_read_field(context, (folder.path() / names.field).c_str(), field.get()));
    context.check(cw_nrrd_write_field(context, outputs.field.c_str(), field.get()));
  }
  folder.hand_over(names.jacobian, outputs.jacobian);
  folder.hand_over(names.image, outputs.image);
}

}  // namespace

void declare_module(Program &program) {
  auto request = std::make_shared<SimulateRequest>();
  auto outputs = std::make_shared<Outputs>();
  CLI::App &parser = program.parser;
  parser.add_option("--model", request->model)->required();
  parser.add_option("--direction", request->direction)->required()->check(CLI::IsMember({"inject", "remove"}));
  parser.add_option("--strength", request->strength)->check(within(0.0, 2.0));
  parser.add_option("--field", outputs->field);
  parser.add_option("--jacobian", outputs->jacobian);
  parser.add_option("INPUT", request->scan)->required();
  parser.add_option("OUTPUT", outputs->image)->required();
  program.work = [&program, request, outputs] {
    Context context(program.settings);
    simulate_into(context, *request, *outputs);
  };
}

}  // namespace program
