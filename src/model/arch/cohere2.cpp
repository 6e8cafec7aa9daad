// cohere2: Command R7B and A: three layers of four see a window; the others see all, without positions.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Cohere2ForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::interleaved);
  config->set_windows(4);
  for (LayerConfig& layer : config->layers) layer.rotates = layer.window > 0;

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value y = l.layer_norm(x, "attn_norm");
    auto [q, k, v] = l.qkv(y);
    q = l.rope(l.layer_norm_if_any(q, "attn_q_norm"));
    k = l.rope(l.layer_norm_if_any(k, "attn_k_norm"));
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.swiglu(y);
  }
  const Value logits = g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd");
  return g.finish(logits * config->logit_scale);
}

}  // namespace

extern const Architecture arch_cohere2;
const Architecture arch_cohere2{"cohere2", kHfNames, build};

}  // namespace pensieve::model
