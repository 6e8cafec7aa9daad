// falcon: Falcon 7B, 40B and 180B: attention and network side by side, behind one layer norm or two.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"FalconForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"word_embeddings", "token_embd"},
    {"ln_attn", "attn_norm_2"},
    {"ln_mlp", "attn_norm"},
    {"self_attention.query_key_value", "attn_qkv", HfChange::fused_heads},
    {"self_attention.dense", "attn_output"},
    {"mlp.dense_h_to_4h", "ffn_up"},
    {"mlp.dense_4h_to_h", "ffn_down"},
    {"ln_f", "output_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value y = l.layer_norm(x, "attn_norm");
    auto [q, k, v] = l.qkv(l.has("attn_norm_2") ? l.layer_norm(x, "attn_norm_2") : y);
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.mlp(y, Activate::gelu);
  }
  return g.finish(g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_falcon;
const Architecture arch_falcon{"falcon", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
