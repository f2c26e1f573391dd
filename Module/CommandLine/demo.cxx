// counterwarp demo: the whole job on the embedded default.
#include <algorithm>

#include "anatomy.h"
#include "commands.h"
#include "files.h"

namespace program {

namespace {

// The job's size, fit for some eight minutes on two cores.
constexpr int size = 32, subjects = 150;
constexpr int classifier_steps = 800, simulator_steps = 300, batch = 16, simulator_batch = 8;
constexpr double erase = 0.5;  // so that classifiers look at both hippocampi

int scaled(int steps, double effort) {
  return std::max(2, static_cast<int>(steps * effort));
}

}  // namespace

void run_demo(Context &context, const DemoRequest &request) {
  const Anatomy anatomy = find_anatomy(request.brain, request.atlas, request.labels);
  const Path out = request.out;
  make_folder(out);
  const std::string table = (out / "cohort" / "participants.tsv").string();
  const std::string first = (out / "classifier.onnx").string(), second = (out / "second.onnx").string();
  const std::string simulator = (out / "simulator.onnx").string(), page = (out / "report.html").string();
  int done = 0;
  const auto step = [&](const char *what) {
    context.say(std::to_string(++done) + (request.model_only ? " of 3: " : " of 7: ") + what);
  };

  step("a cohort of brains with smaller hippocampi in patients");
  CohortRequest cohort;
  cohort.kind = "brains";
  cohort.out = (out / "cohort").string();
  cohort.brain = anatomy.brain.string();
  cohort.atlas = anatomy.atlas.string();
  cohort.labels = anatomy.labels.string();
  cohort.size = size;
  cohort.subjects = request.subjects ? request.subjects : subjects;
  cohort.seed = request.seed;
  run_cohort(context, cohort);

  step("the classifier");
  ClassifierRequest training;
  training.cohort = table;
  training.out = first;
  training.batch = batch;
  training.flip = true;
  training.erase = erase;
  training.steps = scaled(classifier_steps, request.effort);
  training.seed = request.seed;
  run_train_classifier(context, training);

  if (!request.model_only) {
    step("a second classifier, apart, to ask about the simulated scans");
    training.out = second;
    training.seed = request.seed + 1;
    run_train_classifier(context, training);
  }

  step("the simulator");
  SimulatorRequest simulation;
  simulation.cohort = table;
  simulation.classifiers = {first};
  simulation.out = simulator;
  simulation.batch = simulator_batch;
  simulation.steps = scaled(simulator_steps, request.effort);
  simulation.seed = request.seed;
  run_train_simulator(context, simulation);
  if (request.model_only)
    return;

  step("held-out scans: the disease injected into controls, removed from patients");
  SimulateRequest simulate;
  simulate.model = simulator;
  simulate.out = (out / "simulations").string();
  simulate.cohort = table;
  simulate.held_out_only = true;
  simulate.direction = "inject";
  simulate.group = "control";
  run_simulate(context, simulate);
  simulate.direction = "remove";
  simulate.group = "patient";
  run_simulate(context, simulate);

  step("what they have in common");
  GroupRequest group;
  group.simulations = simulate.out;
  group.cohort = table;
  group.atlas = anatomy.atlas.string();
  group.labels = anatomy.labels.string();
  group.second = second;
  group.out = (out / "group").string();
  run_group(context, group);

  step("the page");
  ReportRequest report;
  report.out = page;
  report.simulations = simulate.out;
  report.cohort = table;
  report.group = group.out;
  report.classifier = first;
  report.simulator = simulator;
  report.title = "Smaller hippocampi: what the classifier has seen";
  run_report(context, report);
  print(read_json(Path(group.out) / "group.json").at("verdict").at("sentence").get<std::string>() + "\n");
  print("The page with the results: " + std::filesystem::absolute(page).string() + "\n");
}

void add_demo(Program &program) {
  auto request = std::make_shared<DemoRequest>();
  CLI::App *command =
      program.add("demo", "The whole job on a cohort of brains, in some minutes", "counterwarp demo --out demo");
  command->add_option("--out", request->out, "Folder for everything")->required();
  command->add_option("--subjects", request->subjects, "Subjects in each of the two groups")
      ->check(CLI::Range(1, 5000));
  command->add_option("--effort", request->effort, "Factor on the training steps")->check(within(0.001, 100.0));
  command->add_option("--seed", request->seed, "Seed of every random number")->capture_default_str();
  command->add_flag("--model-only", request->model_only, "Stop when the simulator stands: the panel's demo model");
  command->add_option("--brain", request->brain, "Skull-stripped T1. Default: ch2bet of mricron-data");
  command->add_option("--atlas", request->atlas, "Labels on the same grid. Default: AAL of mricron-data");
  command->add_option("--labels", request->labels, "The atlas's table of names");
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings, request->seed);
      run_demo(context, *request);
    };
  });
}

}  // namespace program
