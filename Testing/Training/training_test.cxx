/* The trainers: they learn, they give the same bits on any number of threads and after a stop at any step, they refuse
 * a checkpoint of another run, and running statistics are right after a few steps. */
#include "training_fixture.h"

namespace {

cw_training_options Short(int steps) {
  cw_training_options o = cw_classifier_training_defaults(kSize);
  o.steps = steps;
  o.wait = 0;
  o.batch = 4;
  o.evaluate_every = 3;
  return o;
}

cw_simulator_training_options ShortSimulator(int steps) {
  cw_simulator_training_options o = cw_simulator_training_defaults(kSize, CW_OBJECTIVE_CONSTRAINED);
  o.common.steps = steps;
  o.common.batch = 2;
  o.common.evaluate_every = 2;
  o.cycle_from = 1;
  o.margin = 2;
  return o;
}

std::vector<float> Classifier(const Balls &balls, const cw_training_options &options, int threads) {
  TestContext context(threads);
  cw_graph *graph = nullptr;
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_OK)
      << context.message();
  if (!graph)
    return {};
  const std::vector<float> values = Values(graph);
  cw_graph_free(context, graph);
  EXPECT_EQ(context.leaked(), 0);
  return values;
}

TEST(TrainClassifier, LearnsAndIsRightInInferenceModeEarly) {
  const Balls balls;
  Folder folder;
  const std::string curve = folder("curve.tsv");
  TestContext context;
  cw_training_options options = Short(24);
  options.evaluate_every = 12;
  options.curve = curve.c_str();
  cw_graph *graph = nullptr;
  cw_training_summary summary = {};
  ASSERT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, &summary), CW_OK)
      << context.message();
  EXPECT_EQ(summary.steps, 24);
  EXPECT_LT(summary.best_loss, 0.3) << "chance is 0.69";
  cw_plan_options po = {};
  po.batch = kScans;
  cw_plan *plan = nullptr;
  ASSERT_EQ(cw_plan_create(context, graph, &po, &plan), CW_OK);
  std::copy(balls.samples.begin(), balls.samples.end(), cw_plan_data(plan, cw_graph_input_at(graph, 0)));
  cw_plan_forward(plan);
  for (int n = 0; n < kScans; n++)
    EXPECT_EQ(cw_plan_data(plan, cw_graph_output_at(graph, 0))[n] > 0, balls.label[n] == 1) << n;
  cw_plan_free(context, plan);
  cw_graph_free(context, graph);
  EXPECT_NE(Text(curve).find("validation_balanced_accuracy\n12\t"), std::string::npos) << Text(curve);
}

TEST(TrainClassifier, SameBitsOnAnyThreads) {
  const Balls balls;
  const std::vector<float> one = Classifier(balls, Short(4), 1);
  EXPECT_EQ(one, Classifier(balls, Short(4), 2));
  EXPECT_EQ(one, Classifier(balls, Short(4), 3));
  cw_training_options other = Short(4);
  other.seed = 2;
  EXPECT_NE(one, Classifier(balls, other, 1));
  other = Short(4);
  other.erase = 0.5;
  other.flip = true;
  const std::vector<float> erased = Classifier(balls, other, 1);
  EXPECT_NE(one, erased);
  EXPECT_EQ(erased, Classifier(balls, other, 2));
}

/* The learning curves of runs with and without erased boxes part in the second half of the steps. */
TEST(TrainClassifier, ErasesInTheSecondHalf) {
  const Balls balls;
  Folder folder;
  std::vector<std::string> rows[2];
  for (int erased = 0; erased < 2; erased++) {
    const std::string curve = folder(erased ? "erased.tsv" : "whole.tsv");
    cw_training_options options = Short(6);
    options.evaluate_every = 1;
    options.erase = erased;
    options.curve = curve.c_str();
    Classifier(balls, options, 2);
    std::istringstream text(Text(curve));
    for (std::string row; std::getline(text, row);)
      rows[erased].push_back(row);
  }
  ASSERT_EQ(rows[0].size(), 7u);
  ASSERT_EQ(rows[1].size(), 7u);
  for (int step = 1; step <= 6; step++)
    EXPECT_EQ(rows[0][step] == rows[1][step], step <= 3) << rows[0][step] << "\n" << rows[1][step];
}

/* A step too small to move a weight leaves what training started from; another size keeps what fits. */
TEST(TrainClassifier, StartsFromAnotherModel) {
  const Balls balls;
  TestContext context;
  cw_graph *start = nullptr, *graph = nullptr;
  ASSERT_EQ(cw_network_classifier(context, 64, 5, &start), CW_OK);
  cw_training_options options = Short(1);
  options.start = start;
  options.learning_rate = 1e-30;
  ASSERT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_OK)
      << context.message();
  int compared = 0;
  for (int v = 0; v < cw_graph_value_count(graph); v++) {
    if (cw_value_kind_of(graph, v) != CW_VALUE_PARAMETER)
      continue;
    const cw_value from = cw_graph_find(start, cw_value_name(graph, v));
    ASSERT_NE(from, CW_NONE) << cw_value_name(graph, v);
    const size_t count = static_cast<size_t>(cw_shape_elements(cw_value_shape(graph, v), 1));
    const float *a = cw_value_data(graph, v), *b = cw_value_data(start, from);
    EXPECT_TRUE(std::equal(a, a + count, b, [](float p, float q) { return std::fabs(p - q) < 1e-20f; }))
        << cw_value_name(graph, v);
    compared++;
  }
  EXPECT_EQ(compared, 4 * 4 + 3 * 2) << "weights and biases of convolutions, norms and fully connected layers";
  cw_graph_free(context, graph);

  // A checkpoint belongs to its start.
  Folder folder;
  const std::string checkpoint = folder("state");
  options = Short(2);
  options.checkpoint = checkpoint.c_str();
  options.start = start;
  Classifier(balls, options, 2);
  options.resume = true;
  options.start = nullptr;
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_ERROR_ARGUMENT);
  EXPECT_NE(context.message().find("other options or data"), std::string::npos) << context.message();
  cw_graph_free(context, start);

  ASSERT_EQ(cw_graph_create(context, &start), CW_OK);
  options = Short(1);
  options.start = start;
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_ERROR_ARGUMENT);
  EXPECT_NE(context.message().find("shares no parameter"), std::string::npos) << context.message();
  cw_graph_free(context, start);
  EXPECT_EQ(context.leaked(), 0);
}

/* Stops at calls of progress all through a run: between steps, and while statistics are half replaced. */
TEST(TrainClassifier, ResumesToTheSameBits) {
  const Balls balls;
  const std::vector<float> straight = Classifier(balls, Short(5), 2);
  for (int stop : {1, 2, 3, 5, 9, 12, 14, 15, 20}) {
    Folder folder;
    const std::string checkpoint = folder("state");
    cw_training_options options = Short(5);
    options.checkpoint = checkpoint.c_str();
    StoppingContext context(stop);
    cw_graph *graph = nullptr;
    const cw_status status = cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr);
    EXPECT_EQ(status, CW_ERROR_CANCELLED);
    EXPECT_EQ(graph, nullptr);
    options.resume = true;
    EXPECT_EQ(Classifier(balls, options, 1), straight) << "stopped at call " << stop;
  }
}

TEST(TrainClassifier, RefusesOtherCheckpointsAndBadOptions) {
  const Balls balls;
  Folder folder;
  const std::string checkpoint = folder("state");
  cw_training_options options = Short(2);
  options.checkpoint = checkpoint.c_str();
  Classifier(balls, options, 2);
  TestContext context;
  cw_graph *graph = nullptr;
  options.resume = true;
  options.seed = 9;
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_ERROR_ARGUMENT);
  EXPECT_NE(context.message().find("other options or data"), std::string::npos) << context.message();
  options.seed = 1;
  Balls others;
  others.samples[others.samples.size() / 2 + 8] += 1;
  EXPECT_EQ(cw_train_classifier(context, &others.dataset, &others.split, &options, &graph, nullptr), CW_ERROR_ARGUMENT)
      << "another data set";
  const std::string bytes = Text(checkpoint);
  for (size_t length : {size_t(0), size_t(10), size_t(100), bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(checkpoint, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(length));
    EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_ERROR_FORMAT)
        << length;
  }
  options.resume = false;
  for (int field = 0; field < 4; field++) {
    cw_training_options bad = Short(2);
    (field == 0 ? bad.steps : field == 1 ? bad.batch : field == 2 ? bad.evaluate_every : bad.patience) = -1;
    EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &bad, &graph, nullptr), CW_ERROR_ARGUMENT);
  }
  for (double share : {-0.1, 1.1, static_cast<double>(NAN)}) {
    cw_training_options bad = Short(2);
    bad.erase = share;
    EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &bad, &graph, nullptr), CW_ERROR_ARGUMENT);
  }
  cw_split one_group = balls.split;
  const int controls[] = {0, 2, 4};
  one_group.train = controls;
  one_group.train_count = 3;
  options = Short(2);
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &one_group, &options, &graph, nullptr), CW_ERROR_ARGUMENT);
}

TEST(TrainClassifier, NaNInADataSetIsAnError) {
  Balls balls;
  for (int n = 0; n < kScans; n++)
    balls.samples[static_cast<size_t>(n) * kSize * kSize * kSize] = NAN;
  TestContext context;
  cw_graph *graph = nullptr;
  const cw_training_options options = Short(2);
  EXPECT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, nullptr), CW_ERROR_NUMERIC);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(context.leaked(), 0);
}

class TrainSimulator : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(cw_network_classifier(context, kSize, 4, &classifier), CW_OK); }
  void TearDown() override { cw_graph_free(context, classifier); }
  std::vector<float> Run(const cw_simulator_training_options &options, int threads) {
    TestContext own(threads);
    cw_graph *simulator = nullptr;
    EXPECT_EQ(cw_train_simulator(own, &balls.dataset, &balls.split, classifier, &options, &simulator, nullptr), CW_OK)
        << own.message();
    if (!simulator)
      return {};
    const std::vector<float> values = Values(simulator);
    cw_graph_free(own, simulator);
    EXPECT_EQ(own.leaked(), 0);
    return values;
  }
  TestContext context;
  Balls balls;
  cw_graph *classifier = nullptr;
};

TEST_F(TrainSimulator, SameBitsOnAnyThreadsAndAfterAStop) {
  for (const bool all : {false, true}) {
    cw_simulator_training_options options = ShortSimulator(4);
    if (all)
      options.identity = 1, options.adversarial = 0.1;
    const std::vector<float> straight = Run(options, 1);
    EXPECT_EQ(straight, Run(options, 2));
    Folder folder;
    const std::string checkpoint = folder("state");
    options.common.checkpoint = checkpoint.c_str();
    StoppingContext stopping(3);
    cw_graph *simulator = nullptr;
    EXPECT_EQ(cw_train_simulator(stopping, &balls.dataset, &balls.split, classifier, &options, &simulator, nullptr),
              CW_ERROR_CANCELLED);
    options.common.resume = true;
    EXPECT_EQ(Run(options, 2), straight) << (all ? "with a discriminator" : "plain");
  }
}

// With a rate so small that nothing is learned, the schedule stands still at its top for as long as it may; what is
// learned at once is not waited for, and a run that was stopped while it waited goes on with the same bits.
TEST(TrainClassifier, WaitsWhileTheLossStaysAtChance) {
  const Balls balls;
  TestContext context;
  cw_training_options options = Short(10);
  options.evaluate_every = 1;
  options.wait = 8;
  options.learning_rate = 1e-9;
  Folder folder;
  const std::string curve = folder("curve.tsv"), checkpoint = folder("state");
  options.curve = curve.c_str();
  cw_graph *graph = nullptr, *again = nullptr;
  cw_training_summary summary = {};
  ASSERT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, &summary), CW_OK);
  EXPECT_EQ(summary.steps, 18);
  ASSERT_EQ(context.warnings.size(), 1u) << "after two steps of waiting other weights are drawn, while there is time";
  EXPECT_NE(context.warnings[0].find("after 5 steps"), std::string::npos) << context.warnings[0];
  options.checkpoint = checkpoint.c_str();
  options.resume = true;
  StoppingContext stopping(60);
  EXPECT_EQ(cw_train_classifier(stopping, &balls.dataset, &balls.split, &options, &again, nullptr), CW_ERROR_CANCELLED);
  ASSERT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &again, &summary), CW_OK)
      << context.message();
  EXPECT_EQ(summary.steps, 18);
  EXPECT_EQ(Values(graph), Values(again));
  cw_graph_free(context, graph);
  cw_graph_free(context, again);
  options = Short(24);
  options.wait = 1000;
  options.evaluate_every = 12;
  ASSERT_EQ(cw_train_classifier(context, &balls.dataset, &balls.split, &options, &graph, &summary), CW_OK);
  EXPECT_LT(summary.steps, 100) << "it waits no longer than it must";
  EXPECT_LT(summary.best_loss, 0.3);
  cw_graph_free(context, graph);
}

TEST_F(TrainSimulator, MovesTheLogitBothWays) {
  TestContext own;
  cw_training_options short_run = Short(24);
  short_run.evaluate_every = 12;
  cw_graph *trained = nullptr, *simulator = nullptr;
  ASSERT_EQ(cw_train_classifier(own, &balls.dataset, &balls.split, &short_run, &trained, nullptr), CW_OK);
  Folder folder;
  const std::string curve = folder("curve.tsv");
  cw_simulator_training_options options = ShortSimulator(30);
  options.common.evaluate_every = 30;
  options.common.learning_rate = 1e-3;
  options.margin = 0;
  options.smoothness = 5;
  options.magnitude = 10;
  options.cycle = 10;
  options.common.curve = curve.c_str();
  ASSERT_EQ(cw_train_simulator(own, &balls.dataset, &balls.split, trained, &options, &simulator, nullptr), CW_OK)
      << own.message();
  std::istringstream text(Text(curve));
  std::string header, cell;
  std::getline(text, header);
  for (int column = 0; column <= 6; column++)
    text >> cell;
  EXPECT_GT(std::stod(cell), 1.0) << "mean logit shift of the scans kept back\n" << Text(curve);
  cw_graph *joined = nullptr;
  ASSERT_EQ(cw_simulator_join(own, simulator, trained, nullptr, CW_FIELD_VELOCITY, &joined), CW_OK);
  EXPECT_STREQ(cw_value_name(joined, cw_graph_output_at(joined, 0)), "velocity");
  EXPECT_STREQ(cw_value_name(joined, cw_graph_output_at(joined, 1)), "logit");
  cw_graph_free(own, joined);
  cw_graph_free(own, simulator);
  cw_graph_free(own, trained);
}

TEST_F(TrainSimulator, RefusesWhatDoesNotFit) {
  cw_simulator_training_options options = ShortSimulator(2);
  cw_graph *simulator = nullptr, *larger = nullptr;
  ASSERT_EQ(cw_network_classifier(context, 48, 1, &larger), CW_OK);
  EXPECT_EQ(cw_train_simulator(context, &balls.dataset, &balls.split, larger, &options, &simulator, nullptr),
            CW_ERROR_SHAPE);
  cw_graph_free(context, larger);
  options.network.size = 48;
  EXPECT_EQ(cw_train_simulator(context, &balls.dataset, &balls.split, classifier, &options, &simulator, nullptr),
            CW_ERROR_ARGUMENT);
  EXPECT_EQ(simulator, nullptr);
}

}  // namespace
