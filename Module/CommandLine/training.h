// What the two training commands share: who is trained on, options, and the model's record.
#pragma once

#include "commands.h"
#include "files.h"
#include "owned.h"

namespace program {

// Indices of a table's scans, by what they are used for; a participant is in one list only.
struct Division {
  std::vector<int> train, validation, held_out;
  cw_split split() const;
};
// Fold `fold` of `folds` is held out (folds 0: nobody); about a tenth of the others decide when to stop.
Division divide_by_fold(Context &context, const cw_table &table, int folds, int fold, uint64_t fold_seed,
                        uint64_t seed);
// held_out: for each of the table's scans.
Division divide_by(Context &context, const cw_table &table, const std::vector<bool> &held_out, uint64_t seed);

// The common options on a command.
void add_training_options(CLI::App *command, TrainingRequest &request);
// Puts what was asked for over the defaults, with checkpoint and curve beside the output.
struct TrainingFiles {
  std::string checkpoint, curve;
};
TrainingFiles apply(const TrainingRequest &request, cw_training_options &options);
// Fails early where the output cannot stand.
void prepare_output(const std::string &out);

// Fills the model's lists of participants.
void record_division(Context &context, const cw_table &table, const Division &division, cw_model &model);
// Mean training input as the model's template.
void record_template(Context &context, const cw_dataset &dataset, const Division &division, cw_model &model);
void record_provenance(Context &context, const Json &provenance, cw_model &model);
// Options as they go into the record (no times and no folders: the same run gives the same bytes).
Json options_json(const cw_training_options &options);
Json division_json(const Division &division);

}  // namespace program
