// counterwarp simulate: injects the disease into scans, or removes it.
#include <cmath>

#include "simulations.h"
#include "wording.h"

namespace program {

namespace {

// How far the file's logit was to go, where the model's record says so (median_logit is younger than margin).  For
// several classifiers both are means: whether each came to its own goal stands in the record's held_out.
std::optional<cw_margin> margin_of(const cw_model &model) {
  if (!model.provenance || !Json::accept(model.provenance))
    return std::nullopt;
  const Json record = Json::parse(model.provenance);
  const auto figure = [](const Json &from, const char *name, double otherwise) {
    const Json value = from.is_object() ? from.value(name, Json()) : Json();
    return value.is_number() && std::isfinite(value.get<double>()) ? value.get<double>() : otherwise;
  };
  const Json medians = record.is_object() ? record.value("median_logit", Json()) : Json();
  const cw_margin margin = {figure(record, "margin", 0),
                            {figure(medians, "control", -INFINITY), figure(medians, "patient", INFINITY)}};
  return margin.distance > 0 ? std::optional(margin) : std::nullopt;
}

// The side-car: everything about one simulation that is not an image.
Json side_car(const SimulateRequest &request, const cw_model &model, const std::string &model_print, const Scan &scan,
              const std::optional<bool> &apart, const std::optional<cw_affine> &transform,
              const cw_simulation &simulation) {
  const SimulationNames names(scan.id, request.direction);
  const int sign = request.direction == "inject" ? 1 : -1;
  const double shift = sign * (simulation.logit_after - simulation.logit_before);
  const bool velocity = model.field == CW_FIELD_VELOCITY;
  Json json;
  json["about"] = "A scan as the classifier would see it with more (inject) or less (remove) of the disease.";
  json["id"] = scan.id;
  json["participant"] = scan.participant;
  json["session"] = scan.session.empty() ? Json() : Json(scan.session);
  json["group"] = scan.group.empty() ? Json() : Json(scan.group);
  json["direction"] = request.direction;
  json["strength"] = request.strength;
  json["held_out"] = apart ? Json(*apart) : Json();
  json["held_out_reason"] = !apart   ? "the model's record does not know this participant (--participant names it)"
                            : *apart ? "the model's record says that this subject took no part in its training"
                                     : "the model's record says that this subject took part in its training";
  json["logit"] = {
      {"before", simulation.logit_before}, {"after", simulation.logit_after}, {"shift_in_wanted_direction", shift}};
  json["moved"] = shift > 0;
  json["flipped"] = on_wanted_side(sign, simulation.logit_before) ? Json()  // it stood there to begin with
                                                                  : Json(on_wanted_side(sign, simulation.logit_after));
  const std::optional<cw_margin> margin = margin_of(model);
  json["margin"] = margin ? Json(margin->distance) : Json();
  const double goal = margin ? margin->median[sign > 0] : sign * INFINITY;
  json["other_groups_median_logit"] = std::isfinite(goal) ? Json(goal) : Json();
  json["margin_reached"] =
      margin && request.strength == 1 && sign * (goal - simulation.logit_before) > 0
          ? Json(cw_margin_share(&*margin, sign, simulation.logit_before, simulation.logit_after) >= 1)
          : Json();
  json["monotone"] = simulation.monotone;
  json["curve"] = {{"strength", Json::array()}, {"logit", Json::array()}};
  for (int i = 0; i < CW_CURVE_POINTS; i++) {
    json["curve"]["strength"].push_back(simulation.curve_strength[i]);
    json["curve"]["logit"].push_back(simulation.curve_logit[i]);
  }
  json["curve"]["note"] =
      "logit along the strength on the model's grid: above 0 injection at that strength, below 0 removal";
  json["folded_voxels"] = simulation.folded;
  json["inverse_error_mm"] = simulation.inverse_error;
  json["cycle_error"] = simulation.cycle_error;
  json["composition_error_mm"] = simulation.composition_error;
  json["agreement_of_directions"] = simulation.agreement;
  json["strain"] = simulation.strain;
  json["largest_displacement_mm"] = simulation.largest;
  json["mean_displacement_mm"] = simulation.mean;
  json["field"] = {{"model", velocity ? "stationary velocity" : "displacement"},
                   {"units", "mm"},
                   {"numbers", request.convention == "lps" ? "LPS" : "RAS"},
                   {"nifti_intent", request.convention == "lps" ? 1007 : 1006}};
  json["sign"] = sign_text;
  json["source"] = relative_to(request.out, scan.image);
  json["files"] = {{"image", names.image},
                   {"field", names.field},
                   {"jacobian", names.jacobian},
                   {"logjacobian", names.log_jacobian}};
  json["transform_lps"] = transform ? affine_json(*transform) : Json();
  json["model"] = Path(request.model).filename().string();
  json["model_file"] = relative_to(request.out, request.model);
  json["model_fingerprint"] = model_print;
  json["model_grid"] = grid_json(model.preprocessing.grid);
  json["versions"] = {{"counterwarp", cw_version()}};
  json["use"] = research_text;
  return json;
}

// A finished simulation of the same model, scan and options, with all its files.
bool stands(Context &context, const SimulateRequest &request, const std::string &model_print, const Scan &scan) {
  const SimulationNames names(scan.id, request.direction);
  const Path folder = request.out;
  std::error_code error;
  for (const auto &name : {names.image, names.field, names.jacobian, names.log_jacobian, names.side_car})
    if (!std::filesystem::exists(folder / name, error))
      return false;
  try {
    const Json json = read_json(folder / names.side_car);
    const auto transform = read_transform(context, scan);
    return json.at("model_fingerprint") == model_print && json.at("strength") == request.strength &&
           json.at("field").at("numbers") == (request.convention == "lps" ? "LPS" : "RAS") &&
           json.at("source") == relative_to(request.out, scan.image) &&
           json.at("transform_lps") == (transform ? affine_json(*transform) : Json());
  } catch (const nlohmann::json::exception &) {
    return false;
  } catch (const Failure &) {
    return false;
  }
}

void simulate_scan(Context &context, const SimulateRequest &request, const Model &model, const std::string &model_print,
                   const Scan &scan, const std::optional<bool> &apart) {
  Volume volume(context);
  read_image(context, scan, volume);
  warn_of_shear(context, scan, volume->grid);
  const auto transform = read_transform(context, scan);
  if (model->template_samples) {
    std::vector<float> input(cw_grid_samples(&model->preprocessing.grid));
    context.check(cw_preprocess(context, &model->preprocessing, volume.get(), pointer(transform), input.data()),
                  scan.image);
    cw_preprocess_inspect(context, &model->preprocessing, input.data(), model->template_samples, scan.image.c_str());
  }
  Simulation simulation(context);
  context.check(
      cw_simulate(context, model.get(), volume.get(), pointer(transform), request.direction == "inject" ? 1.0f : -1.0f,
                  static_cast<float>(request.strength), simulation.get()),
      scan.image);
  if (simulation->folded)
    context.warn(scan.id + ": " + std::to_string(simulation->folded) + " voxels folded (J <= 0).");
  const SimulationNames names(scan.id, request.direction);
  const Path folder = request.out;
  remove_file(folder / names.side_car);  // the side-car comes last: where it stands, the images are its own
  const auto put = [&](const std::string &name, const cw_volume &image) {
    context.check(cw_nifti_write(context, (folder / name).c_str(), &image, CW_NIFTI_FLOAT32));
  };
  put(names.image, simulation->image);
  context.check(cw_nifti_write_field(context, (folder / names.field).c_str(), &simulation->field,
                                     request.convention == "lps" ? CW_FIELD_LPS : CW_FIELD_RAS));
  put(names.jacobian, simulation->jacobian);
  put(names.log_jacobian, simulation->log_jacobian);
  write_json(folder / names.side_car, side_car(request, *model, model_print, scan, apart, transform, *simulation));
}

}  // namespace

void run_simulate(Context &context, const SimulateRequest &request) {
  Model model(context);
  read_model(context, request.model, CW_MODEL_SIMULATOR, model);
  const std::string model_print = fingerprint(request.model);
  const bool from_table = !request.cohort.empty();
  const std::vector<Scan> scans = chosen_scans(context, *model, request);
  make_folder(request.out);
  context.on_interruption(from_table ? "The scans so far are complete; the same command with --resume goes on."
                                     : "The simulation is not complete.");
  const int count = static_cast<int>(scans.size());
  int done = 0;
  for (int i = 0; i < count; i++) {
    if (request.resume && stands(context, request, model_print, scans[i]))
      continue;
    context.part("Scans (" + request.direction + ")", i, count);
    simulate_scan(context, request, model, model_print, scans[i], held_out(*model, scans[i], from_table));
    done++;
  }
  context.whole();
  if (from_table)
    context.say("Simulated " + std::to_string(done) + " scans (" + request.direction + ") into " + request.out +
                (done < count ? "; " + std::to_string(count - done) + " stood already." : "."));
  else if (done)
    context.say("Wrote " + (Path(request.out) / SimulationNames(scans[0].id, request.direction).side_car).string() +
                " and its images.");
}

void add_simulate(Program &program) {
  auto request = std::make_shared<SimulateRequest>();
  CLI::App *command = program.add(
      "simulate", "Inject the disease into scans, or remove it",
      "counterwarp simulate --model simulator.onnx --direction inject --out simulations --cohort "
      "cohort/participants.tsv --held-out-only\n  counterwarp simulate --model simulator.onnx --direction remove --out "
      "simulations patient.nii.gz");
  command->add_option("--model", request->model, "The simulator")->required();
  command->add_option("--direction", request->direction, "inject or remove")
      ->required()
      ->check(CLI::IsMember({"inject", "remove"}));
  command->add_option("--strength", request->strength, "How far: 1 is what the simulator was trained for")
      ->check(within(0.0, 2.0))
      ->capture_default_str();
  command->add_option("--out", request->out, "Folder for the results")->required();
  add_scan_options(command, *request);
  command
      ->add_option("--convention", request->convention,
                   "Numbers of the field: ras (intent 1006: Slicer) or lps (intent 1007: ANTs, ITK 5.2)")
      ->check(CLI::IsMember({"ras", "lps"}))
      ->capture_default_str();
  command->add_flag("--resume", request->resume, "Pass over scans whose results stand already");
  command->callback([&program, request] {
    need_scans(*request);
    program.work = [&program, request] {
      Context context(program.settings);
      run_simulate(context, *request);
    };
  });
}

}  // namespace program
