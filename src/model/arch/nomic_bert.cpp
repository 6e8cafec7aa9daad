// nomic-bert: Nomic Embed 1 and 1.5: an encoder with rotary positions and gated networks.
#include <algorithm>
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 0> kHfNames{};  // its folders come with code of their own

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->causal = false;
  config->set_pairing(RopeParams::Pairing::halves);
  const std::int64_t types =
      std::max<std::int64_t>(facts.tensors.elements("token_types.weight") / config->width, 1);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  if (g.has("token_types")) x = x + g.embed_segments("token_types", types);
  x = g.layer_norm(x, "token_embd_norm");
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(x);
    q = l.rope(q);
    k = l.rope(k);
    x = l.layer_norm(x + l.linear(l.attention(q, k, v), "attn_output"), "attn_output_norm");
    x = l.layer_norm(x + (l.has("ffn_gate") ? l.swiglu(x) : l.mlp(x, Activate::gelu)), "layer_output_norm");
  }
  return g.finish(g.head(g.output_rows(x), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_nomic_bert;
const Architecture arch_nomic_bert{"nomic-bert", kHfNames, build};

}  // namespace pensieve::model
