#include "classifiers.h"

#include <numeric>

#include "counterwarp/networks.h"
#include "scans.h"
#include "verdict.h"

namespace program {

void read_classifiers(Context &context, const std::vector<std::string> &files, Classifiers &classifiers) {
  std::vector<const cw_graph *> graphs;
  for (const std::string &file : files) {
    Model model(context);
    read_model(context, file, CW_MODEL_CLASSIFIER, model);
    classifiers.models.push_back(std::move(model));
    const cw_preprocessing &own = classifiers.models.back()->preprocessing, &first = classifiers.preprocessing();
    if (!cw_grid_same(&own.grid, &first.grid, 1e-3) || own.normalization != first.normalization ||
        own.low != first.low || own.high != first.high)
      throw Failure(file + ": prepares scans in another way than " + files[0] +
                    " (grid or normalisation); classifiers explained together take the same input.");
    graphs.push_back(classifiers.models.back()->graph);
  }
  context.check(cw_network_ensemble(context, graphs.data(), static_cast<int>(graphs.size()), classifiers.graph.out()),
                files[0]);
}

void choose_judges(Context &context, const cw_table &table, const Division &division, Classifiers &classifiers) {
  const int count = static_cast<int>(classifiers.models.size());
  for (int k = 0; k < count; k++)
    if (std::none_of(division.held_out.begin(), division.held_out.end(), [&](int row) {
          return cw_strings_contain(&classifiers.models[k]->trained_on, table.scans[row].participant);
        }))
      classifiers.judges.push_back(k);
  const size_t chosen = classifiers.judges.size();
  if (!chosen) {
    classifiers.judges.resize(classifiers.models.size());
    std::iota(classifiers.judges.begin(), classifiers.judges.end(), 0);
  } else if (static_cast<int>(chosen) < count) {
    context.say("All " + std::to_string(count) + " classifiers are moved; held-out scans are judged by the " +
                std::to_string(chosen) + " that did not learn from them.");
  }
}

bool any_better_than_chance(Context &context, const Classifiers &classifiers, const cw_dataset &dataset,
                            const std::vector<int> &rows) {
  return std::any_of(classifiers.judges.begin(), classifiers.judges.end(), [&](int judge) {
    int count[2] = {0, 0}, right[2] = {0, 0};
    for (const int row : rows) {
      float logit;
      const float *input = dataset.samples + row * cw_grid_samples(&dataset.preprocessing.grid);
      context.check(cw_model_logits(context, classifiers.models[judge].get(), input, 1, &logit));
      count[dataset.label[row]]++;
      right[dataset.label[row]] += dataset.label[row] ? logit > 0 : logit <= 0;
    }
    return !no_better_than_chance(cw_balanced_proportion(right[0], count[0], right[1], count[1]));
  });
}

std::vector<double> join(Context &context, const cw_graph *simulator, const Classifiers &classifiers,
                         const cw_margin *margins, cw_field_model field, cw_model &model) {
  std::vector<const cw_graph *> graphs;
  std::vector<cw_margin> own;
  for (const int judge : classifiers.judges) {
    graphs.push_back(classifiers.models[judge]->graph);
    own.push_back(margins[judge]);
  }
  std::vector<double> shares(own.size());
  cw_margin_shares(own.data(), static_cast<int>(own.size()), shares.data());
  Graph together(context);
  context.check(cw_network_ensemble(context, graphs.data(), static_cast<int>(graphs.size()), together.out()));
  context.check(cw_simulator_join(context, simulator, together.get(), shares.data(), field, &model.graph));
  return shares;
}

}  // namespace program
