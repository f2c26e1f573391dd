// counterwarp train-simulator: the warp that moves a frozen classifier.
#include <cmath>
#include <map>

#include "classifiers.h"
#include "counterwarp/networks.h"
#include "counterwarp/warp.h"
#include "simulations.h"
#include "verdict.h"

namespace program {

namespace {

// The subjects that no classifier was trained on, where their records know the cohort, unless a fold is asked for.
Division divide(Context &context, const SimulatorRequest &request, const cw_table &table,
                const Classifiers &classifiers) {
  if (request.fold || request.folds)
    return divide_by_fold(context, table, request.folds.value_or(5), request.fold.value_or(0), request.fold_seed,
                          request.seed);
  std::vector<bool> held_out(table.count);
  bool known = false, any = false;
  for (int i = 0; i < table.count; i++) {
    const char *participant = table.scans[i].participant;
    known = known || classifiers.knows(participant);
    held_out[i] = classifiers.knows(participant) && !classifiers.trained_on(participant);
    any = any || held_out[i];
  }
  if (any)
    return divide_by(context, table, held_out, request.seed);
  if (known && classifiers.models.size() > 1)
    throw Failure(
        "Each of the cohort's subjects was used to train one of the classifiers, so none is held out; "
        "--fold K leaves out a fold all the same, --folds 0 nobody.");
  if (known)
    return divide_by(context, table, held_out, request.seed);
  context.warn("the classifier's record knows none of the cohort's participants; fold 0 of 5 is held out.");
  return divide_by_fold(context, table, 5, 0, request.fold_seed, request.seed);
}

const std::map<std::string, cw_smoothness> &smoothness_norms() {
  static const std::map<std::string, cw_smoothness> norms{
      {"isotropic", CW_SMOOTH_ISOTROPIC}, {"absolute", CW_SMOOTH_ABSOLUTE}, {"squared", CW_SMOOTH_SQUARED}};
  return norms;
}

cw_simulator_training_options read_options(const SimulatorRequest &request, int size) {
  cw_simulator_training_options options = cw_simulator_training_defaults(
      size, request.objective == "paper" ? CW_OBJECTIVE_PAPER : CW_OBJECTIVE_CONSTRAINED);
  options.network.size = size;
  options.network.seed = request.seed;
  if (request.field == "displacement") {
    options.field = CW_FIELD_DISPLACEMENT;
    options.network.taper_margin = 0;
  } else if (request.field == "velocity") {
    options.field = CW_FIELD_VELOCITY;
    options.network.taper_margin = size / 16;
  }
  if (request.norm)
    options.norm = smoothness_norms().at(*request.norm);
  const auto put = [](const auto &from, auto &to) {
    if (from)
      to = static_cast<std::decay_t<decltype(to)>>(*from);
  };
  put(request.margin, options.margin);
  put(request.smoothness, options.smoothness);
  put(request.strain, options.strain);
  put(request.magnitude, options.magnitude);
  put(request.cycle, options.cycle);
  put(request.cycle_from, options.cycle_from);
  put(request.identity, options.identity);
  put(request.adversarial, options.adversarial);
  put(request.squarings, options.squarings);
  put(request.taper, options.network.taper_margin);
  put(request.dropout, options.network.dropout);
  options.network.route_by_direction_only = request.route_by_direction_only;
  return options;
}

Json simulator_json(const cw_simulator_training_options &options) {
  Json json = options_json(options.common);
  json["field"] = options.field == CW_FIELD_VELOCITY ? "velocity" : "displacement";
  json["objective"] = options.objective == CW_OBJECTIVE_PAPER ? "paper" : "constrained";
  json["squarings"] = options.squarings;
  json["margin"] = options.margin;
  json["smoothness"] = options.smoothness;
  for (const auto &[name, norm] : smoothness_norms())
    if (norm == options.norm)
      json["smoothness_norm"] = name;
  json["strain"] = options.strain;
  json["magnitude"] = options.magnitude;
  json["cycle"] = options.cycle;
  json["cycle_from"] = options.cycle_from;
  json["identity"] = options.identity;
  json["adversarial"] = options.adversarial;
  json["dropout"] = std::round(options.network.dropout * 1e6) / 1e6;
  json["taper_margin"] = options.network.taper_margin;
  json["route_by_direction_only"] = options.network.route_by_direction_only;
  return json;
}

// Of each classifier, and of the file's logit.  shares: of the judges, in that logit.
void record_margins(const cw_training_summary &summary, const Classifiers &classifiers,
                    const std::vector<double> &shares, Json &provenance) {
  cw_margin own = {0, {0, 0}};
  for (size_t k = 0; k < classifiers.models.size(); k++)
    provenance["margins"].push_back(summary.margin[k].distance);
  for (size_t j = 0; j < shares.size(); j++) {
    const cw_margin &m = summary.margin[classifiers.judges[j]];
    own.distance += shares[j] * m.distance;
    for (int group = 0; group < 2; group++)
      own.median[group] += shares[j] * m.median[group];
  }
  provenance["judges"] = classifiers.judges;
  provenance["shares"] = shares;
  provenance["margin"] = own.distance;
  provenance["median_logit"] = {{"control", own.median[0]}, {"patient", own.median[1]}};
  provenance["gain"] = {{"inject", summary.gain[0]}, {"remove", summary.gain[1]}};
}

// On the model's grid: controls injected, patients healed.  margins: of each classifier; a scan reaches the margin
// where each judge's logit comes to its goal.  shares: as above.
Json figures(Context &context, const cw_model &model, const Classifiers &classifiers, const cw_margin *margins,
             const std::vector<double> &shares, const cw_dataset &dataset, const std::vector<int> &rows) {
  const cw_grid &grid = dataset.preprocessing.grid;
  const size_t samples = cw_grid_samples(&grid);
  std::vector<float> field(3 * samples), u(3 * samples), warped(samples), jacobian(samples);
  Json json;
  for (int group = 0; group < 2; group++) {
    const float direction = group == 0 ? 1.0f : -1.0f;
    int count = 0, moved = 0, others = 0, flipped = 0, reached = 0;
    size_t folded = 0;
    std::vector<double> shifts;
    std::vector<int> each(shares.size());
    for (const int row : rows) {
      if (dataset.label[row] != group)
        continue;
      const float *input = dataset.samples + row * samples;
      context.check(cw_model_fields(context, &model, input, 1, direction, field.data()));
      context.check(cw_model_displacement(context, &model, field.data(), 1, u.data()));
      cw_warp_forward(grid.size, 1, input, u.data(), warped.data(), cw_context_threads(context));
      folded += cw_jacobian_determinant(grid.size, u.data(), false, jacobian.data(), cw_context_threads(context));
      double before = 0, after = 0;  // of the file's logit
      bool all = true;
      for (size_t j = 0; j < each.size(); j++) {
        const int k = classifiers.judges[j];
        float own[2];
        context.check(cw_model_logits(context, classifiers.models[k].get(), input, 1, &own[0]));
        context.check(cw_model_logits(context, classifiers.models[k].get(), warped.data(), 1, &own[1]));
        before += shares[j] * own[0];
        after += shares[j] * own[1];
        each[j] += direction * (own[1] - own[0]) > 0;
        all = all && cw_margin_share(&margins[k], direction, own[0], own[1]) >= 1;
      }
      shifts.push_back(direction * (after - before));
      count++;
      moved += shifts.back() > 0;
      if (!on_wanted_side(group ? -1 : 1, before)) {
        others++;
        flipped += on_wanted_side(group ? -1 : 1, after);
      }
      reached += all;
    }
    if (!count)
      continue;
    const cw_summary shift = cw_summarize(shifts.data(), count);
    Json &part = json[group == 0 ? "inject" : "remove"];
    part = {{"scans", count},
            {"moved", double(moved) / count},
            {"flipped", others ? Json(double(flipped) / others) : Json()},
            {"margin_reached", double(reached) / count},
            {"shift", shift.mean},
            {"folded_voxels", folded}};
    for (size_t j = 0; each.size() > 1 && j < each.size(); j++)
      part["moved_by_classifier"].push_back(double(each[j]) / count);
  }
  return json;
}

}  // namespace

void run_train_simulator(Context &context, const SimulatorRequest &request) {
  prepare_output(request.out);
  Classifiers classifiers(context);
  read_classifiers(context, request.classifiers, classifiers);
  const int size = classifiers.preprocessing().grid.size[0];
  int levels;
  context.check(cw_network_levels(context, size, &levels), request.classifiers[0]);
  Table table(context);
  context.check(cw_table_read(context, request.cohort.c_str(), table.get()));
  if (table->count == 0)
    throw Failure(request.cohort + ": the table holds no scans.");
  const Division division = divide(context, request, *table, classifiers);
  choose_judges(context, *table, division, classifiers);

  cw_simulator_training_options options = read_options(request, size);
  const TrainingFiles files = apply(request, options.common);
  options.common.checkpoint = files.checkpoint.c_str();
  options.common.curve = files.curve.c_str();

  Dataset dataset(context);
  context.check(cw_dataset_load(context, table.get(), &classifiers.preprocessing(), cw_nifti_read, dataset.get()));
  if (!any_better_than_chance(context, classifiers, *dataset, division.held_out))
    context.warn(
        "the classifier tells the held-out scans apart no better than chance: there is nothing that a warp could "
        "explain, and `group` will say so.");
  context.say("Training a simulator at " + std::to_string(size) + "^3: " + std::to_string(division.train.size()) +
              " scans to train on, " + std::to_string(division.validation.size()) + " to decide when to stop, " +
              std::to_string(division.held_out.size()) + " held out.");
  context.on_interruption("The same command with --resume goes on from " + files.checkpoint + ".");
  const cw_split split = division.split();
  Graph simulator(context);
  cw_training_summary summary{};
  context.check(
      cw_train_simulator(context, dataset.get(), &split, classifiers.graph.get(), &options, simulator.out(), &summary));

  Model model(context);
  model->kind = CW_MODEL_SIMULATOR;
  const std::vector<double> shares = join(context, simulator.get(), classifiers, summary.margin, options.field, *model);
  model->preprocessing = classifiers.preprocessing();
  model->field = options.field;
  record_division(context, *table, division, *model);
  // Whoever a judge has learnt from is no held-out subject of all together.
  for (const int judge : classifiers.judges) {
    const cw_strings &known = classifiers.models[judge]->trained_on;
    for (int i = 0; i < known.count; i++)
      if (!cw_strings_contain(&model->trained_on, known.item[i]))
        context.check(cw_strings_append(context, &model->trained_on, known.item[i]));
  }
  record_template(context, *dataset, division, *model);
  Json provenance;
  provenance["about"] = "Simulator trained by counterwarp. For research use only.";
  provenance["command"] = "train-simulator";
  provenance["versions"] = {{"counterwarp", cw_version()}};
  provenance["cohort"] = Path(request.cohort).filename().string();
  provenance["size"] = size;
  provenance["seed"] = request.seed;
  provenance["scans"] = division_json(division);
  provenance["options"] = simulator_json(options);
  provenance["steps"] = summary.steps;
  provenance["best_step"] = summary.best_step;
  record_margins(summary, classifiers, shares, provenance);
  provenance["validation_loss"] = summary.best_loss;
  const Json held_out = figures(context, *model, classifiers, summary.margin, shares, *dataset, division.held_out);
  provenance["held_out"] = held_out;
  Json records = Json::array();
  for (const Model &classifier : classifiers.models)
    records.push_back(
        classifier->provenance && Json::accept(classifier->provenance) ? Json::parse(classifier->provenance) : Json());
  provenance["classifiers"] = records;
  record_provenance(context, provenance, *model);
  context.check(cw_model_write(context, request.out.c_str(), model.get()));
  remove_file(files.checkpoint);
  context.say("Trained " + std::to_string(summary.steps) + " steps in " + number(summary.seconds, 3) +
              " s; the weights of step " + std::to_string(summary.best_step) + " were kept.");
  for (const auto &[direction, f] : held_out.items())
    context.say("Held-out scans, " + direction + ": " + number(100 * f["moved"].get<double>(), 3) +
                " % moved the right way, mean logit shift " + number(f["shift"], 3));
  context.say("Wrote " + request.out);
}

void add_train_simulator(Program &program) {
  auto request = std::make_shared<SimulatorRequest>();
  CLI::App *command = program.add(
      "train-simulator", "Train the simulator of a classifier",
      "counterwarp train-simulator --cohort cohort/participants.tsv --classifier classifier.onnx --out simulator.onnx");
  add_training_options(command, *request);
  command
      ->add_option("--classifier", request->classifiers,
                   "The classifier to explain; its held-out subjects are held out here too, unless --fold is given.  "
                   "Several (seeds, folds of one study) are moved together, up to 8")
      ->expected(1, CW_MAX_CLASSIFIERS)
      ->delimiter(',')
      ->required();
  command->add_option("--field", request->field, "What the network gives: velocity (no folds) or displacement")
      ->check(CLI::IsMember({"velocity", "displacement"}));
  command
      ->add_option(
          "--objective", request->objective,
          "constrained: the smallest warp that moves the logit by the margin; paper: its weighted sum, with its "
          "weights (displacement, margin 12.5, smoothness 0.001, cycle 1) unless given")
      ->check(CLI::IsMember({"constrained", "paper"}));
  command->add_option("--margin", request->margin, "Logit shift to reach; 0: from the classifier's own logits")
      ->check(within(0.0, 1000.0));
  command->add_option("--smoothness", request->smoothness, "Weight of the field's smoothness")->check(within(0.0, 1e9));
  command
      ->add_option("--smoothness-norm", request->norm,
                   "isotropic: by the whole strain; absolute (the paper's), squared: each axis apart")
      ->check(CLI::IsMember({"isotropic", "absolute", "squared"}));
  command
      ->add_option("--strain", request->strain,
                   "Isotropic: change of the field from a voxel to the next below which the cost is quadratic")
      ->check(within(1e-6, 1e3));
  command->add_option("--magnitude", request->magnitude, "Weight of the field's mean square, in voxels")
      ->check(within(0.0, 1e9));
  command->add_option("--cycle", request->cycle, "Weight of the cycle's error")->check(within(0.0, 1e9));
  command->add_option("--cycle-from", request->cycle_from, "First step with the cycle")->check(CLI::Range(0, 10000000));
  command->add_option("--identity", request->identity, "Weight of the identity loss")->check(within(0.0, 1e9));
  command->add_option("--adversarial", request->adversarial, "Weight of the adversarial loss")->check(within(0.0, 1e9));
  command->add_option("--squarings", request->squarings, "Squarings of the velocity in training")
      ->check(CLI::Range(0, 12));
  command->add_option("--taper", request->taper, "Voxels over which the velocity falls to zero at the box")
      ->check(CLI::Range(0, 32));
  command->add_option("--dropout", request->dropout, "Dropout of the routing")->check(within(0.0, 0.9));
  command->add_flag("--route-by-direction-only", request->route_by_direction_only,
                    "Routing weights from the direction alone");
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings, request->seed);
      run_train_simulator(context, *request);
    };
  });
}

}  // namespace program
