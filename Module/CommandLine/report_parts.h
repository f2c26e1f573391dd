// The parts of the page, as JSON that the page's script draws.
#pragma once

#include "evaluation.h"
#include "picture.h"

namespace program {

// All that the page can show; what was not given stays empty.
struct ReportSources {
  std::vector<SimulatedScan> simulations;
  Json group;  // group.json, null without --group
  Path group_folder;
  Rows regions, proof;
  Json classifier, simulator;  // the models' provenance, null where not given
  Json sanity;                 // sanity.json, null without --sanity
  Json transfer;               // by direction, null where no second classifier was given
  Rows classifier_curve, simulator_curve;
};

// Sentences about whether the explanation can be trusted: {"state": good | poor | open, "text": ..}.
Json verdict_part(const ReportSources &sources, bool explained);
// The verdicts of sanity.json in a few sentences.
Json sanity_verdict(const Json &sanity);
// Figures by direction: tally, transfer, scores.
Json figures_part(const ReportSources &sources);
// Logits along the strength: every held-out scan and their mean, by direction.
Json strength_part(const ReportSources &sources);
Json region_part(const ReportSources &sources);
// proof.tsv, row by row.
Json proof_part(const ReportSources &sources);
Json curve_part(const Rows &curve);

constexpr Plane all_planes[] = {Plane::axial, Plane::coronal, Plane::sagittal};
// A plane's name and the letters at its sides.
Json plane_json(Plane plane);
// Before, after and change of volume of some scans, in three planes.
Json example_part(Context &context, const ReportSources &sources, const std::vector<std::string> &ids, int count);
// Slices of the maps that `saliency` wrote, with the verdict on each method (of sanity.json where a side-car has none).
Json saliency_part(Context &context, const ReportRequest &request, const Json &sanity);
// Mean and t maps over the template (null: no background) of the model.
Json map_part(Context &context, const ReportSources &sources, const cw_model *model);

}  // namespace program
