// A cohort in a folder of its own, and the commands that work on it.
#pragma once

#include <gtest/gtest.h>

#include "program.h"

struct Job {
  Folder folder;
  std::string table = folder.name("cohort/participants.tsv");
  std::string classifier = folder.name("classifier.onnx"), simulator = folder.name("simulator.onnx");

  Outcome done(Arguments arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments[0] << ": " << outcome.err;
    return outcome;
  }

  void train(const std::string &out, const char *seed, const char *folds = "4") {
    done({"train-classifier", "--cohort", table, "--out", out, "--steps", "4", "--batch", "4", "--folds", folds,
          "--seed", seed});
  }

  void simulate(const std::string &direction, const std::string &out, const Arguments &more) {
    Arguments arguments = {"simulate", "--model", simulator, "--direction", direction, "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    done(arguments);
  }
};
