// What stands behind the simulations where no truth is known: figures that can come out badly, each with its interval
// and what it means.
#pragma once

#include "simulations.h"

namespace program {

// One row a direction and figure: n, value, its 95 % interval, whether it speaks for the simulator (good, poor, open)
// and a sentence.  tally, transfer and stability: for each direction, as tally.h, evaluation.h and below give them;
// the last two may be empty objects.
Rows proof_rows(const Json &tally, const Json &transfer, const Json &stability);

// Agreement of the mean of a group's maps on `grid` with the map of that name in other groups' folders (other seeds,
// other folds): [{"other", "correlation"}], the interval over subjects.
Json stability(Context &context, const std::vector<const float *> &maps, const cw_grid &grid, const Path &map_name,
               const std::vector<std::string> &others);
// The same as a table, of all directions.
Rows stability_rows(const Json &stability);

}  // namespace program
