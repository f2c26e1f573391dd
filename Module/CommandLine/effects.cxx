#include "effects.h"

#include <cmath>

#include "evaluation.h"

namespace program {

namespace {

// Files of one scan that the table names, by column.
struct EffectFiles {
  std::string none;
  std::vector<std::string> alone, mask;
};

// By the scan's id; empty where the table is of another kind.
std::map<std::string, EffectFiles> files_of(const std::string &table_file) {
  const Rows table = read_tsv(table_file);
  const int none = table.column("alone_none"), participant = table.column("participant_id"),
            session = table.column("session_id");
  std::vector<int> alone, mask;
  for (int e = 1;; e++) {
    const int a = table.column("alone_effect" + std::to_string(e)),
              m = table.column("truth_effect" + std::to_string(e));
    if (a < 0 || m < 0)
      break;
    alone.push_back(a);
    mask.push_back(m);
  }
  std::map<std::string, EffectFiles> files;
  if (none < 0 || alone.size() < 2)
    return files;
  const auto path = [&](const std::string &cell) {
    return cell == "n/a" || cell.empty() ? "" : (Path(table_file).parent_path() / cell).string();
  };
  for (const auto &row : table.rows) {
    EffectFiles own{path(row[none]), {}, {}};
    bool whole = !own.none.empty();
    for (size_t e = 0; e < alone.size(); e++) {
      own.alone.push_back(path(row[alone[e]]));
      own.mask.push_back(path(row[mask[e]]));
      whole = whole && !own.alone[e].empty() && !own.mask[e].empty();
    }
    if (whole)
      files.emplace(scan_id(row[participant], session < 0 || row[session] == "n/a" ? "" : row[session]), own);
  }
  return files;
}

// Share of |log J|, and of voxels, in each mask alone.
void shares_of_map(Context &context, const SimulatedScan &simulation, const std::vector<std::string> &masks,
                   std::vector<double> &map_share, std::vector<double> &mask_share) {
  Volume map(context);
  context.check(cw_nifti_read(context, simulation.file("logjacobian").c_str(), map.get()));
  const size_t samples = cw_grid_samples(&map->grid);
  std::vector<int> owner(samples, -1);
  for (size_t e = 0; e < masks.size(); e++) {
    Volume mask(context);
    context.check(cw_nifti_read(context, masks[e].c_str(), mask.get()));
    need_grid(*mask, *map, masks[e]);
    for (size_t v = 0; v < samples; v++)
      if (mask->data[v] != 0)
        owner[v] = owner[v] == -1 ? static_cast<int>(e) : -2;
  }
  map_share.assign(masks.size(), 0);
  mask_share.assign(masks.size(), 0);
  double all = 0, voxels = 0;
  for (size_t v = 0; v < samples; v++)
    if (owner[v] >= 0) {
      map_share[owner[v]] += std::abs(map->data[v]);
      mask_share[owner[v]]++;
      all += std::abs(map->data[v]);
      voxels++;
    }
  for (size_t e = 0; e < masks.size(); e++) {
    map_share[e] = all > 0 ? map_share[e] / all : NAN;
    mask_share[e] = voxels > 0 ? mask_share[e] / voxels : NAN;
  }
}

cw_summary summary(const std::vector<double> &values) {
  return cw_summarize(values.data(), static_cast<int>(values.size()));
}

}  // namespace

Json effect_shares(Context &context, const cw_model &model, const std::string &table_file,
                   const std::vector<SimulatedScan> &simulations, Rows &rows) {
  const std::map<std::string, EffectFiles> files = files_of(table_file);
  std::vector<const SimulatedScan *> used;
  for (const SimulatedScan &s : simulations)
    if (files.count(s.scan.id))
      used.push_back(&s);
  if (used.empty())
    return nullptr;
  rows.columns = {
      "direction",    "effect",        "n",         "logit_shift", "shift_low_95", "shift_high_95", "logit_share",
      "logit_low_95", "logit_high_95", "map_share", "map_low_95",  "map_high_95",  "mask_share",    "state"};
  const size_t effects = files.begin()->second.alone.size();
  std::vector<std::vector<double>> shift(effects), map_share(effects), mask_share(effects);
  std::vector<double> sum;
  for (size_t i = 0; i < used.size(); i++) {
    const SimulatedScan &s = *used[i];
    const EffectFiles &own = files.at(s.scan.id);
    context.part("Each effect alone (" + s.direction + ")", static_cast<int>(i), static_cast<int>(used.size()));
    const double none = logit_of(context, model, s.scan, own.none);
    std::vector<double> of_map, of_mask;
    shares_of_map(context, s, own.mask, of_map, of_mask);
    sum.push_back(0);
    for (size_t e = 0; e < effects; e++) {
      shift[e].push_back(logit_of(context, model, s.scan, own.alone[e]) - none);
      sum.back() += shift[e].back();
      map_share[e].push_back(of_map[e]);
      mask_share[e].push_back(of_mask[e]);
    }
  }
  context.whole();
  Json list = Json::array();
  for (size_t e = 0; e < effects; e++) {
    const cw_summary alone = summary(shift[e]), map = summary(map_share[e]), mask = summary(mask_share[e]);
    const cw_summary logit = cw_ratio_of_means(shift[e].data(), sum.data(), static_cast<int>(sum.size()));
    // Nearer to what the classifier reads than a map that knows nothing, by half the way at least; or no nearer at all.
    const double off = std::abs(map.mean - logit.mean), blind = std::abs(mask.mean - logit.mean);
    const char *state = !std::isfinite(logit.low) ? "open" : 2 * off <= blind ? "good" : off >= blind ? "poor" : "open";
    const auto text = [](double value) { return number(value, 4); };
    rows.rows.push_back({used[0]->direction, "effect" + std::to_string(e + 1), std::to_string(alone.count),
                         text(alone.mean), text(alone.low), text(alone.high), text(logit.mean), text(logit.low),
                         text(logit.high), text(map.mean), text(map.low), text(map.high), text(mask.mean), state});
    list.push_back({{"effect", "effect" + std::to_string(e + 1)},
                    {"logit_shift", summary_json(alone)},
                    {"logit_share", summary_json(logit)},
                    {"map_share", summary_json(map)},
                    {"mask_share", summary_json(mask)},
                    {"state", state}});
  }
  return list;
}

}  // namespace program
