// gemma3: Gemma 3 (text): five layers of six see a window, with a rotary base of their own; q and k are
// normalised.
#include <array>
#include <cmath>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Gemma3ForCausalLM"};

// The 27B model scales scores by the width of a head of an evenly split row; files do not say so.
constexpr std::size_t kLayersOf27B = 62;

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"post_attention_layernorm", "post_attention_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  config->set_windows(6);
  config->attention_soft_cap = 0.0F;
  for (LayerConfig& layer : config->layers) {
    if (layer.window == 0) continue;
    layer.rope_base = config->window_rope_base;
    layer.stretched = false;
  }
  if (config->layers.size() == kLayersOf27B) {
    const auto split = static_cast<float>(config->width / config->layers.front().heads);
    config->attention_scale = 1.0F / std::sqrt(split);
  }

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd") * std::sqrt(static_cast<float>(config->width));  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(l.rms_norm(q, "attn_q_norm"));
    k = l.rope(l.rms_norm(k, "attn_k_norm"));
    const Value attended = l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.rms_norm(attended, "post_attention_norm");
    const Value fed = l.gated(l.rms_norm(x, "ffn_norm"), Activate::gelu_tanh);
    x = x + l.rms_norm(fed, "post_ffw_norm");
  }
  const Value logits = g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd");
  return g.finish(config->pooling == Pooling::none ? g.soft_cap(logits, config->final_soft_cap) : logits);
}

}  // namespace

extern const Architecture arch_gemma3;
const Architecture arch_gemma3{"gemma3", kHfNames, build, {.tensors = kHfTensors, .norms_add_one = true}};

}  // namespace pensieve::model
