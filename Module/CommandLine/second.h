// The second classifier that `group` shows the simulated scans to, trained on the spot where none is given.
#pragma once

#include "simulations.h"

namespace program {

// File of the classifier that request.second asks for, or "" for none.  Trained here, it is as the simulator's first
// classifier in all but the seed, on the cohort without the scans in `used` and without the model's held-out
// participants; it stays in OUT/second, is used again by a run with the same recipe, and an interrupted training goes
// on.  "": only where that classifier was trained by counterwarp, whose recipe is then known, and enough subjects are
// left.  model: the simulator or its classifier; NULL if it could not be found.
std::string second_classifier(Context &context, const GroupRequest &request, const cw_model *model,
                              const std::vector<SimulatedScan> &used);

}  // namespace program
