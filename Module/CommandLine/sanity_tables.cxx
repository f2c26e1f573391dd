// The sanity checks as tables, and their verdicts in words.
#include "sanity.h"

namespace program {

namespace {

const char *const verdict_words[] = {"undecided", "depends", "does not depend"};

Json figures_json(const cw_sanity_figures &f) {
  return {{"signed_rank", summary_json(f.signed_rank)},
          {"absolute_rank", summary_json(f.absolute_rank)},
          {"ssim", summary_json(f.ssim)},
          {"empty", f.empty}};
}

void add_row(Rows &rows, const std::string &method, const std::string &check, const std::string &layer,
             const cw_sanity_figures &f) {
  std::vector<std::string> row = {method, check, layer, std::to_string(f.signed_rank.count)};
  for (const cw_summary *s : {&f.signed_rank, &f.absolute_rank, &f.ssim})
    for (const double value : {s->mean, s->low, s->high})
      row.push_back(number(value));
  row.push_back(std::to_string(f.empty));
  rows.rows.push_back(row);
}

std::string with_interval(const cw_summary &s) {
  return number(s.mean, 2) + " (" + number(s.low, 2) + " to " + number(s.high, 2) + ")";
}

// One verdict as a clause: what was found, against what.
std::string clause(cw_verdict verdict, const std::string &on, const cw_summary &found, const cw_summary &unrelated,
                   const std::string &when) {
  const std::string figures =
      ": " + when + " " + with_interval(found) + ", of unrelated maps " + with_interval(unrelated);
  if (verdict == CW_DEPENDS)
    return "depends on " + on + figures;
  return (verdict == CW_DOES_NOT_DEPEND ? "does not depend on " : "is undecided about ") + on + figures;
}

}  // namespace

Json check_methods(Context &context, const SanityWork &work, Rows &rows, Json &layers) {
  std::vector<cw_saliency_request> requests;
  for (const Method &method : work.methods)
    requests.push_back(method.request);
  Sanity sanity(context);
  const int count = static_cast<int>(work.scans.size());
  context.check(cw_sanity_create(context, work.model->graph, requests.data(), static_cast<int>(requests.size()), count,
                                 work.request.seed, sanity.out()));
  for (int i = 0; i < count; i++) {
    context.part("Sanity checks, scan", i, count);
    const std::vector<float> input = network_input(context, *work.model, work.scans[i], false);
    context.check(cw_sanity_add(context, sanity.get(), input.data(), foreground(input).data()), work.scans[i].image);
  }
  context.whole();
  const cw_random_layers *parts = cw_sanity_layers(sanity.get());
  layers = Json::array();
  for (int part = 0; part < parts->count; part++)
    layers.push_back(cw_graph_node_at(work.model->graph, parts->node[part]).name);
  const std::string head = layers[parts->first_dense].get<std::string>();
  rows.columns = {"method",        "check",        "layer",         "n",    "signed_rank", "signed_low", "signed_high",
                  "absolute_rank", "absolute_low", "absolute_high", "ssim", "ssim_low",    "ssim_high",  "empty"};
  Json methods = Json::array();
  for (size_t m = 0; m < work.methods.size(); m++) {
    cw_sanity_method r;
    context.check(cw_sanity_result(context, sanity.get(), static_cast<int>(m), &r));
    const std::string &name = work.methods[m].name;
    const cw_sanity_figures &redrawn = r.cascade[parts->first_dense];
    Json json = {{"method", name}};
    json["on_output"] = verdict_words[r.on_output];
    json["output_by_construction"] = r.output_by_construction;
    json["on_weights"] = verdict_words[r.on_weights];
    json["by_construction"] = r.by_construction;
    json["failed"] = r.on_output == CW_DOES_NOT_DEPEND || r.on_weights == CW_DOES_NOT_DEPEND;
    std::string text = "The map " +
                       clause(r.on_weights, "the weights", redrawn.absolute_rank, r.unrelated.absolute_rank,
                              "with '" + head + "' and all later layers re-drawn, magnitudes correlate") +
                       ". It " +
                       clause(r.on_output, "the output", r.output.signed_rank, r.unrelated.signed_rank,
                              "maps of two outputs correlate") +
                       ".";
    if (r.by_construction[0])
      text += std::string(" By construction: ") + r.by_construction + ".";
    json["text"] = text;
    json["output"] = figures_json(r.output);
    json["unrelated"] = figures_json(r.unrelated);
    json["cascade"] = json["independent"] = Json::array();
    add_row(rows, name, "output", "n/a", r.output);
    add_row(rows, name, "unrelated", "n/a", r.unrelated);
    for (int part = parts->count - 1; part >= 0; part--)
      add_row(rows, name, "cascade", layers[part], r.cascade[part]);
    for (int part = parts->count - 1; part >= 0; part--)
      add_row(rows, name, "independent", layers[part], r.independent[part]);
    for (int part = 0; part < parts->count; part++) {
      json["cascade"].push_back(figures_json(r.cascade[part]));
      json["independent"].push_back(figures_json(r.independent[part]));
    }
    json["head"] = parts->first_dense;
    methods.push_back(json);
  }
  return methods;
}

}  // namespace program
