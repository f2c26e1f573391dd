// Training that is stopped, killed and resumed.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "program.h"

namespace {

Arguments training(const Folder &folder, const std::string &out, bool resume) {
  Arguments arguments = {"train-classifier",
                         "--cohort",
                         folder.name("cohort/participants.tsv"),
                         "--out",
                         folder.name(out),
                         "--steps",
                         "12",
                         "--batch",
                         "4",
                         "--evaluate-every",
                         "2",
                         "--folds",
                         "4",
                         "--threads",
                         "1"};
  if (resume)
    arguments.push_back("--resume");
  return arguments;
}

// Sends a signal once the first checkpoint stands.
std::function<void(int)> once_saved(const Path &checkpoint, int signal) {
  return [=](int process) {
    for (int i = 0; i < 60000 && !std::filesystem::exists(checkpoint) && kill(process, 0) == 0; i++)
      usleep(1000);
    kill(process, signal);
  };
}

}  // namespace

// Ctrl-C: exit code 130, a sentence that says how to go on; --resume ends with the same bytes as an undisturbed run;
// so it does after a kill that no program can catch.
TEST(Resume, StoppedAndKilledRunsEndWithTheSameBytes) {
  const Folder folder;
  make_spheres(folder, 8);
  const Outcome whole = run(training(folder, "whole.onnx", false));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const std::string expected = text_of(folder / "whole.onnx");
  ASSERT_FALSE(expected.empty());
  EXPECT_FALSE(std::filesystem::exists(folder / "whole.onnx.checkpoint"));

  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    const std::string name = "stopped" + std::to_string(signal) + ".onnx";
    const Path checkpoint = folder / (name + ".checkpoint");
    const Outcome stopped = run(training(folder, name, false), once_saved(checkpoint, signal));
    ASSERT_EQ(stopped.code, 128 + signal) << stopped.err;
    EXPECT_FALSE(std::filesystem::exists(folder / name)) << "a model that is not trained to its end";
    EXPECT_TRUE(std::filesystem::exists(checkpoint));
    if (signal != SIGKILL) {
      EXPECT_NE(stopped.err.find("--resume"), std::string::npos) << stopped.err;
    }
    const Outcome resumed = run(training(folder, name, true));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(text_of(folder / name), expected) << "signal " << signal;
    EXPECT_EQ(text_of(folder / (name + ".curve.tsv")), text_of(folder / "whole.onnx.curve.tsv"));
  }
}

// The same seed gives the same model on one thread and on two; another seed another.
TEST(Resume, ThreadsDoNotChangeTheModel) {
  const Folder folder;
  make_spheres(folder, 8);
  const auto model = [&](const char *threads, const char *seed) {
    const Outcome outcome =
        run({"train-classifier", "--cohort", folder.name("cohort/participants.tsv"), "--out", folder.name("m.onnx"),
             "--steps", "3", "--batch", "4", "--folds", "4", "--threads", threads, "--seed", seed, "--quiet"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return text_of(folder / "m.onnx");
  };
  const std::string one = model("1", "5");
  EXPECT_EQ(model("2", "5"), one);
  EXPECT_NE(model("1", "6"), one);
}
