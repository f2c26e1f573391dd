// The module CounterwarpTrain: a classifier, or the simulator of one.
#include "slicer_module.h"

namespace program {

void declare_module(Program &program) {
  auto classifier = std::make_shared<ClassifierRequest>();
  auto network = std::make_shared<std::string>("classifier");
  auto of = std::make_shared<std::string>();
  auto steps = std::make_shared<int>(0);
  auto flip = std::make_shared<bool>(false);
  CLI::App &parser = program.parser;
  parser.add_option("--network", *network)->check(CLI::IsMember({"classifier", "simulator"}));
  parser.add_option("--cohort", classifier->cohort)->required();
  parser.add_option("--classifier", *of);
  parser.add_option("--steps", *steps)->check(CLI::Range(0, 1000000));
  parser.add_option("--seed", classifier->seed);
  parser.add_flag("--flip", *flip);
  parser.add_flag("--resume", classifier->resume);
  parser.add_option("--out", classifier->out)->required();
  program.work = [=, &program] {
    if (*steps)
      classifier->steps = *steps;
    classifier->flip = *flip;
    Context context(program.settings, classifier->seed);
    if (*network == "classifier")
      return run_train_classifier(context, *classifier);
    if (of->empty())
      throw Failure("A simulator is trained for a classifier: choose the classifier's file.", exit_usage);
    SimulatorRequest simulator;
    static_cast<TrainingRequest &>(simulator) = *classifier;
    simulator.classifiers = {*of};
    run_train_simulator(context, simulator);
  };
}

}  // namespace program
