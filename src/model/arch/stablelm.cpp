// stablelm: StableLM 2 and Zephyr: layer norms, part of each head rotated; the 12B model runs attention and
// network side by side and normalises each head on its own.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"StableLmForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value y = l.layer_norm(x, "attn_norm");
    auto [q, k, v] = l.qkv(y);
    q = l.rope(l.layer_norm_if_any(q, "attn_q_norm"));
    k = l.rope(l.layer_norm_if_any(k, "attn_k_norm"));
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.swiglu(l.has("ffn_norm") ? l.layer_norm(x, "ffn_norm") : y);
  }
  return g.finish(g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_stablelm;
const Architecture arch_stablelm{"stablelm", kHfNames, build};

}  // namespace pensieve::model
