// A well-formed graph passes; each kind of damage is refused by name.
#include "core/graph.h"

#include <gtest/gtest.h>

namespace pensieve {
namespace {

// embed -> rms norm -> select_rows -> linear, 8 columns, 16 tokens.
Graph tiny() {
  Graph graph;
  graph.vocabulary = 16;
  graph.weights = {{"token_embd.weight", {16, 8}}, {"output_norm.weight", {8}}, {"output.weight", {16, 8}}};
  graph.values = {{8, Rows::batch}, {8, Rows::batch}, {8, Rows::output}, {16, Rows::output}};
  graph.nodes = {{EmbedParams{}, {}, 0, {0}},
                 {NormParams{.group_width = 8}, {0}, 1, {1}},
                 {SelectRowsParams{}, {1}, 2, {}},
                 {LinearParams{}, {2}, 3, {2}}};
  graph.logits = 3;
  return graph;
}

TEST(ValidateGraph, AcceptsAWellFormedGraph) {
  const auto result = validate(tiny());
  EXPECT_TRUE(result) << result.error().what;
}

void expect_refused(const Graph& graph, const std::string& fragment) {
  const auto result = validate(graph);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().what.find(fragment), std::string::npos) << result.error().what;
}

TEST(ValidateGraph, NamesTheNodeAtFault) {
  Graph graph = tiny();
  graph.weights[2].shape = {16, 9};
  expect_refused(graph, "node 3 (linear): weight output.weight has shape [16, 9], expected [16, 8]");

  graph = tiny();
  graph.nodes[1].inputs = {2};
  expect_refused(graph, "node 1 (norm): input 2 is not computed before");

  graph = tiny();
  graph.nodes[2].output = 1;
  expect_refused(graph, "output 1 is computed twice");

  graph = tiny();
  graph.nodes[1].params = NormParams{.group_width = 3};
  expect_refused(graph, "group width 3 does not divide 8");

  graph = tiny();
  graph.nodes[0].weights = {7};
  expect_refused(graph, "weight 7 does not exist");

  graph = tiny();
  graph.nodes[1] = {AttentionParams{.heads = 3, .kv_heads = 2}, {0, 0, 0}, 1, {}};
  expect_refused(graph, "node 1 (attention): 3 heads cannot share 2 key heads");

  graph = tiny();
  graph.logits = 2;
  expect_refused(graph, "logits");

  graph = tiny();
  graph.values[0].width = 0;
  expect_refused(graph, "width 0");
}

}  // namespace
}  // namespace pensieve
