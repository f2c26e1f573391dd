// A cohort with several effects: does log J fall on those that move the classifier?
#pragma once

#include "simulations.h"

namespace program {

// One row an effect: what it alone does to the logit (scan with this effect only, minus the scan with none), its share
// of all effects' sum, and the share of |log J| in its mask alone, of all masks', beside the masks' own shares (which a
// map that knows nothing would have).  Voxels of several masks count for none.  Appends to rows; null, and no row,
// where the table has no columns alone_* and truth_effect* (`cohort --alone` with two effects at least).
Json effect_shares(Context &context, const cw_model &model, const std::string &table_file,
                   const std::vector<SimulatedScan> &simulations, Rows &rows);

}  // namespace program
