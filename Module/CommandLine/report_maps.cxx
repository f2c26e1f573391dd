// The page's saliency maps: slices of each method over the scan, with what its checks say.
#include <algorithm>
#include <cmath>

#include "picture.h"
#include "report_parts.h"

namespace program {

namespace {

constexpr int pixels = 144;

struct SideCar {
  Json json;
  Path folder;
};

SideCar read_side_car(const Path &file) {
  SideCar car{read_json(file), file.parent_path()};
  for (const char *part : {"id", "maps", "source", "model_fingerprint"})
    if (!car.json.is_object() || !car.json.contains(part))
      throw Failure(file.string() + ": is not written by `counterwarp saliency`.");
  return car;
}

// Those asked for by id; else held-out patients first, then held-out scans, then any, each in the order of their names.
std::vector<SideCar> pictured_scans(const Path &folder, const std::vector<std::string> &ids, int count) {
  std::vector<Path> files;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().find("_saliency.json") != std::string::npos)
      files.push_back(entry.path());
  if (files.empty())
    throw Failure(folder.string() + ": holds no maps that `counterwarp saliency` wrote.");
  std::sort(files.begin(), files.end());
  std::vector<SideCar> of[3], chosen;
  for (const Path &file : files) {
    SideCar car = read_side_car(file);
    const bool apart = car.json.value("held_out", Json()) == true,
               patient = car.json.value("group", Json()) == "patient";
    if (std::find(ids.begin(), ids.end(), car.json["id"].get<std::string>()) != ids.end())
      chosen.push_back(std::move(car));
    else
      of[apart && patient ? 0 : apart ? 1 : 2].push_back(std::move(car));
  }
  for (auto &cars : of)
    for (size_t i = 0; ids.empty() && i < cars.size() && static_cast<int>(chosen.size()) < count; i++)
      chosen.push_back(std::move(cars[i]));
  return chosen;
}

// The side-car's verdict, or the one of the checks that the page shows if they are about the same classifier.
Json checks_of(const SideCar &car, const Json &map, const Json &sanity) {
  Json verdict = map.value("sanity", Json::object());
  if (!verdict.value("checked", false) && sanity.is_object() &&
      sanity["model_fingerprint"] == car.json["model_fingerprint"])
    for (const Json &item : sanity["methods"])
      if (item.at("method") == map.at("method")) {
        verdict = item;
        verdict["checked"] = true;
      }
  const bool checked = verdict.value("checked", false), failed = verdict.value("failed", false);
  const bool open = verdict.value("on_weights", "") == "undecided" || verdict.value("on_output", "") == "undecided";
  Json json = {{"state", failed ? "poor" : checked && !open ? "good" : "open"}};
  json["word"] = failed ? "caution" : !checked ? "unchecked" : open ? "open" : "holds";
  json["weights"] = checked ? verdict.at("on_weights") : Json();
  json["output"] = checked ? verdict.at("on_output") : Json();
  json["text"] = verdict.value("text", "");
  return json;
}

struct Map {
  Json json;
  Volume volume;
  double scale;
};

// World point where the maps, each by its own scale, are largest together.
std::array<double, 3> shared_peak(Context &context, const std::vector<Map> &maps, const cw_grid &grid) {
  Volume sum(context);
  context.check(cw_volume_create(context, &grid, 1, sum.get()));
  for (const Map &map : maps)
    for (size_t i = 0; i < cw_grid_samples(&grid) && map.scale > 0; i++)
      sum->data[i] += static_cast<float>(std::min(1.0, std::abs(map.volume->data[i]) / map.scale));
  return peak_of(context, *sum);
}

std::vector<Map> read_maps(Context &context, const SideCar &car, const cw_grid &grid, const Json &sanity) {
  std::vector<Map> maps;
  for (const Json &item : car.json["maps"]) {
    Map map{{{"method", item.at("method")}}, Volume(context), 0};
    const Path file = car.folder / item.at("file").get<std::string>();
    context.check(cw_nifti_read(context, file.c_str(), map.volume.get()));
    if (!cw_grid_same(&map.volume->grid, &grid, 0.01))
      throw Failure(file.string() + ": is not on the grid of its scan.");
    float *data = map.volume->data;
    const size_t samples = cw_grid_samples(&grid);
    std::replace_if(
        data, data + samples, [](float v) { return !std::isfinite(v); }, 0.0f);
    map.scale = absolute_quantile(std::vector<float>(data, data + samples), 0.999);
    map.json["reason"] = item.value("reason", "");
    map.json["verdict"] = checks_of(car, item, sanity);
    maps.push_back(std::move(map));
  }
  return maps;
}

Json scan_json(Context &context, const SideCar &car, const Json &sanity) {
  Volume scan(context);
  const Path source = car.folder / car.json["source"].get<std::string>();
  context.check(cw_nifti_read(context, source.c_str(), scan.get()));
  const cw_grid &grid = scan->grid;
  std::vector<Map> maps = read_maps(context, car, grid, sanity);
  const double white = absolute_quantile(std::vector<float>(scan->data, scan->data + cw_grid_samples(&grid)), 0.998);
  const auto center = shared_peak(context, maps, grid);
  Json json = {{"id", car.json["id"]}, {"group", car.json.value("group", Json())}};
  json["held_out"] = car.json.value("held_out", Json());
  json["output"] = car.json.value("output", Json());
  json["smoothed"] = car.json.value("smoothed_voxels", 0.0);
  json["scan"] = Json::array();
  json["maps"] = Json::array();
  for (const Plane plane : all_planes) {
    Json picture = plane_json(plane);
    const cw_grid slice = slice_grid(grid, plane, center.data(), pixels);
    picture["picture"] = data_uri(grey(slice, slice_of(context, *scan, slice), white));
    json["scan"].push_back(picture);
  }
  for (Map &map : maps) {
    map.json["planes"] = Json::array();
    map.json["scale"] = {{"low", -map.scale}, {"high", map.scale}};
    for (const Plane plane : all_planes) {
      const cw_grid slice = slice_grid(grid, plane, center.data(), pixels);
      Picture under = grey(slice, slice_of(context, *scan, slice), white);
      if (map.scale > 0)
        overlay(under, slice_of(context, *map.volume, slice), map.scale);
      Json picture = plane_json(plane);
      picture["picture"] = data_uri(under);
      map.json["planes"].push_back(picture);
    }
    json["maps"].push_back(map.json);
  }
  return json;
}

}  // namespace

Json saliency_part(Context &context, const ReportRequest &request, const Json &sanity) {
  Json part = {{"scans", Json::array()}};
  if (request.saliency.empty())
    return part;
  part["legend"] = data_uri(legend_strip());
  for (const SideCar &car : pictured_scans(request.saliency, request.examples, request.example_count))
    part["scans"].push_back(scan_json(context, car, sanity));
  return part;
}

}  // namespace program
