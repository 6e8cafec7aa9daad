// granite: Granite 3 and 4 (dense): as llama, with scales on embedding, attention, residuals and logits.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"GraniteForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::interleaved);
  if (config->logit_scale == 0.0F) config->logit_scale = 1.0F;

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd") * config->embedding_scale;  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output") * config->residual_scale;
    x = x + l.swiglu(l.rms_norm(x, "ffn_norm")) * config->residual_scale;
  }
  const Value logits = g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd");
  return g.finish(logits * (1.0F / config->logit_scale));
}

}  // namespace

extern const Architecture arch_granite;
const Architecture arch_granite{"granite", kHfNames, build, {.halves = true}};

}  // namespace pensieve::model
