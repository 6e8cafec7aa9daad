// deepseek2: DeepSeek V2, V3 and R1, Kimi K2: keys and values are made of one short latent row (MLA), experts
// with shared ones. Files either hold the matrices that carry queries into the latent row and results out of
// it (then the state is the latent row alone), or one that expands it for every head. Source: arXiv
// 2405.04434, 2.1.
#include <array>
#include <cmath>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 2> kHfNames{"DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"};

struct Latent {
  std::int64_t heads, query_rank, rank;  // of the short rows; query_rank 0: queries are made directly
  std::int64_t plain, rotary, value;     // columns of a head: without positions, with them, of its result
};

Latent read_latent(HyperParameters& from, const TransformerConfig& config) {
  constexpr double kWidest = 1 << 20;
  Latent latent{};
  latent.heads = config.layers.front().heads;
  latent.query_rank = from.integer("attention.q_lora_rank", 0, {0, kWidest});
  latent.rank = from.required_integer("attention.kv_lora_rank", {1, kWidest});
  latent.rotary = config.rope.rotary_width;
  const std::int64_t key = from.integer("attention.key_length_mla", config.key_width, {1, kWidest});
  latent.value = from.integer("attention.value_length_mla", config.value_width, {1, kWidest});
  latent.plain = key - latent.rotary;
  if (latent.plain < 1) from.fault("keys are no wider than their rotary part");
  return latent;
}

// Long contexts scale the scores, not cosines and sines (arXiv 2405.04434, 3.1.4).
void set_scale(HyperParameters& from, const Latent& latent, TransformerConfig& config) {
  const double log_multiplier = from.real("rope.scaling.yarn_log_multiplier", 0.0, {0.0, 10.0});
  const double magnitude = 1.0 + log_multiplier * std::log(static_cast<double>(config.rope.scale_factor));
  const auto key = static_cast<double>(latent.plain + latent.rotary);
  config.attention_scale = static_cast<float>(magnitude * magnitude / std::sqrt(key));
  config.rope.attention_factor = 1.0F;
}

Layer::Heads heads_of(GraphBuilder& g, const Layer& l, const Latent& m, Value x) {
  const std::int64_t key = m.plain + m.rotary;
  const Value short_q =
      m.query_rank > 0 ? l.rms_norm(l.linear(x, "attn_q_a", m.query_rank), "attn_q_a_norm") : x;
  const Value q = l.linear(short_q, m.query_rank > 0 ? "attn_q_b" : "attn_q", m.heads * key);
  const Value both = l.linear(x, "attn_kv_a_mqa", m.rank + m.rotary);
  const Value latent = l.rms_norm(g.slice(both, both.width(), 0, m.rank), "attn_kv_a_norm");
  const Value k_rotary = l.rope(g.slice(both, both.width(), m.rank, m.rotary));
  if (l.has("attn_k_b")) {
    const Value q_plain = g.slice(q, key, 0, m.plain);
    const Value q_latent = l.linear_blocks(q_plain, "attn_k_b", m.heads, m.heads * m.rank);
    const Value q_rotary = l.rope(g.slice(q, key, m.plain, m.rotary));
    return {g.join(m.heads, q_latent, m.rank, q_rotary, m.rotary),
            g.join(1, latent, m.rank, k_rotary, m.rotary), latent.in_heads_of(m.rank)};
  }
  const std::int64_t expanded = m.plain + m.value;
  const Value kv = l.linear(latent, "attn_kv_b", m.heads * expanded);
  const Value k_plain = g.slice(kv, expanded, 0, m.plain);
  const Value k = g.join(m.heads, k_plain, m.plain, k_rotary, m.rotary);
  const Value v = g.slice(kv, expanded, m.plain, m.value);
  return {l.rope_last(q.in_heads_of(key), m.rotary), k, v};
}

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::interleaved);
  HyperParameters from(facts.metadata, config->architecture);
  const Latent latent = read_latent(from, *config);
  set_scale(from, latent, *config);
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const auto [q, k, v] = heads_of(g, l, latent, l.rms_norm(x, "attn_norm"));
    Value attended = l.attention(q, k, v);
    if (l.has("attn_v_b"))
      attended = l.linear_blocks(attended, "attn_v_b", latent.heads, latent.heads * latent.value);
    x = x + l.linear(attended, "attn_output");
    x = x + l.experts_or_swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_deepseek2;
const Architecture arch_deepseek2{"deepseek2", kHfNames, build};

}  // namespace pensieve::model
