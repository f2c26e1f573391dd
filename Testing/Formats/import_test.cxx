// Files from elsewhere: element types, weights in other files, shapes computed by nodes, and what must be refused.
#include <limits>

#include "Formats/import_fixture.h"

namespace {

TEST_F(Import, ElementTypes) {
  expect_logit(3, scaled, {floats("w", {1}, {1.5f})});
  expect_logit(3, scaled, {tensor("w", 10, {1}, raw<uint16_t>({0x3e00}))});                 // float16 1.5
  expect_logit(3, scaled, {tensor("w", 16, {1}, raw<uint16_t>({0x3fc0}))});                 // bfloat16
  expect_logit(3, scaled, {tensor("w", 11, {1, 1}, raw<double>({1.5}))});                   // float64
  expect_logit(3, scaled, {tensor("w", 11, {}, raw<double>({1.5}))});                       // one number without axes
  expect_logit(std::ldexp(2.0f, -24), scaled, {tensor("w", 10, {1}, raw<uint16_t>({1}))});  // smallest float16
  // Typed lists: float_data is packed; int32_data holds the bits of float16.
  expect_logit(3, scaled, {Message().number(1, 1).number(2, 1).text(4, raw<float>({1.5f})).text(8, "w")});
  expect_logit(3, scaled, {Message().number(1, 1).number(2, 10).number(5, 0x3e00).text(8, "w")});
  expect_refused("not finite", scaled, {tensor("w", 10, {1}, raw<uint16_t>({0x7c00}))});
  expect_refused("not finite", scaled, {tensor("w", 11, {1}, raw<double>({1e300}))});
  expect_refused("element type 12", scaled, {tensor("w", 12, {1}, raw<uint32_t>({1}))});
}

TEST_F(Import, OperatorSetsAndNames) {
  expect_logit(3, scaled, {floats("w", {1}, {1.5f})}, 9);
  expect_refused("the operator set is 8", scaled, {floats("w", {1}, {1.5f})}, 8);
  expect_refused("the operator set is 99", scaled, {floats("w", {1}, {1.5f})}, 99);
  expect_refused("node 'y node' has the operator 'Loop'", behind_mean({node("Loop", {"mean"}, "y")}), {});
  expect_refused("attribute 'new' is not supported", behind_mean({node("Relu", {"mean"}, "y", {attribute("new", 1)})}),
                 {});
  expect_refused("which nothing provides", behind_mean({node("Mul", {"mean", "nowhere"}, "y")}), {});
}

// Squares of two, as exports write them: shapes from Shape, Gather, Concat, with the batch as a symbol.
TEST_F(Import, ShapesAreFolded) {
  const std::vector<Message> tensors = {integers("zero", {0}), integers("one", {1}), integers("eight", {8}),
                                        integers("all", {-1})};
  expect_logit(
      2,
      {node("Shape", {"scan"}, "shape"), node("Gather", {"shape", "zero"}, "n"),
       node("Mul", {"eight", "eight"}, "size"), node("Concat", {"n", "size"}, "to", {attribute("axis", 0)}),
       node("Reshape", {"scan", "to"}, "flat"), node("ReduceMean", {"flat"}, "y", {attribute("axes", Dims{1})})},
      tensors);
  // A fixed batch of one, written as 1 or left open.
  expect_logit(2,
               {node("Concat", {"one", "all"}, "to", {attribute("axis", 0)}), node("Reshape", {"scan", "to"}, "flat"),
                node("ReduceMean", {"flat"}, "y", {attribute("axes", Dims{1})})},
               tensors);
  // Expand of a constant to the batch, joined to the image's numbers.
  expect_logit(
      4.0f / 3,
      behind_mean({node("Shape", {"scan"}, "shape"), node("Slice", {"shape", "zero", "one"}, "n"),
                   node("Concat", {"n", "one"}, "to", {attribute("axis", 0)}), node("Expand", {"c", "to"}, "token"),
                   node("Concat", {"mean", "token", "token"}, "three", {attribute("axis", 1)}),
                   node("ReduceMean", {"three"}, "y", {attribute("axes", Dims{1})})}),
      {integers("zero", {0}), integers("one", {1}), floats("c", {1, 1}, {1})});
}

TEST_F(Import, ProbabilitiesLoseTheirSigmoid) {
  expect_logit(3, behind_mean({node("Mul", {"mean", "w"}, "z"), node("Sigmoid", {"z"}, "y")}),
               {floats("w", {1}, {1.5f})});
  const std::vector<Message> two = {floats("w", {1, 2}, {1, 4})};
  const auto ends = [&](const std::vector<Message> &nodes) {
    std::vector<Message> all = {node("MatMul", {"mean", "w"}, "z")};
    all.insert(all.end(), nodes.begin(), nodes.end());
    return behind_mean(all);
  };
  expect_logit(6, ends({node("Identity", {"z"}, "y")}), two);
  expect_logit(6, ends({node("Softmax", {"z"}, "y")}), two);
  expect_logit(6, ends({node("LogSoftmax", {"z"}, "y", {attribute("axis", 1)})}), two);
  expect_logit(6, ends({node("Softmax", {"z"}, "p"), node("Log", {"p"}, "y")}), two);
  // One class's probability alone, softmax(z)[:, 1], as [N] or [N,1].
  const auto cut = [&](const char *op, int64_t of) {
    const Message index = tensor("i", 7, {}, raw<int64_t>({of}));
    expect_logit(of == 1 ? (*op == 'S' && op[1] == 'o' ? 6.0f : 8.0f) : -6.0f,
                 ends({node(op, {"z"}, "p"), node("Gather", {"p", "i"}, "y", {attribute("axis", 1)})}),
                 {two[0], index});
  };
  cut("Softmax", 1);
  cut("Softmax", 0);
  cut("Sigmoid", 1);
  expect_logit(6, ends({node("Softmax", {"z"}, "p"), node("Slice", {"p", "one", "two", "one"}, "y")}),
               {two[0], integers("one", {1}), integers("two", {2})});
  // Of logits the one is the logit.
  expect_logit(8, ends({node("Slice", {"z", "one", "two", "one"}, "y")}),
               {two[0], integers("one", {1}), integers("two", {2})});
}

// ---- weights in another file ----

class External : public Import {
 protected:
  void SetUp() override {
    std::ofstream(folder / "w.bin", std::ios::binary) << raw<float>({7, 1.5f, 9});
    fs::create_directory(folder / "sub");
    fs::copy_file(folder / "w.bin", folder / "sub" / "w.bin");
  }
  Message weights(const std::string &location, const std::string &offset = "4", const std::string &length = "4") {
    return external("w", {1}, {{"location", location}, {"offset", offset}, {"length", length}});
  }
};

TEST_F(External, IsReadFromTheModelsFolder) {
  expect_logit(3, scaled, {weights("w.bin")});
  expect_logit(3, scaled, {weights("./w.bin")});
  expect_logit(3, scaled, {weights("sub/w.bin")});
  expect_logit(14, scaled, {external("w", {1}, {{"location", "w.bin"}})});
}

TEST_F(External, StaysInTheModelsFolder) {
  const fs::path outside = folder.string() + "-outside";
  std::ofstream(outside, std::ios::binary) << raw<float>({7, 1.5f, 9});
  expect_refused("not a name within", scaled, {weights("../" + outside.filename().string())});
  expect_refused("not a name within", scaled, {weights("sub/../../x")});
  expect_refused("not a name within", scaled, {weights(outside.string())});
  expect_refused("not a name within", scaled, {weights("")});
  expect_refused("not a name within", scaled, {weights("sub//w.bin")});
  expect_refused("not there", scaled, {weights("none.bin")});
  fs::create_symlink(outside, folder / "link.bin");
  expect_refused("symbolic link", scaled, {weights("link.bin")});
  fs::create_directory_symlink(folder / "sub", folder / "door");
  expect_refused("symbolic link", scaled, {weights("door/w.bin")});
  fs::create_hard_link(outside, folder / "hard.bin");
  expect_refused("one name only", scaled, {weights("hard.bin")});
  expect_refused("regular file", scaled, {weights("sub")});
  fs::remove(outside);
}

TEST_F(External, LengthsAreChecked) {
  expect_refused("shorter than", scaled, {weights("w.bin", "12")});
  expect_refused("shorter than", scaled, {weights("w.bin", "9223372036854775807")});
  expect_refused("no number", scaled, {weights("w.bin", "-4")});
  expect_refused("no number", scaled, {weights("w.bin", "99999999999999999999")});
  expect_refused("does not fit its shape", scaled, {weights("w.bin", "0", "8")});
  expect_refused("shorter than", scaled,
                 {external("w", {1 << 15, 1 << 15}, {{"location", "w.bin"}})});  // 4 GiB, none of which is asked for
}

// ---- hostile files: nothing is believed before it is checked ----

TEST_F(Import, RefusesTensorsThatLie) {
  expect_refused("should hold", scaled, {floats("w", {2}, {1})});
  expect_refused("should hold", scaled, {tensor("w", 1, {1}, "abc")});
  expect_refused("unusable size", scaled, {tensor("w", 1, {-1}, "")});
  expect_refused("unusable size", scaled, {tensor("w", 1, {INT64_MAX}, "")});
  expect_refused("unusable size", scaled, {tensor("w", 1, {1 << 20, 1 << 20}, "")});
  expect_refused("axes", scaled, {tensor("w", 1, Dims(9, 1), raw<float>({1}))});
  expect_refused("holds no floats", scaled, {tensor("w", 1, {0}, "")});
}

TEST_F(Import, RefusesShapesThatLie) {
  const auto reshaped = [&](std::initializer_list<int64_t> to, const char *words) {
    expect_refused(words, {node("Reshape", {"scan", "to"}, "y")}, {integers("to", to)});
  };
  reshaped({INT64_MAX, INT64_MAX}, "does not fit");
  reshaped({-1, -1}, "does not fit");
  reshaped({-2, 64}, "does not fit");
  reshaped({0, 0, 0, 0, 0, 0}, "does not fit");
  reshaped({64}, "does not stay an axis");
  reshaped({1, 1, 1, 1, 1, 1, 1, 1, 64}, "1 to 8 axes");
  const auto huge = [&](std::initializer_list<int64_t> to, const char *op, const char *words) {
    expect_refused(words, behind_mean({node(op, {"to"}, "c"), node("Add", {"mean", "c"}, "y")}), {integers("to", to)});
  };
  huge({1 << 30, 1 << 30, 1 << 30}, "ConstantOfShape", "unusable shape");
  huge({-1}, "ConstantOfShape", "no usable size");
  expect_refused("more than 65536", behind_mean({node("Range", {"a", "b", "c"}, "r"), node("Add", {"mean", "r"}, "y")}),
                 {integers("a", {0}), integers("b", {INT64_MAX}), integers("c", {1})});
  expect_refused("the pads do not fit", {node("Pad", {"scan", "p"}, "y")},
                 {integers("p", {0, 0, INT64_MAX, 0, 0, 0, 0, 0, 0, 0})});
  expect_refused("the slice is empty", {node("Slice", {"scan", "a", "b", "c", "d"}, "y")},
                 {integers("a", {INT64_MIN}), integers("b", {INT64_MIN}), integers("c", {2}), integers("d", {1})});
  expect_refused("the slice is empty", {node("Slice", {"scan", "a", "b", "c", "d"}, "y")},
                 {integers("a", {0}), integers("b", {1}), integers("c", {9}), integers("d", {0})});
  expect_refused("outside the data", {node("Gather", {"scan", "a"}, "y", {attribute("axis", 2)})},
                 {integers("a", {4, 0})});
  expect_refused("scales above 0", {node("Resize", {"scan", "", "s"}, "y")},
                 {floats("s", {5}, {1, 1, std::numeric_limits<float>::infinity(), 1, 1})});
}

TEST_F(Import, RefusesWindowsThatLie) {
  const auto conv = [&](const std::vector<Message> &attributes, const Dims &shape, const char *words) {
    const size_t count = 27;
    std::string data(count * 4, '\0');
    expect_refused(words, {node("Conv", {"scan", "w"}, "y", attributes)}, {tensor("w", 1, shape, data)});
  };
  conv({attribute("strides", Dims{0, 1, 1})}, {1, 1, 3, 3, 3}, "expected three sizes");
  conv({attribute("pads", Dims{-1, 0, 0, 0, 0, 0})}, {1, 1, 3, 3, 3}, "expected three sizes");
  conv({attribute("pads", Dims{1, 1})}, {1, 1, 3, 3, 3}, "expected three sizes");
  conv({attribute("dilations", Dims{1 << 30, 1, 1})}, {1, 1, 3, 3, 3}, "expected three sizes");
  conv({attribute("dilations", Dims{1000, 1, 1})}, {1, 1, 3, 3, 3}, "reaches over");
  conv({attribute("group", 0)}, {1, 1, 3, 3, 3}, "groups");
  conv({attribute("group", INT64_MAX)}, {1, 1, 3, 3, 3}, "groups");
  conv({attribute("kernel_shape", Dims{1, 1, 1})}, {1, 1, 3, 3, 3}, "differs from the weights");
  conv({attribute("auto_pad", std::string("SOME"))}, {1, 1, 3, 3, 3}, "auto_pad");
  conv({}, {27, 1}, "three axes");
  expect_refused("kernel_shape is missing", {node("MaxPool", {"scan"}, "y")}, {});
}

// Files of old list the initializers among the inputs; axes without a size take the grid's.
TEST_F(Import, InputsOfOtherExporters) {
  ASSERT_EQ(import(scaled, {floats("w", {1}, {1.5f})}, 17, {0, 1, 0, 0, 0}), CW_OK) << context.message();
  EXPECT_NEAR(logit(), 3, 1e-6);
  EXPECT_NE(import(scaled, {floats("w", {1}, {1.5f})}, 17, {1, 2, 4, 4, 4}), CW_OK);
  EXPECT_NE(import(scaled, {floats("w", {1}, {1.5f})}, 17, {1, 1, 4, 4}), CW_OK);
}

}  // namespace
