#include "tally.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace program {

namespace {

// One figure of each scan; NaN where it has none.
template <typename Figure>
std::vector<double> each(const std::vector<SimulatedScan> &scans, const Figure &figure) {
  std::vector<double> values;
  for (const SimulatedScan &s : scans)
    values.push_back(figure(s));
  return values;
}

double share(const std::optional<bool> &answer) {
  return answer ? double(*answer) : NAN;
}

double largest(const std::vector<double> &values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

}  // namespace

std::string yes_no(const std::optional<bool> &answer) {
  return !answer ? "n/a" : *answer ? "true" : "false";
}

std::vector<double> by_participant(const std::vector<SimulatedScan> &scans, const std::vector<double> &values) {
  std::vector<std::string> names;
  std::vector<double> sum;
  std::vector<int> count;
  for (size_t i = 0; i < scans.size(); i++) {
    if (!std::isfinite(values[i]))
      continue;
    const size_t at = std::find(names.begin(), names.end(), scans[i].scan.participant) - names.begin();
    if (at == names.size()) {
      names.push_back(scans[i].scan.participant);
      sum.push_back(0);
      count.push_back(0);
    }
    sum[at] += values[i];
    count[at]++;
  }
  for (size_t p = 0; p < sum.size(); p++)
    sum[p] /= count[p];
  return sum;
}

cw_summary share_in(const Json &json, const char *name) {
  const Json counts = json.value("counted", Json::object()), value = json.value(name, Json());
  const int n = counts.is_object() ? counts.value(name, json.value("scans", 0)) : 0;
  return cw_proportion(value.is_number() ? value.get<double>() * n : 0, n);
}

void put_share(Json &json, const char *name, const std::vector<SimulatedScan> &scans,
               const std::vector<double> &values) {
  const std::vector<double> participants = by_participant(scans, values);
  const cw_summary s = cw_summarize(participants.data(), static_cast<int>(participants.size()));
  json[name] = s.count ? Json(s.mean) : Json();
  json["counted"][name] = s.count;
}

Json tally(const std::vector<SimulatedScan> &scans) {
  const auto figure = [&](const char *name) {
    return each(scans, [&](const SimulatedScan &s) { return s.record.at(name).get<double>(); });
  };
  const auto mean = [&](const std::vector<double> &values) { return summary_json(by_participant(scans, values)); };
  const std::vector<double> folded = figure("folded_voxels"), farthest = figure("largest_displacement_mm");
  Json json;
  json["scans"] = scans.size();
  if (scans.empty())
    return json;
  put_share(json, "moved", scans, each(scans, [](const SimulatedScan &s) { return s.shift() > 0; }));
  put_share(json, "flipped", scans, each(scans, [](const SimulatedScan &s) { return share(s.flipped()); }));
  // Over the boundary, without a fold.
  put_share(json, "carried", scans, each(scans, [](const SimulatedScan &s) {
              return share(s.flipped()) * (s.record.at("folded_voxels").get<double>() == 0);
            }));
  if (std::all_of(scans.begin(), scans.end(), [](const SimulatedScan &s) { return s.margin().has_value(); })) {
    json["margin"] = *scans[0].margin();
    put_share(json, "margin_reached", scans,
              each(scans, [](const SimulatedScan &s) { return share(s.margin_reached()); }));
    json["shift_of_margin"] = mean(each(scans, [](const SimulatedScan &s) { return s.shift() / *s.margin(); }));
  }
  put_share(json, "monotone", scans,
            each(scans, [](const SimulatedScan &s) { return s.record.at("monotone").get<bool>(); }));
  json["misclassified"] =
      std::count_if(scans.begin(), scans.end(), [](const SimulatedScan &s) { return !s.flipped().has_value(); });
  json["logit_shift"] = mean(each(scans, [](const SimulatedScan &s) { return s.shift(); }));
  json["folded_voxels"] = static_cast<size_t>(std::accumulate(folded.begin(), folded.end(), 0.0));
  put_share(json, "folded", scans,
            each(scans, [](const SimulatedScan &s) { return s.record.at("folded_voxels").get<double>() > 0; }));
  json["folded_scans"] = std::count_if(folded.begin(), folded.end(), [](double voxels) { return voxels > 0; });
  for (const char *name : {"cycle_error", "composition_error_mm", "agreement_of_directions", "strain"})
    json[name] = mean(figure(name));
  json["largest_inverse_error_mm"] = largest(figure("inverse_error_mm"));
  json["largest_displacement_mm"] = largest(farthest);
  json["largest_displacement_each_mm"] = mean(farthest);
  json["mean_displacement_mm"] = mean(figure("mean_displacement_mm"));
  return json;
}

Rows scan_rows(const std::vector<SimulatedScan> &simulations) {
  Rows rows;
  rows.columns = {"id",
                  "direction",
                  "group",
                  "held_out",
                  "logit_before",
                  "logit_after",
                  "moved",
                  "flipped",
                  "margin_reached",
                  "monotone",
                  "folded_voxels",
                  "cycle_error",
                  "inverse_error_mm",
                  "composition_error_mm",
                  "agreement_of_directions",
                  "strain",
                  "largest_displacement_mm",
                  "mean_displacement_mm"};
  for (const SimulatedScan &s : simulations) {
    const auto figure = [&](const char *name) { return number(s.record.at(name).get<double>()); };
    rows.rows.push_back({s.scan.id, s.direction, s.scan.group.empty() ? "n/a" : s.scan.group, yes_no(s.is_held_out()),
                         number(s.before()), number(s.after()), yes_no(s.shift() > 0), yes_no(s.flipped()),
                         yes_no(s.margin_reached()), yes_no(s.record.at("monotone").get<bool>()),
                         figure("folded_voxels"), figure("cycle_error"), figure("inverse_error_mm"),
                         figure("composition_error_mm"), figure("agreement_of_directions"), figure("strain"),
                         figure("largest_displacement_mm"), figure("mean_displacement_mm")});
  }
  return rows;
}

}  // namespace program
