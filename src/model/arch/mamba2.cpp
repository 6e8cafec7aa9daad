// mamba2: Mamba-2: layers of selective state-space mixing and nothing else. Source: arXiv 2405.21060.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/mamba2_mixer.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Mamba2ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"embeddings", "token_embd"},
    {"norm_f", "output_norm"},
    {"norm", "attn_norm"},
    {"mixer.in_proj", "ssm_in"},
    {"mixer.conv1d", "ssm_conv1d"},
    {"mixer.dt_bias", "ssm_dt.bias"},
    {"mixer.A_log", "ssm_a.", HfChange::negated_power},
    {"mixer.D", "ssm_d."},
    {"mixer.norm", "ssm_norm"},
    {"mixer.out_proj", "ssm_out"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata, Attends::some_layers);
  if (!config) return tl::unexpected(std::move(config).error());
  HyperParameters from(facts.metadata, config->architecture);
  const Mamba2Mixer mixer = Mamba2Mixer::read(from);
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) x = x + mixer.build(g, l, l.rms_norm(x, "attn_norm"));
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_mamba2;
const Architecture arch_mamba2{"mamba2", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
