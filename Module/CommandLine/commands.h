// The sub-commands.  Each add_* declares its options on the program and keeps its work for when it is chosen; each
// run_* does the work, and is what `demo` calls in turn.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "context.h"
#include "counterwarp/nifti.h"
#include "counterwarp/training.h"

namespace program {

// The exit code of work; what it throws is complained about in one sentence.
int guarded(const std::function<int()> &work, const std::function<int(const std::string &, int)> &complain);

// A check that a number lies within bounds; NaN does not.
CLI::Validator within(double low, double high);

// The program while it is being declared: the parser, the common settings, and the chosen work.
struct Program {
  CLI::App parser{"counterwarp: warps that show what a classifier of 3-D images has seen.", "counterwarp"};
  Settings settings;
  std::function<void()> work;
  // Adds a sub-command with the common options; `example` closes its help.
  CLI::App *add(const std::string &name, const std::string &summary, const std::string &example);
};

void add_cohort(Program &program);
void add_train_classifier(Program &program);
void add_classify(Program &program);
void add_train_simulator(Program &program);
void add_simulate(Program &program);
void add_jacobian(Program &program);
void add_saliency(Program &program);
void add_sanity(Program &program);
void add_group(Program &program);
void add_report(Program &program);
void add_model(Program &program);
void add_demo(Program &program);

struct CohortRequest {
  std::string kind, out, brain, atlas, labels;
  int size = 32, subjects = 150;
  uint64_t seed = 1;
  double variability = 1, field_of_view = 0;
  std::vector<std::string> effects, brightness;
  bool alone = false;
};
void run_cohort(Context &context, const CohortRequest &request);

// What both trainers ask for.
struct TrainingRequest {
  std::string cohort, out;
  std::optional<int> folds, fold;
  uint64_t fold_seed = 1;  // apart from the training's seed, so that classifiers of several seeds hold out the same
  std::optional<int> steps, batch, patience, evaluate_every;
  std::optional<double> learning_rate, weight_decay;
  uint64_t seed = 1;
  bool resume = false;
};

struct ClassifierRequest : TrainingRequest {
  int size = 0;  // 0: from the first scan
  bool flip = false;
  std::optional<int> wait;  // without it: the default, or none where the steps are given
  std::string start;        // model whose parameters training starts from
  double erase = 0;
  std::string normalization = "percentile";
  double percentile = 99.5;
  std::vector<std::string> held_out;  // participants, sorted; empty: those of a fold
};
void run_train_classifier(Context &context, const ClassifierRequest &request);

struct SimulatorRequest : TrainingRequest {
  std::vector<std::string> classifiers;
  std::optional<std::string> field, objective, norm;
  std::optional<double> margin, smoothness, strain, magnitude, cycle, identity, adversarial, dropout;
  std::optional<int> cycle_from, squarings, taper;
  bool route_by_direction_only = false;
};
void run_train_simulator(Context &context, const SimulatorRequest &request);

// Scans that a model is applied to: one file, or rows of a table.
struct ScanChoice {
  std::string scan, cohort, transform, participant, group;
  bool held_out_only = false;
};

struct ClassifyRequest : ScanChoice {
  std::string model, out;
};
void run_classify(Context &context, const ClassifyRequest &request);

struct SimulateRequest : ScanChoice {
  std::string model, direction, out, convention = "ras";
  double strength = 1;
  bool resume = false;
};
void run_simulate(Context &context, const SimulateRequest &request);

// What `saliency` and `sanity` ask for alike.
struct MethodOptions {
  std::vector<std::string> names;
  std::string layer;
  std::optional<int> samples, steps, window;
  std::optional<double> noise, percentile, epsilon, fill;
  int output = 0;
  bool negative = false;
  double smooth = 0;
};

struct SaliencyRequest : ScanChoice {
  std::string model, out, sanity;
  MethodOptions methods;
};
void run_saliency(Context &context, const SaliencyRequest &request);

struct SanityRequest {
  std::string model, out, cohort, simulations;
  MethodOptions methods;
  int scans = 10;
  uint64_t seed = 1;
};
void run_sanity(Context &context, const SanityRequest &request);

struct JacobianRequest {
  std::string field, out;
  bool log_of = false;
};
void run_jacobian(Context &context, const JacobianRequest &request);

struct GroupRequest {
  std::string simulations, cohort, atlas, labels, out;
  std::string second;               // a file, "train", "none"; "": see second_classifier
  std::vector<std::string> others;  // folders of groups made with other seeds
  std::string model;                // "": the one that the side-cars name
  int exchange = 16;                // scans of each group that are looked at in each other's shape
  int least = 10;
  double coverage = 0.5;
};
void run_group(Context &context, const GroupRequest &request);

struct ReportRequest {
  std::string out, simulations, sanity, saliency, cohort, group, classifier, simulator, second, title;
  std::vector<std::string> examples;
  int example_count = 2;
};
void run_report(Context &context, const ReportRequest &request);

struct DemoRequest {
  std::string out, brain, atlas, labels;
  int subjects = 0;   // 0: the default's
  double effort = 1;  // scales the training steps
  uint64_t seed = 1;
  bool model_only = false;
};
void run_demo(Context &context, const DemoRequest &request);

}  // namespace program
