// The page's pictures: examples and group maps.
#include <algorithm>
#include <cmath>

#include "picture.h"
#include "report_parts.h"

namespace program {

namespace {

constexpr int pixels = 224;

// Colours follow the log of the volume's change, -log J, so that halving and doubling weigh the same; legends give its
// ends in %.  The scale is the change in % at the upper end, a round number that few voxels pass.
struct Scale {
  double percent, log_of;
  explicit Scale(const std::vector<float> &logs)
      : percent(std::min(400.0, round_up(100 * std::expm1(absolute_quantile(logs, 0.999))))),
        log_of(std::log1p(percent / 100)) {}
  Json json() const { return {{"low", -100 * (1 - std::exp(-log_of))}, {"high", percent}}; }
};

struct Example {
  const SimulatedScan *scan;
  Volume before, after, change;
};

// The scans whose logit shift is nearest the middle of their direction's: typical, not best.
std::vector<const SimulatedScan *> typical(const ReportSources &sources, const std::vector<std::string> &ids,
                                           int count) {
  std::vector<const SimulatedScan *> chosen;
  if (!ids.empty()) {
    for (const std::string &id : ids)
      for (const SimulatedScan &s : sources.simulations)
        if (s.scan.id == id)
          chosen.push_back(&s);
    return chosen;
  }
  for (const char *direction : {"inject", "remove"}) {
    std::vector<const SimulatedScan *> of;
    for (const bool strict : {true, false}) {
      for (const SimulatedScan &s : sources.simulations)
        if (s.direction == direction &&
            (!strict || (s.is_held_out() && s.scan.group == (s.sign() > 0 ? "control" : "patient"))))
          of.push_back(&s);
      if (!of.empty())
        break;
    }
    std::stable_sort(of.begin(), of.end(),
                     [](const SimulatedScan *a, const SimulatedScan *b) { return a->shift() < b->shift(); });
    const int n = static_cast<int>(of.size()), take = std::min(count, n);
    for (int i = 0; i < take; i++)
      chosen.push_back(of[(n - take) / 2 + i]);
  }
  return chosen;
}

}  // namespace

Json plane_json(Plane plane) {
  const PlaneWords words = words_of(plane);
  return {{"plane", words.name},
          {"left", words.left},
          {"right", words.right},
          {"top", words.top},
          {"bottom", words.bottom}};
}

Json example_part(Context &context, const ReportSources &sources, const std::vector<std::string> &ids, int count) {
  std::vector<Example> examples;
  std::vector<float> changes;
  for (const SimulatedScan *s : typical(sources, ids, count)) {
    Example example{s, Volume(context), Volume(context), Volume(context)};
    context.check(cw_nifti_read(context, s->scan.image.c_str(), example.before.get()));
    context.check(cw_nifti_read(context, s->file("image").c_str(), example.after.get()));
    context.check(cw_nifti_read(context, s->file("logjacobian").c_str(), example.change.get()));
    if (!cw_grid_same(&example.before->grid, &example.after->grid, 0.01) ||
        !cw_grid_same(&example.after->grid, &example.change->grid, 0.01))
      throw Failure(s->scan.id + ": the scan and its simulation are not on the same grid.");
    for (size_t i = 0; i < cw_grid_samples(&example.change->grid); i++)
      example.change->data[i] = -example.change->data[i];
    changes.insert(changes.end(), example.change->data, example.change->data + cw_grid_samples(&example.change->grid));
    examples.push_back(std::move(example));
  }
  const Scale scale(changes);
  Json part;
  part["scale"] = scale.json();
  part["legend"] = data_uri(legend_strip());
  part["scans"] = Json::array();
  for (Example &example : examples) {
    const cw_grid &grid = example.before->grid;
    const size_t samples = cw_grid_samples(&grid);
    const double white =
        absolute_quantile(std::vector<float>(example.before->data, example.before->data + samples), 0.998);
    const auto center = peak_of(context, *example.change);
    Json json;
    const SimulatedScan &s = *example.scan;
    json["id"] = s.scan.id;
    json["group"] = s.scan.group;
    json["direction"] = s.direction;
    json["held_out"] = s.record.at("held_out");
    json["before"] = s.before();
    json["after"] = s.after();
    json["largest_mm"] = s.record.at("largest_displacement_mm");
    json["planes"] = Json::array();
    for (const Plane plane : all_planes) {
      const cw_grid slice = slice_grid(grid, plane, center.data(), pixels);
      Json row = plane_json(plane);
      row["before"] = data_uri(grey(slice, slice_of(context, *example.before, slice), white));
      Picture after = grey(slice, slice_of(context, *example.after, slice), white);
      row["after"] = data_uri(after);
      overlay(after, slice_of(context, *example.change, slice), scale.log_of);
      row["change"] = data_uri(after);
      json["planes"].push_back(row);
    }
    part["scans"].push_back(json);
  }
  return part;
}

Json map_part(Context &context, const ReportSources &sources, const cw_model *model) {
  Json part = Json::object();
  if (!sources.group.is_object())
    return part;
  struct Maps {
    std::string direction;
    Volume mean, t;
  };
  std::vector<Maps> all;
  std::vector<float> means, ts;
  const Json directions = sources.group.value("directions", Json::object());
  for (const auto &[direction, t] : directions.items()) {
    Maps maps{direction, Volume(context), Volume(context)};
    const Path base = sources.group_folder / ("group_desc-" + direction + "_");
    context.check(cw_nifti_read(context, (base.string() + "mean.nii.gz").c_str(), maps.mean.get()));
    context.check(cw_nifti_read(context, (base.string() + "t.nii.gz").c_str(), maps.t.get()));
    if (!cw_grid_same(&maps.mean->grid, &maps.t->grid, 0.01))
      throw Failure(base.string() + "t.nii.gz: is not on the grid of the mean map.");
    const size_t samples = cw_grid_samples(&maps.mean->grid);
    means.insert(means.end(), maps.mean->data, maps.mean->data + samples);
    ts.insert(ts.end(), maps.t->data, maps.t->data + samples);
    all.push_back(std::move(maps));
  }
  const Scale mean_scale(means);
  const double t_scale = round_up(absolute_quantile(ts, 0.999));
  part["legend"] = data_uri(legend_strip());
  part["mean_scale"] = mean_scale.json();
  part["t_scale"] = {{"low", -t_scale}, {"high", t_scale}};
  part["directions"] = Json::array();
  for (const Maps &maps : all) {
    const cw_grid &grid = maps.mean->grid;
    const auto center = peak_of(context, *maps.mean);
    Volume background(context);
    context.check(cw_volume_create(context, &grid, 1, background.get()));
    if (model && model->template_samples && cw_grid_same(&model->preprocessing.grid, &grid, 0.01))
      std::copy(model->template_samples, model->template_samples + cw_grid_samples(&grid), background->data);
    const double white =
        absolute_quantile(std::vector<float>(background->data, background->data + cw_grid_samples(&grid)), 0.998);
    Json json;
    json["direction"] = maps.direction;
    json["scans"] = sources.group["directions"][maps.direction]["scans"];
    json["planes"] = Json::array();
    for (const Plane plane : all_planes) {
      const cw_grid slice = slice_grid(grid, plane, center.data(), pixels);
      const Picture under = grey(slice, slice_of(context, *background, slice), white);
      Json row = plane_json(plane);
      Picture mean = under, t = under;
      overlay(mean, slice_of(context, *maps.mean, slice), mean_scale.log_of);
      overlay(t, slice_of(context, *maps.t, slice), t_scale);
      row["mean"] = data_uri(mean);
      row["t"] = data_uri(t);
      json["planes"].push_back(row);
    }
    part["directions"].push_back(json);
  }
  return part;
}

}  // namespace program
