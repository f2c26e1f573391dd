#include "proof.h"

#include <algorithm>
#include <cmath>

#include "tally.h"

namespace program {

namespace {

const char *const directions[] = {"inject", "remove"};

struct Figure {
  std::string name;
  cw_summary value;
  const char *state;
  std::string meaning;
};

cw_summary summary_of(const Json &json) {
  const auto read = [&](const char *name) {
    return json.contains(name) && json[name].is_number() ? json[name].get<double>() : NAN;
  };
  return {json.value("n", 0), read("mean"), read("sd"), read("low"), read("high")};
}

const char *judge(bool good) {
  return good ? "good" : "poor";
}

std::vector<Figure> figures_of(const Json &t, const Json &second, const Json &stability) {
  std::vector<Figure> list;
  const cw_summary moved = share_in(t, "moved"), flipped = share_in(t, "flipped"), monotone = share_in(t, "monotone");
  list.push_back({"moved", moved, judge(moved.mean >= 0.95),
                  "Share of scans whose logit went the wanted way. Needed, and proves little: the worst warps do it."});
  list.push_back(
      {"flipped", flipped, judge(flipped.mean >= 0.9),
       "Share that crosses the classifier's boundary, of those that it did not put on the wanted side to begin with."});
  if (t.contains("margin_reached")) {
    const cw_summary reached = share_in(t, "margin_reached");
    list.push_back({"margin_reached", reached, judge(reached.mean >= 0.9),
                    "Share whose logit went at strength 1 as far as the simulator was trained for: by the distance "
                    "between the groups' median logits, or to the other group's median."});
    list.push_back({"shift_of_margin", summary_of(t["shift_of_margin"]), "open",
                    "Mean shift of the logit, as a share of that distance."});
  }
  list.push_back({"monotone", monotone, judge(monotone.mean >= 0.9),
                  "Share whose logit changes steadily with the strength; else a dose means nothing."});
  if (second.is_object() && second.value("scans", 0) > 0) {
    const cw_summary other = share_in(second, "moved"), crossed = share_in(second, "flipped");
    list.push_back({"second_moved", other, judge(other.mean >= 0.95),
                    "Share that a classifier trained apart sees moved the same way: whether the change is the "
                    "disease's or this classifier's alone."});
    list.push_back({"second_flipped", crossed, judge(crossed.mean >= 0.6),
                    "Share of scans that cross the other classifier's boundary, of those that it did not put on the "
                    "wanted side to begin with."});
  }
  if (stability.is_array() && !stability.empty()) {
    const Json &least = *std::min_element(stability.begin(), stability.end(), [](const Json &a, const Json &b) {
      return summary_of(a.at("correlation")).mean < summary_of(b.at("correlation")).mean;
    });
    const cw_summary other = summary_of(least.at("correlation"));
    list.push_back({"map_of_another_seed", other, judge(other.mean >= 0.8),
                    "Correlation of the mean map of log volume change with that of a simulator from another seed (the "
                    "least alike, of " +
                        std::to_string(stability.size()) + "): whether the map is the classifier's, or chance's."});
  }
  const cw_summary cycle = summary_of(t["cycle_error"]), composition = summary_of(t["composition_error_mm"]);
  list.push_back({"cycle_error", cycle, judge(cycle.mean <= 0.2),
                  "What is left of the change after the other direction has undone it, relative to the scan."});
  list.push_back({"composition_error_mm", composition, judge(composition.mean <= 0.5),
                  "Two warps of 0.4 and 0.6 of the strength against the whole one: near 0 where doses add up."});
  const cw_summary folded = share_in(t, "folded");
  list.push_back({"folded_scans", folded, judge(folded.mean == 0),
                  "Share of scans with folded voxels, where the warp is no map of tissue at all."});
  const cw_summary agreement = summary_of(t["agreement_of_directions"]);
  list.push_back(
      {"agreement_of_directions", agreement, agreement.mean >= 0.5 ? "good" : "open",
       "Correlation of log J with minus that of the other direction on the same scan: 1 where removal undoes "
       "what injection does."});
  list.push_back({"mean_displacement_mm", summary_of(t["mean_displacement_mm"]), "open",
                  "How little was moved to do it: to be compared between simulators of one classifier."});
  list.push_back({"largest_displacement_mm", summary_of(t["largest_displacement_each_mm"]), "open",
                  "The farthest that tissue went, each scan's largest."});
  list.push_back({"strain", summary_of(t["strain"]), "open", "Root mean square of the warp's strain: its energy."});
  return list;
}

}  // namespace

Rows proof_rows(const Json &tally, const Json &transfer, const Json &stability) {
  Rows rows;
  rows.columns = {"direction", "figure", "n", "value", "low_95", "high_95", "state", "meaning"};
  for (const char *direction : directions) {
    if (!tally.contains(direction) || tally[direction].value("scans", 0) == 0)
      continue;
    const Json second = transfer.value(direction, Json());
    for (const Figure &f : figures_of(tally[direction], second, stability.value(direction, Json())))
      rows.rows.push_back({direction, f.name, std::to_string(f.value.count), number(f.value.mean, 4),
                           number(f.value.low, 4), number(f.value.high, 4), f.state, f.meaning});
  }
  return rows;
}

Json stability(Context &context, const std::vector<const float *> &maps, const cw_grid &grid, const Path &map_name,
               const std::vector<std::string> &others) {
  Json list = Json::array();
  for (const std::string &folder : others) {
    need_file(Path(folder) / map_name, "the other group's map");
    Volume other(context);
    context.check(cw_nifti_read(context, (Path(folder) / map_name).c_str(), other.get()));
    if (!cw_grid_same(&grid, &other->grid, 0.01))
      throw Failure(folder + ": its maps lie on another grid than this group's.");
    cw_summary s;
    context.check(
        cw_map_agreement(context, maps.data(), static_cast<int>(maps.size()), other->data, cw_grid_samples(&grid), &s),
        folder);
    list.push_back({{"other", folder}, {"correlation", summary_json(s)}});
  }
  return list;
}

Rows stability_rows(const Json &stability) {
  Rows rows;
  rows.columns = {"direction", "other", "n", "correlation", "low_95", "high_95"};
  for (const auto &[direction, list] : stability.items())
    for (const Json &item : list) {
      const cw_summary s = summary_of(item.at("correlation"));
      rows.rows.push_back({direction, item.at("other").get<std::string>(), std::to_string(s.count), number(s.mean, 4),
                           number(s.low, 4), number(s.high, 4)});
    }
  return rows;
}

}  // namespace program
