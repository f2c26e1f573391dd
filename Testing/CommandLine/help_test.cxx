// Help and version: what a user sees first.
#include <gtest/gtest.h>

#include "program.h"

// Every command explains itself, with an example and the words on its use, and succeeds.
TEST(Help, EveryCommandHasAnExample) {
  for (const char *command : {"cohort", "train-classifier", "classify", "train-simulator", "simulate", "jacobian",
                              "saliency", "sanity", "group", "report", "demo"}) {
    const Outcome help = run({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_NE(help.out.find("Example:\n  counterwarp " + std::string(command)), std::string::npos) << command;
    EXPECT_NE(help.out.find("For research use only."), std::string::npos) << command;
    EXPECT_NE(help.out.find("--threads"), std::string::npos) << command;
    EXPECT_EQ(help.err, "") << command;
  }
}

TEST(Help, TheProgramListsItsCommands) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char *command : {"cohort", "train-classifier", "classify", "train-simulator", "simulate", "jacobian",
                              "saliency", "sanity", "group", "report", "demo", "For research use only."})
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
}

TEST(Help, VersionIsThreeNumbers) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  int a, b, c;
  EXPECT_EQ(std::sscanf(version.out.c_str(), "counterwarp %d.%d.%d", &a, &b, &c), 3) << version.out;
}

// Without a command: the help, on stderr, and a failure (a script that lost its arguments must not go on).
TEST(Help, NothingAskedIsAFailure) {
  const Outcome nothing = run({});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_EQ(nothing.out, "");
  EXPECT_NE(nothing.err.find("train-simulator"), std::string::npos);
}
