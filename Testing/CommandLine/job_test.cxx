// The main job on a tiny cohort, through every command: each leaves what it must, and what one writes the next reads.
#include "job.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "counterwarp/nifti.h"

namespace {

// Two halves of the model's box as an atlas.
void write_atlas(const Path &file, const Path &like) {
  cw_context *context;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  cw_volume volume;
  ASSERT_EQ(cw_nifti_read(context, like.c_str(), &volume), CW_OK);
  for (size_t i = 0; i < cw_grid_samples(&volume.grid); i++)
    volume.data[i] = i % volume.grid.size[0] < size_t(volume.grid.size[0] / 2) ? 17.0f : 53.0f;
  EXPECT_EQ(cw_nifti_write(context, file.c_str(), &volume, CW_NIFTI_UINT8), CW_OK);
  cw_volume_free(context, &volume);
  cw_context_free(context);
}

void expect_side_car(const nlohmann::json &json, const std::string &direction, const Path &folder) {
  EXPECT_EQ(json["direction"], direction);
  EXPECT_EQ(json["curve"]["strength"].size(), 17u);
  EXPECT_EQ(json["curve"]["logit"].size(), 17u);
  EXPECT_EQ(json["curve"]["strength"][0], -1.0);
  if (json["strength"] == 1.0) {
    EXPECT_EQ(json["margin"], 1.0) << "what train-simulator was given";
    const double before = json["logit"]["before"], goal = json["other_groups_median_logit"];
    const double way = json["direction"] == "inject" ? goal - before : before - goal;
    if (way > 0)
      EXPECT_EQ(json["margin_reached"], json["logit"]["shift_in_wanted_direction"].get<double>() >= std::min(1.0, way));
    else
      EXPECT_TRUE(json["margin_reached"].is_null()) << "it stood beyond the goal to begin with";
  }
  for (const char *key : {"logit", "held_out", "folded_voxels", "inverse_error_mm", "cycle_error",
                          "largest_displacement_mm", "mean_displacement_mm", "monotone", "versions", "sign"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_NE(json["sign"].get<std::string>().find("shrank"), std::string::npos);
  const std::string base = json["id"].get<std::string>() + "_desc-" + direction;
  for (const char *part : {"_image.nii.gz", "_field.nii.gz", "_jacobian.nii.gz", "_logjacobian.nii.gz", ".json"})
    EXPECT_TRUE(std::filesystem::exists(folder / (base + part))) << base << part;
}

// The page needs nothing from elsewhere and holds what it must.
void expect_page(const Path &file) {
  const std::string page = text_of(file);
  for (const char *outside : {"src=\"http", "href=\"http", "<link", "@import", "url(http"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  EXPECT_NE(page.find("Chart.js v"), std::string::npos) << "the notice of Chart.js's licence";
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const size_t from = page.find(open) + open.size(), to = page.find("</script>", from);
  const auto data = nlohmann::json::parse(page.substr(from, to - from));
  EXPECT_EQ(data["title"], "Tiny </script> & more");
  EXPECT_GE(data["verdict"].size(), 5u);
  for (const char *direction : {"inject", "remove"}) {
    EXPECT_TRUE(data["figures"][direction].contains("tally"));
    EXPECT_TRUE(data["figures"][direction].contains("transfer"));
    EXPECT_TRUE(data["figures"][direction].contains("scores"));
    EXPECT_EQ(data["strength"][direction]["mean"].size(), 17u);
    EXPECT_EQ(data["regions"][direction].size(), 2u);
  }
  ASSERT_EQ(data["examples"]["scans"].size(), 4u);
  for (const auto &scan : data["examples"]["scans"]) {
    ASSERT_EQ(scan["planes"].size(), 3u);
    EXPECT_EQ(scan["planes"][0]["left"], "R") << "radiological convention";
    EXPECT_EQ(scan["planes"][1]["top"], "S");
    EXPECT_EQ(scan["planes"][2]["left"], "A");
    for (const char *picture : {"before", "after", "change"})
      EXPECT_EQ(scan["planes"][0][picture].get<std::string>().compare(0, 22, "data:image/png;base64,"), 0);
  }
  EXPECT_EQ(data["maps"]["directions"].size(), 2u);
  EXPECT_GE(data["curves"]["classifier"]["rows"].size(), 1u);
  EXPECT_EQ(data["proof"].size(), 30u) << "fourteen figures, two directions, and two of both";
  EXPECT_FALSE(data["answer"]["sentence"].get<std::string>().empty());
  EXPECT_TRUE(data["effects"].is_null()) << "spheres have one effect";
  EXPECT_GE(data["curves"]["simulator"]["rows"].size(), 1u);
}

}  // namespace

// Without --second, group trains one as the first was, on nobody that it then looks at, and keeps it.
void expect_second_on_the_spot(Job &job, const std::string &simulations) {
  const Path group = job.folder / "again", trained = group / "second/classifier.onnx";
  const auto seen = rows_of(group / "transfer.tsv");
  EXPECT_EQ(seen.size(), 4u);
  for (const auto &row : seen)
    EXPECT_EQ(row["held_out"], "true") << row.dump();
  EXPECT_EQ(json_of(group / "group.json")["second"], "second/classifier.onnx");
  const auto recipe = json_of(group / "second/recipe.json");
  EXPECT_EQ(recipe["steps"], 4);
  EXPECT_EQ(recipe["seed"], 2) << "the first has 1";
  const std::string first = text_of(trained);
  const Arguments command = {"group", "--simulations", simulations,  "--cohort", job.table,
                             "--out", group.string(),  "--exchange", "0"};
  const Outcome again = job.done(command);
  EXPECT_NE(again.err.find("stands from an earlier run"), std::string::npos) << again.err;
  EXPECT_EQ(text_of(trained), first);
  // Another recipe starts anew, whatever half-done work lies there.
  write_file(group / "second/recipe.json", "{}");
  write_file(trained.string() + ".checkpoint", "of another run");
  job.done(command);
  EXPECT_EQ(text_of(trained), first);

  Arguments none = command;
  none[6] = job.folder.name("alone");
  none.insert(none.end(), {"--second", "none"});
  job.done(none);
  EXPECT_FALSE(std::filesystem::exists(job.folder / "alone/transfer.tsv"));
}

TEST(Job, FromNothingToThePage) {
  Job job;
  Folder &folder = job.folder;
  make_spheres(folder, 8);
  const auto rows = rows_of(job.table);
  ASSERT_EQ(rows.size(), 16u);
  for (const auto &row : rows)
    for (const char *column : {"image", "truth_logjac", "truth_mask", "truth_region"})
      EXPECT_TRUE(std::filesystem::exists(folder / "cohort" / row[column])) << row.dump();

  // Training: the model, its curve, no checkpoint left.
  job.train(job.classifier, "1");
  job.train(folder.name("second.onnx"), "2");
  job.done({"train-simulator", "--cohort", job.table, "--classifier", job.classifier, "--out", job.simulator, "--steps",
            "3", "--batch", "2", "--margin", "1", "--evaluate-every", "1"});
  EXPECT_FALSE(std::filesystem::exists(job.simulator + ".checkpoint"));
  EXPECT_GE(rows_of(job.simulator + ".curve.tsv").size(), 3u);

  // Several classifiers at once; one that prepares scans in another way does not fit.
  const std::string pair = folder.name("pair.onnx");
  const Arguments several = {"train-simulator",
                             "--cohort",
                             job.table,
                             "--classifier",
                             job.classifier,
                             "--classifier",
                             folder.name("second.onnx"),
                             "--out",
                             pair,
                             "--steps",
                             "1",
                             "--batch",
                             "2",
                             "--margin",
                             "1"};
  job.done(several);
  EXPECT_TRUE(std::filesystem::exists(pair));
  job.done({"train-classifier", "--cohort", job.table, "--out", folder.name("other.onnx"), "--steps", "2", "--batch",
            "2", "--normalize", "none"});
  Arguments unlike = several;
  unlike[6] = folder.name("other.onnx");
  const Outcome refused = run(unlike);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("prepares scans in another way"), std::string::npos) << refused.err;

  // Going on from a model: nobody held out here has taught it, so nothing is to be warned about; with another fold some
  // have.
  const Arguments more = {"train-classifier",
                          "--cohort",
                          job.table,
                          "--out",
                          folder.name("more.onnx"),
                          "--steps",
                          "2",
                          "--batch",
                          "4",
                          "--folds",
                          "4",
                          "--start",
                          job.classifier};
  EXPECT_EQ(job.done(more).err.find("was trained on"), std::string::npos);
  Arguments other = more;
  other.insert(other.end(), {"--fold", "1"});
  EXPECT_NE(job.done(other).err.find("was trained on 4 of the subjects"), std::string::npos);

  // A quarter of each group is held out, by both models alike.
  std::set<std::string> apart[2];
  for (const int model : {0, 1}) {
    const std::string out = folder.name("classes.tsv");
    job.done({"classify", "--model", model ? job.simulator : job.classifier, "--cohort", job.table, "--out", out});
    const auto classes = rows_of(out);
    ASSERT_EQ(classes.size(), 16u);
    for (const auto &row : classes) {
      EXPECT_TRUE(std::isfinite(std::stod(row["logit"].get<std::string>())));
      if (row["held_out"] == "true")
        apart[model].insert(row["participant_id"]);
    }
  }
  EXPECT_EQ(apart[0].size(), 4u);
  EXPECT_EQ(apart[0], apart[1]);

  // Simulation of the held-out scans, and of one training scan by its file.
  const std::string out = folder.name("simulations");
  job.simulate("inject", out, {"--cohort", job.table, "--held-out-only"});
  job.simulate("remove", out, {"--cohort", job.table, "--group", "patient", "--held-out-only", "--convention", "lps"});
  int cars = 0;
  for (const auto &entry : std::filesystem::directory_iterator(out))
    if (entry.path().extension() == ".json") {
      const auto json = json_of(entry.path());
      expect_side_car(json, json["direction"], out);
      EXPECT_EQ(json["held_out"], true);
      EXPECT_EQ(json["folded_voxels"], 0) << "a velocity field";
      cars++;
    }
  EXPECT_EQ(cars, 4 + 2);
  EXPECT_EQ(leftovers(out), 0);
  const auto trained = std::find_if(rows.begin(), rows.end(), [&](const auto &row) {
    return !apart[0].count(row["participant_id"].template get<std::string>());
  });
  const Path scan = folder / "cohort" / (*trained)["image"];
  job.simulate("inject", folder.name("single"), {scan.string(), "--strength", "0.5"});
  const std::string stem = (*trained)["participant_id"].get<std::string>() + "_ses-01_T1w";
  EXPECT_EQ(json_of(folder / ("single/" + stem + "_desc-inject.json"))["held_out"], false);
  EXPECT_EQ(json_of(folder / ("single/" + stem + "_desc-inject.json"))["strength"], 0.5);
  EXPECT_TRUE(json_of(folder / ("single/" + stem + "_desc-inject.json"))["margin_reached"].is_null());

  // --resume passes over what stands, and only that.
  const Path some = *std::find_if(std::filesystem::directory_iterator(out), {}, [](const auto &entry) {
    return entry.path().string().find("_desc-inject_field") != std::string::npos;
  });
  std::filesystem::remove(some);
  const Outcome again = job.done({"simulate", "--model", job.simulator, "--direction", "inject", "--out", out,
                                  "--cohort", job.table, "--held-out-only", "--resume"});
  EXPECT_NE(again.err.find("Simulated 1 scans"), std::string::npos) << again.err;
  EXPECT_TRUE(std::filesystem::exists(some));
  // Another alignment is another simulation.
  write_file(folder / "still.tfm",
             "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
             "Parameters: 1 0 0 0 1 0 0 0 1 0 0 0\nFixedParameters: 0 0 0\n");
  for (const bool anew : {true, false}) {
    const Outcome aligned =
        job.done({"simulate", "--model", job.simulator, "--direction", "inject", "--out", folder.name("single"),
                  "--strength", "0.5", "--transform", folder.name("still.tfm"), "--resume", scan.string()});
    EXPECT_EQ(aligned.err.find("Wrote ") != std::string::npos, anew) << aligned.err;
  }

  // Group results, with a FreeSurfer-like table of names.
  write_atlas(folder / "atlas.nii.gz", scan);
  write_file(
      folder / "names.txt",
      "# No. Label R G B A\n0 Unknown 0 0 0 0\n17 Left-Hippocampus 220 216 20 0\n53 Right-Hippocampus 1 2 3 0\n");
  const Outcome grouped = job.done({"group", "--simulations", out, "--cohort", job.table, "--atlas",
                                    folder.name("atlas.nii.gz"), "--labels", folder.name("names.txt"), "--second",
                                    folder.name("second.onnx"), "--out", folder.name("group")});
  for (const char *name :
       {"group_desc-inject_mean.nii.gz", "group_desc-inject_t.nii.gz", "group_desc-remove_mean.nii.gz",
        "group_desc-remove_t.nii.gz", "scans.tsv", "scores.tsv", "transfer.tsv", "group.json"})
    EXPECT_TRUE(std::filesystem::exists(folder / "group" / name)) << name;
  const auto regions = rows_of(folder / "group/regions.tsv");
  ASSERT_EQ(regions.size(), 4u);
  EXPECT_EQ(regions[0]["direction"], "inject");
  EXPECT_EQ(regions[0]["n"], "2");
  EXPECT_LE(std::stod(regions[0]["mean_change_percent"].get<std::string>()),
            std::stod(regions[1]["mean_change_percent"].get<std::string>()));
  EXPECT_GE(std::stod(regions[2]["mean_change_percent"].get<std::string>()),
            std::stod(regions[3]["mean_change_percent"].get<std::string>()));
  std::set<std::string> names;
  for (const auto &row : regions)
    names.insert(row["region"]);
  EXPECT_EQ(names, (std::set<std::string>{"Left-Hippocampus", "Right-Hippocampus"}));
  EXPECT_EQ(rows_of(folder / "group/scans.tsv").size(), 4u) << "controls injected and patients healed, held out";

  // What stands behind it: every figure inside its interval; maps of the same simulations agree with themselves.
  job.done({"group", "--simulations", out, "--cohort", job.table, "--out", folder.name("again"), "--other",
            folder.name("group")});
  std::set<std::string> figures;
  for (const auto &row : rows_of(folder / "group/proof.tsv")) {
    figures.insert(row["figure"]);
    EXPECT_NE(row["meaning"], "");
    if (row["direction"] == "both")  // of four scans nothing may be sure
      continue;
    if (row["figure"] == "flipped" || row["figure"] == "second_flipped" || row["figure"] == "margin_reached") {
      EXPECT_LE(std::stoi(row["n"].get<std::string>()), 2) << "of those that had a way to go";
      if (row["n"] == "0")
        continue;
    } else {
      EXPECT_EQ(row["n"], "2");
    }
    EXPECT_LE(std::stod(row["low_95"].get<std::string>()), std::stod(row["value"].get<std::string>())) << row.dump();
    EXPECT_GE(std::stod(row["high_95"].get<std::string>()), std::stod(row["value"].get<std::string>())) << row.dump();
  }
  for (const char *name :
       {"balanced_accuracy", "shape_share", "moved", "flipped", "margin_reached", "shift_of_margin", "monotone",
        "second_moved", "second_flipped", "cycle_error", "composition_error_mm", "folded_scans",
        "agreement_of_directions", "mean_displacement_mm", "largest_displacement_mm", "strain"})
    EXPECT_TRUE(figures.count(name)) << name;
  // The verdict closes the run, whatever it is.
  const auto verdict = json_of(folder / "group/group.json")["verdict"];
  EXPECT_NE(grouped.err.find(verdict["sentence"].get<std::string>()), std::string::npos) << grouped.err;
  EXPECT_NE(verdict["verdict"], "explains") << "two scans of each group prove nothing";
  EXPECT_EQ(rows_of(folder / "group/exchange.tsv").size(), 4u);
  const Outcome stranger =
      run({"group", "--simulations", out, "--cohort", job.table, "--out", folder.name("strange"), "--model", pair});
  EXPECT_EQ(stranger.code, 1);
  EXPECT_NE(stranger.err.find("is not the simulator"), std::string::npos) << stranger.err;
  const auto stability = rows_of(folder / "again/stability.tsv");
  ASSERT_EQ(stability.size(), 2u);
  for (const auto &row : stability) {
    EXPECT_NEAR(std::stod(row["correlation"].get<std::string>()), 1, 1e-6);
    EXPECT_LE(std::stod(row["low_95"].get<std::string>()), 1);
  }
  const auto proof = rows_of(folder / "again/proof.tsv");
  EXPECT_EQ(std::count_if(proof.begin(), proof.end(),
                          [](const auto &row) { return row.at("figure") == "map_of_another_seed"; }),
            2);
  expect_second_on_the_spot(job, out);

  job.done({"report", "--simulations", out, "--cohort", job.table, "--group", folder.name("group"), "--classifier",
            job.classifier, "--simulator", job.simulator, "--title", "Tiny </script> & more", "--out",
            folder.name("page.html")});
  expect_page(folder / "page.html");

  // A closed or full standard output is no success.
  const Outcome full =
      run_shell("\"$CW\" classify --model '" + job.classifier + "' '" + scan.string() + "' > /dev/full");
  EXPECT_EQ(full.code, 1) << full.err;
}

// Puts the cohort's file of `column` in the place of each simulation's log-Jacobian.
void replace_maps(const Job &job, const Path &simulations, const std::string &column) {
  int replaced = 0;
  for (const auto &entry : std::filesystem::directory_iterator(simulations)) {
    const std::string name = entry.path().filename().string();
    if (name.find("_logjacobian.nii.gz") == std::string::npos)
      continue;
    for (const auto &row : rows_of(job.table))
      if (name.rfind(row["participant_id"].get<std::string>() + "_", 0) == 0) {
        std::filesystem::copy_file(job.folder / "cohort" / row[column], entry.path(),
                                   std::filesystem::copy_options::overwrite_existing);
        replaced++;
      }
  }
  EXPECT_GT(replaced, 0);
}

// The classifier reads the second effect alone, alike in every scan: the scans with the first look as those with none.
// A map that lies on the second follows it, one on the first does not, and the table must tell them apart.
void expect_states(Job &job, const Path &simulations) {
  const auto rows = rows_of(job.table);
  const Path cohort = job.folder / "cohort", none = cohort / rows[0]["alone_none"],
             second = cohort / rows[0]["alone_effect2"];
  const auto replace = [](const Path &from, const Path &to) {
    if (from != to)
      std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  };
  for (const auto &row : rows) {
    replace(none, cohort / row["alone_none"]);
    replace(none, cohort / row["alone_effect1"]);
    replace(second, cohort / row["alone_effect2"]);
  }
  for (const auto &[column, state] :
       {std::pair<std::string, std::string>("truth_effect1", "poor"), {"truth_effect2", "good"}}) {
    replace_maps(job, simulations, column);
    job.done({"group", "--simulations", simulations.string(), "--cohort", job.table, "--out", job.folder.name(column),
              "--exchange", "0", "--second", "none"});
    for (const auto &row : rows_of(job.folder / column / "effects.tsv")) {
      EXPECT_EQ(row["state"], state) << row.dump();
      EXPECT_NEAR(std::stod(row["logit_share"].get<std::string>()), row["effect"] == "effect2", 1e-6) << row.dump();
    }
  }
}

// Two effects and what each does alone: a warp's, and one of brightness.
TEST(Job, EffectsAlone) {
  if (!std::filesystem::exists("/usr/share/mricron/templates/aal.nii.gz"))
    GTEST_SKIP() << "mricron-data is not installed";
  Job job;
  job.done({"cohort", "--kind", "brains", "--subjects", "4", "--effect", "Hippocampus", "--brightness",
            "Lingual:30..40", "--alone", "--out", job.folder.name("cohort")});
  const auto rows = rows_of(job.table);
  ASSERT_EQ(rows.size(), 8u);
  for (const auto &row : rows)
    for (const char *column : {"alone_none", "alone_effect1", "alone_effect2", "truth_effect1", "truth_effect2"})
      EXPECT_TRUE(std::filesystem::exists(job.folder / "cohort" / row[column])) << row.dump();
  job.train(job.classifier, "1", "2");  // two held-out scans of each group: intervals
  job.done({"train-simulator", "--cohort", job.table, "--classifier", job.classifier, "--out", job.simulator, "--steps",
            "1", "--batch", "2", "--margin", "1"});
  const std::string out = job.folder.name("simulations");
  job.simulate("inject", out, {"--cohort", job.table, "--held-out-only", "--group", "control"});
  job.simulate("remove", out, {"--cohort", job.table, "--held-out-only", "--group", "patient"});
  job.done({"group", "--simulations", out, "--cohort", job.table, "--out", job.folder.name("group"), "--exchange", "0",
            "--second", "none"});
  const auto effects = rows_of(job.folder / "group/effects.tsv");
  ASSERT_EQ(effects.size(), 4u) << "two effects, two directions";
  for (int d = 0; d < 2; d++) {
    double share[3] = {0, 0, 0};
    for (int e = 0; e < 2; e++) {
      const auto &row = effects[2 * d + e];
      EXPECT_EQ(row["direction"], d ? "remove" : "inject");
      int k = 0;
      for (const char *column : {"logit_share", "map_share", "mask_share"})
        share[k++] += std::stod(row[column].get<std::string>());
    }
    for (const double sum : share)
      EXPECT_NEAR(sum, 1, 2e-3);
  }
  const auto group = json_of(job.folder / "group/group.json");
  EXPECT_TRUE(group["exchange"].is_null());
  EXPECT_EQ(group["effects"]["inject"].size(), 2u);
  expect_states(job, out);
  // Nothing moves: there is no log J to know.
  job.done({"cohort", "--kind", "brains", "--subjects", "1", "--brightness", "Hippocampus", "--out",
            job.folder.name("darker")});
  for (const auto &row : rows_of(job.folder / "darker/participants.tsv"))
    EXPECT_EQ(row["truth_logjac"], "n/a");
}

// A cohort without truth columns is the normal case; a table of other people asks for a fold of its own.
TEST(Job, ATableWithoutTruth) {
  Job job;
  make_spheres(job.folder, 5);
  std::string table = "participant_id\tgroup\timage\n";
  for (const auto &row : rows_of(job.table))
    table += row["participant_id"].get<std::string>() + "\t" + row["group"].get<std::string>() + "\t" +
             row["image"].get<std::string>() + "\n";
  job.table = job.folder.name("cohort/plain.tsv");
  write_file(job.table, table);
  job.done({"train-classifier", "--cohort", job.table, "--out", job.classifier, "--steps", "2", "--batch", "2",
            "--folds", "5"});
  job.done({"train-simulator", "--cohort", job.table, "--classifier", job.classifier, "--out", job.simulator, "--steps",
            "1", "--batch", "2", "--margin", "1", "--field", "displacement", "--objective", "paper"});
  const std::string out = job.folder.name("simulations");
  job.simulate("inject", out, {"--cohort", job.table, "--group", "control"});
  job.done({"group", "--simulations", out, "--cohort", job.table, "--out", job.folder.name("group")});
  EXPECT_FALSE(std::filesystem::exists(job.folder / "group/scores.tsv"));
  EXPECT_FALSE(std::filesystem::exists(job.folder / "group/regions.tsv"));
  EXPECT_EQ(rows_of(job.folder / "group/scans.tsv").size(), 1u) << "one held-out control";
  job.done({"report", "--simulations", out, "--out", job.folder.name("page.html")});
  EXPECT_NE(text_of(job.folder / "page.html").find("No second classifier was given"), std::string::npos);

  // Scans and model are found from a folder behind a symbolic link, too.
  std::filesystem::create_directories(job.folder / "far/away");
  std::filesystem::create_directory_symlink(job.folder / "far/away", job.folder / "link");
  job.simulate("inject", job.folder.name("link"), {"--cohort", job.table, "--group", "control"});
  job.done({"report", "--simulations", job.folder.name("link"), "--out", job.folder.name("page.html")});
  const Outcome linked = job.done(
      {"group", "--simulations", job.folder.name("link"), "--cohort", job.table, "--out", job.folder.name("group")});
  EXPECT_EQ(linked.err.find("no longer where it was"), std::string::npos) << linked.err;
}
