// phi2: Phi 1, 1.5 and 2: attention and network side by side behind one layer norm, biases everywhere.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"PhiForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"self_attn.dense", "attn_output"},
    {"mlp.fc1", "ffn_up"},
    {"mlp.fc2", "ffn_down"},
    {"final_layernorm", "output_norm"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value y = l.layer_norm(x, "attn_norm");
    auto [q, k, v] = l.qkv(y);
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.mlp(y, Activate::gelu_tanh);
  }
  return g.finish(g.head(g.layer_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_phi2;
const Architecture arch_phi2{"phi2", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
