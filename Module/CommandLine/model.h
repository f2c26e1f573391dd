// What a network's input is: grid, intensities, and which output says "patient".
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "counterwarp/onnx.h"
#include "files.h"

namespace program {

// As far as options, a MONAI bundle and the file itself tell it.
struct Manifest {
  std::array<int, 3> size{};    // D, H, W; 0: unknown
  std::vector<double> spacing;  // mm along D, H, W
  std::string orientation;      // three letters: where D, H and W point to, as in MONAI and nibabel ("RAS")
  std::string normalization;    // as the metadata key holds it
  std::string output;           // as cw_output_choice_read takes it
  std::vector<std::string> classes;
  std::vector<std::string> remarks;  // what was found and cannot be used
};

// Adds what a MONAI bundle's metadata.json says (network_data_format).
void read_bundle(const std::string &file, Manifest &manifest);
// Adds what the preprocessing of a bundle's configuration says, in its order: Spacing, Orientation, ScaleIntensity,
// NormalizeIntensity, ScaleIntensityRange, in dictionary form or not.  What others, or several of them, leave unsure is
// a remark and no entry.
void read_bundle_transforms(const Json &json, Manifest &manifest);

// The grid with its middle at `center` (RAS, mm).
cw_grid manifest_grid(const Manifest &manifest, const std::array<double, 3> &center);
// The grid of an image that is as the network takes it, with axes in the network's order.
cw_grid grid_like(const cw_grid &image, const std::string &orientation);
// "none", "minmax", "zscore", "zscore all", "percentile P", "range LOW HIGH"; throws where it is none of them.
void read_normalization(const std::string &text, cw_preprocessing &preprocessing);

}  // namespace program
