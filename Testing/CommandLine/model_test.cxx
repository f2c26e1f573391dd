// A PyTorch export from Testing/Data/families, looked at, imported, and explained.
#include "counterwarp/model.h"

#include <gtest/gtest.h>

#include "Formats/onnx_builder.h"
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
                           "place: 0 0 3 -46.5 0 2 0 -31 1.5 0 0 -23.25",
                           "classes: logit below 0: healthy, above 0: ill; order in the network: healthy, ill"})
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

// What several transforms, or those that move voxels, leave unsure has to be said by options.
TEST(ModelCommand, ImportTakesNoMoreFromTransformsThanTheySay) {
  const Folder folder;
  const std::string orientation = R"({"_target_": "Orientationd", "axcodes": "RAS"},)",
                    spacing = R"({"_target_": "Spacingd", "pixdim": [3, 2, 1]},)",
                    even = R"({"_target_": "Spacingd", "pixdim": 2},)", minmax = R"({"_target_": "ScaleIntensityd"},)",
                    end = R"({"_target_": "EnsureTyped"}])";
  const auto import = [&](const std::string &transforms, const Arguments &more = {}) {
    write_file(folder / "inference.json", "[" + transforms + end);
    Arguments arguments = {"model",
                           "import",
                           data + "densenet121.onnx",
                           "--out",
                           folder.name("out.onnx"),
                           "--transforms",
                           folder.name("inference.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const auto asks = [&](const std::string &transforms, const char *remark, const char *option) {
    const Outcome outcome = import(transforms);
    EXPECT_EQ(outcome.code, 2) << transforms;
    EXPECT_NE(outcome.err.find(remark), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(option), std::string::npos) << outcome.err;
  };
  EXPECT_EQ(import(orientation + spacing + minmax).code, 0);
  asks(orientation + spacing + R"({"_target_": "ScaleIntensityRanged", "a_min": 0, "a_max": 9},)" +
           R"({"_target_": "NormalizeIntensityd"},)",
       "changed by ScaleIntensityRange and again by NormalizeIntensity", "said: --normalization.");
  asks(orientation + spacing + minmax + R"({"_target_": "Resized", "spatial_size": [32, 32, 32]},)",
       "Resize changes the voxel size", "said: --spacing or --like.");
  asks(spacing + orientation + minmax, "Spacing comes before Orientation", "said: --spacing or --like.");
  asks(orientation + spacing + minmax + R"({"_target_": "monai.transforms.Flipd", "spatial_axis": 0},)",
       "Flip changes where the axes point", "said: --orientation.");
  // What is the same along every axis is so in any order; what is said wins; a crop is told.
  EXPECT_EQ(import(even + orientation + minmax).code, 0);
  EXPECT_EQ(import(spacing + orientation + minmax, {"--spacing", "2"}).code, 0);
  const Outcome cropped = import(orientation + spacing + minmax + R"({"_target_": "SpatialPad", "spatial_size": 32},)");
  EXPECT_EQ(cropped.code, 0) << cropped.err;
  EXPECT_NE(cropped.err.find("SpatialPad cuts or pads the scan"), std::string::npos) << cropped.err;
  // Nested deeper than any configuration.
  const std::string open(size_t{100000}, '['), close(size_t{100000}, ']');
  for (const std::string &deep : {open + close, R"({"_target_": "Spacingd", "pixdim": )" + open + close + "}"}) {
    write_file(folder / "inference.json", deep);
    const Outcome outcome = run({"model", "import", data + "densenet121.onnx", "--out", folder.name("out.onnx"),
                                 "--transforms", folder.name("inference.json")});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find("more than 64 levels"), std::string::npos) << outcome.err;
  }
}

// A network of a 32^3 image with the outputs of some nodes behind "mean" [N,1].
std::string network(std::vector<onnx_file::Message> nodes, const std::vector<onnx_file::Message> &tensors,
                    const std::vector<std::string> &outputs) {
  using namespace onnx_file;
  Message graph;
  graph.part(1, node("GlobalAveragePool", {"scan"}, "pooled")).part(1, node("Flatten", {"pooled"}, "mean"));
  for (const Message &n : nodes)
    graph.part(1, n);
  for (const Message &t : tensors)
    graph.part(5, t);
  graph.text(2, "graph").part(11, value("scan", {0, 1, 32, 32, 32}));
  for (const std::string &output : outputs)
    graph.part(12, value(output, {0, 1}));
  return Message().number(1, 8).part(7, graph).part(8, Message().text(1, "").number(2, 17)).bytes;
}

// All of it, before it fails.
TEST(ModelCommand, CheckListsAllThatIsMissing) {
  using namespace onnx_file;
  const Folder folder;
  std::vector<Message> nodes;
  std::string before = "mean";
  for (int i = 0; i < 40; i++) {
    const std::string name = i < 39 ? "n" + std::to_string(i) : "y";
    nodes.push_back(node(i % 2 ? "Loop" : "NonZero", {before}, name));
    before = name;
  }
  write_file(folder / "strange.onnx", network(nodes, {external("w", {1}, {{"location", "weights.bin"}})}, {"y"}));
  const Outcome outcome = run({"model", "check", folder.name("strange.onnx")});
  EXPECT_EQ(outcome.code, 1);
  for (int i = 0; i < 39; i++)
    EXPECT_NE(outcome.out.find("node 'n" + std::to_string(i) + " node'"), std::string::npos) << i;
  for (const char *part : {"operator 'Loop'", "operator 'NonZero'", "missing: what it is; size of the input"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << outcome.out;
  for (const char *part :
       {"manifest is missing", "40 nodes are not supported", "weights.bin with weights is not there"})
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << outcome.err;
}

// Which output, and what it tells apart, go into the file.
TEST(ModelCommand, ImportRecordsOutputAndClasses) {
  using namespace onnx_file;
  const Folder folder;
  const std::string two = folder.name("two.onnx"), out = folder.name("out.onnx");
  write_file(two, network({node("Mul", {"mean", "three"}, "first"), node("Mul", {"mean", "five"}, "second")},
                          {floats("three", {1}, {3}), floats("five", {1}, {5})}, {"first", "second"}));
  const auto import = [&](const std::string &file, const Arguments &more) {
    Arguments arguments = {"model", "import",        file,  "--out",           out,   "--spacing",
                           "3",     "--orientation", "RAS", "--normalization", "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const auto says = [&](const std::string &words) {
    const Outcome info = run({"model", "info", out});
    EXPECT_NE(info.out.find(words), std::string::npos) << words << "\n" << info.out;
  };
  const auto logit = [&] {
    TestContext context;
    cw_model model = {};
    float y = 0;
    EXPECT_EQ(cw_model_read(context, out.c_str(), &model), CW_OK) << context.message();
    const std::vector<float> image(32 * 32 * 32, 1);
    EXPECT_EQ(cw_model_logits(context, &model, image.data(), 1, &y), CW_OK) << context.message();
    cw_model_free(context, &model);
    return y;
  };
  EXPECT_EQ(import(two, {"--output-name", "second", "--classes", "old", "young"}).code, 0);
  EXPECT_NEAR(logit(), 5, 1e-5);
  says("classes: logit below 0: old, above 0: young; order in the network: old, young");
  says("output: 0 alone");
  EXPECT_EQ(import(two, {}).code, 0);
  EXPECT_NEAR(logit(), 3, 1e-5);
  says("classes: logit below 0: control, above 0: patient");
  Outcome outcome = import(two, {"--output-name", "third"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("no output 'third'"), std::string::npos) << outcome.err;
  // Names for the network's two outputs.
  const std::string classes = data + "densenet121.onnx";
  EXPECT_EQ(import(classes, {"--output", "0", "--classes", "ill", "healthy"}).code, 0);
  says("logit below 0: healthy, above 0: ill; order in the network: ill, healthy; output 0 of the network");
  EXPECT_EQ(import(classes, {"--output", "1 alone", "--classes", "a", "b"}).code, 0);
  says("logit below 0: not b, above 0: b; order");
  outcome = import(classes, {"--classes", "a", "b", "c"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("3 names of classes for 2 outputs"), std::string::npos) << outcome.err;
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
