// What stands behind the simulations where no truth is known: figures that can come out badly, each with its interval
// and what it means.
#pragma once

#include "simulations.h"

namespace program {

// One row a direction and figure: n, value, its 95 % interval, whether it speaks for the simulator (good, poor, open)
// and a sentence.  tally and transfer: as evaluation.h gives them for each direction; transfer may be null.
Rows proof_rows(const Json &tally, const Json &transfer);

// Correlation of a group's mean maps with those of other groups' folders (other seeds, other folds), one row a
// direction and folder.  The maps must share a grid.
Rows stability_rows(Context &context, const Path &group, const std::vector<std::string> &others);

}  // namespace program
