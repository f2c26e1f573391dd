// counterwarp sanity: which saliency methods to believe for this classifier.
#include "sanity.h"

#include "tally.h"
#include "wording.h"

namespace program {

namespace {

const char *const rule_text =
    "A method depends on the weights where, with the head (the fully connected layers, or the last third of all "
    "layers) "
    "re-drawn, the rank correlation of magnitudes with the trained map lies below that of unrelated maps, and does not "
    "where it lies above; on the output likewise by the signed rank correlation of the maps of y and -y (with several "
    "logits: of the two largest). Unrelated maps are those of different scans by the trained classifier. Compared are "
    "95 % intervals over scans, each with a draw of its own; where they overlap the verdict is open. Outcomes that "
    "hold "
    "by construction are named and are no findings.";

// Held-out scans, patients and controls in turn, up to a number.
std::vector<Scan> in_turn(const std::vector<Scan> &scans, int most) {
  std::vector<Scan> of[2], chosen;
  for (const Scan &scan : scans)
    of[scan.group == "patient"].push_back(scan);
  for (size_t i = 0; i < std::max(of[0].size(), of[1].size()); i++)
    for (const int group : {1, 0})
      if (i < of[group].size() && static_cast<int>(chosen.size()) < most)
        chosen.push_back(of[group][i]);
  return chosen;
}

// Of the network alone: a simulator's file holds it too.
std::string network_fingerprint(Context &context, const cw_model &model) {
  Graph classifier(context);
  context.check(cw_model_classifier(context, &model, classifier.out()));
  char text[17];
  cw_graph_fingerprint(classifier.get(), text);
  return text;
}

Json simulator_json(Context &context, const SanityRequest &request) {
  Json json = Json::object();
  const auto all = simulations_of(context, request.simulations, request.cohort);
  for (const char *direction : {"inject", "remove"}) {
    const auto pairs = held_out_pairs(all, direction);
    if (!pairs.empty())
      json[direction] = tally(pairs);
  }
  return json;
}

void summary_lines(Context &context, const Json &methods) {
  for (const Json &item : methods) {
    const std::string by = item.at("output_by_construction").get<bool>() ? " (by construction)" : "";
    context.say(item.at("method").get<std::string>() + ": on the weights " + item.at("on_weights").get<std::string>() +
                "; on the output " + item.at("on_output").get<std::string>() + by);
  }
}

}  // namespace

void run_sanity(Context &context, const SanityRequest &request) {
  Model model(context);
  read_model(context, request.model, CW_MODEL_CLASSIFIER, model);
  std::vector<Scan> apart, trained;
  const std::vector<Scan> all = scans_of_table(context, request.cohort);
  for (const Scan &scan : all)
    (held_out(*model, scan, true) == true ? apart : trained).push_back(scan);
  const bool held_out_only = !apart.empty();
  if (!held_out_only) {
    context.warn(request.cohort + ": the model's record calls no scan held out; all scans take part in the checks.");
    apart = all;
  }
  const std::vector<Method> methods = methods_of(context, *model, request.methods, true);
  Saliency saliency(context);
  make_saliency(context, *model, methods, saliency);
  const std::vector<Scan> scans = in_turn(apart, request.scans);
  const SanityWork work = {request, model, methods, scans, saliency.get()};
  make_folder(request.out);
  const Path out = request.out;
  remove_file(out / "sanity.json");
  Rows checks, places, faithful;
  Json json;
  json["about"] = "Whether the maps of saliency methods depend on this classifier, and where they point.";
  json["rule"] = rule_text;
  json["model"] = Path(request.model).filename().string();
  json["model_fingerprint"] = fingerprint(request.model);
  json["classifier_fingerprint"] = network_fingerprint(context, *model);
  json["seed"] = request.seed;
  json["held_out"] = held_out_only;
  json["faithfulness_baseline"] = model->template_samples ? "the mean training scan" : "an image of zeros";
  json["scans"] = Json::array();
  for (const Scan &scan : scans)
    json["scans"].push_back(scan.id);
  Json layers;
  json["methods"] = check_methods(context, work, checks, layers);
  json["layers"] = layers;
  const std::vector<float> group = group_map(context, work, trained);
  json["faithfulness"] = faithfulness(context, work, group, faithful);
  json["localisation"] = localise(context, work, apart, group, places);
  json["simulator"] = request.simulations.empty() ? Json() : simulator_json(context, request);
  json["versions"] = {{"counterwarp", cw_version()}};
  json["use"] = research_text;
  write_tsv(out / "sanity.tsv", checks);
  write_tsv(out / "faithfulness.tsv", faithful);
  if (!json["localisation"].is_null())
    write_tsv(out / "localisation.tsv", places);
  else
    remove_file(out / "localisation.tsv");
  write_json(out / "sanity.json", json);
  summary_lines(context, json["methods"]);
  context.say("Wrote " + (out / "sanity.json").string() + " and its tables; `counterwarp report --sanity " +
              request.out + "` shows them.");
}

Json read_sanity(const Path &folder) {
  const Path file = std::filesystem::is_directory(folder) ? folder / "sanity.json" : folder;
  const Json json = read_json(file);
  for (const char *part : {"methods", "layers", "scans", "rule", "faithfulness", "localisation", "model_fingerprint"})
    if (!json.is_object() || !json.contains(part))
      throw Failure(file.string() + ": is not written by `counterwarp sanity`.");
  return json;
}

void add_sanity(Program &program) {
  auto request = std::make_shared<SanityRequest>();
  CLI::App *command =
      program.add("sanity", "Check which saliency methods depend on the classifier, and where their maps point",
                  "counterwarp sanity --model classifier.onnx --cohort cohort/participants.tsv --simulations "
                  "simulations --out sanity");
  command->add_option("--model", request->model, "The classifier")->required();
  command->add_option("--cohort", request->cohort, "The table of the scans; held-out ones are used")->required();
  command->add_option("--out", request->out, "Folder for sanity.json and the tables")->required();
  command->add_option("--simulations", request->simulations,
                      "Folder that `simulate` wrote: the simulator's |log J| beside the maps, and its own figures");
  command->add_option("--scans", request->scans, "Held-out scans for the checks, patients and controls in turn")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--seed", request->seed, "Of the re-drawn weights and the random baseline")
      ->capture_default_str();
  declare(request->methods, command, false);
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings);
      run_sanity(context, *request);
    };
  });
}

}  // namespace program
