// Figures over many simulations.  Scans of one participant are no independent observations: shares, means and intervals
// are over participants, each with the mean of its scans.
#pragma once

#include "evaluation.h"

namespace program {

// "true", "false", or "n/a" where there is no answer.
std::string yes_no(const std::optional<bool> &answer);

// The mean of each participant's values, in order of first appearance; values that are not finite are left out.
std::vector<double> by_participant(const std::vector<SimulatedScan> &scans, const std::vector<double> &values);
// A share (values 0, 1, or NaN where a scan does not count) under its name, and in "counted" of how many participants.
void put_share(Json &json, const char *name, const std::vector<SimulatedScan> &scans,
               const std::vector<double> &values);
// Such a share, with its interval.
cw_summary share_in(const Json &json, const char *name);

// Shares moved, flipped (of those that did not stand on the wanted side to begin with), over the margin (where all
// side-cars know it) and monotone, logit shift, folds, cycle and inverse error of some simulations.
Json tally(const std::vector<SimulatedScan> &simulations);
// One row a simulation.
Rows scan_rows(const std::vector<SimulatedScan> &simulations);

}  // namespace program
