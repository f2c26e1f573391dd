#include "verdict.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tally.h"

namespace program {

namespace {

const char *const directions[] = {"inject", "remove"};
constexpr double chance = 0.5, able = 0.8, most = 0.5;

double figure(const Json &json, const char *name) {
  return json.is_object() && json.contains(name) && json[name].is_number() ? json[name].get<double>() : NAN;
}

std::string with_interval(const Json &json, int digits = 2) {
  const auto text = [&](const char *name) { return number(figure(json, name), digits); };
  return text("mean") + " (95 % interval " + text("low") + " to " + text("high") + ")";
}

// good where all of the interval is above the level, poor where all is below, else open.
const char *against(const Json &json, double level) {
  return figure(json, "low") > level ? "good" : figure(json, "high") < level ? "poor" : "open";
}

Json reason(const char *state, const std::string &text) {
  return {{"state", state}, {"text", text}};
}

Json accuracy_reason(const Json &accuracy) {
  const std::string text = "on " + std::to_string(accuracy.value("n", 0)) +
                           " held-out subjects the classifier's balanced accuracy is " + with_interval(accuracy);
  const cw_summary s = {0, figure(accuracy, "mean"), NAN, figure(accuracy, "low"), figure(accuracy, "high")};
  if (s.low > chance)
    return reason("good", text);
  return no_better_than_chance(s) ? reason("poor", text + ", no better than chance")
                                  : reason("open", text + ", which chance could give too");
}

Json carried_reason(const Json &tally, bool inject) {
  const cw_summary share = share_in(tally, "carried");
  const std::string what = inject ? "injection" : "removal";
  if (share.count == 0)
    return reason("open",
                  "no scan stood on the other side of its boundary, so that " + what + " could carry none over");
  const Json carried = summary_json(share);
  return reason(against(carried, most), what + " carries a share of " + with_interval(carried) +
                                            " of the scans over its boundary without a fold");
}

Json exchange_reason(const Json &exchange) {
  if (!exchange.is_object())
    return reason("open",
                  "how much of what it reads is shape was not measured (it takes the model and two held-out "
                  "scans of each group)");
  const Json &share = exchange.at("share");
  const std::string text = "given the other group's shape, with their own tissue, scans take " + with_interval(share) +
                           " of the way between the groups' logits";
  if (!std::isfinite(figure(share, "low")))
    return reason("open",
                  "in each other's shape the groups' logits do not differ, so that nothing can be said of what "
                  "is shape");
  const std::string state = against(share, most);
  return reason(state.c_str(), state == "poor" ? text + ": most of what it reads is no shape" : text);
}

// The first scan of each participant: a fellow must be another person.
std::vector<const SimulatedScan *> one_each(const std::vector<SimulatedScan> &scans) {
  std::vector<const SimulatedScan *> list;
  std::set<std::string> seen;
  for (const SimulatedScan &s : scans)
    if (seen.insert(s.scan.participant).second)
      list.push_back(&s);
  return list;
}

}  // namespace

bool no_better_than_chance(const cw_summary &accuracy) {
  return accuracy.low <= chance && accuracy.high < able;
}

bool find_model(Context &context, const std::string &file, const SimulatedScan &simulation, Model &model) {
  const std::string print = simulation.record.value("model_fingerprint", std::string());
  if (!file.empty()) {
    need_file(file, "the model");
    context.check(cw_model_read(context, file.c_str(), model.get()));
    if (model->kind == CW_MODEL_SIMULATOR) {
      if (fingerprint(file) != print)
        throw Failure(file + ": is not the simulator that the simulations were made with.");
      return true;
    }
    const double logit = logit_of(context, *model, simulation.scan, simulation.scan.image);
    if (std::abs(logit - simulation.before()) > 1e-3 * (1 + std::abs(simulation.before())))
      throw Failure(file + ": gives " + simulation.scan.id + " a logit of " + number(logit) +
                    ", where the simulations' own classifier gave " + number(simulation.before()) +
                    "; expected that classifier, or the simulator.");
    return true;
  }
  const Json name = simulation.record.value("model_file", Json());
  const Path beside = name.is_string() ? simulation.folder / name.get<std::string>() : Path();
  std::error_code error;
  if (!beside.empty() && std::filesystem::is_regular_file(beside, error) && fingerprint(beside) == print) {
    context.check(cw_model_read(context, beside.c_str(), model.get()));
    return true;
  }
  context.warn("the simulations' model is no longer where it was; --model FILE lets the verdict rest on it.");
  return false;
}

Json exchange_shapes(Context &context, const cw_model &model, const std::vector<SimulatedScan> &controls,
                     const std::vector<SimulatedScan> &patients, int most_pairs, Rows &rows) {
  rows.columns = {"id", "group", "fellow", "other", "logit_in_shape_of_fellow", "logit_in_shape_of_other"};
  const std::vector<const SimulatedScan *> groups[2] = {one_each(controls), one_each(patients)};
  const int n = std::min({static_cast<int>(groups[0].size()), static_cast<int>(groups[1].size()), most_pairs});
  if (n < 2)
    return nullptr;
  std::vector<std::vector<float>> inputs[2];
  for (int g = 0; g < 2; g++)
    for (int i = 0; i < n; i++)
      inputs[g].push_back(network_input(context, model, groups[g][i]->scan, false));
  const auto table = std::make_unique<double[][2][2]>(static_cast<size_t>(n));
  for (int i = 0; i < 2 * n; i++) {
    context.part("Scans in each other's shape", i, 2 * n);
    const int g = i % 2, own = i / 2, fellow = (own + 1) % n;
    float logit[2];  // fellow, other
    context.check(cw_exchange_shape(context, &model, inputs[g][own].data(), inputs[g][fellow].data(),
                                    inputs[1 - g][own].data(), logit),
                  groups[g][own]->scan.id);
    table[own][g][g] = logit[0];
    table[own][g][1 - g] = logit[1];
    rows.rows.push_back({groups[g][own]->scan.id, g ? "patient" : "control", groups[g][fellow]->scan.id,
                         groups[1 - g][own]->scan.id, number(logit[0]), number(logit[1])});
  }
  context.whole();
  cw_exchange exchange;
  context.check(cw_exchange_summarize(context, table.get(), n, &exchange));
  return {{"pairs", n},
          {"shape", summary_json(exchange.shape)},
          {"tissue", summary_json(exchange.tissue)},
          {"share", summary_json(exchange.share)}};
}

Json held_out_accuracy(const std::vector<SimulatedScan> &controls, const std::vector<SimulatedScan> &patients) {
  const auto right = [](const std::vector<SimulatedScan> &scans) {
    std::vector<double> values;
    for (const SimulatedScan &s : scans)
      values.push_back(!on_wanted_side(s.sign(), s.before()));
    const std::vector<double> participants = by_participant(scans, values);
    return std::pair(std::accumulate(participants.begin(), participants.end(), 0.0),
                     static_cast<int>(participants.size()));
  };
  const auto [of_controls, all_controls] = right(controls);
  const auto [of_patients, all_patients] = right(patients);
  return summary_json(cw_balanced_proportion(of_controls, all_controls, of_patients, all_patients));
}

Json verdict_of(const Json &accuracy, const Json &tally, const Json &exchange) {
  Json reasons = Json::array({accuracy_reason(accuracy)});
  // A classifier that tells nothing apart has nothing to explain; what a warp does to it is no evidence.
  if (reasons[0]["state"] != "poor") {
    reasons.push_back(exchange_reason(exchange));
    for (int d = 0; d < 2; d++)
      reasons.push_back(
          tally.contains(directions[d])
              ? carried_reason(tally[directions[d]], d == 0)
              : reason("open", std::string("no held-out ") + (d ? "patient was healed" : "control was injected")));
  }
  const auto any = [&](const char *state) {
    return std::any_of(reasons.begin(), reasons.end(), [&](const Json &r) { return r["state"] == state; });
  };
  const char *state = any("poor") ? "poor" : any("open") ? "open" : "good";
  // It reads shape, as far as was measured, and is not moved: that speaks against the simulator alone.
  const bool able = any("poor") && reasons.size() > 1 && reasons[0]["state"] != "poor" && reasons[1]["state"] != "poor";
  const std::string head = able          ? "This simulator does not explain the classifier: "
                           : any("poor") ? "Warping does not explain this classifier: "
                           : any("open") ? "Whether warping explains this classifier is undecided: "
                                         : "Warping explains this classifier: ";
  std::string sentence;
  for (const Json &r : reasons)
    if (r["state"] == state)
      sentence += (sentence.empty() ? head : "; ") + r["text"].get<std::string>();
  return {{"verdict", any("poor")   ? "does not explain"
                      : any("open") ? "undecided"
                                    : "explains"},
          {"state", state},
          {"sentence", sentence + "."},
          {"reasons", reasons}};
}

void add_verdict_rows(const Json &accuracy, const Json &exchange, Rows &rows) {
  const auto add = [&](const char *name, const Json &s, const char *state, const char *meaning) {
    rows.rows.push_back({"both", name, std::to_string(s.value("n", 0)), number(figure(s, "mean"), 4),
                         number(figure(s, "low"), 4), number(figure(s, "high"), 4), state, meaning});
  };
  add("balanced_accuracy", accuracy, against(accuracy, chance),
      "How well the classifier tells the held-out groups apart; where chance would do as well, nothing that a warp "
      "does "
      "to it means anything.");
  if (exchange.is_object())
    add("shape_share", exchange["share"], against(exchange["share"], most),
        "Share of the groups' distance in logits that scans take with the other group's shape, their own tissue kept: "
        "near 1 where the classifier reads shape, near 0 where it reads what no warp can change.");
}

}  // namespace program
