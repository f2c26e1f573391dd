// Bad input: one sentence that names the trouble, a non-zero exit, nothing left behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "counterwarp/nifti.h"
#include "counterwarp/warp.h"
#include "program.h"

namespace {

void expect_refused(const Arguments &arguments, const std::string &word, int code = 0) {
  std::string line;
  for (const auto &argument : arguments)
    line += argument + " ";
  const Outcome outcome = run(arguments);
  EXPECT_NE(outcome.code, 0) << line;
  if (code) {
    EXPECT_EQ(outcome.code, code) << line;
  }
  EXPECT_LT(outcome.code, 126) << line << outcome.err;
  EXPECT_NE(outcome.err.find(word), std::string::npos) << line << outcome.err;
  // The last line is the sentence; warnings may stand before it.
  ASSERT_FALSE(outcome.err.empty()) << line;
  EXPECT_EQ(outcome.err.back(), '\n');
  const std::string body = outcome.err.substr(0, outcome.err.size() - 1);
  const std::string sentence = body.substr(body.rfind('\n') == std::string::npos ? 0 : body.rfind('\n') + 1);
  EXPECT_EQ(sentence.compare(0, 13, "counterwarp: "), 0) << sentence;
  EXPECT_EQ(sentence.back(), '.') << sentence;
}

}  // namespace

TEST(Input, UsageErrors) {
  expect_refused({"unknown"}, "unknown", 2);
  expect_refused({"cohort", "--kind", "cubes", "--out", "x"}, "cubes", 2);
  expect_refused({"cohort", "--kind", "spheres"}, "--out", 2);
  expect_refused({"simulate", "--model", "a", "--direction", "up", "--out", "x", "scan.nii"}, "up", 2);
  expect_refused({"simulate", "--model", "a", "--direction", "inject", "--out", "x"}, "SCAN", 2);
  expect_refused({"simulate", "--model", "a", "--direction", "inject", "--out", "x", "--strength", "nan", "s.nii"},
                 "--strength", 2);
  expect_refused({"jacobian", "--threads", "-1", "--out", "x.nii", "f.nii"}, "--threads", 2);
}

TEST(Input, AbsentAndMalformedFiles) {
  const Folder folder;
  write_file(folder / "text", "not a model");
  write_file(folder / "bad.nii", std::string(400, 'x'));
  write_file(folder / "empty.tsv", "participant_id\tgroup\timage\n");
  write_file(folder / "column.tsv", "participant_id\timage\nsub-1\ta.nii\n");
  const std::string out = folder.name("out"), text = folder.name("text");
  expect_refused({"classify", "--model", folder.name("none"), folder.name("bad.nii")}, "none", 1);
  expect_refused({"classify", "--model", text, folder.name("bad.nii")}, "text", 1);
  expect_refused({"simulate", "--model", text, "--direction", "inject", "--out", out, folder.name("bad.nii")}, "text",
                 1);
  expect_refused({"train-classifier", "--cohort", folder.name("none.tsv"), "--out", out}, "none.tsv", 1);
  expect_refused({"train-classifier", "--cohort", folder.name("empty.tsv"), "--out", out}, "empty.tsv", 1);
  expect_refused({"train-classifier", "--cohort", folder.name("column.tsv"), "--out", out}, "group", 1);
  expect_refused({"jacobian", folder.name("bad.nii"), "--out", folder.name("j.nii.gz")}, "bad.nii", 1);
  expect_refused({"jacobian", folder.name("bad.nii"), "--out", folder.name("j.png")}, ".nii", 2);
  expect_refused({"group", "--simulations", folder.name("none"), "--cohort", folder.name("empty.tsv"), "--out", out},
                 "none", 1);
  expect_refused({"report", "--simulations", folder.name("none"), "--out", out}, "none", 1);
  expect_refused({"demo", "--out", out, "--brain", folder.name("none.nii")}, "none.nii", 1);
  expect_refused({"cohort", "--kind", "brains", "--out", out, "--brain", folder.name("none.nii")}, "none.nii", 1);
  expect_refused({"cohort", "--kind", "spheres", "--out", out, "--size", "40"}, "40", 1);
  expect_refused({"cohort", "--kind", "spheres", "--out", folder.name("text/inside")}, "inside", 1);
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_FALSE(std::filesystem::exists(folder / "j.nii.gz"));
}

// Names that would leave the output folder, and names that would overwrite each other.
TEST(Input, ParticipantsThatCannotNameFiles) {
  const Folder folder;
  make_spheres(folder, 2);
  const std::string image = "cohort/sub-0001/sub-0001_ses-01_T1w.nii.gz";
  const std::string head = "participant_id\tgroup\timage\n";
  write_file(folder / "up.tsv", head + "../../etc\tcontrol\t" + image + "\n");
  write_file(folder / "twice.tsv", head + "a\tcontrol\t" + image + "\na\tcontrol\t" + image + "\n");
  write_file(folder / "model", "x");
  for (const auto &[table, word] :
       {std::pair<const char *, const char *>{"up.tsv", "up.tsv"}, {"twice.tsv", "twice.tsv"}})
    expect_refused({"report", "--simulations", folder.name("cohort"), "--cohort", folder.name(table), "--out",
                    folder.name("page.html")},
                   word, 1);
}

// A full disk: the exit code says so, the table that would vouch for the cohort is absent, nothing half-written stays.
TEST(Input, AWriteThatFailsLeavesNothing) {
  const Folder folder;
  const Outcome outcome =
      run_shell("trap '' XFSZ; ulimit -f 8; \"$CW\" cohort --kind spheres --size 32 --subjects 2 --out '" +
                folder.name("cohort") + "'");
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "cohort/participants.tsv"));
  EXPECT_EQ(leftovers(folder / "cohort"), 0);
}

// The Jacobian of a linear field is known, and is the same however the field's numbers are written.
TEST(Input, JacobianOfALinearField) {
  const Folder folder;
  cw_context *context;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  const double center[3] = {5, -3, 2};
  const cw_grid grid = cw_grid_cube(16, 2, center);
  cw_volume field;
  ASSERT_EQ(cw_volume_create(context, &grid, 3, &field), CW_OK);
  const size_t n = cw_grid_samples(&grid);
  for (int k = 0, i = 0; k < 16; k++)
    for (int j = 0; j < 16; j++)
      for (int x = 0; x < 16; x++, i++) {
        const double index[3] = {double(x), double(j), double(k)};
        double p[3];
        cw_affine_apply(&grid.to_world, index, p);
        field.data[i] = float(0.10 * p[0]);
        field.data[n + i] = float(-0.05 * p[1] + 0.02 * p[2]);
        field.data[2 * n + i] = float(0.20 * p[2]);
      }
  const double expected = 1.10 * 0.95 * 1.20;
  for (const auto convention : {CW_FIELD_RAS, CW_FIELD_LPS}) {
    ASSERT_EQ(cw_nifti_write_field(context, folder.name("field.nii.gz").c_str(), &field, convention), CW_OK);
    for (const bool log_of : {false, true}) {
      Arguments arguments = {"jacobian", folder.name("field.nii.gz"), "--out", folder.name("j.nii.gz")};
      if (log_of)
        arguments.push_back("--log");
      const Outcome outcome = run(arguments);
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      cw_volume j;
      ASSERT_EQ(cw_nifti_read(context, folder.name("j.nii.gz").c_str(), &j), CW_OK) << cw_context_message(context);
      for (size_t i = 0; i < n; i++)
        ASSERT_NEAR(j.data[i], log_of ? std::log(expected) : expected, 1e-4);
      cw_volume_free(context, &j);
      EXPECT_EQ(json_of(folder / "j.json")["folded_voxels"], 0);
    }
  }
  cw_volume_free(context, &field);
  cw_context_free(context);
}

// An effect of the user's own: what the help shows is taken, with one mask an effect; what is no range is refused.
TEST(Input, Effects) {
  const std::string templates = "/usr/share/mricron/templates/";
  if (!std::filesystem::exists(templates + "ch2bet.nii.gz"))
    GTEST_SKIP() << "mricron-data is not installed";
  const Folder folder;
  const Arguments cohort = {"cohort", "--kind", "brains", "--subjects", "1", "--out", folder.name("cohort")};
  const auto with = [&](const Arguments &more) {
    Arguments arguments = cohort;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  for (const char *range : {"30", "35..15", "-200..10", "10..70", "10..", "..10", "1..2..3", "10..x"})
    expect_refused(with({"--effect", std::string("Hippocampus:") + range}), "LOW..HIGH", 2);
  expect_refused(with({"--effect", "Nowhere:15..35"}), "Nowhere", 2);
  const Outcome outcome = run(with({"--effect", "Hippocampus_L:15..35", "--effect", "Thalamus:-30..-12.5"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string table = text_of(folder / "cohort/participants.tsv");
  EXPECT_NE(table.find("truth_effect1"), std::string::npos) << table;
  EXPECT_NE(table.find("truth_effect2"), std::string::npos) << table;
}
