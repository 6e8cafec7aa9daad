// starcoder: StarCoder and SantaCoder: GPT-2 with one key head.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"GPTBigCodeForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"wte", "token_embd"},
    {"wpe", "position_embd"},
    {"ln_1", "attn_norm"},
    {"ln_2", "ffn_norm"},
    {"ln_f", "output_norm"},
    {"attn.c_attn", "attn_qkv"},
    {"attn.c_proj", "attn_output"},
    {"mlp.c_fc", "ffn_up"},
    {"mlp.c_proj", "ffn_down"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());

  GraphBuilder g(*config, facts);
  const Value tokens = g.embed("token_embd");  // [rows, width]
  Value x = tokens + g.embed_positions("position_embd");
  for (const Layer l : g.layers()) {
    const auto [q, k, v] = l.qkv(l.layer_norm(x, "attn_norm"));
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.mlp(l.layer_norm(x, "ffn_norm"), Activate::gelu_tanh);
  }
  return g.finish(g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_starcoder;
const Architecture arch_starcoder{"starcoder", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
