// A small file cannot ask for much memory, however often its nodes use what it holds.
#include "Formats/import_fixture.h"

namespace {

Message number(const std::string &name, float value) {
  Message m;
  m.text(1, name);
  m.bytes += "\x15" + raw<float>({value});  // field 2, 32 bits
  return m.number(20, 1);
}

// A chain of products with one 256 x 256 matrix of zeros, turned or scaled at each of them.
std::vector<Message> products(int count, bool scaled) {
  std::vector<Message> nodes = {node("GlobalAveragePool", {"scan"}, "pooled"), node("Flatten", {"pooled"}, "mean"),
                                node("Expand", {"mean", "wide"}, "x0")};
  for (int i = 0; i < count; i++) {
    std::vector<Message> attributes;
    if (scaled)
      attributes.push_back(number("alpha", 2.0f + static_cast<float>(i)));
    nodes.push_back(node("Gemm", {"x" + std::to_string(i), "w"}, "x" + std::to_string(i + 1), attributes));
  }
  nodes.push_back(node("ReduceSum", {"x" + std::to_string(count), "axis"}, "y"));
  return nodes;
}

class Memory : public Import {
 protected:
  const std::vector<Message> tensors = {integers("wide", {1, 256}), integers("axis", {1}),
                                        tensor("w", 1, {256, 256}, std::string(size_t{4} * 256 * 256, '\0'))};
};

TEST_F(Memory, AMatrixIsTurnedOnce) {
  ASSERT_EQ(import(products(2000, false), tensors), CW_OK) << context.message();
  EXPECT_LT(context.total, size_t{24} << 20);  // 2,000 copies would be 500 MB
  EXPECT_EQ(logit(), 0);
}

TEST_F(Memory, CopiesHaveABudget) {
  expect_refused("more memory than its bytes justify", products(2000, true), tensors);
  ASSERT_EQ(import(products(20, true), tensors), CW_OK) << context.message();
  EXPECT_EQ(logit(), 0);
}

TEST_F(Memory, ListsOfIndicesHaveABudget) {
  std::vector<Message> nodes = {node("GlobalAveragePool", {"scan"}, "pooled"), node("Flatten", {"pooled"}, "x0")};
  for (int i = 0; i < 1000; i++)
    nodes.push_back(
        node("Gather", {"x" + std::to_string(i), "none"}, "x" + std::to_string(i + 1), {attribute("axis", 1)}));
  nodes.push_back(node("ReduceSum", {"x1000", "axis"}, "y"));
  expect_refused("more memory than its bytes justify", nodes,
                 {tensor("none", 7, {65536}, std::string(size_t{8} * 65536, '\0')), integers("axis", {1})});
}

// Many tensors in the same bytes of one file beside the model.
TEST_F(Memory, FilesOfWeightsCountOnce) {
  std::ofstream(folder / "w.bin", std::ios::binary) << std::string(size_t{1} << 20, '\0');
  const auto sums = [&](int count) {
    std::vector<Message> nodes = {node("GlobalAveragePool", {"scan"}, "pooled"), node("Flatten", {"pooled"}, "mean")};
    std::vector<Message> weights = {integers("axis", {1})};
    std::vector<std::string> all = {"mean"};
    for (int i = 0; i < count; i++) {
      all.push_back("w" + std::to_string(i));
      weights.push_back(external(all.back(), {1, 1 << 18}, {{"location", "w.bin"}}));
    }
    nodes.push_back(node("Sum", all, "sum"));
    nodes.push_back(node("ReduceMean", {"sum"}, "y", {attribute("axes", Dims{1})}));
    return onnx_file::model(nodes, weights, value("scan", {0, 1, 4, 4, 4}), value("y", {0, 1}));
  };
  EXPECT_EQ(import(sums(300)), CW_ERROR_UNSUPPORTED);
  EXPECT_NE(context.message().find("more memory than its bytes justify"), std::string::npos) << context.message();
  EXPECT_LT(context.total, size_t{160} << 20);
  ASSERT_EQ(import(sums(3)), CW_OK) << context.message();
  EXPECT_EQ(logit(), 2);
}

// Parts without content cost two bytes each in the file and a hundred and more in memory.
TEST_F(Memory, EmptyPartsHaveABudget) {
  Message graph;
  for (int i = 0; i < 1 << 20; i++)
    graph.part(5, Message());
  EXPECT_NE(import(Message().number(1, 8).part(7, graph).bytes), CW_OK);
  EXPECT_LT(context.total, 40 * (size_t{2} << 20));
}

}  // namespace
