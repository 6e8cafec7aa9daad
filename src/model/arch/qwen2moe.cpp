// qwen2moe: Qwen 1.5 and 2 with routed experts and a gated shared one.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Qwen2MoeForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.experts_or_swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_qwen2moe;
const Architecture arch_qwen2moe{"qwen2moe", kHfNames, build};

}  // namespace pensieve::model
