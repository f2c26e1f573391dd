// Which number is the logit: what is taken off an output, and what must not be taken for one.
#include "Formats/import_fixture.h"

namespace {

// z = (2, 8) for an image of twos.
class Output : public Import {
 protected:
  static std::vector<Message> ends(const std::vector<Message> &nodes) {
    std::vector<Message> all = {node("MatMul", {"mean", "w"}, "z")};
    all.insert(all.end(), nodes.begin(), nodes.end());
    return behind_mean(all);
  }
  const Message two = floats("w", {1, 2}, {1, 4}), one = floats("one", {1}, {1});
  const std::vector<Message> sigmoid = ends({node("Sigmoid", {"z"}, "y")});
};

// Outputs of sigmoids are independent: the log odds of one are its own number.
TEST_F(Output, SigmoidsStandAlone) {
  expect_logit(8, sigmoid, {two});
  expect_chosen(8, "1", sigmoid, {two});
  expect_chosen(2, "0", sigmoid, {two});
  expect_chosen(-6, "0 against 1", sigmoid, {two});  // where that is what is asked for
  expect_logit(8, ends({node("Sigmoid", {"z"}, "p"), node("Log", {"p"}, "y")}), {two});
  const std::vector<Message> softmax = ends({node("Softmax", {"z"}, "y")});
  expect_chosen(6, "1", softmax, {two});
  expect_chosen(8, "1 alone", softmax, {two});
}

// One class's probability, cut out by an index without axes, by a list of one, or by a slice.
TEST_F(Output, OneClassIsCutOutInManyWays) {
  const Message list = integers("i", {1}), none = integers("i", {0}), last = integers("i", {-1});
  const auto cut = [&](const char *op) {
    return ends({node(op, {"z"}, "p"), node("Gather", {"p", "i"}, "y", {attribute("axis", 1)})});
  };
  expect_logit(6, cut("Softmax"), {two, list});
  expect_logit(6, cut("Softmax"), {two, last});
  expect_logit(-6, cut("Softmax"), {two, none});
  expect_logit(6, cut("LogSoftmax"), {two, list});
  expect_logit(8, cut("Sigmoid"), {two, list});
  expect_logit(8, cut("Identity"), {two, list});  // of logits the one is the logit
  expect_logit(6,
               ends({node("Softmax", {"z"}, "p"), node("Gather", {"p", "i"}, "q", {attribute("axis", 1)}),
                     node("Log", {"q"}, "y")}),
               {two, list});
}

// What still lies within 0 and 1 by a softmax or sigmoid is no logit; "0 alone" takes it as it is.
TEST_F(Output, ProbabilitiesAreNoLogits) {
  const Message list = integers("i", {1});
  const float p = 1 / (1 + std::exp(-6.0f)), q = 1 / (1 + std::exp(-2.0f));
  const auto refused = [&](const std::vector<Message> &nodes, const char *words, float as_it_is) {
    expect_refused(words, nodes, {two, one, list});
    expect_chosen(as_it_is, "0 alone", nodes, {two, one, list});
  };
  const auto behind = [&](const std::vector<Message> &nodes) {
    std::vector<Message> all = {node("Softmax", {"z"}, "p"), node("Gather", {"p", "i"}, "c", {attribute("axis", 1)})};
    all.insert(all.end(), nodes.begin(), nodes.end());
    return ends(all);
  };
  refused(behind({node("Sub", {"one", "c"}, "y")}), "bounded by the probabilities of node 'p' (Softmax)", 1 - p);
  refused(behind({node("Clip", {"c"}, "y")}), "no logit", p);
  refused(behind({node("Sub", {"one", "c"}, "d"), node("Log", {"d"}, "y")}), "no logit", std::log(1 - p));
  refused(ends({node("LogSoftmax", {"z"}, "l"), node("Exp", {"l"}, "e"),
                node("Gather", {"e", "i"}, "y", {attribute("axis", 1)})}),
          "node 'l' (LogSoftmax)", p);
  refused(behind_mean({node("Sigmoid", {"mean"}, "p"), node("Mul", {"p", "one"}, "y")}), "node 'p' (Sigmoid)", q);
}

// A logit made of probabilities is one, and so is a sum of gated values.
TEST_F(Output, LogOddsAreLogits) {
  expect_logit(2,
               behind_mean({node("Sigmoid", {"mean"}, "p"), node("Sub", {"one", "p"}, "q"), node("Log", {"p"}, "a"),
                            node("Log", {"q"}, "b"), node("Sub", {"a", "b"}, "y")}),
               {one});
  expect_logit(2,
               behind_mean({node("Sigmoid", {"mean"}, "p"), node("Sub", {"one", "p"}, "q"),
                            node("Div", {"p", "q"}, "o"), node("Log", {"o"}, "y")}),
               {one});
  expect_logit(2 / (1 + std::exp(-2.0f)),
               behind_mean({node("Sigmoid", {"mean"}, "p"), node("Mul", {"mean", "p"}, "y")}), {});
}

}  // namespace
