// Saliency maps and their checks, from the command to the page.
#include <gtest/gtest.h>

#include <cmath>

#include "counterwarp/nifti.h"
#include "program.h"

namespace {

struct Trained {
  Folder folder;
  std::string table = folder.name("cohort/participants.tsv"), model = folder.name("classifier.onnx");
  Trained() {
    make_spheres(folder, 6);
    done({"train-classifier", "--cohort", table, "--out", model, "--steps", "3", "--batch", "4", "--folds", "3"});
  }
  Outcome done(const Arguments &arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments[0] << ": " << outcome.err;
    return outcome;
  }
};

// The scan on a finer, shifted and turned grid of its own.
cw_grid write_finer(cw_context *context, const Path &from, const Path &to) {
  cw_volume scan, finer;
  EXPECT_EQ(cw_nifti_read(context, from.c_str(), &scan), CW_OK);
  cw_grid grid = scan.grid;
  for (int a = 0; a < 3; a++)
    grid.size[a] = 40 + 4 * a;
  for (auto &row : grid.to_world.m) {
    std::swap(row[0], row[1]);
    for (int c = 0; c < 3; c++)
      row[c] *= 0.8;
    row[3] += 1;
  }
  EXPECT_EQ(cw_volume_create(context, &grid, 1, &finer), CW_OK);
  EXPECT_EQ(cw_volume_resample(context, &scan, nullptr, &finer), CW_OK);
  EXPECT_EQ(cw_nifti_write(context, to.c_str(), &finer, CW_NIFTI_FLOAT32), CW_OK);
  cw_volume_free(context, &scan);
  cw_volume_free(context, &finer);
  return grid;
}

}  // namespace

TEST(Saliency, MapsChecksAndPage) {
  Trained job;
  const Folder &folder = job.folder;
  const auto rows = rows_of(job.table);
  const Path scan = folder / "cohort" / rows[0]["image"];
  cw_context *context;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  const cw_grid grid = write_finer(context, scan, folder / "sub-0001_T1w.nii.gz");

  // Checks: tables, verdicts, the known effect.
  const std::string methods = "gradient,gradcam.signed,fullgrad,lrp-zplus";
  const Arguments sanity = {
      "sanity",    "--model", job.model, "--cohort", job.table, "--scans", "2", "--out", folder.name("sanity"),
      "--methods", methods};
  job.done(sanity);
  const auto found = json_of(folder / "sanity/sanity.json");
  ASSERT_EQ(found["methods"].size(), 4u);
  EXPECT_EQ(found["layers"].size(), 7u);
  EXPECT_EQ(found["methods"][2]["on_output"], "undecided") << "two scans make one pair: too few to tell";
  EXPECT_EQ(found["methods"][2]["output_by_construction"], true);
  EXPECT_NEAR(found["methods"][2]["output"]["absolute_rank"]["mean"].get<double>(), 1, 1e-6);
  EXPECT_NEAR(found["methods"][0]["output"]["signed_rank"]["mean"].get<double>(), -1, 1e-6);
  EXPECT_EQ(found["methods"][0]["cascade"].size(), 7u);
  EXPECT_EQ(rows_of(folder / "sanity/sanity.tsv").size(), 4u * (2 + 2 * 7));
  ASSERT_EQ(found["localisation"].size(), 3u + 4u) << "three baselines";
  EXPECT_EQ(found["localisation"][2]["map"], "baseline: group t map");
  EXPECT_NEAR(found["localisation"][0]["plain"]["auc"]["mean"].get<double>(), 0.5, 0.1) << "random";
  EXPECT_EQ(rows_of(folder / "sanity/localisation.tsv").size(), 2u * 7);
  EXPECT_EQ(rows_of(folder / "sanity/faithfulness.tsv").size(), 3u + 4u) << "three baselines";

  // The same bits again.
  const std::string before = text_of(folder / "sanity/sanity.json");
  Arguments again = sanity;
  again.insert(again.end(), {"--threads", "1"});
  job.done(again);
  EXPECT_EQ(text_of(folder / "sanity/sanity.json"), before);

  // Maps on the scan's own grid, with what is known about each.
  job.done({"saliency", "--model", job.model, "--methods", methods, "--smooth", "1", "--sanity", folder.name("sanity"),
            "--out", folder.name("maps"), folder.name("sub-0001_T1w.nii.gz")});
  const auto car = json_of(folder / "maps/sub-0001_T1w_saliency.json");
  ASSERT_EQ(car["maps"].size(), 4u);
  EXPECT_EQ(car["maps"][3]["method"], "lrp-zplus");
  EXPECT_EQ(car["maps"][0]["sanity"]["checked"], true);
  EXPECT_EQ(car["smoothed_voxels"], 1.0);
  for (const auto &map : car["maps"]) {
    cw_volume volume;
    ASSERT_EQ(cw_nifti_read(context, (folder / "maps" / map["file"]).c_str(), &volume), CW_OK);
    EXPECT_TRUE(cw_grid_same(&volume.grid, &grid, 1e-3)) << map["file"];
    float largest = 0;
    for (size_t i = 0; i < cw_grid_samples(&grid); i++)
      largest = std::max(largest, volume.data[i]);
    EXPECT_FLOAT_EQ(largest, map["largest"].get<float>());
    cw_volume_free(context, &volume);
  }
  cw_context_free(context);
  EXPECT_EQ(leftovers(folder / "maps"), 0);

  // A table of scans, and the other class.
  job.done({"saliency", "--model", job.model, "--cohort", job.table, "--held-out-only", "--negative", "--methods",
            "gradient", "--out", folder.name("all")});
  int cars = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder / "all"))
    cars += entry.path().extension() == ".json";
  EXPECT_EQ(cars, 4);

  job.done({"report", "--sanity", folder.name("sanity"), "--out", folder.name("page.html")});
  const std::string page = text_of(folder / "page.html");
  EXPECT_NE(page.find("gradcam.signed"), std::string::npos);
  EXPECT_NE(page.find("\"localisation\":"), std::string::npos);

  // Pictures of the maps: a card for each in three planes, with the verdict of its side-car or of the checks.
  const auto pictures = [&](const Arguments &more) {
    Arguments arguments = {"report", "--out", folder.name("maps.html"), "--examples", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    job.done(arguments);
    const std::string text = text_of(folder / "maps.html"), start = "<script type=\"application/json\" id=\"data\">";
    const size_t from = text.find(start) + start.size();
    return nlohmann::json::parse(text.substr(from, text.find("</script>", from) - from))["saliency"]["scans"];
  };
  const auto shown = pictures({"--saliency", folder.name("maps")});
  ASSERT_EQ(shown.size(), 1u);
  ASSERT_EQ(shown[0]["maps"].size(), 4u);
  for (const auto &map : shown[0]["maps"]) {
    EXPECT_EQ(map["verdict"]["weights"], "undecided");
    EXPECT_EQ(map["verdict"]["word"], "open");
    ASSERT_EQ(map["planes"].size(), 3u);
    EXPECT_EQ(map["planes"][0]["left"], "R");
    EXPECT_EQ(map["planes"][0]["picture"].get<std::string>().rfind("data:image/png;base64,", 0), 0u);
  }
  const auto plain = pictures({"--saliency", folder.name("all")});
  ASSERT_EQ(plain.size(), 1u) << "as many as asked for";
  EXPECT_EQ(plain[0]["group"], "patient") << "held-out patients first";
  EXPECT_EQ(plain[0]["maps"][0]["verdict"]["word"], "unchecked");
  const std::string id = plain[0]["id"];
  EXPECT_EQ(pictures({"--saliency", folder.name("all"), "--example", id}).size(), 1u) << "without simulations";
  EXPECT_NE(run({"report", "--saliency", folder.name("all"), "--example", "nobody", "--out", folder.name("none.html")})
                .err.find("of that scan"),
            std::string::npos);
  EXPECT_EQ(
      pictures({"--saliency", folder.name("all"), "--sanity", folder.name("sanity")})[0]["maps"][0]["verdict"]["word"],
      "open")
      << "the checks are about the same classifier";
  EXPECT_NE(
      run({"report", "--saliency", folder.name("sanity"), "--out", folder.name("none.html")}).err.find("holds no maps"),
      std::string::npos);

  // Refusals: one sentence, and what is wrong in it.
  const auto refused = [&](const Arguments &more, const std::string &words) {
    Arguments arguments = {"saliency", "--model", job.model, "--out", folder.name("none"), scan.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  };
  refused({"--methods", "gradcamm"}, "'gradcamm' is no method");
  refused({"--methods", "gradient,gradient"}, "named twice");
  refused({"--methods", "gradcam", "--layer", "nowhere"}, "nowhere");
  refused({"--methods", "gradcam", "--layer", "fc1"}, "'fc1'");
  refused({"--methods", "gradient", "--output", "1"}, "output 1");
  refused({"--methods", "gradient", "--sanity", scan.string()}, "not valid JSON");
  EXPECT_EQ(run({"report", "--out", folder.name("page.html")}).code, 2);
}
