// qwen3: Qwen 3 and the embedding and reranking models made of it: q and k are normalised head by head.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 2> kHfNames{"Qwen3ForCausalLM", "Qwen3ForSequenceClassification"};

constexpr auto kHfTensors = std::to_array<HfTensor>({{"score", "cls.output"}});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(l.rms_norm(q, "attn_q_norm"));
    k = l.rope(l.rms_norm(k, "attn_k_norm"));
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_qwen3;
const Architecture arch_qwen3{"qwen3", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
