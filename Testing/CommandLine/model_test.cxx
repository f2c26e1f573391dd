// A PyTorch export from Testing/Data/families, looked at, imported, and explained.
#include "counterwarp/model.h"

#include <gtest/gtest.h>

#include "program.h"
#include "Tensor/test_context.h"

namespace {

const std::string data = std::string(CW_TEST_DATA) + "/families/";

TEST(ModelCommand, InfoSaysWhatIsThere) {
  const Outcome outcome = run({"model", "info", data + "densenet121.onnx"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char *part : {"written by: pytorch", "operator set 17", "inputs: image: float32 N x 1 x 32 x 32 x 32",
                           "outputs: out: float32 N x 2", "BatchNormalization", "not supported: none",
                           "missing: what it is; size of the input (W H D); voxel size"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
}

TEST(ModelCommand, CheckNamesWhatIsMissing) {
  Outcome outcome = run({"model", "check", data + "densenet121.onnx"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find("it runs: logit"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("a simulator can be trained for it: yes"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("manifest is missing"), std::string::npos) << outcome.err;
  const Folder folder;
  const std::string whole = folder.name("whole.onnx");
  outcome = run({"model", "import", data + "densenet121.onnx", "--out", whole, "--spacing", "3", "--orientation", "RAS",
                 "--normalization", "none"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const Arguments &arguments : {Arguments{"model", "check", whole}, {"model", "check", whole, "--output", "0"}}) {
    outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
  outcome = run({"model", "check", data + "sfcn.onnx"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("which class is the patients'"), std::string::npos) << outcome.err;
  outcome = run({"model", "check", data + "vit.onnx"});
  EXPECT_NE(outcome.out.find("trained for it: no"), std::string::npos) << outcome.out;
}

TEST(ModelCommand, ImportAsksForWhatItNeeds) {
  const Folder folder;
  const std::string in = data + "plain.onnx", out = folder.name("out.onnx");
  Outcome outcome = run({"model", "import", in, "--out", out});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("--spacing or --like, --orientation, --normalization"), std::string::npos) << outcome.err;
  const auto refused = [&](const std::string &orientation, const std::string &normalization, const char *words) {
    outcome = run({"model", "import", in, "--out", out, "--spacing", "2", "--orientation", orientation,
                   "--normalization", normalization});
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  };
  refused("RAR", "none", "names an axis twice");
  refused("RAX", "none", "not 'X'");
  refused("RA", "none", "three letters");
  refused("RAS", "zscore some", "is none of");
  refused("RAS", "range 2 1", "range");
  refused("RAS", "percentile 101", "percentile");
  EXPECT_FALSE(std::filesystem::exists(out));
}

// What a MONAI bundle says is taken from there.
TEST(ModelCommand, ImportReadsBundles) {
  const Folder folder;
  write_file(folder / "metadata.json", R"({"network_data_format": {"inputs": {"image": {"num_channels": 1,
    "spatial_shape": [32, 32, 32], "value_range": [0, 1]}}, "outputs": {"pred": {"channel_def": {"0": "healthy",
    "1": "ill"}}}}})");
  write_file(folder / "inference.json", R"({"preprocessing": {"_target_": "Compose", "transforms": [
    {"_target_": "Orientationd", "keys": "image", "axcodes": "LPS"},
    {"_target_": "Spacingd", "keys": "image", "pixdim": [3.0, 2.0, 1.5]},
    {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": true}]}})");
  const Outcome outcome =
      run({"model", "import", data + "densenet121.onnx", "--out", folder.name("out.onnx"), "--bundle",
           folder.name("metadata.json"), "--transforms", folder.name("inference.json"), "--output", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome info = run({"model", "info", folder.name("out.onnx")});
  for (const char *part : {"intensities: zscore", "size of the input (W H D): 32 32 32",
                           // W to S by 1.5 mm, H to P by 2, D to L by 3
                           "place: 0 0 3 -46.5 0 2 0 -31 1.5 0 0 -23.25"})
    EXPECT_NE(info.out.find(part), std::string::npos) << part << "\n" << info.out;
  EXPECT_NE(run({"model", "check", folder.name("out.onnx")}).out.find("it runs"), std::string::npos);
}

// Bundles hold null and expressions too; what has no counterpart is said, not taken for the default.
TEST(ModelCommand, ImportReadsBundlesAsTheyAre) {
  const Folder folder;
  const auto import = [&](const char *intensity) {
    write_file(
        folder / "inference.json",
        std::string(R"([{"_target_": "OrientationDict", "axcodes": "RAS"}, {"_target_": "SpacingD", "pixdim": 2},)") +
            intensity + "]");
    return run({"model", "import", data + "densenet121.onnx", "--out", folder.name("out.onnx"), "--transforms",
                folder.name("inference.json")});
  };
  Outcome outcome = import(R"({"_target_": "NormalizeIntensityd", "subtrahend": null, "divisor": null})");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(run({"model", "info", folder.name("out.onnx")}).out.find("intensities: zscore all"), std::string::npos);
  EXPECT_EQ(import(R"({"_target_": "ScaleIntensityd"})").code, 0);
  for (const char *other : {R"({"_target_": "ScaleIntensityd", "minv": null, "maxv": null, "factor": 2})",
                            R"({"_target_": "ScaleIntensityd", "minv": "$@low", "maxv": 1})",
                            R"({"_target_": "NormalizeIntensityd", "divisor": 255})"}) {
    outcome = import(other);
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.err.find("--normalization"), std::string::npos) << outcome.err;
  }
}

// From a PyTorch export to a simulator of it.
TEST(ModelCommand, ImportedClassifiersAreExplained) {
  const Folder folder;
  make_spheres(folder, 6);
  const std::string table = folder.name("cohort/participants.tsv");
  std::string image;
  for (const auto &row : rows_of(table))
    image = row["image"].get<std::string>();
  Outcome outcome = run({"model", "import", data + "plain.onnx", "--out", folder.name("classifier.onnx"), "--like",
                         folder.name("cohort/" + image), "--orientation", "SAR", "--normalization", "percentile 99.5"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  outcome = run({"model", "check", folder.name("classifier.onnx")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  outcome = run({"classify", "--model", folder.name("classifier.onnx"), "--cohort", table});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  outcome =
      run({"train-simulator", "--cohort", table, "--classifier", folder.name("classifier.onnx"), "--out",
           folder.name("simulator.onnx"), "--steps", "2", "--batch", "2", "--folds", "3", "--margin", "1", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  outcome = run({"model", "image", folder.name("simulator.onnx"), "--out", folder.name("image.onnx")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(run({"model", "info", folder.name("image.onnx")}).out.find("warped: float32 1 x 1 x 32 x 32 x 32"),
            std::string::npos);
  outcome = run({"simulate", "--model", folder.name("image.onnx"), "--direction", "inject", "--out",
                 folder.name("again"), folder.name("cohort/" + image)});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(run({"model", "image", folder.name("classifier.onnx"), "--out", folder.name("no.onnx")}).code, 1);
  // Told who taught the classifier, the file says so.
  write_file(folder / "taught.txt", "participant_id\tgroup\nsub-0001\tcontrol\nsub-0002\tpatient\n");
  write_file(folder / "unseen.txt", "sub-0003\n");
  const auto told = [&](const char *unseen) {
    return run({"model", "import", data + "plain.onnx", "--out", folder.name("told.onnx"), "--like",
                folder.name("cohort/" + image), "--orientation", "SAR", "--normalization", "percentile 99.5",
                "--trained-on", folder.name("taught.txt"), "--held-out", folder.name(unseen)});
  };
  EXPECT_NE(told("taught.txt").err.find("both as trained on and as held out"), std::string::npos);
  EXPECT_EQ(told("unseen.txt").code, 0);
  TestContext context;
  cw_model model = {};
  ASSERT_EQ(cw_model_read(context, folder.name("told.onnx").c_str(), &model), CW_OK) << context.message();
  EXPECT_EQ(model.trained_on.count, 2);
  EXPECT_TRUE(cw_strings_contain(&model.trained_on, "sub-0002"));
  EXPECT_TRUE(cw_strings_contain(&model.held_out, "sub-0003"));
  cw_model_free(context, &model);
  outcome = run({"simulate", "--model", folder.name("simulator.onnx"), "--direction", "inject", "--out",
                 folder.name("simulations"), folder.name("cohort/" + image)});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

}  // namespace
