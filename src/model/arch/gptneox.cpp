// gptneox: GPT-NeoX and Pythia: part of each head rotated; attention and network side by side, or in a row.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"GPTNeoXForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"embed_in", "token_embd"},
    {"embed_out", "output"},
    {"post_attention_layernorm", "ffn_norm"},
    {"attention.query_key_value", "attn_qkv", HfChange::fused_heads},
    {"attention.dense", "attn_output"},
    {"mlp.dense_h_to_4h", "ffn_up"},
    {"mlp.dense_4h_to_h", "ffn_down"},
    {"final_layer_norm", "output_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  HyperParameters from(facts.metadata, config->architecture);
  const bool parallel = from.flag("use_parallel_residual", true);
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.layer_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    const Value attended = x + l.linear(l.attention(q, k, v), "attn_output");
    x = attended + l.mlp(l.layer_norm(parallel ? x : attended, "ffn_norm"), Activate::gelu);
  }
  return g.finish(g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_gptneox;
const Architecture arch_gptneox{"gptneox", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
