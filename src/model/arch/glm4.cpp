// glm4: GLM 4: norms before and after, half of each head rotated, a fused gate.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Glm4ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"post_self_attn_layernorm", "post_attention_norm"},
    {"post_mlp_layernorm", "post_ffw_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::interleaved);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.rms_norm(l.linear(l.attention(q, k, v), "attn_output"), "post_attention_norm");
    x = x + l.rms_norm(l.swiglu(l.rms_norm(x, "ffn_norm")), "post_ffw_norm");
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_glm4;
const Architecture arch_glm4{"glm4", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
