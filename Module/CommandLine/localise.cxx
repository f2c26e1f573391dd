// Maps against a known effect, and without one: which of them finds what the classifier sees.
#include <algorithm>
#include <cmath>

#include "sanity.h"

namespace program {

namespace {

constexpr int figures = 4;
const char *const figure_names[figures] = {"auc", "average_precision", "normalised_correlation", "mass_inside"};

// Figures of one kind of map over scans, as it is and smoothed.
struct Scores {
  std::string name;
  std::vector<double> values[2][figures];
};

// The mean of the model's voxel sizes over the scan's: sigma of the smoothed columns in the scan's voxels.
double one_voxel(const cw_grid &model, const cw_grid &scan) {
  double a[3], b[3], sum = 0;
  cw_grid_spacing(&model, a);
  cw_grid_spacing(&scan, b);
  for (int i = 0; i < 3; i++)
    sum += a[i] / b[i] / 3;
  return sum;
}

// Magnitudes of a map on the scan's grid against its truth.
void score(Context &context, const SanityWork &work, Volume &map, const Truth &truth, Scores &scores) {
  const size_t samples = cw_grid_samples(&map->grid);
  for (size_t i = 0; i < samples; i++)
    map->data[i] = std::fabs(map->data[i]);
  for (const int smooth : {0, 1}) {
    if (smooth)
      context.check(cw_volume_smooth(context, map.get(), one_voxel(work.model->preprocessing.grid, map->grid)));
    cw_score s;
    context.check(
        cw_score_map(context, map->data, truth.log_jacobian->data, truth.mask->data, truth.region->data, samples, &s));
    const double values[figures] = {s.auc, s.average_precision, s.normalised_correlation, s.mass_inside};
    for (int f = 0; f < figures; f++)
      scores.values[smooth][f].push_back(values[f]);
  }
}

// All of one scan's maps, baselines first.
void score_scan(Context &context, const SanityWork &work, const Scan &scan, int index, const std::vector<float> &group,
                std::vector<Scores> &all) {
  const std::vector<float> input = network_input(context, *work.model, scan, false);
  Volume image(context);
  read_image(context, scan, image);
  Truth truth(context);
  if (!read_truth(context, scan, *image, truth))
    return;
  const auto transform = read_transform(context, scan);
  const int *size = work.model->preprocessing.grid.size;
  size_t next = 0;
  const auto add = [&](const std::vector<float> &map) {
    Volume volume(context);
    on_scan(context, *work.model, map, pointer(transform), image->grid, volume);
    score(context, work, volume, truth, all[next++]);
  };
  std::vector<float> map(input.size());
  cw_baseline_random(work.request.seed, static_cast<uint64_t>(index), size, map.data());
  add(map);
  context.check(cw_baseline_edges(context, input.data(), size, map.data()));
  add(map);
  if (!group.empty())
    add(group);
  MethodMaps maps = maps_of(context, *work.model, work.saliency, MethodOptions(), work.methods.size(), input);
  for (size_t m = 0; m < maps.maps.size(); m++) {
    if (!maps.notes[m].finite)
      std::fill(maps.maps[m].begin(), maps.maps[m].end(), 0.0f);
    add(maps.maps[m]);
  }
}

Json scores_json(const std::vector<Scores> &all, Rows &rows) {
  rows.columns = {"map", "smoothed", "n"};
  for (const char *name : figure_names)
    for (const char *part : {"", "_low", "_high"})
      rows.columns.push_back(std::string(name) + part);
  Json json = Json::array();
  for (const Scores &scores : all) {
    if (scores.values[0][0].empty())
      continue;
    Json item = {{"map", scores.name}};
    for (const int smooth : {0, 1}) {
      std::vector<std::string> row = {scores.name, smooth ? "true" : "false",
                                      std::to_string(scores.values[smooth][0].size())};
      for (int f = 0; f < figures; f++) {
        const auto &values = scores.values[smooth][f];
        const cw_summary s = cw_summarize(values.data(), static_cast<int>(values.size()));
        item[smooth ? "smoothed" : "plain"][figure_names[f]] = summary_json(s);
        for (const double value : {s.mean, s.low, s.high})
          row.push_back(number(value));
      }
      rows.rows.push_back(row);
    }
    json.push_back(item);
  }
  return json;
}

}  // namespace

std::vector<float> group_map(Context &context, const SanityWork &work, const std::vector<Scan> &trained) {
  const size_t samples = cw_grid_samples(&work.model->preprocessing.grid);
  std::vector<float> images, map(samples);
  std::vector<int> labels;
  const int count = static_cast<int>(trained.size());
  for (int i = 0; i < count; i++) {
    context.part("Training scans", i, count);
    const std::vector<float> input = network_input(context, *work.model, trained[i], false);
    images.insert(images.end(), input.begin(), input.end());
    labels.push_back(trained[i].group == "patient");
  }
  context.whole();
  const auto patients = std::count(labels.begin(), labels.end(), 1);
  if (patients < 2 || count - patients < 2)
    return {};
  context.check(cw_baseline_group(context, images.data(), labels.data(), count, samples, map.data()));
  return map;
}

Json localise(Context &context, const SanityWork &work, const std::vector<Scan> &held_out,
              const std::vector<float> &group, Rows &rows) {
  std::vector<Scan> patients;
  for (const Scan &scan : held_out)
    if (scan.group == "patient" && !scan.truth_mask.empty() && !scan.truth_logjac.empty())
      patients.push_back(scan);
  if (patients.empty())
    return nullptr;
  std::vector<Scores> all;
  const auto named = [&](const std::string &name) {
    all.emplace_back();
    all.back().name = name;
  };
  named("baseline: random");
  named("baseline: image edges");
  if (!group.empty())
    named("baseline: group t map");
  for (const Method &method : work.methods)
    named(method.name);
  const int count = static_cast<int>(patients.size());
  for (int i = 0; i < count; i++) {
    context.part("Localisation, scan", i, count);
    score_scan(context, work, patients[i], i, group, all);
  }
  if (!work.request.simulations.empty())
    for (const char *direction : {"remove", "inject"}) {
      named(std::string("simulator: |log J|, ") +
            (direction[0] == 'r' ? "removal from patients" : "injection into controls"));
      for (const SimulatedScan &s :
           held_out_pairs(simulations_of(context, work.request.simulations, work.request.cohort), direction)) {
        Volume map(context);
        Truth truth(context);
        context.check(cw_nifti_read(context, s.file("logjacobian").c_str(), map.get()));
        if (read_truth(context, s.scan, *map, truth))
          score(context, work, map, truth, all.back());
      }
    }
  context.whole();
  return scores_json(all, rows);
}

Json faithfulness(Context &context, const SanityWork &work, const std::vector<float> &group, Rows &rows) {
  Handle<cw_faithful, cw_faithful_free> faithful(context);
  context.check(cw_faithful_create(context, work.model->graph, faithful.out()));
  std::vector<std::string> names;
  for (const Method &method : work.methods)
    names.push_back(method.name);
  const size_t methods = names.size();
  names.insert(names.end(), {"baseline: random", "baseline: image edges"});
  if (!group.empty())
    names.push_back("baseline: group t map");
  const size_t all = names.size();
  std::vector<std::vector<double>> area[2];
  std::vector<std::vector<double>> curve[2];
  for (auto &a : area)
    a.assign(all, {});
  for (auto &c : curve)
    c.assign(all, std::vector<double>(CW_FAITHFUL_POINTS, 0.0));
  std::vector<double> share(CW_FAITHFUL_POINTS);
  std::vector<int> curves(all, 0);  // of each map: scans whose map is finite
  const int count = static_cast<int>(work.scans.size());
  for (int i = 0; i < count; i++) {
    context.part("Faithfulness, scan", i, count);
    const std::vector<float> input = network_input(context, *work.model, work.scans[i], false),
                             region = foreground(input);
    MethodOptions options;
    MethodMaps maps = maps_of(context, *work.model, work.saliency, options, methods, input);
    options.negative = maps.notes[0].y < 0;  // what the classifier calls the scan
    if (options.negative)
      maps = maps_of(context, *work.model, work.saliency, options, methods, input);
    const int *size = work.model->preprocessing.grid.size;
    maps.maps.resize(all, std::vector<float>(input.size()));
    cw_baseline_random(work.request.seed, static_cast<uint64_t>(i), size, maps.maps[methods].data());
    context.check(cw_baseline_edges(context, input.data(), size, maps.maps[methods + 1].data()));
    for (size_t v = 0; v < group.size(); v++)  // large where the called class has more
      maps.maps[methods + 2][v] = options.negative ? -group[v] : group[v];
    for (size_t m = 0; m < all; m++) {
      if (m < methods && !maps.notes[m].finite)
        continue;
      cw_faithfulness f;
      context.check(
          cw_faithful_curves(context, faithful.get(), input.data(), work.model->template_samples, region.data(),
                             maps.maps[m].data(), false, {options.output, options.negative}, &f),
          work.scans[i].image);
      if (std::isfinite(f.deletion_area)) {
        area[0][m].push_back(f.deletion_area);
        area[1][m].push_back(f.insertion_area);
      }
      for (int k = 0; k < CW_FAITHFUL_POINTS; k++) {
        share[k] = f.share[k];
        curve[0][m][k] += f.deletion[k];
        curve[1][m][k] += f.insertion[k];
      }
      curves[m]++;
    }
  }
  for (auto &of_direction : curve)
    for (size_t m = 0; m < all; m++)
      for (double &value : of_direction[m])
        value /= std::max(curves[m], 1);
  context.whole();
  rows.columns = {"method",        "n",         "deletion",      "deletion_low",
                  "deletion_high", "insertion", "insertion_low", "insertion_high"};
  Json json = {{"share", share}, {"methods", Json::array()}};
  for (size_t m = 0; m < all; m++) {
    std::vector<std::string> row = {names[m], std::to_string(area[0][m].size())};
    Json item = {{"method", names[m]}};
    for (const int k : {0, 1}) {
      const cw_summary s = cw_summarize(area[k][m].data(), static_cast<int>(area[k][m].size()));
      item[k ? "insertion_area" : "deletion_area"] = summary_json(s);
      item[k ? "insertion" : "deletion"] = curve[k][m];
      for (const double value : {s.mean, s.low, s.high})
        row.push_back(number(value));
    }
    rows.rows.push_back(row);
    json["methods"].push_back(item);
  }
  return json;
}

}  // namespace program
