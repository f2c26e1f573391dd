// Slices as pictures: planes in radiological convention, grey values, a diverging colour map.
#pragma once

#include <array>
#include <vector>

#include "counterwarp/volume.h"

namespace counterwarp {

struct Picture {
  int width = 0, height = 0;
  std::vector<unsigned char> rgb;
  Picture(int w, int h) : width(w), height(h), rgb(size_t(3) * w * h) {}
};
// Colours for -1 .. 1: blue below 0, red above, lighter towards 0; told apart with any colour vision, since both ends
// differ in hue along blue-yellow and the sign is never carried by green.
std::array<double, 3> diverging(double value);
// Colour (red, green, blue) and opacity of a value, 1 at the ends of the scale, over a grey picture: transparent
// towards 0.
std::array<double, 4> overlay_colour(double value);
// |log J| at the ends of the overlay's colours: a round change in per cent that the 99.9th percentile lies in; not
// under `least`, nor under 10 %.
double change_scale(const std::vector<float> &log_jacobian, double least);
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
// Grey values from 0 (black) to `white`.
Picture grey(const cw_grid &slice, const std::vector<float> &samples, double white);
// Colours of values / scale over the grey picture, transparent towards 0.
void overlay(Picture &picture, const std::vector<float> &values, double scale);

// Puts every other square of another picture of the same size over this one, `squares` along its longest side.
void checkerboard(Picture &picture, const Picture &other, int squares);

// The volume's samples with every other cube left out, `cubes` along its longest side, so that any slice through it is
// a checkerboard.  What is left out is under `*least`, the least sample; so is what interpolation puts between.
std::vector<float> checkered(const cw_volume &volume, int cubes, float *least);

// Value below which `share` of the absolute samples lie; 0 without samples.
double absolute_quantile(std::vector<float> samples, double share);
// 1, 2 or 5 times a power of ten, not under value.
double round_up(double value);

}  // namespace counterwarp
