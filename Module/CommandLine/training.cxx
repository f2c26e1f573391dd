#include "training.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

namespace program {

namespace {

// A table of some rows of another; the strings stay the other's.
struct SubTable {
  std::vector<cw_scan> scans;
  cw_table table{};
  SubTable(const cw_table &from, const std::vector<int> &rows) {
    for (const int row : rows)
      scans.push_back(from.scans[row]);
    table.count = static_cast<int>(scans.size());
    table.scans = scans.data();
  }
};

// Participants of the smaller group.
int least_participants(const cw_table &table) {
  std::map<std::string, cw_group> group;
  for (int i = 0; i < table.count; i++)
    group.emplace(table.scans[i].participant, table.scans[i].group);
  int count[2] = {0, 0};
  for (const auto &entry : group)
    count[entry.second == CW_PATIENT]++;
  return std::min(count[0], count[1]);
}

// Parts the rows that are not held out into training and validation, by participant.
void part_validation(Context &context, const cw_table &table, uint64_t seed, Division &division) {
  const std::vector<int> rows = std::move(division.train);
  division.train.clear();
  const SubTable rest(table, rows);
  const int folds = std::min(10, least_participants(rest.table));
  if (folds < 2)
    throw Failure(
        "Training needs at least two participants in each group besides those held out: one to train on and one to "
        "decide when to stop.");
  std::vector<int> fold(rows.size());
  context.check(cw_table_folds(context, &rest.table, folds, seed, fold.data()));
  for (size_t i = 0; i < rows.size(); i++)
    (fold[i] == 0 ? division.validation : division.train).push_back(rows[i]);
}

}  // namespace

cw_split Division::split() const {
  cw_split split{};
  split.train = train.data();
  split.train_count = static_cast<int>(train.size());
  split.validation = validation.data();
  split.validation_count = static_cast<int>(validation.size());
  return split;
}

Division divide_by_fold(Context &context, const cw_table &table, int folds, int fold, uint64_t fold_seed,
                        uint64_t seed) {
  Division division;
  std::vector<int> of(table.count, -1);
  if (folds == 1)
    throw Failure("--folds 1 would hold everybody out; give at least 2, or 0 to hold nobody out.", exit_usage);
  if (folds > 0) {
    if (fold < 0 || fold >= folds)
      throw Failure("--fold " + std::to_string(fold) + ": with --folds " + std::to_string(folds) +
                        " the folds are 0 to " + std::to_string(folds - 1) + ".",
                    exit_usage);
    context.check(cw_table_folds(context, &table, folds, fold_seed, of.data()));
  }
  for (int i = 0; i < table.count; i++)
    (folds > 0 && of[i] == fold ? division.held_out : division.train).push_back(i);
  part_validation(context, table, seed, division);
  return division;
}

Division divide_by(Context &context, const cw_table &table, const std::vector<bool> &held_out, uint64_t seed) {
  Division division;
  for (int i = 0; i < table.count; i++)
    (held_out[i] ? division.held_out : division.train).push_back(i);
  part_validation(context, table, seed, division);
  return division;
}

void add_training_options(CLI::App *command, TrainingRequest &request) {
  command->add_option("--cohort", request.cohort, "Table of scans (TSV in the manner of BIDS participants.tsv)")
      ->required();
  command->add_option("--out", request.out, "The model to write (ONNX)")->required();
  command->add_option("--folds", request.folds, "Folds by subject; 0 holds nobody out. Default: 5")
      ->check(CLI::Range(0, 1000));
  command->add_option("--fold", request.fold, "The fold that is held out. Default: 0");
  command->add_option("--fold-seed", request.fold_seed, "Seed of the folds")->capture_default_str();
  command->add_option("--seed", request.seed, "Seed of weights, batches and the choice of validation subjects")
      ->capture_default_str();
  command->add_option("--steps", request.steps, "Training steps at most")->check(CLI::Range(1, 10000000));
  command->add_option("--batch", request.batch, "Scans in a step")->check(CLI::Range(1, 4096));
  command->add_option("--learning-rate", request.learning_rate, "Adam's largest learning rate")
      ->check(within(1e-9, 1.0));
  command->add_option("--weight-decay", request.weight_decay, "Weight decay")->check(within(0.0, 1.0));
  command->add_option("--evaluate-every", request.evaluate_every, "Steps between evaluations and checkpoints")
      ->check(CLI::Range(1, 1000000));
  command
      ->add_option("--patience", request.patience,
                   "Evaluations without a better validation loss before stopping; 0: run all steps")
      ->check(CLI::Range(0, 1000000));
  command->add_flag("--resume", request.resume, "Go on from the checkpoint OUT.checkpoint, if it exists");
}

TrainingFiles apply(const TrainingRequest &request, cw_training_options &options) {
  TrainingFiles files{request.out + ".checkpoint", request.out + ".curve.tsv"};
  if (request.steps)
    options.steps = *request.steps;
  if (request.batch)
    options.batch = *request.batch;
  if (request.learning_rate)
    options.learning_rate = *request.learning_rate;
  if (request.weight_decay)
    options.weight_decay = *request.weight_decay;
  if (request.evaluate_every)
    options.evaluate_every = *request.evaluate_every;
  options.evaluate_every = std::min(options.evaluate_every, options.steps);
  if (request.patience)
    options.patience = *request.patience;
  options.seed = request.seed;
  options.resume = request.resume;
  return files;
}

void prepare_output(const std::string &out) {
  const Path folder = Path(out).parent_path();
  if (!folder.empty())
    make_folder(folder);
  if (std::filesystem::is_directory(out))
    throw Failure(out + ": is a folder; --out names the model's file.");
}

void record_division(Context &context, const cw_table &table, const Division &division, cw_model &model) {
  const auto record = [&](const std::vector<int> &rows, cw_strings &strings) {
    for (const int row : rows)
      if (!cw_strings_contain(&strings, table.scans[row].participant))
        context.check(cw_strings_append(context, &strings, table.scans[row].participant));
  };
  record(division.train, model.trained_on);
  record(division.validation, model.trained_on);
  record(division.held_out, model.held_out);
}

void record_template(Context &context, const cw_dataset &dataset, const Division &division, cw_model &model) {
  const size_t samples = cw_grid_samples(&dataset.preprocessing.grid);
  std::vector<double> sum(samples, 0.0);
  for (const int row : division.train)
    for (size_t i = 0; i < samples; i++)
      sum[i] += dataset.samples[row * samples + i];
  model.template_samples = static_cast<float *>(cw_allocate(context, samples, sizeof(float)));
  if (!model.template_samples)
    context.check(CW_ERROR_MEMORY);
  for (size_t i = 0; i < samples; i++)
    model.template_samples[i] = static_cast<float>(sum[i] / division.train.size());
}

void record_provenance(Context &context, const Json &provenance, cw_model &model) {
  cw_release(context, model.provenance);
  model.provenance = cw_copy_string(context, json_text(provenance).c_str());
  if (!model.provenance)
    context.check(CW_ERROR_MEMORY);
}

Json options_json(const cw_training_options &options) {
  Json json;
  json["steps"] = options.steps;
  json["batch"] = options.batch;
  json["learning_rate"] = options.learning_rate;
  json["weight_decay"] = options.weight_decay;
  json["evaluate_every"] = options.evaluate_every;
  json["patience"] = options.patience;
  return json;
}

Json division_json(const Division &division) {
  return {{"training", division.train.size()},
          {"validation", division.validation.size()},
          {"held_out", division.held_out.size()}};
}

}  // namespace program
