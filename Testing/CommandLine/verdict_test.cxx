// The verdict, branch by branch, and on what real runs measured.
#include "verdict.h"

#include <gtest/gtest.h>

#include "evaluation.h"
#include "program.h"

namespace {

using program::Json;

Json summary(int n, double mean, double low, double high) {
  return {{"n", n}, {"mean", mean}, {"low", low}, {"high", high}};
}

Json tally(double inject, double remove, int scans = 30) {
  return {{"inject", {{"scans", scans}, {"carried", inject}}}, {"remove", {{"scans", scans}, {"carried", remove}}}};
}

Json exchange(double mean, double low, double high) {
  return {{"pairs", 16}, {"share", summary(16, mean, low, high)}};
}

const Json able = summary(60, 0.95, 0.87, 0.98), shape = exchange(0.95, 0.8, 1.1);

TEST(Verdict, Explains) {
  const Json v = program::verdict_of(able, tally(0.97, 1), shape);
  EXPECT_EQ(v["verdict"], "explains");
  EXPECT_EQ(v["reasons"].size(), 4u);
  const std::string sentence = v["sentence"];
  EXPECT_EQ(sentence.find("Warping explains this classifier: "), 0u);
  for (const char *figure : {"0.95", "0.8 to 1.1", "0.97"})
    EXPECT_NE(sentence.find(figure), std::string::npos) << sentence;
}

TEST(Verdict, SaysNo) {
  const auto expect_no = [](const Json &v, const char *why, size_t reasons,
                            const char *head = "Warping does not explain this classifier: ") {
    EXPECT_EQ(v["verdict"], "does not explain");
    const std::string sentence = v["sentence"];
    EXPECT_EQ(sentence.find(head), 0u) << sentence;
    EXPECT_NE(sentence.find(why), std::string::npos) << sentence;
    EXPECT_EQ(v["reasons"].size(), reasons);
  };
  // Labels at random: what a warp does to such a classifier is not even looked at.
  expect_no(program::verdict_of(summary(60, 0.5, 0.38, 0.62), tally(1, 1), shape), "no better than chance", 1);
  // It reads what no warp can change, however well it is moved.
  expect_no(program::verdict_of(able, tally(1, 1), exchange(0.05, 0.02, 0.09)), "no shape", 4);
  // It reads shape, and these warps do not carry it over, in one direction at least: not the classifier's fault.
  const char *const simulator = "This simulator does not explain the classifier: ";
  expect_no(program::verdict_of(able, tally(0.1, 1), shape), "injection carries", 4, simulator);
  expect_no(program::verdict_of(able, tally(1, 0.2), shape), "removal carries", 4, simulator);
  expect_no(program::verdict_of(able, tally(1, 0.2), nullptr), "removal carries", 4, simulator);
  // A reason against outweighs what is open.
  expect_no(program::verdict_of(able, tally(0.5, 0.5), exchange(0.1, -0.1, 0.3)), "no shape", 4);
}

TEST(Verdict, LeavesOpenWhatIsOpen) {
  const auto expect_open = [](const Json &v, const char *why) {
    EXPECT_EQ(v["verdict"], "undecided");
    const std::string sentence = v["sentence"];
    EXPECT_NE(sentence.find("is undecided: "), std::string::npos) << sentence;
    EXPECT_NE(sentence.find(why), std::string::npos) << sentence;
  };
  expect_open(program::verdict_of(able, tally(1, 1), exchange(0.5, 0.3, 0.7)), "0.3 to 0.7");
  expect_open(program::verdict_of(able, tally(1, 1), nullptr), "was not measured");
  expect_open(program::verdict_of(able, tally(1, 1), {{"pairs", 2}, {"share", {{"n", 2}, {"mean", 3.0}}}}),
              "do not differ");
  expect_open(program::verdict_of(able, tally(0.55, 1), shape), "injection carries");
  expect_open(program::verdict_of(summary(4, 0.75, 0.4, 0.95), tally(1, 1), shape), "chance could give too");
  // Scans that stood on the wanted side to begin with prove nothing.
  Json none = tally(1, 1);
  none["inject"]["carried"] = nullptr;
  none["inject"]["counted"] = {{"carried", 0}};
  expect_open(program::verdict_of(able, none, shape), "injection could carry none");
  Json one = tally(1, 1);
  one.erase("remove");
  expect_open(program::verdict_of(able, one, shape), "no held-out patient");
}

TEST(Verdict, RowsOfTheProof) {
  program::Rows rows;
  program::add_verdict_rows(able, shape, rows);
  ASSERT_EQ(rows.rows.size(), 2u);
  EXPECT_EQ(rows.rows[0][1], "balanced_accuracy");
  EXPECT_EQ(rows.rows[0][6], "good");
  EXPECT_EQ(rows.rows[1][1], "shape_share");
  EXPECT_EQ(rows.rows[1][3], "0.95");
  program::add_verdict_rows(able, nullptr, rows);
  EXPECT_EQ(rows.rows.size(), 3u);
}

// group.json of real runs (Testing/Data/verdict/README): the same verdicts again.
TEST(Verdict, OfRealRuns) {
  const std::pair<const char *, const char *> runs[] = {{"hippocampi", "explains"},
                                                        {"spheres", "explains"},
                                                        {"brightness", "does not explain"},
                                                        {"shuffled", "does not explain"}};
  for (const auto &[name, verdict] : runs) {
    const Json json = program::read_json(Path(CW_TEST_DATA) / "verdict" / (std::string(name) + ".json"));
    EXPECT_EQ(program::verdict_of(json["accuracy"], json["directions"], json["exchange"])["verdict"], verdict) << name;
  }
}

}  // namespace
