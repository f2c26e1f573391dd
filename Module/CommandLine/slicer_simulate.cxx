// The module CounterwarpSimulate: one volume of the scene in, volumes and a transform out.
#include "simulations.h"
#include "slicer_module.h"

namespace program {

namespace {

struct Outputs {
  std::string image, field, jacobian;
};

// run_simulate writes a folder; what Slicer asked for takes the names that it gave, the rest goes.
void simulate_into(Context &context, SimulateRequest request, const Outputs &outputs) {
  const Path folder = outputs.image + ".part";
  request.out = folder.string();
  std::error_code error;
  try {
    run_simulate(context, request);
    const SimulationNames names(scan_of_file(request.scan, "", "").id, request.direction);
    const auto hand_over = [&](const std::string &name, const std::string &wanted) {
      if (wanted.empty())
        return;
      std::filesystem::rename(folder / name, wanted, error);
      if (error)
        throw Failure(wanted + ": cannot be written (" + error.message() + ").");
    };
    hand_over(names.field, outputs.field);
    hand_over(names.jacobian, outputs.jacobian);
    hand_over(names.image, outputs.image);
  } catch (...) {
    std::filesystem::remove_all(folder, error);
    throw;
  }
  std::filesystem::remove_all(folder, error);
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
