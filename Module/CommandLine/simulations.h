// The folder that `simulate` writes and `group` and `report` read: four images and a side-car for each scan.
#pragma once

#include <map>

#include "scans.h"

namespace program {

// Names of a simulation's files, without folder.
struct SimulationNames {
  std::string image, field, jacobian, log_jacobian, side_car;
  SimulationNames(const std::string &id, const std::string &direction);
};

// Whether a logit lies where a direction (1 inject, -1 remove) is to take it: above 0 is patient.
inline bool on_wanted_side(int sign, double logit) {
  return sign > 0 ? logit > 0 : logit <= 0;
}

// A side-car with its folder, and the scan it was made from.
struct SimulatedScan {
  Path folder;
  Json record;
  Scan scan;
  std::string direction;  // "inject" or "remove"
  int sign() const { return direction == "inject" ? 1 : -1; }
  bool is_held_out() const;
  double before() const, after() const;
  // Logit shift in the wanted direction; above 0 where the scan moved the right way.
  double shift() const;
  // Whether it crossed the classifier's boundary; nothing where it stood on the wanted side to begin with.
  std::optional<bool> flipped() const;
  // The shift that the simulator was trained for, and whether it was reached at strength 1; nothing where the side-car
  // does not say, or the scan stood beyond the goal to begin with.
  std::optional<double> margin() const;
  std::optional<bool> margin_reached() const;
  Path file(const char *which) const;
};

// All simulations of a folder.  With a table, each takes its scan (and truth) from there, and those that are not in it
// are left out; without one the side-car's own source is used.
std::vector<SimulatedScan> simulations_of(Context &context, const Path &folder, const std::string &table_file);

// Those that group results rest on: held out, injected into controls or removed from patients.
std::vector<SimulatedScan> held_out_pairs(const std::vector<SimulatedScan> &all, const std::string &direction);

}  // namespace program
