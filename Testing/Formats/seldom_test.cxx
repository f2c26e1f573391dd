// What the standard allows and exporters write seldom; limits that only a hostile file reaches.
#include "Formats/import_fixture.h"

namespace {

constexpr int64_t kFloat = 1, kBool = 9;

TEST_F(Import, ConstantsBroadcast) {
  const std::vector<Message> grid = {floats("a", {3, 1}, {1, 2, 3}), floats("b", {1, 3}, {10, 20, 30})};
  const std::vector<Message> sum = {node("ReduceSum", {"c"}, "s", {attribute("keepdims", 0)}),
                                    node("Mul", {"mean", "s"}, "y")};
  const auto ends = [&](const Message &first) {
    std::vector<Message> nodes = {first};
    nodes.insert(nodes.end(), sum.begin(), sum.end());
    return behind_mean(nodes);
  };
  expect_logit(2 * 198, ends(node("Add", {"a", "b"}, "c")), grid);  // 3 (1 + 2 + 3) + 3 (10 + 20 + 30)
  expect_logit(
      2 * 24, ends(node("Where", {"w", "a", "b"}, "c")),  // rows (1 1) and (10 12)
      {tensor("w", kBool, {2, 1}, raw<uint8_t>({1, 0})), floats("a", {1}, {1}), floats("b", {1, 2}, {10, 12})});
}

TEST_F(Import, CastsToTruthGiveZeroOrOne) {
  expect_logit(2,
               behind_mean({node("Cast", {"five"}, "t", {attribute("to", kBool)}),
                            node("Cast", {"t"}, "c", {attribute("to", kFloat)}), node("Mul", {"mean", "c"}, "y")}),
               {integers("five", {5})});
  // A stored condition of more numbers than are folded.
  std::string half(size_t{70000} * 4, '\0');
  for (size_t i = 0; i < 70000; i += 2)
    half.replace(4 * i, 4, raw<float>({1}));
  expect_logit(
      1,
      behind_mean({node("Cast", {"w"}, "t", {attribute("to", kBool)}), node("Where", {"t", "mean", "zero"}, "c"),
                   node("ReduceMean", {"c"}, "y", {attribute("axes", Dims{1})})}),
      {tensor("w", 1, {1, 70000}, half), floats("zero", {1}, {0})});
}

// Half of a batch, rounded, is no multiple of the batch.
TEST_F(Import, RoundedBatchesAreRefused) {
  expect_refused("multiples of the batch",
                 behind_mean({node("Shape", {"scan"}, "s"), node("Gather", {"s", "zero"}, "n"),
                              node("Cast", {"n"}, "f", {attribute("to", kFloat)}), node("Mul", {"f", "half"}, "h"),
                              node("Floor", {"h"}, "r"), node("Mul", {"mean", "r"}, "y")}),
                 {integers("zero", {0}), floats("half", {1}, {0.5f})});
}

// ONNX's ConvTranspose: the odd pad stands at the beginning unless auto_pad is SAME_UPPER.  Stride 2 and a kernel (1,
// 10) of an image of twos give 2 20 2 20 2 20 2 20, of which seven are asked for.
TEST_F(Import, OutputShapePadsTheBeginningFirst) {
  const auto seven = [&](float expected, std::vector<Message> attributes) {
    attributes.push_back(attribute("strides", Dims{2, 1, 1}));
    attributes.push_back(attribute("output_shape", Dims{7, 4, 4}));
    expect_logit(expected,
                 {node("ConvTranspose", {"scan", "w"}, "wide", attributes),
                  node("GlobalAveragePool", {"wide"}, "pooled"), node("Flatten", {"pooled"}, "y")},
                 {floats("w", {1, 1, 2, 1, 1}, {1, 10})});
  };
  seven(86.0f / 7, {});
  seven(86.0f / 7, {attribute("auto_pad", std::string("SAME_LOWER"))});
  seven(68.0f / 7, {attribute("auto_pad", std::string("SAME_UPPER"))});
}

// 10 samples by 0.7: seven in ONNX's floats, though the float below 0.7 times ten is less than seven.
TEST_F(Import, ResizedLengthsAreFloats) {
  expect_logit(2 * 7 * 16,
               {node("Pad", {"scan", "p"}, "ten", {attribute("mode", std::string("edge"))}),
                node("Resize", {"ten", "", "s"}, "seven"),
                node("ReduceSum", {"seven", "axes"}, "y", {attribute("keepdims", 0)})},
               {integers("p", {0, 0, 3, 0, 0, 0, 0, 3, 0, 0}), floats("s", {5}, {1, 1, 0.7f, 1, 1}),
                integers("axes", {2, 3, 4})});
}

TEST_F(Import, BatchesStayOutOfWindows) {
  const std::vector<Message> turned = {node("Transpose", {"scan"}, "t", {attribute("perm", Dims{2, 1, 0, 3, 4})})};
  const auto refused = [&](const Message &last, const char *words, const std::vector<Message> &tensors) {
    std::vector<Message> nodes = turned;
    nodes.push_back(last);
    expect_refused(words, nodes, tensors);
  };
  const std::vector<Message> window = {attribute("kernel_shape", Dims{3, 3, 3}),
                                       attribute("pads", Dims{2, 2, 2, 2, 2, 2})};
  refused(node("MaxPool", {"t"}, "y", window), "batch first", {});
  refused(node("AveragePool", {"t"}, "y", window), "batch first", {});
  refused(node("Conv", {"t", "w"}, "y", {attribute("pads", Dims{1, 1, 1, 1, 1, 1})}), "batch first",
          {floats("w", {1, 1, 1, 1, 1}, {1})});
  refused(node("ConvTranspose", {"t", "w"}, "y", {attribute("strides", Dims{1, 1, 1})}), "batch first",
          {floats("w", {1, 1, 3, 1, 1}, {1, 1, 1})});
  refused(node("Resize", {"t", "", "", "s"}, "y"), "batch first", {integers("s", {4, 1, 1, 4, 8})});
  refused(node("GlobalAveragePool", {"t"}, "y"), "axis 2 is the batch", {});
}

// Parts that the reader makes of a node must not take names of the file.
TEST_F(Import, NamesOfPartsStepAside) {
  expect_logit(3, behind_mean({node("Gemm", {"mean", "y/weights"}, "y")}), {floats("y/weights", {1, 1}, {1.5f})});
  expect_logit(3, behind_mean({node("Gemm", {"mean", "w"}, "y")}), {floats("w", {1, 1}, {1.5f})});
}

TEST_F(Import, GemmScalesAnyBias) {
  // (2, 8) + (2, 8) / 2: the second less the first.
  const std::vector<Message> half = {attribute("transB", 1),
                                     Message().text(1, "beta").part(2, Message()).number(20, 1)};
  Message beta;
  beta.text(1, "beta");
  beta.bytes += "\x15" + raw<float>({0.5f});  // field 2, 32 bits
  beta.number(20, 1);
  expect_logit(9, behind_mean({node("Gemm", {"mean", "w", "c"}, "y", {attribute("transB", 1), beta})}),
               {floats("w", {2, 1}, {1, 4}), floats("c", {1, 2}, {2, 8})});
}

TEST_F(Import, PowersKeepNumpysAxes) {
  expect_logit(4, behind_mean({node("Pow", {"mean", "p"}, "y")}), {floats("p", {1, 1}, {2})});
  expect_refused("not a list of numbers", behind_mean({node("Pow", {"mean", "p"}, "y")}),
                 {floats("p", {1, 1, 1}, {2})});
}

TEST_F(Import, DropoutOfTrainingIsRefused) {
  const std::vector<Message> nodes = behind_mean({node("Dropout", {"mean", "ratio", "training"}, "y")});
  const auto tensors = [](uint8_t training) {
    return std::vector<Message>{floats("ratio", {}, {0.5f}), tensor("training", kBool, {}, raw<uint8_t>({training}))};
  };
  expect_logit(2, nodes, tensors(0));
  expect_refused("drops values at random", nodes, tensors(1));
}

// A copy of an activation in the file (MONAI's shortcut A) is told from what networks store for good.
TEST_F(Import, CopiesOfActivationsAreNoticed) {
  const auto sentences = [&](const std::vector<Message> &middle, const std::vector<Message> &tensors) {
    std::vector<Message> nodes = {node("Conv", {"scan", "k"}, "four")}, all = tensors;
    nodes.insert(nodes.end(), middle.begin(), middle.end());
    nodes.push_back(node("GlobalAveragePool", {"sum"}, "pooled"));
    nodes.push_back(node("Flatten", {"pooled"}, "flat"));
    nodes.push_back(node("ReduceSum", {"flat", "one"}, "y"));
    all.push_back(floats("k", {4, 1, 1, 1, 1}, {1, 2, 3, 4}));
    all.push_back(integers("one", {1}));
    EXPECT_EQ(import(nodes, all), CW_OK) << context.message();
    cw_strings found = {};
    EXPECT_EQ(cw_graph_stored_activations(context, model.graph, &found), CW_OK);
    std::string text;
    for (int i = 0; i < found.count; i++)
      text += std::string(found.item[i]) + "\n";
    cw_strings_free(context, &found);
    cw_model_free(context, &model);
    return text;
  };
  std::string values;
  for (int i = 0; i < 128; i++)
    values += raw<float>({static_cast<float>(i)});
  const std::string zeros(size_t{128} * 4, '\0');
  const std::string words = "(Add) joins the image's values with 'copy', a stored tensor of 1 x 4 x 4 x 4 x 4";
  EXPECT_NE(sentences({node("Add", {"four", "copy"}, "sum")}, {tensor("copy", 1, {1, 4, 4, 4, 4}, values + zeros)})
                .find(words),
            std::string::npos);
  // As exporters that fold nothing leave it.
  const std::vector<Message> halves = {tensor("half", 1, {1, 2, 4, 4, 4}, values),
                                       tensor("none", 1, {1, 2, 4, 4, 4}, zeros)};
  EXPECT_NE(sentences({node("Concat", {"half", "none"}, "copy", {attribute("axis", 1)}),
                       node("Add", {"four", "copy"}, "sum")},
                      halves)
                .find(words),
            std::string::npos);
  // What networks store: biases, a mean image, zeros that fill channels up.
  EXPECT_EQ(sentences({node("Add", {"four", "b"}, "sum")}, {floats("b", {1, 4, 1, 1, 1}, {1, 2, 3, 4})}), "");
  EXPECT_EQ(sentences({node("Sub", {"four", "m"}, "sum")}, {tensor("m", 1, {1, 1, 4, 4, 4}, values.substr(0, 256))}),
            "");
  EXPECT_EQ(sentences({node("Add", {"four", "z"}, "sum")}, {tensor("z", 1, {1, 4, 4, 4, 4}, zeros + zeros)}), "");
}

// ---- limits ----

TEST_F(Import, FoldedConstantsHaveABudget) {
  std::vector<Message> nodes;
  for (int i = 0; i < 100; i++)
    nodes.push_back(node("ConstantOfShape", {"to"}, "c" + std::to_string(i)));
  std::vector<std::string> all = {"mean"};
  for (int i = 0; i < 100; i++)
    all.push_back("c" + std::to_string(i));
  nodes.push_back(node("Sum", all, "y"));
  expect_refused("are computed at load", behind_mean(nodes), {integers("to", {65536})});
}

TEST_F(Import, NetworksHaveAMostOfValues) {
  const auto chain = [&](const char *op, int length) {
    std::vector<Message> nodes;
    std::string before = "mean";
    for (int i = 0; i < length; i++) {
      const std::string name = i + 1 < length ? "n" + std::to_string(i) : "y";
      nodes.push_back(node(op, {before}, name));
      before = name;
    }
    return behind_mean(nodes);
  };
  expect_refused("more than 20000 values", chain("Gelu", 4000), {}, 20);
  // A long network is read, written and read back.
  ASSERT_EQ(import(chain("Neg", 2000), {}), CW_OK) << context.message();
  const std::string written = (folder / "written.onnx").string();
  ASSERT_EQ(cw_model_write(context, written.c_str(), &model), CW_OK) << context.message();
  EXPECT_EQ(logit(), 2);
  ASSERT_EQ(cw_model_read(context, written.c_str(), &model), CW_OK) << context.message();
  EXPECT_EQ(logit(), 2);
}

}  // namespace
