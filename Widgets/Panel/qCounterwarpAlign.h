// Affine registration of a scan to a model, where the build has ITK (Module/ITK's filter).  Knows no Qt: a library of
// its own, so that ITK's C++17 stays out of the panel.
#pragma once

#include <functional>
#include <string>

#include "counterwarp/volume.h"

namespace qCounterwarpAlign {

bool available();

// The affine that maps points of the model's space to points of the scan.  progress gets 0 .. 1, and false from it
// stops the work.  False with one sentence in *problem, "" after a stop.
bool run(const std::string &model_file, const cw_volume &scan, const std::function<bool(double)> &progress,
         cw_affine *alignment, std::string *problem);

}  // namespace qCounterwarpAlign
