#include "evaluation.h"

#include <algorithm>
#include <cmath>

#include "counterwarp/warp.h"

namespace program {

namespace {

std::string yes_no(bool value) {
  return value ? "true" : "false";
}

}  // namespace

void need_grid(const cw_volume &volume, const cw_volume &like, const std::string &file) {
  if (!cw_grid_same(&volume.grid, &like.grid, 0.01))
    throw Failure(file + ": is not on the grid of the scan it belongs to.");
}

float logit_of(Context &context, const cw_model &model, const Scan &scan, const Path &image) {
  Scan of = scan;
  of.image = image.string();
  const std::vector<float> input = network_input(context, model, of, false);
  float logit;
  context.check(cw_model_logits(context, &model, input.data(), 1, &logit), of.image);
  return logit;
}

Json summary_json(const cw_summary &s) {
  const auto finite = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  return {
      {"n", s.count}, {"mean", finite(s.mean)}, {"sd", finite(s.sd)}, {"low", finite(s.low)}, {"high", finite(s.high)}};
}

Json summary_json(const std::vector<double> &values) {
  return summary_json(cw_summarize(values.data(), static_cast<int>(values.size())));
}

bool read_truth(Context &context, const Scan &scan, const cw_volume &like, Truth &truth) {
  if (scan.truth_logjac.empty() || scan.truth_mask.empty())
    return false;
  context.check(cw_nifti_read(context, scan.truth_logjac.c_str(), truth.log_jacobian.get()));
  context.check(cw_nifti_read(context, scan.truth_mask.c_str(), truth.mask.get()));
  need_grid(*truth.log_jacobian, like, scan.truth_logjac);
  need_grid(*truth.mask, like, scan.truth_mask);
  if (!scan.truth_region.empty()) {
    context.check(cw_nifti_read(context, scan.truth_region.c_str(), truth.region.get()));
    need_grid(*truth.region, like, scan.truth_region);
  }
  size_t scored = 0, positive = 0;
  for (size_t i = 0; i < cw_grid_samples(&like.grid); i++) {
    if (truth.region->data && truth.region->data[i] == 0)
      continue;
    scored++;
    positive += truth.mask->data[i] != 0;
  }
  if (positive > 0 && positive < scored)
    return true;
  context.warn(scan.truth_mask + ": holds none or all of the scored region; the scan is not scored.");
  return false;
}

Json tally(const std::vector<SimulatedScan> &simulations) {
  const int n = static_cast<int>(simulations.size());
  int moved = 0, flipped = 0, carried = 0, monotone = 0, folded_scans = 0, wrong = 0, known = 0, reached = 0;
  size_t folded = 0;
  double inverse = 0, largest = 0;
  std::vector<double> shift, of_margin, cycle, mean, farthest, composition, agreement, strain;
  for (const SimulatedScan &s : simulations) {
    moved += s.shift() > 0;
    flipped += s.flipped();
    if (s.margin() && s.margin_reached()) {
      known++;
      reached += *s.margin_reached();
      of_margin.push_back(s.shift() / *s.margin());
    }
    wrong += s.sign() * s.before() > 0;  // the classifier puts the scan on the wanted side to begin with
    monotone += s.record.at("monotone").get<bool>();
    const size_t voxels = s.record.at("folded_voxels").get<size_t>();
    folded += voxels;
    folded_scans += voxels > 0;
    carried += voxels == 0 && s.flipped();
    inverse = std::max(inverse, s.record.at("inverse_error_mm").get<double>());
    farthest.push_back(s.record.at("largest_displacement_mm").get<double>());
    largest = std::max(largest, farthest.back());
    shift.push_back(s.shift());
    cycle.push_back(s.record.at("cycle_error").get<double>());
    mean.push_back(s.record.at("mean_displacement_mm").get<double>());
    composition.push_back(s.record.at("composition_error_mm").get<double>());
    agreement.push_back(s.record.at("agreement_of_directions").get<double>());
    strain.push_back(s.record.at("strain").get<double>());
  }
  Json json;
  json["scans"] = n;
  if (!n)
    return json;
  json["moved"] = double(moved) / n;
  json["flipped"] = double(flipped) / n;
  json["carried"] = double(carried) / n;  // over the boundary, without a fold
  if (known == n) {
    json["margin"] = *simulations[0].margin();
    json["margin_reached"] = double(reached) / n;
    json["shift_of_margin"] = summary_json(of_margin);
  }
  json["monotone"] = double(monotone) / n;
  json["misclassified"] = wrong;
  json["logit_shift"] = summary_json(shift);
  json["folded_voxels"] = folded;
  json["folded_scans"] = folded_scans;
  json["cycle_error"] = summary_json(cycle);
  json["composition_error_mm"] = summary_json(composition);
  json["agreement_of_directions"] = summary_json(agreement);
  json["strain"] = summary_json(strain);
  json["largest_inverse_error_mm"] = inverse;
  json["largest_displacement_mm"] = largest;
  json["largest_displacement_each_mm"] = summary_json(farthest);
  json["mean_displacement_mm"] = summary_json(mean);
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
                         s.margin_reached() ? yes_no(*s.margin_reached()) : "n/a",
                         yes_no(s.record.at("monotone").get<bool>()), figure("folded_voxels"), figure("cycle_error"),
                         figure("inverse_error_mm"), figure("composition_error_mm"), figure("agreement_of_directions"),
                         figure("strain"), figure("largest_displacement_mm"), figure("mean_displacement_mm")});
  }
  return rows;
}

Json score_truth(Context &context, const std::vector<SimulatedScan> &simulations, Rows &rows) {
  rows.columns = {"id",  "direction",          "signed_correlation", "normalised_correlation", "average_precision",
                  "auc", "log_j_where_shrunk", "truth_where_shrunk"};
  std::vector<double> figures[6];
  for (const SimulatedScan &s : simulations) {
    Volume map(context);
    Truth truth(context);
    context.check(cw_nifti_read(context, s.file("logjacobian").c_str(), map.get()));
    if (!read_truth(context, s.scan, *map, truth))
      continue;
    const size_t samples = cw_grid_samples(&map->grid);
    double sum[2] = {0, 0};
    size_t count = 0;
    for (size_t i = 0; i < samples; i++) {
      map->data[i] *= static_cast<float>(s.sign());
      if (truth.log_jacobian->data[i] > 0.1f) {
        sum[0] += map->data[i];
        sum[1] += truth.log_jacobian->data[i];
        count++;
      }
    }
    cw_score score;
    context.check(cw_score_map(context, map->data, truth.log_jacobian->data, truth.mask->data, truth.region->data,
                               samples, &score),
                  s.scan.id);
    const double values[6] = {score.signed_correlation,     score.normalised_correlation,
                              score.average_precision,      score.auc,
                              count ? sum[0] / count : NAN, count ? sum[1] / count : NAN};
    std::vector<std::string> row = {s.scan.id, s.direction};
    for (int i = 0; i < 6; i++) {
      row.push_back(number(values[i]));
      if (std::isfinite(values[i]))
        figures[i].push_back(values[i]);
    }
    rows.rows.push_back(row);
  }
  if (figures[0].empty())
    return nullptr;
  Json json;
  for (int i = 0; i < 6; i++)
    json[rows.columns[i + 2]] = summary_json(figures[i]);
  return json;
}

Json transfer(Context &context, const std::string &classifier, const std::vector<SimulatedScan> &simulations,
              Rows &rows) {
  Model model(context);
  need_file(classifier, "the second classifier");
  context.check(cw_model_read(context, classifier.c_str(), model.get()));
  rows.columns = {"id", "direction", "logit_before", "logit_after", "moved", "flipped", "held_out"};
  const int n = static_cast<int>(simulations.size());
  int moved = 0, flipped = 0, known = 0, right = 0;
  std::vector<double> shifts;
  for (int i = 0; i < n; i++) {
    const SimulatedScan &s = simulations[i];
    context.part("Second classifier (" + s.direction + ")", i, n);
    const double before = logit_of(context, *model, s.scan, s.scan.image);
    const double after = logit_of(context, *model, s.scan, s.file("image"));
    const double shift = s.sign() * (after - before);
    const bool seen = cw_strings_contain(&model->trained_on, s.scan.participant.c_str());
    moved += shift > 0;
    flipped += s.sign() * after > 0;
    right += s.sign() * before <= 0;
    known += seen;
    shifts.push_back(shift);
    rows.rows.push_back({s.scan.id, s.direction, number(before), number(after), yes_no(shift > 0),
                         yes_no(s.sign() * after > 0), yes_no(!seen)});
  }
  context.whole();
  if (known)
    context.warn("the second classifier was trained on " + std::to_string(known) + " of the " + std::to_string(n) +
                 " scans; give it the same --folds, --fold and --fold-seed.");
  Json json;
  json["scans"] = n;
  if (!n)
    return json;
  json["moved"] = double(moved) / n;
  json["flipped"] = double(flipped) / n;
  json["right_before"] = double(right) / n;
  json["logit_shift"] = summary_json(shifts);
  json["trained_on"] = known;
  return json;
}

std::vector<RegionFigure> region_figures(Context &context, const cw_volume &atlas, const LabelTable &names, int least,
                                         double coverage, const std::vector<SimulatedScan> &simulations) {
  const auto voxel = [](const cw_grid &grid) { return std::abs(cw_affine_determinant(&grid.to_world)); };
  std::map<int, double> whole;  // mm^3
  for (size_t i = 0; i < cw_grid_samples(&atlas.grid); i++)
    if (atlas.data[i] > 0)
      whole[static_cast<int>(std::lround(atlas.data[i]))] += voxel(atlas.grid);
  struct Found {
    std::vector<double> change;
    double volume = 0;
  };
  std::map<int, Found> found;
  const int n = static_cast<int>(simulations.size());
  for (int i = 0; i < n; i++) {
    const SimulatedScan &s = simulations[i];
    context.part("Regions (" + s.direction + ")", i, n);
    Volume field(context), jacobian(context), labels(context);
    context.check(cw_nifti_read_field(context, s.file("field").c_str(), field.get()));
    context.check(cw_nifti_read(context, s.file("jacobian").c_str(), jacobian.get()));
    need_grid(*jacobian, *field, s.file("jacobian").string());
    cw_affine to_model = cw_affine_identity();
    if (s.record.at("transform_lps").is_array()) {
      const cw_affine to_scan = affine_of(s.record.at("transform_lps"));
      context.check(cw_affine_invert(context, &to_scan, &to_model), s.scan.id);
    }
    context.check(cw_volume_create(context, &field->grid, 1, labels.get()));
    context.check(cw_volume_resample_labels(context, &atlas, &to_model, labels.get()));
    cw_region *regions = nullptr;
    int count = 0;
    context.check(cw_region_changes(context, labels.get(), field.get(), jacobian.get(), static_cast<size_t>(least),
                                    &regions, &count),
                  s.scan.id);
    for (int r = 0; r < count; r++)
      if (std::isfinite(regions[r].change)) {
        Found &f = found[regions[r].label];
        f.change.push_back(100 * regions[r].change);
        // In the atlas's own space: an affine to the model changes volumes.
        f.volume += regions[r].voxels_before * voxel(field->grid) * std::abs(cw_affine_determinant(&to_model));
      }
    cw_release(context, regions);
  }
  context.whole();
  std::vector<RegionFigure> figures;
  for (const auto &[label, f] : found) {
    const double inside = f.volume / f.change.size() / whole[label];
    if (label > 0 && inside >= coverage && 2 * f.change.size() > simulations.size())
      figures.push_back({label, names.name(label), std::min(inside, 1.0),
                         cw_summarize(f.change.data(), static_cast<int>(f.change.size()))});
  }
  const int sign = simulations.empty() ? 1 : simulations[0].sign();
  std::stable_sort(figures.begin(), figures.end(), [&](const RegionFigure &a, const RegionFigure &b) {
    return sign * a.change.mean < sign * b.change.mean;
  });
  return figures;
}

}  // namespace program
