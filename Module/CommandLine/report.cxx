// counterwarp report: one self-contained page.
#include <algorithm>

#include "embedded.h"
#include "report_parts.h"
#include "sanity.h"
#include "wording.h"

namespace program {

namespace {

Json provenance_of(const cw_model &model) {
  return model.provenance && Json::accept(model.provenance) ? Json::parse(model.provenance) : Json::object();
}

Rows curve_beside(const std::string &model) {
  const Path file = model + ".curve.tsv";
  std::error_code error;
  return std::filesystem::exists(file, error) ? read_tsv(file) : Rows();
}

// The template with {{NAME}} replaced, once and in order: what is put in is not looked at again.
std::string assemble(std::string_view page, const std::map<std::string, std::string> &parts) {
  std::string text;
  for (size_t from = 0;;) {
    const size_t open = page.find("{{", from);
    if (open == std::string_view::npos)
      return text += page.substr(from);
    const size_t close = page.find("}}", open);
    text += page.substr(from, open - from);
    text += parts.at(std::string(page.substr(open + 2, close - open - 2)));
    from = close + 2;
  }
}

// JSON inside a script element must not close it.
std::string script_safe(const std::string &json) {
  std::string text;
  for (const char c : json)
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  return text;
}

std::string html_safe(const std::string &plain) {
  std::string text;
  for (const char c : plain)
    text += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return text;
}

// Fails for a scan asked for that neither folder holds.
void need_examples(const ReportRequest &request, const ReportSources &sources) {
  for (const std::string &id : request.examples) {
    const bool simulated = std::any_of(sources.simulations.begin(), sources.simulations.end(),
                                       [&](const SimulatedScan &s) { return s.scan.id == id; });
    if (!simulated &&
        (request.saliency.empty() || !std::filesystem::exists(Path(request.saliency) / (id + "_saliency.json"))))
      throw Failure("--example " + id + ": the folders given hold no simulation and no saliency maps of that scan.");
  }
}

}  // namespace

void run_report(Context &context, const ReportRequest &request) {
  ReportSources sources;
  if (!request.simulations.empty())
    sources.simulations = simulations_of(context, request.simulations, request.cohort);
  if (!request.sanity.empty())
    sources.sanity = read_sanity(request.sanity);
  Model classifier(context), simulator(context);
  if (!request.classifier.empty()) {
    read_model(context, request.classifier, CW_MODEL_CLASSIFIER, classifier);
    sources.classifier = provenance_of(*classifier);
    sources.classifier_curve = curve_beside(request.classifier);
  }
  if (!request.simulator.empty()) {
    read_model(context, request.simulator, CW_MODEL_SIMULATOR, simulator);
    sources.simulator = provenance_of(*simulator);
    sources.simulator_curve = curve_beside(request.simulator);
    if (sources.classifier.is_null() && sources.simulator.contains("classifiers"))
      sources.classifier = sources.simulator["classifiers"].at(0);
  }
  if (!request.group.empty()) {
    sources.group_folder = request.group;
    sources.group = read_json(sources.group_folder / "group.json");
    if (std::filesystem::exists(sources.group_folder / "regions.tsv") && sources.group.contains("atlas"))
      sources.regions = read_tsv(sources.group_folder / "regions.tsv");
    if (std::filesystem::exists(sources.group_folder / "proof.tsv"))
      sources.proof = read_tsv(sources.group_folder / "proof.tsv");
    if (sources.group.contains("transfer"))
      sources.transfer = sources.group["transfer"];
  }
  if (!request.second.empty()) {
    sources.transfer = Json::object();
    for (const char *direction : {"inject", "remove"}) {
      const auto pairs = held_out_pairs(sources.simulations, direction);
      Rows rows;
      if (!pairs.empty())
        sources.transfer[direction] = transfer(context, request.second, pairs, rows);
    }
  }
  need_examples(request, sources);
  Json data;
  data["title"] = request.title;
  data["version"] = cw_version();
  data["sign"] = sign_text;
  data["simulated"] = !sources.simulations.empty();
  data["sanity"] = sources.sanity;
  data["saliency"] = saliency_part(context, request, sources.sanity);
  const Json answer = sources.group.is_object() ? sources.group.value("verdict", Json()) : Json();
  data["answer"] = answer;
  // Maps of what is no explanation are not shown as if they were one.
  const bool explained = !answer.is_object() || answer.value("verdict", "") != "does not explain";
  data["withheld"] = !explained;
  data["effects"] = sources.group.is_object() ? sources.group.value("effects", Json()) : Json();
  data["verdict"] = sources.simulations.empty() ? Json::array() : verdict_part(sources, explained);
  for (const Json &item : sanity_verdict(sources.sanity))
    data["verdict"].push_back(item);
  data["figures"] = figures_part(sources);
  data["examples"] = example_part(context, sources, request.examples, request.example_count);
  data["strength"] = strength_part(sources);
  data["maps"] =
      explained ? map_part(context, sources, request.simulator.empty() ? nullptr : simulator.get()) : Json::object();
  data["proof"] = proof_part(sources);
  data["regions"] = explained ? region_part(sources) : Json::object();
  data["curves"] = {{"classifier", curve_part(sources.classifier_curve)},
                    {"simulator", curve_part(sources.simulator_curve)}};
  data["models"] = {{"classifier", sources.classifier}, {"simulator", sources.simulator}};
  const std::string page = assemble(embedded::page_html, {{"title", html_safe(request.title)},
                                                          {"style", std::string(embedded::report_css)},
                                                          {"chart", std::string(embedded::chart_js)},
                                                          {"data", script_safe(json_text(data, -1))},
                                                          {"script", std::string(embedded::report_js)}});
  const Path folder = Path(request.out).parent_path();
  if (!folder.empty())
    make_folder(folder);
  write_text(request.out, page);
  context.say("Wrote " + request.out);
}

void add_report(Program &program) {
  auto request = std::make_shared<ReportRequest>();
  request->title = "Counterwarp report";
  CLI::App *command = program.add(
      "report", "One self-contained page with the results",
      "counterwarp report --simulations simulations --cohort cohort/participants.tsv --group group --classifier "
      "classifier.onnx --simulator simulator.onnx --out report.html");
  command->add_option("--out", request->out, "The page to write (HTML)")->required();
  command->add_option("--simulations", request->simulations, "Folder that `simulate` wrote");
  command->add_option("--sanity", request->sanity, "Folder that `sanity` wrote: checks of saliency maps");
  command->add_option("--saliency", request->saliency, "Folder that `saliency` wrote: pictures of the maps");
  command->add_option("--cohort", request->cohort, "The table of the scans");
  command->add_option("--group", request->group, "Folder that `group` wrote: maps, regions, scores, transfer");
  command->add_option("--classifier", request->classifier, "The classifier; its learning curve lies beside it");
  command->add_option("--simulator", request->simulator, "The simulator; its learning curve lies beside it");
  command->add_option("--second", request->second, "A second classifier, if `group` was not given one");
  command->add_option("--title", request->title, "Title of the page");
  command->add_option("--example", request->examples, "Scans to show. Default: typical ones of each direction");
  command->add_option("--examples", request->example_count, "How many scans to show of each direction")
      ->check(CLI::Range(0, 50))
      ->capture_default_str();
  command->callback([&program, request] {
    if (request->simulations.empty() && request->sanity.empty() && request->saliency.empty())
      throw CLI::RequiredError("--simulations, --sanity or --saliency");
    program.work = [&program, request] {
      Context context(program.settings);
      run_report(context, *request);
    };
  });
}

}  // namespace program
