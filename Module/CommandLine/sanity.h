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

// sanity.json of a folder (or that file), checked for the parts that others read.
Json read_sanity(const Path &folder);
// Runs the checks; layers by name, first to last.
Json check_methods(Context &context, const SanityWork &work, Rows &rows, Json &layers);
// The baseline of all scans that took part in training: the groups' t map; empty where a group has under two of them.
std::vector<float> group_map(Context &context, const SanityWork &work, const std::vector<Scan> &trained);
// Maps, baselines and simulations against the known effect; null where no scan has one.
Json localise(Context &context, const SanityWork &work, const std::vector<Scan> &held_out,
              const std::vector<float> &group, Rows &rows);
// Deletion and insertion curves of the methods and of the baselines.
Json faithfulness(Context &context, const SanityWork &work, const std::vector<float> &group, Rows &rows);

}  // namespace program
