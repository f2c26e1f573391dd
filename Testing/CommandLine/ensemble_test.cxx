// Classifiers of several folds explained together: scans are judged by those that have not learned from them.
#include "job.h"

namespace {

TEST(Folds, AreJudgedByWhoHasNotSeenTheScans) {
  Job job;
  make_spheres(job.folder, 8);
  Arguments train = {"train-simulator", "--cohort", job.table, "--out", job.simulator, "--steps", "1", "--batch", "2",
                     "--folds",         "2",        "--fold",  "0",     "--seed",      "3"};
  std::string fold[2];
  for (int k = 0; k < 2; k++) {
    fold[k] = job.folder.name("fold" + std::to_string(k) + ".onnx");
    job.done({"train-classifier", "--cohort", job.table, "--out", fold[k], "--steps", "2", "--batch", "4", "--folds",
              "2", "--fold", std::to_string(k)});
    train.insert(train.end(), {"--classifier", fold[k]});
  }
  const Outcome trained = job.done(train);
  EXPECT_NE(trained.err.find("judged by the 1 that did not learn"), std::string::npos) << trained.err;

  // What the file calls its logit is the first classifier's alone, and fold 0 is held out of it.
  const std::string out = job.folder.name("simulations");
  job.simulate("inject", out, {"--cohort", job.table, "--held-out-only", "--group", "control"});
  job.done({"classify", "--model", fold[0], "--cohort", job.table, "--out", job.folder.name("logits.tsv")});
  std::map<std::string, double> logits;
  for (const auto &row : rows_of(job.folder / "logits.tsv"))
    logits[row["participant_id"]] = std::stod(row["logit"].get<std::string>());
  int count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(out))
    if (entry.path().extension() == ".json") {
      const auto record = json_of(entry.path());
      EXPECT_NEAR(record["logit"]["before"].get<double>(), logits.at(record["participant"]), 1e-4);
      EXPECT_EQ(record["held_out"], true);
      count++;
    }
  EXPECT_EQ(count, 4) << "controls of fold 0";

  // Without a fold nobody is held out, and that is said.
  Arguments all = {"train-simulator", "--cohort", job.table,      "--out", job.simulator, "--steps", "1",
                   "--classifier",    fold[0],    "--classifier", fold[1]};
  const Outcome refused = run(all);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("--fold K leaves out a fold"), std::string::npos) << refused.err;
}

}  // namespace
