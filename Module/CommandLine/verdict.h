// Whether warping explains a classifier at all: from held-out scans, where no truth is known.
#pragma once

#include "simulations.h"

namespace program {

// The model of some simulations: the file asked for, or the one that their side-cars name if it still is the same.
// False, with a warning, where neither can be read; a file asked for must be the simulations' own, or a classifier.
bool find_model(Context &context, const std::string &file, const SimulatedScan &simulation, Model &model);

// Scans in each other's shape (results.h): {"pairs", "shape", "tissue", "share"}, a row a scan.  Null without two scans
// of each group.
Json exchange_shapes(Context &context, const cw_model &model, const std::vector<SimulatedScan> &controls,
                     const std::vector<SimulatedScan> &patients, int most, Rows &rows);

// Whether a balanced accuracy is no better than chance: its interval holds 0.5 and stays below 0.8, so that it is not
// only wide.
bool no_better_than_chance(const cw_summary &accuracy);

// How well the classifier tells the held-out groups apart, by the logits before: {"n", "mean", "low", "high"}.
Json held_out_accuracy(const std::vector<SimulatedScan> &controls, const std::vector<SimulatedScan> &patients);

// {"verdict": explains | does not explain | undecided, "sentence", "reasons": [{"state", "text"}]}.  tally: by
// direction; exchange: null where it was not measured.  It explains where every reason holds, and does not where one
// speaks against it; what an interval leaves open leaves the verdict open.
Json verdict_of(const Json &accuracy, const Json &tally, const Json &exchange);

// The figures behind a verdict, for proof.tsv.
void add_verdict_rows(const Json &accuracy, const Json &exchange, Rows &rows);

}  // namespace program
