#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

#include "model.h"

namespace program {

namespace {

// World axis (LPS) and sign of an orientation letter.
struct Direction {
  int axis;
  double sign;
};

Direction direction_of(char letter) {
  switch (letter) {
    case 'L':
      return {0, 1};
    case 'R':
      return {0, -1};
    case 'P':
      return {1, 1};
    case 'A':
      return {1, -1};
    case 'S':
      return {2, 1};
    case 'I':
      return {2, -1};
    default:
      throw Failure(std::string("An orientation is three of the letters R L, A P and S I, not '") + letter + "'.");
  }
}

std::array<Direction, 3> directions_of(const std::string &orientation) {
  bool seen[3] = {false, false, false};
  if (orientation.size() != 3)
    throw Failure("The orientation '" + orientation + "' has not three letters, such as RAS.");
  std::array<Direction, 3> directions;
  for (size_t i = 0; i < 3; i++) {
    directions[i] = direction_of(orientation[i]);
    if (seen[directions[i].axis])
      throw Failure("The orientation '" + orientation + "' names an axis twice.");
    seen[directions[i].axis] = true;
  }
  return directions;
}

// MONAI's transforms have several names: Spacing, Spacingd, SpacingD, SpacingDict.
bool is_named(const std::string &target, const std::string &name) {
  const std::string last = target.substr(target.rfind('.') == std::string::npos ? 0 : target.rfind('.') + 1);
  return last == name || last == name + "d" || last == name + "D" || last == name + "Dict";
}

// The name of a list that a transform has; "" if none.
std::string which(const std::string &target, std::initializer_list<const char *> names) {
  for (const char *name : names)
    if (is_named(target, name))
      return name;
  return "";
}

bool flag(const Json &t, const char *key) {
  return t.contains(key) && t[key].is_boolean() && t[key].get<bool>();
}

// Bundles also hold null and expressions ("$...") where numbers stand.
bool holds(const Json &t, const char *key, double wanted, bool or_null) {
  return !t.contains(key) || (t[key].is_null() && or_null) || (t[key].is_number() && t[key].get<double>() == wanted);
}

bool absent(const Json &t, const char *key) {
  return !t.contains(key) || t[key].is_null();
}

// What a pipeline has done so far.
struct Pipeline {
  std::string intensity;     // the transform that changed intensities
  bool turned = false;       // by Orientation
  bool own_spacing = false;  // voxel sizes that differ were given before it, along the file's own axes
};

void take_spacing(const Json &t, Pipeline &pipeline, Manifest &manifest) {
  manifest.spacing.clear();
  if (t["pixdim"].is_number())
    manifest.spacing.push_back(t["pixdim"].get<double>());
  if (t["pixdim"].is_array())
    for (const Json &v : t["pixdim"])
      if (v.is_number())
        manifest.spacing.push_back(v.get<double>());
  const auto &list = manifest.spacing;
  pipeline.own_spacing =
      !pipeline.turned && std::adjacent_find(list.begin(), list.end(), std::not_equal_to<>()) != list.end();
}

void take_orientation(const Json &t, Pipeline &pipeline, Manifest &manifest) {
  manifest.orientation = t["axcodes"].get<std::string>();
  pipeline.turned = true;
  if (!pipeline.own_spacing)
    return;
  manifest.spacing.clear();
  pipeline.own_spacing = false;
  manifest.remarks.push_back(
      "Spacing comes before Orientation: its voxel sizes run along each file's own axes, which say nothing of the "
      "network's.");
}

std::string normalization_of(const std::string &name, const Json &t, Manifest &manifest) {
  if (name == "NormalizeIntensity" && absent(t, "subtrahend") && absent(t, "divisor"))
    return flag(t, "nonzero") ? "zscore" : "zscore all";
  if (name == "ScaleIntensity" && holds(t, "minv", 0, false) && holds(t, "maxv", 1, false))
    return "minmax";
  if (name == "ScaleIntensityRange" && t.contains("a_min") && t.contains("a_max") && t["a_min"].is_number() &&
      t["a_max"].is_number() && holds(t, "b_min", 0, true) && holds(t, "b_max", 1, true)) {
    if (!flag(t, "clip"))
      manifest.remarks.push_back("ScaleIntensityRange does not clip there; here values outside the range are clipped.");
    return "range " + number(t["a_min"].get<double>(), 12) + " " + number(t["a_max"].get<double>(), 12);
  }
  manifest.remarks.push_back("The intensity transform " + name + " has no counterpart here.");
  return "";
}

// Two transforms of intensities in a row are neither of them.
void take_intensity(const std::string &name, const Json &t, Pipeline &pipeline, Manifest &manifest) {
  if (pipeline.intensity.empty()) {
    manifest.normalization = normalization_of(name, t, manifest);
  } else {
    manifest.normalization.clear();
    manifest.remarks.push_back("The intensities are changed by " + pipeline.intensity + " and again by " + name +
                               ", which has no counterpart here.");
  }
  pipeline.intensity = name;
}

// What moves or cuts the image: where it makes a manifest's entry wrong, that is dropped.
void take_space(const std::string &target, Manifest &manifest) {
  const std::string sized = which(target, {"Resize", "Zoom", "Affine", "SpatialResample", "ResampleToMatch"});
  const std::string turned = which(target, {"Flip", "Rotate", "Rotate90", "Transpose"});
  const std::string cut =
      which(target, {"ResizeWithPadOrCrop", "SpatialPad", "BorderPad", "DivisiblePad", "Pad", "SpatialCrop",
                     "CenterSpatialCrop", "CenterScaleCrop", "CropForeground", "Crop"});
  if (!sized.empty()) {
    manifest.spacing.clear();
    manifest.remarks.push_back(sized + " changes the voxel size by an amount that depends on the scan.");
  } else if (!turned.empty()) {
    manifest.orientation.clear();
    manifest.remarks.push_back(turned + " changes where the axes point to.");
  } else if (!cut.empty()) {
    manifest.remarks.push_back(cut + " cuts or pads the scan; here the input's middle is what --center says.");
  }
}

void take_transform(const Json &t, Pipeline &pipeline, Manifest &manifest) {
  if (!t.contains("_target_") || !t["_target_"].is_string())
    return;
  const std::string target = t["_target_"],
                    name = target.substr(target.rfind('.') == std::string::npos ? 0 : target.rfind('.') + 1);
  const std::string known =
      which(target, {"NormalizeIntensity", "ScaleIntensity", "ScaleIntensityRange", "HistogramNormalize",
                     "AdjustContrast", "GaussianSmooth", "MedianSmooth", "GaussianSharpen"});
  if (is_named(target, "Spacing") && t.contains("pixdim"))
    take_spacing(t, pipeline, manifest);
  else if (is_named(target, "Orientation") && t.contains("axcodes") && t["axcodes"].is_string())
    take_orientation(t, pipeline, manifest);
  else if (!known.empty() || (name.find("Intensity") != std::string::npos && name.rfind("Rand", 0) != 0))
    take_intensity(known.empty() ? name : known, t, pipeline, manifest);
  else
    take_space(target, manifest);
}

// Json is walked, copied and written by recursion.
void refuse_deep(const Json &json, int depth = 0) {
  constexpr int deepest = 64;
  if (depth > deepest)
    throw Failure("The bundle's file is nested more than 64 levels deep.");
  if (json.is_structured())
    for (const Json &part : json)
      refuse_deep(part, depth + 1);
}

void take_all(const Json &json, Pipeline &pipeline, Manifest &manifest) {
  if (json.is_object())
    take_transform(json, pipeline, manifest);
  if (json.is_structured())
    for (const Json &part : json)
      take_all(part, pipeline, manifest);
}

}  // namespace

void read_bundle_transforms(const Json &json, Manifest &manifest) {
  Pipeline pipeline;
  refuse_deep(json);
  take_all(json, pipeline, manifest);
}

void read_bundle(const std::string &file, Manifest &manifest) {
  const Json json = read_json(file);
  refuse_deep(json);
  if (!json.contains("network_data_format") || !json["network_data_format"].is_object())
    throw Failure(file + ": is not a MONAI bundle's metadata.json: it has no network_data_format.");
  const Json &format = json["network_data_format"];
  if (format.contains("inputs") && format["inputs"].is_object() && !format["inputs"].empty()) {
    const Json &image = format["inputs"].front();
    if (image.contains("spatial_shape") && image["spatial_shape"].is_array() && image["spatial_shape"].size() == 3)
      for (size_t i = 0; i < 3; i++)
        if (image["spatial_shape"][i].is_number_integer())
          manifest.size[i] = image["spatial_shape"][i].get<int>();
    if (image.contains("num_channels") && image["num_channels"] != 1)
      manifest.remarks.push_back("The bundle's network takes " + image["num_channels"].dump() +
                                 " channels; only images of one are supported.");
    if (image.contains("value_range"))
      manifest.remarks.push_back("The bundle says that inputs lie within " + image["value_range"].dump() + ".");
  }
  if (format.contains("outputs") && format["outputs"].is_object() && !format["outputs"].empty()) {
    const Json &out = format["outputs"].front();
    for (int c = 0; out.contains("channel_def") && c < 1000; c++) {
      const std::string key = std::to_string(c);
      if (!out["channel_def"].contains(key))
        break;
      const Json &name = out["channel_def"][key];
      manifest.classes.push_back(name.is_string() ? name.get<std::string>() : name.dump());
    }
  }
}

cw_grid manifest_grid(const Manifest &manifest, const std::array<double, 3> &center) {
  const std::array<Direction, 3> directions = directions_of(manifest.orientation);
  cw_grid grid{};
  const double middle[3] = {-center[0], -center[1], center[2]};  // RAS to LPS
  for (int r = 0; r < 3; r++)
    grid.to_world.m[r][3] = middle[r];
  for (size_t t = 0; t < 3; t++) {
    const size_t index = 2 - t;  // D is the slowest index
    grid.size[index] = manifest.size[t];
    const double step = directions[t].sign * manifest.spacing[t];
    grid.to_world.m[directions[t].axis][index] = step;
    grid.to_world.m[directions[t].axis][3] -= step * (manifest.size[t] - 1) / 2;
  }
  return grid;
}

cw_grid grid_like(const cw_grid &image, const std::string &orientation) {
  const std::array<Direction, 3> directions = directions_of(orientation);
  cw_grid grid = image;
  bool used[3] = {false, false, false};
  for (size_t t = 0; t < 3; t++) {
    const int axis = directions[t].axis;
    int from = -1;
    for (int c = 0; c < 3; c++)
      if (!used[c] && (from < 0 || std::abs(image.to_world.m[axis][c]) > std::abs(image.to_world.m[axis][from])))
        from = c;
    used[from] = true;
    const size_t index = 2 - t;
    const bool turn = image.to_world.m[axis][from] * directions[t].sign < 0;
    grid.size[index] = image.size[from];
    for (int r = 0; r < 3; r++) {
      grid.to_world.m[r][index] = (turn ? -1 : 1) * image.to_world.m[r][from];
      if (turn)
        grid.to_world.m[r][3] += image.to_world.m[r][from] * (image.size[from] - 1);
    }
  }
  return grid;
}

void read_normalization(const std::string &text, cw_preprocessing &preprocessing) {
  std::istringstream words(text);
  std::string kind, more;
  words >> kind;
  preprocessing.high = 99.5;
  const auto failure = [&] {
    return Failure("The normalisation '" + text +
                   "' is none of: none, minmax, zscore, zscore all, percentile P, range LOW HIGH.");
  };
  const auto end = [&] {
    if (words >> more)
      throw failure();
  };
  if (kind == "none") {
    preprocessing.normalization = CW_NORMALIZE_NONE;
  } else if (kind == "minmax") {
    preprocessing.normalization = CW_NORMALIZE_MINMAX;
  } else if (kind == "zscore") {
    preprocessing.normalization = CW_NORMALIZE_ZSCORE;
    if (words >> more) {
      if (more != "all")
        throw failure();
      preprocessing.normalization = CW_NORMALIZE_ZSCORE_ALL;
    }
  } else if (kind == "percentile") {
    preprocessing.normalization = CW_NORMALIZE_PERCENTILE;
    if (!(words >> preprocessing.high))
      throw failure();
  } else if (kind == "range") {
    preprocessing.normalization = CW_NORMALIZE_RANGE;
    if (!(words >> preprocessing.low >> preprocessing.high))
      throw failure();
  } else {
    throw failure();
  }
  end();
}

}  // namespace program
