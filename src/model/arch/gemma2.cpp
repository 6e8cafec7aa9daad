// gemma2: Gemma 2: every second layer sees a window only, norms before and after, scores and logits
// soft-capped.
#include <array>
#include <cmath>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Gemma2ForCausalLM"};

// The 27B model scales scores by the width of a head of an evenly split row; files do not say so.
constexpr std::size_t kLayersOf27B = 46;

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"post_attention_layernorm", "post_attention_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  config->set_windows(2);
  if (config->layers.size() == kLayersOf27B) {
    const auto split = static_cast<float>(config->width / config->layers.front().heads);
    config->attention_scale = 1.0F / std::sqrt(split);
  }

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd") * std::sqrt(static_cast<float>(config->width));  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    const Value attended = l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.rms_norm(attended, "post_attention_norm");
    const Value fed = l.gated(l.rms_norm(x, "ffn_norm"), Activate::gelu_tanh);
    x = x + l.rms_norm(fed, "post_ffw_norm");
  }
  const Value logits = g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd");
  return g.finish(config->pooling == Pooling::none ? g.soft_cap(logits, config->final_soft_cap) : logits);
}

}  // namespace

extern const Architecture arch_gemma2;
const Architecture arch_gemma2{"gemma2", kHfNames, build, {.tensors = kHfTensors, .norms_add_one = true}};

}  // namespace pensieve::model
