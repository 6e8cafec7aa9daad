// granitemoe: Granite 3 and 4 with routed experts, some with a shared one.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 2> kHfNames{"GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"block_sparse_moe.router.layer", "ffn_gate_inp"},
    {"block_sparse_moe.input_linear", "ffn_gate_up_exps", HfChange::halves},
    {"block_sparse_moe.output_linear", "ffn_down_exps"},
    {"shared_mlp.input_linear", "ffn_up_shexp"},
    {"shared_mlp.output_linear", "ffn_down_shexp"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::interleaved);
  if (config->logit_scale == 0.0F) config->logit_scale = 1.0F;
  config->experts.route.normalise = true;

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd") * config->embedding_scale;  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output") * config->residual_scale;
    x = x + l.experts(l.rms_norm(x, "ffn_norm")) * config->residual_scale;
  }
  const Value logits = g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd");
  return g.finish(logits * (1.0F / config->logit_scale));
}

}  // namespace

extern const Architecture arch_granitemoe;
const Architecture arch_granitemoe{"granitemoe", kHfNames, build, {.tensors = kHfTensors, .halves = true}};

}  // namespace pensieve::model
