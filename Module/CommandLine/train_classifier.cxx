// counterwarp train-classifier: patient or control, from the scans of a cohort.
#include <algorithm>
#include <cmath>
#include <set>

#include "counterwarp/networks.h"
#include "training.h"

namespace program {

namespace {

bool fits(const cw_grid &grid) {
  const int n = grid.size[0];
  return n == grid.size[1] && n == grid.size[2] && n >= 32 && n <= 128 && n % 16 == 0;
}

// The first scan's grid where the network can have it, else a cube of the same extent along the patient's axes.
cw_grid model_grid(Context &context, const cw_table &table, int size) {
  Volume first(context);
  context.check(cw_nifti_read(context, table.scans[0].image, first.get()));
  const cw_grid &grid = first->grid;
  const bool aligned = table.scans[0].transform[0] != '\0';
  if (!aligned && fits(grid) && (size == 0 || size == grid.size[0]))
    return grid;
  if (size == 0)
    size = fits(grid) ? grid.size[0] : 64;
  cw_affine to_model = cw_affine_identity();
  if (aligned) {
    cw_affine to_scan;
    context.check(cw_affine_read(context, table.scans[0].transform, &to_scan));
    context.check(cw_affine_invert(context, &to_scan, &to_model), table.scans[0].transform);
  }
  double low[3], high[3];
  for (int corner = 0; corner < 8; corner++) {
    double index[3], world[3], point[3];
    for (int a = 0; a < 3; a++)
      index[a] = corner >> a & 1 ? grid.size[a] - 0.5 : -0.5;
    cw_affine_apply(&grid.to_world, index, world);
    cw_affine_apply(&to_model, world, point);
    for (int a = 0; a < 3; a++) {
      low[a] = corner ? std::min(low[a], point[a]) : point[a];
      high[a] = corner ? std::max(high[a], point[a]) : point[a];
    }
  }
  double extent = 0, center[3];
  for (int a = 0; a < 3; a++) {
    extent = std::max(extent, high[a] - low[a]);
    center[a] = (low[a] + high[a]) / 2;
  }
  return cw_grid_cube(size, extent / size, center);
}

cw_normalization_kind normalization(const std::string &name) {
  return name == "none" ? CW_NORMALIZE_NONE : name == "zscore" ? CW_NORMALIZE_ZSCORE : CW_NORMALIZE_PERCENTILE;
}

// Balanced accuracy and logits of some scans.
Json figures(Context &context, const cw_model &model, const cw_dataset &dataset, const std::vector<int> &rows) {
  const size_t samples = cw_grid_samples(&dataset.preprocessing.grid);
  std::vector<float> logits(rows.size());
  std::vector<int> labels(rows.size());
  for (size_t i = 0; i < rows.size(); i++) {
    context.check(cw_model_logits(context, &model, dataset.samples + rows[i] * samples, 1, &logits[i]));
    labels[i] = dataset.label[rows[i]];
  }
  Json json;
  json["scans"] = rows.size();
  if (rows.empty())
    return json;
  json["balanced_accuracy"] = cw_balanced_accuracy(logits.data(), labels.data(), static_cast<int>(rows.size()));
  for (int group = 0; group < 2; group++) {
    std::vector<double> values;
    for (size_t i = 0; i < rows.size(); i++)
      if (labels[i] == group)
        values.push_back(logits[i]);
    const cw_summary summary = cw_summarize(values.data(), static_cast<int>(values.size()));
    json[group ? "patient_logit" : "control_logit"] = {{"mean", summary.mean}, {"sd", summary.sd}};
  }
  return json;
}

// Subjects that are held out here but taught the model that training starts from are not unseen.
void warn_of_known_subjects(Context &context, const cw_table &table, const Division &division, const cw_model &start,
                            const std::string &name) {
  std::set<std::string> known;
  for (const int row : division.held_out)
    if (cw_strings_contain(&start.trained_on, table.scans[row].participant))
      known.insert(table.scans[row].participant);
  if (!known.empty())
    context.warn(
        name + ": was trained on " + std::to_string(known.size()) +
        " of the subjects that are held out here, by their names; figures on them are not those of unseen scans.");
}

std::vector<bool> rows_of_participants(const cw_table &table, const std::vector<std::string> &participants) {
  std::vector<bool> rows(table.count);
  for (int i = 0; i < table.count; i++)
    rows[i] = std::binary_search(participants.begin(), participants.end(), table.scans[i].participant);
  return rows;
}

// Left-right flips need a grid whose first index axis runs left-right.
void check_flip(const cw_grid &grid, bool flip) {
  const auto &m = grid.to_world.m;
  if (flip && (std::abs(m[0][0]) < std::abs(m[1][0]) || std::abs(m[0][0]) < std::abs(m[2][0])))
    throw Failure(
        "--flip mirrors the first index axis, which does not run left-right on the model's grid; use --flip false, or "
        "--size to get a grid along the patient's axes.");
}

}  // namespace

void run_train_classifier(Context &context, const ClassifierRequest &request) {
  prepare_output(request.out);
  Table table(context);
  context.check(cw_table_read(context, request.cohort.c_str(), table.get()));
  if (table->count == 0)
    throw Failure(request.cohort + ": the table holds no scans.");
  const int folds = request.folds.value_or(5), fold = request.fold.value_or(0);
  const bool by_fold = request.held_out.empty();
  const Division division =
      by_fold ? divide_by_fold(context, *table, folds, fold, request.fold_seed, request.seed)
              : divide_by(context, *table, rows_of_participants(*table, request.held_out), request.seed);

  cw_preprocessing preprocessing{};
  preprocessing.grid = model_grid(context, *table, request.size);
  preprocessing.normalization = normalization(request.normalization);
  preprocessing.high = request.percentile;
  const int size = preprocessing.grid.size[0];
  int levels;
  context.check(cw_network_levels(context, size, &levels));
  cw_training_options options = cw_classifier_training_defaults(size);
  const TrainingFiles files = apply(request, options);
  options.wait = request.wait ? *request.wait : request.steps ? 0 : options.wait;
  options.flip = request.flip;
  options.erase = request.erase;
  options.checkpoint = files.checkpoint.c_str();
  options.curve = files.curve.c_str();
  check_flip(preprocessing.grid, options.flip);
  Model start(context);
  if (!request.start.empty()) {
    context.check(cw_model_read(context, request.start.c_str(), start.get()));
    if (start->kind != CW_MODEL_CLASSIFIER)
      throw Failure(request.start + ": holds no classifier; --start takes one that train-classifier wrote.");
    warn_of_known_subjects(context, *table, division, *start, request.start);
    options.start = start->graph;
  }

  Dataset dataset(context);
  context.check(cw_dataset_load(context, table.get(), &preprocessing, cw_nifti_read, dataset.get()));
  context.say("Training a classifier at " + std::to_string(size) + "^3: " + std::to_string(division.train.size()) +
              " scans to train on, " + std::to_string(division.validation.size()) + " to decide when to stop, " +
              std::to_string(division.held_out.size()) + " held out.");
  context.on_interruption(std::string("The same command ") + (request.resume ? "" : "with --resume ") +
                          "goes on from " + files.checkpoint + ".");
  const cw_split split = division.split();
  Graph graph(context);
  cw_training_summary summary{};
  context.check(cw_train_classifier(context, dataset.get(), &split, &options, graph.out(), &summary));

  Model model(context);
  model->kind = CW_MODEL_CLASSIFIER;
  model->graph = graph.release();
  model->preprocessing = preprocessing;
  record_division(context, *table, division, *model);
  record_template(context, *dataset, division, *model);
  Json provenance;
  provenance["about"] = "Classifier trained by counterwarp. For research use only.";
  provenance["command"] = "train-classifier";
  provenance["versions"] = {{"counterwarp", cw_version()}};
  provenance["cohort"] = Path(request.cohort).filename().string();
  provenance["size"] = size;
  if (by_fold) {
    provenance["folds"] = folds;
    provenance["fold"] = fold;
    provenance["fold_seed"] = request.fold_seed;
  }
  provenance["seed"] = request.seed;
  if (!request.start.empty())
    provenance["start"] = Path(request.start).filename().string();
  provenance["scans"] = division_json(division);
  provenance["options"] = options_json(options);
  provenance["options"]["wait"] = options.wait;
  provenance["options"]["flip"] = options.flip;
  provenance["options"]["erase"] = options.erase;
  provenance["steps"] = summary.steps;
  provenance["best_step"] = summary.best_step;
  provenance["validation_loss"] = summary.best_loss;
  const Json held_out = figures(context, *model, *dataset, division.held_out);
  provenance["held_out"] = held_out;
  record_provenance(context, provenance, *model);
  context.check(cw_model_write(context, request.out.c_str(), model.get()));
  remove_file(files.checkpoint);
  context.say("Trained " + std::to_string(summary.steps) + " steps in " + number(summary.seconds, 3) +
              " s; the weights of step " + std::to_string(summary.best_step) + " were kept (validation loss " +
              number(summary.best_loss, 3) + ").");
  if (held_out.contains("balanced_accuracy"))
    context.say("Balanced accuracy on held-out scans: " + number(held_out["balanced_accuracy"], 3));
  context.say("Wrote " + request.out);
}

void add_train_classifier(Program &program) {
  auto request = std::make_shared<ClassifierRequest>();
  CLI::App *command =
      program.add("train-classifier", "Train the reference classifier on a cohort",
                  "counterwarp train-classifier --cohort cohort/participants.tsv --out classifier.onnx");
  add_training_options(command, *request);
  command->add_option("--size", request->size,
                      "Voxels a side of the model's grid: 32..128, divisible by 16. Default: the first scan's if it "
                      "fits, else 64");
  command->add_option(
      "--start", request->start,
      "A classifier to go on from, of the same voxel size if its features are to fit: parameters of the "
      "same shape are taken over");
  command
      ->add_option("--wait", request->wait,
                   "Steps that may be added while the scans kept back stay at chance; after each quarter of them it "
                   "begins again from other weights (but for --start). Default: 1600, or 0 where --steps is given")
      ->check(CLI::Range(0, 10000000));
  command->add_option("--flip", request->flip, "Left-right flips as augmentation: true or false");
  command
      ->add_option(
          "--erase", request->erase,
          "Share of training scans that lose a random box in the second half of the steps, so that no single place "
          "carries the decision")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--normalize", request->normalization, "Intensities: percentile, zscore or none")
      ->check(CLI::IsMember({"percentile", "zscore", "none"}))
      ->capture_default_str();
  command->add_option("--percentile", request->percentile, "The percentile that becomes 1")
      ->check(within(1.0, 100.0))
      ->capture_default_str();
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings, request->seed);
      run_train_classifier(context, *request);
    };
  });
}

}  // namespace program
