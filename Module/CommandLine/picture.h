// Pictures for the page: slices in radiological convention, a diverging colour map, PNG and base64.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "context.h"
#include "owned.h"

namespace program {

struct Picture {
  int width = 0, height = 0;
  std::vector<unsigned char> rgb;
  Picture(int w, int h) : width(w), height(h), rgb(size_t(3) * w * h) {}
};
// "data:image/png;base64,.."
std::string data_uri(const Picture &picture);

// Colours for -1 .. 1: blue below 0, red above, lighter towards 0; told apart with any colour vision, since both ends
// differ in hue along blue-yellow and the sign is never carried by green.
std::array<double, 3> diverging(double value);
// The colour map as a strip, as it looks over mid-grey tissue.
Picture legend_strip();

enum class Plane { axial, coronal, sagittal };
struct PlaneWords {
  const char *name, *left, *right, *top, *bottom;
};
PlaneWords words_of(Plane plane);

// The grid of a slice through `center` (LPS mm): i to the right of the picture, j down, one sample thick.  Radiological
// convention: the patient's right is on the left; in sagittal slices anterior is on the left.  It spans the scan's
// extent with some `pixels` along its longest side.
cw_grid slice_grid(const cw_grid &scan, Plane plane, const double center[3], int pixels);
// Samples of a volume on a slice.  between maps a point of the slice to one of the volume (nullptr: identity).
std::vector<float> slice_of(Context &context, const cw_volume &volume, const cw_grid &slice,
                            const cw_affine *between = nullptr);

// Grey values from 0 (black) to `white`.
Picture grey(const cw_grid &slice, const std::vector<float> &samples, double white);
// Colours of values / scale over the grey picture, transparent towards 0.
void overlay(Picture &picture, const std::vector<float> &values, double scale);

// Value below which `share` of the absolute samples lie; 0 without samples.
double absolute_quantile(std::vector<float> samples, double share);
// 1, 2 or 5 times a power of ten, not under value.
double round_up(double value);
// World point of the largest absolute sample after smoothing by a voxel.
std::array<double, 3> peak_of(Context &context, const cw_volume &volume);

}  // namespace program
