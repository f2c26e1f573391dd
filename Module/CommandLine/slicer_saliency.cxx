// The module CounterwarpSaliency: the map of one volume by one method.
#include "slicer_folder.h"
#include "slicer_module.h"

namespace program {

namespace {

void map_into(Context &context, SaliencyRequest request, const std::string &output) {
  const WorkFolder folder(output);
  request.out = folder.path().string();
  run_saliency(context, request);
  const std::string ending = "_saliency.nii.gz";
  for (const auto &entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    if (name.size() > ending.size() && name.compare(name.size() - ending.size(), std::string::npos, ending) == 0)
      return folder.hand_over(name, output);
  }
  throw Failure(request.scan + ": the method gives no map of this scan.");
}

}  // namespace

void declare_module(Program &program) {
  auto request = std::make_shared<SaliencyRequest>();
  auto method = std::make_shared<std::string>("gradcam");
  auto output = std::make_shared<std::string>();
  CLI::App &parser = program.parser;
  parser.add_option("--model", request->model)->required();
  parser.add_option("--method", *method);
  parser.add_option("INPUT", request->scan)->required();
  parser.add_option("OUTPUT", *output)->required();
  program.work = [=, &program] {
    request->methods.names = {*method};
    Context context(program.settings);
    map_into(context, *request, *output);
  };
}

}  // namespace program
