// olmoe: OLMoE: q and k are normalised over the whole row, experts are not renormalised.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"OlmoeForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(l.rms_norm(q.in_heads_of(0), "attn_q_norm").in_heads_of(config->key_width));
    k = l.rope(l.rms_norm(k.in_heads_of(0), "attn_k_norm").in_heads_of(config->key_width));
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.experts(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_olmoe;
const Architecture arch_olmoe{"olmoe", kHfNames, build};

}  // namespace pensieve::model
