// qwen35: Qwen 3.5 (dense): a gated delta rule in three layers of four, gated attention in the fourth. Text
// only: the three parts of a position are then the same.
#include <array>

#include "model/architecture.h"
#include "model/delta_mixer.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Qwen3_5ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"post_attention_layernorm", "post_attention_norm"},
    {"linear_attn.in_proj_qkv", "attn_qkv"},
    {"linear_attn.in_proj_z", "attn_gate"},
    {"linear_attn.in_proj_a", "ssm_alpha"},
    {"linear_attn.in_proj_b", "ssm_beta"},
    {"linear_attn.conv1d", "ssm_conv1d"},
    {"linear_attn.dt_bias", "ssm_dt.bias"},
    {"linear_attn.A_log", "ssm_a.", HfChange::negated_power},
    {"linear_attn.norm", "ssm_norm", HfChange::kept},
    {"linear_attn.out_proj", "ssm_out"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata, Attends::some_layers);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  HyperParameters from(facts.metadata, config->architecture);
  DeltaMixer mixer = DeltaMixer::read(from);
  // Converters to GGUF put the value heads tile by tile; folders keep them by key head.
  mixer.tiled = !config->is_folder();
  set_recurrent_layers(from, *config);
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value normed = l.rms_norm(x, "attn_norm");
    x = x + (l.config().attends() ? gated_attention(g, l, normed, *config) : mixer.build(g, l, normed));
    x = x + l.experts_or_swiglu(l.rms_norm(x, "post_attention_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_qwen35;
const Architecture arch_qwen35{"qwen35", kHfNames, build, {.tensors = kHfTensors, .norms_add_one = true}};

}  // namespace pensieve::model
