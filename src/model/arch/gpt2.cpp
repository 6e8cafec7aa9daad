// gpt2: GPT-2: learned positions, layer norms, fused projections with biases.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"GPT2LMHeadModel"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"wte", "token_embd"},
    {"wpe", "position_embd"},
    {"ln_1", "attn_norm"},
    {"ln_2", "ffn_norm"},
    {"ln_f", "output_norm"},
    {"attn.c_attn", "attn_qkv", HfChange::transposed},
    {"attn.c_proj", "attn_output", HfChange::transposed},
    {"mlp.c_fc", "ffn_up", HfChange::transposed},
    {"mlp.c_proj", "ffn_down", HfChange::transposed},
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

extern const Architecture arch_gpt2;
const Architecture arch_gpt2{"gpt2", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
