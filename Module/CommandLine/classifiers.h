// The classifiers that one simulator is trained for.
#pragma once

#include <algorithm>

#include "training.h"

namespace program {

// One classifier, or several that take the same input.
struct Classifiers {
  explicit Classifiers(Context &context) : graph(context) {}
  std::vector<Model> models;
  Graph graph;              // all logits
  std::vector<int> judges;  // those whose logit the file holds, by which scans are judged

  const cw_preprocessing &preprocessing() const { return models[0]->preprocessing; }
  bool trained_on(const char *participant) const {
    return std::any_of(models.begin(), models.end(),
                       [&](const Model &m) { return cw_strings_contain(&m->trained_on, participant); });
  }
  bool knows(const char *participant) const {
    return trained_on(participant) || std::any_of(models.begin(), models.end(), [&](const Model &m) {
             return cw_strings_contain(&m->held_out, participant);
           });
  }
};

void read_classifiers(Context &context, const std::vector<std::string> &files, Classifiers &classifiers);

// Of the classifiers of a cross-validation, scans that are held out are judged by those that have not learned from
// them; by all where there is none such.
void choose_judges(Context &context, const cw_table &table, const Division &division, Classifiers &classifiers);

// Whether one of the judges tells held-out scans apart better than chance.
bool any_better_than_chance(Context &context, const Classifiers &classifiers, const cw_dataset &dataset,
                            const std::vector<int> &rows);

// The file's graph, its logit that of the judges, who count alike; returns their shares.
std::vector<double> join(Context &context, const cw_graph *simulator, const Classifiers &classifiers,
                         const cw_margin *margins, cw_field_model field, cw_model &model);

}  // namespace program
