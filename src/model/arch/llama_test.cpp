// The graph that a llama model becomes, node by node, and the generated table that finds the architecture.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "model/architecture.h"
#include "model/formats/checked_math.h"
#include "model/formats/gguf.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class Names final : public TensorNames {
 public:
  explicit Names(const std::vector<TensorInfo>& tensors) {
    for (const TensorInfo& tensor : tensors) names_[tensor.name] = element_count(tensor.shape);
  }
  bool contains(std::string_view name) const override { return names_.count(name) != 0; }
  std::int64_t elements(std::string_view name) const override {
    const auto found = names_.find(name);
    return found == names_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, std::int64_t, std::less<>> names_;
};

Result<Graph> built(const testing::TinyLlama& want) {
  const testing::GgufImage image = testing::tiny_llama(want);
  Result<GgufContent> content = parse_gguf(image.span());
  if (!content) return tl::unexpected(content.error());
  const Names names(content->tensors);
  return find_architecture("llama")->build({content->metadata, names});
}

// "linear(1) blk.0.attn_q.weight[32, 32] -> 32", one line for each node.
std::vector<std::string> lines_of(const Graph& graph, std::size_t first, std::size_t end) {
  std::vector<std::string> lines;
  for (std::size_t i = first; i < end; ++i) {
    const Node& node = graph.nodes[i];
    std::string line = fmt::format("{}({})", op_name(node.op()), fmt::join(node.inputs, ","));
    for (const std::uint32_t weight : node.weights) {
      line += fmt::format(" {}[{}]", graph.weights[weight].name, fmt::join(graph.weights[weight].shape, ","));
    }
    lines.push_back(line + fmt::format(" -> {}:{}", node.output, graph.values[node.output].width));
  }
  return lines;
}

TEST(Architectures, AreFoundByName) {
  std::set<std::string_view> names;
  for (const Architecture* architecture : architectures()) names.insert(architecture->gguf_name);
  EXPECT_THAT(names, ::testing::Contains("llama"));
  ASSERT_NE(find_architecture("llama"), nullptr);
  EXPECT_THAT(find_architecture("llama")->hf_names, ::testing::Contains("LlamaForCausalLM"));
  EXPECT_EQ(find_architecture("LLAMA"), nullptr);
  EXPECT_EQ(find_architecture(""), nullptr);
}

TEST(Llama, ReadsLikeItsFormula) {
  const Result<Graph> graph = built({});
  ASSERT_TRUE(graph) << graph.error().what;
  EXPECT_TRUE(validate(*graph));
  EXPECT_EQ(graph->nodes.size(), 1U + 2 * 15 + 3);
  EXPECT_THAT(graph->layer_cuts, ElementsAre(1, 16));
  EXPECT_THAT(lines_of(*graph, 0, 16), ElementsAreArray({
                                           "embed() token_embd.weight[258,32] -> 0:32",
                                           "norm(0) blk.0.attn_norm.weight[32] -> 1:32",
                                           "linear(1) blk.0.attn_q.weight[32,32] -> 2:32",
                                           "linear(1) blk.0.attn_k.weight[16,32] -> 3:16",
                                           "linear(1) blk.0.attn_v.weight[16,32] -> 4:16",
                                           "rope(2) -> 5:32",
                                           "rope(3) -> 6:16",
                                           "attention(5,6,4) -> 7:32",
                                           "linear(7) blk.0.attn_output.weight[32,32] -> 8:32",
                                           "add(0,8) -> 9:32",
                                           "norm(9) blk.0.ffn_norm.weight[32] -> 10:32",
                                           "linear(10) blk.0.ffn_gate.weight[64,32] -> 11:64",
                                           "linear(10) blk.0.ffn_up.weight[64,32] -> 12:64",
                                           "activate(11,12) -> 13:64",
                                           "linear(13) blk.0.ffn_down.weight[32,64] -> 14:32",
                                           "add(9,14) -> 15:32",
                                       }));
  EXPECT_THAT(lines_of(*graph, 31, 34),
              ElementsAre("select_rows(30) -> 31:32", "norm(31) output_norm.weight[32] -> 32:32",
                          "linear(32) token_embd.weight[258,32] -> 33:258"));
  EXPECT_EQ(graph->logits, 33U);
  EXPECT_EQ(graph->vocabulary, 258);
  EXPECT_EQ(graph->trained_context, 128);
}

TEST(Llama, AttentionAndRopeAreThoseOfTheFile) {
  const Result<Graph> graph = built({});
  ASSERT_TRUE(graph);
  const auto& rope = std::get<RopeParams>(graph->nodes[5].params);
  EXPECT_EQ(rope.pairing, RopeParams::Pairing::interleaved);
  EXPECT_EQ(rope.head_width, 8);
  EXPECT_EQ(rope.rotary_width, 8);
  const auto& attention = std::get<AttentionParams>(graph->nodes[7].params);
  EXPECT_EQ(attention.heads, 4);
  EXPECT_EQ(attention.kv_heads, 2);
  EXPECT_FLOAT_EQ(attention.scale, 1.0F / std::sqrt(8.0F));
  ASSERT_EQ(graph->states.size(), 2U);
  EXPECT_EQ(graph->state_groups, 1U);
  EXPECT_EQ(graph->nodes[22].state, 1);
  EXPECT_EQ(graph->states[1].heads, 2);
  EXPECT_EQ(graph->states[1].key_width, 8);
}

TEST(Llama, OptionalTensorsAreUsedWhereTheyAre) {
  const Result<Graph> graph = built({.tied = false, .biases = true, .rope_factors = true});
  ASSERT_TRUE(graph) << graph.error().what;
  const std::vector<std::string> lines = lines_of(*graph, 0, graph->nodes.size());
  EXPECT_EQ(lines[2], "linear(1) blk.0.attn_q.weight[32,32] blk.0.attn_q.bias[32] -> 2:32");
  EXPECT_EQ(lines[5], "rope(2) rope_freqs.weight[4] -> 5:32");
  EXPECT_EQ(lines.back(), "linear(32) output.weight[258,32] -> 33:258");
}

TEST(Llama, BecomesAMixtureOfExpertsWhereTheFileHasARouter) {
  const Result<Graph> graph = built({.extra = [](testing::GgufWriter& file) {
    file.u32("llama.expert_count", 8);
    file.u32("llama.expert_used_count", 2);
    file.tensor("blk.0.ffn_gate_inp.weight", {32, 8}, 0, std::string(32 * 8 * 4, '\0'));
  }});
  ASSERT_TRUE(graph) << graph.error().what;
  EXPECT_THAT(
      lines_of(*graph, 11, 14),
      ElementsAre("linear(10) blk.0.ffn_gate_inp.weight[8,32] -> 11:8", "route(11) -> 12:8",
                  "experts(10,12) blk.0.ffn_gate_exps.weight[8,64,32] blk.0.ffn_up_exps.weight[8,64,32] "
                  "blk.0.ffn_down_exps.weight[8,32,64] -> 13:32"));
  EXPECT_EQ(std::get<RouteParams>(graph->nodes[12].params).used, 2);
  EXPECT_TRUE(std::get<RouteParams>(graph->nodes[12].params).normalise);
}

}  // namespace
}  // namespace pensieve::model
