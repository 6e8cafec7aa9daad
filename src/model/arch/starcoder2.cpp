// starcoder2: StarCoder 2: layer norms, a plain network, biases everywhere.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Starcoder2ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"mlp.c_fc", "ffn_up"},
    {"mlp.c_proj", "ffn_down"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  config->set_windows(0);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.layer_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.mlp(l.layer_norm(x, "ffn_norm"), Activate::gelu_tanh);
  }
  return g.finish(g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_starcoder2;
const Architecture arch_starcoder2{"starcoder2", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
