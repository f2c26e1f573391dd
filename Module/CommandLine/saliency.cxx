// counterwarp saliency: maps of scans by every method, each with what is known about it.
#include <cmath>

#include "methods.h"
#include "sanity.h"
#include "wording.h"

namespace program {

namespace {

std::string map_name(const std::string &id, const Method &method) {
  return id + "_desc-" + method.label + "_saliency.nii.gz";
}

// What `sanity` found for this classifier; null where it was not asked.
Json sanity_of(Context &context, const SaliencyRequest &request, const std::string &model_print) {
  if (request.sanity.empty())
    return nullptr;
  const Json json = read_sanity(request.sanity);
  if (json["model_fingerprint"] != model_print) {
    context.warn(request.sanity + ": is about another classifier; its verdicts are left out.");
    return nullptr;
  }
  return json["methods"];
}

// The verdict on one method, as the side-car says it.
Json verdict_json(const Json &sanity, const Method &method) {
  if (sanity.is_null())
    return {{"checked", false}, {"text", "not checked for this classifier (counterwarp sanity)"}};
  for (const Json &item : sanity)
    if (item.value("method", "") == method.name) {
      Json json = {{"checked", true}, {"on_output", item.at("on_output")}, {"on_weights", item.at("on_weights")}};
      json["failed"] = item.at("failed");
      json["text"] = item.at("text");
      return json;
    }
  return {{"checked", false}, {"text", "this method was not among those checked for this classifier"}};
}

Json map_json(const Method &method, const cw_saliency_note &note, const cw_volume &volume, const std::string &file,
              const Json &sanity) {
  float low = 0, high = 0;
  for (size_t i = 0; i < cw_grid_samples(&volume.grid); i++) {
    low = std::fmin(low, volume.data[i]);
    high = std::fmax(high, volume.data[i]);
  }
  Json json = {{"method", method.name}, {"file", file}, {"least", low}, {"largest", high}};
  json["empty"] = note.empty;
  json["finite"] = note.finite;
  if (note.reason[0])
    json["reason"] = note.reason;
  if (std::isfinite(note.gap))
    json["completeness_gap"] = note.gap;
  json["sanity"] = verdict_json(sanity, method);
  return json;
}

struct Work {
  const SaliencyRequest &request;
  const Model &model;
  const std::string model_print;
  const Json sanity;
  const std::vector<Method> methods;
  cw_saliency *saliency;
};

void explain_scan(Context &context, const Work &work, const Scan &scan, const std::optional<bool> &apart) {
  const SaliencyRequest &request = work.request;
  const Path folder = request.out;
  const std::vector<float> input = network_input(context, *work.model, scan, true);
  const MethodMaps maps = maps_of(context, *work.model, work.saliency, request.methods, work.methods.size(), input);
  Volume image(context);
  read_image(context, scan, image);
  warn_of_shear(context, scan, image->grid);
  const auto transform = read_transform(context, scan);
  const std::string side_car = scan.id + "_saliency.json";
  remove_file(folder / side_car);  // it comes last: where it stands, the maps are its own
  Json json;
  json["about"] = "Saliency maps: what a method says that the classifier's output depends on, voxel by voxel.";
  json["id"] = scan.id;
  json["participant"] = scan.participant;
  json["session"] = scan.session.empty() ? Json() : Json(scan.session);
  json["group"] = scan.group.empty() ? Json() : Json(scan.group);
  json["held_out"] = apart ? Json(*apart) : Json();
  json["output"] = {
      {"index", request.methods.output}, {"negative", request.methods.negative}, {"value", maps.notes.at(0).y}};
  json["smoothed_voxels"] = request.methods.smooth;
  json["grid_note"] = "computed on the model's grid, carried linearly to the scan's, 0 outside the model's box";
  json["maps"] = Json::array();
  for (size_t m = 0; m < work.methods.size(); m++) {
    const std::string name = map_name(scan.id, work.methods[m]);
    Volume volume(context);
    on_scan(context, *work.model, maps.maps[m], pointer(transform), image->grid, volume);
    context.check(cw_nifti_write(context, (folder / name).c_str(), volume.get(), CW_NIFTI_FLOAT32));
    json["maps"].push_back(map_json(work.methods[m], maps.notes[m], *volume, name, work.sanity));
  }
  json["source"] = relative_to(request.out, scan.image);
  json["transform_lps"] = transform ? affine_json(*transform) : Json();
  json["model"] = Path(request.model).filename().string();
  json["model_fingerprint"] = work.model_print;
  json["model_grid"] = grid_json(work.model->preprocessing.grid);
  json["versions"] = {{"counterwarp", cw_version()}};
  json["use"] = research_text;
  write_json(folder / side_car, json);
}

}  // namespace

void run_saliency(Context &context, const SaliencyRequest &request) {
  Model model(context);
  read_model(context, request.model, CW_MODEL_CLASSIFIER, model);
  const std::string print = fingerprint(request.model);
  const bool from_table = !request.cohort.empty();
  const std::vector<Scan> scans = chosen_scans(context, *model, request);
  const std::vector<Method> methods = methods_of(context, *model, request.methods, false);
  Saliency saliency(context);
  make_saliency(context, *model, methods, saliency);
  const Work work = {request, model, print, sanity_of(context, request, print), methods, saliency.get()};
  make_folder(request.out);
  const int count = static_cast<int>(scans.size());
  for (int i = 0; i < count; i++) {
    context.part("Scans", i, count);
    explain_scan(context, work, scans[i], held_out(*model, scans[i], from_table));
  }
  context.whole();
  std::string failed;
  for (const Method &method : methods)
    if (verdict_json(work.sanity, method).value("failed", false))
      failed += (failed.empty() ? "" : ", ") + method.name;
  if (!failed.empty())
    context.warn("by its sanity checks this classifier is not what these maps show: " + failed + ".");
  context.say("Wrote maps of " + std::to_string(methods.size()) + " methods for " + std::to_string(count) +
              (count == 1 ? " scan into " : " scans into ") + request.out);
}

void add_saliency(Program &program) {
  auto request = std::make_shared<SaliencyRequest>();
  CLI::App *command = program.add(
      "saliency", "Saliency maps of scans: gradients, GradCAM, FullGrad, LRP and others, all in one call",
      "counterwarp saliency --model classifier.onnx --methods gradient,gradcam.signed,lrp-epsilon --smooth 1 --out "
      "maps "
      "scan.nii.gz\n  counterwarp saliency --model classifier.onnx --cohort cohort/participants.tsv --held-out-only "
      "--sanity sanity --out maps");
  command->add_option("--model", request->model, "The classifier")->required();
  command->add_option("--out", request->out, "Folder for the maps")->required();
  add_scan_options(command, *request);
  command->add_option("--sanity", request->sanity,
                      "Folder that `sanity` wrote for this classifier: its verdicts go into the side-cars");
  declare(request->methods, command, true);
  command->callback([&program, request] {
    need_scans(*request);
    program.work = [&program, request] {
      Context context(program.settings);
      run_saliency(context, *request);
    };
  });
}

}  // namespace program
