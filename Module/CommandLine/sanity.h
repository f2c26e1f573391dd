// The parts of `sanity`: what its tables hold.
#pragma once

#include "evaluation.h"
#include "methods.h"

namespace program {

using Sanity = Handle<cw_sanity, cw_sanity_free>;

// What all parts work with.
struct SanityWork {
  const SanityRequest &request;
  const Model &model;
  const std::vector<Method> &methods;
  const std::vector<Scan> &scans;  // for the checks
  cw_saliency *saliency;
};

// Runs the checks; layers by name, first to last.
Json check_methods(Context &context, const SanityWork &work, Rows &rows, Json &layers);
// Maps, baselines and simulations against the known effect; null where no scan has one.
Json localise(Context &context, const SanityWork &work, const std::vector<Scan> &held_out,
              const std::vector<Scan> &trained, Rows &rows);
// Deletion and insertion curves of the methods and of a random order.
Json faithfulness(Context &context, const SanityWork &work, Rows &rows);

}  // namespace program
