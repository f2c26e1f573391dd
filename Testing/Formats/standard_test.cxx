// Corners of the standard where a value, not only a shape, depends on the rule; expected values are onnxruntime's or
// follow by hand.
#include "Formats/import_fixture.h"

namespace {

constexpr int64_t kFloat = 1, kBool = 9, kDouble = 11;

// The scan's mean over axis W as a list of `size` numbers 0, 1, ... along D: a ramp from stored numbers.
Message ramp(const std::string &name, int size) {
  std::string data;
  for (int i = 0; i < size; i++)
    data += raw<float>({static_cast<float>(i)});
  return tensor(name, 1, {1, 1, size, 1, 1}, data);
}

class Standard : public Import {
 protected:
  // 2 * (0, 1, .. size - 1) along D of an image of twos, then `nodes` from "line" to "out", of which the sum with
  // weights 1, 10, 100, ... is the logit.
  std::vector<Message> line(const std::vector<Message> &nodes) {
    std::vector<Message> all = {node("GlobalAveragePool", {"scan"}, "two"), node("Mul", {"two", "ramp"}, "line")};
    all.insert(all.end(), nodes.begin(), nodes.end());
    all.push_back(node("Mul", {"out", "places"}, "placed"));
    all.push_back(node("ReduceSum", {"placed"}, "y", {attribute("axes", Dims{1, 2, 3, 4}), attribute("keepdims", 0)}));
    return all;
  }
  static Message places(int size) {
    std::string data;
    for (int i = 0; i < size; i++)
      data += raw<float>({static_cast<float>(std::pow(10, i))});
    return tensor("places", 1, {1, 1, size, 1, 1}, data);
  }
};

// Numbers along the way to a size are floats: 10 * 0.7f is 7, though the double of 0.7f times ten is below it.
TEST_F(Standard, ShapeArithmeticRoundsToItsType) {
  const auto seven = [&](int64_t to, const Message &factor) {
    return std::pair(
        std::vector<Message>{node("Cast", {"ten"}, "t", {attribute("to", to)}), node("Mul", {"t", "f"}, "m"),
                             node("Floor", {"m"}, "r"), node("Cast", {"r"}, "c", {attribute("to", kFloat)}),
                             node("Mul", {"mean", "c"}, "y")},
        std::vector<Message>{integers("ten", {10}), factor});
  };
  const auto [single, singles] = seven(kFloat, floats("f", {1}, {0.7f}));
  expect_logit(14, behind_mean(single), singles);
  // In float64 the same number stays below seven.
  const auto [wide, wides] = seven(kDouble, tensor("f", 11, {1}, raw<double>({static_cast<double>(0.7f)})));
  expect_logit(12, behind_mean(wide), wides);
}

// 512 x 512 numbers of two short lists are a layer's work, not a constant.
TEST_F(Standard, LargeProductsOfConstantsAreLayers) {
  std::string ones;
  for (int i = 0; i < 512; i++)
    ones += raw<float>({1});
  const std::vector<Message> lists = {tensor("a", 1, {512, 1}, ones), tensor("b", 1, {1, 512}, ones),
                                      integers("axes", {0, 1})};
  const auto ends = [&](const Message &first) {
    return behind_mean(
        {first, node("ReduceSum", {"c", "axes"}, "s", {attribute("keepdims", 0)}), node("Mul", {"mean", "s"}, "y")});
  };
  expect_logit(2.0f * 512 * 512, ends(node("Mul", {"a", "b"}, "c")), lists);
  // Whole numbers divide as no layer does.
  const std::vector<Message> wholes = {tensor("a", 7, {512, 1}, std::string(size_t{8} * 512, '\1')),
                                       tensor("b", 7, {1, 512}, std::string(size_t{8} * 512, '\1')),
                                       integers("axes", {0, 1})};
  expect_refused("node 'c node' (Div): computed at load", ends(node("Div", {"a", "b"}, "c")), wholes);
}

TEST_F(Standard, LargeCastsToTruthGiveZeroOrOne) {
  std::string fives;
  for (int i = 0; i < 70000; i++)
    fives += raw<float>({i % 2 ? 5.0f : 0.0f});
  expect_logit(1,
               behind_mean({node("Cast", {"w"}, "t", {attribute("to", kBool)}),
                            node("Cast", {"t"}, "c", {attribute("to", kFloat)}), node("Mul", {"mean", "c"}, "p"),
                            node("ReduceMean", {"p"}, "y", {attribute("axes", Dims{1})})}),
               {tensor("w", 1, {1, 70000}, fives)});
}

// onnxruntime 1.31 of opset 10, 2 (0, 1, 2, 3) along D: the sample behind o / scale where the axis shrinks.
TEST_F(Standard, OldResizeTakesTheSampleBehindWhereItShrinks) {
  const auto resized = [&](float scale, float expected, int size) {
    expect_logit(expected, line({node("Resize", {"line", "s"}, "out")}),
                 {ramp("ramp", 4), places(size), floats("s", {5}, {1, 1, scale, 1, 1})}, 10);
  };
  resized(0.6f, 0 + 40, 2);
  resized(0.75f, 0 + 40 + 600, 3);
  resized(0.5f, 0 + 40, 2);
  resized(1.5f, 0 + 0 + 200 + 4000 + 40000 + 600000, 6);
  expect_refused("node 'out node' (Resize): scales above and below 1",
                 {node("Resize", {"scan", "s"}, "out"), node("GlobalAveragePool", {"out"}, "y")},
                 {floats("s", {5}, {1, 1, 0.5f, 1.5f, 1})}, 10);
}

// A pad that wraps around is read, computed, and written as what older operator sets have.
TEST_F(Standard, WrappedPadsAreWritten) {
  const std::vector<Message> tensors = {ramp("ramp", 4), places(7), integers("p", {0, 0, 2, 0, 0, 0, 0, 1, 0, 0}),
                                        integers("axes", {1, 2, 3, 4})};
  std::vector<Message> nodes = line({node("Pad", {"line", "p"}, "out", {attribute("mode", std::string("wrap"))})});
  nodes.pop_back();
  nodes.push_back(node("ReduceSum", {"placed", "axes"}, "y", {attribute("keepdims", 0)}));
  const float expected = 4 + 60 + 0 + 2000 + 40000 + 600000 + 0;
  expect_logit(expected, nodes, tensors, 19);
  ASSERT_EQ(import(nodes, tensors, 19), CW_OK) << context.message();
  const std::string written = (folder / "written.onnx").string();
  ASSERT_EQ(cw_model_write(context, written.c_str(), &model), CW_OK) << context.message();
  cw_model_free(context, &model);
  ASSERT_EQ(cw_model_read(context, written.c_str(), &model), CW_OK) << context.message();
  EXPECT_EQ(logit(), expected);
}

TEST_F(Standard, FlattenAtAnyAxisThatKeepsTheBatch) {
  const auto flat = [&](int64_t axis) {
    return std::vector<Message>{node("Flatten", {"scan"}, "f", {attribute("axis", axis)}),
                                node("ReduceMean", {"f"}, "y", {attribute("axes", Dims{1})})};
  };
  for (int64_t axis : {1, 2, -3, -4})
    expect_logit(2, flat(axis), {});
  expect_refused("the batch does not stay", flat(3), {});
  expect_refused("no such axis", flat(6), {});
  // All of one sample: the mean of 2 is a column.
  expect_logit(2,
               {node("GlobalAveragePool", {"scan"}, "p"), node("Flatten", {"p"}, "f", {attribute("axis", 5)}),
                node("Flatten", {"f"}, "y", {attribute("axis", 1)})},
               {});
}

// (1 2; 3 4)' of a stored matrix times a stored one: (1 3) . (1 1) = 4 and (2 4) . (1 1) = 6.
TEST_F(Standard, GemmTurnsItsFirstFactor) {
  expect_logit(
      2.0f * (4 + 6),
      behind_mean({node("Gemm", {"a", "w"}, "g", {attribute("transA", 1)}),
                   node("ReduceSum", {"g"}, "s", {attribute("keepdims", 0)}), node("Mul", {"mean", "s"}, "y")}),
      {floats("a", {2, 2}, {1, 2, 3, 4}), floats("w", {2, 1}, {1, 1})});
}

// Indices of two axes put both in place of one.
TEST_F(Standard, GatherPutsTheAxesOfItsIndices) {
  const Message indices = tensor("i", 7, {2, 2}, raw<int64_t>({3, 1, 0, -1}));
  expect_logit(6 + 20 + 0 + 6000,
               line({node("Gather", {"line", "i"}, "g", {attribute("axis", 2)}), node("Reshape", {"g", "to"}, "out")}),
               {ramp("ramp", 4), places(4), indices, integers("to", {0, 1, 4, 1, 1})});
}

// Messages name the node as the file does, not by its output.
TEST_F(Standard, NodesAreNamedAsInTheFile) {
  const Message conv = node("Conv", {"scan", "w"}, "345", {attribute("group", 1)});
  expect_refused("onnx: node '345 node' (Conv): ", {conv, node("GlobalAveragePool", {"345"}, "y")},
                 {tensor("w", 1, {1, 2, 1, 1, 1}, raw<float>({1, 1}))});
  expect_refused("onnx: node 'y node' (Gemm): ", behind_mean({node("Gemm", {"mean", "w"}, "y")}),
                 {floats("w", {3, 1}, {1, 1, 1})});
  expect_refused(
      "node 'r node' (Range): ", behind_mean({node("Range", {"a", "b", "c"}, "r"), node("Add", {"mean", "r"}, "y")}),
      {integers("a", {0}), integers("b", {INT64_MAX}), integers("c", {1})});
}

}  // namespace
