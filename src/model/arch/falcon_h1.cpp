// falcon-h1: Falcon-H1: attention and Mamba-2 side by side in each layer. SafeTensors folders state factors
// that converters to GGUF multiply into the weights.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/mamba2_mixer.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"FalconH1ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"final_layernorm", "output_norm"},
    {"pre_ff_layernorm", "ffn_norm"},
    {"feed_forward.gate_proj", "ffn_gate"},
    {"feed_forward.up_proj", "ffn_up"},
    {"feed_forward.down_proj", "ffn_down"},
    {"mamba.in_proj", "ssm_in"},
    {"mamba.conv1d", "ssm_conv1d"},
    {"mamba.dt_bias", "ssm_dt.bias"},
    {"mamba.A_log", "ssm_a.", HfChange::negated_power},
    {"mamba.D", "ssm_d."},
    {"mamba.norm", "ssm_norm"},
    {"mamba.out_proj", "ssm_out"},
});

struct Factors {
  float attention_in, attention_out, key, ssm_in, ssm_out, gate, down, head;
};

Factors read_factors(HyperParameters& from) {
  const auto factor = [&](std::string_view key) {
    return static_cast<float>(from.real(key, 1.0, {-1e6, 1e6}));
  };
  return {factor("attention.in_scale"), factor("attention.out_scale"), factor("attention.key_scale"),
          factor("ssm.in_scale"),       factor("ssm.out_scale"),       factor("ffn.gate_scale"),
          factor("ffn.down_scale"),     factor("head_scale")};
}

Value attention(const Layer& l, Value x, const Factors& factors) {
  auto [q, k, v] = l.qkv(x * factors.attention_in);
  q = l.rope(q);
  k = l.rope(k * factors.key);
  return l.linear(l.attention(q, k, v), "attn_output") * factors.attention_out;
}

Value feed_forward(GraphBuilder& g, const Layer& l, Value x, const Factors& factors) {
  const Value gate = l.linear(x, "ffn_gate", l.config().feed_forward) * factors.gate;
  const Value up = l.linear(x, "ffn_up", l.config().feed_forward);
  return l.linear(g.gate(gate, up, {Activate::silu}), "ffn_down") * factors.down;
}

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  HyperParameters from(facts.metadata, config->architecture);
  const Mamba2Mixer mixer = Mamba2Mixer::read(from);
  const Factors factors = read_factors(from);
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd") * config->embedding_scale;  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value normed = l.rms_norm(x, "attn_norm");
    const Value mixed = mixer.build(g, l, normed * factors.ssm_in) * factors.ssm_out;
    x = x + (mixed + attention(l, normed, factors));
    x = x + feed_forward(g, l, l.rms_norm(x, "ffn_norm"), factors);
  }
  const Value logits = g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd");
  return g.finish(logits * factors.head);
}

}  // namespace

extern const Architecture arch_falcon_h1;
const Architecture arch_falcon_h1{"falcon-h1", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
