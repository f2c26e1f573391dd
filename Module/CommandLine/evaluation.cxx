#include "evaluation.h"

#include <algorithm>
#include <cmath>

#include "counterwarp/warp.h"
#include "tally.h"

namespace program {

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

Json score_truth(Context &context, const std::vector<SimulatedScan> &simulations, Rows &rows) {
  rows.columns = {"id",  "direction",          "signed_correlation", "normalised_correlation", "average_precision",
                  "auc", "log_j_where_shrunk", "truth_where_shrunk"};
  std::vector<double> figures[6];
  std::vector<SimulatedScan> scored;
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
      figures[i].push_back(values[i]);
    }
    scored.push_back(s);
    rows.rows.push_back(row);
  }
  if (scored.empty())
    return nullptr;
  Json json;
  for (int i = 0; i < 6; i++)
    json[rows.columns[i + 2]] = summary_json(by_participant(scored, figures[i]));
  return json;
}

Json transfer(Context &context, const std::string &classifier, const std::vector<SimulatedScan> &simulations,
              Rows &rows) {
  Model model(context);
  need_file(classifier, "the second classifier");
  context.check(cw_model_read(context, classifier.c_str(), model.get()));
  rows.columns = {"id", "direction", "logit_before", "logit_after", "moved", "flipped", "held_out"};
  const int n = static_cast<int>(simulations.size());
  int known = 0;
  std::vector<double> shifts, moved, flipped, right;
  for (int i = 0; i < n; i++) {
    const SimulatedScan &s = simulations[i];
    context.part("Second classifier (" + s.direction + ")", i, n);
    const double before = logit_of(context, *model, s.scan, s.scan.image);
    const double after = logit_of(context, *model, s.scan, s.file("image"));
    const bool seen = cw_strings_contain(&model->trained_on, s.scan.participant.c_str());
    const bool there = on_wanted_side(s.sign(), before), came = on_wanted_side(s.sign(), after);
    shifts.push_back(s.sign() * (after - before));
    moved.push_back(shifts.back() > 0);
    flipped.push_back(there ? NAN : came);
    right.push_back(!there);
    known += seen;
    rows.rows.push_back({s.scan.id, s.direction, number(before), number(after), yes_no(shifts.back() > 0),
                         yes_no(there ? std::nullopt : std::optional(came)), yes_no(!seen)});
  }
  context.whole();
  if (known)
    context.warn("the second classifier was trained on " + std::to_string(known) + " of the " + std::to_string(n) +
                 " scans; give it the same --folds, --fold and --fold-seed.");
  Json json;
  json["scans"] = n;
  if (!n)
    return json;
  put_share(json, "moved", simulations, moved);
  put_share(json, "flipped", simulations, flipped);
  put_share(json, "right_before", simulations, right);
  json["logit_shift"] = summary_json(by_participant(simulations, shifts));
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
    std::vector<double> change;  // of each scan, NaN where it has none
    int scans = 0;
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
        f.change.resize(simulations.size(), NAN);
        f.change[i] = 100 * regions[r].change;
        f.scans++;
        // In the atlas's own space: an affine to the model changes volumes.
        f.volume += regions[r].voxels_before * voxel(field->grid) * std::abs(cw_affine_determinant(&to_model));
      }
    cw_release(context, regions);
  }
  context.whole();
  std::vector<RegionFigure> figures;
  for (const auto &[label, f] : found) {
    const double inside = f.volume / f.scans / whole[label];
    if (label <= 0 || inside < coverage || 2 * f.scans <= n)
      continue;
    const std::vector<double> change = by_participant(simulations, f.change);
    figures.push_back({label, names.name(label), std::min(inside, 1.0),
                       cw_summarize(change.data(), static_cast<int>(change.size()))});
  }
  const int sign = simulations.empty() ? 1 : simulations[0].sign();
  std::stable_sort(figures.begin(), figures.end(), [&](const RegionFigure &a, const RegionFigure &b) {
    return sign * a.change.mean < sign * b.change.mean;
  });
  return figures;
}

}  // namespace program
