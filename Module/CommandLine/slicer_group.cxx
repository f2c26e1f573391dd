// The module CounterwarpGroup.
#include "slicer_module.h"

namespace program {

void declare_module(Program &program) {
  auto request = std::make_shared<GroupRequest>();
  CLI::App &parser = program.parser;
  parser.add_option("--simulations", request->simulations)->required();
  parser.add_option("--cohort", request->cohort);
  parser.add_option("--atlas", request->atlas);
  parser.add_option("--labels", request->labels);
  parser.add_option("--out", request->out)->required();
  program.work = [&program, request] {
    Context context(program.settings);
    run_group(context, *request);
  };
}

}  // namespace program
