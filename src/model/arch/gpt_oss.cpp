// gpt-oss: GPT-OSS: every second layer sees a window, each head has an attention sink; experts with biases
// and clamped gates.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"GptOssForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"post_attention_layernorm", "post_attention_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  config->set_windows(2);
  config->experts.route.normalise = true;
  constexpr float kGateLimit = 7.0F;

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.experts(l.rms_norm(x, "post_attention_norm"), {Activate::silu_clamped, kGateLimit});
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_gpt_oss;
const Architecture arch_gpt_oss{"gpt-oss", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
