// olmo2: OLMo 2: norms after attention and network instead of before, and over all of q and k.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Olmo2ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"post_attention_layernorm", "post_attention_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(x);
    q = l.rope(l.rms_norm(q.in_heads_of(0), "attn_q_norm").in_heads_of(config->key_width));
    k = l.rope(l.rms_norm(k.in_heads_of(0), "attn_k_norm").in_heads_of(config->key_width));
    x = x + l.rms_norm(l.linear(l.attention(q, k, v), "attn_output"), "post_attention_norm");
    x = x + l.rms_norm(l.swiglu(x), "post_ffw_norm");
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_olmo2;
const Architecture arch_olmo2{"olmo2", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
