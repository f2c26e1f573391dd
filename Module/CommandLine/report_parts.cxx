#include "report_parts.h"

#include <cmath>
#include <cstdlib>

#include "tally.h"

namespace program {

namespace {

const char *const directions[] = {"inject", "remove"};

std::string percent(double share, int digits = 3) {
  return number(100 * share, digits) + " %";
}

// "27 of 30", of those that count.
std::string share_of(const Json &json, const char *name) {
  const cw_summary s = share_in(json, name);
  return s.count ? number(s.mean * s.count, 3) + " of " + std::to_string(s.count) : "none of 0";
}

void say(Json &list, const char *state, const std::string &text) {
  list.push_back({{"state", state}, {"text", text}});
}

double cell(const Rows &rows, const std::vector<std::string> &row, const char *name) {
  const int column = rows.column(name);
  if (column < 0)
    return NAN;
  char *end;
  const double value = std::strtod(row[column].c_str(), &end);
  return end == row[column].c_str() ? NAN : value;
}

std::string word(const Rows &rows, const std::vector<std::string> &row, const char *name) {
  const int column = rows.column(name);
  return column < 0 ? "" : row[column];
}

Json finite(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

void say_regions(const ReportSources &sources, Json &list) {
  for (int d = 0; d < 2; d++) {
    std::string first;
    for (const auto &row : sources.regions.rows) {
      if (word(sources.regions, row, "direction") != directions[d])
        continue;
      const double mean = cell(sources.regions, row, "mean_change_percent");
      const double low = cell(sources.regions, row, "low_95_percent");
      const double high = cell(sources.regions, row, "high_95_percent");
      const bool wanted = d == 0 ? mean < 0 : mean > 0;
      const bool sure = d == 0 ? high < 0 : low > 0;
      if (!wanted)
        break;
      say(list, sure ? "good" : "open",
          std::string(d == 0 ? "Injection shrinks " : "Removal enlarges ") + word(sources.regions, row, "region") +
              " most: " + number(mean, 3) + " % (95 % interval " + number(low, 3) + " to " + number(high, 3) + ").");
      break;
    }
  }
}

}  // namespace

Json verdict_part(const ReportSources &sources, bool explained) {
  Json list = Json::array();
  const Json accuracy = sources.classifier.is_object()
                            ? sources.classifier.value("held_out", Json::object()).value("balanced_accuracy", Json())
                            : Json();
  if (accuracy.is_number())
    say(list, accuracy.get<double>() >= 0.8 ? "good" : "poor",
        "The classifier tells patients from controls with a balanced accuracy of " + number(accuracy, 3) + " on " +
            std::to_string(sources.classifier["held_out"].value("scans", 0)) + " held-out scans" +
            (accuracy.get<double>() >= 0.8 ? "." : "; an explanation of a weak classifier says little."));
  bool any = false;
  for (const char *direction : directions) {
    const auto pairs = held_out_pairs(sources.simulations, direction);
    if (pairs.empty())
      continue;
    any = true;
    const Json t = tally(pairs);
    const double moved = t["moved"], monotone = t["monotone"];
    const bool inject = direction == directions[0];
    say(list, moved >= 0.95 && monotone >= 0.9 ? "good" : "poor",
        std::string(inject ? "Injection moves " : "Removal moves ") + share_of(t, "moved") + " held-out " +
            (inject ? "controls towards patient" : "patients towards control") + " and carries " +
            share_of(t, "flipped") +
            " across the classifier's boundary; the logit is monotone along the strength for " +
            share_of(t, "monotone") + ".");
    const size_t folded = t["folded_voxels"];
    const double cycle = t["cycle_error"]["mean"];
    say(list, folded == 0 && cycle <= 0.2 ? "good" : "poor",
        std::string(inject ? "Injection" : "Removal") +
            (folded == 0 ? " folds no voxel"
                         : " folds " + std::to_string(folded) + " voxels in " +
                               std::to_string(t["folded_scans"].get<int>()) + " scans") +
            "; undone by the other direction, scans come back with an error of " + percent(cycle, 2) + ".");
  }
  if (!any)
    say(list, "poor",
        "No simulation of a held-out scan is among the results; what follows may rest on training scans.");
  if (explained)
    say_regions(sources, list);
  if (sources.transfer.is_object()) {
    for (const auto &[direction, t] : sources.transfer.items())
      if (t.value("scans", 0) > 0)
        say(list, t["moved"].get<double>() >= 0.95 ? "good" : "poor",
            "A second classifier that the simulator never saw is moved the same way by " + share_of(t, "moved") +
                " of the " + (direction == "inject" ? "injected" : "healed") + " images and carries " +
                share_of(t, "flipped") + " across its boundary.");
  } else {
    say(list, "open",
        "No second classifier was given: whether the changes are the disease's, or only this classifier's, is open.");
  }
  if (sources.group.is_object() && sources.group.contains("scores"))
    for (const auto &[direction, s] : sources.group["scores"].items()) {
      const double r = s["signed_correlation"]["mean"].is_number() ? s["signed_correlation"]["mean"].get<double>() : 0;
      say(list, r >= 0.3 ? "good" : "poor",
          std::string("Against the known truth, log J of ") + (direction == "inject" ? "injection" : "removal") +
              " has a signed correlation of " + number(r, 2) + ".");
    }
  return list;
}

Json figures_part(const ReportSources &sources) {
  Json part = Json::object();
  for (const char *direction : directions) {
    const auto pairs = held_out_pairs(sources.simulations, direction);
    if (pairs.empty())
      continue;
    part[direction]["tally"] = tally(pairs);
    if (sources.transfer.is_object() && sources.transfer.contains(direction))
      part[direction]["transfer"] = sources.transfer[direction];
    if (sources.group.is_object() && sources.group.contains("scores") && sources.group["scores"].contains(direction))
      part[direction]["scores"] = sources.group["scores"][direction];
  }
  return part;
}

Json strength_part(const ReportSources &sources) {
  Json part = Json::object();
  for (const char *direction : directions) {
    const auto pairs = held_out_pairs(sources.simulations, direction);
    if (pairs.empty())
      continue;
    const Json strengths = pairs[0].record.at("curve").at("strength");
    std::vector<double> mean(strengths.size(), 0.0);
    Json scans = Json::array();
    for (const SimulatedScan &s : pairs) {
      const Json &logits = s.record.at("curve").at("logit");
      if (logits.size() != mean.size())
        throw Failure(s.scan.id + ": its side-car's curve has another length than the others'.");
      for (size_t i = 0; i < mean.size(); i++)
        mean[i] += logits[i].get<double>() / pairs.size();
      scans.push_back({{"id", s.scan.id}, {"logit", logits}});
    }
    part[direction] = {{"strength", strengths}, {"scans", scans}, {"mean", mean}};
  }
  return part;
}

Json region_part(const ReportSources &sources) {
  Json part = Json::object();
  for (const auto &row : sources.regions.rows)
    part[word(sources.regions, row, "direction")].push_back(
        {{"region", word(sources.regions, row, "region")},
         {"n", finite(cell(sources.regions, row, "n"))},
         {"mean", finite(cell(sources.regions, row, "mean_change_percent"))},
         {"sd", finite(cell(sources.regions, row, "sd_percent"))},
         {"low", finite(cell(sources.regions, row, "low_95_percent"))},
         {"high", finite(cell(sources.regions, row, "high_95_percent"))}});
  return part;
}

Json proof_part(const ReportSources &sources) {
  Json part = Json::array();
  for (const auto &row : sources.proof.rows)
    part.push_back({{"direction", word(sources.proof, row, "direction")},
                    {"figure", word(sources.proof, row, "figure")},
                    {"value", finite(cell(sources.proof, row, "value"))},
                    {"low", finite(cell(sources.proof, row, "low_95"))},
                    {"high", finite(cell(sources.proof, row, "high_95"))},
                    {"state", word(sources.proof, row, "state")},
                    {"meaning", word(sources.proof, row, "meaning")}});
  return part;
}

Json curve_part(const Rows &curve) {
  Json part;
  part["columns"] = curve.columns;
  part["rows"] = Json::array();
  for (const auto &row : curve.rows) {
    Json line = Json::array();
    for (const auto &text : row) {
      char *end;
      const double value = std::strtod(text.c_str(), &end);
      line.push_back(end == text.c_str() || *end ? Json() : finite(value));
    }
    part["rows"].push_back(line);
  }
  return part;
}

}  // namespace program
