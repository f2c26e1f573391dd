// Figures over many simulations: how scans moved, scores against a known truth, transfer to a second classifier,
// regions.
#pragma once

#include "anatomy.h"
#include "simulations.h"

namespace program {

// What a cohort with a known effect says about a scan, on the scan's grid.
struct Truth {
  explicit Truth(cw_context *context) : log_jacobian(context), mask(context), region(context) {}
  Volume log_jacobian, mask, region;  // region: without samples where the table names none
};
// Reads a scan's truth for maps on `grid`; false where there is none, or (with a warning) where the mask holds none or
// all of the region.
bool read_truth(Context &context, const Scan &scan, const cw_volume &like, Truth &truth);
// Fails, naming the file, where a volume is not on the grid of another.
void need_grid(const cw_volume &volume, const cw_volume &like, const std::string &file);
// What a classifier says to another image of a scan.
float logit_of(Context &context, const cw_model &model, const Scan &scan, const Path &image);
// {"n", "mean", "sd", "low", "high"} of figures; null for what is not known.
Json summary_json(const cw_summary &summary);
Json summary_json(const std::vector<double> &values);

// log J against the truth (injection against +truth, removal against -truth): a row a scan, then the mean as a Json.
// Null where no scan has a truth.
Json score_truth(Context &context, const std::vector<SimulatedScan> &simulations, Rows &rows);

// What a classifier that the simulator never saw says to the written images.
Json transfer(Context &context, const std::string &classifier, const std::vector<SimulatedScan> &simulations,
              Rows &rows);

// One region of the table: its change of volume in % over the scans.
struct RegionFigure {
  int label;
  std::string name;
  double inside;  // share of the region that lies in the scans' field of view
  cw_summary change;
};
// Regions with enough voxels and enough of them inside the field of view, sorted by change, the wanted sign first
// (injection shrinks, removal grows).  The atlas lies in the cohort's world space.
std::vector<RegionFigure> region_figures(Context &context, const cw_volume &atlas, const LabelTable &names, int least,
                                         double coverage, const std::vector<SimulatedScan> &simulations);

}  // namespace program
