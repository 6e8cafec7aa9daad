// qwen3moe: Qwen 3 with routed experts whose weights sum to 1.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Qwen3MoeForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  config->experts.route.normalise = true;

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(l.rms_norm(q, "attn_q_norm"));
    k = l.rope(l.rms_norm(k, "attn_k_norm"));
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.experts_or_swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_qwen3moe;
const Architecture arch_qwen3moe{"qwen3moe", kHfNames, build};

}  // namespace pensieve::model
