// Pictures for the page: what Widgets/Pictures gives, from volumes, as PNG in base64.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "context.h"
#include "owned.h"
#include "Pictures/pictures.h"

namespace program {

using namespace counterwarp;

// "data:image/png;base64,.."
std::string data_uri(const Picture &picture);

// Samples of a volume on a slice.  between maps a point of the slice to one of the volume (nullptr: identity).
std::vector<float> slice_of(Context &context, const cw_volume &volume, const cw_grid &slice,
                            const cw_affine *between = nullptr);

// World point of the largest absolute sample after smoothing by a voxel.
std::array<double, 3> peak_of(Context &context, const cw_volume &volume);

}  // namespace program
